"""Worker that reads pages of print with one program, for `carrel_bench.peers.print`: ``PROGRAM LANGUAGES``, one thread.

A question names an ``image``; the answer holds its ``text``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

Read = Callable[[str], str]


def carrel(languages: str) -> Read:
    """Return the whole path of a page with default settings."""
    import carrel as package

    reader = package.Reader(package.ReadOptions(languages=tuple(languages.split("+")), threads=1))
    return lambda image: reader.read(image).text


def tesserocr(languages: str) -> Read:
    """Return Tesseract in-process, with its own layout analysis."""
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
    """Return the Tesseract command, a process for each page."""

    def read(image: str) -> str:
        command = ["tesseract", image, "-", "-l", languages]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return read


def rapidocr(engine: str, threads: str, languages: str) -> Read:
    """Return RapidOCR with the models in its package, without the classifier of upside-down lines, which turns good ones round."""
    from rapidocr import EngineType, RapidOCR  # pyright: ignore[reportMissingImports]

    engines = {f"{part}.engine_type": EngineType(engine) for part in ("Det", "Cls", "Rec")}
    settings = {f"EngineConfig.{engine}.{threads}": 1}
    read_lines: Any = RapidOCR(params={"Global.log_level": "error", **engines, **settings})

    def read(image: str) -> str:
        return "\n".join(read_lines(image, use_cls=False).txts or ())

    return read


def ocrmypdf(languages: str) -> Read:
    """Return OCRmyPDF, which makes a searchable PDF, a process for each page; the text is that of its sidecar."""

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
    "rapidocr": partial(rapidocr, "onnxruntime", "intra_op_num_threads"),
    "rapidocr-ov": partial(rapidocr, "openvino", "inference_num_threads"),
    "ocrmypdf": ocrmypdf,
}


def start(program: str, languages: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Load a program."""
    read = PROGRAMS[program](languages)
    return lambda question: {"text": read(question["image"])}
