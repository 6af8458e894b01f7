"""The plan of a batch: number of workers, their runtime, and the memory of each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from carrel.backends.facts import request_of, selection_for
from carrel.budget import PageSize
from carrel.cache_folders import cache_root
from carrel.errors import OutputError
from carrel.kernels.native import has_library
from carrel.loading import network_models
from carrel.options import ReadOptions

PAGE = PageSize(25_000_000)
"""Workers are planned for pages of this size; larger ones are read where they fit, or refused."""
BATCH_LINES = 20_000
"""What a batch is taken to hold: loading hardly counts."""
BESIDE_BYTES = 768 * 2**20
"""Memory that the system may promise a worker beside what it uses: stacks, and what allocators set aside."""


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """``workers`` processes that read with ``options`` each, which hold their limit of resident memory;
    ``promised_bytes`` is the most private memory that the system lets one ask for."""

    workers: int
    options: ReadOptions
    promised_bytes: int


def plan_workers(options: ReadOptions, memory_bytes: int | None = None, workers: int | None = None) -> WorkerPlan:
    """Return as many workers as there are cores and as fit into memory, unless their number is given.

    Parameters
    ----------
    options
        How pages are read; backend, device, precision, threads and memory come back decided.
    memory_bytes
        For all workers together; by default four fifths of what is free.

    Raises
    ------
    UsageError
        Not even one worker fits; the message names the least that will do.
    ModelError
        A model is missing or damaged.
    """
    request = request_of(replace(options, memory_bytes=memory_bytes or options.memory_bytes), page=PAGE)
    request = replace(
        request, workers=workers or 0, lines=BATCH_LINES, library=has_library() or has_library(cache_folder())
    )
    chosen = selection_for(request, network_models(options))
    decided = replace(
        options,
        backend=chosen.runtime.backend,
        device=chosen.runtime.device,
        precision=chosen.runtime.precision,
        threads=chosen.threads,
        memory_bytes=chosen.worker_bytes,
    )
    return WorkerPlan(chosen.workers, decided, chosen.worker_bytes + BESIDE_BYTES)


def cache_folder() -> Path:
    """Return where workers keep compiled kernels: apart from those of other commands, which never load what a worker that a
    hostile page took over could have written."""
    return cache_root() / "workers"


def make_cache() -> Path | None:
    """Return the workers' cache, private; None where there can be none and none is needed, as the kernels come built.

    Raises
    ------
    OutputError
        Kernels must be compiled, and there is no place to keep them.
    """
    try:
        cache = cache_folder()
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: no home
        if has_library():
            return None
        raise OutputError(f"no place to keep compiled kernels ({error}); set XDG_CACHE_HOME") from error
    return cache
