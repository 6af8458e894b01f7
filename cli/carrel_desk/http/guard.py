"""The guard that every request passes first: it is from this machine's own page or program, holds a token, and is bounded."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from carrel_desk.http.problems import ProblemError, response_of

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LEAST_BYTES_A_SECOND = 16 * 1024
"""A body that comes more slowly, over `GRACE_S`, is refused."""
GRACE_S = 15.0
SILENCE_S = 15.0
"""A sender who says nothing for so long is refused."""
API_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """Permissions of requests.

    Parameters
    ----------
    hosts
        Values of ``Host`` that name this server; empty on a UNIX socket, where any will do.
    tokens
        SHA-256 digests of valid tokens; the set may change.
    cookie
        Name of the cookie that may hold a token; empty: only ``Authorization: Bearer`` counts.
    most_bytes
        Largest body.
    open_paths
        Paths that need no token.
    headers
        Headers of every response that does not set them itself.
    """

    hosts: frozenset[str]
    tokens: set[str]
    most_bytes: int
    cookie: str = ""
    open_paths: frozenset[str] = frozenset()
    headers: Headers = API_HEADERS
    entrance: str = ""
    """Path to which a browser that asks for ``/`` without a token is sent; empty: it is refused as all others are."""
    grace_s: float = GRACE_S
    silence_s: float = SILENCE_S
    seen: Callable[[], None] = field(default=lambda: None)
    """Called with every request that is let through."""


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


class Guard:
    """ASGI middleware that refuses what `Rules` do not allow, before anything of a body is read."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app, self._rules = app, rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = self._with_headers(send)
        try:
            self._check(scope)
        except ProblemError as problem:
            problem.headers["connection"] = "close"
            entrance = self._rules.entrance if problem.status == 401 and scope["path"] == "/" else ""
            refusal = RedirectResponse(entrance, 303, {"connection": "close"}) if entrance else response_of(problem)
            await refusal(scope, receive, send)
            return
        self._rules.seen()
        body = _Body(receive, self._rules)
        await self._app(scope, body.receive, body.closing(send))

    def _check(self, scope: Scope) -> None:
        rules, own = self._rules, [host.lower() for host in _values(scope, b"host")]
        if len(own) != 1 or (rules.hosts and own[0] not in rules.hosts):
            raise ProblemError(421, "Host names another server; use the address that was printed at the start")
        origins = _values(scope, b"origin")
        if origins and origins != [f"http://{own[0]}"]:
            raise ProblemError(403, "Origin is another page; only this server's own may ask")
        if any(site not in ("same-origin", "none") for site in _values(scope, b"sec-fetch-site")):
            raise ProblemError(403, "asked for by another site")
        by_cookie = self._authenticate(scope)
        if by_cookie and scope["method"] not in SAFE_METHODS and not origins:
            raise ProblemError(403, "a change that does not say from which page it comes (no Origin)")
        _check_length(_values(scope, b"content-length"), rules.most_bytes)

    def _authenticate(self, scope: Scope) -> bool:
        """Tell whether the token came in a cookie."""
        rules = self._rules
        if scope["path"] in rules.open_paths:
            return False
        bearers = [v[7:].strip() for v in _values(scope, b"authorization") if v[:7].lower() == "bearer "]
        if any(_known(token, rules.tokens) for token in bearers):
            return False
        if rules.cookie and any(_known(token, rules.tokens) for token in cookies(scope, rules.cookie)):
            return True
        what = {"www-authenticate": "Bearer"}
        raise ProblemError(
            401, "send the token that was printed at the start: Authorization: Bearer TOKEN", headers=what
        )

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                set_already = {name.lower() for name, _ in message["headers"]}
                more = [(name, value) for name, value in self._rules.headers if name not in set_already]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        return sending


class _Body:
    """The body of one request, counted and timed as it comes."""

    def __init__(self, receive: Receive, rules: Rules) -> None:
        self._receive, self._rules = receive, rules
        self._bytes, self._since, self._over = 0, time.monotonic(), False

    async def receive(self) -> Message:
        if self._over:  # only the end of the connection is still to come
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._rules.silence_s)
        except TimeoutError:
            raise ProblemError(408, "the body stopped coming", headers={"connection": "close"}) from None
        self._bytes += len(message.get("body", b""))
        self._over = not message.get("more_body", False)
        if self._bytes > self._rules.most_bytes:
            raise _too_large(self._rules.most_bytes)
        late_s = time.monotonic() - self._since - self._rules.grace_s
        if not self._over and late_s * LEAST_BYTES_A_SECOND > self._bytes:
            raise ProblemError(408, "the body comes too slowly", headers={"connection": "close"})
        return message

    def closing(self, send: Send) -> Send:
        """Return ``send`` for an answer that may come before the body is over: the connection then ends with it."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and not self._over and self._bytes:
                names = {name.lower() for name, _ in message["headers"]}
                close = [] if b"connection" in names else [(b"connection", b"close")]
                message = {**message, "headers": [*message["headers"], *close]}
            await send(message)

        return sending


def cookies(scope: Scope, name: str) -> list[str]:
    """Return the values of a cookie."""
    pairs = (pair.strip().partition("=") for value in _values(scope, b"cookie") for pair in value.split(";"))
    return [value for key, _, value in pairs if key == name]


def _known(token: str, digests: Iterable[str]) -> bool:
    wanted = digest(token)
    return any(hmac.compare_digest(wanted, known) for known in digests)


def _check_length(values: list[str], most_bytes: int) -> None:
    if not values:
        return
    if len(values) > 1 or not values[0].isdecimal():
        raise ProblemError(400, "Content-Length is no number")
    if len(values[0]) > 18 or int(values[0]) > most_bytes:
        raise _too_large(most_bytes)


def _too_large(most_bytes: int) -> ProblemError:
    what = f"a body of more than {most_bytes / 2**20:,.0f} MiB; send less, or start with a larger --max-file"
    return ProblemError(413, what, headers={"connection": "close"})


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]
