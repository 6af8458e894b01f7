"""Is a runtime right here, and how fast? The real networks on lines that the program draws, against stored outputs.

Each runtime is tried in a process of its own: a driver that crashes or hangs takes nothing with it, and memory and
start-up are measured clean. Results are kept in a private folder for this machine, its drivers, runtimes and models.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from carrel.backends import Network, Runtime, Tensors, builtin
from carrel.backends.costs import Measured
from carrel.backends.devices import Found, machine
from carrel.cache_folders import private_folder, trusted_folder
from carrel.errors import CarrelError
from carrel.models.folders import Model
from carrel.output import write_file

Networks = Mapping[str, Network]
Outputs = Mapping[str, list[list[float]]]

TIMEOUT_S = 120.0
RIGHT = 0.9
"""Share of outputs that must agree with the stored ones."""
ROUNDS = 3
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Survey:
    """Devices of this machine and their figures; ``measured`` is empty where nothing was tried yet."""

    found: tuple[Found, ...]
    measured: tuple[Measured, ...]


def outputs_of(networks: Networks) -> Outputs:
    """Return what the networks make of the built-in lines and page, cut down to what must be the same on every device.

    ``recognition``: the best class of each frame of each line; ``writing``: the probability in twentieths;
    ``segmentation``: where the page has a baseline, one cell in eight.
    """
    outputs: dict[str, list[list[float]]] = {}
    for task, network in networks.items():
        if task == "recognition":
            outputs[task] = [network.run({"ink": line})["logits"][0].argmax(1).tolist() for line in builtin.lines()]
        elif task == "writing":
            probabilities = [network.run({"ink": line})["handwritten"].ravel()[0] for line in builtin.lines()]
            outputs[task] = [[round(20 * float(probability))] for probability in probabilities]
        elif task == "segmentation":
            cells = network.run({"ink": builtin.page()[None, None]})["maps"][0, 0, ::4, ::2] > 0.5
            outputs[task] = cells.astype(int).tolist()
    return outputs


def agreement(outputs: Outputs, expected: Outputs) -> float:
    """Return the smallest share over the tasks of outputs that are as expected, in [0, 1]."""
    return min((_agreement(outputs.get(task, []), expected[task], task) for task in expected), default=0.0)


def _agreement(rows: Sequence[Sequence[float]], expected: Sequence[Sequence[float]], task: str) -> float:
    if [len(row) for row in rows] != [len(row) for row in expected]:
        return 0.0
    near = 2.0 if task == "writing" else 0.0
    pairs = [
        abs(a - b) <= near for row, wanted in zip(rows, expected, strict=True) for a, b in zip(row, wanted, strict=True)
    ]
    return sum(pairs) / max(1, len(pairs))


def measure(runtime: Runtime, networks: Networks, expected: Outputs, threads: int) -> Measured:
    """Try networks that are loaded: right, and how fast. Never raises: a fault is part of the result."""
    try:
        began = time.perf_counter()
        networks["recognition"].run({"ink": builtin.lines()[0]})
        first_line_s = time.perf_counter() - began
        agreed = agreement(outputs_of(networks), expected)
        result = Measured(runtime, first_line_s=first_line_s, agreement=round(agreed, 4), threads=threads)
        if agreed < RIGHT:
            return replace(result, fault=f"wrong results: {100 * agreed:.1f} % as expected")
        segmenter = networks.get("segmentation")
        page_s = _seconds(lambda: segmenter.run({"ink": builtin.page()[None, None]})) if segmenter else 0.0
        return replace(result, lines_per_s=round(_lines_per_s(networks, threads), 2), page_s=round(page_s, 4))
    except Exception as error:  # drivers raise anything
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        return Measured(runtime, fault=f"failed: {reason}")


def _lines_per_s(networks: Networks, threads: int) -> float:
    """Lines told apart and read by so many callers."""
    lines = [{"ink": line} for line in builtin.lines()] * (2 * threads)

    def read(line: Tensors) -> None:
        networks["writing"].run(line)
        networks["recognition"].run(line)

    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return len(lines) / _seconds(lambda: list(pool.map(read, lines)))


def _seconds(work: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def expected_outputs(models: Mapping[str, Model]) -> Outputs | None:
    """Return the stored outputs of these models; None for models that have none."""
    stored: dict[str, Any] = json.loads(Path(__file__).with_name("expected.json").read_text("utf-8"))
    keys = {task: network_key(model) for task, model in models.items()}
    if not all(key in stored for key in keys.values()):
        return None
    return {task: [_unpacked(row) for row in stored[key]] for task, key in keys.items()}


def network_key(model: Model) -> str:
    """Name and digest of a model's networks, whatever else its manifest says."""
    files = model.manifest.files
    digests = "".join(files[key].sha256 for key in sorted(files) if files[key].runtime == "onnx")
    return f"{model.name}@{hashlib.sha256(digests.encode()).hexdigest()[:12]}"


def packed(row: Sequence[float]) -> str:
    """Return a row of outputs as text: values and how often each comes, ``0*12 7*1``."""
    parts: list[list[int]] = []
    for value in map(int, row):
        if parts and parts[-1][0] == value:
            parts[-1][1] += 1
        else:
            parts.append([value, 1])
    return " ".join(f"{value}*{times}" for value, times in parts)


def _unpacked(row: str) -> list[float]:
    pairs = (part.split("*") for part in row.split())
    return [float(value) for value, times in pairs for _ in range(int(times))]


def survey(
    models: Mapping[str, Model], threads: int, *, fits: Callable[[Runtime], bool], thorough: bool = False
) -> Survey:
    """Find out now: what is here, and how each runtime that ``fits`` into memory does.

    Without ``thorough`` only the first precision of each device is tried, which on processors is usually the fastest.
    """
    found = tuple(map(_found, _ask({"list": True}).get("found", [])))
    wanted = [runtime for f in found for runtime in (f.runtimes if thorough else f.runtimes[:1])]
    done = Survey(found, tuple(try_runtime(runtime, models, threads) for runtime in wanted if fits(runtime)))
    path = _path(private_folder("runtime"), models, threads)
    if path is not None:
        contents = json.dumps({"machine": machine(), **asdict(done)}, indent=1)
        with suppress(CarrelError):  # a full disk: measured again next time
            write_file(path, contents.encode())
    return done


def stored_survey(models: Mapping[str, Model], threads: int) -> Survey | None:
    """Return the result of an earlier probe, None where there was none."""
    path = _path(trusted_folder("runtime"), models, threads)
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _from_json(json.loads(path.read_text("utf-8"))) if path is not None else None
    return None


def try_runtime(runtime: Runtime, models: Mapping[str, Model], threads: int) -> Measured:
    """Measure one runtime in a process of its own."""
    folders = {task: str(model.folder) for task, model in models.items()}
    answer = _ask({"runtime": asdict(runtime), "threads": threads, "models": folders})
    if "measured" not in answer:
        return Measured(runtime, fault=f"failed: {answer.get('fault', 'no answer')}")
    return _measured(answer["measured"])


def _ask(request: Mapping[str, Any]) -> dict[str, Any]:
    import subprocess

    command = [sys.executable, "-P", "-m", "carrel.backends.probe_worker", json.dumps(request)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=False,
        )
        answer: dict[str, Any] = json.loads(done.stdout.decode("utf-8").strip().splitlines()[-1])
        return answer
    except subprocess.TimeoutExpired:
        return {"fault": f"took longer than {TIMEOUT_S:g} s"}
    except (OSError, ValueError, IndexError):
        return {"fault": "its process ended without an answer"}


def _path(folder: Path | None, models: Mapping[str, Model], threads: int) -> Path | None:
    if folder is None:
        return None
    key = {"format": _FORMAT, "threads": threads, **machine(), **{task: network_key(m) for task, m in models.items()}}
    return folder / f"{hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]}.json"


def _from_json(values: Mapping[str, Any]) -> Survey:
    return Survey(tuple(map(_found, values["found"])), tuple(map(_measured, values["measured"])))


def _found(values: Mapping[str, Any]) -> Found:
    fields: dict[str, Any] = {**values, "precisions": tuple(values["precisions"])}
    return Found(**fields)


def _measured(values: Mapping[str, Any]) -> Measured:
    fields: dict[str, Any] = {**values, "runtime": Runtime(**values["runtime"])}
    return Measured(**fields)
