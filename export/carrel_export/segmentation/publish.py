"""Trained segmenter -> model folder: export, quantize, measure both, publish what passes the gate.

``python -m carrel_export.segmentation.publish --run FOLDER --pack pages.zip --sources sources.json --out MODEL_FOLDER``;
``--figures`` takes the JSON lines that ``python -m carrel_bench layout --json`` printed for the same weights.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carrel.errors import InputError
from carrel.models.folders import Model
from carrel.models.publish import publish as publish_model
from carrel_export.gate import GateError
from carrel_export.messages import told
from carrel_export.onnx_export import quantize, session
from carrel_export.segmentation.augment import whole
from carrel_export.segmentation.network import CELL_HEIGHT_PX, CELL_WIDTH_PX, CHANNELS, MULTIPLE_PX, Segmenter
from carrel_export.segmentation.pages import LayoutPage, read_pages, target_maps
from carrel_export.sources.training_sources import read_sources

GATE = 0.01
"""Most that int8 may lose, in Dice overlap."""
LEAST_DICE = 0.5
"""Overlap of baselines on val pages; the shipped network has 0.83."""
CALIBRATION_PAGES = 48
KEPT_FP32 = ("/network/head/Conv", "/network/patch/patch.0/Conv")


class WithProbabilities(nn.Module):
    """Maps as probabilities: what is exported."""

    def __init__(self, network: Segmenter) -> None:
        super().__init__()
        self.network = network

    def forward(self, ink: Tensor) -> Tensor:
        return torch.sigmoid(self.network(ink))


def export_segmenter(network: Segmenter, target: Path) -> None:
    """Write the network with any batch, height and width; batch norms are folded into the convolutions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own deprecations
        torch.onnx.export(
            WithProbabilities(network).eval(),
            (torch.zeros(1, 1, 128, 128),),
            str(target),
            opset_version=17,
            input_names=["ink"],
            output_names=["maps"],
            dynamic_axes={
                "ink": {0: "n", 2: "height", 3: "width"},
                "maps": {0: "n", 2: "rows", 3: "columns"},
            },
            dynamo=False,
        )


def true_maps(page: LayoutPage, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return target maps on the cells of an output of ``shape`` rows and columns."""
    maps = target_maps(page)
    cells = (maps.shape[1] // CELL_WIDTH_PX, maps.shape[0] // CELL_HEIGHT_PX)
    true = np.zeros((len(CHANNELS), *shape), bool)
    small = cv2.resize(maps, cells, interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    true[:, : cells[1], : cells[0]] = small > 127
    return true


def measure(file: Path, pages: Sequence[LayoutPage]) -> dict[str, float]:
    """Return Dice overlap of the maps over whole pages, per channel."""
    run = session(file)
    overlap, size = np.zeros(len(CHANNELS)), np.zeros(len(CHANNELS))
    for page in pages:
        found = run.run(None, {"ink": whole(page.gray, MULTIPLE_PX)[None, None]})[0][0] > 0.5
        true = true_maps(page, found.shape[1:])
        overlap += 2 * (found & true).sum((1, 2))
        size += found.sum((1, 2)) + true.sum((1, 2))
    return {name: round(float(v), 4) for name, v in zip(CHANNELS, overlap / np.maximum(size, 1), strict=True)}


def _crop(page: LayoutPage, side: int = 640) -> NDArray[np.float32]:
    """A window of one size, as calibration wants them."""
    ink = whole(page.gray, MULTIPLE_PX)[:side, :side]
    return np.pad(ink, ((0, side - ink.shape[0]), (0, side - ink.shape[1])))[None, None].astype(np.float32)


def publish(run: Path, packs: Sequence[Path], sources: Path, target: Path, figures: Path | None) -> Model:
    """Make the model folder; int8 goes along only where its maps are as good as the gate demands.

    Raises
    ------
    InputError, ModelError, OutputError
        What is given cannot be read, or the folder cannot be made.
    """
    network = Segmenter()
    weights, windows = _trained(run)
    network.load_state_dict(weights)
    val, train = ([p for pack in packs for p in read_pages(pack, split)] for split in ("val", "train"))
    with tempfile.TemporaryDirectory(prefix="carrel-export-") as folder:
        files = {"onnx": Path(folder) / "segmenter.fp32.onnx", "onnx-int8": Path(folder) / "segmenter.int8.onnx"}
        export_segmenter(network.eval(), files["onnx"])
        chosen = np.random.default_rng(0).choice(len(train), min(CALIBRATION_PAGES, len(train)), replace=False)
        quantize(files["onnx"], files["onnx-int8"], [_crop(train[i]) for i in chosen], keep_fp32=KEPT_FP32)
        measured = {"fp32": measure(files["onnx"], val), "int8": measure(files["onnx-int8"], val)}
        if max(measured["fp32"][c] - measured["int8"][c] for c in ("baseline", "body")) > GATE:
            del files["onnx-int8"]
        manifest: dict[str, Any] = {
            "task": "segmentation",
            "name": "segmenter",
            "licence": "CC-BY-SA-4.0",
            "input": {
                "name": "ink",
                "longest_side_px": 1024,
                "multiple_px": list(MULTIPLE_PX),
                "scaling": "(255 - gray) / 255 of the flattened page, padded right and below with 0",
            },
            "output": {"name": "maps", "channels": list(CHANNELS), "cell_px": [CELL_HEIGHT_PX, CELL_WIDTH_PX]},
            "parameters": sum(p.numel() for p in network.parameters()),
            "windows_trained": windows,
            "figures": {"val_dice": measured, "layout": _layout(figures) if figures else {}},
            "training_sources": read_sources(sources, {page.source for page in train}),
        }
        return publish_model(target, manifest, files, gate=partial(_finds_lines, measured["fp32"]), card=card(manifest))


def _trained(run: Path) -> tuple[dict[str, Any], int]:
    """Weights of a run, and the windows they have seen."""
    try:
        weights = torch.load(run / "weights.pt", weights_only=True, map_location="cpu")
        log = (run / "log.jsonl").read_text("utf-8").splitlines()
        return weights, int(json.loads(log[-1])["windows"])
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, pickle.UnpicklingError) as error:
        raise InputError(f"{run}: no folder of a training of the segmenter ({error})") from error


def _finds_lines(fp32: Mapping[str, float], _: Model) -> None:
    """Refuse a network that sees hardly any baseline: what is published finds lines."""
    if fp32["baseline"] < LEAST_DICE:
        raise GateError(f"the maps of baselines overlap the true ones by {fp32['baseline']:.2f}, not {LEAST_DICE}")


def _layout(figures: Path) -> dict[str, Any]:
    """Return the figures of `carrel_bench layout --json` over all, and by source."""
    found: dict[str, dict[str, float]] = {}
    for row in map(json.loads, figures.read_text("utf-8").splitlines()):
        if row.get("suite") == "layout" and row["program"] != "page":
            found.setdefault(row["case"], {})[row["name"].replace(" ", "_")] = round(row["value"], 4)
    return {"overall": found.pop("overall"), "sources": found}


def card(manifest: dict[str, Any]) -> str:
    """Return the model card."""
    dice = manifest["figures"]["val_dice"]
    layout = manifest["figures"]["layout"]
    lines = [
        "# Line segmenter",
        "",
        f"A U-Net of {manifest['parameters']:,} parameters: ink of a page to maps of baselines, bodies of letters, and starts",
        f"and ends of lines, trained on {manifest['windows_trained']:,} windows of scanned and rendered pages.",
        "",
        "| map | Dice on val, fp32 | int8 |",
        "|---|---|---|",
        *(f"| {name} | {dice['fp32'][name]:.3f} | {dice['int8'][name]:.3f} |" for name in CHANNELS),
        "",
    ]
    if layout:
        rows = [*sorted(layout["sources"].items()), ("overall", layout["overall"])]
        lines += ["| source | lines | recall | precision |", "|---|---|---|---|"]
        lines += [f"| {n} | {r['true_lines']:.0f} | {r['recall']:.1%} | {r['precision']:.1%} |" for n, r in rows]
        lines += [""]
    lines += [
        "Writing that runs upwards or downwards is not followed.",
        "",
        f"Licence {manifest['licence']}. Trained on pages of:",
        "",
    ]
    lines += [f"- {s}: {c['cite']}, {c['lic']}" for s, c in manifest["training_sources"].items()]
    return "\n".join([*lines, "- pages rendered in faces of Debian's font packages", ""])


def main() -> None:
    """Publish from the command line."""
    parser = argparse.ArgumentParser(
        prog="carrel_export.segmentation.publish", description="Publish the line segmenter."
    )
    for name in ("--run", "--sources", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--pack", type=Path, action="append", required=True, help="once for each pack")
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with told():
        model = publish(options.run, options.pack, options.sources, options.out, options.figures)
        print(json.dumps({"parameters": model.manifest.parameters, "figures": model.manifest.figures}, indent=1))


if __name__ == "__main__":
    main()
