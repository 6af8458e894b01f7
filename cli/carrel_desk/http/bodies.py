"""Bodies of requests that are JSON, checked against what they have to be."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from starlette.requests import Request

from carrel_desk.http.problems import ProblemError

T = TypeVar("T")


async def json_body(
    request: Request, kind: type[T], refused: str, *, most_bytes: int | None = None, too_large: str = ""
) -> T:
    """Return the body as ``kind``; ``refused`` and ``too_large`` begin the answers where it is none, or longer than ``most_bytes``.

    Raises
    ------
    ProblemError
        413 or 422.
    """
    body = await request.body()
    if most_bytes is not None and len(body) > most_bytes:
        raise ProblemError(413, too_large)
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise ProblemError(422, f"{refused}: {error}") from None
