"""Thousands of pages, unattended: a journal that survives power cuts, workers that may die, a hot folder, a purge.

`run` is the loop: `intake` finds files, `pool` hands pages to `worker` processes inside a `sandbox`, results are written
complete or not at all, and only then does the `journal` say so.
"""

from __future__ import annotations
