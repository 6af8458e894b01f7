"""What a run writes: no name twice, no input and nothing foreign replaced, long names shortened as in a batch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pikepdf import Pdf

from carrel.batch.names import candidates
from carrel.batch.purge import Purged, purge_read_results
from carrel.batch.read_results import LIST_NAME
from carrel.errors import OutputError
from carrel_cli.common.targets import Names, Outputs, name_results
from drawn_pdfs import add_page, drawn, saved_pdf
from faults import mounted


def named(*files: tuple[str, int], formats: tuple[str, ...] = ("text",)) -> list[Names]:
    return name_results([(Path(name), pages) for name, pages in files], formats)


def test_no_name_is_given_twice() -> None:
    pages = named(("multi.pdf", 2), ("multi-0001.png", 1), ("b/multi.tif", 1), ("MULTI.jpg", 1))
    results = [result for names in pages for result in names.results(("text",))]
    assert results == ["multi-0001.txt", "multi-0002.txt", "multi-0001.png.txt", "multi.txt", "MULTI.jpg.txt"]
    both = named(("leaf.png", 1), ("leaf.overlay.png", 1), formats=("overlay", "text", "pdf"))
    assert len({result for names in both for result in names.results(("overlay", "text", "pdf"))}) == 6
    composed, decomposed = "e\u0301.png", "\u00e9.png"
    assert len({names.document for names in named((composed, 1), (decomposed, 1))}) == 2


def test_documents_are_one_file_and_pages_many() -> None:
    (names,) = named(("deed.pdf", 3), formats=("pdf", "alto"))
    assert names.results(("pdf", "alto"), [2]) == ["deed.pdf", "deed-0003.alto.xml"]
    assert names.results(("pdf",), []) == []


def test_long_names_are_shortened_as_in_a_batch() -> None:
    path = Path("letter-of-the-keeper-" * 12 + ".png")
    (names,) = named((path.name, 1))
    assert names.document == next(candidates(path, "", 1))[0] and len(names.document.encode()) <= 200


def test_what_carrel_wrote_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("typed by hand")
    Outputs(tmp_path, dict.fromkeys(["page.txt"]), [], force=False).write("page.txt", b"one")
    again = Outputs(tmp_path, dict.fromkeys(["page.txt"]), [], force=False)
    again.write("page.txt", b"two")
    again.write("page.txt", b"three")
    with pytest.raises(OutputError, match=r"mine.txt: is no result of Carrel.*--force"):
        Outputs(tmp_path, dict.fromkeys(["other.txt", "mine.txt"]), [], force=False)
    (tmp_path / "page.txt").write_text("three, corrected")
    with pytest.raises(OutputError, match="was changed since"):
        Outputs(tmp_path, dict.fromkeys(["page.txt"]), [], force=False)
    Outputs(tmp_path, dict.fromkeys(["page.txt", "mine.txt"]), [], force=True).write("mine.txt", b"forced")
    assert (tmp_path / "mine.txt").read_bytes() == b"forced"


@pytest.mark.parametrize("link", ["same", "hard", "symbolic"])
def test_an_input_is_never_replaced(link: str, tmp_path: Path) -> None:
    scan = tmp_path / "deed.pdf"
    scan.write_bytes(b"%PDF-")
    result = tmp_path / "out.pdf"
    if link == "hard":
        result.hardlink_to(scan)
    elif link == "symbolic":
        result.symlink_to(scan)
    else:
        result = scan
    with pytest.raises(OutputError, match="is a file to be read"):
        Outputs(tmp_path, dict.fromkeys([result.name]), [scan], force=True)


def test_two_runs_do_not_take_each_others_names(tmp_path: Path) -> None:
    first, second = (Outputs(tmp_path, dict.fromkeys(["leaf.txt"]), [], force=False) for _ in range(2))
    first.write("leaf.txt", b"north")
    with pytest.raises(OutputError, match="written by another run"):
        second.write("leaf.txt", b"south")
    assert (tmp_path / "leaf.txt").read_bytes() == b"north"


def test_results_of_another_file_are_not_replaced(tmp_path: Path) -> None:
    north, south = (tmp_path / folder / "leaf.png" for folder in ("north", "south"))
    Outputs(tmp_path, {"leaf.txt": north}, [], force=False).write("leaf.txt", b"north")
    with pytest.raises(OutputError, match=r"is the result of .*north/leaf\.png; .*--force"):
        Outputs(tmp_path, {"leaf.txt": south}, [], force=False)
    Outputs(tmp_path, {"leaf.txt": north}, [], force=False).write("leaf.txt", b"north again")
    Outputs(tmp_path, {"leaf.txt": south}, [], force=True).write("leaf.txt", b"south")
    with pytest.raises(OutputError, match="south"):
        Outputs(tmp_path, {"leaf.txt": north}, [], force=False)


def test_links_in_the_way_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LIST_NAME).symlink_to(victim)
    with pytest.raises(OutputError, match="cannot be written"):
        Outputs(tmp_path / "out", dict.fromkeys(["page.txt"]), [], force=False)
    (tmp_path / "out" / LIST_NAME).unlink()
    (tmp_path / "out" / "page.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="no result of Carrel"):
        Outputs(tmp_path / "out", dict.fromkeys(["page.txt"]), [], force=False)
    assert victim.read_text() == "precious"


def test_a_damaged_list_only_asks(tmp_path: Path) -> None:
    Outputs(tmp_path, dict.fromkeys(["page.txt"]), [], force=False).write("page.txt", b"one")
    with (tmp_path / LIST_NAME).open("ab") as file:
        file.write(b'{"name": "oth\n[1]\n\xff\n')
    Outputs(tmp_path, dict.fromkeys(["page.txt"]), [], force=False).write("page.txt", b"two")


def test_reading_into_the_own_folder_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    pdf = Pdf.new()
    add_page(pdf, drawn())
    (tmp_path / "deed.pdf").write_bytes(saved_pdf(pdf))
    before = (tmp_path / "deed.pdf").read_bytes()
    carrel = shutil.which("carrel", path=str(Path(sys.executable).parent)) or "carrel"
    command = [carrel, "read", "deed.pdf", "-f", "pdf", "-o", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 5 and "deed.pdf: is a file to be read; choose another folder with -o" in done.stderr
    assert (tmp_path / "deed.pdf").read_bytes() == before


def test_a_list_that_is_a_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LIST_NAME)
    with pytest.raises(OutputError, match="is a pipe or device"):
        Outputs(tmp_path, dict.fromkeys(["page.txt"]), [], force=False)


def test_a_full_disk_is_told_of_the_folder(tmp_path: Path) -> None:
    try:
        with mounted("-t", "tmpfs", "-o", "size=4k", "tmpfs", tmp_path):
            outputs = Outputs(tmp_path, dict.fromkeys(["page.txt"]), [], force=False)
            with pytest.raises(OutputError, match=LIST_NAME):
                outputs.write("page.txt", b"x")
    except PermissionError as error:
        pytest.skip(f"no mounts here: {error}")


@pytest.mark.parametrize(
    "name", ["", "../victim", "/etc/victim", "a\0b", "x" * 5000, "a//b", ".", "line\nbreak", "\ud800"]
)
def test_a_list_of_strange_names_deletes_nothing_elsewhere(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "victim").write_text("precious")
    digest = hashlib.sha256(b"precious").hexdigest()
    (folder / LIST_NAME).write_text(json.dumps({"name": name, "sha256": digest}) + "\n")
    purge_read_results(folder, Purged(), changed=True)
    assert (tmp_path / "victim").read_text() == "precious"
