"""Source -> model folder: export, quantize, compare both on the same real lines, publish what passes the gate."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from carrel.backends.runtimes.ort import OrtBackend
from carrel.decode.model import LanguageModel
from carrel.direction import displayed
from carrel.models.folders import Model
from carrel.models.publish import publish
from carrel.review.training_lines import LineSample
from carrel_export import onnx_export
from carrel_export.gate import GateError, Logits, Measured, Passed, Quantizer, Run, measure, quantize_within_gate
from carrel_export.handwriting.calibration import calibrate
from carrel_export.sources.source import ExportError, Source

Ink = NDArray[np.float32]

CALIBRATION_LINES = 96
CALIBRATION_ASPECT = 16
"""Width of the calibration lines, in line heights."""
CHECKED_LINES = 16
LARGEST_DIFFERENCE = 1e-2
"""Most that a logit of the exported network may differ from the trained one's."""
NAMES = {
    "onnx-int8": "int8",
    "openvino-fp32": "openvino_fp32",
    "openvino-int8": "openvino_int8",
}
"""How the manifest's figures call a file."""
LINES = ("calibrating", "reading")
FORMATS = ("onnx", "openvino")
PRECISIONS = ("fp32", "int8")
USUAL_INPUT = (("kind", "ink"), ("min_width_px", 0))
"""Entries of the input that a manifest need not hold."""
WORDS = {
    "ink": "ink, paper p80 to 0, darkest 1 % to 1",
    "inverted": "Lanczos, white to 0, black to 1",
    "signed": "linear, black to -1, white to 1, padded with 0",
}


@dataclass(frozen=True)
class Order:
    """An order for a model: its source and lines. ``gate`` is in CER, absolute.

    int8 is calibrated on ``calibrating``; ``reading`` decides whether it is published, and fits the confidences.
    """

    name: str
    calibrating: Sequence[LineSample]
    reading: Sequence[LineSample]
    language: LanguageModel
    formats: tuple[str, ...] = ("onnx",)
    precisions: tuple[str, ...] = PRECISIONS
    gate: float = 0.003
    with_weights: bool = False
    say: Callable[[str], None] = print
    facts: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] | None = None
    """Settings of the search and confidences to take over instead of fitting them on ``reading``."""
    scratch: Path | None = None
    """Where files lie while they are made; None takes the system's folder."""


def publish_source(source: Source, order: Order, target: Path) -> Model:
    """Make the model folder ``target``, and return the model.

    Raises
    ------
    ExportError
        The order or the lines do not fit the source: everything that was found.
    GateError
        What was made reads worse than the source; nothing was published.
    ModelError, OutputError
        The folder cannot be made; see `carrel.models.publish`.
    """
    problems = find_problems(source, order)
    if problems:
        raise ExportError(problems)
    if source.letter_order == "display":
        shown = {s: [replace(line, text=displayed(line.text)) for line in getattr(order, s)] for s in LINES}
        order = replace(order, **shown)
    with tempfile.TemporaryDirectory(prefix="carrel-export-", dir=order.scratch) as folder:
        made = Made(Path(folder))
        manifest = _build(source, order, made)
        return publish(target, manifest, made.files, gate=partial(_as_measured, source, order, made.measured))


def find_problems(source: Source, order: Order) -> list[str]:
    """Return everything that stands against making the model, before anything is made."""
    problems = [f"format {f!r} is not one of {', '.join(FORMATS)}" for f in order.formats if f not in FORMATS]
    problems += [
        f"precision {p!r} is not one of {', '.join(PRECISIONS)}" for p in order.precisions if p not in PRECISIONS
    ]
    if "onnx" not in order.formats or not order.precisions:
        problems.append("no precision, or not the format 'onnx', which Carrel reads; 'openvino' may come with it")
    if not source.alphabet or not any(source.alphabet):
        problems.append("the model has no alphabet")
    if not all(bool(torch.isfinite(p).all()) for p in source.network.parameters()):
        problems.append("the model's weights hold values that are no numbers")
    if not order.calibrating and "int8" in order.precisions:
        problems.append("no lines of the split 'train' to calibrate int8 on")
    if not any(sample.text for sample in order.reading):
        problems.append("no lines with text of the split 'val' to compare the networks on")
    elif source.alphabet and not set("".join(source.alphabet)) & set("".join(s.text for s in order.reading)):
        problems.append("the lines share no character with the model's alphabet")
    return problems


@dataclass(frozen=True)
class Made:
    """Files written so far and their figures."""

    part: Path
    files: dict[str, Path] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    kept_fp32: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Measured] = field(default_factory=dict)

    def note(self, role: str, passed: Passed) -> None:
        """Write down how a quantized file reads and what had to stay in floating point for it."""
        self.figures[f"val_cer_greedy_{NAMES[role]}"] = round(passed.measured.cer, 4)
        self.measured[role] = passed.measured
        if passed.kept:
            sensitivity = {name: round(hurt, 4) for name, hurt in passed.sensitivity}
            self.kept_fp32[role] = {"layers": list(passed.kept), "sensitivity": sensitivity}


def _build(source: Source, order: Order, made: Made) -> dict[str, Any]:
    """Write every file that was ordered, each within the gate; returns the manifest."""
    fp32 = made.part / "model.fp32.onnx"
    onnx_export.export_fp32(source.network, fp32, source.line_input.height_px)
    wide = _read(source, order, onnx_export.runner(fp32), len(order.reading))
    _check_against(source, order.reading, wide)
    made.files["onnx-fp32"], made.measured["onnx-fp32"] = fp32, wide
    made.figures.update({"val_lines": len(order.reading), "val_cer_greedy_fp32": round(wide.cer, 4)})
    order.say(f"onnx fp32: CER {wide.cer:.2%} on {len(order.reading)} lines")
    read = partial(_read, source, order)
    inks = _calibration_inks(source, order.calibrating) if "int8" in order.precisions else []
    best = wide
    if "onnx" in order.formats and "int8" in order.precisions:
        target = made.part / "model.int8.onnx"
        quantizer = _quantizer("onnx int8", onnx_export, fp32, inks)
        passed = quantize_within_gate(quantizer, target, wide, read, order.gate, order.say)
        made.files["onnx-int8"] = target
        made.note("onnx-int8", passed)
        best = passed.measured
    if "openvino" in order.formats:
        _openvino(made, order, inks, wide, read)
    calibration = order.calibration
    if calibration is None:
        fitted = calibrate(best.logits, [s.text for s in order.reading], source.alphabet, order.language)
        made.figures[f"val_cer_search_{'fp32' if best is wide else 'int8'}"] = round(fitted.search_cer, 4)
        calibration = fitted.entry
    _keep_what_was_ordered(made, source, order)
    return _manifest(source, order, made, calibration)


def _keep_what_was_ordered(made: Made, source: Source, order: Order) -> None:
    if "fp32" not in order.precisions:
        made.files.pop("onnx-fp32").unlink()
    if order.with_weights:
        made.files["weights"] = made.part / "weights.safetensors"
        _save_weights(source.network, made.files["weights"])


def _quantizer(name: str, how: ModuleType, fp32: Path, inks: Sequence[Ink]) -> Quantizer[Run]:
    """int8 by `onnx_export` or `openvino_export`, which offer the same functions."""

    def write(file: Path, keep: Sequence[str]) -> None:
        how.quantize(fp32, file, inks, keep)

    return Quantizer(name, how.layers(fp32), write, how.runner)


def _openvino(
    made: Made, order: Order, inks: Sequence[Ink], wide: Measured, read: Callable[[Run, int], Measured]
) -> None:
    """Write OpenVINO's form of the fp32 file, in the precisions ordered."""
    from carrel_export import openvino_export

    fp32 = made.files["onnx-fp32"]
    if "fp32" in order.precisions:
        target = made.part / "model.fp32.xml"
        openvino_export.convert(fp32, target)
        measured = read(openvino_export.runner(target), len(order.reading))
        order.say(f"openvino fp32: CER {measured.cer:.2%}, logits differ by {measured.distance(wide):.2%}")
        if measured.cer > wide.cer + order.gate:
            raise GateError(f"OpenVINO reads at {measured.cer:.2%} CER where onnxruntime reads at {wide.cer:.2%}")
        made.files.update({"openvino-fp32": target, "openvino-fp32-weights": target.with_suffix(".bin")})
        made.note("openvino-fp32", Passed(measured))
    if "int8" in order.precisions:
        target = made.part / "model.int8.xml"
        quantizer = _quantizer("openvino int8", openvino_export, fp32, inks)
        passed = quantize_within_gate(quantizer, target, wide, read, order.gate, order.say)
        made.files.update({"openvino-int8": target, "openvino-int8-weights": target.with_suffix(".bin")})
        made.note("openvino-int8", passed)


def _read(source: Source, order: Order, run: Run, count: int) -> Measured:
    return measure(run, order.reading[:count], source.alphabet, source.line_input)


def _calibration_inks(source: Source, lines: Sequence[LineSample]) -> list[Ink]:
    """Lines cut, or padded with paper, to one width: the percentile calibration takes one shape."""
    chosen = np.random.default_rng(0).choice(len(lines), min(CALIBRATION_LINES, len(lines)), replace=False)
    inks = [source.line_input.of_crop(lines[i].gray) for i in chosen]
    missing = ((0, 0),) * 3
    width = CALIBRATION_ASPECT * source.line_input.height_px
    return [np.pad(ink, (*missing, (0, max(0, width - ink.shape[3]))))[..., :width] for ink in inks]


def _check_against(source: Source, samples: Sequence[LineSample], exported: Measured) -> None:
    """The exported network gives the same logits as the one it was made from."""
    for sample, logits in zip(samples[:CHECKED_LINES], exported.logits, strict=False):
        with torch.inference_mode():
            expected = source.network(torch.from_numpy(source.line_input.of_crop(sample.gray)))[0].numpy()
        worst = float(np.abs(expected - logits).max()) if expected.shape == logits.shape else np.inf
        if worst > LARGEST_DIFFERENCE:
            raise GateError(f"the exported network differs from the trained one by {worst:.4f} in a logit")


def _as_measured(source: Source, order: Order, measured: Mapping[str, Measured], model: Model) -> None:
    """Refuse to publish a network that does not read, on Carrel's run time, as it read when it passed the gate."""
    for key, before in measured.items():
        if model.manifest.files.get(key) is None or model.manifest.files[key].runtime != "onnx":
            continue
        network = OrtBackend(model.read_file(key), model.name)

        def run(ink: Ink, network: OrtBackend = network) -> Logits:
            return network.run({"ink": ink})["logits"][0]

        now = _read(source, order, run, CHECKED_LINES)
        for one, other in zip(now.logits, before.logits, strict=False):
            if one.shape != other.shape or float(np.abs(one - other).max()) > LARGEST_DIFFERENCE:
                raise GateError(f"{key}: reads otherwise now than when it was measured; nothing was published")


def _manifest(source: Source, order: Order, made: Made, calibration: Mapping[str, Any]) -> dict[str, Any]:
    line_input = {k: v for k, v in asdict(source.line_input).items() if (k, v) not in USUAL_INPUT}
    return {
        "task": "recognition",
        "name": order.name,
        "licence": source.licence,
        "origin": source.origin,
        "input": line_input | {"scaling": WORDS[source.line_input.kind]},
        "alphabet": source.alphabet if isinstance(source.alphabet, str) else [s or None for s in source.alphabet],
        "blank": 0,
        "stride_px": source.stride_px,
        **source.facts,
        **({"letter_order": source.letter_order} if source.letter_order != "logical" else {}),
        "calibration": calibration,
        "figures": made.figures,
        **({"kept_fp32": made.kept_fp32} if made.kept_fp32 else {}),
        **order.facts,
    }


def _save_weights(network: torch.nn.Module, file: Path) -> None:
    from safetensors.torch import save_file

    weights = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    save_file({k: v.contiguous() for k, v in weights.items()}, str(file))
