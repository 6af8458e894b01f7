"""Deleting: what single runs wrote, what tells of a document besides its results, what people had changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from carrel.batch.read_results import LIST_NAME, digests_of
from carrel.formats import FORMATS
from carrel.page import Source
from carrel_cli import review
from carrel_cli.common.targets import Outputs
from carrel_cli.machine import privacy, purge
from oracle_formats import page_of


def run(command: object, *arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))  # type: ignore[arg-type]


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def read_results(tmp_path: Path) -> Path:
    """The results of ``carrel read``: a letter, and a deed of two pages, in JSON and text; and somebody's note."""
    out = tmp_path / "out"
    out.mkdir()
    names = ["letter", "deed-0001", "deed-0002"]
    results = {f"{name}{FORMATS[kind].suffix}": (name, kind) for name in names for kind in ("json", "text")}
    outputs = Outputs(out, dict.fromkeys(results), [], force=False)
    for file, (name, kind) in results.items():
        outputs.write(file, FORMATS[kind].write(page_of(f"what {name} says", source=Source(f"{name}.png"))))
    (out / "note.txt").write_text("mine")
    return out


def test_results_of_read_are_named_and_deleted(read_results: Path) -> None:
    assert "now: 6 files of results of carrel read" in run(privacy.command, read_results).output
    told = run(purge.command, read_results, "--yes")
    assert told.exit_code == 0 and "deleted: 6 files of results" in told.output
    assert "left: 1 files that Carrel did not write" in told.output
    assert files_in(read_results) == {"note.txt"}


def test_one_document_of_read_is_deleted(read_results: Path) -> None:
    assert run(purge.command, read_results, "--document", "deed", "--yes").exit_code == 0
    assert files_in(read_results) == {"note.txt", "letter.json", "letter.txt", LIST_NAME}
    assert set(digests_of(read_results)) == {"letter.json", "letter.txt"}
    assert "no results of a document named deed" in str(
        run(purge.command, read_results, "--document", "deed", "--yes").exception
    )


def test_what_a_person_corrected_of_read_stays_unless_asked_for(read_results: Path) -> None:
    (read_results.parent / "fixed").mkdir()
    (read_results.parent / "fixed/letter.txt").write_text("what a letter says\n")
    sheet = read_results / "ws.tsv"
    run(review.command, read_results, "--corrected", read_results.parent / "fixed")
    assert run(review.command, read_results, "--all", "--worksheet", sheet).exit_code == 0
    assert "what a letter says" in (read_results / "letter.txt").read_text()
    told = run(purge.command, read_results, "--yes")
    assert "kept: 2 results that were changed" in told.output
    assert files_in(read_results) == {"note.txt", "letter.json", "letter.txt", LIST_NAME}  # the worksheet went
    run(purge.command, read_results, "--yes", "--changed")
    assert files_in(read_results) == {"note.txt"}


def test_a_list_that_leads_elsewhere_deletes_nothing_there(read_results: Path) -> None:
    victim = read_results.parent / "victim.txt"
    victim.write_text("precious")
    with (read_results / LIST_NAME).open("a") as file:
        file.write(json.dumps({"name": "../victim.txt", "sha256": "0" * 64}) + "\n")
    assert run(purge.command, read_results, "--yes", "--changed").exit_code == 1 or victim.is_file()
    assert victim.read_text() == "precious"


def test_a_folder_where_nothing_was_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert "neither a batch nor carrel read" in str(run(purge.command, tmp_path, "--yes").exception)
    assert files_in(tmp_path) == {"mine.txt"}
