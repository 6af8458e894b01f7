"""The password without which a server listens to this machine alone."""

from __future__ import annotations

import asyncio
import hmac
import stat
from pathlib import Path

from carrel.errors import UsageError
from carrel_desk.http.guard import digest

LEAST_CHARACTERS = 12
WRONG_S = 1.0
"""After a wrong password nobody is answered for so long: 86,400 tries a day at most."""


def read_password(path: Path) -> str:
    """Return the first line of a file that nobody else may read.

    Raises
    ------
    UsageError
        It is not there, others may read it, or the password is too short.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise UsageError(f"{path}: others can read the password; chmod 600 {path}")
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: no password can be read there ({error})") from None
    password = lines[0].strip() if lines else ""
    if len(password) < LEAST_CHARACTERS:
        raise UsageError(f"{path}: a password of at least {LEAST_CHARACTERS} characters is needed")
    return password


class Password:
    """A password that is asked for slowly."""

    def __init__(self, password: str) -> None:
        self._digest = digest(password)
        self._lock = asyncio.Lock()

    async def fits(self, tried: str) -> bool:
        """Tell whether it is the one; tries wait for each other."""
        async with self._lock:
            if hmac.compare_digest(digest(tried), self._digest):
                return True
            await asyncio.sleep(WRONG_S)
            return False
