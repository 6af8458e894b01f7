"""Trained segmenter -> model folder: export, quantize, measure both, publish what passes the gate.

``python -m carrel_export.segmentation.publish --run FOLDER --pack pages.zip --sources sources.json --out MODEL_FOLDER``;
``--figures`` takes the JSON that ``python -m carrel_bench.layout --json`` printed for the same weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from carrel_export.onnx_export import quantize, session
from carrel_export.segmentation.augment import whole
from carrel_export.segmentation.network import CELL_HEIGHT_PX, CELL_WIDTH_PX, CHANNELS, MULTIPLE_PX, Segmenter
from carrel_export.segmentation.pages import LayoutPage, read_pages, target_maps

GATE = 0.01


class WithProbabilities(nn.Module):
    """Maps as probabilities: what is exported."""

    def __init__(self, network: Segmenter) -> None:
        super().__init__()
        self.network = network

    def forward(self, ink: Tensor) -> Tensor:
        return torch.sigmoid(self.network(ink))


def export_fp32(network: Segmenter, target: Path) -> None:
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
    """Target maps on the cells of an output of ``shape`` rows and columns."""
    maps = target_maps(page)
    cells = (maps.shape[1] // CELL_WIDTH_PX, maps.shape[0] // CELL_HEIGHT_PX)
    true = np.zeros((len(CHANNELS), *shape), bool)
    small = cv2.resize(maps, cells, interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    true[:, : cells[1], : cells[0]] = small > 127
    return true


def measure(file: Path, pages: Sequence[LayoutPage]) -> dict[str, float]:
    """Dice overlap of the maps over whole pages, per channel."""
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


def _entry(file: Path) -> dict[str, Any]:
    contents = file.read_bytes()
    return {"path": file.name, "sha256": hashlib.sha256(contents).hexdigest(), "bytes": len(contents)}


def publish(run: Path, pack: Path, sources: Path, target: Path, figures: Path | None) -> dict[str, Any]:
    """Write the model folder; int8 goes along only where its maps are as good as the gate demands."""
    network = Segmenter()
    network.load_state_dict(torch.load(run / "weights.pt", weights_only=True, map_location="cpu"))
    val, train = read_pages(pack, "val"), read_pages(pack, "train")
    target.mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=target, prefix=".part-") as folder:
        fp32, int8 = Path(folder) / "segmenter.fp32.onnx", Path(folder) / "segmenter.int8.onnx"
        export_fp32(network.eval(), fp32)
        chosen = np.random.default_rng(0).choice(len(train), 48, replace=False)
        quantize(
            fp32,
            int8,
            [_crop(train[i]) for i in chosen],
            keep_fp32=("/network/head/Conv", "/network/patch/patch.0/Conv"),
        )
        measured = {"fp32": measure(fp32, val), "int8": measure(int8, val)}
        worst = max(measured["fp32"][c] - measured["int8"][c] for c in ("baseline", "body"))
        for role, file in (("onnx", fp32), ("onnx-int8", int8)):
            if role == "onnx" or worst <= GATE:
                file.replace(target / file.name)
                files[role] = _entry(target / file.name)
    listed = json.loads(sources.read_text("utf-8"))
    used = sorted({page.source for page in train})
    log = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    manifest: dict[str, Any] = {
        "format_version": 1,
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
        "windows_trained": log[-1]["windows"],
        "figures": {"val_dice": measured, "layout": _layout(figures) if figures else {}},
        "training_sources": {
            s: {k: listed[s][k] for k in ("cite", "lic", "lang", "century")} for s in used if s in listed
        },
        "files": files,
    }
    (target / "manifest.json").write_text(json.dumps(manifest, ensure_ascii=False, indent=1) + "\n", "utf-8")
    (target / "card.md").write_text(card(manifest), "utf-8")
    return manifest


def _layout(figures: Path) -> dict[str, Any]:
    measured = json.loads(figures.read_text("utf-8"))
    return {key: measured[key] for key in ("overall", "sources")}


def card(manifest: dict[str, Any]) -> str:
    """The model card."""
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
        lines += [f"| {n} | {r['true_lines']} | {r['recall']:.1%} | {r['precision']:.1%} |" for n, r in rows]
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
    for name in ("--run", "--pack", "--sources", "--out"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--figures", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    manifest = publish(options.run, options.pack, options.sources, options.out, options.figures)
    print(json.dumps({k: manifest[k] for k in ("parameters", "windows_trained", "figures")}, indent=1))


if __name__ == "__main__":
    main()
