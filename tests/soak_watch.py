"""Hours of a hot folder: files are dropped, grown, replaced and removed, the folder made anew and mounted over, workers and
watchers killed, the disk filled, the clock turned, results deleted and corrected; an oracle says what must lie in the output
at the end.

    PYTHONPATH=engine:cli:tests python tests/soak_watch.py --minutes 120 --seed 1

Prints what was done and found; exit code 1 where something is lost, twice, stale or mixed up.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from batch_pages import ENTRY, HARMLESS, KILL, SLOW, expected, page
from faults import mounted

QUIET_S = 1.0
STANDS_STILL_S = 180.0
FOLDERS = ("", "box", "box/deep")
MOST_FILES = 40
TESTS = Path(__file__).resolve().parent


class Soak:
    """A hot folder, its watcher, and everything that was ever put into it."""

    def __init__(self, folder: Path, seed: int, pace: float = 1.0) -> None:
        self.chance, self.pace = random.Random(seed), pace
        self.source, self.output, self.done, self.other = (folder / name for name in ("in", "out", "done", "other"))
        for place in (self.source, self.output, self.done, self.other):
            place.mkdir(exist_ok=True)
        self.moves, self.mounted = bool(seed % 2), False
        self.folder, self.log = folder, (folder / "log.txt").open("wb")
        self.contents: dict[str, list[str] | None] = {}  # digest of a file -> results; None: it kills its worker
        self.numbers = iter(range(seed * 10**6, 10**9))
        self.edits: list[str] = []
        self.deeds: Counter[str] = Counter()
        self.watcher = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        originals = ["--originals", "move", "--done", str(self.done)] if self.moves else []
        options = [
            "--workers",
            "2",
            "--every",
            f"{0.3 * self.pace:g}",
            "--quiet-for",
            str(QUIET_S),
            "--pages-with",
            ENTRY,
            *originals,
        ]
        limits = ["--page-timeout", "20", "--decode-timeout", "20", "--retain", "10"]
        days = self.chance.choice((-9000, 0, 40))
        command = [sys.executable, "-c", "from carrel_cli.main import main; main()", "watch", str(self.source)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
            **(turned_clock(days) if days else {}),
        }
        return subprocess.Popen(
            [*command, "-o", str(self.output), *options, *limits],
            stdout=self.log,
            stderr=self.log,
            env=environment,
            start_new_session=True,
        )

    def files(self) -> list[Path]:
        return sorted(path for path in self.source.rglob("*") if path.is_file() and not path.name.startswith("."))

    def made(self, count: int = 1, what: int = HARMLESS) -> bytes:
        """A file of so many pages that is unlike all others."""
        numbers = [next(self.numbers) for _ in range(count)]
        frames = [Image.fromarray(page(number, what)) for number in numbers]
        stream = io.BytesIO()
        frames[0].save(stream, "TIFF", save_all=True, append_images=frames[1:])
        texts = [expected(number, what) for number in numbers]
        self.contents[hashlib.sha256(stream.getvalue()).hexdigest()] = None if what == KILL else texts
        return stream.getvalue()

    def place(self) -> Path:
        folder = self.source / self.chance.choice(FOLDERS)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{self.chance.choice(('scan', 'page', 'deed'))}{self.chance.randrange(30)}"
        return folder / f"{name}.{self.chance.choice(('tif', 'tiff'))}"

    def drop(self) -> None:
        if len(self.files()) < MOST_FILES:
            self.place().write_bytes(
                self.made(self.chance.choice((1, 1, 1, 3)), self.chance.choice((HARMLESS, HARMLESS, SLOW)))
            )

    def drop_killer(self) -> None:
        if self.chance.random() < 0.2:
            self.place().write_bytes(self.made(1, KILL))

    def replace(self) -> None:
        self.on_file(lambda path: path.write_bytes(self.made(self.chance.choice((1, 2)))))

    def copy(self) -> None:
        self.on_file(lambda path: shutil.copyfile(path, self.place()))

    def grow(self) -> None:
        """As a scanner: page by page, the file held open, longer than the watcher waits."""
        whole, path = self.made(3), self.place()
        with path.open("wb") as scanner:
            for part in range(0, len(whole), len(whole) // 3 + 1):
                scanner.write(whole[part : part + len(whole) // 3 + 1])
                scanner.flush()
                time.sleep(QUIET_S * 0.8)

    def touch(self) -> None:
        self.on_file(lambda path: path.touch())

    def remove(self) -> None:
        self.on_file(lambda path: path.unlink())

    def recreate(self) -> None:
        if not self.mounted:
            shutil.rmtree(self.source)
            self.source.mkdir()

    def remount(self) -> None:
        """Mount another folder over the hot folder, or take it away again; nothing where mounts are not allowed."""
        if self.mounted:
            subprocess.run(["umount", "-l", self.source], check=True)
        mount = ["mount", "--bind", self.other, self.source]
        self.mounted = not self.mounted and subprocess.run(mount, stderr=self.log, check=False).returncode == 0

    def close(self) -> None:
        if self.watcher.poll() is None:
            os.killpg(self.watcher.pid, signal.SIGKILL)
            self.watcher.wait()
        if self.mounted:
            self.remount()

    def on_file(self, deed: Callable[[Path], object]) -> None:
        files = self.files()
        if files:
            with contextlib.suppress(FileNotFoundError, shutil.SameFileError):  # the watcher has moved it
                deed(self.chance.choice(files))

    def kill_worker(self) -> None:
        children = Path(f"/proc/{self.watcher.pid}/task/{self.watcher.pid}/children")
        with contextlib.suppress(OSError):
            for pid in children.read_text("ascii").split()[:1]:
                os.kill(int(pid), signal.SIGKILL)

    def kill_watcher(self) -> None:
        os.killpg(self.watcher.pid, signal.SIGKILL)
        self.watcher.wait()
        self.watcher = self.start()

    def restart(self) -> None:
        self.watcher.send_signal(signal.SIGTERM)
        self.watcher.wait(60)
        self.watcher = self.start()

    def fill_disk(self) -> None:
        filler = self.output / ".filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while os.path.ismount(self.output):
                file.write(bytes(2**16))
        time.sleep(1)
        filler.unlink(missing_ok=True)

    def delete_result(self) -> None:
        self.on_result(lambda path: path.unlink())

    def correct(self) -> None:
        def edit(path: Path) -> None:
            text = f"corrected {len(self.edits)}"
            aside = path.with_name(".edit")
            aside.write_text(text, "utf-8")
            aside.replace(path)
            self.edits.append(text)

        if self.chance.random() < 0.3:
            self.on_result(edit)

    def on_result(self, deed: Callable[[Path], object]) -> None:
        old = [p for p in self.output.rglob("*.txt") if time.time() - p.lstat().st_mtime > 4]
        untouched = [p for p in old if not p.read_text("utf-8").startswith("corrected")]
        if untouched:
            with contextlib.suppress(FileNotFoundError):
                deed(self.chance.choice(untouched))

    def run(self, minutes: float) -> None:
        often = [self.drop] * 30 + [self.replace, self.copy, self.touch, self.remove, self.kill_worker] * 3
        rare = [self.grow, self.kill_watcher, self.restart, self.fill_disk, self.delete_result, self.correct]
        deeds = [*often, *rare * 2, self.recreate, self.remount, self.drop_killer]
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            deed = self.chance.choice(deeds)
            self.deeds[deed.__name__] += 1
            deed()
            time.sleep(self.chance.uniform(0.05, 0.5) * self.pace)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing waits any more, then stop; deleted results come back at the last start."""
        for _ in range(2):
            time.sleep(3 * QUIET_S + 2)
            self.wait()
            self.restart()
        time.sleep(5)
        self.wait()
        self.watcher.send_signal(signal.SIGTERM)
        self.watcher.wait(60)

    def wait(self) -> None:
        """Wait until nothing waits any more, or until nothing has moved on for long: on a busy machine 200 files take many minutes."""
        last, since_s = self.moved_on(), time.monotonic()
        while self.waiting() and time.monotonic() - since_s < STANDS_STILL_S:
            time.sleep(0.5)
            now = self.moved_on()
            if now != last:
                last, since_s = now, time.monotonic()

    def moved_on(self) -> list[tuple[object, ...]]:
        """Counts that change when the watcher gets on."""
        with contextlib.suppress(sqlite3.Error):
            return [
                row
                for table in ("files", "pages")
                for row in self.query(f"SELECT '{table}', state, count(*) FROM {table} GROUP BY state")
            ]
        return []

    def query(self, statement: str) -> list[tuple[object, ...]]:
        db = sqlite3.connect(f"file:{self.output}/.carrel/journal.sqlite?mode=ro", uri=True, timeout=30)
        try:
            return db.execute(statement).fetchall()
        finally:
            db.close()

    def waiting(self) -> bool:
        moving = self.moves and any(path not in self.put_aside() for path in self.files())
        pages = "SELECT count(*) FROM pages WHERE state IN ('queued', 'running')"
        files = "SELECT count(*) FROM files WHERE state IN ('queued', 'running')"
        try:
            return moving or self.query(pages) != [(0,)] or self.query(files) != [(0,)]
        except sqlite3.Error:
            return True

    def put_aside(self) -> set[Path]:
        rows = self.query(
            "SELECT DISTINCT path FROM files LEFT JOIN pages USING(sha256) WHERE files.state IN ('quarantined', 'refused')"
            " OR pages.state IN ('quarantined', 'refused')"
        )
        return {Path(os.fsdecode(path)) for (path,) in rows if isinstance(path, bytes)}

    def faults(self) -> list[str]:
        """What must not be."""
        found = self.lost() + self.stale() + self.foreign()
        texts = [path.read_text("utf-8") for path in self.output.rglob("*") if path.is_file() and ".txt" in path.name]
        found += [f"a correction is lost: {edit}" for edit in self.edits if edit not in texts]
        return found

    def lost(self) -> list[str]:
        found: list[str] = []
        aside = self.put_aside()
        places = [*self.files(), *(p for p in self.done.rglob("*") if p.is_file())]
        known = Counter(str(sha256) for (sha256,) in self.query("SELECT sha256 FROM files WHERE state<>'replaced'"))
        for path in places:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if self.contents.get(digest) is not None and not known[digest] and path not in aside:
                found.append(f"{path} was never read")
            if self.moves and self.source in path.parents and path not in aside:
                found.append(f"{path} was not moved")
        innocent = [p for p in aside if p.exists() and self.contents.get(hashlib.sha256(p.read_bytes()).hexdigest())]
        return found + [f"{path} was put aside" for path in innocent]

    def stale(self) -> list[str]:
        """Results that are not those of the file that they belong to, or that are not there."""
        rows = self.query(
            "SELECT results.path, sha256, page_index, files.state FROM results JOIN files ON files.id=results.file"
            " WHERE files.state IN ('opened', 'left') AND expired=0"
        )
        found: list[str] = []
        for name, sha256, index, state in rows:
            path, right = self.output / str(name), self.contents.get(str(sha256))
            if right is None or not isinstance(index, int):
                continue
            text = path.read_text("utf-8") if path.exists() else None
            if text != right[index] and text not in self.edits and (text is not None or state == "opened"):
                found.append(f"{name} holds {text!r}")
        owed = self.query(
            "SELECT files.path, pages.page_index FROM files JOIN pages USING(sha256) LEFT JOIN results ON results.file=files.id"
            " AND results.page_index=pages.page_index WHERE files.state='opened' AND pages.state='done' AND results.path IS NULL"
        )
        return found + [f"{path!r} page {index} has no result" for path, index in owed]

    def foreign(self) -> list[str]:
        """Files in the output that nobody knows of."""
        known = {str(path) for (path,) in self.query("SELECT path FROM results")}
        there = {p.relative_to(self.output).as_posix() for p in self.output.rglob("*") if p.is_file()}
        return [f"{name} is nobody's" for name in sorted(there - known) if not name.startswith(".carrel/")]


def turned_clock(days: int) -> dict[str, str]:
    """The environment of a process that takes the time to be so many days later; times of files and delays stay as they are.

    Nothing where libfaketime is not installed.
    """
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        return {}
    turned = {"LD_PRELOAD": str(libraries[0]), "FAKETIME": f"{days:+d}d"}
    return {**turned, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}


def main() -> int:
    """Run a soak; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=1.0, help="how many times as long to wait between deeds")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="copy everything there where there are faults")
    choices = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        (Path(name) / "out").mkdir()
        with contextlib.suppress(PermissionError):
            stack.enter_context(mounted("-t", "tmpfs", "-o", "size=30m", "tmpfs", Path(name) / "out"))
        (Path(name) / "out").chmod(0o755)
        soak = Soak(Path(name), choices.seed, choices.pace)
        stack.callback(soak.close)
        soak.run(choices.minutes)
        faults = soak.faults()
        if faults and choices.keep:
            shutil.copytree(Path(name), choices.keep, symlinks=True, dirs_exist_ok=True)
        read = soak.query("SELECT count(*) FROM pages WHERE state='done'")[0][0]
        sys.stdout.write(f"seed {choices.seed}: {dict(soak.deeds)}; {read} pages read; {len(faults)} faults\n")
        sys.stdout.writelines(f"  {fault}\n" for fault in faults)
        if faults:
            sys.stdout.write(
                "".join((Path(name) / "log.txt").read_text("utf-8", "replace").splitlines(keepends=True)[-40:])
            )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
