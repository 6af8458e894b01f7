"""Train, calibrate_probabilities, measure and publish the classifier of printed and handwritten lines.

``python -m carrel_export.writing.training --data FOLDER --out MODEL_FOLDER``: FOLDER holds ``lines/*.zip``, ``layout/pages.zip``,
``pages/`` and ``sources.json``. Takes minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from carrel.backends.runtimes.ort import OrtBackend
from carrel.models.folders import Model
from carrel.models.publish import publish as publish_model
from carrel_export.gate import GateError
from carrel_export.handwriting.augment import MARGIN_PX, augment, to_input
from carrel_export.messages import told
from carrel_export.optimizer import cosine_rate
from carrel_export.sources.training_sources import read_sources
from carrel_export.writing.faces import TYPEWRITER, print_faces, script_faces
from carrel_export.writing.lines import MIXED, WritingLine, read_writing_lines
from carrel_export.writing.network import HEIGHT_PX, STRIDE_PX, WithProbability, WritingNetwork
from carrel_export.writing.render import render_lines

Floats = NDArray[np.float64]
LARGEST_DIFFERENCE = 1e-4
"""Most that a probability of the exported network may differ from the trained one's."""
HELD_OUT = ("ebgaramond", "open-sans", "courier-prime", "kristi", "femkeklaver")
"""Font families that only measure."""


@dataclass(frozen=True)
class WritingOptions:
    """One run: ``steps`` batches of ``batch`` windows ``window_px`` wide."""

    steps: int = 900
    batch: int = 40
    window_px: int = 256
    learning_rate: float = 3e-3
    rendered_print: int = 2600
    rendered_script: int = 900
    hand_per_source: int = 700
    seed: int = 1


def rendered(
    texts: Sequence[str], options: WritingOptions, rng: np.random.Generator, held_out: bool
) -> list[WritingLine]:
    """Return rendered lines of print and of script faces; with ``held_out`` only the families that measure, else all others."""
    kept: list[WritingLine] = []
    for families, hand, count in (
        (print_faces(), False, options.rendered_print),
        (script_faces(), True, options.rendered_script),
    ):
        chosen = {name: files for name, files in families.items() if (name in HELD_OUT) == held_out}
        made = render_lines(texts, chosen, count // 8 if held_out else count, HEIGHT_PX, rng, TYPEWRITER)
        name, split = ("faces-script" if hand else "faces-print"), ("val" if held_out else "train")
        kept += [WritingLine(name, split, gray, hand, 99) for gray in made]
    return kept


def _window(line: WritingLine, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A random part of an augmented line, ``(48, width)``; short lines are padded with paper."""
    gray = line.gray
    if gray.shape[1] > 2 * width:  # augment only what the window may show
        x = int(rng.integers(0, gray.shape[1] - 2 * width + 1))
        gray = gray[:, x : x + 2 * width]
    ink = augment(np.ascontiguousarray(gray), HEIGHT_PX, rng)
    if rng.random() < 0.25:  # copies of copies: harder or softer ink
        ink = np.clip((ink - 0.5) * rng.uniform(0.7, 3.0) + rng.uniform(0.4, 0.6), 0, 1) * (ink > 0.08)
    shown = width if rng.random() < 0.6 else int(rng.integers(40, width))
    x = int(rng.integers(0, max(1, ink.shape[1] - shown)))
    part = ink[:, x : x + shown]
    return np.pad(part, ((0, 0), (0, width - part.shape[1]))).astype(np.float32)


def _weights(lines: Sequence[WritingLine]) -> Floats:
    """Half of the draws printed, half handwritten; within each, sources by the root of their size."""
    groups: dict[tuple[bool, str], int] = {}
    for line in lines:
        groups[line.handwritten, line.source] = groups.get((line.handwritten, line.source), 0) + 1
    weights = np.array([groups[line.handwritten, line.source] ** -0.5 for line in lines])
    for hand in (False, True):
        chosen = np.array([line.handwritten == hand for line in lines])
        weights[chosen] /= 2 * weights[chosen].sum()
    return weights


def train(lines: Sequence[WritingLine], options: WritingOptions) -> WritingNetwork:
    """Train on windows of the lines."""
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    network = WritingNetwork()
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, options.learning_rate, weight_decay=0.02)
    weights = _weights(lines)
    mean = 0.0
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_rate(options.learning_rate, step, 50, step / options.steps)
        chosen = rng.choice(len(lines), options.batch, p=weights)
        ink = torch.from_numpy(np.stack([_window(lines[i], options.window_px, rng) for i in chosen])[:, None])
        target = torch.tensor([0.98 if lines[i].handwritten else 0.02 for i in chosen])
        loss = nn.functional.binary_cross_entropy_with_logits(network(ink), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        mean = loss.item() if step == 0 else mean + 0.02 * (loss.item() - mean)
        if step % 200 == 199:
            print(json.dumps({"step": step + 1, "loss": round(mean, 4)}), file=sys.stderr, flush=True)
    return network.eval()


def line_input(gray: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a line as the run time hands it over, ``(1, 1, 48, w)``, w a multiple of 128."""
    ink = to_input(gray, HEIGHT_PX)
    return np.pad(ink, ((0, 0), (0, -ink.shape[1] % 128)))[None, None].astype(np.float32)


@torch.inference_mode()
def logits_of(network: WritingNetwork, lines: Sequence[WritingLine]) -> Floats:
    """Return logit of handwriting of every line."""
    return np.array([float(network(torch.from_numpy(line_input(line.gray)))) for line in lines])


def calibrate_probabilities(logits: Floats, hand: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Scale and shift of the logits that minimize the weighted log loss: Platt's method, by Newton steps."""
    scale, shift = 1.0, 0.0
    target = np.where(hand, 0.995, 0.005)
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(scale * logits + shift, -40, 40)))
        gap, curve = weights * (p - target), weights * p * (1 - p) + 1e-9
        gradient = np.array([(gap * logits).sum(), gap.sum()])
        hessian = np.array([[(curve * logits**2).sum(), (curve * logits).sum()], [(curve * logits).sum(), curve.sum()]])
        step = np.linalg.solve(hessian + 1e-6 * np.eye(2), gradient)
        scale, shift = scale - float(np.clip(step[0], -0.5, 0.5)), shift - float(np.clip(step[1], -0.5, 0.5))
    return scale, shift


def expected_calibration_error(probability: Floats, hand: NDArray[np.bool_], bins: int = 10) -> float:
    """Return mean gap between confidence and accuracy over bins of confidence, DOI 10.1609/aaai.v29i1.9602."""
    confidence, right = np.maximum(probability, 1 - probability), (probability >= 0.5) == hand
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(int), bins - 1)
    gaps = [
        abs(right[place == b].mean() - confidence[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return float(sum(gaps))


def figures(network: WritingNetwork, lines: Sequence[WritingLine]) -> dict[str, Any]:
    """Return accuracy per source and writing, and calibration, over lines of more than five characters and over all."""
    probability = 1 / (1 + np.exp(-logits_of(network, lines)))
    hand = np.array([line.handwritten for line in lines])
    long = np.array([line.characters > 5 for line in lines])
    right = (probability >= 0.5) == hand
    per_source: dict[str, Any] = {}
    for source, written in sorted({(line.source, line.handwritten) for line in lines}):
        chosen = np.array([line.source == source and line.handwritten == written for line in lines])
        name = f"{source} {'handwritten' if written else 'printed'}"
        per_source[name] = {"lines": int(chosen.sum()), "accuracy": round(float(right[chosen].mean()), 4)}
        if (chosen & long).any():
            per_source[name]["accuracy_over_5_characters"] = round(float(right[chosen & long].mean()), 4)
    clear = np.maximum(probability, 1 - probability) >= 0.9
    return {
        "lines": len(lines),
        "accuracy": round(float(right.mean()), 4),
        "accuracy_over_5_characters": round(float(right[long].mean()), 4),
        "expected_calibration_error": round(expected_calibration_error(probability, hand), 4),
        "share_sure": round(float(clear.mean()), 4),
        "accuracy_where_sure": round(float(right[clear].mean()), 4),
        "sources": per_source,
    }


def export(network: WritingNetwork, target: Path) -> None:
    """Write the network with its calibration as ONNX: ``ink (n, 1, 48, w)`` to ``handwritten (n,)``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own deprecations
        torch.onnx.export(
            WithProbability(network).eval(),
            (torch.zeros(1, 1, HEIGHT_PX, 256),),
            str(target),
            opset_version=17,
            input_names=["ink"],
            output_names=["handwritten"],
            dynamic_axes={"ink": {0: "n", 3: "width"}, "handwritten": {0: "n"}},
            dynamo=False,
        )


def check_export(network: WritingNetwork, lines: Sequence[WritingLine], model: Model) -> None:
    """Refuse a model that differs from the network."""
    exported = OrtBackend(model.read_file("onnx"), model.name)
    for line in lines:
        ink = line_input(line.gray)
        with torch.inference_mode():
            expected = float(torch.sigmoid(network(torch.from_numpy(ink))))
        if abs(expected - float(exported.run({"ink": ink})["handwritten"][0])) > LARGEST_DIFFERENCE:
            raise GateError("the exported network differs from the trained one")


def publish(
    network: WritingNetwork,
    target: Path,
    val: dict[str, Any],
    test: dict[str, Any],
    sources: Path,
    used: Sequence[str],
    samples: Sequence[WritingLine],
) -> Model:
    """Make the model folder: network, manifest, card.

    Raises
    ------
    GateError
        The exported network differs from the trained one; nothing was published.
    """
    manifest = {
        "task": "writing",
        "name": "writing",
        "licence": "CC-BY-SA-4.0",
        "input": {
            "name": "ink",
            "height_px": HEIGHT_PX,
            "margin_px": MARGIN_PX,
            "width_multiple_px": STRIDE_PX,
            "scaling": "ink, paper p80 to 0, darkest 1 % to 1; padded on the right with 0",
        },
        "output": {"name": "handwritten", "meaning": "probability that the line is handwritten, calibrated"},
        "parameters": sum(p.numel() for p in network.parameters() if p.requires_grad),
        "calibration": {
            "scale": round(float(network.scale), 4),
            "shift": round(float(network.shift), 4),
            "fitted_on": "val",
        },
        "figures": {"val": val, "test": test},
        "training_sources": read_sources(sources, used),
    }
    with tempfile.TemporaryDirectory(prefix="carrel-export-") as folder:
        file = Path(folder) / "writing.onnx"
        export(network, file)
        gate = partial(check_export, network, samples)
        return publish_model(target, manifest, {"onnx": file}, gate=gate, card=card(manifest))


def card(manifest: dict[str, Any]) -> str:
    """Return the model card."""
    rows = [
        f"| {split} | {name} | {row['lines']} | {row['accuracy']:.1%} |"
        for split in ("val", "test")
        for name, row in manifest["figures"][split]["sources"].items()
    ]
    credits = [f"- {s}: {c['cite']}, {c['lic']}" for s, c in manifest["training_sources"].items()]
    test = manifest["figures"]["test"]
    return "\n".join(
        [
            "# Printed or handwritten",
            "",
            f"A convolutional network of {manifest['parameters']:,} parameters that gives the probability that a line is",
            "handwritten. Its columns are averaged where there is ink, so that lines of any length are taken.",
            "",
            f"On {test['lines']} test lines: {test['accuracy']:.1%} right ({test['accuracy_over_5_characters']:.1%} of those with more",
            f"than five characters), expected calibration error {test['expected_calibration_error']:.3f}.",
            "",
            "| split | source | lines | right |",
            "|---|---|---|---|",
            *rows,
            "",
            "`faces-print` and `faces-script` are lines rendered in font families that were not trained on.",
            "Single figures and initials carry little to tell print from hand by; Latin script only.",
            "",
            f"Licence {manifest['licence']}. Trained on lines of:",
            "",
            *credits,
            "- rendered lines in print and script faces of Debian's font packages",
            "",
        ]
    )


def _thinned(lines: Sequence[WritingLine], per_source: int, rng: np.random.Generator) -> list[WritingLine]:
    """At most ``per_source`` lines of each wholly handwritten source."""
    kept: list[WritingLine] = []
    for source in sorted({line.source for line in lines}):
        own = [line for line in lines if line.source == source]
        if source not in MIXED and len(own) > per_source:
            own = [own[i] for i in sorted(rng.choice(len(own), per_source, replace=False))]
        kept += own
    return kept


def main() -> None:
    """Train and publish from the command line."""
    parser = argparse.ArgumentParser(prog="carrel_export.writing.training", description="Train the writing classifier.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=WritingOptions.steps)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    options = WritingOptions(steps=arguments.steps)
    rng = np.random.default_rng(options.seed)
    data: Path = arguments.data
    real = read_writing_lines(
        data / "lines", data / "layout/pages.zip", data / "pages", ("train", "val", "test"), HEIGHT_PX
    )
    split = {name: [line for line in real if line.split == name] for name in ("train", "val", "test")}
    texts = training_words(data / "lines")
    train_lines = _thinned(split["train"], options.hand_per_source, rng) + rendered(texts, options, rng, held_out=False)
    val_lines = split["val"] + rendered(texts, options, rng, held_out=True)
    network = train(train_lines, options)
    logits, hand = logits_of(network, val_lines), np.array([line.handwritten for line in val_lines])
    scale, shift = calibrate_probabilities(logits, hand, _weights(val_lines) * len(val_lines))
    with torch.no_grad():
        network.scale.fill_(scale)
        network.shift.fill_(shift)
    val, test = figures(network, val_lines), figures(network, split["test"])
    publish(
        network,
        arguments.out,
        val,
        test,
        data / "sources.json",
        sorted({line.source for line in train_lines}),
        val_lines[::40],
    )
    print(json.dumps({"val": val, "test": test, "scale": scale, "shift": shift}, indent=1))


def training_words(packs: Path) -> list[str]:
    """Return texts of the training lines."""
    from carrel.review.training_lines import read_texts as texts_of

    return [text for texts in texts_of(packs, "train").values() for text in texts if len(text) > 2]


if __name__ == "__main__":
    with told():
        main()
