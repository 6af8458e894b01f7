"""The memory model's figures: shipped ones, fitted on one machine by ``python -m carrel_bench.runtime --calibrate``."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from carrel.backends.plan import MIB, Costs


@cache
def costs() -> Costs:
    """The shipped figures, which are MiB in ``costs.json``."""
    values = json.loads(Path(__file__).with_name("costs.json").read_text("utf-8"))
    runtimes = {name: int(amount * MIB) for name, amount in values.pop("runtimes").items()}
    return Costs(runtimes=runtimes, **{name: int(amount * MIB) for name, amount in values.items()})
