"""What to run on and how much at a time: a pure function of what was found, measured and asked for.

Memory is foreseen as: what is loaded (``base``, the runtime with its networks, the language model, Tesseract once a
thread), and on top of it the worst moment of a page: decoding it, looking for its lines strip by strip, or reading lines
in so many threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from carrel.backends import CPU, Runtime
from carrel.budget import MIB, enough, page_bytes

A4_PX = 2480 * 3508
LINES_A_PAGE = 40
WORTH_WARMING_S = 1.0
"""A device that takes longer to its first line is loaded while the processor reads."""
SEGMENTER_INT8_SHARE = 0.55
"""Of the memory that the segmenter works in, what int8 takes on onnxruntime: measured 0.47 for strips, 0.52 for pages."""
BETTER_BY = 1.05
"""Another runtime than `CPU` is chosen where it is faster by more than this."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Memory in bytes, measured by ``python -m carrel_bench.runtime --calibrate``.

    ``base``: Python, numpy, OpenCV, Pillow, Tesseract's library and Carrel; ``runtimes``: a runtime with the three networks
    after several pages, ``runtime``: one that was not measured; ``language``: the language model and its search;
    ``compiler``: numba at work, where no library of kernels was built; ``tesseract``: each language in each thread;
    ``layout``: looking for lines after the segmenter has run; ``line``: the longest usual line in each thread; ``strip``: the
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


@dataclass(frozen=True, slots=True)
class Measured:
    """How a runtime did on the built-in lines and page; ``fault`` says why it may not be used.

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
        """From nothing to so many lines read, on pages of `LINES_A_PAGE`."""
        if self.lines_per_s <= 0:
            return math.inf
        pages = max(1, lines // LINES_A_PAGE)
        return self.load_s + self.first_line_s + lines / self.lines_per_s + pages * self.page_s


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants.

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
    page_px, bytes_per_px
        Pixels of the pages to plan for, and what the decoder takes for each; 0: whatever fits when a page comes.
    languages
        Tesseract languages; 0 where print is not read.
    language_model
        Whether handwriting is searched with it.
    library
        Whether ``carrel warm`` has built the library of kernels.
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
    page_px: int = A4_PX
    bytes_per_px: int = 1
    languages: int = 2
    language_model: bool = True
    library: bool = True
    lines: int = 1000

    @property
    def names_runtime(self) -> bool:
        """Whether the choice is not left to the planner alone."""
        return (self.backend, self.device, self.precision) != ("auto", "auto", "auto")


@dataclass(frozen=True, slots=True)
class Plan:
    """``workers`` processes, each with ``threads`` readers within ``worker_bytes``, of which ``foreseen_bytes`` are expected
    to be used; ``own_bytes`` is what one thread's models take at rest; ``whole_page`` says that the segmenter sees pages whole. ``fixed_bytes`` is what one thread needs beside the
    pixels of a page, ``thread_bytes`` what each further one adds; ``starts_on_cpu`` says that the processor reads until the
    device has loaded; ``largest_bytes`` is what one thread needs on the largest
    runtime in question, which more memory may bring into play."""

    runtime: Runtime
    threads: int
    workers: int
    worker_bytes: int
    foreseen_bytes: int
    own_bytes: int
    fixed_bytes: int
    thread_bytes: int
    whole_page: bool
    largest_bytes: int = 0
    starts_on_cpu: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no plan, and the smallest limit in bytes that would do (0: none would)."""

    reason: str
    least_bytes: int = 0


def plan(
    found: Sequence[Runtime], measured: Iterable[Measured], asked: Asked, costs: Costs | None = None
) -> Plan | Refusal:
    """The fastest runtime that is right and fits, with as many workers and threads as fit beside it.

    Parameters
    ----------
    found
        Runtimes that can be loaded. One that is not in ``measured`` is used only if it is `CPU`, or asked for by name.
    measured
        Results of the probe.

    Returns
    -------
    Plan or Refusal
        A refusal names the smallest limit under which there is a plan for the same page, device and precision.
    """
    costs = costs or Costs()
    results = {m.runtime: m for m in measured}
    wanted = [r for r in found if _is_wanted(r, asked)]
    if not wanted:
        return Refusal(
            f"nothing here runs networks on backend {asked.backend}, device {asked.device}, precision {asked.precision}"
        )
    right = [r for r in wanted if not (r in results and results[r].fault)]
    if not right:
        return Refusal(f"{wanted[0]}: {results[wanted[0]].fault}")
    usable = [r for r in right if r in results or r == CPU or asked.names_runtime]
    usable = usable or [r for r in right if (r.backend, r.device) == (CPU.backend, CPU.device)]
    if not usable:
        return Refusal(
            f"{CPU}: {results[CPU].fault}" if CPU in results else f"{right[0]}: not tried; carrel devices --probe"
        )
    plans = [p for r in usable if (p := _fit(r, results.get(r), asked, costs))]
    if not plans:
        least = min(_least(r, results.get(r), asked, costs) for r in usable)
        workers = f" for {asked.workers} workers" if asked.workers > 1 else ""
        return Refusal(f"{asked.memory_bytes / MIB:,.0f} MiB of memory are too little{workers}", least)
    largest = max(_fixed_with_page_work(r, results.get(r), asked, costs) for r in usable)
    best = _fastest(plans, results, asked)
    starts_on_cpu = _starts_on_cpu(best, results.get(best.runtime), asked, costs)
    return replace(best, largest_bytes=largest, starts_on_cpu=starts_on_cpu)


def _starts_on_cpu(best: Plan, result: Measured | None, asked: Asked, costs: Costs) -> bool:
    """Whether there is room for both, and the device, which nobody asked for by name, takes long to load."""
    if best.runtime.device == CPU.device or result is None or asked.device != "auto":
        return False
    both = best.foreseen_bytes + costs.runtimes.get(str(CPU), costs.runtime)
    slow = result.load_s + result.first_line_s > WORTH_WARMING_S
    return slow and enough(both) <= best.worker_bytes


def _is_wanted(runtime: Runtime, asked: Asked) -> bool:
    return (
        asked.backend in ("auto", runtime.backend)
        and asked.device in ("auto", runtime.device)
        and asked.precision in ("auto", runtime.precision)
    )


def _fastest(plans: Sequence[Plan], results: Mapping[Runtime, Measured], asked: Asked) -> Plan:
    def seconds(candidate: Plan) -> float:
        result = results.get(candidate.runtime)
        if result is None:
            return math.inf
        # a probe's threads are all cores; fewer, for want of memory, read fewer lines
        share = min(1.0, candidate.threads * candidate.workers / max(1, result.threads))
        return result.seconds_for(math.ceil(asked.lines / max(share, 1e-9)))

    usual = next((p for p in plans if p.runtime == CPU), plans[0])
    best = min(plans, key=seconds)
    return best if seconds(best) * BETTER_BY < seconds(usual) else usual


def _fit(runtime: Runtime, result: Measured | None, asked: Asked, costs: Costs) -> Plan | None:
    """Most workers first, then most threads, then the whole page at once."""
    for workers in [asked.workers] if asked.workers else range(asked.cores, 0, -1):
        worker_bytes = asked.memory_bytes // workers
        most = asked.threads or max(1, asked.cores // workers)
        for threads in range(most, 0, -1):
            for whole in (True, False):
                needed = needed_bytes(runtime, result, asked, costs, threads, whole_page=whole)
                if enough(needed) <= worker_bytes:
                    fixed = _fixed_with_page_work(runtime, result, asked, costs)
                    one = _thread_bytes(asked, costs)
                    own = loaded_bytes(runtime, result, asked, costs, 1) - costs.base - asked.beside_bytes
                    return Plan(runtime, threads, workers, worker_bytes, needed, own, fixed, one, whole)
    return None


def _least(runtime: Runtime, result: Measured | None, asked: Asked, costs: Costs) -> int:
    return enough(needed_bytes(runtime, result, asked, costs, 1, whole_page=False)) * max(1, asked.workers)


def loaded_bytes(runtime: Runtime, result: Measured | None, asked: Asked, costs: Costs, threads: int) -> int:
    """What is loaded, whatever the page."""
    known = costs.runtimes.get(str(runtime), costs.runtime)
    loaded = max(result.memory_bytes, known) if result else known
    language = costs.language if asked.language_model else 0
    compiler = 0 if asked.library else costs.compiler
    return costs.base + asked.beside_bytes + loaded + language + compiler + threads * _thread_bytes(asked, costs)


def _fixed_with_page_work(runtime: Runtime, result: Measured | None, asked: Asked, costs: Costs) -> int:
    return loaded_bytes(runtime, result, asked, costs, 1) + _page_work(runtime, costs, whole_page=False)


def _thread_bytes(asked: Asked, costs: Costs) -> int:
    return asked.languages * costs.tesseract + costs.line


def needed_bytes(
    runtime: Runtime, result: Measured | None, asked: Asked, costs: Costs, threads: int, *, whole_page: bool
) -> int:
    """The foreseen peak of one worker."""
    if not asked.page_px:
        return loaded_bytes(runtime, result, asked, costs, threads)
    page = page_bytes(asked.page_px, asked.bytes_per_px)
    return (
        loaded_bytes(runtime, result, asked, costs, threads) + page + _page_work(runtime, costs, whole_page=whole_page)
    )


def _page_work(runtime: Runtime, costs: Costs, *, whole_page: bool) -> int:
    """The worst moment of looking for lines."""
    network = costs.segmenter if whole_page else costs.strip
    return max(costs.layout, round(SEGMENTER_INT8_SHARE * network) if runtime == CPU else network)
