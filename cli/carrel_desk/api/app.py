"""``carrel serve``: the API alone."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from carrel.errors import CarrelError, OutputError
from carrel_desk.api.service import Service
from carrel_desk.api.v1 import routes
from carrel_desk.http.guard import Guard, Rules
from carrel_desk.http.problems import ProblemError, on_problem

HANDLERS = {ProblemError: on_problem, CarrelError: on_problem, HTTPException: on_problem, Exception: on_problem}


def make_api(service: Service, rules: Rules) -> ASGIApp:
    """Return the application; its workers start and end with it."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        service.readers.start()
        try:
            yield
        finally:
            await service.jobs.close()
            service.readers.close()

    app = Starlette(routes=routes(service), exception_handlers=HANDLERS, lifespan=lifespan)
    app.router.redirect_slashes = False
    return Guard(app, rules)


def token_of(path: Path) -> str:
    """Return the token in a file; a file that is not there is written, for this user alone.

    Raises
    ------
    OutputError
        It can be neither read nor written.
    """
    try:
        if not path.is_file():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(secrets.token_urlsafe(32) + "\n", "ascii")
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise OutputError(f"{path}: no token can be kept there ({error}); choose another with --token-file") from error
    if not token:
        raise OutputError(f"{path}: holds no token; delete it, and a new one is made")
    return token
