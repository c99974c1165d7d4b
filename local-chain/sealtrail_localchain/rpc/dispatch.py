"""From the bytes of a request to the bytes of an answer. Knows JSON-RPC 2.0, not HTTP.

Whatever comes in, an answer goes out: the one broad ``except`` of this package stands here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import orjson

from sealtrail_localchain.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    LIMIT_EXCEEDED,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
)
from sealtrail_localchain.rpc.methods import Method

BATCH_MAX = 1_000

_log = logging.getLogger(__name__)
Json = dict[str, Any]


class Dispatcher:
    """Answers JSON-RPC requests, single or in batches, with a table of methods."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._methods = methods

    async def answer(self, body: bytes) -> bytes | None:
        """Return the answer to a request, None if it consisted of notifications."""
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return orjson.dumps(_failure(None, RpcError(PARSE_ERROR, f"parse error: {error}")))
        if not isinstance(request, list):
            answer = await self._one(request)
            return None if answer is None else orjson.dumps(answer)
        return await self._batch(request)

    async def _batch(self, requests: list[Any]) -> bytes | None:
        if not requests:
            return orjson.dumps(_failure(None, RpcError(INVALID_REQUEST, "empty batch")))
        if len(requests) > BATCH_MAX:
            error = RpcError(
                LIMIT_EXCEEDED, f"batch of {len(requests)} requests, at most {BATCH_MAX}"
            )
            return orjson.dumps(_failure(None, error))
        answers = [await self._one(request) for request in requests]
        shown = [answer for answer in answers if answer is not None]
        return orjson.dumps(shown) if shown else None

    async def _one(self, request: Any) -> Json | None:
        try:
            name, args, identifier = _parse(request)
        except RpcError as error:
            return _failure(_identifier(request), error)
        answer = await self._call(name, args, identifier)
        return answer if "id" in request else None

    async def _call(self, name: str, args: Any, identifier: Any) -> Json:
        method = self._methods.get(name)
        if method is None:
            message = f"the method {name[:100]} does not exist/is not available"
            return _failure(identifier, RpcError(METHOD_NOT_FOUND, message))
        try:
            result = await method(args)
        except RpcError as error:
            return _failure(identifier, error)
        except Exception:  # noqa: BLE001 - an answer goes out whatever happens
            _log.exception("%s failed", name)
            return _failure(identifier, RpcError(INTERNAL_ERROR, "internal error, see the log"))
        return {"jsonrpc": "2.0", "id": identifier, "result": result}


def _parse(request: Any) -> tuple[str, Any, Any]:
    if not isinstance(request, dict):
        raise RpcError(INVALID_REQUEST, "invalid request: expected an object")
    name = request.get("method")
    if not isinstance(name, str):
        raise RpcError(INVALID_REQUEST, "invalid request: method must be a string")
    if request.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, 'invalid request: jsonrpc must be "2.0"')
    identifier = request.get("id")
    if isinstance(identifier, bool | list | dict):
        raise RpcError(INVALID_REQUEST, "invalid request: id must be a string, number or null")
    return name, request.get("params"), identifier


def _identifier(request: Any) -> Any:
    found = request.get("id") if isinstance(request, dict) else None
    return found if isinstance(found, str | int | float) else None


def _failure(identifier: Any, error: RpcError) -> Json:
    shown: Json = {"code": error.code, "message": error.message}
    if error.data is not None:
        shown["data"] = error.data
    return {"jsonrpc": "2.0", "id": identifier, "error": shown}
