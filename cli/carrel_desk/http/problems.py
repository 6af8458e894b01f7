"""Refusals as problem documents (RFC 9457), with the class and exit code of Carrel's own errors where there is one."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from carrel.errors import CarrelError, InputError, ModelError, OutputError, UsageError

MEDIA_TYPE = "application/problem+json"
TITLES: Mapping[int, str] = {
    400: "Bad request",
    401: "No valid token",
    403: "Not from here",
    404: "Not found",
    405: "Method not allowed",
    406: "No such format",
    408: "Too slow",
    409: "Conflict",
    413: "Too large",
    415: "Not a scan's media type",
    421: "Not this host",
    422: "Cannot be read",
    429: "Too many requests",
    500: "A defect",
    503: "Not now",
}
_CLASSES: Mapping[int, type[CarrelError]] = {
    **dict.fromkeys((400, 408, 413, 415, 422), InputError),
    **dict.fromkeys((429, 500, 503), CarrelError),
}
"""Status -> class of a refusal that no error of Carrel's led to; of all others, what was asked wrongly."""
_STATUS: Mapping[type[CarrelError], int] = {UsageError: 422, InputError: 422, ModelError: 503, OutputError: 503}


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """The answer to a refused request; ``error`` and ``exit_code`` are those of ``carrel.errors``."""

    title: str
    status: int
    detail: str
    error: str
    exit_code: int
    type: str = "about:blank"


class ProblemError(Exception):
    """A request that is refused: status, what to do about it, and further headers."""

    def __init__(
        self, status: int, detail: str, error: CarrelError | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.headers = status, dict(headers or {})
        kind = type(error) if error else _CLASSES.get(status, UsageError)
        title = TITLES.get(status, "Refused")
        self.document = ProblemDocument(title, status, detail, kind.__name__, kind.exit_code)


def problem_of(error: CarrelError) -> ProblemError:
    """Return an error of Carrel's as a problem."""
    return ProblemError(_STATUS.get(type(error), 500), str(error), error)


def response_of(problem: ProblemError) -> Response:
    """Return the document as a response."""
    body = msgspec.json.encode(problem.document)
    return Response(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


async def on_problem(request: Request, error: Exception) -> Response:
    """Answer a `ProblemError`, an error of Carrel's, or one of the router's."""
    match error:
        case ProblemError():
            return response_of(error)
        case CarrelError():
            return response_of(problem_of(error))
        case HTTPException():
            return response_of(
                ProblemError(error.status_code, f"{request.url.path}: {error.detail}", headers=error.headers)
            )
        case _:
            return response_of(ProblemError(500, f"{type(error).__name__}; the server's log says more"))
