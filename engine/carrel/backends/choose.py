"""From what the caller asked for to a plan: probing where it is due, refusing where nothing will do."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from carrel.backends import CPU, Runtime
from carrel.backends.costs import costs
from carrel.backends.devices import has_choice
from carrel.backends.plan import A4_PX, MIB, Asked, Plan, Refusal, needed_bytes, plan
from carrel.backends.probe import Survey, stored_survey, survey
from carrel.backends.settings import allowed_cores, default_limit_bytes
from carrel.budget import Budget, enough, parse_memory, resident_bytes
from carrel.errors import UsageError
from carrel.kernels.native import LIBRARY, kernel_folder, private_folder
from carrel.models.folders import Model
from carrel.options import ReadOptions

log = logging.getLogger(__name__)

BACKENDS = ("auto", "onnxruntime", "openvino")
DEVICES = ("auto", "cpu", "gpu", "cuda")
PRECISIONS = ("auto", "int8", "bf16", "fp16", "fp32")
PageOf = Callable[[], tuple[int, int] | None]


def new_budget(memory_bytes: int | None = None) -> Budget:
    """Return a budget of so many bytes; None takes ``CARREL_MEMORY``, or a share of what is free.

    Raises
    ------
    UsageError
        ``CARREL_MEMORY`` is no amount of memory.
    """
    named = os.environ.get("CARREL_MEMORY")
    limit_bytes = parse_memory(named) if named and memory_bytes is None else memory_bytes
    if limit_bytes is None:
        return Budget(default_limit_bytes())
    return Budget(limit_bytes, watched=True)


def asked_of(options: ReadOptions, budget: Budget | None = None, *, workers: int = 1, page_px: int = A4_PX) -> Asked:
    """What options ask for within a budget, with ``CARREL_BACKEND``, ``CARREL_DEVICE``, ``CARREL_PRECISION``,
    ``CARREL_THREADS`` and, without a budget, ``CARREL_MEMORY`` where they leave it open.

    Raises
    ------
    UsageError
        A value is none of those there are.
    """
    budget = budget or new_budget(options.memory_bytes)
    threads = options.threads or _number(os.environ.get("CARREL_THREADS", "0"))
    languages = 0 if options.writing == "handwritten" else len(options.languages)
    return Asked(
        memory_bytes=default_limit_bytes() if budget.limit_bytes is None else budget.limit_bytes,
        beside_bytes=budget.own_bytes,
        cores=allowed_cores(),
        threads=threads,
        workers=workers,
        backend=_one_of(options.backend, "CARREL_BACKEND", BACKENDS),
        device=_one_of(options.device, "CARREL_DEVICE", DEVICES),
        precision=_one_of(options.precision, "CARREL_PRECISION", PRECISIONS),
        languages=languages,
        language_model=options.language_model,
        library=has_library(),
        page_px=page_px,
    )


def choose(asked: Asked, models: Mapping[str, Model], largest: PageOf = lambda: None) -> Plan:
    """The plan for models by task: the first use of a machine with a choice is measured, the others follow it.

    ``largest`` tells pixels and bytes for each of the largest page that is to be read, where that is known.

    Raises
    ------
    UsageError
        There is none; the message names the smallest limit that will do.
    """
    exact = Runtime(asked.backend, asked.device, asked.precision)
    if "auto" not in (exact.backend, exact.device, exact.precision):
        return planned_for([exact], Survey((), ()), asked, largest())
    done = known_survey(asked, models)
    return planned_for(candidates(done), done, asked, largest())


def candidates(done: Survey) -> list[Runtime]:
    """What there is to choose from: always the processor on onnxruntime."""
    plain = [CPU, replace(CPU, precision="fp32")]
    return plain + [runtime for f in done.found for runtime in f.runtimes if runtime not in plain]


def known_survey(asked: Asked, models: Mapping[str, Model]) -> Survey:
    """What was measured before, or is measured now where there is a choice to make."""
    done = stored_survey(models, asked.cores)
    if done is not None or not has_choice(asked.backend, asked.device):
        return done or Survey((), ())
    for model in models.values():
        model.read_file(model.network_file(CPU.precision))  # a damaged model is no fault of any device
    log.info("trying what networks run fastest on here; this is done once")
    return survey(models, asked.cores, fits=lambda runtime: fits(runtime, asked))


def fits(runtime: Runtime, asked: Asked) -> bool:
    """Whether a runtime can be tried beside this process within the limit."""
    needed = needed_bytes(runtime, None, asked, costs(), 1, whole_page=True)
    return enough(needed + resident_bytes()) <= asked.memory_bytes or runtime == CPU


def planned_for(found: list[Runtime], done: Survey, asked: Asked, largest: tuple[int, int] | None) -> Plan:
    """The planner's answer for pages up to the ``largest``, in pixels and bytes for each.

    Where that one does not fit, the plan is for what needs least memory: smaller pages are read, and the refusal of
    the large one names the smallest limit that does for it.

    Raises
    ------
    UsageError
        No page can be read; the message names the smallest limit that does for the largest.
    """
    if largest is None:
        return planned(found, done, asked)
    with_page = replace(asked, page_px=largest[0], bytes_per_px=largest[1])
    answer = plan(found, done.measured, with_page, costs())
    if isinstance(answer, Plan):
        best = planned([answer.runtime], done, asked)
    else:
        alone = (plan([runtime], done.measured, asked, costs()) for runtime in found)
        fitting = [p for p in alone if isinstance(p, Plan)]
        if not fitting:
            raise UsageError(refusal_text(answer, done, asked))
        best = min(fitting, key=lambda p: p.fixed_bytes)
    return replace(best, largest_bytes=best.fixed_bytes)


def planned(found: list[Runtime], done: Survey, asked: Asked) -> Plan:
    """The planner's answer.

    Raises
    ------
    UsageError
        It refuses.
    """
    answer = plan(found, done.measured, asked, costs())
    if isinstance(answer, Plan):
        return answer
    if answer.least_bytes:  # what is named is enough for usual pages, too
        usual = plan(found, done.measured, replace(asked, page_px=max(A4_PX, asked.page_px)), costs())
        answer = usual if isinstance(usual, Refusal) else answer
    raise UsageError(refusal_text(answer, done, asked))


def refusal_text(refusal: Refusal, done: Survey, asked: Asked) -> str:
    """A refusal in words, with what would do."""
    if refusal.least_bytes:
        return f"{refusal.reason}; --memory {refusal.least_bytes // MIB}M will do"
    missing = [f.missing for f in done.found if f.missing and asked.device in ("auto", f.device)]
    return f"{refusal.reason}{': ' + missing[0] if missing else ''}; carrel devices says what there is"


def _one_of(value: str, variable: str, known: tuple[str, ...]) -> str:
    value = value if value != "auto" else os.environ.get(variable, "auto")
    if value not in known:
        raise UsageError(f"{variable.removeprefix('CARREL_').lower()} {value}: not one of {', '.join(known)}")
    return value


def has_library(cache_root: Path | None = None) -> bool:
    """Whether the kernels of a cache folder, by default the user's, are a library that needs no compiler."""
    folder = private_folder(cache_root) if cache_root else kernel_folder()
    return folder is not None and (folder / LIBRARY).is_file()


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"CARREL_THREADS={text}: not a number of threads")
    return int(text)
