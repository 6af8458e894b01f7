"""A station's day, end to end: scans read, reviewed, corrected, read again, replaced, listed and deleted."""

from __future__ import annotations

import json
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageDraw, ImageFont

from carrel.batch.folders import Folders
from carrel.formats import FORMATS, read_page
from carrel.page import Page
from command_line import exit_code_of

FACE = ImageFont.load_default(40)
LINES = ("The keeper of the tide tables", "wrote both figures down and", "waited a quarter of an hour")


def scan(*texts: str) -> Image.Image:
    image = Image.new("L", (760, 90 + 80 * len(texts)), 240)
    for number, text in enumerate(texts):
        ImageDraw.Draw(image).text((50, 50 + 80 * number), text, fill=20, font=FACE)
    return image


def run(capfd: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """What a command says; checks its exit code."""
    done = exit_code_of(*arguments)
    out, err = capfd.readouterr()
    assert done == code, out + err
    return out + err


def make_scans(root: Path) -> None:
    """Twelve files in three subfolders: pictures, a PDF, a TIFF of two pages, two equal ones, an empty one."""
    for folder in ("1901", "1902/a", "1903"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        scan(f"Letter number {number + 1} of the first year", *LINES[:2]).save(root / "1901" / f"letter {number}.png")
    for number in range(3):
        scan(f"Page {number + 1} of the accounts", LINES[0]).save(root / "1902" / "a" / f"account-{number}.png")
    scan("A deed of sale", LINES[1]).save(root / "1902" / "deed.pdf", resolution=150)
    frames = [scan(f"Sheet {word} of the register", LINES[2]) for word in ("one", "two")]
    frames[0].save(root / "1902" / "register.tif", save_all=True, append_images=frames[1:])
    scan("Twice the same notice", LINES[0]).save(root / "1903" / "notice.png")
    (root / "1903" / "same notice.png").write_bytes((root / "1903" / "notice.png").read_bytes())
    (root / "1903" / "empty.png").write_bytes(b"")


def pages(out: Path) -> dict[str, Page]:
    return {
        path.relative_to(out).as_posix().removesuffix(".json"): read_page(path)
        for path in sorted(out.rglob("*.json"))
        if ".carrel" not in path.parts
    }


def told(out: Path, name: str) -> dict[str, str]:
    """The text that each of a page's results holds."""
    found: dict[str, str] = {}
    for form in FORMATS.values():
        path = out / f"{name}{form.suffix}"
        page = name[-1] if name[:-1].endswith("-000") else ""
        if form.name == "pdf" and (page or path.is_file()):  # pages of a document share one
            with pypdfium2.PdfDocument(out / f"{name[:-5] if page else name}.pdf") as pdf:
                found["pdf"] = pdf[int(page or 1) - 1].get_textpage().get_text_range()
        elif path.is_file() and form.name in ("json", "alto"):
            found[form.name] = read_page(path).text
        elif path.is_file():
            found[form.name] = path.read_text("utf-8")
    return found


def test_a_day_at_a_station(  # noqa: PLR0915  one day, in its order
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_scans(Path("in"))
    out, sheet = Path("out"), Path("ws.tsv")
    batch = ("batch", "in", "-o", out, "--workers", "1", "--lang", "en")
    formats = ("-f", "alto,pdf,text,json")
    assert "12 files" in run(capfd, *batch, *formats, code=3)  # the empty one is refused
    read = pages(out)
    assert len(read) == 12 and {"1902/register-0001", "1902/register-0002", "1902/deed", "1903/same notice"} <= set(
        read
    )

    assert "lines to look at" in run(capfd, "review", out, "--all", "--worksheet", sheet)
    rows = [row.split("\t") for row in sheet.read_text("utf-8").splitlines() if not row.startswith("#")]
    second = [row[0] for row in rows if row[0].endswith("l1") and not row[0].startswith(("1903/same", "1901/letter 3"))]
    chosen = {line: f"Corrected line {number} of ten" for number, line in enumerate(second)}
    assert len(chosen) == 10
    rows = [[row[0], row[1], row[2], chosen.get(row[0], row[3])] for row in rows]
    sheet.write_text("\n".join("\t".join(row) for row in rows), "utf-8")
    assert "10 lines corrected" in run(capfd, "review", out, "--corrected", sheet, "--by", "Ann")

    def all_hold_their_corrections() -> None:
        for line, text in chosen.items():
            name, _, identity = line.rpartition("#")
            results = told(out, name)
            assert set(results) >= {"alto", "pdf", "text", "json"}
            assert all(text in " ".join(result.split()) for result in results.values()), (name, results)
            correction = next(li.correction for li in read_page(out / f"{name}.json").lines if li.id == identity)
            assert correction is not None and correction.by == "Ann"

    all_hold_their_corrections()
    assert "0 files written" in run(capfd, "apply", out)
    assert "1903/notice#" in "".join(chosen) and "Corrected" in told(out, "1903/same notice")["text"]  # an equal scan

    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and ".carrel" not in path.parts}
    said = run(capfd, *batch, *formats, "--no-deskew", code=3)
    assert "11 pages were read under other settings" in said
    assert before == {path: path.read_bytes() for path in before}
    run(capfd, *batch, "-f", "csv", code=3)  # one more format, from the corrected pages
    all_hold_their_corrections()
    assert "Corrected line" in told(out, "1902/deed")["csv"]
    run(capfd, *batch, *formats, "--no-deskew", "--reread", code=3)
    all_hold_their_corrections()
    assert [path.name for path in out.glob("1902/register*.pdf*")] == ["register.pdf"]

    scan("Another letter in its place", "of two lines").save(Path("in/1901/letter 0.png"))
    assert "a scan was replaced" in run(capfd, *batch, *formats, code=3)
    assert "Another letter" in told(out, "1901/letter 0")["text"]
    assert "Corrected line 0" in (out / "1901" / "letter 0.txt.~1~").read_text("utf-8")

    run(capfd, "manifest", out, "--text", "--images", "in")
    assert (out / "1902" / "register.txt").read_text("utf-8").count("\f") == 1
    assert "CER" in run(capfd, "eval", out, out)
    run(capfd, "review", out, "--worksheet", out / "again.tsv", "--html", "look.html", "--images", "in")
    sheet_of_privacy = run(capfd, "privacy", out)
    for name in ("mets.xml", "again.tsv", "look.html"):
        assert name in sheet_of_privacy
    assert json.loads(Folders.of(out).heartbeat.read_text("utf-8"))["doing"] == "stopped"

    said = run(capfd, "purge", out, "--document", "1902/register", "--yes")
    assert "deleted: " in said and not list(out.glob("1902/register*"))
    assert (out / "1902" / "deed.txt").is_file() and "look.html" in said
    run(capfd, *batch, *formats, code=3)
    assert not list(out.glob("1902/register*"))  # it is not made again
    run(capfd, "purge", out, "--yes")
    assert not [path for path in out.rglob("*") if path.is_file()]
