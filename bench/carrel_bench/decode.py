"""Carrel's beam search against fast-ctc-decode, pyctcdecode and flashlight-text.

``python -m carrel_bench.decode --data DIR``: test lines of the packs in DIR, through the shipped network.

Every decoder is a process of its own with its own packages; they take turns on the same lines within one run, so a busy
machine slows all of them alike. Times are processor time of the decoding thread. In the rows ``batch``, ``single`` and
``language model`` each decoder gets its input as it wants it (logits, probabilities or logarithms), and making that is in
the time of Carrel alone, which works it out of logits. In the rows ``from logits`` both start from logits (numpy's
softmax goes before fast-ctc-decode), in those ``from probabilities`` both are handed probabilities. A ratio is the median
over rounds of peer time by Carrel time. The flatter logits are the same ones times `FLATTER`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext, redirect_stdout
from itertools import islice, zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from carrel.decode.ngram import read_ngrams
from carrel.loading import shipped_ngrams
from carrel.review.training_lines import pack_files, read_packs
from carrel_bench.decode_language import truncated, write_arpa
from carrel_bench.decode_worker import LOGITS, PROBABILITIES
from carrel_bench.peers import PeerError, Worker, machine, peer_python

PACKAGES = ("numpy<2", "fast-ctc-decode==0.3.7", "pyctcdecode==0.5.0", "flashlight-text==0.0.7", "kenlm==0.3.0")
PEERS = ("fast-ctc-decode", "pyctcdecode", "flashlight-text")
WIDTHS = (5, 10, 25, 100)
FLATTER = 0.6
KENLM_ORDER = 6
"""The highest order that KenLM is built for on PyPI; longer n-grams are left out, for Carrel too."""
SLOW = ("pyctcdecode", "flashlight-text")
SLOW_LINES = 6
SPACE = "\u2423"
Row = dict[str, Any]


def open_workers(stack: ExitStack, logits: Path, ngrams: Path, arpa: Path, peers: Sequence[str]) -> dict[str, Worker]:
    """Carrel and the peers that can be installed here; the others are named on standard error."""
    script = Path(__file__).with_name("decode_worker.py")
    workers: dict[str, Worker] = {}
    for name in ("carrel", *peers):
        try:
            python = Path(sys.executable) if name == "carrel" else peer_python("ctc-decoders", PACKAGES)
            worker = stack.enter_context(Worker(python, script, [name, str(logits), str(ngrams), str(arpa)]))
            worker.ask(lines=[0], width=5, model=True)  # loads, compiles
            workers[name] = worker
        except PeerError as error:
            print(f"left out: {error}", file=sys.stderr)
    return workers


def take_turns(workers: dict[str, Worker], rounds: int, lines: Sequence[int], **question: Any) -> Row:
    """Microseconds a line of each decoder, ratios to Carrel, and the share of lines with Carrel's text."""
    times: dict[str, list[float]] = {name: [] for name in workers}
    texts: dict[str, list[str]] = {}
    grown: dict[str, int] = dict.fromkeys(workers, 0)
    used = {name: list(lines)[: SLOW_LINES if name in SLOW else None] for name in workers}
    for _ in range(rounds):
        for name, worker in workers.items():
            repeats = 3 if name == "carrel" else 1
            answer = worker.ask(lines=used[name], repeats=repeats, **question)
            times[name].append(1e6 * answer["seconds"] / len(used[name]))
            texts[name] = answer["texts"]
            grown[name] = max(grown[name], answer["grown_kib"])
    carrel = times["carrel"]
    return {
        **question,
        "us_per_line": {name: round(statistics.median(values), 1) for name, values in times.items()},
        "ratio": {
            name: round(statistics.median(b / a for a, b in zip(carrel, values, strict=True)), 2)
            for name, values in times.items()
            if name != "carrel"
        },
        "same_text": {
            name: round(sum(map(str.__eq__, found, texts["carrel"])) / len(found), 3)
            for name, found in texts.items()
            if name != "carrel"
        },
        "grown_kib": grown,
    }


def compare(workers: dict[str, Worker], rounds: int, lines: Sequence[int]) -> list[Row]:
    """All cells: logits as they are and flatter, every width, batches, single lines, and with the language model."""
    quick = {name: worker for name, worker in workers.items() if name in ("carrel", "fast-ctc-decode")}
    fused = {name: worker for name, worker in workers.items() if name != "fast-ctc-decode"}
    rows: list[Row] = []
    for sharpness in (1.0, FLATTER):
        for width in WIDTHS:
            # the slow ones would take minutes at width 100
            taking_part = workers if width < 100 else quick
            rows.append(take_turns(taking_part, rounds, lines, width=width, sharpness=sharpness, model=False))
            _show("batch", rows[-1])
            for given in (LOGITS, PROBABILITIES):
                rows.append(
                    take_turns(quick, rounds, lines, width=width, sharpness=sharpness, model=False, given=given)
                )
                _show(f"from {given}", rows[-1])
            if width <= 10:
                rows.append(
                    take_turns(quick, rounds, lines, width=width, sharpness=sharpness, model=False, single=True)
                )
                _show("single", rows[-1])
        few = list(lines)[:SLOW_LINES]
        rows.append(take_turns(fused, rounds, few, width=25, sharpness=sharpness, model=True))
        _show("language model", rows[-1])
        rows.append(_overhead(workers["carrel"], rounds, lines, sharpness))
        print(json.dumps(rows[-1]))
    return rows


def _overhead(carrel: Worker, rounds: int, lines: Sequence[int], sharpness: float) -> Row:
    """What the language model costs at width 25 with a beam threshold of 1e-3, in turns."""
    ratios: list[float] = []
    question = {"lines": list(lines), "width": 25, "sharpness": sharpness, "beam_threshold": 1e-3, "repeats": 3}
    for _ in range(rounds):
        alone = carrel.ask(model=False, **question)["seconds"]
        ratios.append(carrel.ask(model=True, **question)["seconds"] / alone)
    return {"language_model_overhead": round(statistics.median(ratios), 2), "sharpness": sharpness}


def _show(kind: str, row: Row) -> None:
    shown = {key: row[key] for key in ("us_per_line", "ratio", "same_text", "grown_kib")}
    print(f"{kind:18} x{row['sharpness']} width {row['width']:3} {json.dumps(shown)}", flush=True)


def figures(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """The medians of `compare` by what was measured."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if "width" not in row:
            found[f"x{row['sharpness']}"] = {"language model overhead": row["language_model_overhead"]}
            continue
        kind = "language model" if row["model"] else "single" if row.get("single") else "batch"
        given = f" from {row['given']}" if "given" in row else ""
        times = {f"{name} us/line": value for name, value in row["us_per_line"].items()}
        ratios = {f"ratio of {name}": value for name, value in row["ratio"].items()}
        found[f"{kind}{given} x{row['sharpness']} width {row['width']}"] = times | ratios
    return found


def shipped_logits(packs: Path, count: int, file: Path) -> None:
    """Logits of ``count`` lines of the test split by the shipped network as an ``.npz``: in turn one of each pack."""
    from carrel.backends.ort import OrtBackend
    from carrel.models.folders import shipped_model
    from carrel.models.manifest import Recognition
    from carrel.recognizers.ctc import CtcRecognizer

    model = shipped_model("handwriting-fast", "recognition")
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file("onnx-int8"), model.name))
    turns = zip_longest(*(_crops(packs, pack.stem, count) for pack in pack_files(packs)))
    crops = islice((crop for turn in turns for crop in turn if crop is not None), count)
    lines = [recognizer.logits_of(crop) for crop in crops]
    frames = np.array([len(line) for line in lines])
    alphabet = model.manifest_as(Recognition).symbols
    np.savez(file, logits=np.concatenate(lines), frames=frames, alphabet=np.array("".join(alphabet)))


def load_logits(file: Path) -> tuple[list[NDArray[np.float32]], str]:
    """Logits of each line and the alphabet from a file of `shipped_logits`."""
    with np.load(file) as saved:
        parts = np.split(saved["logits"], np.cumsum(saved["frames"])[:-1])
        return [np.ascontiguousarray(part) for part in parts], str(saved["alphabet"])


def _crops(packs: Path, source: str, count: int) -> Iterator[NDArray[np.uint8]]:
    """The first lines of a source's test split."""
    return (sample.gray for sample in islice(read_packs(packs, ("test",), (source,)), count))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Beam search decoders side by side.")
    parser.add_argument(
        "--logits", type=Path, help="npz with logits (rows, classes), frames (lines,), alphabet instead"
    )
    parser.add_argument(
        "--data", type=Path, help="folder of line packs (*.zip): logits of its test lines by the shipped network"
    )
    parser.add_argument("--ngrams", type=Path, help="n-gram file; the shipped one by default")
    parser.add_argument("--lines", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    parser.add_argument("--json", action="store_true", help="print the medians by name; the rows go to standard error")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder, ExitStack() as stack:
        logits = options.logits or Path(folder) / "logits.npz"
        if options.logits is None:
            if options.data is None:
                parser.error("give --data or --logits")
            shipped_logits(options.data, options.lines, logits)
        ngrams, arpa = Path(folder) / "ngram.bin", Path(folder) / "model.arpa"
        model = truncated(read_ngrams(options.ngrams) if options.ngrams else shipped_ngrams(), KENLM_ORDER)
        ngrams.write_bytes(model.to_bytes())
        write_arpa(model, arpa, SPACE)
        workers = open_workers(stack, logits, ngrams, arpa, options.peers)
        count = min(options.lines, len(np.load(logits)["frames"]))
        with redirect_stdout(sys.stderr) if options.json else nullcontext():
            print(json.dumps(machine()))
            rows = compare(workers, options.rounds, range(count))
    if options.json:
        print(json.dumps(figures(rows)))
    if options.out:
        options.out.write_text(
            json.dumps({"machine": machine(), "packages": PACKAGES, "rows": rows}, indent=1), "utf-8"
        )


if __name__ == "__main__":
    main()
