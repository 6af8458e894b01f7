"""Suite ``print``: Carrel and what else reads pages of print, page by page in turn.

Every program runs in a process of its own, with one thread, in an environment that the bench makes; the first page of a
process counts as cold (imports and models included), the others as warm. CPU seconds stand for energy.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from carrel.evaluate import character_errors, word_errors
from carrel_bench.figures import Figure, warn
from carrel_bench.pages import fold
from carrel_bench.peers import PeerError, Worker, peer_python
from carrel_bench.print_pages import TruePage

LANGUAGES = "eng+fra"
_ONNX = ("numpy<2.3", "opencv-python-headless<5", "setuptools<81")
PEERS = {
    "rapidocr": ("rapidocr-onnxruntime==1.4.4", *_ONNX),
    "rapidocr-ov": ("rapidocr-openvino==1.4.4", *_ONNX),
    "ocrmypdf": ("ocrmypdf>=17,<18",),
}
SCRIPT = Path(__file__).parent / "print_worker.py"


@dataclass(frozen=True)
class Reading:
    """One page by one program: errors against the truth, time, CPU time, and the process's peak of resident memory."""

    program: str
    page: str
    cold: bool
    characters: int
    errors: int
    words: int
    word_errors: int
    lines: int
    seconds: float
    cpu_seconds: float
    peak_mib: float


def programs(peers: Iterable[str]) -> dict[str, Path]:
    """Interpreter of each program that is there; one that is not is named on stderr."""
    found = {"carrel": Path(sys.executable), "tesserocr": Path(sys.executable)}
    if shutil.which("tesseract"):
        found["tesseract"] = Path(sys.executable)
    else:
        warn("no tesseract command; apt-get install tesseract-ocr")
    for name in peers:
        try:
            found[name] = peer_python(name, PEERS[name])
        except PeerError as error:
            warn(f"left out, it has to be installed from the network: {error}")
    return found


def measure(found: dict[str, Path], pages: Sequence[TruePage], rounds: int) -> Iterator[list[Reading]]:
    """Every program reads every page, in turn, page by page; a new process in each round. One that fails is left out from
    then on."""
    left = dict(found)
    for turn in range(rounds):
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            for number, page in enumerate(pages):
                warn(f"print: round {turn + 1} of {rounds}, {page.name}")
                readings: list[Reading] = []
                for name, python in tuple(left.items()):
                    began = time.perf_counter()
                    if number == 0:
                        workers[name] = stack.enter_context(Worker(python, SCRIPT, (name, LANGUAGES)))
                    try:
                        answer = workers[name].ask(image=str(page.image))
                    except PeerError as error:
                        warn(f"left out: {error}")
                        del left[name]
                        continue
                    readings.append(_reading(name, page, number == 0, time.perf_counter() - began, answer))
                yield readings


def _reading(name: str, page: TruePage, cold: bool, seconds: float, answer: dict[str, float | str]) -> Reading:
    truth, text = fold(page.text), fold(str(answer["text"]))
    return Reading(
        name,
        page.name,
        cold,
        len(truth),
        character_errors(truth, text),
        len(truth.split()),
        word_errors(truth, text),
        len(page.text.splitlines()),
        seconds,
        float(answer["cpu_seconds"]),
        float(answer["peak_mib"]),
    )


def summarize(readings: Sequence[Reading]) -> list[Figure]:
    """Of each program: CER and least time of each page, WER, medians of cold and warm times, peak memory."""
    figures: list[Figure] = []
    for name in dict.fromkeys(r.program for r in readings):
        own = [r for r in readings if r.program == name]
        warm = [r for r in own if not r.cold] or own
        for page in dict.fromkeys(r.page for r in own):
            rows = [r for r in own if r.page == page]
            cer = sum(r.errors for r in rows) / sum(r.characters for r in rows)
            least = min((r.cpu_seconds for r in rows if not r.cold), default=rows[0].cpu_seconds)
            figures.append(Figure("print", name, page, "CER", cer))
            figures.append(Figure("print", name, page, "CPU s", least))
        values = {
            "WER": sum(r.word_errors for r in own) / sum(r.words for r in own),
            "cold start to the first page, s": median(r.seconds for r in own if r.cold),
            "warm s/page": median(r.seconds for r in warm),
            "pages/min": 60 / median(r.seconds for r in warm),
            "lines/s": median(r.lines / r.seconds for r in warm),
            "CPU s/page": median(r.cpu_seconds for r in warm),
            "CPU s/page, least": _mean_of_least(warm),
            "peak MiB": max(r.peak_mib for r in own),
        }
        figures += [Figure("print", name, "", figure, value) for figure, value in values.items()]
    return figures


def _mean_of_least(warm: Sequence[Reading]) -> float:
    """Mean over the pages of the least time of each: what is left when nothing else runs."""
    pages = dict.fromkeys(r.page for r in warm)
    return sum(min(r.cpu_seconds for r in warm if r.page == page) for page in pages) / len(pages)
