"""A model of one collection: its parent fine-tuned on corrected lines, exported, and published if it reads better."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from carrel import system
from carrel.backends.runtimes.ort import OrtBackend
from carrel.decode.model import LanguageModel
from carrel.errors import InputError, OutputError, UsageError
from carrel.loading import shipped_language
from carrel.models.folders import Model, folder_of, open_model
from carrel.models.manifest import Learned, Recognition
from carrel.models.publish import MANIFEST, publish
from carrel.recognizers.ctc import CtcRecognizer
from carrel.review.training_lines import LineSample
from carrel_export.build import Order, publish_source
from carrel_export.handwriting.network import Crnn
from carrel_export.handwriting.training import load_network
from carrel_export.learn.fine_tune import Progress, extended, fine_tune
from carrel_export.learn.gate import Reading, Verdict, decide, read_lines
from carrel_export.learn.lines import Gathered, gather
from carrel_export.sources.carrel import source_of

CALIBRATING_LINES = 10
"""Lines that int8 is calibrated on: with more, the quantizer keeps hundreds of MB."""
LEAST_TO_CALIBRATE = 100
"""Kept lines from which search and confidences are fitted anew; below, the parent's are taken over."""
INT8_GATE = 0.02
"""CER that int8 may lose against fp32: the kept lines are few, and int8 itself has to pass the gate against the parent."""
_M_MMAP_THRESHOLD = -3  # of malloc.h
SHARE, SHARE_FOR_OTHERS = 0.75, 0.5
"""Of the way from the parent: the first reads the collection best, the second forgets other hands less."""


@dataclass(frozen=True)
class Plan:
    """The order of what is learned: lines, from which model, to which folder, for how long, how far from the parent."""

    samples: Sequence[LineSample]
    collections: Sequence[str]
    parent: Path
    target: Path
    minutes: float = 5.0
    share: float = SHARE
    seed: int = 1
    language: LanguageModel | None = None


@dataclass(frozen=True)
class Learnt:
    """The outcome; ``model`` is None where the gate refused it."""

    gathered: Gathered
    verdict: Verdict
    model: Model | None


def learn(plan: Plan, say: Callable[[str], None], watch: Callable[[Progress], None]) -> Learnt:
    """Learn, compare with the parent on the kept lines, and publish what reads better.

    Raises
    ------
    InputError
        Too few lines are good.
    UsageError
        The parent cannot be learned from, or another process learns to the same folder.
    ExportError
        The network could not be exported as it was trained.
    OutputError
        The folder cannot be written.
    """
    _return_memory_early()
    parent = open_parent(plan.parent)
    manifest = parent.manifest_as(Recognition)
    gathered = gather(plan.samples, manifest.symbols)
    for line in gathered.left_out:
        say(f"left out: {line.name}: {line.reason}")
    say(f"learning from {len(gathered.learned)} lines, {len(gathered.kept)} are kept to compare")
    language = plan.language or shipped_language()
    before = _reading(parent, language, gathered.kept)
    with scratch_for(plan.target) as scratch:
        network, known, _ = load_network(parent.folder)
        alphabet = "".join(sorted({*known, *gathered.new_characters}))
        network = extended(network, known, alphabet)
        network = fine_tune(network, alphabet, gathered.learned, plan.minutes, plan.share, plan.seed, watch)
        made = _export(network, alphabet, parent, gathered, language, scratch)
        verdict = decide(before, _reading(made, language, gathered.kept))
        if not verdict.passed:
            return Learnt(gathered, verdict, None)
        return Learnt(gathered, verdict, _publish(made, plan, parent, gathered, verdict))


def open_parent(name_or_folder: Path) -> Model:
    """Open a model that can be learned from.

    Raises
    ------
    ModelError
        It is missing or damaged.
    UsageError
        It was learned itself, or the weights that training starts from are not installed.
    """
    parent = open_model(folder_of(name_or_folder), "recognition")
    learned, entry = parent.manifest.learned, parent.manifest.files.get("weights")
    if learned is not None:
        raise UsageError(
            f"{parent.folder}: was learned itself, from {parent.manifest.parent}; learn from that, with all corrections"
        )
    if entry is None or not (parent.folder / entry.path).is_file():
        raise UsageError(
            f"{parent.folder}: the weights that learning starts from are not installed; install carrel-models-full"
        )
    return parent


def _reading(model: Model, language: LanguageModel, samples: Sequence[LineSample]) -> Reading:
    """Read lines as at run time: int8, with the language model."""
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file(model.network_file("int8")), model.name), language)
    return read_lines(lambda gray: recognizer.text_of(recognizer.decode(recognizer.logits_of(gray))[0]), samples)


def _export(
    network: Crnn, alphabet: str, parent: Model, gathered: Gathered, language: LanguageModel, scratch: Path
) -> Model:
    manifest = parent.manifest_as(Recognition)
    order = Order(
        parent.name,
        gathered.learned[:CALIBRATING_LINES],
        gathered.kept,
        language,
        gate=INT8_GATE,
        say=lambda _: None,
        calibration=_taken_over(manifest, alphabet) if len(gathered.kept) < LEAST_TO_CALIBRATE else None,
        scratch=scratch,
    )
    return publish_source(source_of(network, alphabet, manifest.size), order, scratch / "made")


def _taken_over(manifest: Recognition, alphabet: str) -> dict[str, Any]:
    """The parent's calibration, in the order of the child's classes; a new one has the mean bias."""
    entry = msgspec.to_builtins(manifest.calibration)
    bias = entry["search"].get("class_bias")
    if bias:
        of = dict(zip(manifest.symbols, bias[1:], strict=True))
        mean = round(sum(of.values()) / len(of), 3)
        entry["search"]["class_bias"] = [bias[0], *(of.get(symbol, mean) for symbol in alphabet)]
    return entry


def _publish(made: Model, plan: Plan, parent: Model, gathered: Gathered, verdict: Verdict) -> Model:
    written: dict[str, Any] = json.loads((made.folder / MANIFEST).read_text("utf-8"))
    original: dict[str, Any] = json.loads((parent.folder / MANIFEST).read_text("utf-8"))
    pages = {sample.page for sample in (*gathered.learned, *gathered.kept)}
    learned = Learned(
        collections=list(plan.collections),
        pages=len(pages),
        lines=len(gathered.learned),
        kept_lines=len(gathered.kept),
        cer_before=round(verdict.before.cer, 4),
        cer_before_interval=_rounded(verdict.before),
        cer_after=round(verdict.after.cer, 4),
        cer_after_interval=_rounded(verdict.after),
        certainty=round(verdict.certain, 3),
        share=plan.share,
    )
    kept = {name: value for name, value in written.items() if name not in ("format_version", "files")}
    told = {
        "name": plan.target.name,
        "licence": original["licence"],
        "training_sources": original.get("training_sources", {}),
        "parent": parent.identity,
        "learned": msgspec.to_builtins(learned),
    }
    if original.get("languages"):
        told["languages"] = original["languages"]
    files = {key: made.folder / entry.path for key, entry in made.manifest.files.items()}
    return publish(plan.target, {**kept, **told}, files)


def _rounded(reading: Reading) -> tuple[float, float]:
    low, high = reading.interval
    return round(low, 4), round(high, 4)


@contextmanager
def scratch_for(target: Path) -> Generator[Path]:
    """Make a folder beside ``target`` for what is not finished; one that a killed run left is emptied first.

    Raises
    ------
    UsageError
        Another process learns to the same folder.
    OutputError
        It cannot be written there, or something else than a model is there.
    """
    if target.exists() and not (target / MANIFEST).is_file() and not (target.is_dir() and not any(target.iterdir())):
        raise OutputError(f"{target}: holds something else than a model; choose a new folder, or an older model's")
    scratch = target.parent / f".{target.name}.learning"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(scratch, os.O_RDONLY | system.O_DIRECTORY | system.O_NOFOLLOW)
    except OSError as error:
        raise OutputError(
            f"{scratch}: cannot be written ({error.strerror}); choose another folder with --to"
        ) from error
    try:
        system.lock(descriptor)
        _empty(scratch)
        yield scratch
    except BlockingIOError:
        raise UsageError(f"{target}: another carrel learns to this folder; wait for it") from None
    finally:
        os.close(descriptor)
        shutil.rmtree(scratch, ignore_errors=True)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _return_memory_early() -> None:
    """Have the C library give every large block back as soon as it is free: training and export need other sizes."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, 2**20)


def require_packs(paths: Sequence[Path]) -> None:
    """Make sure that every path is there.

    Raises
    ------
    InputError
        One is not.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"there is no file or folder {path}; give a line pack or a folder of results")
