"""The selection of runtime and batch: one pure function of a request and of facts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from carrel.backends import CPU, Runtime
from carrel.backends.costs import (
    A4_AT_300_DPI,
    Costs,
    Measured,
    Request,
    fixed_bytes,
    needed_bytes,
    own_bytes,
    thread_bytes,
)
from carrel.backends.devices import Found
from carrel.budget import enough
from carrel.process_memory import MIB

SLOW_START_S = 1.0
"""A device that takes longer to its first line is loaded while the processor reads."""
GAIN_TO_LEAVE_CPU = 1.05
"""Another runtime than `CPU` is chosen where it is faster by more than this."""
_PLAIN = (CPU, replace(CPU, precision="fp32"))


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that a selection follows from: devices found, how their runtimes did, and the memory model's figures."""

    found: tuple[Found, ...] = ()
    measured: tuple[Measured, ...] = ()
    costs: Costs = field(default_factory=Costs)

    @property
    def runtimes(self) -> list[Runtime]:
        """Runtimes to choose from: always the processor on onnxruntime."""
        return list(dict.fromkeys([*_PLAIN, *(runtime for found in self.found for runtime in found.runtimes)]))

    def result(self, runtime: Runtime) -> Measured | None:
        """Return how a runtime did, None where it was not tried."""
        return next((m for m in self.measured if m.runtime == runtime), None)

    def fault(self, runtime: Runtime) -> str:
        """Return why a runtime may not be used, as far as is known."""
        result = self.result(runtime)
        return result.fault if result else ""


@dataclass(frozen=True, slots=True)
class Selection:
    """A runtime, and how much at a time.

    Parameters
    ----------
    threads, workers
        ``workers`` processes, each with so many readers.
    worker_bytes, foreseen_bytes
        What a worker may use, and what it is expected to.
    own_bytes
        What the models take at rest, with one thread.
    fixed_bytes, thread_bytes
        What one thread needs at the worst moment of a page beside its pixels, and what each further one adds.
    whole_page
        Whether the segmenter sees pages whole.
    next_fixed_bytes
        ``fixed_bytes`` under the limit that the refusal of a page names: of the runtime that needs least where none holds
        the largest page of the run; else of the largest in question, which more memory may bring into play.
    starts_on_cpu
        Whether the processor reads until the device has loaded.
    """

    runtime: Runtime
    threads: int
    workers: int
    worker_bytes: int
    foreseen_bytes: int
    own_bytes: int
    fixed_bytes: int
    thread_bytes: int
    whole_page: bool
    next_fixed_bytes: int = 0
    starts_on_cpu: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why nothing is selected, and the smallest limit in bytes that would do (0: none would)."""

    reason: str
    least_bytes: int = 0
    missing: str = ""

    @property
    def message(self) -> str:
        """The refusal with what would do."""
        if self.least_bytes:
            return f"{self.reason}; --memory {self.least_bytes // MIB}M will do"
        return f"{self.reason}{self.missing and ': ' + self.missing}; carrel devices says what there is"


def select(request: Request, facts: Facts) -> Selection | Refusal:
    """Return the fastest runtime that is right and fits, with as many workers and threads as fit beside it.

    A runtime that was not measured is used only if it is `CPU`, asked for by name, or float32 where `CPU` is wrong.

    Returns
    -------
    Selection or Refusal
        A refusal names the smallest limit under which there is a selection for the same page, device and precision.
    """
    usable = _usable(request, facts)
    if isinstance(usable, Refusal):
        return usable
    if request.largest is None:
        return _select_among(usable, request, facts)
    for_largest = _select_among(usable, replace(request, page=request.largest), facts)
    if isinstance(for_largest, Selection):
        return _select_among([for_largest.runtime], request, facts, for_largest.next_fixed_bytes)
    fitting = [fit for runtime in usable if (fit := _fit(runtime, request, facts))]
    if not fitting:
        return for_largest
    runtime = min(fitting, key=lambda fit: fit.fixed_bytes).runtime
    return _select_among([runtime], request, facts, min(_fixed(usable, request, facts)))


def why_not(measured: Measured, answer: Selection | Refusal, request: Request, facts: Facts) -> str:
    """Return why a runtime was not selected; "chosen" for the one that was."""
    if isinstance(answer, Selection) and measured.runtime == answer.runtime:
        return "chosen"
    if measured.fault:
        return measured.fault
    if not _is_wanted(measured.runtime, request):
        return "not asked for"
    if _fit(measured.runtime, request, facts) is None:
        return f"needs {_least(measured.runtime, request, facts) // MIB:,} MiB"
    best = facts.result(answer.runtime) if isinstance(answer, Selection) else None
    if best is None:
        return ""
    ratio = measured.seconds_for(request.lines) / best.seconds_for(request.lines)
    return f"{ratio:.2f} times the time for {request.lines:,} lines"


def _usable(request: Request, facts: Facts) -> list[Runtime] | Refusal:
    """Return the runtimes that are asked for and not known to be wrong."""
    wanted = [runtime for runtime in facts.runtimes if _is_wanted(runtime, request)]
    if not wanted:
        asked = f"backend {request.backend}, device {request.device}, precision {request.precision}"
        missing = [f.missing for f in facts.found if f.missing and request.device in ("auto", f.device)]
        return Refusal(f"nothing here runs networks on {asked}", missing="".join(missing[:1]))
    right = [runtime for runtime in wanted if not facts.fault(runtime)]
    if not right:
        return Refusal(f"{wanted[0]}: {facts.fault(wanted[0])}")
    plain = next((runtime for runtime in _PLAIN if runtime in right), None)  # float32 where int8 is wrong
    usable = [r for r in right if r == plain or request.names_runtime or facts.result(r)]
    if usable:
        return usable
    fault = facts.fault(CPU)
    return Refusal(f"{CPU}: {fault}" if fault else f"{right[0]}: not tried; carrel devices --probe")


def _is_wanted(runtime: Runtime, request: Request) -> bool:
    return (
        request.backend in ("auto", runtime.backend)
        and request.device in ("auto", runtime.device)
        and request.precision in ("auto", runtime.precision)
    )


def _select_among(
    runtimes: Sequence[Runtime], request: Request, facts: Facts, next_fixed_bytes: int = 0
) -> Selection | Refusal:
    fits = [fit for runtime in runtimes if (fit := _fit(runtime, request, facts))]
    if not fits:
        with_page = replace(request, page=request.page or A4_AT_300_DPI)
        least = min(_least(runtime, with_page, facts) for runtime in runtimes)
        workers = f" for {request.workers} workers" if request.workers > 1 else ""
        return Refusal(f"{request.memory_bytes / MIB:,.0f} MiB of memory are too little{workers}", least)
    best = _fastest(fits, request, facts)
    next_fixed_bytes = next_fixed_bytes or max(_fixed(runtimes, request, facts))
    return replace(best, next_fixed_bytes=next_fixed_bytes, starts_on_cpu=_starts_on_cpu(best, request, facts))


def _fixed(runtimes: Sequence[Runtime], request: Request, facts: Facts) -> list[int]:
    return [fixed_bytes(runtime, facts.result(runtime), request, facts.costs) for runtime in runtimes]


def _fit(runtime: Runtime, request: Request, facts: Facts) -> Selection | None:
    """Return a selection with most workers first, then most threads, then the whole page at once."""
    result, costs = facts.result(runtime), facts.costs
    for workers in [request.workers] if request.workers else range(request.cores, 0, -1):
        worker_bytes = request.memory_bytes // workers
        for threads in range(request.threads or max(1, request.cores // workers), 0, -1):
            for whole in (True, False):
                needed = needed_bytes(runtime, result, request, costs, threads, whole_page=whole)
                if enough(needed) <= worker_bytes:
                    own = own_bytes(runtime, result, request, costs)
                    fixed = fixed_bytes(runtime, result, request, costs)
                    one = thread_bytes(request, costs)
                    return Selection(runtime, threads, workers, worker_bytes, needed, own, fixed, one, whole)
    return None


def _least(runtime: Runtime, request: Request, facts: Facts) -> int:
    needed = needed_bytes(runtime, facts.result(runtime), request, facts.costs, 1, whole_page=False)
    return enough(needed) * max(1, request.workers)


def _fastest(fits: Sequence[Selection], request: Request, facts: Facts) -> Selection:
    def seconds(fit: Selection) -> float:
        result = facts.result(fit.runtime)
        if result is None:
            return math.inf
        # a probe's threads are all cores; fewer, for want of memory, read fewer lines
        share = min(1.0, fit.threads * fit.workers / max(1, result.threads))
        return result.seconds_for(math.ceil(request.lines / max(share, 1e-9)))

    usual = next((fit for fit in fits if fit.runtime == CPU), fits[0])
    best = min(fits, key=seconds)
    return best if seconds(best) * GAIN_TO_LEAVE_CPU < seconds(usual) else usual


def _starts_on_cpu(best: Selection, request: Request, facts: Facts) -> bool:
    """Return whether there is room for both, and the device, which nobody asked for by name, takes long to load."""
    result = facts.result(best.runtime)
    if best.runtime.device == CPU.device or result is None or request.device != "auto":
        return False
    both = best.foreseen_bytes + facts.costs.runtimes.get(str(CPU), facts.costs.runtime)
    return result.load_s + result.first_line_s > SLOW_START_S and enough(both) <= best.worker_bytes
