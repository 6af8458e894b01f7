"""Selections on invented machines: within the limit, never a wrong device, and refusals that name what will do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.backends import CPU, Runtime
from carrel.backends.costs import Costs, Measured, Request, needed_bytes
from carrel.backends.devices import Found
from carrel.backends.selection import Facts, Refusal, Selection, select
from carrel.budget import PageSize
from carrel.process_memory import MIB

FP32 = Runtime("onnxruntime", "cpu", "fp32")
GPU = Runtime("openvino", "gpu", "fp16")
CUDA = Runtime("onnxruntime", "cuda", "fp32")
BF16 = Runtime("openvino", "cpu", "bf16")
OTHERS = (FP32, GPU, CUDA, BF16)


def facts(runtimes: list[Runtime], measured: list[Measured]) -> Facts:
    """What is known of a machine where these runtimes can be loaded."""
    found = [Found(r.backend, r.device, "", (r.precision,)) for r in runtimes]
    return Facts(tuple(found), tuple(measured))


@st.composite
def results(draw: st.DrawFn, runtime: Runtime) -> Measured:
    fault = draw(st.sampled_from(["", "", "wrong results", "failed: device lost"]))
    speed = draw(st.floats(0.1, 5000))
    return Measured(
        runtime,
        load_s=draw(st.floats(0, 30)),
        first_line_s=draw(st.floats(0, 5)),
        lines_per_s=0.0 if fault else speed,
        page_s=draw(st.floats(0, 2)),
        memory_bytes=draw(st.integers(0, 2000 * MIB)),
        fault=fault,
        threads=draw(st.integers(1, 16)),
    )


@st.composite
def machines(draw: st.DrawFn) -> Facts:
    others = draw(st.lists(st.sampled_from(OTHERS), unique=True))
    found = [CPU, *others]
    tried = [r for r in found if draw(st.booleans())]
    measured = [replace(draw(results(r)), fault="") if r == CPU else draw(results(r)) for r in tried]
    return facts(found, measured)


REQUESTS = st.builds(
    Request,
    memory_bytes=st.integers(0, 8000).map(lambda n: n * MIB),
    cores=st.integers(1, 16),
    threads=st.integers(0, 8),
    workers=st.integers(0, 8),
    device=st.sampled_from(["auto", "auto", "cpu", "gpu", "cuda"]),
    precision=st.sampled_from(["auto", "auto", "auto", "int8", "fp32"]),
    page=st.none() | st.builds(PageSize, st.integers(1, 100_000_000), st.sampled_from([1, 2, 4])),
    languages=st.integers(0, 5),
    language_model=st.booleans(),
    library=st.booleans(),
    lines=st.integers(1, 100_000),
)


@settings(max_examples=50, deadline=None)
@given(machines(), REQUESTS)
def test_selection_keeps_the_limit_and_what_was_asked(machine: Facts, request: Request) -> None:
    got = select(request, machine)
    if isinstance(got, Refusal):
        return
    assert got.runtime in machine.runtimes
    assert got.foreseen_bytes < got.worker_bytes
    assert got.workers * got.worker_bytes <= request.memory_bytes
    assert request.device in ("auto", got.runtime.device)
    assert request.precision in ("auto", got.runtime.precision)
    assert 1 <= got.threads <= (request.threads or request.cores)
    assert got.workers == request.workers or (request.workers == 0 and 1 <= got.workers <= request.cores)
    if not request.threads and not request.workers:
        assert got.workers * got.threads <= request.cores


@settings(max_examples=50, deadline=None)
@given(machines(), REQUESTS)
def test_wrong_devices_are_never_chosen(machine: Facts, request: Request) -> None:
    got = select(request, machine)
    faults = {m.runtime for m in machine.measured if m.fault}
    assert isinstance(got, Refusal) or got.runtime not in faults


@settings(max_examples=50, deadline=None)
@given(machines(), REQUESTS)
def test_untried_accelerators_are_never_chosen_unasked(machine: Facts, request: Request) -> None:
    got = select(replace(request, device="auto", precision="auto"), machine)
    assert isinstance(got, Refusal) or got.runtime in {CPU, *(m.runtime for m in machine.measured)}


@settings(max_examples=50, deadline=None)
@given(machines(), REQUESTS)
def test_refusal_names_the_smallest_limit_that_works(machine: Facts, request: Request) -> None:
    refused = select(request, machine)
    if isinstance(refused, Selection) or not refused.least_bytes:
        return
    assert refused.least_bytes > request.memory_bytes
    assert isinstance(select(replace(request, memory_bytes=refused.least_bytes), machine), Selection)
    if request.page is None:  # then the limit named does for an A4 page, too
        return
    a_step_less = refused.least_bytes - MIB * max(1, request.workers)
    assert isinstance(select(replace(request, memory_bytes=a_step_less), machine), Refusal)


@settings(max_examples=50, deadline=None)
@given(machines(), REQUESTS, st.integers(0, 4000))
def test_more_memory_never_refuses(machine: Facts, request: Request, more_mib: int) -> None:
    if isinstance(select(request, machine), Selection):
        more = replace(request, memory_bytes=request.memory_bytes + more_mib * MIB)
        assert isinstance(select(more, machine), Selection)


@settings(max_examples=50, deadline=None)
@given(machines(), REQUESTS)
def test_selection_is_within_5_percent_of_the_fastest_that_fits(machine: Facts, request: Request) -> None:
    measured = [replace(m, threads=1) for m in machine.measured]  # then fewer threads cost nothing
    machine = replace(machine, measured=tuple(measured))
    got = select(replace(request, device="auto", precision="auto", memory_bytes=64_000 * MIB), machine)
    by_runtime = {m.runtime: m for m in measured if not m.fault}
    if isinstance(got, Selection) and by_runtime and got.runtime in by_runtime:
        best = min(m.seconds_for(request.lines) for m in by_runtime.values())
        assert by_runtime[got.runtime].seconds_for(request.lines) <= 1.0501 * best


def of(runtime: Runtime, lines_per_s: float, load_s: float = 0.3, **more: float) -> Measured:
    return Measured(runtime, load_s=load_s, lines_per_s=lines_per_s, threads=2, **more)  # type: ignore[arg-type]


ROOMY = Request(memory_bytes=4000 * MIB, cores=2)


@pytest.mark.parametrize(
    ("gpu_lines_per_s", "lines", "chosen"),
    [(50, 1000, CPU), (102, 10_000, CPU), (400, 10_000, GPU), (400, 20, CPU)],
    ids=["slower", "hardly faster", "faster", "faster, but not for one page"],
)
def test_gpu_is_chosen_where_it_pays(gpu_lines_per_s: float, lines: int, chosen: Runtime) -> None:
    measured = [of(CPU, 100), of(GPU, gpu_lines_per_s, load_s=4)]
    got = select(replace(ROOMY, lines=lines), facts([CPU, GPU], measured))
    assert isinstance(got, Selection)
    assert got.runtime == chosen


def test_device_that_lies_is_refused_by_name() -> None:
    lies = Measured(GPU, fault="wrong results: 3.0 % as expected")
    got = select(replace(ROOMY, device="gpu"), facts([CPU, GPU], [lies]))
    assert isinstance(got, Refusal)
    assert "wrong results" in got.reason
    assert got.least_bytes == 0


def test_float32_stands_in_where_int8_is_wrong() -> None:
    wrong = Measured(CPU, fault="wrong results: 3.0 % as expected")
    got = select(ROOMY, facts([CPU], [wrong]))
    assert isinstance(got, Selection)
    assert got.runtime == FP32


def test_device_that_is_not_there() -> None:
    got = select(replace(ROOMY, device="cuda"), facts([CPU], []))
    assert isinstance(got, Refusal)
    assert "cuda" in got.reason


def test_workers_and_threads_follow_memory() -> None:
    one = needed_bytes(CPU, None, ROOMY, Costs(), 1, whole_page=False)
    tight = select(replace(ROOMY, memory_bytes=round(one * 1.08), workers=0), facts([CPU], []))
    roomy = select(replace(ROOMY, memory_bytes=one * 8, workers=0), facts([CPU], []))
    assert isinstance(tight, Selection)
    assert isinstance(roomy, Selection)
    assert (tight.workers, tight.threads, tight.whole_page) == (1, 1, False)
    assert (roomy.workers, roomy.threads, roomy.whole_page) == (2, 1, True)


def test_compiling_the_kernels_is_planned_for() -> None:
    ready, not_ready = (
        needed_bytes(CPU, None, replace(ROOMY, library=library), Costs(), 1, whole_page=False)
        for library in (True, False)
    )
    assert not_ready - ready == Costs().compiler
