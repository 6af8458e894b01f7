"""A published model's settings of the search and its confidences fitted anew, as where the language model has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from carrel.backends.runtimes.ort import OrtBackend
from carrel.loading import shipped_language
from carrel.models.folders import Model, open_model
from carrel.models.manifest import Recognition
from carrel.models.publish import MANIFEST, publish
from carrel.recognizers.ctc import CtcRecognizer
from carrel.review.training_lines import read_packs
from carrel_export.handwriting.calibration import calibrate

PRECISION = "int8"


def recalibrate(folder: Path, packs: Path) -> Model:
    """Fit the calibration of the model in ``folder`` on the ``val`` lines of the sources it was trained on.

    Raises
    ------
    ModelError
        The folder is no recognition model, or damaged.
    InputError
        There are no packs.
    """
    model = open_model(folder, "recognition")
    manifest = model.manifest_as(Recognition)
    key = model.network_file(PRECISION)
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file(key), model.name))
    samples = list(read_packs(packs, ("val",), [*manifest.training_sources] or None))
    logits = [recognizer.logits_of(sample.gray) for sample in samples]
    fitted = calibrate(logits, [sample.text for sample in samples], list(manifest.symbols), shipped_language())
    written: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
    written["calibration"] = fitted.entry
    precision = manifest.files[key].precision
    written.setdefault("figures", {})[f"val_cer_search_{precision}"] = round(fitted.search_cer, 4)
    files = {key: folder / entry.path for key, entry in manifest.files.items() if (folder / entry.path).exists()}
    kept = {name: value for name, value in written.items() if name not in ("format_version", "files")}
    return publish(folder, kept, files)
