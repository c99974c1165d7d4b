"""An RPC endpoint in memory, for adapters that are given an ``Rpc``: answers by method, refusals included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sealtrail.ledger.rpc import RpcRefusalError

METHOD_UNKNOWN = -32601


class FakeEndpoint:
    """Answers each method from ``answers``: a value, an exception to raise, or a function of the parameters."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = answers
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def call(self, method: str, *params: Any) -> Any:
        self.asked.append((method, params))
        if method not in self.answers:
            raise RpcRefusalError(method, METHOD_UNKNOWN, "the method does not exist", None)
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer(*params) if isinstance(answer, Callable) else answer  # type: ignore[arg-type]

    async def call_many(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        return [await self.call(method, *each) for each in params]


def refusal(message: str, number: int = -32000, payload: Any = None) -> RpcRefusalError:
    """An error object, as an endpoint answers it."""
    return RpcRefusalError("method", number, message, payload)
