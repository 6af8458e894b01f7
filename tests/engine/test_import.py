"""`import carrel` stays light and silences telemetry before anything else is loaded."""

from __future__ import annotations

import ast
import importlib.resources
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "cv2",
    "numba",
    "numpy",
    "onnxruntime",
    "openvino",
    "tesserocr",
    "torch",
    "onnx",
    "scipy",
    "PIL",
    "lxml",
    "msgspec",
)
SLOW = ("importlib.metadata",)
"""Half as long to import as all else that the command needs."""
SAMPLE = Path(__file__).parents[1] / "pages" / "french.jpg"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_loads_nothing_heavy() -> None:
    code = f"import sys, carrel, carrel_cli.main; print([m for m in {HEAVY + SLOW!r} if m in sys.modules])"
    assert run(code) == "[]"


def test_a_line_of_print_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    from PIL import Image

    with Image.open(SAMPLE) as page:
        page.crop((180, 360, 1600, 450)).save(tmp_path / "line.png")
    networks = ("carrel.recognizers.seq2seq.recognizer",)
    needless = ("numba", "numpy.ma", "lxml", "pikepdf", "concurrent.futures", "secrets", "socket", *networks, *SLOW)
    needless += ("PIL.JpegImagePlugin", "PIL.TiffImagePlugin", "PIL.ImageOps", "subprocess", "difflib")
    code = f"import sys, pathlib, carrel; carrel.read({str(tmp_path / 'line.png')!r})\n"
    code += "mapped = pathlib.Path('/proc/self/maps').read_text() if sys.platform == 'linux' else ''\n"
    code += "print([file for file in ('ngram.bin', 'lexicon.bin') if file in mapped])\n"
    assert run(code + f"print([m for m in {needless!r} if m in sys.modules])") == "[]\n[]"


def test_public_names_resolve() -> None:
    assert run("import carrel; print([n for n in carrel.__all__ if not hasattr(carrel, n)])") == "[]"


def test_telemetry_of_onnxruntime_is_off_before_it_is_imported() -> None:
    assert run("import carrel, os; print(os.environ['ORT_DISABLE_TELEMETRY'])") == "1"


FIRST_SESSION = """
import os, sys
os.environ.pop("ORT_DISABLE_TELEMETRY", None)
os.environ.update(variables)
import onnxruntime, carrel
from carrel.backends.runtimes.ort import OrtBackend
try:
    OrtBackend(b"", "none")
except carrel.CarrelError as error:
    print(type(error).__name__, error)
"""


def test_import_after_onnxruntime_works_and_the_first_session_refuses_what_reports() -> None:
    told = run(f"variables = {{}}\n{FIRST_SESSION}")
    assert told.startswith("UsageError onnxruntime was imported before carrel and reports to its maker")
    assert "import carrel first, or set ORT_DISABLE_TELEMETRY=1" in told


def test_onnxruntime_that_was_silenced_before_is_used() -> None:
    told = run(f"variables = {{'ORT_DISABLE_TELEMETRY': '1'}}\n{FIRST_SESSION}")
    assert told.startswith("ModelError model none: onnxruntime cannot load it")


def test_engine_prints_nothing() -> None:
    """Results and messages are the command's to write; the engine logs."""
    engine = Path(str(importlib.resources.files("carrel")))
    printing = [
        f"{file.relative_to(engine)}:{node.lineno}"
        for file in engine.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == []
