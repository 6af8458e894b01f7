"""`import carrel` stays light and silences telemetry before anything else is loaded."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("cv2", "numba", "numpy", "onnxruntime", "openvino", "tesserocr", "torch", "onnx", "scipy", "PIL", "lxml")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, carrel, carrel_cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run(code) == "[]"


def test_public_names_resolve() -> None:
    assert run("import carrel; print([n for n in carrel.__all__ if not hasattr(carrel, n)])") == "[]"


def test_telemetry_of_onnxruntime_is_off_before_it_is_imported() -> None:
    assert run("import carrel, os; print(os.environ['ORT_DISABLE_TELEMETRY'])") == "1"


def test_refuses_to_start_after_onnxruntime_with_telemetry_on() -> None:
    code = (
        "import sys; sys.modules['onnxruntime'] = sys\ntry:\n    import carrel\nexcept ImportError as e:\n    print(e)"
    )
    assert "import carrel first" in run("import os; os.environ.pop('ORT_DISABLE_TELEMETRY', None)\n" + code)
