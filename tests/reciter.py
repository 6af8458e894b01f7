"""Model folders of an encoder-decoder that writes one text whatever it is shown, made without torch and onnx."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from carrel.models.folders import Model
from carrel.models.publish import publish
from make_seq2seq import FOLDER, LOOP, START, TOKENS

CALIBRATION = {"confidence": [1.0, 1.0], "character_confidence": [1.0, 0.5], "fitted_on": "val"}


def write_reciter(folder: Path, text: str, *, repeats: bool = False, calibrated: bool = True, **changes: Any) -> Model:
    """Make the model of a text; one that ``repeats`` writes two words for ever. ``changes`` replace entries of the manifest."""
    words = [f"{' ' if k else ''}{word}" for k, word in enumerate(text.split())]
    table = ["", *words, *[""] * (LOOP - 1 - len(words)), " over and", " over", ""]
    assert len(table) == TOKENS
    tokens = folder.with_name(f"{folder.name}-tokens.json")
    tokens.write_text(json.dumps([word.encode().decode("latin-1") for word in table]), "utf-8")
    stack = {"layers": 1, "heads": 1, "width": 1, "head_width": 1}
    manifest = {
        "task": "seq2seq",
        "name": folder.name,
        "licence": "Apache-2.0",
        "input": {"height_px": 16, "width_px": 32, "resampling": "bilinear"},
        "encoder": {**stack, "positions": 2},
        "decoder": {**stack, "positions": 256},
        "tokens": TOKENS,
        "decoding": {"start": LOOP if repeats else START, "ends": [0]},
        **({"calibration": CALIBRATION} if calibrated else {}),
        **changes,
    }
    files = {"encoder-fp32": FOLDER / "encoder.onnx", "decoder-fp32": FOLDER / "decoder.onnx", "tokens": tokens}
    return publish(folder, manifest, files)
