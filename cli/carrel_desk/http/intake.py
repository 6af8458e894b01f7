"""Bodies of requests, written to private files as they come; nothing here looks at what they hold."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request

from carrel import system
from carrel.workers.files import SeenFile, seen
from carrel_desk.http.forms import FORM_TYPE, form_boundary, keep_file_of_form
from carrel_desk.http.problems import ProblemError

SCAN_TYPES = ("application/pdf", "application/octet-stream", "binary/octet-stream")


class Received(NamedTuple):
    """A body that was written to a file, and the name that a form gave it."""

    file: SeenFile
    name: str


def require_scan_type(request: Request) -> None:
    """Refuse a body that says it is something else than a scan, or a form that holds one, or that it is compressed.

    Raises
    ------
    ProblemError
        415.
    """
    kind = request.headers.get("content-type", SCAN_TYPES[0]).partition(";")[0].strip().lower()
    if not (kind.startswith("image/") or kind in (*SCAN_TYPES, FORM_TYPE)):
        raise ProblemError(415, f"{kind[:100]}: send an image or a PDF as the body, with its media type")
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise ProblemError(415, f"Content-Encoding {coding[:100]}: send the file as it is")


async def receive_file(request: Request, folder: Path) -> Received:
    """Write the body to a new private file below ``folder``; of a form, the one file in it.

    Raises
    ------
    ProblemError
        The body is empty, too large or too slow, the disk is full, or the sender went away.
    """
    path, name = folder / f"body-{secrets.token_hex(8)}", ""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.O_NOFOLLOW, 0o600), "wb") as file:  # noqa: PTH123
            async for chunk in request.stream():
                file.write(chunk)
        if (boundary := form_boundary(request.headers.get("content-type", ""))) is not None:
            name = keep_file_of_form(path, boundary)
        if path.stat().st_size == 0:
            raise ProblemError(400, "an empty body; send an image or a PDF")
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, ClientDisconnect):
            raise ProblemError(400, "the sender went away") from None
        if isinstance(error, OSError):
            raise ProblemError(503, f"the body cannot be kept ({error.strerror}); free space") from error
        raise
    return Received(seen(path, path.stat()), name)


def file_name(given: str | None, default: str = "scan") -> str:
    """Return the name of a sender's file without folders and control characters, at most 200 characters."""
    name = (given or "").replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if c.isprintable()).strip(". ")[-200:]
    return name or default
