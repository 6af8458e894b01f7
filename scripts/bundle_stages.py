"""The stages of reading a line, so that two kinds of machine can be compared; run by a bundle's own Python.

``bundle_stages.py store SCAN FILE`` runs them all on a scan of two lines and keeps what each gives in an ``.npz``.
``bundle_stages.py compare FILE`` runs each of them on what was stored before it, and prints as JSON how many values are not
the same, the share of all, and by how much they differ at most.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import carrel
from carrel.decode.types import Decoded
from carrel.image.crop import crop_line
from carrel.image.ink import LineInput
from carrel.image.prepare import flatten_illumination, prepare
from carrel.image.source import open_scans
from carrel.loading import load_engines, network_models
from carrel.models import manifest as manifests
from carrel.recognizers.late import LateRecognizer

Array = NDArray[Any]
BASELINE = ((830, 104), (1150, 100), (1500, 90))  # first line of the scan, px
POLYGON = ((800, 40), (1530, 20), (1530, 116), (800, 134))


def stages() -> dict[str, tuple[str, Callable[[Array], Array]]]:
    """Return each stage by its name: the stage before it, and what it does."""
    options = carrel.ReadOptions(writing="handwritten", threads=1)
    late = load_engines(options).router.recognizers["ctc"]
    assert isinstance(late, LateRecognizer)
    recognizer: Any = late.opened()
    entry = network_models(options)["recognition"].manifest_as(manifests.Recognition).input
    line = LineInput(entry.height_px, entry.margin_px, entry.kind, entry.width_multiple_px)
    place = (np.array(BASELINE, np.float32), np.array(POLYGON, np.float32))
    return {
        "flattened": ("scan", flatten_illumination),
        "prepared": ("scan", lambda scan: prepare(scan).gray),
        "crop": ("scan", lambda scan: crop_line(scan, *place).gray),
        "input": ("crop", line.of),
        "logits": ("crop", recognizer.logits_of),
        "search": ("logits", lambda logits: numbers_of(recognizer.decode(logits))),
    }


def numbers_of(readings: tuple[Decoded, ...]) -> Array:
    """Return all numbers of some readings in one row."""
    rows = [(*r.classes, *r.probabilities, *r.starts, *r.ends, r.log_score, r.confidence) for r in readings]
    return np.array([value for row in rows for value in row], np.float64)


def store(scan: Path, file: Path) -> None:
    """Run all stages one after the other."""
    kept: dict[str, Array] = {"scan": next(iter(open_scans(scan, 100.0))).gray}
    for name, (before, stage) in stages().items():
        kept[name] = stage(kept[before])
    np.savez(file, allow_pickle=False, **kept)


def compare(file: Path) -> dict[str, dict[str, float]]:
    """Run each stage on what was stored before it; what differs from what was stored after it."""
    found: dict[str, dict[str, float]] = {}
    with np.load(file, allow_pickle=False) as kept:
        for name, (before, stage) in stages().items():
            here, there = stage(kept[before]), kept[name]
            if here.shape != there.shape:
                found[name] = {"count": float(here.size), "share": 1.0, "most": float("inf")}
                continue
            apart = np.abs(here.astype(np.float64) - there.astype(np.float64))
            found[name] = {
                "count": float((apart > 0).sum()),
                "share": float((apart > 0).mean()),
                "most": float(apart.max(initial=0.0)),
            }
    return found


if __name__ == "__main__":
    if sys.argv[1] == "store":
        store(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        print(json.dumps(compare(Path(sys.argv[2]))))
