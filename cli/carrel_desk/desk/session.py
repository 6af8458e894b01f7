"""People at the desk: entry links that work once, and the cookies that they are exchanged for."""

from __future__ import annotations

import secrets
from pathlib import Path

from carrel.output import write_file
from carrel_desk.http.guard import digest


class Sessions:
    """Digests of the cookies in use, kept in a file so that a killed server knows them again, and the entry links."""

    def __init__(self, path: Path) -> None:
        self._path = path
        known = path.read_text("ascii").split() if path.is_file() else []
        self.tokens: set[str] = set(known)
        self._entries: set[str] = set()

    def new_entry(self) -> str:
        """Return the token of a new entry link; earlier ones that were not used are worth nothing any more."""
        entry = secrets.token_urlsafe(24)
        self._entries = {digest(entry)}
        return entry

    def enter(self, entry: str) -> str | None:
        """Return a cookie's value for an entry token, once; None for a token that is none."""
        if digest(entry) not in self._entries:
            return None
        self._entries.discard(digest(entry))
        return self.new_cookie()

    def new_cookie(self) -> str:
        """Return the value of a cookie that is let in from now on."""
        cookie = secrets.token_urlsafe(32)
        self.tokens.add(digest(cookie))
        self._write()
        return cookie

    def forget_all(self) -> None:
        """End every session."""
        self.tokens.clear()
        self._entries.clear()
        self._write()

    def _write(self) -> None:
        self._path.touch(mode=0o600)
        write_file(self._path, "".join(f"{token}\n" for token in sorted(self.tokens)).encode())
        self._path.chmod(0o600)
