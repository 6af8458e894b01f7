"""The real OCRmyPDF with Carrel's plugin, on the pages that ship: text, options, errors."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops

import carrel
from carrel.evaluate import character_errors
from carrel.page import Page

pytest.importorskip("ocrmypdf", reason="ocrmypdf is not installed: uv sync --extra ocrmypdf")
from ocrmypdf.helpers import Resolution

from carrel_ocrmypdf import rasterize_pdf_page
from carrel_ocrmypdf.elements import element_of
from carrel_ocrmypdf.engine import CarrelEngine, read_options, reader_of

PAGES = Path(__file__).parents[1] / "pages"
ROTATED = {"letter": 0, "french": 180}
"""Degrees by which the pages of the document lie rotated."""


@pytest.fixture(scope="module", autouse=True)
def no_reader_is_left() -> Iterator[None]:
    yield
    reader_of.cache_clear()


@pytest.fixture(scope="module")
def reader() -> carrel.Reader:
    return carrel.Reader(carrel.ReadOptions(threads=1))


@pytest.fixture(scope="module")
def letter(reader: carrel.Reader) -> Page:
    return reader.read(PAGES / "letter.jpg")


def scanned(images: Sequence[bytes], path: Path) -> Path:
    """Write a PDF of JPEGs as a scanner does: no text."""
    with pikepdf.Pdf.new() as pdf:
        for data in images:
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
            points = (width * 72 / 300, height * 72 / 300)
            page = pdf.add_blank_page(page_size=points)
            picture = pikepdf.Stream(pdf, data)
            picture.update({"/Type": pikepdf.Name.XObject, "/Subtype": pikepdf.Name.Image, "/Width": width})  # pyright: ignore[reportAttributeAccessIssue]
            picture.Height, picture.ColorSpace = height, pikepdf.Name.DeviceGray
            picture.BitsPerComponent, picture.Filter = 8, pikepdf.Name.DCTDecode
            page.obj.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(Im0=pdf.make_indirect(picture)))
            page.obj.Contents = pdf.make_stream(f"q {points[0]} 0 0 {points[1]} 0 0 cm /Im0 Do Q".encode())
        pdf.save(path)
    return path


def jpeg(name: str, degrees: int = 0) -> bytes:
    if not degrees:
        return (PAGES / f"{name}.jpg").read_bytes()
    out = io.BytesIO()
    with Image.open(PAGES / f"{name}.jpg") as image:
        image.convert("L").rotate(degrees, expand=True).save(out, "JPEG", quality=92, dpi=(300, 300))
    return out.getvalue()


def ocrmypdf(
    *arguments: object, plugin: bool = True, path: str | None = None, temporary: Path | None = None
) -> subprocess.CompletedProcess[str]:
    chosen = ["--plugin", "carrel_ocrmypdf"] if plugin else []
    command = [sys.executable, "-m", "ocrmypdf", "-q", *chosen, *map(str, arguments)]
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}" if path is None else path}
    if temporary is not None:
        command.append("--keep-temporary-files")
        environment["TMPDIR"] = str(temporary)
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def texts_of(pdf: Path) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return [page.get_textpage().get_text_bounded() for page in document]
    finally:
        document.close()


def cer(name: str, text: str) -> float:
    true = " ".join((PAGES / f"{name}.gt.txt").read_text("utf-8").split())
    return character_errors(true, " ".join(text.replace("\ufffe", "-").split())) / len(true)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A letter in handwriting and an upside-down page of print, made searchable in two jobs."""
    folder = tmp_path_factory.mktemp("pdf")
    source = scanned([jpeg(name, degrees) for name, degrees in ROTATED.items()], folder / "in.pdf")
    options = ("-l", "eng+fra", "--jobs", "2", "--rotate-pages", "--sidecar", folder / "text.txt")
    done = ocrmypdf(*options, source, folder / "out.pdf", temporary=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_print_and_handwriting_are_found_in_the_pdf(made: Path, reader: carrel.Reader, letter: Page) -> None:
    scans = (letter.text, reader.read(PAGES / "french.jpg").text)
    sidecar = (made / "text.txt").read_text("utf-8").split("\f")
    for name, scan, found, beside in zip(ROTATED, scans, texts_of(made / "out.pdf"), sidecar, strict=False):
        assert cer(name, found) <= 1.05 * cer(name, scan), name
        assert cer(name, beside) <= 1.05 * cer(name, scan), name
        assert cer(name, scan) <= 0.01


def drawn(source: Path, target: Path, kind: str = "pnggray", rotation: int | None = None) -> Image.Image:
    """The picture of the first page."""
    path = rasterize_pdf_page(
        input_file=source,
        output_file=target,
        raster_device=kind,
        raster_dpi=Resolution(300.0, 300.0),
        pageno=1,
        page_dpi=None,
        rotation=rotation,
        filter_vector=False,
        stop_on_soft_error=True,
        options=None,
        use_cropbox=False,
    )
    assert path == target
    picture = Image.open(io.BytesIO(target.read_bytes()))
    assert picture.info["dpi"] == pytest.approx((300, 300), rel=1e-5)
    return picture


def noise(size: tuple[int, int]) -> bytes:
    data = io.BytesIO()
    Image.effect_noise(size, 60).save(data, "JPEG", quality=95)
    return data.getvalue()


def apart(picture: Image.Image, scan: Image.Image) -> float:
    """The largest difference of two pictures."""
    assert picture.size == scan.size
    bounds: tuple[float, float] = ImageChops.difference(picture.convert("L"), scan).getextrema()  # pyright: ignore[reportAssignmentType]
    return bounds[1]


@pytest.mark.parametrize("size", [(158, 320), (198, 385), (268, 277), (339, 327), (1748, 248)])
def test_every_pixel_of_a_scan_stays_as_it_is(size: tuple[int, int], tmp_path: Path) -> None:
    data = noise(size)
    source, scan = scanned([data], tmp_path / "scan.pdf"), Image.open(io.BytesIO(data))
    for kind in ("pnggray", "png16m"):
        assert apart(drawn(source, tmp_path / "page.png", kind), scan) <= 2, "decoders of JPEG may differ by so much"
    for degrees in (90, 180, 270):
        found = drawn(source, tmp_path / "page.png", rotation=degrees)
        assert apart(found, scan.rotate(degrees, expand=True)) <= 2


def test_pages_that_lie_rotated_or_cropped_are_drawn_whole_and_upright(tmp_path: Path) -> None:
    source, data = tmp_path / "scan.pdf", noise((198, 385))
    scan = Image.open(io.BytesIO(data))
    with pikepdf.open(scanned([data], source), allow_overwriting_input=True) as pdf:
        pdf.pages[0].obj.Rotate = 90
        pdf.pages[0].obj.CropBox = pikepdf.Array([10, 10, 30, 30])
        pdf.save(source)
    assert apart(drawn(source, tmp_path / "page.png"), scan.rotate(-90, expand=True)) <= 2
    assert apart(drawn(source, tmp_path / "page.png", rotation=90), scan) <= 2


@pytest.mark.parametrize(
    ("kind", "mode"), [("pngmonod", "1"), ("pnggray", "L"), ("png256", "P"), ("png16m", "RGB"), ("jpeggray", "L")]
)
def test_kinds_of_pictures(kind: str, mode: str, tmp_path: Path) -> None:
    picture = drawn(scanned([noise((60, 40))], tmp_path / "scan.pdf"), tmp_path / "page", kind)
    assert (picture.mode, picture.size, picture.format) == (mode, (60, 40), "JPEG" if "jpeg" in kind else "PNG")


def test_another_rasterizer_is_left_to_ocrmypdf(tmp_path: Path) -> None:
    asked: Any = dict.fromkeys(("input_file", "output_file", "page_dpi", "rotation", "pageno"), None)
    for kind, rasterizer in (("pnggray", "ghostscript"), ("tiff24nc", "auto")):
        options = SimpleNamespace(rasterizer=rasterizer)
        more: Any = {"raster_device": kind, "raster_dpi": Resolution(300.0, 300.0), "options": options}
        flags: Any = dict.fromkeys(("filter_vector", "stop_on_soft_error", "use_cropbox"), False)
        assert rasterize_pdf_page(**asked, **more, **flags) is None


def test_the_pdf_is_an_archive_of_upright_pages(made: Path) -> None:
    with pikepdf.open(made / "out.pdf") as pdf, pdf.open_metadata() as metadata:
        assert metadata["pdfaid:part"] == "2"
        assert f"Carrel {carrel.__version__}" in str(metadata["xmp:CreatorTool"])
        turned = [int(page.obj.get("/Rotate", 0)) for page in pdf.pages]
    assert turned == list(ROTATED.values())


def test_a_searchable_pdf_is_skipped_or_read_anew(made: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.pdf"
    with pikepdf.open(made / "out.pdf") as pdf:
        del pdf.pages[0]
        pdf.save(first)
    before = texts_of(first)
    assert ocrmypdf(first, tmp_path / "no.pdf").returncode == 6
    done = ocrmypdf("--skip-text", first, tmp_path / "skipped.pdf", path="/nowhere")  # without a tesseract command
    assert (done.returncode, texts_of(tmp_path / "skipped.pdf")) == (0, before), done.stderr
    done = ocrmypdf("--force-ocr", "--deskew", "-l", "fra", first, tmp_path / "redone.pdf")
    assert done.returncode == 0, done.stderr
    assert cer("french", texts_of(tmp_path / "redone.pdf")[0]) <= 0.002
    wrong = tmp_path / "wrong.pdf"  # as other OCR has left it: an invisible text that is not the page's
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    with pikepdf.open(scanned([jpeg("french")], tmp_path / "scan.pdf")) as pdf:
        pdf.pages[0].obj.Resources.Font = pikepdf.Dictionary(F1=font)
        pdf.pages[0].contents_add(b"BT /F1 12 Tf 3 Tr 50 50 Td (misread by somebody) Tj ET")
        pdf.save(wrong)
    assert "misread" in texts_of(wrong)[0]
    done = ocrmypdf("--redo-ocr", "-l", "fra", wrong, tmp_path / "redo.pdf")
    assert done.returncode == 0, done.stderr
    (text,) = texts_of(tmp_path / "redo.pdf")
    assert "misread" not in text and cer("french", text) <= 0.005


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--carrel-memory", "some"), 1, "some: not an amount of memory"),
        (("--carrel-memory", "20M"), 1, "20 MiB of memory are too little"),
        (("--carrel-model", "/nowhere/model"), 3, "no model there"),
    ],
)
def test_what_cannot_be_met_is_said_before_a_page_is_read(
    options: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    source = scanned([jpeg("letter")], tmp_path / "in.pdf")
    done = ocrmypdf(*options, source, tmp_path / "out.pdf")
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "out.pdf").exists()


def test_lines_words_baselines_and_confidences_arrive(letter: Page) -> None:
    tree = element_of(letter, 0)
    read = [line for line in letter.lines if line.words]
    assert [line.text for line in tree.lines] == [line.text for line in read]
    for element, line in zip(tree.lines, read, strict=True):
        assert element.bbox is not None and element.baseline is not None
        assert (element.confidence, element.poly) == (line.confidence, list(line.polygon))
        for x, y in (line.baseline[0], line.baseline[-1]):
            on_line = (
                element.bbox.bottom + element.baseline.intercept + element.baseline.slope * (x - element.bbox.left)
            )
            assert abs(on_line - y) < 1
        assert [(word.text, word.confidence) for word in element.children] == [
            (word.text, word.confidence) for word in line.words
        ]


def test_files_of_older_interfaces(letter: Page, tmp_path: Path) -> None:
    options = SimpleNamespace(languages=["eng", "fra"], carrel_memory=None, carrel_writing="auto", carrel_model=None)
    image = tmp_path / "line.png"
    with Image.open(PAGES / "letter.jpg") as scan:
        scan.crop((0, 60, scan.width, 420)).save(image, dpi=(300, 300))
    CarrelEngine.generate_hocr(image, tmp_path / "a.hocr", tmp_path / "a.txt", options)
    text = (tmp_path / "a.txt").read_text("utf-8")
    assert "Orchard Street" in text
    assert carrel.read_page(tmp_path / "a.hocr").text == text.rstrip("\n")
    CarrelEngine.generate_pdf(image, tmp_path / "a.pdf", tmp_path / "b.txt", options)
    assert (tmp_path / "b.txt").read_text("utf-8") == text
    assert "".join(texts_of(tmp_path / "a.pdf")[0].split()) == "".join(text.split())


def test_processes_share_the_memory() -> None:
    options = SimpleNamespace(languages=["eng"], carrel_memory="900M", jobs=3, use_threads=False)
    assert read_options(options).memory_bytes == 300 * 2**20
    options.use_threads = True
    assert read_options(options).memory_bytes == 900 * 2**20
