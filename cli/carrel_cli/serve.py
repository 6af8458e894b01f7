"""``carrel serve``: the HTTP API for programs on this machine."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from carrel import system
from carrel.errors import UsageError
from carrel.options import ReadOptions
from carrel_cli.common.reading import reading_options

_MIB = 2**20


def listen_options(function: Any) -> Any:
    """Add the options of a server that listens elsewhere than on the loopback interface."""
    function = click.option(
        "--password-file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Holds the password, on its first line; for --listen.",
    )(function)
    return click.option(
        "--listen",
        default="127.0.0.1",
        show_default=True,
        metavar="ADDRESS",
        help="Of this machine; one that others reach only with --password-file. Nothing is encrypted.",
    )(function)


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8634, show_default=True, help="0 takes a free one.")
@listen_options
@click.option(
    "--socket", "socket_path", type=click.Path(path_type=Path), help="A UNIX socket instead, for this user alone."
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="Holds the token; made where it is missing.  [default: STATE/token]",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="Private folder for the token, bodies while they are read, and ids of jobs.  [default: ~/.local/state/carrel/serve]",
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes that read.  [default: one a core, as memory allows]"
)
@click.option(
    "--max-file",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    metavar="MIB",
    help="Larger bodies are refused.",
)
@click.option(
    "--max-pages", type=click.IntRange(min=1), default=500, show_default=True, help="Files with more are refused."
)
@reading_options
def command(
    port: int,
    listen: str,
    password_file: Path | None,
    socket_path: Path | None,
    token_file: Path | None,
    state: Path | None,
    workers: int | None,
    max_file: int,
    max_pages: int,
    read: ReadOptions,
) -> None:
    """Serve the HTTP API to programs on this machine, until stopped.

    It listens on the loopback interface or a UNIX socket alone, unless --listen and a password say otherwise; every request
    needs the token, or the password in its place. Nothing is kept after an
    answer; docs/api.md describes the API, and so does /v1/openapi.json.
    """
    require_extra()
    from carrel_desk.api.app import make_api, token_of
    from carrel_desk.api.jobs import Jobs
    from carrel_desk.api.service import Service
    from carrel_desk.http import server
    from carrel_desk.http.guard import Rules, digest
    from carrel_desk.reading.local import FileLimits, empty, make_private, plan_station
    from carrel_desk.reading.room import Readers
    from carrel_desk.reading.worker import DESK_PAGES

    password = password_for(listen, password_file)
    folder = make_private((state or _state_folder()).resolve())
    with locked(folder):
        token = password or token_of(token_file or folder / "token")
        listening = server.listen_unix(socket_path) if socket_path else server.listen(port, listen)
        spool = empty(folder / "spool")
        limits = FileLimits(max_file * _MIB, max_pages)
        station = plan_station(read, spool, limits, workers=workers, entry=DESK_PAGES)
        bodies = empty(folder / "bodies")
        jobs = Jobs(folder / "jobs")
        service = Service(Readers(station.make_pool), jobs, station.options, bodies, station.workers)
        rules = Rules(server.hosts_of(listening, listen), {digest(token)}, limits.most_bytes)
        where = f"unix:{socket_path}" if socket_path else f"http://{listen}:{listening.getsockname()[1]}"
        if password:
            click.echo(f"carrel: serving {where}/v1/ to whoever has the password; nothing is encrypted", err=True)
        else:
            said = f"token in {token_file or folder / 'token'}"
            click.echo(f"carrel: serving {where}/v1/ to this machine alone; {said}", err=True)
        try:
            server.make_server(make_api(service, rules)).run(sockets=[listening])
        finally:
            listening.close()
            if socket_path:
                socket_path.unlink(missing_ok=True)


def password_for(listen: str, password_file: Path | None) -> str | None:
    """Return the password of a server; None where it listens to this machine alone and has none.

    Raises
    ------
    UsageError
        It would listen to others without one, or the file holds none.
    """
    from carrel_desk.http.password import read_password
    from carrel_desk.http.server import is_loopback

    if password_file is None and not is_loopback(listen):
        raise UsageError(f"--listen {listen}: others could reach it; give --password-file, too")
    return read_password(password_file) if password_file else None


def require_extra() -> None:
    """Refuse to start without the packages of the extra, and where there are no workers.

    Raises
    ------
    UsageError
        They are not installed, or the system lacks what workers need.
    """
    system.require_workers(f"carrel {click.get_current_context().info_name}")
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise UsageError("needs the extra [desk]; install it: pip install 'carrel[desk]'")


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the folder for this process.

    Raises
    ------
    UsageError
        Another process holds it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | system.O_CLOEXEC | system.O_NOFOLLOW, 0o600)
    try:
        system.lock(descriptor)
        yield
    except BlockingIOError:
        raise UsageError(f"{folder}: another carrel is at work there; stop it, or choose another folder") from None
    finally:
        os.close(descriptor)


def _state_folder() -> Path:
    root = os.environ.get("XDG_STATE_HOME")
    return (Path(root) if root else Path.home() / ".local" / "state") / "carrel" / "serve"
