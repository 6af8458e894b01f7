"""A recognizer trained with kraken, through kraken and through Carrel: the same text? how much faster?

``python -m carrel_bench.kraken_lines --data DIR [--source tapus] [--work FOLDER] [--python INTERPRETER]``: kraken trains a
small network on 300 lines of one source (of up to 24 characters, so that minutes are enough), ``carrel export`` makes a
model folder of it, and both read 100 other lines (``test``), one thread, one line a call, taking turns. ``--work`` keeps
what was trained and exported; ``--model`` takes a model of kraken's that is there already. The environment with kraken
and the export extra is made at the first use, or ``--python`` names it.

Agreement is the share of the characters that kraken read which Carrel read as well.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import carrel
from carrel.evaluate import character_errors
from carrel.models.folders import open_model
from carrel_bench.lines import TrueLine, read_lines
from carrel_bench.peers import PeerError, Worker, machine, peer_python

PACKAGES = (
    "kraken==7.1.1",
    "torch==2.13.0",
    "onnx>=1.19",
    "onnxruntime>=1.28",
    "rapidfuzz>=3",
    "numba>=0.61",
    "opencv-python-headless>=5",
)
SPEC = "[1,32,0,1 Cr3,3,16 Mp2,2 Cr3,3,32 Mp2,2 Cr3,3,48 Mp2,1 S1(1x0)1,3 Lbx96 Do0.1,2 Lbx96 Do0.1,2]"
TRAIN_LINES, VAL_LINES, READ_LINES, LINES_A_TURN = 300, 30, 100, 10
SHORTEST, LONGEST = 4, 24
STEP_PX = 64
"""Widths of the training lines are padded to steps, so that torch compiles few shapes."""


def write_ground_truth(lines: Sequence[TrueLine], folder: Path, height_px: int = 32) -> Path:
    """Lines as kraken trains on them, image and ``.gt.txt`` beside each other; a list of the images."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, line in enumerate(lines):
        width = max(1, line.gray.shape[1] * height_px // line.gray.shape[0])
        scaled = Image.fromarray(line.gray).resize((width, height_px), Image.Resampling.LANCZOS)
        paper = int(np.percentile(np.asarray(scaled), 80))
        padded = Image.new("L", (-(-width // STEP_PX) * STEP_PX, height_px), paper)
        padded.paste(scaled, (0, 0))
        padded.save(folder / f"{number:04d}.png")
        (folder / f"{number:04d}.gt.txt").write_text(line.text, "utf-8")
    listed = folder.with_suffix(".txt")
    listed.write_text("".join(f"{file.resolve()}\n" for file in sorted(folder.glob("*.png"))), "utf-8")
    return listed


def train(python: Path, data: Path, source: str, work: Path, epochs: int) -> Path:
    """kraken's own training on 300 lines; the file of its best weights."""
    lists: list[Path] = []
    for split, count in (("train", TRAIN_LINES), ("val", VAL_LINES)):
        lines = [x for x in read_lines(data, split, [source]) if SHORTEST <= len(x.text) <= LONGEST]
        drawn = np.random.default_rng(0).permutation(len(lines))[:count]
        lists.append(write_ground_truth([lines[i] for i in drawn], work / split))
    options = ["-f", "path", "--linetype", "baselines", "-q", "fixed", "-N", str(epochs), "-F", "3", "-B", "1"]
    command = [str(python.with_name("ketos")), "-d", "cpu", "--threads", "1", "--workers", "0", "-s", "1", "train"]
    command += ["-o", str(work / "trained"), *options, "-r", "0.001", "-s", SPEC]
    _run([*command, "-t", str(lists[0]), "-e", str(lists[1])])
    return best_weights(work)


def best_weights(work: Path) -> Path:
    """The file that kraken wrote at the end of its training."""
    found = sorted((work / "trained").glob("best_*.safetensors"))
    if not found:
        raise PeerError(f"kraken left no weights in {work / 'trained'}")
    return found[-1]


def export(python: Path, model: Path, pack: Path, target: Path) -> None:
    """``carrel export`` in kraken's environment."""
    command = [str(python), "-m", "carrel_export", "export", str(model), "--to", str(target)]
    _run([*command, "--calibration", str(pack), "--gate-cer", "1"])


def training_environment() -> dict[str, str]:
    """One thread, and Carrel's packages for an interpreter that has not installed them."""
    packages = Path(carrel.__file__).parents[2]
    paths = os.pathsep.join(str(packages / name) for name in ("engine", "export", "models"))
    paths = paths if (packages / "export").is_dir() else str(Path(carrel.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16384"}


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, env=training_environment(), check=False, stdout=sys.stderr)
    if done.returncode:
        raise PeerError(f"{' '.join(command[:4])} ... failed with exit status {done.returncode}")


def compare(python: Path, model: Path, folder: Path, lines: Sequence[TrueLine]) -> dict[str, Any]:
    """Let kraken and both files of the exported model read the same lines in turns."""
    return compare_models(python, {"kraken": model}, folder, lines)


def compare_models(
    python: Path, models: Mapping[str, Path], folder: Path, lines: Sequence[TrueLine]
) -> dict[str, dict[str, Any]]:
    """Let models of kraken's and both files of a folder of Carrel's read the same lines in turns; all are compared with
    the first of kraken's."""
    here = Path(__file__).parent
    roles = [role for role in ("onnx-fp32", "onnx-int8") if role in open_model(folder).manifest.files]
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in (*models, *roles)}
    with tempfile.TemporaryDirectory() as shared, ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(python, here / "kraken_worker.py", ["lines", str(model)]))
            for name, model in models.items()
        }
        for role in roles:
            arguments = [str(folder), role, "onnxruntime"]
            worker = Worker(Path(sys.executable), here / "exported_worker.py", arguments)
            workers[role] = stack.enter_context(worker)
        for number, start in enumerate((0, *range(0, len(lines), LINES_A_TURN))):
            file = Path(shared) / "turn.npz"
            turn = lines[start : start + LINES_A_TURN]
            np.savez(file, **{str(i): line.gray for i, line in enumerate(turn)})  # type: ignore[arg-type]
            for name, worker in workers.items():
                answer = worker.ask(lines=str(file))
                if number:  # the first turn warms up
                    answers[name].append(answer)
    return {name: _figures(given, answers[next(iter(models))], lines) for name, given in answers.items()}


def _figures(given: list[dict[str, Any]], krakens: list[dict[str, Any]], lines: Sequence[TrueLine]) -> dict[str, float]:
    texts = [text.strip() for answer in given for text in answer["texts"]]
    reference = [text.strip() for answer in krakens for text in answer["texts"]]
    differing = sum(character_errors(theirs, ours) for theirs, ours in zip(reference, texts, strict=True))
    errors = sum(character_errors(line.text, text) for line, text in zip(lines, texts, strict=True))
    rates = [len(answer["texts"]) / answer["cpu_s"] for answer in given]
    ratios = [theirs["cpu_s"] / ours["cpu_s"] for theirs, ours in zip(krakens, given, strict=True)]
    return {
        "agreement": round(1 - differing / max(1, sum(map(len, reference))), 4),
        "same_lines": sum(theirs == ours for theirs, ours in zip(reference, texts, strict=True)),
        "cer": round(errors / sum(len(line.text) for line in lines), 4),
        "lines_per_cpu_second": round(statistics.median(rates), 1),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "peak_rss_mib": round(given[-1]["peak_mib"]),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, export, compare; a row each for kraken and for Carrel's fp32 and int8."""
    parser = argparse.ArgumentParser(prog="carrel_bench.kraken_lines", description="kraken's recognizer and Carrel.")
    parser.add_argument("--data", type=Path, required=True, help="folder of line packs (*.zip)")
    parser.add_argument("--source", default="tapus")
    parser.add_argument(
        "--work", type=Path, help="keeps the trained and the exported model  [default: a temporary folder]"
    )
    parser.add_argument("--python", type=Path, help="interpreter of an environment with kraken and the export extra")
    parser.add_argument("--model", type=Path, help="a recognition model of kraken's, instead of training one")
    parser.add_argument("--epochs", type=int, default=26)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    return report(
        parser.prog,
        options,
        lambda python, work: _report(options, python, work),
        f"{READ_LINES} lines",
        lambda name, row: (
            f"{name:10s} agreement {row['agreement']:7.2%} ({row['same_lines']} lines the same)  CER {row['cer']:6.2%}"
        ),
    )


def report(
    prog: str,
    options: argparse.Namespace,
    measure: Callable[[Path, Path], Mapping[str, Mapping[str, Any]]],
    lines: str,
    told: Callable[[str, Mapping[str, Any]], str],
) -> int:
    """Measure with an interpreter that has kraken, in a working folder, and print JSON or a row for each; the exit code.

    ``told`` is how a row begins; its speed and memory follow.
    """
    try:
        python = options.python or peer_python("kraken", PACKAGES)
        with tempfile.TemporaryDirectory() as temporary:
            rows = measure(python, options.work or Path(temporary))
    except PeerError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps({"machine": machine(), "source": options.source, "runs": rows}, indent=1))
        return 0
    print(f"{lines} of {options.source}; {machine()}")
    for name, row in rows.items():
        print(
            f"{told(name, row)}  {row['lines_per_cpu_second']:6.1f} lines/CPU s  x{row['ratio']:.2f} "
            f"(min {row['ratio_min']:.2f})  peak {row['peak_rss_mib']} MiB"
        )
    return 0


def _report(options: argparse.Namespace, python: Path, work: Path) -> dict[str, Any]:
    folder = work / "exported"
    model = options.model
    if model is None:
        trained = list((work / "trained").glob("best_*.safetensors"))
        model = best_weights(work) if trained else train(python, options.data, options.source, work, options.epochs)
    if not (folder / "manifest.json").exists():
        export(python, model, options.data / f"{options.source}.zip", folder)
    lines = list(read_lines(options.data, "test", [options.source]))
    drawn = np.random.default_rng(1).permutation(len(lines))[:READ_LINES]
    return compare(python, model, folder, [lines[i] for i in drawn])


if __name__ == "__main__":
    sys.exit(main())
