"""Corrections and the journal: what a person put right is in every result, whatever is done to the batch afterwards."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_pages import fork_worker, page, write_page
from carrel.batch.corrected import notes_of
from carrel.batch.folders import Folders
from carrel.batch.intake import find_files
from carrel.batch.journal import Counts
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.errors import UsageError
from carrel.formats import read_page
from carrel.options import ReadOptions
from carrel.review.training_lines import LineRow, read_rows, write_pack
from carrel_cli import apply, review
from carrel_cli.machine import privacy, purge
from drawn_readings import ENTRY, LINES, text_of


@dataclass
class Station:
    """A folder of scans, its batch, and what must lie in the output."""

    root: Path
    flatten: bool = True
    formats: tuple[str, ...] = ("text", "json")
    scans: dict[str, int] = field(default_factory=dict[str, int])
    read_flat: dict[int, bool] = field(default_factory=dict[int, bool])
    corrected: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    log: list[str] = field(default_factory=list[str])

    @property
    def out(self) -> Path:
        return self.root / "out"

    def put(self, name: str, number: int) -> None:
        write_page(self.root / "in" / f"{name}.png", number)
        self.scans[name] = number

    def batch(self, *, reread: bool = False, deskew: bool = True) -> Counts:
        options = ReadOptions(flatten=self.flatten, deskew=deskew)
        chosen = Settings(options, self.formats, entry=ENTRY)
        cache = self.root / "cache"
        cache.mkdir(exist_ok=True)
        folders = Folders.of(self.out)
        batch = Batch(
            self.root / "in", folders, chosen, cache=cache, launch=fork_worker, reread=reread, log=self.log.append
        )
        with batch:
            batch.add(find_files(batch.root))
            while not batch.finished:
                batch.step(0.05)
            counts = batch.counts()
        for number in self.scans.values():
            if reread or number not in self.read_flat:
                self.read_flat[number] = self.flatten
        return counts

    def correct(self, name: str, line: int, text: str) -> None:
        identity = read_page(self.out / f"{name}.json").lines[line].id
        sheet = self.root / "ws.tsv"
        sheet.write_text(f"# carrel worksheet: a line\n{name}#{identity}\t1\t\t{text}\n", "utf-8")
        result = CliRunner().invoke(review.command, [str(self.out), "--corrected", str(sheet), "--by", "Ann"])
        assert result.exit_code == 0, result.output
        self.corrected[self.scans[name], line] = text

    def expected(self, number: int) -> str:
        options = ReadOptions(flatten=self.read_flat[number])
        digest = hashlib.sha256(page(number).tobytes()).hexdigest()
        return "".join(
            self.corrected.get((number, line), text_of(digest, line, options)) + "\n" for line in range(LINES)
        )

    def check(self) -> None:
        """Every scan has exactly its current result, with every correction; nothing else lies there."""
        names = {"text": ".txt", "json": ".json", "csv": ".csv"}
        wanted = {f"{name}{names[form]}" for name in self.scans for form in self.formats}
        found = {path.name for path in self.out.iterdir() if path.is_file() and ".~" not in path.name}
        assert wanted <= found, wanted - found
        assert {name.rpartition(".")[0] for name in found} <= set(self.scans)
        for name, number in self.scans.items():
            text = self.expected(number)
            assert (self.out / f"{name}.txt").read_text("utf-8") == text, name
            assert read_page(self.out / f"{name}.json").text + "\n" == text, name
            if "csv" in self.formats:
                assert all(line in (self.out / f"{name}.csv").read_text("utf-8") for line in text.splitlines()), name


@pytest.fixture
def station(tmp_path: Path) -> Station:
    made = Station(tmp_path)
    made.put("a", 1)
    made.put("b", 2)
    made.batch()
    made.check()
    return made


def test_corrections_survive_more_formats_other_settings_and_reading_again(station: Station) -> None:
    station.correct("a", 1, "as it should be")
    station.formats = ("text", "json", "csv")
    station.batch()
    station.check()
    station.flatten = False
    station.batch()
    assert any("--reread reads them again" in line for line in station.log)
    station.check()
    station.batch(reread=True)
    station.check()
    assert read_page(station.out / "a.json").lines[1].text.startswith("plain"), "what was read is of the new reading"


def test_a_page_whose_corrected_lines_are_not_found_again_stays_and_is_named(station: Station) -> None:
    station.correct("a", 1, "as it should be")
    before = (station.out / "a.json").read_bytes()
    station.batch(reread=True, deskew=False)
    assert any("1 corrected lines are not found again" in line for line in station.log)
    assert (station.out / "a.json").read_bytes() == before
    assert read_page(station.out / "b.json").lines[0].baseline[0][1] == 17, "the other page is read again"


def test_equal_scans_share_corrections(station: Station) -> None:
    station.put("c", 1)
    station.batch()
    station.correct("a", 0, "once")
    station.check()
    station.correct("c", 0, "twice")
    station.check()
    sheet = station.root / "all.tsv"
    CliRunner().invoke(review.command, [str(station.out), "--all", "--worksheet", str(sheet)])
    assert {row.partition("#")[0] for row in sheet.read_text("utf-8").splitlines()[2:]} == {"a", "b"}  # each once


def test_corrections_wait_for_a_batch_that_is_at_work(station: Station) -> None:
    with Folders.of(station.out).locked():
        for command in (apply.command, review.command):
            more = ["--corrected", str(station.out)] if command is review.command else []
            result = CliRunner().invoke(command, [str(station.out), *more])
            assert isinstance(result.exception, UsageError) and "at work there" in str(result.exception)
        assert CliRunner().invoke(review.command, [str(station.out)]).exit_code == 0  # looking is free
    with notes_of(station.out, alone=True):
        pass


def test_a_subfolder_is_known_to_the_batch_above_it(tmp_path: Path) -> None:
    made = Station(tmp_path)
    made.put("1902/a", 1)
    made.batch()
    with Folders.of(made.out).locked():
        result = CliRunner().invoke(apply.command, [str(made.out / "1902")])
        assert isinstance(result.exception, UsageError)


def test_one_document_is_deleted_and_not_made_again(station: Station) -> None:
    station.correct("a", 1, "as it should be")
    result = CliRunner().invoke(purge.command, [str(station.out), "--document", "a", "--yes"])
    assert result.exit_code == 0 and "deleted: 2 files of results" in result.output
    assert "ws.tsv" not in result.output  # it was not Carrel that wrote it
    del station.scans["a"]
    station.batch()
    station.check()
    missing = CliRunner().invoke(purge.command, [str(station.out), "--document", "nosuch", "--yes"])
    assert "no results of a document named nosuch" in str(missing.exception)


def test_a_renamed_scan_has_its_results_under_the_new_name(station: Station) -> None:
    station.correct("a", 1, "as it should be")
    station.formats = ("text", "json", "pdf")
    station.batch()
    (station.root / "in/a.png").rename(station.root / "in/z.png")
    station.batch()
    assert not [line for line in station.log if "cannot be made" in line]
    for end in (".txt", ".json"):
        assert (station.out / f"z{end}").read_bytes() == (station.out / f"a{end}").read_bytes()
    assert "as it should be" in (station.out / "z.txt").read_text("utf-8")
    assert (station.out / "z.pdf").is_file()


def of_command(command: object, *arguments: object) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)))  # type: ignore[arg-type]
    assert result.exit_code == 0, result.exception
    return result.output


def test_what_tells_of_a_document_goes_with_it(station: Station) -> None:
    out = station.out
    for file in ("ws.tsv", "mine.tsv"):
        of_command(review.command, out, "--all", "--worksheet", out / file)
    of_command(review.command, out, "--all", "--html", out / "look.html")
    (out / "mine.tsv").write_text((out / "mine.tsv").read_text("utf-8") + "\n", "utf-8")
    pack = out / "kept.zip"
    gray = np.full((64, 90), 200, np.uint8)
    write_pack(pack, [(LineRow(f"{name}.png", f"what {name} says", name, "train"), gray) for name in "ab"])
    with notes_of(out) as notes:
        notes.wrote([pack])
    told = of_command(purge.command, out, "--document", "a", "--yes")
    assert [row.page for row in read_rows(pack)] == ["b"]
    assert {path.name for path in out.iterdir()} == {".carrel", "b.json", "b.txt", "mine.tsv", "kept.zip"}
    assert "mine.tsv may hold text of these pages" in told and "deleted with it: look.html" in told
    of_command(purge.command, out, "--yes")
    assert {path.name for path in out.iterdir()} == {"mine.tsv"}


def test_copies_of_what_was_changed_are_known(station: Station) -> None:
    out = station.out
    (out / "a.txt").write_text("scribbled over\n")
    station.correct("a", 1, "as it should be")
    copy = out / "a.txt.kept-1"
    assert copy.read_text() == "scribbled over\n"
    assert "a.txt.kept-1" in of_command(privacy.command, out)
    told = of_command(purge.command, out, "--document", "a", "--yes")
    assert "kept: 1 results that were changed" in told and copy.exists()
    of_command(purge.command, out, "--document", "b", "--yes", "--changed")
    assert copy.exists()
    of_command(purge.command, out, "--yes", "--changed")
    assert not [path for path in out.rglob("*") if path.is_file()]


def test_models_made_of_results_are_named(station: Station) -> None:
    model = station.root / "models" / "hand"
    model.mkdir(parents=True)
    with notes_of(station.out) as notes:
        notes.wrote_elsewhere([model])
    assert f"{model}; yours to delete" in of_command(privacy.command, station.out)
    model.rmdir()
    assert "models/hand is not there any more: was it moved?" in of_command(purge.command, station.out, "--yes")


STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abc"), st.integers(1, 4)),
    st.tuples(st.just("correct"), st.sampled_from("abc"), st.integers(0, LINES - 1)),
    st.tuples(st.just("settings"), st.booleans(), st.booleans()),
    st.tuples(st.just("csv"), st.none(), st.none()),
    st.tuples(st.just("delete"), st.sampled_from("abc"), st.sampled_from((".txt", ".json"))),
)


@given(st.lists(STEPS, min_size=2, max_size=7))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_in_whatever_order(steps: list[tuple[str, str, int]]) -> None:
    station = Station(Path(mkdtemp()))
    try:
        station.put("a", 1)
        station.batch()
        for number, (step, what, more) in enumerate(steps):
            _do(station, step, what, more, f"correction {number}")
            station.check()
    finally:
        shutil.rmtree(station.root)


def _do(station: Station, step: str, what: str, more: int, text: str) -> None:
    if step == "correct" and what in station.scans:
        station.correct(what, more, text)
    elif step == "put":
        station.put(what, more)
        station.batch()
    elif step == "settings":
        station.flatten = bool(what)
        station.batch(reread=bool(more))
    elif step == "csv":
        station.formats = ("text", "json", "csv")
        station.batch()
    elif step == "delete" and what in station.scans:
        (station.out / f"{what}{more}").unlink()
        station.batch()
