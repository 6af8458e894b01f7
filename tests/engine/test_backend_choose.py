"""Pages whose size is known beforehand: read wherever a runtime can hold them, else refused with the limit that does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from carrel.backends import CPU, Runtime
from carrel.backends.choose import planned_for
from carrel.backends.costs import costs
from carrel.backends.plan import MIB, Asked, Measured, loaded_bytes
from carrel.backends.probe import Survey
from carrel.budget import enough, least_limit, page_bytes, parse_memory
from carrel.errors import UsageError
from carrel.image.source import PageSize, largest_page

BF16 = Runtime("openvino", "cpu", "bf16")
INT8 = Runtime("openvino", "cpu", "int8")
MEASURED = st.builds(
    Measured,
    runtime=st.sampled_from([CPU, BF16, INT8]),
    load_s=st.floats(0, 3),
    lines_per_s=st.floats(1, 1000),
    memory_bytes=st.integers(0, 700).map(lambda n: n * MIB),
    threads=st.integers(1, 4),
)
ASKED = st.builds(
    Asked,
    memory_bytes=st.integers(1, 2000).map(lambda n: n * MIB),
    cores=st.integers(1, 4),
    threads=st.integers(0, 4),
    backend=st.sampled_from(["auto", "onnxruntime", "openvino"]),
    languages=st.integers(0, 3),
    language_model=st.booleans(),
    library=st.booleans(),
    page_px=st.just(0),
)
PAGES = st.tuples(st.integers(1, 40_000_000), st.sampled_from([1, 2, 4, 6, 8, 16]))


def refused(found: list[Runtime], done: Survey, asked: Asked, page: tuple[int, int], largest: tuple[int, int]) -> int:
    """The limit that the refusal of a page names, 0 where it is read; ``largest`` is the largest page of the run."""
    try:
        chosen = planned_for(found, done, asked, largest)
    except UsageError as error:
        named = re.search(r"--memory (\d+M) will do", str(error))
        assert named is not None
        return parse_memory(named[1])
    needed = page_bytes(*page)
    return least_limit(asked.memory_bytes, chosen.fixed_bytes, chosen.largest_bytes, needed)


@settings(max_examples=100, deadline=None)
@given(st.lists(MEASURED, max_size=3), ASKED, PAGES)
@example([], Asked(memory_bytes=100 * MIB, backend="openvino", page_px=0), (30_000_000, 1))
@example([], Asked(memory_bytes=100 * MIB, backend="onnxruntime", page_px=0), (40_000_000, 4))
@example([Measured(BF16, lines_per_s=500)], Asked(memory_bytes=400 * MIB, page_px=0), (40_000_000, 1))
def test_refusal_names_the_smallest_limit_that_works(
    measured: list[Measured], asked: Asked, page: tuple[int, int]
) -> None:
    found, done = [CPU, BF16, INT8], Survey((), tuple(measured))
    least = refused(found, done, asked, page, page)
    if least:
        assert least > asked.memory_bytes
        assert refused(found, done, replace(asked, memory_bytes=least), page, page) == 0
        assert refused(found, done, replace(asked, memory_bytes=least - MIB), page, page) == least


@settings(max_examples=100, deadline=None)
@given(st.lists(MEASURED, max_size=3), ASKED, PAGES, PAGES)
def test_page_beside_a_larger_one_is_read_under_the_limit_named_for_it(
    measured: list[Measured], asked: Asked, one: tuple[int, int], other: tuple[int, int]
) -> None:
    small, large = sorted((one, other), key=lambda p: page_bytes(*p))
    found, done = [CPU, BF16, INT8], Survey((), tuple(measured))
    least = refused(found, done, asked, small, large)
    if least:
        assert refused(found, done, replace(asked, memory_bytes=least), small, large) == 0


def test_runtime_that_holds_the_page_is_chosen_before_a_faster_one_that_does_not() -> None:
    faster = Measured(BF16, lines_per_s=900, threads=2)
    usual = Measured(CPU, lines_per_s=100, threads=2)
    asked = Asked(memory_bytes=0, page_px=0, lines=100_000)
    without_page = loaded_bytes(BF16, faster, asked, costs(), 1)
    asked = replace(asked, memory_bytes=enough(without_page + 100 * MIB))
    done = Survey((), (faster, usual))
    assert planned_for([CPU, BF16], done, asked, (1_000_000, 1)).runtime == BF16
    assert planned_for([CPU, BF16], done, asked, (40_000_000, 1)).runtime == CPU


def test_largest_page_of_files_is_seen_in_their_headers(tmp_path: Path) -> None:
    paper = np.full((600, 400), 255, np.uint8)
    gray, color, pdf, tiff = (tmp_path / name for name in ("gray.png", "color.png", "page.pdf", "pages.tif"))
    Image.fromarray(paper).save(gray)
    Image.fromarray(np.stack([paper[:400]] * 3, 2)).save(color)
    Image.fromarray(paper).save(pdf, resolution=200)
    Image.fromarray(paper[:100]).save(tiff, save_all=True, append_images=[Image.fromarray(paper[:500])])
    missing = tmp_path / "missing.png"
    assert largest_page([gray], 250) == PageSize(240_000, 1)
    assert largest_page([gray, color, missing], 250) == PageSize(160_000, 4)
    assert largest_page([tiff], 250) == PageSize(200_000, 1)
    assert largest_page([gray], 0.2) is None
    found = largest_page([gray, pdf], 250)
    assert found is not None
    assert found.bytes_per_px == 6
    assert found.pixels == pytest.approx(240_000, rel=0.01)
