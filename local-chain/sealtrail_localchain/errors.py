"""What can go wrong, by whom it is told to: the person who starts the chain, or an RPC client.

This package stands beside the node's and shares nothing with it, hence an error tree of its own.
"""

from __future__ import annotations

from typing import Any


class LocalChainError(Exception):
    """The chain cannot start or go on; told to the person at the command line.

    Args:
        code: stable snake_case name of the finding.
        message: what was found and what was expected.
        advice: what to do next.
        exit_code: 2 the arguments or the directory are wrong, 3 try again, 4 the store is damaged.
    """

    def __init__(
        self, code: str, message: str, *, advice: str | None = None, exit_code: int = 2
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.advice = advice
        self.exit_code = exit_code


class RpcError(Exception):
    """A JSON-RPC error object. Messages and numbers follow geth's: clients match on them."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000
LIMIT_EXCEEDED = -32005
EXECUTION_REVERTED = 3


def invalid_params(message: str) -> RpcError:
    return RpcError(INVALID_PARAMS, message)


def refused(message: str) -> RpcError:
    """A request that was understood and is refused (geth's -32000)."""
    return RpcError(SERVER_ERROR, message)
