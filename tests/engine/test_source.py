"""Scans from every kind of file; one clear line for what cannot be read."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from carrel.errors import InputError
from carrel.image.source import Scan, count_pages, open_scans
from hostile import HEIGHT, WIDTH, BadFile, OddFile, bad_files, mutants, odd_files, picture

MEGAPIXELS = 30.0
PAGES = Path(__file__).parents[1] / "pages"


def scans(path: Path, max_megapixels: float = MEGAPIXELS) -> list[Scan]:
    return list(open_scans(path, max_megapixels))


def refusal_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        scans(path)
    message = str(caught.value)
    assert message.isprintable() and ";" in message, message
    return message


@pytest.mark.parametrize("odd", list(odd_files()), ids=lambda odd: ascii(odd.name))
def test_odd_files_are_read(odd: OddFile, tmp_path: Path) -> None:
    path = odd.write(tmp_path)
    pages = scans(path)
    assert count_pages(path) == len(pages) == odd.pages
    for index, page in enumerate(pages):
        assert page.gray.dtype == np.uint8 and page.gray.flags.c_contiguous
        assert page.gray.shape == odd.gray.shape
        assert int(np.abs(page.gray.astype(int) - odd.gray).max()) <= odd.tolerance
        assert (page.source.file_name, page.source.page_index) == (odd.name, index)


@pytest.mark.parametrize("bad", list(bad_files()), ids=lambda bad: bad.name)
def test_bad_files_are_refused_in_one_line(bad: BadFile, tmp_path: Path) -> None:
    path = bad.write(tmp_path)
    pages: list[Scan] = []
    with pytest.raises(InputError) as caught:
        pages.extend(scan for scan in open_scans(path, MEGAPIXELS))
    message = str(caught.value)
    assert message.startswith(str(path)) and bad.says in message, message
    assert message.isprintable() and ";" in message, message


def test_pages_before_a_bad_one_are_handed_out(tmp_path: Path) -> None:
    bad = next(bad for bad in bad_files() if bad.pages_before)
    pages = open_scans(bad.write(tmp_path), MEGAPIXELS)
    assert np.array_equal(next(pages).gray, picture())
    with pytest.raises(InputError, match="page 2"):
        next(pages)


def test_mutants_are_refused_or_read_without_a_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = {"read": 0, "refused": 0}
    for name, data in mutants(seed=5, count=240):
        path = tmp_path / name
        path.write_bytes(data)
        try:
            for scan in open_scans(path, 4.0):
                assert scan.gray.dtype == np.uint8 and 0 < scan.gray.size <= 4_050_000
            outcomes["read"] += 1
        except InputError as error:
            assert str(error).isprintable()
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20, outcomes
    assert capfd.readouterr() == ("", "")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert "is a folder" in refusal_of(tmp_path)
    assert "no such file" in refusal_of(tmp_path / "absent.png")
    assert "no such file" in refusal_of(Path(__file__) / "below.png")
    assert "pipe, socket or device" in refusal_of(tmp_path / "pipe")
    assert "pipe, socket or device" in refusal_of(Path("/dev/zero"))
    assert "symbolic links" in refusal_of(tmp_path / "a")
    assert "cannot be opened" in refusal_of(tmp_path / ("x" * 300))
    assert "cannot be opened" in refusal_of(Path("nul\0.png"))


def test_a_name_cannot_break_the_line(tmp_path: Path) -> None:
    bad = BadFile("a\nb\u202egnp.png", b"", "")
    assert refusal_of(bad.write(tmp_path)).startswith(f"{tmp_path}/a\\nb\\u202egnp.png: ")


def test_budget_counts_pixels_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    Image.new("L", (400, 500), 255).save(path)
    assert len(scans(path, 0.2)) == 1
    with pytest.raises(InputError, match="400 x 500 px is above the limit"):
        scans(path, 0.199)


def test_the_budget_is_the_callers_not_pillows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    path = tmp_path / "page.tif"
    Image.new("L", (400, 500), 255).save(path, tile=(256, 256))
    assert scans(path)[0].gray.shape == (500, 400)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize(
    ("dpi", "size", "seen"),
    [
        ((300, 300), (2480, 3508), 300.0),
        ((72, 72), (2480, 3508), None),
        ((96, 96), (800, 1000), None),
        ((300, 60), (800, 1000), None),
        ((100, 100), (4000, 3000), None),
        ((1, 1), (800, 1000), None),
        (None, (800, 1000), None),
    ],
)
def test_resolution_is_taken_when_it_can_be_true(
    dpi: tuple[int, int] | None, size: tuple[int, int], seen: float | None, tmp_path: Path
) -> None:
    path = tmp_path / "page.tif"
    image = Image.new("1", size, 1)
    image.save(path, "TIFF", dpi=dpi)
    assert scans(path)[0].dpi == seen


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_pixels_of_a_fax_become_square(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "fax.tif"
    stored = Image.new("L", (204, 98), 200)
    stored.paste(0, (0, 0, 102, 49))
    stored.save(path, "TIFF", dpi=(204, 98), tiffinfo={274: orientation})
    (scan,) = scans(path)
    assert (scan.dpi, scan.gray.shape) == (204.0, (204, 204))
    corner = {1: (50, 50), 3: (150, 150), 6: (50, 150)}[orientation]
    assert scan.gray[corner] == 0 and np.count_nonzero(scan.gray == 200) > 30_000


@pytest.mark.parametrize(("cut", "missing"), [(2, 0), (40, 2), (None, 1000)])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_that_lacks_only_its_end(cut: int | None, missing: int, progressive: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(100, 156, (400, 300)).astype(np.uint8)
    path = tmp_path / "page.jpg"
    Image.fromarray(noise).save(path, progressive=progressive, quality=90)
    whole = scans(path)[0].gray
    data = path.read_bytes()
    path.write_bytes(data[: -cut if cut else len(data) // 2])
    if cut is None:
        assert "is cut short" in refusal_of(path)
        return
    assert scans(path)[0].note.startswith("the file lacks its end, ")
    differs = np.abs(scans(path)[0].gray.astype(int) - whole) > (20 if progressive else 0)
    assert np.count_nonzero(differs.any(axis=1)) <= 8 * missing


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pdf_at_the_resolution_of_its_scan(rotation: int, tmp_path: Path) -> None:
    import pikepdf

    source = Image.open(PAGES / "letter.jpg").crop((0, 0, 800, 1000))
    path = tmp_path / "letter.pdf"
    source.save(path, resolution=200, quality=95)
    with pikepdf.open(path, allow_overwriting_input=True) as document:
        document.pages[0].rotate(rotation, relative=True)
        document.save(path)
    (scan,) = scans(path)
    expected = np.rot90(np.asarray(source), -rotation // 90)
    assert scan.dpi == pytest.approx(200, rel=1e-3)
    assert scan.gray.shape == expected.shape
    assert np.abs(scan.gray.astype(int) - expected).mean() < 2


def test_every_pixel_of_a_scan_in_a_pdf_is_as_it_was_scanned(tmp_path: Path) -> None:
    import pikepdf

    rng, path = np.random.default_rng(5), tmp_path / "scan.pdf"
    for _ in range(40):
        (width, height), dpi, digits = (
            rng.integers(150, 500, 2).tolist(),
            rng.choice([150, 200, 300, 600]),
            rng.choice([2, 6]),
        )
        noise = rng.integers(0, 256, (height, width)).astype(np.uint8)
        across, down = (round(float(px * 72 / dpi), digits) for px in (width, height))
        with pikepdf.new() as document:
            image = pikepdf.Stream(document, noise.tobytes(), Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Image)
            image.Width, image.Height, image.BitsPerComponent = width, height, 8
            image.ColorSpace = pikepdf.Name.DeviceGray
            page = document.add_blank_page(page_size=(across, down))
            page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=document.make_indirect(image)))
            page.Contents = document.make_stream(f"q {across} 0 0 {down} 0 0 cm /Im0 Do Q".encode())
            degrees = int(rng.choice([0, 90, 180, 270]))
            page.rotate(degrees, relative=True)
            document.save(path)
        (scan,) = scans(path)
        assert np.array_equal(scan.gray, np.rot90(noise, -degrees // 90)), (width, height, dpi, digits, degrees)


def test_pdf_without_a_scan_is_rendered_at_300_dpi_or_what_fits(tmp_path: Path) -> None:
    import pikepdf

    path = tmp_path / "drawn.pdf"
    with pikepdf.new() as document:
        page = document.add_blank_page(page_size=(720, 360))
        page.Contents = document.make_stream(b"0 g 72 72 72 36 re f")
        document.save(path)
    (scan,) = scans(path)
    assert (scan.dpi, scan.gray.shape) == (300.0, (1500, 3000))
    assert scan.gray[1500 - 450 : 1500 - 300, 300:600].max() == 0 and scan.gray[:1000].min() == 255
    (small,) = scans(path, 2.0)
    assert small.dpi == pytest.approx(200.0, rel=2e-3) and small.gray.shape == (999, 1998)


def test_thumbnails_in_a_tiff_are_no_pages(tmp_path: Path) -> None:
    page, thumbnail = Image.fromarray(picture()), Image.new("L", (20, 20))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    path = tmp_path / "pages.tif"
    page.save(path, save_all=True, append_images=[thumbnail, page])
    assert count_pages(path) == 2
    assert [scan.gray.shape for scan in scans(path)] == [(HEIGHT, WIDTH)] * 2


def test_threads_may_read_at_once(tmp_path: Path) -> None:
    paths = [odd.write(tmp_path) for odd in odd_files() if odd.name in ("scan.pdf", "three-pages.tif", "colour.jpg")]
    expected = {path: [scan.gray for scan in scans(path)] for path in paths}
    failures: list[str] = []

    def read(path: Path) -> None:
        for _ in range(10):
            pages = [scan.gray for scan in scans(path)]
            if not all(map(np.array_equal, pages, expected[path])):
                failures.append(path.name)

    threads = [threading.Thread(target=read, args=(path,)) for path in paths * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_shipped_pages_are_read() -> None:
    sizes = {path.stem: scans(path)[0] for path in sorted(PAGES.glob("*.jpg"))}
    assert {name: (scan.gray.shape, scan.dpi) for name, scan in sizes.items()} == {
        "french": ((2480, 1748), 300.0),
        "letter": ((2480, 1748), 300.0),
        "two-columns": ((2150, 1819), 220.0),
    }
