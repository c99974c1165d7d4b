"""HTTP message signatures between nodes (RFC 9421), with the Ed25519 peer keys of the registry.

Covered: method, authority, path, query and content digest, with creation time and nonce. The authority is the one
of the recipient's node URL in the registry, so that a request to one node is worth nothing at another.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)
from http_message_signatures.digests import ContentDigest
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from sealtrail.errors import UnauthorizedError

TAG = "sealtrail"
COVERED = ("@method", "@authority", "@path", "@query", "content-digest")
AGE_SECONDS_MAX = 300
CLOCK_SKEW_SECONDS_MAX = 60
NONCE_CHARACTERS_MAX = 128


class PeerKeyId(msgspec.Struct, frozen=True, kw_only=True):
    """Names a peer's key: ``0x<member>.<public key>``, in lower-case hex."""

    member: bytes
    public: bytes

    def __str__(self) -> str:
        return f"0x{self.member.hex()}.{self.public.hex()}"

    @classmethod
    def parse(cls, text: str) -> PeerKeyId:
        """Read a key id; its one form only.

        Raises:
            UnauthorizedError: ``peer_key_id_malformed``.
        """
        member, _, public = text.partition(".")
        try:
            parsed = cls(member=bytes.fromhex(member[2:]), public=bytes.fromhex(public))
        except ValueError:
            parsed = cls(member=b"", public=b"")
        if (len(parsed.member), len(parsed.public)) != (20, 32) or str(parsed) != text:
            raise UnauthorizedError(
                "peer_key_id_malformed",
                "a key id is 0x, 40 hex digits of the member, a dot, and 64 hex digits of its Ed25519 peer key",
            )
        return parsed


class SignedBy(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed a request, and the nonce that it may use once."""

    key_id: PeerKeyId
    nonce: str


class _Message:
    """The message interface of the signature library."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        self.method = method
        self.url = url
        self.headers = dict(headers)


class _OneKey(HTTPSignatureKeyResolver):
    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    def resolve_private_key(self, key_id: str) -> Any:
        return self._private

    def resolve_public_key(self, key_id: str) -> Any:
        raise NotImplementedError("this resolver signs only")


class _RegistryKeys(HTTPSignatureKeyResolver):
    def __init__(self, is_valid: Callable[[PeerKeyId], bool]) -> None:
        self._is_valid = is_valid

    def resolve_private_key(self, key_id: str) -> Any:
        raise NotImplementedError("this resolver verifies only")

    def resolve_public_key(self, key_id: str) -> Any:
        parsed = PeerKeyId.parse(key_id)
        if not self._is_valid(parsed):
            raise UnauthorizedError(
                "peer_key_unknown", f"{parsed} is no valid peer key of an active member"
            )
        return Ed25519PublicKey.from_public_bytes(parsed.public)


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = datetime.timedelta(seconds=CLOCK_SKEW_SECONDS_MAX)


def sign_request(
    method: str,
    url: str,
    body: bytes,
    *,
    key_id: PeerKeyId,
    private_key: Ed25519PrivateKey,
    created_seconds: int,
    nonce: str,
) -> dict[str, str]:
    """Return the headers (Content-Digest, Signature-Input, Signature) that sign this request.

    Source: RFC 9421 section 3.1, RFC 9530 section 2.
    """
    message = _Message(method, url, {})
    HTTPMessageSigner(
        signature_algorithm=algorithms.ED25519, key_resolver=_OneKey(private_key)
    ).sign(
        message,
        key_id=str(key_id),
        created=datetime.datetime.fromtimestamp(created_seconds, tz=datetime.UTC),
        nonce=nonce,
        label=TAG,
        tag=TAG,
        covered_component_ids=COVERED[:-1],
        body=body,
    )
    return dict(message.headers)


def verify_request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    is_valid: Callable[[PeerKeyId], bool],
) -> SignedBy:
    """Tell who signed the request, before its body is read; :func:`verify_body` belongs to it.

    The caller refuses a nonce that it has seen.

    Args:
        url: this node's own URL as the registry has it, with path and query of the request.
        is_valid: whether a key is now a valid peer key of an active member.

    Raises:
        UnauthorizedError: ``peer_signature_invalid``, ``peer_key_unknown``, ``peer_key_id_malformed``.

    Source: RFC 9421 section 3.2.
    """
    verifier = _Verifier(
        signature_algorithm=algorithms.ED25519, key_resolver=_RegistryKeys(is_valid)
    )
    try:
        results = verifier.verify(
            _Message(method, url, headers),
            max_age=datetime.timedelta(seconds=AGE_SECONDS_MAX),
            expect_tag=TAG,
            require_components=COVERED,
        )
    except HTTPMessageSignaturesException as error:
        if error.args and isinstance(error.args[0], UnauthorizedError):
            raise error.args[0] from error
        reason = str(error) or "it does not match the request's method, authority, path and query"
        raise _invalid(reason) from error
    signed = results[0]
    if len(results) != 1 or not signed.nonce or len(signed.nonce) > NONCE_CHARACTERS_MAX:
        raise _invalid("one signature with a nonce was expected")
    return SignedBy(key_id=PeerKeyId.parse(str(signed.parameters["keyid"])), nonce=signed.nonce)


def verify_body(headers: Mapping[str, str], body: bytes) -> None:
    """Check the body against the digest that the request's signature covers.

    Raises:
        UnauthorizedError: ``peer_signature_invalid``.

    Source: RFC 9530 section 2.
    """
    try:
        ContentDigest.verify(headers.get("Content-Digest", ""), body)
    except HTTPMessageSignaturesException as error:
        raise _invalid(str(error) or "the body is not the one that was signed") from error


def _invalid(reason: str) -> UnauthorizedError:
    return UnauthorizedError("peer_signature_invalid", f"the request's signature: {reason}")
