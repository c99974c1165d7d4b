"""JSON-RPC 2.0 over HTTP, to one of several endpoints of the same chain.

The first endpoint is asked until it fails, then the next. Before an endpoint is believed it must show the chain id
and the genesis hash that the configuration pins; after each failure it must show them again, because what answers
at an address can change while it is away. Nothing is retried on the endpoint that failed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
import orjson

from sealtrail.errors import SealtrailError, UnavailableError
from sealtrail.ledger.wire import garbage, parse_bytes, parse_list, parse_object, parse_quantity

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

ANSWER_BYTES_MAX = 64 * 1024 * 1024
CONNECTIONS_MAX = 16


class ChainIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one chain from every other: chain ids repeat, the hash of block 0 does not."""

    chain_id: int
    genesis_hash: bytes


class RpcRefusalError(UnavailableError):
    """The endpoint understood the call and answered with an error object.

    Whoever knows what the call meant turns it into a finding; to everybody else it says "could not ask".
    """

    def __init__(self, method: str, number: int, message: str, payload: Any) -> None:
        super().__init__("rpc_refused", f"{method}: {message} ({number})")
        self.number = number
        self.reason = message
        self.payload = payload


class _BatchRefusedError(RpcRefusalError):
    """The endpoint refuses several questions in one request, whatever they are."""


class Rpc:
    """A client for the endpoints of one chain; close it with :meth:`close`.

    Args:
        urls: endpoints, in the order in which to try them.
        expected: what each endpoint must show before it is asked anything else; None asks whoever is there
            (to find out, or where nothing is signed).
        timeout_seconds: for one call to one endpoint, connecting included.
        answer_bytes_max: longest answer that is read.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        expected: ChainIdentity | None = None,
        timeout_seconds: float = 10.0,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        self._urls = tuple(urls)
        self._expected = expected
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._answer_bytes_max = answer_bytes_max
        self._session: aiohttp.ClientSession | None = None
        self._checked: set[str] = set()
        self._current = 0
        self._takes_batches = True
        self._ids = itertools.count(1)

    async def call(self, method: str, *params: Any) -> Any:
        """Return the ``result`` that the first endpoint which answers gives.

        Raises:
            RpcRefusalError: an endpoint answered with an error object; the others are not asked.
            UnavailableError: none answered; the code is the last one's (``chain_unreachable``, ``chain_timeout``,
                ``rpc_garbage``, ``rpc_answer_too_large``, ``wrong_chain``).
        """
        return await self._first_answer(lambda url: self._ask(url, method, params))

    async def call_many(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """Return what one endpoint answers to the method with each of ``params``, asked in one request.

        Where an endpoint takes no batches, the calls are made one by one, side by side. For many small answers:
        all of them together are bounded as one.

        Raises:
            RpcRefusalError: one of the calls was answered with an error object.
            UnavailableError: as for :meth:`call`.
        """
        if self._takes_batches and len(params) > 1:
            try:
                return await self._first_answer(lambda url: self._ask_many(url, method, params))
            except _BatchRefusedError:
                self._takes_batches = False
        return await gather(*(self.call(method, *each) for each in params))

    async def _first_answer(self, ask: Callable[[str], Awaitable[_T]]) -> _T:
        failure: SealtrailError = UnavailableError(
            "chain_unreachable", "no RPC endpoint is configured", pointer="chain.rpc_urls"
        )
        for step in range(len(self._urls)):
            number = (self._current + step) % len(self._urls)
            url = self._urls[number]
            try:
                await self._check(url)
                result = await ask(url)
            except RpcRefusalError:
                self._current = number
                raise
            except UnavailableError as error:
                self._checked.discard(url)
                failure = error
            else:
                if number != self._current:
                    _log.warning("asking %s from now on: %s", shown_url(url), failure)
                self._current = number
                return result
        raise failure

    async def identity(self) -> ChainIdentity:
        """Return what the answering endpoint says it is.

        Raises:
            UnavailableError: see :meth:`call`.
        """
        chain_id = parse_quantity(await self.call("eth_chainId"), "eth_chainId")
        genesis = await self.call("eth_getBlockByNumber", "0x0", False)
        return ChainIdentity(chain_id=chain_id, genesis_hash=_block_hash(genesis))

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _check(self, url: str) -> None:
        if self._expected is None or url in self._checked:
            return
        chain_id = parse_quantity(await self._ask(url, "eth_chainId", ()), "eth_chainId")
        genesis = _block_hash(await self._ask(url, "eth_getBlockByNumber", ("0x0", False)))
        if (chain_id, genesis) != (self._expected.chain_id, self._expected.genesis_hash):
            raise UnavailableError(
                "wrong_chain",
                f"{shown_url(url)} is chain {chain_id} with genesis 0x{genesis.hex()}; expected chain"
                f" {self._expected.chain_id} with genesis 0x{self._expected.genesis_hash.hex()}",
                pointer="chain.rpc_urls",
                advice="correct the URL, or chain.chain_id and chain.genesis_hash if they are wrong",
            )
        self._checked.add(url)

    async def _ask(self, url: str, method: str, params: Sequence[Any]) -> Any:
        question = self._question(method, params)
        answer = _parse(await self._post(url, orjson.dumps(question)), url)
        return _result(method, question["id"], answer)

    async def _ask_many(self, url: str, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        questions = [self._question(method, each) for each in params]
        answers = _parse_many(await self._post(url, orjson.dumps(questions)), url)
        # a server may answer in any order (JSON-RPC 2.0, section 6)
        by_id = {i: answer for answer in answers if isinstance(i := answer.get("id"), int)}
        if len(by_id) != len(questions) or len(answers) != len(questions):
            raise garbage(f"{len(questions)} calls of {method}", f"{len(answers)} answers")
        return [_result(method, q["id"], by_id.get(q["id"], {})) for q in questions]

    def _question(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        return {
            "jsonrpc": "2.0",
            "id": next(self._ids),
            "method": method,
            "params": list(params),
        }

    async def _post(self, url: str, body: bytes) -> bytes:
        if self._session is None:
            # made here and not in the constructor: it belongs to the running loop
            self._session = aiohttp.ClientSession(
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX),
                headers={"Content-Type": "application/json"},
            )
        try:
            # a redirect would send a signed transaction to whoever asks for it
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                answer = await self._read(response, url)
        except TimeoutError as error:
            raise UnavailableError(
                "chain_timeout",
                f"{shown_url(url)} did not answer within {self._timeout.total} seconds",
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UnavailableError(
                "chain_unreachable",
                f"{shown_url(url)}: {_cause(error)}",
                advice="check chain.rpc_urls and that the chain is running",
            ) from error
        # Some endpoints give the JSON-RPC error object with status 4xx: that is an answer too.
        if response.status >= 300 and not answer.lstrip().startswith((b"{", b"[")):
            raise UnavailableError(
                "chain_unreachable", f"{shown_url(url)} answered HTTP {response.status}"
            )
        return answer

    async def _read(self, response: aiohttp.ClientResponse, url: str) -> bytes:
        answer = bytearray()
        async for chunk in response.content.iter_chunked(1 << 16):
            answer += chunk
            if len(answer) > self._answer_bytes_max:
                raise UnavailableError(
                    "rpc_answer_too_large",
                    f"{shown_url(url)} answered more than {self._answer_bytes_max} bytes",
                )
        return bytes(answer)


def shown_url(url: str) -> str:
    """Return scheme, host and port of an endpoint: what else is in its URL may be a password or an API key."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}"
    except ValueError:
        return "an endpoint whose URL is malformed"


def _cause(error: Exception) -> str:
    # aiohttp's errors about a URL quote all of it
    if isinstance(error, aiohttp.InvalidURL):
        return "the URL is malformed"
    return str(error) or type(error).__name__


async def gather(*calls: Any) -> list[Any]:
    """Await ``calls`` side by side; if one fails, cancel the others and raise its error."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _parse(body: bytes, url: str) -> dict[str, Any]:
    return parse_object(_loaded(body, url), f"a JSON-RPC response of {shown_url(url)}")


def _parse_many(body: bytes, url: str) -> list[dict[str, Any]]:
    answer = _loaded(body, url)
    if isinstance(answer, dict) and answer.get("error") is not None:
        refusal = _refusal("a batch", answer["error"])
        raise _BatchRefusedError("a batch", refusal.number, refusal.reason, refusal.payload)
    return [
        parse_object(each, f"a JSON-RPC response of {shown_url(url)}")
        for each in parse_list(answer, f"a JSON-RPC response of {shown_url(url)}")
    ]


def _loaded(body: bytes, url: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise garbage(f"a JSON-RPC response of {shown_url(url)}", body[:60]) from error


def _result(method: str, identifier: int, answer: dict[str, Any]) -> Any:
    if answer.get("id") != identifier:
        raise garbage(f"the id of {method}", answer.get("id"))
    if answer.get("error") is not None:
        raise _refusal(method, answer["error"])
    if "result" not in answer:
        raise garbage(f"the result of {method}", None)
    return answer["result"]


def _refusal(method: str, error: Any) -> RpcRefusalError:
    fault = parse_object(error, f"the error of {method}")
    number, message = fault.get("code"), fault.get("message")
    if not isinstance(number, int) or not isinstance(message, str):
        raise garbage(f"the error of {method}", error)
    return RpcRefusalError(method, number, message[:500], fault.get("data"))


def _block_hash(block: Any) -> bytes:
    return parse_bytes(parse_object(block, "block 0").get("hash"), "block hash", length=32)
