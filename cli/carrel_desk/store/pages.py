"""The desk's folder: scans as they came, pages as they were read, tiles for the screen, and the journal of what happened.

``scans/s1.jpg``, ``pages/p1.json`` (with corrections), ``pages/p1.tiles``, ``.desk/journal``, and ``.desk/read/p1.json``, the
page as it was read, where people changed its structure. Nothing is overwritten but ``pages/*.json``, which the reading and the
journal make anew at any time.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import shutil
import statistics
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from carrel.errors import CarrelError
from carrel.formats.json_page import parse, write
from carrel.forms.template import Form
from carrel.identity import with_ids
from carrel.output import write_file
from carrel.page import Page
from carrel.review.corrections import Who, change_of, with_changes
from carrel.review.documents import without_corrections
from carrel.review.structure import Operation, OperationError, apply
from carrel.workers.files import SeenFile, seen
from carrel_desk.reading.local import empty, make_private
from carrel_desk.reading.tiles import Pack, open_pack
from carrel_desk.store.edits import Change, Edits
from carrel_desk.store.entries import LineEntry, PageEntry, ScanEntry, concerns_of, entry_of
from carrel_desk.store.fields import lines_of_fields, with_names
from carrel_desk.store.journal import Journal, Record
from carrel_desk.store.layouts import Layout, corrections_moved, reading_record, step_record

LEAST_TIMED = 30
"""So many lines are timed before their median says how long a line takes."""
_OPENED_PAGES = 8
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


class Store:
    """The folder, open; ``by`` signs corrections, ``form`` is the one whose fields are read."""

    def __init__(self, folder: Path, by: str = "desk", form: Form | None = None) -> None:
        self.folder, self.by, self.form = folder, by, form
        self._open()

    def _open(self) -> None:
        for part in (self.folder, self.folder / "scans", self.folder / "pages", self.folder / ".desk"):
            make_private(part)
        self.journal = Journal(self.folder / ".desk" / "journal")
        self.scans: dict[str, ScanEntry] = {}
        self.pages: dict[str, PageEntry] = {}
        self.edits = Edits()
        self.layouts: dict[str, Layout] = {}
        self.model = ""
        self.watched: set[str] = set()
        self._number = 0
        self._naming = asyncio.Lock()
        self._opened: OrderedDict[str, Page] = OrderedDict()
        self._packs: OrderedDict[str, Pack] = OrderedDict()
        for record in self.journal.records:
            self._replay(record)
        self.journal.records.clear()
        for entry in list(self.pages.values()):
            if entry.state == "read":
                self._look_into(entry)
                if self.edits.of_page(entry.id) or self.layout(entry.id).used:
                    self.write_page(entry.id)

    def _replay(self, record: Record) -> None:
        page = self.pages.get(str(record.get("page")))
        match record["op"]:
            case "scan":
                self.scans[record["scan"]] = ScanEntry(record["scan"], record["name"], record["file"])
                self._number = max(self._number, int(record["scan"][1:]))
            case "page":
                entry = PageEntry(record["page"], record["scan"], record["index"], record["name"])
                self.pages[entry.id] = entry
                self.scans[entry.scan].counted = True
                self._number = max(self._number, int(entry.id[1:]))
            case "refused_scan":
                self.scans[record["scan"]].reason = record["reason"]
            case "state" if page is not None:
                page.state, page.reason = record["state"], record.get("reason", "")
            case "remove" if page is not None:
                del self.pages[page.id]
                self.edits.forget(page.id)
                self.layouts.pop(page.id, None)
            case "layout" | "layout_back" | "layout_read" if page is not None:
                self._replay_layout(page.id, record)
            case "model":
                self.model = record["name"]
            case "watched":
                self.watched.add(record["file"])
            case "text" | "done" | "open" | "settle":
                at = record.pop("at")
                self.edits.apply(msgspec.convert(record, Change), at)
            case _:
                pass

    def _replay_layout(self, page: str, record: Record) -> None:
        self.layout(page).replay(record)
        for line, text in record.get("texts", {}).items():
            self.edits.carry(page, line, text, record["at"])

    def new_id(self, letter: str) -> str:
        """Return an id that was never given."""
        self._number += 1
        return f"{letter}{self._number}"

    async def add_scan(self, body: SeenFile, name: str) -> ScanEntry:
        """Take a file over; its name is kept beside it, so that no scan replaces another."""
        identity = self.new_id("s")
        suffix = Path(name).suffix
        file = f"scans/{identity}{suffix if _SUFFIX.fullmatch(suffix) else ''}"
        body.path.rename(self.folder / file)
        entry = ScanEntry(identity, name, file)
        await self.journal.keep({"op": "scan", "scan": identity, "name": name, "file": file})
        self.scans[identity] = entry
        return entry

    async def note_watched(self, key: str) -> None:
        """Note that a file of the watched folder was taken."""
        self.watched.add(key)
        await self.journal.keep({"op": "watched", "file": key})

    @property
    def learned_model(self) -> Path | None:
        """The folder of the model that was learned here and is read with; None where there is none, or it is gone."""
        folder = self.folder / "models" / self.model
        return folder if self.model and (folder / "manifest.json").is_file() else None

    async def note_model(self, name: str) -> None:
        """Note which of the models in ``models/`` pages are read with from now on."""
        await self.journal.keep({"op": "model", "name": name})
        self.model = name

    async def refuse_scan(self, scan: ScanEntry, reason: str) -> None:
        """Note that a file cannot be read."""
        scan.reason = reason
        await self.journal.keep({"op": "refused_scan", "scan": scan.id, "reason": reason})

    async def add_pages(self, scan: ScanEntry, count: int) -> list[PageEntry]:
        """Add the pages of a file, under names that no other page of the desk has."""
        async with self._naming:
            names = self._unused_names(Path(scan.name).stem or scan.name, count)
            entries = [PageEntry(self.new_id("p"), scan.id, index, name) for index, name in enumerate(names)]
            records = [{"op": "page", "page": e.id, "scan": e.scan, "index": e.index, "name": e.name} for e in entries]
            await self.journal.keep(*records)
            scan.counted = True
            self.pages.update((entry.id, entry) for entry in entries)
        return entries

    def _unused_names(self, stem: str, count: int) -> list[str]:
        taken = {entry.name for entry in self.pages.values()}
        stems = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(2)))
        tried = ([own] if count == 1 else [f"{own}-{index + 1:04d}" for index in range(count)] for own in stems)
        return next(names for names in tried if taken.isdisjoint(names))

    async def page_read(self, entry: PageEntry, stored: bytes, tiles: bytes) -> None:
        """Keep what a worker made of a page; whoever types meanwhile does not wait for it."""
        writing = asyncio.create_task(asyncio.to_thread(self._write_read, entry, stored, tiles))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:  # the page was taken off the desk
            await asyncio.wait([writing])
            self._unlink(entry)
            raise
        await self.journal.keep({"op": "state", "page": entry.id, "state": "read"})
        entry.state = "read"
        self._look_into(entry)

    def _write_read(self, entry: PageEntry, stored: bytes, tiles: bytes) -> None:
        page = parse(stored)
        source = replace(page.source, file_name=self.scans[entry.scan].name)
        write_file(self.tiles_file(entry.id), tiles)
        write_file(self._file(entry.id), write(replace(page, source=source, regions=with_ids(page.regions))))

    def _unlink(self, entry: PageEntry) -> None:
        for file in (self._file(entry.id), self.tiles_file(entry.id), self._read_file(entry.id)):
            file.unlink(missing_ok=True)

    def is_untouched(self, entry: PageEntry) -> bool:
        """Tell whether nobody has changed anything on a page."""
        return not self.edits.of_page(entry.id) and not self.layout(entry.id).used

    async def read_again(self, entry: PageEntry, stored: bytes) -> bool:
        """Keep a new reading of a whole page, unless somebody has touched it meanwhile; tells whether it was kept."""
        page = parse(stored)
        source = replace(page.source, file_name=self.scans[entry.scan].name)
        made = write(replace(page, source=source, regions=with_ids(page.regions)))
        if entry.id not in self.pages or not self.is_untouched(entry):
            return False
        write_file(self._file(entry.id), made)
        self._opened.pop(entry.id, None)
        self._look_into(entry)
        return True

    async def use_form(self, form: Form | None) -> None:
        """Look at all pages as values of another form's fields."""
        self.form = form
        for entry in self.read_pages():
            self._look_into(entry)
            await asyncio.sleep(0)  # whoever types goes first

    async def rename_fields(self, names: Mapping[str, str]) -> None:
        """Give fields other names on every page; what people typed into them stays."""
        for entry in self.read_pages():
            for file in (self._file(entry.id), self._read_file(entry.id)):
                if file.is_file():
                    write_file(file, write(with_names(parse(file.read_bytes()), names)))
            self._opened.pop(entry.id, None)
            await asyncio.sleep(0)

    async def page_refused(self, entry: PageEntry, reason: str) -> None:
        """Note that a page cannot be read."""
        entry.state, entry.reason = "refused", reason
        await self.journal.keep({"op": "state", "page": entry.id, "state": "refused", "reason": reason})

    async def remove(self, entry: PageEntry) -> None:
        """Take a page off the desk; its scan goes with its last page."""
        await self.journal.keep({"op": "remove", "page": entry.id})
        self.pages.pop(entry.id, None)
        self.edits.forget(entry.id)
        self.layouts.pop(entry.id, None)
        self._opened.pop(entry.id, None)
        self._packs.pop(entry.id, None)
        self._unlink(entry)
        if all(other.scan != entry.scan for other in self.pages.values()):
            (self.folder / self.scans[entry.scan].file).unlink(missing_ok=True)

    async def change(self, changes: Sequence[Change], at: str) -> None:
        """Keep changes on the disk, then apply them."""
        records: list[Record] = [{**msgspec.to_builtins(change), "at": at} for change in changes]
        await self.journal.keep(*records)
        for change in changes:
            self.edits.apply(change, at)

    def layout(self, identity: str) -> Layout:
        """Return the steps of a page."""
        return self.layouts.setdefault(identity, Layout())

    async def lay_out(self, entry: PageEntry, operation: Operation, who: str, at: str) -> None:
        """Keep an operation on the structure of a page on the disk, then apply it.

        Raises
        ------
        OperationError
            The page does not allow it.
        """
        layout = self.layout(entry.id)
        before = self.corrected(entry.id)
        after = apply(before, operation, layout.next_step(operation).new_id)
        record = step_record(entry.id, operation, corrections_moved(before, after), who, at)
        await self._keep_layout(entry, record)

    async def lay_back(self, entry: PageEntry, number: int, who: str, at: str) -> None:
        """Take the last step of a page back, which has this number.

        Raises
        ------
        OperationError
            The last step is another, or somebody else has typed into a line that it made.
        """
        if not number or self.layout(entry.id).top != number:
            raise OperationError("somebody has changed the page since; look at it first")
        made = {f"desk{number}", f"desk{number}b"}
        typed = [
            edit for line, edit in self.edits.of_page(entry.id).items() if line in made and edit.who not in ("", who)
        ]
        if typed:
            raise OperationError("somebody has typed into that line since; ask first")
        await self._keep_layout(entry, {"op": "layout_back", "page": entry.id, "at": at})

    async def keep_reading(self, entry: PageEntry, read: Page) -> None:
        """Keep what was read anew of lines: those that people drew, or all that nobody touched, by another model."""
        await self._keep_layout(entry, reading_record(entry.id, read))

    async def _keep_layout(self, entry: PageEntry, record: Record) -> None:
        if not self._read_file(entry.id).is_file():
            data = await asyncio.to_thread(self._file(entry.id).read_bytes)
            await asyncio.to_thread(
                write_file, make_private(self._read_file(entry.id).parent) / f"{entry.id}.json", data
            )
        await self.journal.keep(record)
        if entry.id in self.pages:
            self._replay_layout(entry.id, record)
            self._opened.pop(entry.id, None)
            self._look_into(entry)

    def scan_file(self, scan: ScanEntry) -> SeenFile:
        """Return the file of a scan as it lies there."""
        path = self.folder / scan.file
        return seen(path, path.stat())

    def page(self, identity: str) -> Page:
        """Return a page as it was read, with the structure that people gave it."""
        page = self._opened.pop(identity, None)
        if page is None:
            kept = self._read_file(identity)
            read = parse((kept if kept.is_file() else self._file(identity)).read_bytes())
            page = self.layout(identity).laid_out(without_corrections(read))
        self._opened[identity] = page
        while len(self._opened) > _OPENED_PAGES:
            self._opened.popitem(last=False)
        return page

    def corrected(self, identity: str) -> Page:
        """Return a page with what people made of it beside what was read."""
        page = self.page(identity)
        edits = self.edits.of_page(identity)
        changes = [
            change_of(identity, line, edit.text, "confirmed" if edit.done else None, Who(self.by, edit.at))
            for line in page.lines
            if (edit := edits.get(line.id)) is not None and edit.text is not None
        ]
        return with_changes(page, filter(None, changes))

    def write_page(self, identity: str) -> None:
        """Write a page's file with its corrections, where it is another than the one there."""
        made = write(self.corrected(identity))
        if self._file(identity).read_bytes() != made:
            write_file(self._file(identity), made)

    async def save_page(self, identity: str) -> None:
        """Write a page's file with its corrections without holding anybody up."""
        page = self.corrected(identity)
        await asyncio.to_thread(lambda: write_file(self._file(identity), write(page)))
        if identity not in self.pages:  # it was taken off the desk meanwhile
            self._file(identity).unlink(missing_ok=True)

    def pack(self, identity: str) -> Pack:
        """Return the index of a page's tiles."""
        pack = self._packs.pop(identity, None) or open_pack(self.tiles_file(identity))
        self._packs[identity] = pack
        while len(self._packs) > _OPENED_PAGES:
            self._packs.popitem(last=False)
        return pack

    def tiles_file(self, identity: str) -> Path:
        """Return where a page's tiles lie."""
        return self.folder / "pages" / f"{identity}.tiles"

    def seconds_a_line(self) -> float:
        """Return how long a line takes: the median of those timed here; 0 until there are enough."""
        timed = self.edits.seconds
        return statistics.median(timed) if len(timed) >= LEAST_TIMED else 0.0

    def read_pages(self) -> list[PageEntry]:
        """Return the pages that are read, in order."""
        return [entry for entry in self.pages.values() if entry.state == "read"]

    def seen_handwriting(self, entry: PageEntry) -> set[str]:
        """Return the lines of handwriting with text that people are done with."""
        done = {line for line, edit in self.edits.of_page(entry.id).items() if edit.done and edit.text}
        return {line.id for line in entry.lines if line.handwritten} & done

    def untouched(self, entry: PageEntry) -> set[str]:
        """Return the lines that nobody has touched."""
        return {line.id for line in entry.lines} - set(self.edits.of_page(entry.id))

    def open_lines(self) -> list[tuple[PageEntry, LineEntry]]:
        """Return the doubtful lines that nobody is done with, by place."""
        done = {key for key, edit in self.edits.lines.items() if edit.done}
        return [
            (page, line)
            for page in self.pages.values()
            for line in page.lines
            if line.doubtful and (page.id, line.id) not in done
        ]

    def purge(self) -> None:
        """Delete everything that the desk wrote into the folder, and start empty."""
        self.close()
        for entry in self.scans.values():
            (self.folder / entry.file).unlink(missing_ok=True)
        for file in (self.folder / "pages").glob("p*.*"):
            file.unlink(missing_ok=True)
        shutil.rmtree(self.folder / ".desk" / "read", ignore_errors=True)
        (self.folder / ".desk" / "journal").unlink(missing_ok=True)
        empty(self.folder / ".desk" / "bodies")
        self._open()

    def close(self) -> None:
        """Write the pages that have changed, and close the journal."""
        changed = {page for page, _ in self.edits.lines} | {
            page for page, layout in self.layouts.items() if layout.version
        }
        for identity in changed & set(self.pages):
            self.write_page(identity)
        self.journal.close()

    def destroy(self) -> None:
        """Close and delete the whole folder, which was made for one session."""
        self.journal.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, identity: str) -> Path:
        return self.folder / "pages" / f"{identity}.json"

    def _read_file(self, identity: str) -> Path:
        return self.folder / ".desk" / "read" / f"{identity}.json"

    def _look_into(self, entry: PageEntry) -> None:
        try:
            page = self.page(entry.id)
        except (CarrelError, OSError) as error:
            entry.state, entry.reason = "refused", f"its file is damaged: {error}"
            return
        entry.size = (page.width_px, page.height_px)
        fields = lines_of_fields(page, self.form)
        entry.lines = [entry_of(line, fields.get(line.id)) for line in page.lines]
        entry.concerns = concerns_of(page.quality)
        entry.ever |= self.layout(entry.id).ever(page)
