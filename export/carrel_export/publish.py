"""Checkpoint -> model folder: export, quantize, measure both on real lines, and publish only what passes the gate."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from carrel.decode.ngram import read_ngrams
from carrel_export.augment import MARGIN_PX, to_input
from carrel_export.calibration import calibrate
from carrel_export.lines import LineSample, read_packs
from carrel_export.network import STRIDE_PX
from carrel_export.onnx_export import export_fp32, quantize, session
from carrel_export.training import greedy, load_network

Logits = NDArray[np.float32]


class GateError(Exception):
    """A quantized network is worse than the gate allows; nothing was published."""


@dataclass(frozen=True)
class Measured:
    """Greedy character errors of one file on the same lines."""

    errors: NDArray[np.int64]
    characters: NDArray[np.int64]
    logits: list[Logits]

    @property
    def cer(self) -> float:
        return float(self.errors.sum() / self.characters.sum())


def input_of(sample: LineSample, height_px: int) -> NDArray[np.float32]:
    """The line as the run time hands it to the network, ``(1, 1, height_px, width)``, width a multiple of the stride."""
    ink = to_input(sample.gray, height_px)
    return np.pad(ink, ((0, 0), (0, -ink.shape[1] % STRIDE_PX)))[None, None]


def _fixed_width(ink: NDArray[np.float32], width: int = 768) -> NDArray[np.float32]:
    """Cut or padded with paper: the percentile calibration takes lines of one shape."""
    return np.pad(ink, ((0, 0),) * 3 + ((0, max(0, width - ink.shape[3])),))[..., :width]


def measure(file: Path, samples: Sequence[LineSample], alphabet: str, height_px: int) -> Measured:
    """Read the lines with an ONNX file, one by one."""
    run = session(file)
    logits = [run.run(None, {"ink": input_of(s, height_px)})[0][0] for s in samples]
    errors = [Levenshtein.distance(greedy(row, alphabet), s.text) for row, s in zip(logits, samples, strict=True)]
    return Measured(np.array(errors), np.array([len(s.text) for s in samples]), logits)


def publish(
    checkpoint: Path, packs: Path, target: Path, name: str, sources: Path, language: Path, gate: float = 0.003
) -> dict[str, Any]:
    """Make the model folder ``target`` from a weights file of the training; ``language`` is the n-gram file to search with.

    Raises
    ------
    GateError
        int8 reads worse than fp32 by more than ``gate`` (CER, absolute) on the ``val`` lines.
    """
    network, alphabet, size = load_network(checkpoint)
    height = network.config.height_px
    samples = list(read_packs(packs, ("train", "val")))
    val = [s for s in samples if s.split == "val"]
    rng = np.random.default_rng(0)
    train = [s for s in samples if s.split == "train"]
    calibrating = [_fixed_width(input_of(train[i], height)) for i in rng.choice(len(train), 96, replace=False)]
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".part-") as folder:
        part = Path(folder)
        fp32, int8 = part / "model.fp32.onnx", part / "model.int8.onnx"
        export_fp32(network, fp32)
        _check_export(network, fp32, val[:16], height)
        quantize(fp32, int8, calibrating)
        wide, narrow = (measure(file, val, alphabet, height) for file in (fp32, int8))
        if narrow.cer > wide.cer + gate:
            raise GateError(f"int8 CER {narrow.cer:.4f} against fp32 {wide.cer:.4f} on val: over the gate of {gate}")
        calibration = calibrate(narrow.logits, [x.text for x in val], alphabet, read_ngrams(language))
        _save_weights(network, part / "weights.safetensors")
        used = sorted({s.source for s in samples})
        listed = json.loads(sources.read_text("utf-8"))
        manifest: dict[str, Any] = {
            "format_version": 1,
            "task": "recognition",
            "name": name,
            "size": size,
            "licence": "CC-BY-SA-4.0",
            "input": {"height_px": height, "margin_px": MARGIN_PX, "scaling": "ink, paper p80 to 0, darkest 1 % to 1"},
            "alphabet": alphabet,
            "blank": 0,
            "stride_px": STRIDE_PX,
            "network": network.config.__dict__,
            "parameters": sum(p.numel() for n, p in network.named_parameters() if not n.startswith("shortcut")),
            "calibration": calibration.entry,
            "figures": {
                "val_cer_greedy_fp32": round(wide.cer, 4),
                "val_cer_greedy_int8": round(narrow.cer, 4),
                "val_cer_search_int8": round(calibration.search_cer, 4),
                "val_lines": len(val),
            },
            "training_sources": {
                s: {k: listed[s][k] for k in ("cite", "lic", "lang", "century")} for s in used if s in listed
            },
            "files": {
                role: _entry(part / file)
                for role, file in (
                    ("onnx-fp32", fp32.name),
                    ("onnx-int8", int8.name),
                    ("weights", "weights.safetensors"),
                )
            },
        }
        (part / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", "utf-8")
        _replace(part, target)
    return manifest


def _check_export(network: Any, file: Path, samples: Sequence[LineSample], height_px: int) -> None:
    run = session(file)
    for sample in samples:
        ink = input_of(sample, height_px)
        with torch.inference_mode():
            expected = network(torch.from_numpy(ink)).numpy()
        worst = float(np.abs(expected - run.run(None, {"ink": ink})[0]).max())
        if worst > 1e-2:
            raise GateError(f"the exported network differs from the trained one by {worst:.4f} in a logit")


def _save_weights(network: Any, file: Path) -> None:
    from safetensors.torch import save_file

    weights = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    save_file({k: v.contiguous() for k, v in weights.items()}, str(file))


def _entry(file: Path) -> dict[str, Any]:
    contents = file.read_bytes()
    return {"path": file.name, "sha256": hashlib.sha256(contents).hexdigest(), "bytes": len(contents)}


def _replace(part: Path, target: Path) -> None:
    """Move the finished files into place; the manifest last, so that a reader never sees half a model."""
    target.mkdir(exist_ok=True)
    names = sorted((f.name for f in part.iterdir()), key=lambda n: n == "manifest.json")
    for name in names:
        with (part / name).open("rb") as file:
            os.fsync(file.fileno())
        shutil.move(part / name, target / name)
