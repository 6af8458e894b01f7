"""Carrel's recognizer and kraken's after equal training: from nothing, on the same lines, for the same processor time.

``python -m carrel_bench kraken --data DIR [--source peraire] [--train-minutes 15] [--work FOLDER] [--python PYTHON]``: each
trains in one thread on the ``train`` lines of a source (``val`` tells it which weights are best) until it has spent so many
minutes of processor time; then all read the source's ``test`` lines, one thread, one line a call, in turns, best path,
without a language model. Carrel first finds out in a short trial how many lines it can see in that time, since its learning
rate falls along a schedule; kraken keeps its own default, a constant rate. kraken is trained twice: its default network
and a small, fast one. ``carrel export`` then makes a model folder of kraken's small network, which reads too: ``agreement``
is the share of the characters that kraken read with it which Carrel reads as well. ``--model FILE`` takes a model of
kraken's that is there already and compares that alone. ``--work`` keeps what was trained, so that a stopped run goes on.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from carrel.models.folders import open_model
from carrel.review.training_lines import LineSample, pack_files, read_packs
from carrel_bench.figures import Figure, Options, Table, figures_of
from carrel_bench.peers.line_turns import LinesRead, read_in_turns
from carrel_bench.peers.programs import KRAKEN
from carrel_bench.worker import PeerError, Worker, own_packages, peer_python

DATA = "lines"
SMALL = "[1,32,0,1 Cr3,3,16 Mp2,2 Cr3,3,32 Mp2,2 Cr3,3,48 Mp2,1 S1(1x0)1,3 Lbx96 Do0.1,2 Lbx96 Do0.1,2]"
NETWORKS: dict[str, tuple[int, tuple[str, ...]]] = {"kraken": (120, ()), "kraken, small": (32, ("-s", SMALL))}
"""Height of the lines and options of each network that kraken trains; the first is its default."""
STEP_PX = 64
"""Widths of the training lines are padded to steps, so that torch compiles few shapes."""
TRIAL_LINES = 1500
SHARE_PLANNED = 0.95
"""Of what the trial promises; the schedule should end before its time is up."""
COLUMNS = 8192
"""Px columns of a batch: from nothing, many small steps teach more than few large ones."""
LINES_A_TURN = 10
POLL_S = 1.0
NO_LIMIT_S = 1e9
OPTIONS: Table = {
    "--source": {"default": "peraire"},
    "--size": {"default": "best", "help": "of Carrel's network, as `carrel_export train` has it"},
    "--train-minutes": {"type": float, "default": 15.0, "help": "processor time of each training"},
    "--work": {"type": Path, "help": "keeps what was trained  [default: a temporary folder]"},
    "--model": {"type": Path, "help": "a recognition model of kraken's, instead of training"},
}


def write_ground_truth(lines: Sequence[LineSample], folder: Path, height_px: int = 32) -> Path:
    """Write lines as kraken trains on them, image and ``.gt.txt`` beside each other; a list of the images."""
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


def tree_cpu_s(process: int) -> float:
    """Return the processor seconds of a process, of what it started, and of what of that has ended (Linux)."""
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
    environment = {**os.environ, **own_packages(), "OMP_NUM_THREADS": "1", "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16384"}
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
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
    """Train Carrel; its best weights, what it spent, and how many lines it saw."""
    command = [str(python), "-m", "carrel_export", "train", str(packs), "--size", size, "--columns", str(COLUMNS)]
    log = work / "carrel.log"
    trial_s = run_for([*command, "--lines", str(TRIAL_LINES), "--out", str(work / "trial")], cpu_s, log)
    lines = round(SHARE_PLANNED * TRIAL_LINES * cpu_s / trial_s)
    spent = run_for([*command, "--lines", str(lines), "--out", str(work / "carrel")], cpu_s, log)
    return {"weights": str(work / "carrel" / "best.pt"), "training CPU s": round(spent), "lines seen": lines}


def train_kraken(python: Path, packs: Path, work: Path, name: str, cpu_s: float) -> dict[str, Any]:
    """Train kraken; its best checkpoint, as kraken reads it, and what it spent."""
    height_px, network = NETWORKS[name]
    folder = work / name.replace(", ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    lists = [write_ground_truth(list(read_packs(packs, (s,))), folder / s, height_px) for s in ("train", "val")]
    ketos = [str(python.with_name("ketos"))]
    command = [*ketos, "-d", "cpu", "--threads", "1", "--workers", "0", "train", *network]
    command += ["-o", str(folder / "model"), "-f", "path", "--linetype", "baselines", "-q", "fixed", "-N", "1000"]
    command += ["-F", "0.25", "-t", str(lists[0]), "-e", str(lists[1])]
    spent = run_for(command, cpu_s, folder / "kraken.log")
    checkpoints = sorted((folder / "model").glob("checkpoint_*-*.ckpt"), key=accuracy)
    if not checkpoints:
        raise PeerError(f"kraken left no checkpoint in {folder / 'model'}")
    weights = folder / f"{checkpoints[-1].stem}.safetensors"
    run_for([*ketos, "convert", "-o", str(weights), str(checkpoints[-1])], NO_LIMIT_S, folder / "kraken.log")
    return {"weights": str(weights), "training CPU s": round(spent)}


def accuracy(checkpoint: Path) -> tuple[float, float]:
    """Return what stands in the name, ``checkpoint_EPOCH-ACCURACY[-vN]``, and when it was written."""
    return float(checkpoint.stem.split("-")[1]), checkpoint.stat().st_mtime


def export(python: Path, model: Path, pack: Path, target: Path) -> Path:
    """Make a model folder with ``carrel export`` in kraken's environment, if it is not there yet."""
    if not (target / "manifest.json").exists():
        command = [str(python), "-m", "carrel_export", "export", str(model), "--to", str(target)]
        run_for([*command, "--calibration", str(pack), "--gate-cer", "1"], NO_LIMIT_S, target.with_suffix(".log"))
    return target


def read_by_all(
    python: Path, models: Mapping[str, Path], folders: Mapping[str, Path], lines: Sequence[LineSample]
) -> dict[str, LinesRead]:
    """Let models of kraken's and both files of each of Carrel's folders read the same lines in turns."""
    here = Path(__file__).parent
    network_worker = here.parent / "speed" / "network_worker.py"
    workers = {
        name: partial(Worker, python, here / "kraken_worker.py", ["lines", str(model)])
        for name, model in models.items()
    }
    for name, folder in folders.items():
        for precision in (p for p in ("fp32", "int8") if f"onnx-{p}" in open_model(folder).manifest.files):
            arguments = [f"onnxruntime cpu {precision}", "1", str(folder)]
            workers[f"{name}, {precision}"] = partial(Worker, sys.executable, network_worker, arguments)
    return read_in_turns(workers, lines, LINES_A_TURN)


def trained(options: Options, packs: Path, work: Path, python: Path) -> dict[str, dict[str, Any]]:
    """Train what is not trained yet; weights and what was spent, by name."""
    record = work / "trained.json"
    found: dict[str, dict[str, Any]] = json.loads(record.read_text("utf-8")) if record.exists() else {}
    cpu_s = 60 * options.train_minutes
    for name in ("carrel", *NETWORKS):
        if name not in found:
            train, which = (train_carrel, options.size) if name == "carrel" else (train_kraken, name)
            found[name] = train(python, packs, work, which, cpu_s)
            record.write_text(json.dumps(found), "utf-8")
    return found


def measure(options: Options) -> Iterator[Figure]:
    """Train what is not trained yet, then let all read; the figures of each."""
    python = options.python or peer_python("kraken", KRAKEN)
    (pack,) = pack_files(options.data, (options.source,))
    work: Path = options.work or options.scratch
    packs = work / "packs"
    packs.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        (packs / pack.name).symlink_to(pack.resolve())
    made = {} if options.model else trained(options, packs, work, python)
    models = {name: Path(made[name]["weights"]) for name in NETWORKS if name in made}
    models = models or {"kraken, small": options.model}
    small = export(python, models["kraken, small"], pack, work / "kraken-exported")
    folders = {"carrel with kraken's small": small}
    if "carrel" in made:
        folders["carrel"] = export(python, Path(made["carrel"]["weights"]), pack, work / "exported")
    lines = list(read_packs(packs, ("test",)))
    read = read_by_all(python, models, folders, lines)
    for name, found in read.items():
        base = read["kraken, small" if "small" in name else next(iter(models))]
        spent = made.get("carrel" if name.startswith("carrel, ") else name, {})
        numbers = {key: value for key, value in spent.items() if key != "weights"}
        yield from figures_of("kraken", name, options.source, numbers | found.numbers(lines, base))
