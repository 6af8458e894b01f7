"""Plans on invented machines: within the limit, never a wrong device, and refusals that name what will do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.backends import CPU, Runtime
from carrel.backends.plan import MIB, Asked, Costs, Measured, Plan, Refusal, needed_bytes, plan

FP32 = Runtime("onnxruntime", "cpu", "fp32")
GPU = Runtime("openvino", "gpu", "fp16")
CUDA = Runtime("onnxruntime", "cuda", "fp32")
BF16 = Runtime("openvino", "cpu", "bf16")
OTHERS = (FP32, GPU, CUDA, BF16)


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
def machines(draw: st.DrawFn) -> tuple[list[Runtime], list[Measured]]:
    others = draw(st.lists(st.sampled_from(OTHERS), unique=True))
    found = [CPU, *others]
    tried = [r for r in found if draw(st.booleans())]
    return found, [replace(draw(results(r)), fault="") if r == CPU else draw(results(r)) for r in tried]


ASKED = st.builds(
    Asked,
    memory_bytes=st.integers(0, 8000).map(lambda n: n * MIB),
    cores=st.integers(1, 16),
    threads=st.integers(0, 8),
    workers=st.integers(0, 8),
    device=st.sampled_from(["auto", "auto", "cpu", "gpu", "cuda"]),
    precision=st.sampled_from(["auto", "auto", "auto", "int8", "fp32"]),
    page_px=st.integers(0, 100_000_000),
    bytes_per_px=st.sampled_from([1, 2, 4]),
    languages=st.integers(0, 5),
    language_model=st.booleans(),
    library=st.booleans(),
    lines=st.integers(1, 100_000),
)


@settings(max_examples=50, deadline=None)
@given(machines(), ASKED)
def test_plan_keeps_the_limit_and_what_was_asked(machine: tuple[list[Runtime], list[Measured]], asked: Asked) -> None:
    found, measured = machine
    got = plan(found, measured, asked)
    if isinstance(got, Refusal):
        return
    assert got.runtime in found
    assert got.foreseen_bytes < got.worker_bytes
    assert got.workers * got.worker_bytes <= asked.memory_bytes
    assert asked.device in ("auto", got.runtime.device)
    assert asked.precision in ("auto", got.runtime.precision)
    assert 1 <= got.threads <= (asked.threads or asked.cores)
    assert got.workers == asked.workers or (asked.workers == 0 and 1 <= got.workers <= asked.cores)
    if not asked.threads and not asked.workers:
        assert got.workers * got.threads <= asked.cores


@settings(max_examples=50, deadline=None)
@given(machines(), ASKED)
def test_wrong_devices_are_never_chosen(machine: tuple[list[Runtime], list[Measured]], asked: Asked) -> None:
    found, measured = machine
    got = plan(found, measured, asked)
    faults = {m.runtime for m in measured if m.fault}
    assert isinstance(got, Refusal) or got.runtime not in faults


@settings(max_examples=50, deadline=None)
@given(machines(), ASKED)
def test_untried_accelerators_are_never_chosen_unasked(
    machine: tuple[list[Runtime], list[Measured]], asked: Asked
) -> None:
    found, measured = machine
    got = plan(found, measured, replace(asked, device="auto", precision="auto"))
    assert isinstance(got, Refusal) or got.runtime in {CPU, *(m.runtime for m in measured)}


@settings(max_examples=50, deadline=None)
@given(machines(), ASKED)
def test_refusal_names_the_smallest_limit_that_works(
    machine: tuple[list[Runtime], list[Measured]], asked: Asked
) -> None:
    found, measured = machine
    refused = plan(found, measured, asked)
    if isinstance(refused, Plan) or not refused.least_bytes:
        return
    assert refused.least_bytes > asked.memory_bytes
    assert isinstance(plan(found, measured, replace(asked, memory_bytes=refused.least_bytes)), Plan)
    a_step_less = refused.least_bytes - MIB * max(1, asked.workers)
    assert isinstance(plan(found, measured, replace(asked, memory_bytes=a_step_less)), Refusal)


@settings(max_examples=50, deadline=None)
@given(machines(), ASKED, st.integers(0, 4000))
def test_more_memory_never_refuses(machine: tuple[list[Runtime], list[Measured]], asked: Asked, more_mib: int) -> None:
    found, measured = machine
    if isinstance(plan(found, measured, asked), Plan):
        more = replace(asked, memory_bytes=asked.memory_bytes + more_mib * MIB)
        assert isinstance(plan(found, measured, more), Plan)


@settings(max_examples=50, deadline=None)
@given(machines(), ASKED)
def test_plan_is_within_5_percent_of_the_fastest_that_fits(
    machine: tuple[list[Runtime], list[Measured]], asked: Asked
) -> None:
    found, measured = machine
    measured = [replace(m, threads=1) for m in measured]  # then fewer threads cost nothing
    got = plan(found, measured, replace(asked, device="auto", precision="auto", memory_bytes=64_000 * MIB))
    by_runtime = {m.runtime: m for m in measured if not m.fault}
    if isinstance(got, Plan) and by_runtime and got.runtime in by_runtime:
        best = min(m.seconds_for(asked.lines) for m in by_runtime.values())
        assert by_runtime[got.runtime].seconds_for(asked.lines) <= 1.0501 * best


def of(runtime: Runtime, lines_per_s: float, load_s: float = 0.3, **more: float) -> Measured:
    return Measured(runtime, load_s=load_s, lines_per_s=lines_per_s, threads=2, **more)  # type: ignore[arg-type]


ROOMY = Asked(memory_bytes=4000 * MIB, cores=2)


@pytest.mark.parametrize(
    ("gpu_lines_per_s", "lines", "chosen"),
    [(50, 1000, CPU), (102, 10_000, CPU), (400, 10_000, GPU), (400, 20, CPU)],
    ids=["slower", "hardly faster", "faster", "faster, but not for one page"],
)
def test_gpu_is_chosen_where_it_pays(gpu_lines_per_s: float, lines: int, chosen: Runtime) -> None:
    measured = [of(CPU, 100), of(GPU, gpu_lines_per_s, load_s=4)]
    got = plan([CPU, GPU], measured, replace(ROOMY, lines=lines))
    assert isinstance(got, Plan)
    assert got.runtime == chosen


def test_device_that_lies_is_refused_by_name() -> None:
    lies = Measured(GPU, fault="wrong results: 3.0 % as expected")
    got = plan([CPU, GPU], [lies], replace(ROOMY, device="gpu"))
    assert isinstance(got, Refusal)
    assert "wrong results" in got.reason
    assert got.least_bytes == 0


def test_device_that_is_not_there() -> None:
    got = plan([CPU], [], replace(ROOMY, device="cuda"))
    assert isinstance(got, Refusal)
    assert "cuda" in got.reason


def test_workers_and_threads_follow_memory() -> None:
    one = needed_bytes(CPU, None, ROOMY, Costs(), 1, whole_page=False)
    tight = plan([CPU], [], replace(ROOMY, memory_bytes=round(one * 1.08), workers=0))
    roomy = plan([CPU], [], replace(ROOMY, memory_bytes=one * 8, workers=0))
    assert isinstance(tight, Plan)
    assert isinstance(roomy, Plan)
    assert (tight.workers, tight.threads, tight.whole_page) == (1, 1, False)
    assert (roomy.workers, roomy.threads, roomy.whole_page) == (2, 1, True)


def test_compiling_the_kernels_is_planned_for() -> None:
    ready, not_ready = (
        needed_bytes(CPU, None, replace(ROOMY, library=library), Costs(), 1, whole_page=False)
        for library in (True, False)
    )
    assert not_ready - ready == Costs().compiler
