"""TrOCR's folder -> model folder: both graphs, quantized within the gate, compared on real lines, confidences fitted."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from carrel.backends import Tensors
from carrel.models.folders import Model
from carrel.models.manifest import MAX_FILE_BYTES, Seq2seq
from carrel.models.publish import publish
from carrel.models.tasks import FILE_KINDS, parse
from carrel.recognizers.seq2seq.opening import open_networks
from carrel.recognizers.seq2seq.recognizer import Networks
from carrel.recognizers.seq2seq.tokens import text_of
from carrel.review.training_lines import LineSample
from carrel_export.gate import GateError, Measured, Passed, Quantizer, quantize_within_gate
from carrel_export.onnx_export import session
from carrel_export.seq2seq import decoder as decoders
from carrel_export.seq2seq import encoder as encoders
from carrel_export.seq2seq.checkpoint import OUTPUT, Checkpoint, expected
from carrel_export.seq2seq.configuration import Configuration, read_configuration
from carrel_export.seq2seq.entries import Problems
from carrel_export.seq2seq.measuring import Read, fit_confidences, measure_lines
from carrel_export.seq2seq.tokens import read_tokens, table
from carrel_export.sources.source import ExportError

LICENCE = "ask its makers before passing it on"
MOST_LINES = 200
"""Lines that networks are compared on: an encoder-decoder takes seconds for each."""
CHECKED_LINES = 4
PRECISIONS = ("fp32", "int8")
WRITERS = {"encoder": encoders.write_encoder, "decoder": decoders.write_decoder}
PARTS = {"encoder": encoders.encoder_parts, "decoder": decoders.decoder_parts}


@dataclass(frozen=True)
class TextOrder:
    """An order for a model. ``gate`` is in CER, absolute; ``reading`` decides about int8, and fits the confidences."""

    name: str
    reading: Sequence[LineSample] = ()
    precisions: tuple[str, ...] = PRECISIONS
    gate: float = 0.003
    say: Callable[[str], None] = print
    scratch: Path | None = None


@dataclass(frozen=True)
class TrocrSource:
    """A checkpoint that was read: shapes, tensors, and what each token writes."""

    configuration: Configuration
    tensors: Checkpoint
    tokens: tuple[bytes, ...]
    origin: str


class FileNetwork:
    """A graph in a file on onnxruntime."""

    def __init__(self, file: Path) -> None:
        self._session = session(file)
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Tensors) -> Tensors:
        """Return the outputs by name."""
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


def read_source(folder: Path) -> TrocrSource:
    """Read a folder of the Hugging Face format.

    Raises
    ------
    ExportError
        It is damaged, pickled, partial or of a kind that is not known: everything that is wrong.
    """
    source, problems = _read(folder)
    if problems:
        raise ExportError([f"{folder}: {problem}" for problem in problems])
    return source


def _read(folder: Path) -> tuple[TrocrSource, list[str]]:
    problems = Problems()
    configuration = read_configuration(folder, problems)
    tensors = Checkpoint(folder, problems)
    tokens = read_tokens(folder, configuration.decoder.tokens, problems)
    tensors.check(expected(configuration.encoder, configuration.decoder, tensors.has(OUTPUT)))
    return TrocrSource(configuration, tensors, tuple(tokens), f"TrOCR, {folder.name}"), problems.found


def publish_checkpoint(folder: Path, order: TextOrder, target: Path) -> Model:
    """Make the model folder ``target`` of a folder of the Hugging Face format, and return the model.

    Raises
    ------
    ExportError
        The checkpoint, the order or the lines are not as they must be: everything that was found.
    GateError
        What was made reads worse than float32; nothing was published.
    ModelError, OutputError
        The folder cannot be made; see `carrel.models.publish`.
    """
    source, found = _read(folder)
    order = replace(order, reading=[line for line in order.reading if line.text][:MOST_LINES])
    problems = [f"{folder}: {problem}" for problem in found] + _order_problems(order)
    if problems:
        raise ExportError(problems)
    with tempfile.TemporaryDirectory(prefix="carrel-export-", dir=order.scratch) as part:
        made = Built(Path(part))
        manifest = _build(source, order, made)
        return publish(target, manifest, made.files, gate=partial(_as_measured, order, made))


def _order_problems(order: TextOrder) -> list[str]:
    problems = [
        f"precision {p!r} is not one of {', '.join(PRECISIONS)}" for p in order.precisions if p not in PRECISIONS
    ]
    if not order.precisions:
        problems.append("no precision")
    if "int8" in order.precisions and not order.reading:
        problems.append(
            "no lines with text of the split 'val' to compare int8 with fp32 on: give --calibration, or fp32 alone"
        )
    return problems


@dataclass
class Built:
    """Files written so far, their figures, and what was read with the networks that are published."""

    part: Path
    files: dict[str, Path] = field(default_factory=dict[str, Path])
    figures: dict[str, Any] = field(default_factory=dict[str, Any])
    kept_fp32: dict[str, Any] = field(default_factory=dict[str, Any])
    texts: list[str] = field(default_factory=list[str])


def _build(source: TrocrSource, order: TextOrder, made: Built) -> dict[str, Any]:
    """Write every file that was ordered, int8 within the gate; returns the manifest."""
    tokens = made.part / "tokens.json"
    tokens.write_bytes(table(source.tokens))
    made.files["tokens"] = tokens
    manifest = _manifest(source, order)
    wide_files = {role: made.part / f"{role}.fp32.onnx" for role in WRITERS}
    for role, file in wide_files.items():
        _write(source, role, file, ())
    parsed = parse({**manifest, "format_version": 2, "files": _any_files()}, "seq2seq")
    assert isinstance(parsed, Seq2seq)
    encoder, decoder = (FileNetwork(wide_files[role]) for role in ("encoder", "decoder"))
    networks = Networks(parsed, encoder, decoder, source.tokens)
    wide = measure_lines(networks, order.reading, None)
    if order.reading:
        made.figures.update(val_lines=len(order.reading), val_cer_fp32=round(wide.cer, 4))
        order.say(f"fp32: CER {wide.cer:.2%} on {len(order.reading)} lines")
    last = wide
    if "int8" in order.precisions:
        for role in WRITERS:
            networks, last = _quantize(source, order, made, role, networks, wide)
        made.figures["val_cer_int8"] = round(last.cer, 4)
    _keep_wide(order, made, wide_files)
    made.texts = [text_of(characters) for characters in last.characters_read[:CHECKED_LINES]]
    calibration = fit_confidences(last.characters_read, [line.text for line in order.reading])
    return {
        **manifest,
        **({"calibration": calibration} if calibration else {}),
        "figures": made.figures,
        **({"kept_fp32": made.kept_fp32} if made.kept_fp32 else {}),
    }


def _write(source: TrocrSource, role: str, file: Path, narrow: Sequence[str]) -> None:
    try:
        WRITERS[role](source.configuration, source.tensors, file, narrow)
    except ValueError as error:
        raise ExportError([f"the {role} in fp32 would be {error}"]) from None


def _keep_wide(order: TextOrder, made: Built, files: Mapping[str, Path]) -> None:
    """Keep the files in float32 where they were ordered and are not larger than Carrel reads."""
    too_large = [role for role, file in files.items() if file.stat().st_size > MAX_FILE_BYTES]
    if "fp32" not in order.precisions:
        return
    if not too_large:
        made.files.update({f"{role}-fp32": file for role, file in files.items()})
        return
    said = f"the {too_large[0]} in fp32 is larger than {MAX_FILE_BYTES // 2**20} MiB, which Carrel does not read"
    if "int8" not in order.precisions:
        raise ExportError([f"{said}; order int8"])
    order.say(f"{said}: int8 alone is published")


def _quantize(
    source: TrocrSource, order: TextOrder, made: Built, role: str, networks: Networks, wide: Read
) -> tuple[Networks, Read]:
    """Write the encoder or the decoder in 8 bits; returns the networks with it, and what they read."""
    parts = PARTS[role](source.configuration)
    target = made.part / f"{role}.int8.onnx"
    reads: list[Read] = []

    def write(file: Path, keep: Sequence[str]) -> None:
        _write(source, role, file, [part for part in parts if part not in keep])

    def read(tried: Networks, count: int) -> Measured:
        reads.append(measure_lines(tried, order.reading[:count], wide.tokens_read))
        return reads[-1]

    def opened(file: Path) -> Networks:
        network = FileNetwork(file)
        return replace(networks, encoder=network) if role == "encoder" else replace(networks, decoder=network)

    quantizer = Quantizer(f"{role} int8", parts, write, opened)
    passed: Passed = quantize_within_gate(quantizer, target, wide, read, order.gate, order.say)
    order.say(f"{role} int8: CER {passed.measured.cer:.2%}")
    made.files[f"{role}-int8"] = target
    if passed.kept:
        sensitivity = {name: round(hurt, 4) for name, hurt in passed.sensitivity}
        made.kept_fp32[role] = {"layers": list(passed.kept), "sensitivity": sensitivity}
    return opened(target), reads[-1]


def _stack(layers: int, heads: int, width: int, positions: int) -> dict[str, int]:
    return {"layers": layers, "heads": heads, "width": width, "head_width": width // heads, "positions": positions}


def _manifest(source: TrocrSource, order: TextOrder) -> dict[str, Any]:
    shape = source.configuration
    encoder, decoder, search = shape.encoder, shape.decoder, shape.search
    names = expected(encoder, decoder, source.tensors.has(OUTPUT))
    return {
        "task": "seq2seq",
        "name": order.name,
        "licence": LICENCE,
        "origin": source.origin,
        "parameters": sum(math.prod(size) for size in names.values()),
        "input": {
            "height_px": encoder.height_px,
            "width_px": encoder.width_px,
            "resampling": shape.pictures.resampling,
        },
        "encoder": _stack(encoder.layers, encoder.heads, encoder.width, encoder.positions),
        "decoder": _stack(decoder.layers, decoder.heads, decoder.width, decoder.positions),
        "tokens": decoder.tokens,
        "decoding": {
            "start": decoder.start,
            "ends": list(decoder.ends),
            "beam_width": search.beam_width,
            "length_penalty": search.length_penalty,
            "early_stopping": search.early_stopping,
        },
    }


def _any_files() -> dict[str, Any]:
    """Files for a manifest that is only tried."""
    entry = {"path": "x", "sha256": "0" * 64, "bytes": 1}
    return {key: {**FILE_KINDS[key], **entry} for key in ("encoder-fp32", "decoder-fp32", "tokens")}


def _as_measured(order: TextOrder, made: Built, model: Model) -> None:
    """Refuse to publish networks that do not read, on Carrel's run time, as they read when they passed the gate."""
    if "int8" not in order.precisions:
        return
    now = measure_lines(open_networks(model), order.reading[: len(made.texts)], None)
    if [text_of(characters) for characters in now.characters_read] != made.texts:
        raise GateError("the networks read otherwise now than when they were measured; nothing was published")
