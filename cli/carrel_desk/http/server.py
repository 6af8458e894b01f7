"""The server itself: uvicorn on a loopback address or a UNIX socket, with a time limit for the head of a request."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from carrel.errors import UsageError
from carrel_desk.http.guard import API_HEADERS
from carrel_desk.http.problems import ProblemError, response_of

HEAD_S = 10.0
"""A request's head is complete by then, or the connection ends."""
MOST_CONNECTIONS = 128
LOOPBACK = "127.0.0.1"
_HTTP_PORT = 80


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which itself waits for a head without end."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self.app = _busy  # pyright: ignore[reportAttributeAccessIssue]
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take what has come; a head that is incomplete has until the deadline."""
        super().data_received(data)
        self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        problem = ProblemError(400, "no HTTP/1.1 request with one Host and one length of its body")
        refusal = response_of(problem)
        head = h11.Response(
            status_code=400,
            headers=[*refusal.raw_headers, *API_HEADERS, (b"connection", b"close")],
            reason=b"Bad Request",
        )
        for event in (head, h11.Data(data=bytes(refusal.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        at_work = self.cycle is not None and not self.cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]
        if at_work and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if not at_work and self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison]
            self.transport.close()


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer on a connection that is one too many."""
    headers = {"retry-after": "1", "connection": "close"}
    problem = ProblemError(503, f"{MOST_CONNECTIONS} connections are open already", headers=headers)
    await response_of(problem)(scope, receive, send)


def listen(port: int, host: str = LOOPBACK) -> socket.socket:
    """Return a listening socket on one address of this machine, by default the loopback one; port 0 takes a free one.

    Raises
    ------
    UsageError
        The port is taken, or the address is no single one of this machine.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # else no TCP_NODELAY: 40 ms
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        if ipaddress.ip_address(socket.gethostbyname(host)).is_unspecified:
            raise UsageError(f"--listen {host}: name one address of this machine, so that others can be refused")
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port}: address already in use; choose another with --port") from None
        if host != LOOPBACK:
            raise UsageError(f"--listen {host}: no address of this machine ({error.strerror or error})") from None
        raise UsageError(f"port {port}: {str(error.strerror).lower()}; choose another with --port") from None
    except UsageError:
        listening.close()
        raise
    listening.listen(MOST_CONNECTIONS)
    return listening


def listen_unix(path: Path) -> socket.socket:
    """Return a listening UNIX socket that this user alone may connect to; one that a killed server left is replaced.

    Raises
    ------
    UsageError
        Something else stands there, or a server listens.
    """
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        _remove_dead(path)
        listening.bind(str(path))
    except OSError as error:
        listening.close()
        raise UsageError(f"{path}: no socket can be made there ({error.strerror or error})") from None
    finally:
        os.umask(before)
    listening.listen(MOST_CONNECTIONS)
    return listening


def _remove_dead(path: Path) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise FileExistsError(17, "something else stands there")
        with socket.socket(socket.AF_UNIX) as trial:
            try:
                trial.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
                return
        raise FileExistsError(17, "another server listens there")


def hosts_of(listening: socket.socket, host: str = LOOPBACK) -> frozenset[str]:
    """Return the values of ``Host`` that name a server on this socket, ``host`` among them; empty for a UNIX socket."""
    if listening.family == socket.AF_UNIX:
        return frozenset()
    address, port = listening.getsockname()
    names = {address, host, *((LOOPBACK, "localhost") if is_loopback(host) else ())}
    named = frozenset(f"{name}:{port}".lower() for name in names)
    return named | frozenset(name.lower() for name in names if port == _HTTP_PORT)  # which a client leaves out


def is_loopback(host: str) -> bool:
    """Tell whether an address or name is this machine's own, which no other reaches."""
    try:
        return ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except OSError:
        return False


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for the application; ``run(sockets=[...])`` serves until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        app,
        http=TimedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)
