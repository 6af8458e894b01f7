"""Learning from the corrections at the desk: offered when it pays, in a process of its own, shown before it is used.

Nothing happens by itself: a person starts it, sees what the kept lines are read like before and after, and decides.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from carrel.errors import UsageError
from carrel.formats.json_page import write
from carrel.output import write_file
from carrel.workers.sandbox import die_with_parent
from carrel_desk.reading.local import empty
from carrel_desk.store.layouts import only
from carrel_desk.store.pages import Store

State = Literal["idle", "running", "better", "not better", "failed"]
LEAST_LINES, OFFERED_LINES = 20, 50
"""Learning needs the first; from the second on it took 27 and 37 % of the errors of two collections (docs/learning.md)."""
AGAIN_FACTOR = 1.5
"""So many times the lines of the last time are there before it is offered again."""
NEEDED = ("torch", "onnx", "rapidfuzz", "safetensors")
BEHIND = 5
"""Niceness of learning: reading comes first, but where much else is at work learning must not starve."""
_OWN = "carrel: "
"""How the command's own message begins; libraries may log it again behind it."""
_PROGRESS = re.compile(r"learning: (\d+)%")
_FIGURES = re.compile(r"CER on (\d+) kept lines:? ([\d.]+%)[^)]*\) before, ([\d.]+%)")


@dataclass
class Learning:
    """The learning of a desk; ``command`` is that of ``carrel learn``, ``parent`` the model that it begins from.

    ``use`` makes the workers read with a model; ``changed`` tells the windows. ``before`` and ``after`` are character error rates on ``kept`` lines that were not learned from.
    """

    store: Store
    parent: Path | None = None
    command: Sequence[str] = (sys.executable, "-m", "carrel", "learn")
    changed: Callable[[], None] = lambda: None
    use: Callable[[Path], Awaitable[None]] | None = None
    state: State = "idle"
    percent: int = 0
    kept: int = 0
    before: str = ""
    after: str = ""
    problem: str = ""
    model: Path | None = None
    learned_lines: int = 0
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def installed(self) -> bool:
        """The presence of what learning needs."""
        return all(find_spec(module) for module in NEEDED)

    def lines(self) -> int:
        """Return how many lines of handwriting people are done with."""
        return sum(len(self.store.seen_handwriting(entry)) for entry in self.store.read_pages())

    def view(self) -> dict[str, object]:
        """Return what a browser needs to know."""
        lines = self.lines()
        offered = lines >= max(OFFERED_LINES, AGAIN_FACTOR * self.learned_lines) and self.state == "idle"
        return {
            "lines": lines, "possible": lines >= LEAST_LINES, "offered": offered, "state": self.state, "percent": self.percent,
            "kept": self.kept, "before": self.before, "after": self.after, "problem": self.problem,
            "used": self.model is not None and self.store.model == self.model.name,
        }  # fmt: skip

    def start(self) -> None:
        """Begin to learn from all handwriting that people have corrected or confirmed.

        Raises
        ------
        UsageError
            Learning is at work, too few lines are there, or something is not installed.
        """
        if self.state == "running":
            raise UsageError("learning is at work already")
        if not self.installed:
            raise UsageError("learning needs more packages: pip install 'carrel[learn]'")
        if self.lines() < LEAST_LINES:
            raise UsageError(f"correct or confirm at least {LEAST_LINES} lines of handwriting first")
        self.state, self.percent, self.before, self.after, self.problem, self.model = "running", 0, "", "", "", None
        self.learned_lines = self.lines()
        self._task = asyncio.create_task(self._run())

    async def cancel(self) -> None:
        """End learning; everything stays as it was."""
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self.state == "running":
            self.state = "idle"
        self.changed()

    async def use_it(self) -> None:
        """Read with the learned model from now on.

        Raises
        ------
        UsageError
            There is none that reads better.
        """
        if self.model is None or self.use is None:
            raise UsageError("no model was learned that reads better")
        await self.use(self.model)
        await self.store.note_model(self.model.name)
        self.changed()

    async def _run(self) -> None:
        own = self.store.folder / ".desk" / "learn"
        try:
            target = self._target()
            await asyncio.to_thread(self._write_pages, empty(own))
            said = await self._ask([*self.command, *self._arguments(own, target)])
            self._conclude(said, target)
        except OSError as error:
            self.state, self.problem = "failed", str(error)
        finally:
            shutil.rmtree(own, ignore_errors=True)
            self.changed()

    def _target(self) -> Path:
        models = self.store.folder / "models"
        numbers = [int(path.name[5:]) for path in models.glob("desk-*") if path.name[5:].isdecimal()]
        return models / f"desk-{max(numbers, default=0) + 1}"

    def _arguments(self, own: Path, target: Path) -> list[str]:
        parent = ["--from", str(self.parent)] if self.parent else []
        return [str(own), "--images", str(self.store.folder / "scans"), "--to", str(target), *parent]

    def _write_pages(self, own: Path) -> None:
        """Write pages with the handwriting that people have seen, each naming its scan as it lies there."""
        for entry in self.store.read_pages():
            page = only(self.store.corrected(entry.id), self.store.seen_handwriting(entry))
            if page.lines:
                file = Path(self.store.scans[entry.scan].file).name
                write_file(own / f"{entry.id}.json", write(replace(page, source=replace(page.source, file_name=file))))

    async def _ask(self, command: list[str]) -> str:
        """Run it; returns its last words, those of stderr first."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            preexec_fn=partial(_quietly, os.getpid()),
        )
        try:
            assert process.stdout is not None and process.stderr is not None
            told = asyncio.create_task(process.stdout.read())
            words = ""
            async for line in process.stderr:
                said = line.decode("utf-8", "replace").strip()
                words = said if said.startswith(_OWN) or not words.startswith(_OWN) else words
                if (found := _PROGRESS.search(said)) is not None and int(found[1]) != self.percent:
                    self.percent = int(found[1])
                    self.changed()
            return f"{words}\n{(await told).decode('utf-8', 'replace')}"
        finally:
            if process.returncode is None:
                process.terminate()
                with suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 5)
                if process.returncode is None:
                    process.kill()
                    await process.wait()

    def _conclude(self, said: str, target: Path) -> None:
        figures = _FIGURES.search(said)
        if figures is None:
            lines = [line for line in said.splitlines() if line.strip()]
            self.state, self.problem = "failed", (lines or ["learning said nothing"])[0].removeprefix(_OWN)[:500]
            return
        self.kept, self.before, self.after = int(figures[1]), figures[2], figures[3]
        self.state = "better" if (target / "manifest.json").is_file() else "not better"
        self.model = target if self.state == "better" else None


def _quietly(parent: int) -> None:
    """In the child: reading comes first, and nothing stays when the desk is killed."""
    os.nice(BEHIND)
    die_with_parent(parent)
