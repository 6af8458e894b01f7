"""A folder that scanners drop files into: each file that has come to rest is copied onto the desk, once."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from carrel.errors import InputError
from carrel.image.files import PICTURE_SUFFIXES
from carrel.workers.files import GoneError, SeenFile, open_unchanged, seen
from carrel_desk.desk.intake import Intake
from carrel_desk.store.pages import Store

EVERY_S = 2.0
"""A file that has not changed from one look to the next is taken."""
_SUFFIXES = (*PICTURE_SUFFIXES, ".pdf")


class Watched:
    """A watched folder; its files stay where they are."""

    def __init__(self, folder: Path, store: Store, bodies: Path) -> None:
        self._folder, self._store, self._bodies = folder, store, bodies
        self._resting: set[SeenFile] = set()

    async def look(self, intake: Intake) -> None:
        """Take what has come to rest since the last look."""
        found = {file for file in await asyncio.to_thread(self._files) if _key(file) not in self._store.watched}
        for file in sorted(found & self._resting, key=lambda file: file.path.name):
            with suppress(GoneError, InputError, OSError):  # the next look sees it as it is then
                copy = await asyncio.to_thread(self._copied, file)
                await intake.add(copy, file.path.name)
                await self._store.note_watched(_key(file))
        self._resting = found

    def _files(self) -> list[SeenFile]:
        files: list[SeenFile] = []
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.lower().endswith(_SUFFIXES) and entry.is_file(follow_symlinks=False):
                    files.append(seen(Path(entry.path), entry.stat(follow_symlinks=False)))
        return files

    def _copied(self, file: SeenFile) -> SeenFile:
        copy = self._bodies / f"watched-{secrets.token_hex(8)}"
        with open_unchanged(file) as descriptor, os.fdopen(os.dup(descriptor), "rb") as source:
            try:
                with copy.open("xb") as target:
                    shutil.copyfileobj(source, target)
            except BaseException:
                copy.unlink(missing_ok=True)
                raise
        return seen(copy, copy.stat())


def _key(file: SeenFile) -> str:
    return f"{file.path.name} {file.size_bytes} {file.changed_ns}"
