"""Numbers that reach the search: refused outside their ranges, and harmless even where they were let through."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from carrel.decode.beam import beam_search
from carrel.decode.ngram import Language
from carrel.decode.options import RANGES, DecodeOptions
from carrel.errors import UsageError
from carrel_export.language.pack import build

ALPHABET = "abcdefghij "
FRAMES, WIDTH = 200, 10


def unchecked(**settings: Any) -> DecodeOptions:
    """Options whose ranges nobody looked at."""
    options = DecodeOptions(beam_width=WIDTH)
    for name, value in settings.items():
        object.__setattr__(options, name, value)
    return options


@pytest.mark.parametrize("name", list(RANGES))
def test_options_outside_their_range_are_refused(name: str) -> None:
    least, most = RANGES[name]
    for value in (least - 0.01, most + 0.01, math.nan, math.inf, -math.inf):
        with pytest.raises(UsageError, match=f"{name} is .*outside its range"):
            DecodeOptions(**{name: value})  # type: ignore[arg-type]
    assert DecodeOptions(**{"beam_width": 1000, name: most})  # type: ignore[arg-type]


@pytest.mark.parametrize("bonus", [1e3, 1e4, 1e8, 1e30, 1e37])
def test_masses_that_grow_with_every_character_stay_numbers(bonus: float) -> None:
    rng = np.random.default_rng(0)
    model = build(["".join(rng.choice(list(ALPHABET), 30)) for _ in range(50)], order=3)
    logits = rng.normal(0.0, 3.0, (FRAMES, len(ALPHABET) + 1)).astype(np.float32)
    options = unchecked(length_bonus=bonus, alternatives=3)
    readings = beam_search(logits, options, Language(model, ALPHABET))
    assert len(readings) == 3
    for reading in readings:
        assert math.isfinite(reading.log_score)
        assert FRAMES * 0.9 < len(reading.classes) <= FRAMES  # so large a bonus writes a character in every frame
        assert set(reading.classes) <= set(range(1, len(ALPHABET) + 1))


@pytest.mark.parametrize("seed", range(2))
def test_no_number_leads_the_compiled_search_out_of_its_arrays(seed: int) -> None:
    # in a process of its own, which dies where a guarded page is touched
    script = Path(__file__).parents[1] / "guarded_search.py"
    command = [sys.executable, str(script), str(seed), "300"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-3000:]}"
