"""Memory of networks that are not Carrel's own, foreseen from their files and inputs.

What Carrel's own networks take was measured with each runtime (`carrel.backends.costs.Costs`). Others may be a hundred
times as large, and are known by their files alone.
"""

from __future__ import annotations

from carrel.models.folders import Model
from carrel.models.manifest import Recognition
from carrel.process_memory import MIB

LOADING_TIMES = 4.5
"""Memory while a network is loaded, by the size of its file (PP-OCRv6 small in fp32, onnxruntime 1.32)."""
MEASURED_BYTES = 5 * MIB
"""Files up to this size are in the figures of the runtimes already."""
BYTES_PER_PX = 500
"""Working memory for each px of a line (PP-OCRv6 small: 498 at 800 px, 359 at 4,000)."""
USUAL_LINE_ASPECT = 33
"""Width of the longest usual line, in heights."""
_ROLES = ("network", "encoder", "decoder")


def loaded_bytes(model: Model, precision: str) -> int:
    """Return what a model's networks take in memory in this precision (int8 where it is not fp32)."""
    files = model.manifest.files
    roles = [role for role in _ROLES if any((e.role, e.runtime) == (role, "onnx") for e in files.values())]
    keys = [model.network_file("fp32" if precision == "fp32" else "int8", role) for role in roles]
    return round(LOADING_TIMES * max(0, sum(files[key].bytes for key in keys) - MEASURED_BYTES))


def line_bytes(model: Model) -> int:
    """Return what a model works in for the longest usual line; 0 where the figures of the runtimes hold it."""
    if not _is_foreign(model):
        return 0
    height_px = model.manifest_as(Recognition).input.height_px
    return BYTES_PER_PX * USUAL_LINE_ASPECT * height_px**2


def bytes_per_px(model: Model, own: int) -> int:
    """Return the working memory for each px of a line, ``own`` for Carrel's networks."""
    return BYTES_PER_PX if _is_foreign(model) else own


def _is_foreign(model: Model) -> bool:
    """Whether a network takes lines otherwise than Carrel's own do."""
    return isinstance(model.manifest, Recognition) and model.manifest.input.kind != "ink"
