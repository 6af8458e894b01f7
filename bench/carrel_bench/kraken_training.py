"""Carrel's recognizer and kraken's after equal training: from nothing, on the same lines, for the same processor time.

``python -m carrel_bench.kraken_training --data DIR [--source peraire] [--minutes 15] [--work FOLDER] [--python INTERPRETER]``:
each of the two trains in one thread on the ``train`` lines of a source (``val`` tells it which weights are best) until it has
spent so many minutes of processor time; then all read the source's ``test`` lines, one thread, one line a call, taking turns.
Carrel first finds out in a short trial how many lines it can see in that time, since its learning rate falls along a schedule;
kraken keeps its own default, a constant rate. kraken is trained twice: its default network and a small, fast one. Nobody uses
a language model. ``--work`` keeps what was trained, so that a stopped run goes on with what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from carrel_bench.kraken_lines import SPEC, compare_models, export, report, training_environment, write_ground_truth
from carrel_bench.lines import read_lines
from carrel_bench.peers import PeerError

TRIAL_LINES = 1500
SHARE_PLANNED = 0.95
"""Of what the trial promises; the schedule should end before its time is up."""
COLUMNS = 8192
"""Px columns of a batch: from nothing, many small steps teach more than few large ones."""
TRAIN = """
import sys
from pathlib import Path
from carrel_export.handwriting.training import Trainer, TrainingOptions
packs, size, columns, lines, out = sys.argv[1:]
options = TrainingOptions(size=size, lines=int(lines), columns_per_batch=int(columns))
Trainer(Path(out), Path(packs), options).run()
"""
POLL_S = 1.0
NETWORKS = {"kraken": (120, ()), "kraken, small": (32, ("-s", SPEC))}
"""Height of the lines and options of each network that kraken trains; the first is its default."""


def tree_cpu_s(process: int) -> float:
    """Processor seconds of a process, of what it started, and of what of that has ended (Linux)."""
    spent = 0.0
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
        spent = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        for listed in Path(f"/proc/{process}/task").glob("*/children"):
            spent += sum(map(tree_cpu_s, map(int, listed.read_text("utf-8").split())))
    return spent


def run_for(command: Sequence[str], cpu_s: float, log: Path) -> float:
    """Run until the end or until so much processor time is spent; what was spent.

    Raises
    ------
    PeerError
        It failed by itself.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=training_environment(), stdout=out, stderr=out, start_new_session=True)
        spent = 0.0
        while process.poll() is None and spent < cpu_s:
            time.sleep(POLL_S)
            spent = max(spent, tree_cpu_s(process.pid))
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()
        elif process.returncode:
            raise PeerError(f"{' '.join(command[:4])} ... failed with exit status {process.returncode}; see {log}")
    return spent


def train_carrel(python: Path, packs: Path, work: Path, size: str, cpu_s: float) -> dict[str, Any]:
    """Carrel's own training; its best weights, what it spent, and how many lines it saw."""
    command = [str(python), "-c", TRAIN, str(packs), size, str(COLUMNS)]
    log = work / "carrel.log"
    trial_s = run_for([*command, str(TRIAL_LINES), str(work / "trial")], cpu_s, log)
    lines = round(SHARE_PLANNED * TRIAL_LINES * cpu_s / trial_s)
    spent = run_for([*command, str(lines), str(work / "carrel")], cpu_s, log)
    return {"weights": str(work / "carrel" / "best.pt"), "training_cpu_s": round(spent), "lines_seen": lines}


def train_kraken(python: Path, data: Path, source: str, work: Path, name: str, cpu_s: float) -> dict[str, Any]:
    """kraken's own training; its best checkpoint, what it spent, and how many lines it saw at most."""
    height_px, network = NETWORKS[name]
    folder = work / name.replace(", ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    lists = [
        write_ground_truth(list(read_lines(data, split, [source])), folder / split, height_px)
        for split in ("train", "val")
    ]
    command = [str(python.with_name("ketos")), "-d", "cpu", "--threads", "1", "--workers", "0", "train", *network]
    command += ["-o", str(folder / "model"), "-f", "path", "--linetype", "baselines", "-q", "fixed", "-N", "1000"]
    command += ["-F", "0.25", "-t", str(lists[0]), "-e", str(lists[1])]
    spent = run_for(command, cpu_s, folder / "kraken.log")
    weights = _converted(python, folder)
    return {"weights": str(weights), "training_cpu_s": round(spent), "checkpoint": weights.stem}


def _converted(python: Path, folder: Path) -> Path:
    """The checkpoint of the highest accuracy on ``val``, the last of them among equals, as kraken reads it."""
    found = sorted((folder / "model").glob("checkpoint_*-*.ckpt"), key=accuracy)
    if not found:
        raise PeerError(f"kraken left no checkpoint in {folder / 'model'}")
    target = folder / f"{found[-1].stem}.safetensors"
    command = [str(python.with_name("ketos")), "convert", "-o", str(target), str(found[-1])]
    run_for(command, 300.0, folder / "kraken.log")
    return target


def accuracy(checkpoint: Path) -> tuple[float, float]:
    """What stands in the name, ``checkpoint_EPOCH-ACCURACY[-vN]``, and when it was written."""
    return float(checkpoint.stem.split("-")[1]), checkpoint.stat().st_mtime


def pack_of(data: Path, source: str, folder: Path) -> Path:
    """A folder that holds the pack of one source alone."""
    pack = data / f"{source}.zip"
    if not zipfile.is_zipfile(pack):
        raise PeerError(f"{pack}: no line pack")
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        (folder / pack.name).symlink_to(pack.resolve())
    return folder


def measure(data: Path, source: str, size: str, minutes: float, work: Path, python: Path) -> dict[str, dict[str, Any]]:
    """Train what is not trained yet, then let everybody read."""
    work.mkdir(parents=True, exist_ok=True)
    packs = pack_of(data, source, work / "packs")
    record = work / "trained.json"
    trained: dict[str, dict[str, Any]] = json.loads(record.read_text("utf-8")) if record.exists() else {}
    for name in ("carrel", *NETWORKS):
        if name not in trained:
            cpu_s = 60 * minutes
            own = name == "carrel"
            trained[name] = (
                train_carrel(python, packs, work, size, cpu_s)
                if own
                else train_kraken(python, data, source, work, name, cpu_s)
            )
            record.write_text(json.dumps(trained), "utf-8")
    folder = work / "exported"
    if not (folder / "manifest.json").exists():
        export(python, Path(trained["carrel"]["weights"]), packs / f"{source}.zip", folder)
    lines = list(read_lines(data, "test", [source]))
    read = compare_models(python, {name: Path(trained[name]["weights"]) for name in NETWORKS}, folder, lines)
    return {name: {**trained["carrel" if name.startswith("onnx") else name], **row} for name, row in read.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, read, print a row for each."""
    parser = argparse.ArgumentParser(prog="carrel_bench.kraken_training", description="Equal training: kraken, Carrel.")
    parser.add_argument("--data", type=Path, required=True, help="folder of line packs (*.zip)")
    parser.add_argument("--source", default="peraire")
    parser.add_argument("--size", default="best", help="of Carrel's network, as `carrel_export train` has it")
    parser.add_argument("--minutes", type=float, default=15.0, help="processor time of each training")
    parser.add_argument("--work", type=Path, help="keeps what was trained  [default: a temporary folder]")
    parser.add_argument("--python", type=Path, help="interpreter of an environment with kraken and the export extra")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    return report(
        parser.prog,
        options,
        lambda python, work: measure(options.data, options.source, options.size, options.minutes, work, python),
        "test lines",
        lambda name, row: f"{name:14s} {row['training_cpu_s']:5d} CPU s of training  CER {row['cer']:6.2%}",
    )


if __name__ == "__main__":
    sys.exit(main())
