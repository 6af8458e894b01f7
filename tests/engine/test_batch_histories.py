"""The journal over random histories: files come, change, go and come back, pages fail, runs are cut off."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from carrel.batch.journal import Journal, QueuedPage
from carrel.batch.names import candidates
from carrel.batch.results import Written
from carrel.workers.files import SeenFile

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
PAGES = {"a" * 64: 1, "b" * 64: 1, "c" * 64: 3, "d" * 64: 2}
PATHS = ("one.png", "one.tif", "one-0001.png", "two.png")
CONTENTS = st.sampled_from(sorted(PAGES))


class Histories(RuleBasedStateMachine):
    """A disk with files, a folder of results, and the journal between them."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY)  # kills do not ask what a disk has flushed
        self.disk: dict[str, tuple[str, int]] = {}  # path -> content, stamp
        self.results: dict[str, str] = {}  # path -> content and page
        self.stamps = itertools.count(1)
        self.working: list[QueuedPage] = []
        self.settings = 0
        self.start()

    def start(self) -> None:
        self.journal = Journal(Path(self.folder.name) / "journal.sqlite")
        self.journal.check()
        self.journal.begin_run()
        self.set_aside()
        self.journal.use_settings(str(self.settings), ("text",))
        self.journal.forget_lost(self.results.__contains__)
        self.journal.queue_missing()

    def set_aside(self) -> None:
        for move in self.journal.to_set_aside():
            target = move.target or next(t for n in range(1, 99) if (t := f"{move.path}.~{n}~") not in self.results)
            self.journal.set_aside(move.path, target, moved=False)
            if move.path in self.results:
                self.results[target] = self.results.pop(move.path)
            self.journal.set_aside(move.path, target, moved=True)

    def seen(self, path: str) -> SeenFile:
        content, stamp = self.disk[path]
        return SeenFile(Path("/in", path), len(content), stamp)

    def look(self) -> None:
        self.journal.add_files([self.seen(path) for path in sorted(self.disk)])

    @rule(path=st.sampled_from(PATHS), content=CONTENTS)
    def drop(self, path: str, content: str) -> None:
        self.disk[path] = content, next(self.stamps)
        self.look()

    @rule(path=st.sampled_from(PATHS))
    def touch(self, path: str) -> None:
        if path in self.disk:
            self.disk[path] = self.disk[path][0], next(self.stamps)
            self.look()

    @rule(path=st.sampled_from(PATHS))
    def vanish(self, path: str) -> None:
        self.disk.pop(path, None)

    @rule(path=st.sampled_from(PATHS))
    def delete_result(self, path: str) -> None:
        self.results.pop(f"{Path(path).stem}.txt", None)

    @rule(deed=st.sampled_from(["opens", "opens", "opens", "refused", "fails"]))
    def open(self, deed: str) -> None:
        file = self.journal.take_file()
        if file is None:
            return
        here = self.disk.get(file.path.name)
        if here is None or here[1] != file.changed_ns:
            self.journal.file_gone(file)
            self.look()
        elif deed == "refused":
            self.journal.file_refused(file, "is damaged")
        elif deed == "fails":
            self.journal.file_failed(file, "ended")
        else:

            def names(number: int) -> Iterator[Sequence[str]]:
                return candidates(file.path, "", number)

            assert self.journal.opened(file, here[0], PAGES[here[0]], names)
            self.set_aside()

    @rule()
    def take(self) -> None:
        page = self.journal.take_page()
        if page is not None:
            assert page.key not in [other.key for other in self.working], "a page is read twice at once"
            self.working.append(page)

    @precondition(lambda self: self.working)
    @rule(deed=st.sampled_from(["read", "read", "read", "refused", "fails", "gone"]))
    def settle(self, deed: str) -> None:
        page = self.working.pop(0)
        if deed == "read" or page.stored is not None:
            written = [Written(d, "digest") for d in self.journal.deliveries(page.key, page.formats)]
            self.results |= {w.delivery.path: f"{page.key.sha256[0]}{page.key.page_index}" for w in written}
            if page.stored is None:
                self.journal.page_done(page.key, b"{}", (1, 0, 0), written)
            else:
                self.journal.page_written(page.key, written)
        elif deed == "gone":
            if self.disk.get(page.file.path.name, ("", 0))[1] != page.file.changed_ns:
                self.journal.file_gone(page.file)
            self.journal.release_page(page.key)
            self.look()
        elif deed == "fails":
            self.journal.page_failed(page.key, "ended")
        else:
            self.journal.page_refused(page.key, "is blank")

    @rule()
    def work(self) -> None:
        """All that waits is opened and read."""
        self.drain()

    @rule()
    def kill(self) -> None:
        self.journal.close()
        self.working = []
        self.start()
        self.look()

    @rule(again=st.booleans())
    def other_settings(self, again: bool) -> None:
        self.settings += 1
        self.journal.use_settings(str(self.settings), ("text",))
        if again:
            self.journal.reread()

    @rule()
    def retry(self) -> None:
        if not self.working:
            self.journal.retry_failed()

    @rule()
    def move_originals(self) -> None:
        for original in self.journal.finished_files():
            path = original.file.path.name
            if original.all_read and self.disk.get(path, ("", 0))[1] == original.file.changed_ns:
                del self.disk[path]
                self.journal.settle_file(original.file, departed=True)

    @invariant()
    def holds_together(self) -> None:
        self.journal.check()
        assert self.journal.unfinished or self.journal.reconciled().adds_up

    def drain(self) -> None:
        self.look()
        for _ in range(500):
            while self.working:
                self.settle("read")
            self.open("opens")
            self.take()
            if not self.journal.unfinished and not self.working:
                return
        raise AssertionError("the batch would idle for ever")

    def teardown(self) -> None:
        self.drain()
        self.journal.forget_lost(self.results.__contains__)
        self.journal.queue_missing()
        self.drain()
        done = self.journal.reconciled()
        assert done.adds_up and done.waiting == 0, done
        rows = self.journal._all(  # pyright: ignore[reportPrivateUsage]
            "SELECT files.path, files.sha256, pages.page_index, results.path FROM files JOIN pages USING(sha256)"
            " LEFT JOIN results ON results.file=files.id AND results.page_index=pages.page_index"
            " WHERE files.state='opened' AND pages.state='done'"
        )
        for path, sha256, index, result in rows:
            name = path.decode().rpartition("/")[2]
            assert result is not None, f"{name} has no result"
            assert self.results[result] == f"{sha256[0]}{index}", f"{name} has the result of another page"
        for path, (content, _) in self.disk.items():
            states = [r for r in rows if r[0].decode().endswith("/" + path) and r[1] == content]
            refused = [f for f in self.journal.failures() if f[0].name == path]
            assert states or refused, f"{path} is lost"
        self.journal.close()
        self.folder.cleanup()


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestHistories = Histories.TestCase


def test_original_that_left_comes_back_while_a_page_of_it_waits() -> None:
    history, content = Histories(), "a" * 64
    history.drop("one.png", content)
    history.work()
    history.move_originals()
    history.delete_result("one.png")
    history.kill()
    history.drop("one.png", content)
    history.holds_together()
    history.teardown()
