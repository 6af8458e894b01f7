"""The process in which a runtime is listed or tried: ``python -P -m carrel.backends.probe_worker REQUEST``, both JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from carrel.backends import Runtime
from carrel.backends.devices import find_devices
from carrel.backends.probe import Networks, Outputs, expected_outputs, measure, outputs_of
from carrel.backends.runtimes.networks import open_network
from carrel.models.folders import Model, open_model
from carrel.process_memory import resident_bytes


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the request asks for; see `carrel.backends.probe`."""
    if request.get("list"):
        return {"found": [asdict(found) for found in find_devices()]}
    import cv2  # loaded whatever the runtime

    cv2.setNumThreads(1)
    models = {task: open_model(Path(folder), task) for task, folder in request["models"].items()}
    runtime, threads = Runtime(**request["runtime"]), int(request["threads"])
    expected = expected_outputs(models)
    before, began = resident_bytes(), time.perf_counter()
    networks: Networks = {task: open_network(model, runtime, threads) for task, model in models.items()}
    load_s = time.perf_counter() - began
    measured = measure(runtime, networks, expected or _outputs_in_fp32(models), threads)
    del networks
    grown = max(0, resident_bytes() - before)
    return {"measured": asdict(replace(measured, load_s=round(load_s, 4), memory_bytes=grown))}


def _outputs_in_fp32(models: Mapping[str, Model]) -> Outputs:
    """What models without stored outputs are compared with: onnxruntime on the processor, in float32."""
    plain = Runtime("onnxruntime", "cpu", "fp32")
    return outputs_of({task: open_network(model, plain, 1) for task, model in models.items()})


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(json.loads(sys.argv[1]))) + "\n")
