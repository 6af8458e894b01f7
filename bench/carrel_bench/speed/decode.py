"""Carrel's beam search against fast-ctc-decode, pyctcdecode and flashlight-text.

``python -m carrel_bench decode --data DIR [--peers NAME...]``: test lines of the packs in DIR, through the shipped network.

Every decoder is a process of its own with its own packages; they take turns on the same lines within one run, so a busy
machine slows all of them alike. Times are processor time of the decoding thread. In the questions ``batch``, ``single`` and
``language model`` each decoder gets its input as it wants it (logits, probabilities or logarithms), and making that is in
the time of Carrel alone, which works it out of logits. In the questions ``from logits`` both start from logits (numpy's
softmax goes before fast-ctc-decode), in those ``from probabilities`` both are handed probabilities. A ratio is the median
over rounds of peer time by Carrel time. The flatter logits are the same ones times `FLATTER`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice, zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from carrel.loading import language_of
from carrel.review.training_lines import pack_files, read_packs
from carrel_bench.figures import BenchError, Figure, Options, Table, figures_of, warn
from carrel_bench.measure import Figures, Work, in_turns
from carrel_bench.models import handwriting_model, recognizer_of
from carrel_bench.peers.decode_worker import LOGITS, PROBABILITIES, SPACE
from carrel_bench.peers.programs import DECODERS
from carrel_bench.speed.decode_language import truncated, write_arpa
from carrel_bench.worker import PeerError, Worker, peer_python

DATA = "lines"
DATA_IS_OPTIONAL = True
ROUNDS = 5
OWN, FAST = "carrel", "fast-ctc-decode"
PEERS = (FAST, "pyctcdecode", "flashlight-text")
WIDTHS = (5, 10, 25, 100)
FLATTER = 0.6
KENLM_ORDER = 6
"""The highest order that KenLM is built for on PyPI; longer n-grams are left out, for Carrel too."""
SLOW = ("pyctcdecode", "flashlight-text")
SLOW_LINES = 6
WORKER = Path(__file__).parents[1] / "peers" / "decode_worker.py"
OPTIONS: Table = {
    "--logits": {"type": Path, "help": "npz with logits (rows, classes), frames (lines,), alphabet"},
    "--ngrams": {"type": Path, "help": "n-gram file; the shipped one by default"},
    "--lines": {"type": int, "default": 24},
    "--peers": {"nargs": "*", "choices": PEERS, "default": PEERS},
}


def open_workers(stack: ExitStack, files: Sequence[Path], peers: Sequence[str]) -> dict[str, Worker]:
    """Return Carrel and the peers that can be installed here; the others are named on standard error."""
    workers: dict[str, Worker] = {}
    for name in (OWN, *peers):
        try:
            python = Path(sys.executable) if name == OWN else peer_python("ctc-decoders", DECODERS)
            worker = stack.enter_context(Worker(python, WORKER, [name, *map(str, files)]))
            worker.ask(lines=[0], width=5, model=True)  # loads, compiles
            workers[name] = worker
        except PeerError as error:
            warn(f"left out: {error}")
    return workers


def questions() -> Iterator[tuple[str, dict[str, Any], Sequence[str]]]:
    """Yield the name of each case, its question, and the decoders that take part, Carrel apart."""
    for sharpness in (1.0, FLATTER):
        for width in WIDTHS:
            same = {"width": width, "sharpness": sharpness, "model": False}
            name = f"x{sharpness} width {width}"
            # the slow ones would take minutes at width 100
            yield f"batch {name}", same, PEERS if width < 100 else (FAST,)
            for given in (LOGITS, PROBABILITIES):
                yield f"from {given} {name}", same | {"given": given}, (FAST,)
            if width <= 10:
                yield f"single {name}", same | {"single": True}, (FAST,)
        yield f"language model x{sharpness} width 25", {"width": 25, "sharpness": sharpness, "model": True}, SLOW


def count_of(name: str, count: int) -> int:
    """Return how many lines a decoder gets: slow ones the first few."""
    return min(SLOW_LINES, count) if name in SLOW else count


def numbers_of(name: str, found: Mapping[str, Figures], count: int) -> dict[str, float]:
    """Return microseconds a line, the ratio to Carrel, the share of lines with Carrel's text, and memory."""
    per_line = {each: [run.cpu_s / count_of(each, count) for run in found[each].warm] for each in (name, OWN)}
    texts, ours = found[name].warm[-1].answer["texts"], found[OWN].warm[-1].answer["texts"]
    return {
        "us/line": 1e6 * median(per_line[name]),
        "ratio": median(theirs / own for theirs, own in zip(per_line[name], per_line[OWN], strict=True)),
        "share of lines with Carrel's text": sum(map(str.__eq__, texts, ours)) / len(texts),
        "peak MiB": found[name].peak_mib,
    }


def language_cost(carrel: Worker, rounds: int, count: int) -> Iterator[Figure]:
    """Yield what the language model costs at width 25 with a beam threshold of 1e-3, in turns."""
    for sharpness in (1.0, FLATTER):
        question = {"width": 25, "sharpness": sharpness, "beam_threshold": 1e-3, "lines": list(range(count))}
        works = {model: carrel.asking(model=model, repeats=3, **question) for model in (False, True)}
        found = in_turns(works, rounds, warm_up=0)
        ratio = median(found[True].ratios(found[False]))
        yield Figure("decode", OWN, f"x{sharpness} width 25", "time with the language model over without", ratio)


def measure(options: Options) -> Iterator[Figure]:
    """Yield the figures of every decoder in every case."""
    count, peers = options.lines, () if options.quick else options.peers
    logits = options.logits or options.scratch / "logits.npz"
    if not logits.exists():
        if options.data is None:
            raise BenchError("decode: give --data or --logits", 2)
        shipped_logits(options.data, count, logits)
    ngrams, arpa = options.scratch / "ngram.bin", options.scratch / "model.arpa"
    model = truncated(language_of(options.ngrams).ngrams, KENLM_ORDER)
    ngrams.write_bytes(model.to_bytes())
    write_arpa(model, arpa, SPACE)
    with ExitStack() as stack:
        workers = open_workers(stack, (logits, ngrams, arpa), peers)
        count = min(count, len(np.load(logits)["frames"]))
        for case, question, partners in questions():
            works: dict[str, Work] = {}
            for name in [each for each in workers if each in (OWN, *partners)]:
                asked = question | {"lines": list(range(count_of(name, count))), "repeats": 3 if name == OWN else 1}
                works[name] = workers[name].asking(**asked)
            found = in_turns(works, options.rounds, warm_up=0)
            for name in found:
                yield from figures_of("decode", name, case, numbers_of(name, found, count))
        yield from language_cost(workers[OWN], options.rounds, count)


def shipped_logits(packs: Path, count: int, file: Path) -> None:
    """Write logits of ``count`` lines of the test split by the shipped network as an ``.npz``: in turn one of each pack."""
    recognizer = recognizer_of(handwriting_model())
    turns = zip_longest(*(read_packs(packs, ("test",), (pack.stem,)) for pack in pack_files(packs)))
    samples = islice((sample for turn in turns for sample in turn if sample is not None), count)
    lines = [recognizer.logits_of(sample.gray) for sample in samples]
    frames = np.array([len(line) for line in lines])
    np.savez(file, logits=np.concatenate(lines), frames=frames, alphabet=np.array("".join(recognizer.symbols)))
