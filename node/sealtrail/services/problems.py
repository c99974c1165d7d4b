"""An error as an RFC 9457 problem document: the one shape in which anybody outside sees one.

``type`` is EPCIS 2.0's exception where the standard's REST binding names one for the status; ``code`` is
this project's own stable name of the finding.
"""

from __future__ import annotations

from typing import Any

from sealtrail.errors import SealtrailError

# EPCIS 2.0 REST bindings, OpenAPI, the "type" of each error response
_TYPES = {
    400: ("epcisException:ValidationException", "The request is malformed"),
    401: ("epcisException:SecurityException", "Credentials are missing or not known"),
    403: ("epcisException:SecurityException", "Not allowed"),
    404: ("epcisException:NoSuchNameException", "Not found"),
    405: ("about:blank", "The method is not allowed here"),
    406: ("epcisException:NotAcceptableException", "Nothing acceptable can be produced"),
    408: ("about:blank", "The request took too long to arrive"),
    409: ("epcisException:ResourceAlreadyExistsException", "Contradicts what is recorded"),
    413: ("epcisException:CaptureLimitExceededException", "Too large"),
    414: ("epcisException:URITooLongException", "The address is too long"),
    415: ("epcisException:UnsupportedMediaTypeException", "This media type is not read here"),
    422: ("about:blank", "Read and understood, and it does not hold"),
    429: ("about:blank", "Too many requests"),
    431: ("about:blank", "The headers are too large"),
    500: ("epcisException:ImplementationException", "The node has a fault"),
    503: ("about:blank", "Not available now"),
}


# The same binding's types for findings that its statuses alone don't tell apart
_TYPES_BY_CODE = {
    "query_parameter": "epcisException:QueryParameterException",
    "query_too_large": "epcisException:QueryTooLargeException",
    "query_name_unknown": "epcisException:NoSuchNameException",
    "subscription_controls": "epcisException:SubscriptionControlsException",
    "schedule": "epcisException:SubscriptionControlsException",
}


def as_problem(error: SealtrailError) -> dict[str, Any]:
    """Return the problem document of an error; members without a value are left out."""
    return problem(
        error.status,
        code=error.code,
        detail=error.message,
        pointer=error.pointer,
        advice=error.advice,
        **error.context,
    )


def problem(status: int, *, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """Return a problem document for a status."""
    type_, title = _TYPES.get(status, ("about:blank", "Error"))
    for prefix, special in _TYPES_BY_CODE.items():
        type_ = special if code.startswith(prefix) else type_
    document: dict[str, Any] = {
        "type": type_,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    document.update((name, value) for name, value in members.items() if value is not None)
    return document
