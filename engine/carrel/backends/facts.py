"""The request and the facts of this machine, gathered before `carrel.backends.selection.select`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from carrel.backends import CPU, Runtime
from carrel.backends.costs import A4_AT_300_DPI, Request, needed_bytes, shipped_costs
from carrel.backends.devices import Found, has_choice
from carrel.backends.foreign import line_bytes, loaded_bytes
from carrel.backends.probe import Survey, stored_survey, survey
from carrel.backends.selection import Facts, Refusal, Selection, select
from carrel.backends.settings import allowed_cores, default_limit_bytes
from carrel.budget import Budget, PageSize, enough
from carrel.errors import UsageError
from carrel.kernels.native import has_library
from carrel.models.folders import Model, folder_of, open_model
from carrel.options import ReadOptions
from carrel.process_memory import parse_memory, resident_bytes

log = logging.getLogger(__name__)

BACKENDS = ("auto", "onnxruntime", "openvino")
DEVICES = ("auto", "cpu", "gpu", "cuda")
PRECISIONS = ("auto", "int8", "bf16", "fp16", "fp32")


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


def request_of(
    options: ReadOptions,
    budget: Budget | None = None,
    *,
    page: PageSize | None = A4_AT_300_DPI,
    largest: PageSize | None = None,
) -> Request:
    """Return what options ask for within a budget, by default a new one.

    ``CARREL_BACKEND``, ``CARREL_DEVICE``, ``CARREL_PRECISION``, ``CARREL_THREADS`` and ``CARREL_MEMORY`` count where
    options leave it open.

    Raises
    ------
    UsageError
        A value is none of those there are.
    ModelError
        A model that the options name is missing or damaged.
    """
    budget = budget or new_budget(options.memory_bytes)
    precision = _one_of(options.precision, "CARREL_PRECISION", PRECISIONS)
    named = [open_model(folder_of(path)) for path in (options.model, options.second) if path is not None]
    return Request(
        memory_bytes=default_limit_bytes() if budget.limit_bytes is None else budget.limit_bytes,
        beside_bytes=budget.own_bytes,
        cores=allowed_cores(),
        threads=options.threads or _number(os.environ.get("CARREL_THREADS", "0")),
        backend=_one_of(options.backend, "CARREL_BACKEND", BACKENDS),
        device=_one_of(options.device, "CARREL_DEVICE", DEVICES),
        precision=precision,
        languages=0 if options.writing == "handwritten" else len(options.languages),
        language_model=options.language_model,
        networks_bytes=sum(loaded_bytes(model, precision) for model in named),
        networks_line_bytes=max((line_bytes(model) for model in named), default=0),
        library=has_library(),
        page=page,
        largest=largest,
    )


def facts_for(request: Request, models: Mapping[str, Model]) -> Facts:
    """Return what is known of this machine and of models by task; the first use of one with a choice is measured.

    Raises
    ------
    ModelError
        A model is damaged.
    """
    if request.names_one_runtime:
        exact = Found(request.backend, request.device, "", (request.precision,))
        return Facts((exact,), costs=shipped_costs())
    done = stored_survey(models, request.cores)
    if done is None and has_choice(request.backend, request.device):
        for model in models.values():
            model.read_file(model.network_file(CPU.precision))  # a damaged model is no fault of any device
        log.info("trying what networks run fastest on here; this is done once")
        done = survey(models, request.cores, fits=lambda runtime: _fits_beside(runtime, request))
    return _facts(done or Survey((), ()))


def measured_facts(request: Request, models: Mapping[str, Model]) -> Facts:
    """Return what is known after every runtime of this machine was tried anew, in every precision."""
    return _facts(survey(models, request.cores, fits=lambda _: True, thorough=True))


def selection_for(request: Request, models: Mapping[str, Model]) -> Selection:
    """Return what `select` answers to a request on this machine.

    Raises
    ------
    UsageError
        It refuses; the message names the smallest limit that will do.
    ModelError
        A model is damaged.
    """
    answer = select(request, facts_for(request, models))
    if isinstance(answer, Refusal):
        raise UsageError(answer.message)
    log.debug(
        "%s, %d threads, %d workers, %.0f MiB each",
        answer.runtime,
        answer.threads,
        answer.workers,
        answer.worker_bytes / 2**20,
    )
    return answer


def _facts(done: Survey) -> Facts:
    return Facts(done.found, done.measured, shipped_costs())


def _fits_beside(runtime: Runtime, request: Request) -> bool:
    """Return whether a runtime can be tried beside this process within the limit."""
    needed = needed_bytes(runtime, None, request, shipped_costs(), 1, whole_page=True)
    return enough(needed + resident_bytes()) <= request.memory_bytes or runtime == CPU


def _one_of(value: str, variable: str, known: tuple[str, ...]) -> str:
    value = value if value != "auto" else os.environ.get(variable, "auto")
    if value not in known:
        raise UsageError(f"{variable.removeprefix('CARREL_').lower()} {value}: not one of {', '.join(known)}")
    return value


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"CARREL_THREADS={text}: not a number of threads")
    return int(text)
