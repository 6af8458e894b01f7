"""Kernels as functions of C: from a library that was built ahead, or else compiled by numba when first used."""

from __future__ import annotations

import logging
from functools import cache

from carrel.kernels.native import Kernel, built_library

log = logging.getLogger(__name__)


@cache
def kernel(name: str) -> Kernel:
    """Return a kernel, ready to be called with numbers and addresses; it checks nothing and lets other threads run."""
    library = built_library()
    if library is not None:
        return library[name]
    log.warning("there are no built kernels for this machine: compiling them, which takes some 20 s; see carrel warm")
    from carrel.kernels.compiled import compile_entry

    return compile_entry(name)
