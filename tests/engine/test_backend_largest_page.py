"""Pages whose size is known beforehand: read wherever a runtime can hold them, else refused with the limit that does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from carrel.backends import CPU, Runtime
from carrel.backends.costs import Measured, Request, needed_bytes, shipped_costs
from carrel.backends.devices import Found
from carrel.backends.selection import Facts, Refusal, Selection, select
from carrel.budget import PageSize, enough, least_limit
from carrel.image.source import largest_page
from carrel.process_memory import MIB

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
REQUESTS = st.builds(
    Request,
    memory_bytes=st.integers(1, 2000).map(lambda n: n * MIB),
    cores=st.integers(1, 4),
    threads=st.integers(0, 4),
    backend=st.sampled_from(["auto", "onnxruntime", "openvino"]),
    languages=st.integers(0, 3),
    language_model=st.booleans(),
    library=st.booleans(),
    page=st.none(),
)
PAGES = st.builds(PageSize, st.integers(1, 40_000_000), st.sampled_from([1, 2, 4, 6, 8, 16]))


FOUND = (Found("openvino", "cpu", "", ("bf16", "int8")),)


def refused(request: Request, measured: list[Measured], page: PageSize, largest: PageSize) -> int:
    """The limit that the refusal of a page names, 0 where it is read; ``largest`` is the largest page of the run."""
    answer = select(replace(request, largest=largest), Facts(FOUND, tuple(measured), shipped_costs()))
    if isinstance(answer, Refusal):
        assert answer.message.endswith(f"--memory {answer.least_bytes // MIB}M will do")
        return answer.least_bytes
    change = answer.next_fixed_bytes - answer.fixed_bytes
    return least_limit(request.memory_bytes, answer.fixed_bytes, change, page.needed_bytes)


@settings(max_examples=100, deadline=None)
@given(st.lists(MEASURED, max_size=3), REQUESTS, PAGES)
@example([], Request(memory_bytes=100 * MIB, backend="openvino", page=None), PageSize(30_000_000, 1))
@example([], Request(memory_bytes=100 * MIB, backend="onnxruntime", page=None), PageSize(40_000_000, 4))
@example([Measured(BF16, lines_per_s=500)], Request(memory_bytes=400 * MIB, page=None), PageSize(40_000_000, 1))
@example(
    [],
    Request(
        memory_bytes=137 * MIB,
        backend="onnxruntime",
        languages=0,
        language_model=False,
        library=True,
        page=None,
        cores=1,
    ),
    PageSize(1, 1),
)  # fp32 then, int8 under the limit that is named
def test_refusal_names_the_smallest_limit_that_works(
    measured: list[Measured], request: Request, page: PageSize
) -> None:
    least = refused(request, measured, page, page)
    if least:
        assert least > request.memory_bytes
        assert refused(replace(request, memory_bytes=least), measured, page, page) == 0
        assert refused(replace(request, memory_bytes=least - MIB), measured, page, page) == least


@settings(max_examples=100, deadline=None)
@given(st.lists(MEASURED, max_size=3), REQUESTS, PAGES, PAGES)
def test_page_beside_a_larger_one_is_read_under_the_limit_named_for_it(
    measured: list[Measured], request: Request, one: PageSize, other: PageSize
) -> None:
    small, large = sorted((one, other), key=lambda page: page.needed_bytes)
    least = refused(request, measured, small, large)
    if least:
        assert refused(replace(request, memory_bytes=least), measured, small, large) == 0


def test_runtime_that_holds_the_page_is_chosen_before_a_faster_one_that_does_not() -> None:
    faster = Measured(BF16, lines_per_s=900, threads=2)
    usual = Measured(CPU, lines_per_s=100, threads=2)
    request = Request(memory_bytes=0, page=None, lines=100_000)
    without_page = needed_bytes(BF16, faster, request, shipped_costs(), 1, whole_page=False)
    request = replace(request, memory_bytes=enough(without_page + 100 * MIB))
    facts = Facts(FOUND, (faster, usual), shipped_costs())
    for page, runtime in ((PageSize(1_000_000), BF16), (PageSize(40_000_000), CPU)):
        answer = select(replace(request, largest=page), facts)
        assert isinstance(answer, Selection)
        assert answer.runtime == runtime


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
