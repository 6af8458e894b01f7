"""The reader as a library: what it takes, what stops it, and several threads on one."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import carrel
from carrel.image.inputs import Scannable
from carrel.progress import STAGES

LETTER = Path(__file__).parents[1] / "pages" / "letter.jpg"
OPTIONS = carrel.ReadOptions(threads=2)


@pytest.fixture(scope="module")
def reader() -> Iterator[carrel.Reader]:
    with carrel.Reader(OPTIONS) as opened:
        yield opened


@pytest.fixture(scope="module")
def strip() -> Image.Image:
    """The first lines of a page."""
    with Image.open(LETTER) as image:
        return image.convert("L").crop((0, 150, image.width, 620))


@pytest.fixture(scope="module")
def text(reader: carrel.Reader, strip: Image.Image) -> str:
    page = reader.read(strip)
    assert len(page.lines) >= 3 and page.source.file_name == "unnamed"
    return page.text


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


class Piped(io.BytesIO):
    """A stream that cannot be sought."""

    def seekable(self) -> bool:
        return False


SOURCES: list[Callable[[Image.Image, Path], Scannable]] = [
    lambda image, folder: str(folder / "strip.png"),
    lambda image, folder: folder / "strip.png",
    lambda image, folder: _png(image),
    lambda image, folder: bytearray(_png(image)),
    lambda image, folder: io.BytesIO(_png(image)),
    lambda image, folder: Piped(_png(image)),
    lambda image, folder: image.convert("RGB"),
    lambda image, folder: np.asarray(image),
    lambda image, folder: np.asarray(image.convert("RGBA")),
]


@pytest.mark.parametrize("make", SOURCES)
def test_every_kind_of_source_reads_the_same(
    reader: carrel.Reader, strip: Image.Image, text: str, make: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "strip.png").write_bytes(_png(strip))
    assert reader.read(make(strip, tmp_path)).text == text


def test_a_picture_is_left_as_it_was_and_upright_after_its_orientation(
    reader: carrel.Reader, strip: Image.Image, text: str
) -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[274] = 3  # upside down
    strip.rotate(180).save(stream, "PNG", exif=exif)
    picture = Image.open(stream)
    assert reader.read(picture).text == text
    assert (picture.mode, picture.getexif()[274]) == ("L", 3)


@pytest.mark.parametrize("source", [7, None, io.StringIO("text"), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)])
def test_other_sources_are_refused_by_the_name_of_the_parameter(reader: carrel.Reader, source: Any) -> None:
    with pytest.raises(carrel.UsageError, match=r"^source: expected a path, bytes"):
        reader.read(source)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"languages": "eng"}, r"^languages: expected a tuple .* got 'eng'"),
        ({"languages": ()}, "^languages: "),
        ({"languages": ("eng", 1)}, "^languages: "),
        ({"threads": -1}, r"^threads: expected 0 .* got -1"),
        ({"page_timeout_s": 0.0}, "^page_timeout_s: expected more than 0"),
        ({"max_megapixels": float("nan")}, "^max_megapixels: "),
        ({"memory_bytes": -5}, "^memory_bytes: "),
        ({"writing": "typed"}, "^writing: "),
    ],
)
def test_options_are_refused_by_the_name_of_the_parameter(values: dict[str, Any], said: str) -> None:
    with pytest.raises(carrel.UsageError, match=said):
        carrel.ReadOptions(**values)


def test_progress_names_each_stage_in_order(reader: carrel.Reader, strip: Image.Image) -> None:
    stages: list[str] = []
    reader.read(strip, progress=stages.append)
    assert stages[:3] == list(STAGES[:3]) and stages[-1] == "assemble"


def test_a_page_is_cancelled_before_a_stage_and_between_lines(reader: carrel.Reader, strip: Image.Image) -> None:
    stages: list[str] = []
    with pytest.raises(carrel.CancelledError, match="cancelled"):
        reader.read(strip, progress=stages.append, cancelled=lambda: "segment" in stages)
    assert stages == ["prepare", "segment"]
    asked: list[bool] = []

    def later() -> bool:
        asked.append("recognize" in stages)
        return asked.count(True) > 4

    stages.clear()
    with pytest.raises(carrel.CancelledError):
        reader.read(strip, progress=stages.append, cancelled=later)
    assert stages == ["prepare", "segment", "recognize"]


def test_a_page_that_takes_too_long_is_refused(strip: Image.Image) -> None:
    with (
        carrel.Reader(carrel.ReadOptions(threads=1, page_timeout_s=0.001)) as quick,
        pytest.raises(carrel.PageTimeoutError, match=r"longer than 0.001 s; raise page_timeout_s"),
    ):
        quick.read(strip)


def test_a_closed_reader_says_so(strip: Image.Image) -> None:
    with carrel.Reader(OPTIONS) as closed:
        pass
    closed.close()
    with pytest.raises(carrel.UsageError, match="reader is closed"):
        closed.read(strip)


def test_two_threads_a_cancel_and_a_bad_image_on_one_reader(
    reader: carrel.Reader, strip: Image.Image, text: str
) -> None:
    together = threading.Barrier(4)

    def read(kind: str) -> str:
        together.wait(30)
        try:
            source = b"no image" if kind == "bad" else strip
            return reader.read(source, cancelled=lambda: kind == "cancelled").text
        except carrel.CarrelError as error:
            return type(error).__name__

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, ("good", "cancelled", "bad", "good"))) == [
            text,
            "CancelledError",
            "InputError",
            text,
        ]
