"""The request, the measurements, and the memory that follows from both.

Memory is foreseen as: what is loaded (``base``, the runtime with its networks, the language model, Tesseract once a
thread), and on top of it the worst moment of a page: decoding it, segmenting it strip by strip, or reading lines in so
many threads.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from carrel.backends import CPU, Runtime
from carrel.budget import PageSize
from carrel.process_memory import MIB

A4_AT_300_DPI = PageSize(2480 * 3508)
LINES_A_PAGE = 40
SEGMENTER_INT8_SHARE = 0.55
"""Of the memory that the segmenter works in, what int8 takes on onnxruntime: measured 0.47 for strips, 0.52 for pages."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Memory in bytes, measured by ``python -m carrel_bench calibrate``.

    ``base``: Python, numpy, OpenCV, Pillow, Tesseract's library and Carrel; ``runtimes``: a runtime with the three networks
    after several pages, ``runtime``: one that was not measured; ``language``: the language model and its search;
    ``compiler``: numba at work, where there is no library of kernels; ``tesseract``: each language in each thread;
    ``layout``: segmentation after the segmenter has run; ``line``: the longest usual line in each thread; ``strip``: the
    segmenter's lowest strip in fp32, ``segmenter``: a whole page.
    """

    base: int = 75 * MIB
    runtimes: Mapping[str, int] = field(default_factory=dict[str, int])
    runtime: int = 200 * MIB
    language: int = 30 * MIB
    compiler: int = 245 * MIB
    tesseract: int = 15 * MIB
    layout: int = 40 * MIB
    line: int = 12 * MIB
    strip: int = 45 * MIB
    segmenter: int = 95 * MIB


@cache
def shipped_costs() -> Costs:
    """Return the figures in ``costs.json``, which are MiB, fitted on one machine."""
    values = json.loads(Path(__file__).with_name("costs.json").read_text("utf-8"))
    runtimes = {name: int(amount * MIB) for name, amount in values.pop("runtimes").items()}
    return Costs(runtimes=runtimes, **{name: int(amount * MIB) for name, amount in values.items()})


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of a runtime on the built-in lines and page; ``fault`` says why it may not be used.

    ``load_s`` and ``first_line_s`` from nothing to the first line; ``lines_per_s`` with ``threads`` callers; ``page_s`` for
    the segmenter; ``memory_bytes`` more resident than before the runtime was loaded.
    """

    runtime: Runtime
    load_s: float = 0.0
    first_line_s: float = 0.0
    lines_per_s: float = 0.0
    page_s: float = 0.0
    memory_bytes: int = 0
    agreement: float = 0.0
    fault: str = ""
    threads: int = 1

    def seconds_for(self, lines: int) -> float:
        """Return from nothing to so many lines read, on pages of `LINES_A_PAGE`."""
        if self.lines_per_s <= 0:
            return math.inf
        pages = max(1, lines // LINES_A_PAGE)
        return self.load_s + self.first_line_s + lines / self.lines_per_s + pages * self.page_s


@dataclass(frozen=True, slots=True)
class Request:
    """The caller's wishes.

    Parameters
    ----------
    memory_bytes
        For everything together.
    beside_bytes
        What others have loaded in the same process.
    cores
        Processors that may be kept busy.
    threads, workers
        As many; 0 lets them follow from ``cores`` and memory.
    backend, device, precision
        ``auto``, or a runtime's.
    page
        Pages to plan for; None: whatever fits when a page comes, and refusals name what an A4 page needs.
    largest
        The largest page that will be read, where that is known: the runtime is one that holds it. Where none does, it
        is one that needs least memory, for the smaller pages.
    languages
        Tesseract languages; 0 where print is not read.
    language_model
        Whether handwriting is searched with it.
    networks_bytes, networks_line_bytes
        What networks other than Carrel's own take, and for a line in each thread.
    library
        Whether there is a library of kernels: Carrel's own, or one that ``carrel warm`` built.
    lines
        How many will be read, about: loading counts for less with more.
    """

    memory_bytes: int
    beside_bytes: int = 0
    cores: int = 1
    threads: int = 0
    workers: int = 1
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    page: PageSize | None = A4_AT_300_DPI
    largest: PageSize | None = None
    languages: int = 2
    language_model: bool = True
    networks_bytes: int = 0
    networks_line_bytes: int = 0
    library: bool = True
    lines: int = 1000

    @property
    def names_runtime(self) -> bool:
        """A choice that is narrowed."""
        return (self.backend, self.device, self.precision) != ("auto", "auto", "auto")

    @property
    def names_one_runtime(self) -> bool:
        """A choice of one only."""
        return "auto" not in (self.backend, self.device, self.precision)


def own_bytes(runtime: Runtime, result: Measured | None, request: Request, costs: Costs, threads: int = 1) -> int:
    """Return what the models of a reader take at rest, with their runtime and so many threads."""
    known = costs.runtimes.get(str(runtime), costs.runtime)
    loaded = max(result.memory_bytes, known) if result else known
    language = costs.language if request.language_model else 0
    compiler = 0 if request.library else costs.compiler
    return loaded + language + compiler + request.networks_bytes + threads * thread_bytes(request, costs)


def thread_bytes(request: Request, costs: Costs) -> int:
    """Return what each thread takes."""
    return request.languages * costs.tesseract + costs.line + request.networks_line_bytes


def fixed_bytes(runtime: Runtime, result: Measured | None, request: Request, costs: Costs) -> int:
    """Return what a process with one thread takes at the worst moment of a page, without its pixels."""
    loaded = costs.base + request.beside_bytes + own_bytes(runtime, result, request, costs)
    return loaded + page_work_bytes(runtime, costs, whole_page=False)


def needed_bytes(
    runtime: Runtime, result: Measured | None, request: Request, costs: Costs, threads: int, *, whole_page: bool
) -> int:
    """Return the foreseen peak of one worker."""
    loaded = costs.base + request.beside_bytes + own_bytes(runtime, result, request, costs, threads)
    if request.page is None:
        return loaded
    return loaded + request.page.needed_bytes + page_work_bytes(runtime, costs, whole_page=whole_page)


def page_work_bytes(runtime: Runtime, costs: Costs, *, whole_page: bool) -> int:
    """Return what segmentation takes at its worst moment."""
    network = costs.segmenter if whole_page else costs.strip
    return max(costs.layout, round(SEGMENTER_INT8_SHARE * network) if runtime == CPU else network)
