"""Reads pages of print with one program, for `carrel_bench.printed`; runs in the environment of that program.

``print_worker.py PROGRAM LANGUAGES``: each line on standard input is ``{"image": PATH}``, each answer ``{"text": ...,
"cpu_seconds": ..., "peak_mib": ...}``; peak is the process's highest resident memory so far.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Read = Callable[[str], str]


def carrel(languages: str) -> Read:
    """The whole path of a page with default settings."""
    import carrel as package

    reader = package.Reader(package.ReadOptions(languages=tuple(languages.split("+")), threads=1))
    return lambda image: reader.read(image).text


def tesserocr(languages: str) -> Read:
    """Tesseract in-process, with its own layout analysis."""
    from PIL import Image
    from tesserocr import PSM, PyTessBaseAPI

    from carrel.recognizers.tesseract import find_tessdata

    folder = find_tessdata(languages.split("+"))
    api: Any = PyTessBaseAPI(path=str(folder), lang=languages, psm=PSM.AUTO)

    def read(image: str) -> str:
        with Image.open(image) as scan:  # pixels alone: a resolution named by the file can hurt badly
            gray = scan.convert("L")
        api.SetImageBytes(gray.tobytes(), *gray.size, 1, gray.width)
        return str(api.GetUTF8Text())

    return read


def tesseract(languages: str) -> Read:
    """The Tesseract command, a process for each page."""

    def read(image: str) -> str:
        command = ["tesseract", image, "-", "-l", languages]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return read


def rapidocr(languages: str) -> Read:
    """RapidOCR on onnxruntime with the models in its package, one thread."""
    from rapidocr_onnxruntime import RapidOCR  # pyright: ignore[reportMissingImports]

    return _rapidocr(RapidOCR(intra_op_num_threads=1))


def rapidocr_openvino(languages: str) -> Read:
    """The same on OpenVINO."""
    from rapidocr_openvino import RapidOCR  # pyright: ignore[reportMissingImports]

    return _rapidocr(RapidOCR(inference_num_threads=1))


def _rapidocr(engine: Any) -> Read:
    """Without the classifier of upside-down lines, which turns good ones round."""

    def read(image: str) -> str:
        lines, _ = engine(image, use_cls=False)
        return "\n".join(line[1] for line in lines or [])

    return read


def ocrmypdf(languages: str) -> Read:
    """OCRmyPDF makes a searchable PDF, a process for each page; the text is that of its sidecar."""

    def read(image: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            pdf, text = Path(folder) / "page.pdf", Path(folder) / "page.txt"
            options = ["--output-type", "pdf", "--jobs", "1", "--image-dpi", "300", "-l", languages]
            command = [sys.executable, "-m", "ocrmypdf", *options, "--sidecar", str(text), image, str(pdf)]
            subprocess.run(command, check=True, capture_output=True)
            return text.read_text("utf-8")

    return read


PROGRAMS: dict[str, Callable[[str], Read]] = {
    "carrel": carrel,
    "tesserocr": tesserocr,
    "tesseract": tesseract,
    "rapidocr": rapidocr,
    "rapidocr-ov": rapidocr_openvino,
    "ocrmypdf": ocrmypdf,
}


def _cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _peak_mib() -> float:
    """Of this process or a child of it; ru_maxrss of this one would count what started it."""
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def main() -> None:
    """Answer until standard input ends."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    cpu = 0.0
    read = PROGRAMS[sys.argv[1]](sys.argv[2])
    for question in sys.stdin:
        text = read(json.loads(question)["image"])
        now = _cpu_seconds()
        print(json.dumps({"text": text, "cpu_seconds": now - cpu, "peak_mib": _peak_mib()}), flush=True)
        cpu = now


if __name__ == "__main__":
    main()
