"""Outputs of the shipped networks for the built-in lines, in float32 on onnxruntime, for the probe of runtimes."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from carrel.backends import Runtime
from carrel.backends.probe import network_key, outputs_of, packed
from carrel.backends.runtimes.networks import open_network
from carrel.loading import network_models
from carrel.models.folders import model_folders
from carrel.options import ReadOptions

EXPECTED = Path(str(resources.files("carrel.backends"))) / "expected.json"


def main() -> None:
    """Write the file."""
    runtime, stored = Runtime("onnxruntime", "cpu", "fp32"), dict[str, list[str]]()
    for folder in (folder for folder in model_folders() if folder.name.startswith("handwriting-")):
        models = network_models(ReadOptions(model=folder))
        outputs = outputs_of({task: open_network(model, runtime, 1) for task, model in models.items()})
        stored |= {network_key(models[task]): [packed(row) for row in rows] for task, rows in outputs.items()}
    EXPECTED.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
