"""JSON-LD contexts, as far as they name prefixes. None is ever fetched.

Source: EPCIS 2.0 JSON-LD binding; GS1's own context as of July 2026.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from sealtrail.epcis.fields import is_uri, located
from sealtrail.epcis.folding import (
    CHARACTERS_REMEMBERED_MAX,
    fold,
    fold_remembered,
)
from sealtrail.errors import InputError
from sealtrail.gs1.canonical import CHARACTERS_REMEMBERED_MAX as IDENTIFIER_CHARACTERS_MAX
from sealtrail.gs1.canonical import read_ordinary

# The context that every EPCIS 2.0 document refers to. Its namespaces are taken as known, whatever it is called.
_KNOWN = {
    "gs1": "https://ref.gs1.org/voc/",
    "cbv": "https://ref.gs1.org/cbv/",
    "epcis": "https://ref.gs1.org/epcis/",
    "cbvmda": "urn:epcglobal:cbv:mda",
}
# Known to that context as well, but not expanded by the reference event hash.
_KNOWN_UNEXPANDED = {
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dcterms": "http://purl.org/dc/terms/",
}
KNOWN_PREFIXES = {**_KNOWN, **_KNOWN_UNEXPANDED}
"""Every prefix that needs no definition, with its namespace."""
_PROTECTED = {
    "gs1": {"https://ref.gs1.org/voc/", "https://gs1.org/voc/", "https://www.gs1.org/voc/"},
    "cbv": {"https://ref.gs1.org/cbv/", "https://ns.gs1.org/cbv/"},
    "epcis": {"https://ref.gs1.org/epcis/", "https://ns.gs1.org/epcis/"},
}
# GS1's own, at any of the addresses it has had, says nothing that is not known here.
_is_own_context = re.compile(
    r"https?://(?:ref\.gs1\.org|gs1\.github\.io|id\.gs1\.org)/(?:.*/)?epcis-context\.jsonld"
).fullmatch
_KEYS_REMEMBERED = 1_000
PREFIXES_MAX = 32
"""How many prefixes of one event are remembered for queries."""
_KEY_CHARACTERS_REMEMBERED_MAX = 256
_CONTEXTS_REMEMBERED = 64
_CONTEXT_BYTES_REMEMBERED_MAX = 4_096
URI_SCHEMES = {"http", "https", "urn", "ni", "tag", "did"}
STANDARD_CONTEXT = "https://ref.gs1.org/standards/epcis/epcis-context.jsonld"
"""The normative address of the JSON-LD context (EPCIS 2.0.1)."""


class Names:
    """The prefixes in force for an event, and names written out with them.

    ``elsewhere``: a context that is only referred to may define more.
    Immutable but for its memory of keys, which holds only what documents under this context use.
    """

    __slots__ = (
        "_identifiers", "_keys", "_namespaces", "defined", "elsewhere", "gs1_prefixes", "keeps_packs",
    )  # fmt: skip

    def __init__(self, namespaces: dict[str, str], *, elsewhere: bool = False) -> None:
        self._namespaces = namespaces
        self.elsewhere = elsewhere
        self._keys: dict[str, tuple[str, str, str]] = {}
        # the documents' own, as far as one remembers them
        self.defined = tuple(self.own_namespaces.items())[:PREFIXES_MAX]
        # values are written out for GS1's own vocabularies only (CBV 2.0 section 8.9.3, rules 15 and 16)
        self.gs1_prefixes = {
            prefix: namespace
            for prefix, namespace in namespaces.items()
            if namespace.startswith(("https://ref.gs1.org", "https://gs1.org"))
        }
        # a context may even define "https"
        self.keeps_packs = self.gs1_prefixes.keys().isdisjoint(("urn", "http", "https"))
        # how most identifiers begin, unless a prefix stands there
        self._identifiers = {
            head
            for head in ("urn:epc:", "https://")
            if head.partition(":")[0] not in self.gs1_prefixes
        }

    @property
    def namespaces(self) -> Mapping[str, str]:
        """Each prefix with what it stands for, those included that every context knows."""
        return self._namespaces | _KNOWN_UNEXPANDED

    @property
    def own_namespaces(self) -> Mapping[str, str]:
        """Those that the documents' own contexts define."""
        return {p: n for p, n in self._namespaces.items() if _KNOWN.get(p) != n}

    def value(self, text: str) -> str:
        """Return the text of a standard field as the event hash writes it."""
        if text[:8] in self._identifiers and len(text) <= IDENTIFIER_CHARACTERS_MAX:
            ordinary = read_ordinary(text)
            if ordinary is not None:
                return ordinary
        prefix, _, local = text.partition(":")
        if prefix in self.gs1_prefixes:
            text = self.gs1_prefixes[prefix] + local
        return fold_remembered(text) if len(text) <= CHARACTERS_REMEMBERED_MAX else fold(text)

    def expanded(self, text: str) -> str:
        """Return a text with a prefix of GS1's own written out."""
        prefix, colon, local = text.partition(":")
        if colon and prefix in self.gs1_prefixes:
            return self.gs1_prefixes[prefix] + local
        return text

    def split(self, key: str) -> tuple[str, str, str]:
        """Return namespace and local name of an extension's key, and how the event hash writes it.

        The namespace of a prefix that a context elsewhere may define is the prefix with its colon: no URI that a
        context or an XML document could give would be taken for it.

        Raises:
            InputError: ``field_unknown`` (no prefix at all), ``prefix_undefined``, ``name_malformed``.
        """
        known = self._keys.get(key)
        if known is None:
            known = self._split(key)
            if len(key) <= _KEY_CHARACTERS_REMEMBERED_MAX:
                if len(self._keys) >= _KEYS_REMEMBERED:
                    self._keys.clear()
                self._keys[key] = known
        return known

    def _split(self, key: str) -> tuple[str, str, str]:
        prefix, colon, local = key.partition(":")
        if not colon:
            raise InputError(
                "field_unknown",
                f"There is no field {key[:100]!r} in this place.",
                advice="Give it a namespace: prefix:name, and the prefix in the @context."
                " What a context elsewhere says of bare names is not read.",
            )
        if not is_uri(key):
            raise InputError(
                "name_malformed", f"{key[:100]!r} is no well-formed name of an extension."
            )
        namespace = self._namespaces.get(prefix)
        if namespace is not None:
            return namespace, local, f"{{{namespace}}}{local}"
        if prefix in _KNOWN_UNEXPANDED:
            return _KNOWN_UNEXPANDED[prefix], local, key
        if prefix in URI_SCHEMES:
            cut = max(key.rfind("/"), key.rfind("#"), key.rfind(":")) + 1
            return key[:cut], key[cut:], key
        if self.elsewhere:
            return f"{prefix}:", local, key
        raise InputError(
            "prefix_undefined",
            f"The prefix {prefix[:100]!r} of {key[:100]!r} is not defined in @context.",
            advice=f'Add {{"{prefix[:100]}": "https://your.example/namespace/"}} to the @context.',
        )

    def is_unresolved(self, name: str) -> bool:
        """Tell whether a name that was :meth:`split` has a prefix that only a context elsewhere may define."""
        prefix, colon, _ = name.partition(":")
        return bool(colon) and not (
            prefix in self._namespaces or prefix in _KNOWN_UNEXPANDED or prefix in URI_SCHEMES
        )

    def hash_name(self, key: str) -> str:
        """Return a key as the event hash writes it: ``{namespace}local``, or as it stands."""
        known = self._keys.get(key)
        if known is not None:
            return known[2]
        return self.split(key)[2] if ":" in key else key


def read_context(*contexts: Any) -> Names:
    """Collect the prefixes that @context values define, later ones over earlier ones.

    Contexts repeat from document to document: what one came to is remembered.

    Raises:
        InputError: ``context_malformed``, ``context_prefix_malformed``, ``context_term_protected``;
            the pointer is relative to the context.
    """
    encoded = orjson.dumps(contexts)
    if len(encoded) > _CONTEXT_BYTES_REMEMBERED_MAX:
        return _names.__wrapped__(encoded)
    return _names(encoded)


def names_in_force(*contexts: Any) -> Names:
    """Do what :func:`read_context` does; the pointer of an error is relative to what has the ``@context``."""
    try:
        return read_context(*contexts)
    except InputError as error:
        raise located(error, "@context") from None


@lru_cache(maxsize=_CONTEXTS_REMEMBERED)
def _names(encoded: bytes) -> Names:
    namespaces = dict(_KNOWN)
    elsewhere = False
    for context in orjson.loads(encoded):
        if isinstance(context, list):
            for index, part in enumerate(context):
                try:
                    _collect(part, namespaces)
                except InputError as error:
                    raise located(error, index) from None
        else:
            _collect(context, namespaces)
        parts = context if isinstance(context, list) else [context]
        elsewhere = elsewhere or any(map(_refers_elsewhere, parts))
    # the reference knows one namespace for this prefix, whatever the document says
    namespaces["gs1"] = _KNOWN["gs1"]
    return Names(namespaces, elsewhere=elsewhere)


def _refers_elsewhere(part: Any) -> bool:
    """Tell whether a part of a context says more than stands here."""
    if isinstance(part, str):
        return not _is_own_context(part)
    return "@import" in part


def _collect(part: Any, namespaces: dict[str, str]) -> None:
    if isinstance(part, str):
        if not is_uri(part):
            raise InputError("context_malformed", f"{part[:100]!r} is no URI of a context.")
        return
    if not isinstance(part, dict):
        raise InputError("context_malformed", "A context is a URI or an object of prefixes.")
    for prefix, definition in part.items():
        namespace = definition.get("@id") if isinstance(definition, dict) else definition
        if prefix.startswith("@") or (isinstance(definition, dict) and namespace is None):
            continue
        if isinstance(namespace, str) and namespace.startswith("@"):
            continue  # another word for a keyword of JSON-LD, such as "id" for "@id"
        if not isinstance(namespace, str) or not is_uri(namespace):
            raise located(
                InputError(
                    "context_prefix_malformed",
                    f"The prefix {prefix[:100]!r} does not stand for a URI.",
                ),
                prefix,
            )
        if namespace not in _PROTECTED.get(prefix, (namespace,)):
            raise located(
                InputError(
                    "context_term_protected",
                    f"The prefix {prefix!r} is GS1's own and can not stand for {namespace[:100]!r}.",
                ),
                prefix,
            )
        namespaces[prefix] = namespace
