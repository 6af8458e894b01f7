"""Places that the operator allows pages to be saved to beside a download: a folder such as a USB stick's, a printer."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from carrel.errors import CarrelError, OutputError, UsageError
from carrel.output import write_file

Place = Literal["folder", "printer"]
PRINTED_SUFFIXES = (".pdf", ".txt")
PRINT_S = 60.0
MOST_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class Places:
    """``folder`` and ``printer`` (a name of CUPS; ``default`` takes the system's) are None where they are not allowed."""

    folder: Path | None = None
    printer: str | None = None

    @property
    def allowed(self) -> list[Place]:
        """The names of the places."""
        known: dict[Place, object] = {"folder": self.folder, "printer": self.printer}
        return [name for name, place in known.items() if place is not None]

    async def save(self, place: str, name: str, data: bytes) -> str:
        """Put a file there; returns the name that it has.

        Raises
        ------
        UsageError
            The place is not allowed, or cannot take such a file.
        OutputError
            It is not there, full, or does not answer.
        """
        if place not in self.allowed:
            raise UsageError("the operator of this desk does not allow that")
        if place == "folder":
            assert self.folder is not None
            return await asyncio.to_thread(_write, self.folder, name, data)
        assert self.printer is not None
        return await _print(self.printer, name, data)


def _write(folder: Path, name: str, data: bytes) -> str:
    """Nothing that lies there is replaced."""
    if not folder.is_dir():
        raise OutputError("the folder is not there; plug the stick in, then save again")
    wanted = PurePosixPath(name).name.lstrip(".") or "page"
    stem, dot, suffix = wanted.partition(".")
    for number in range(1, MOST_NAMES):
        path = folder / (wanted if number == 1 else f"{stem}-{number}{dot}{suffix}")
        try:
            path.open("xb").close()  # the name is taken from now on
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(f"the folder cannot be written to ({error.strerror}); take another stick") from error
        try:
            write_file(path, data)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path.name
    raise OutputError("the folder is full of files of that name; take another stick")


async def _print(printer: str, name: str, data: bytes) -> str:
    if not name.endswith(PRINTED_SUFFIXES):
        raise UsageError("a printer takes pdf or text; choose one of these")
    program = shutil.which("lp")
    if program is None:
        raise CarrelError("lp is not installed; install it (Debian: apt-get install cups-client)")
    to = [] if printer == "default" else ["-d", printer]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(program, *to, "-t", name, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        _, said = await asyncio.wait_for(process.communicate(data), PRINT_S)
    except TimeoutError:
        raise OutputError("the printer does not answer; look whether it is on") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise OutputError(f"the printer says: {said.decode('utf-8', 'replace').strip()[:300] or 'nothing'}")
    return name
