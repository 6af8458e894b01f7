"""``carrel export``: a checkpoint of Carrel, kraken, PyLaia, PaddleOCR or TrOCR becomes a verified, quantized model folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import click

from carrel.errors import InputError, UsageError
from carrel.models.folders import Model

TROCR = "config.json"
"""What a folder in the Hugging Face format holds."""
NEEDED = ("torch", "onnx", "onnxruntime", "rapidfuzz", "safetensors")
NEEDED_FOR_OPENVINO = ("openvino", "nncf")


def _parts(_: click.Context, __: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


@click.command("export")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="Model folder.")
@click.option("--format", "formats", default="onnx", show_default=True, callback=_parts, help="onnx, or onnx,openvino.")
@click.option("--precision", "precisions", default="fp32,int8", show_default=True, callback=_parts)
@click.option(
    "--calibration",
    "lines",
    type=click.Path(path_type=Path),
    metavar="LINES",
    help="Line pack (.zip), or folder of packs: 'train' lines calibrate int8, 'val' lines compare the networks. "
    "Needed but for TrOCR in fp32.",
)
@click.option("--gate-cer", default=0.3, show_default=True, help="Most that a file may lose, in points of CER.")
@click.option("--name", help="Name of the model.  [default: that of the folder]")
@click.option(
    "--scripts",
    callback=_parts,
    default="",
    metavar="NAMES",
    help="Of PaddleOCR's networks, keep the letters of these scripts alone: latin, greek, cjk and so on, by commas.",
)
@click.option("--language", type=click.Path(path_type=Path), help="n-gram file to search with.  [default: fr, en, de]")
def command(
    checkpoint: Path,
    target: Path,
    formats: tuple[str, ...],
    precisions: tuple[str, ...],
    lines: Path | None,
    gate_cer: float,
    name: str | None,
    scripts: tuple[str, ...],
    language: Path | None,
) -> None:
    """Turn CHECKPOINT into a model folder that `carrel read --model` takes.

    Reads checkpoints of Carrel (.pt, or a model folder with weights), kraken (.safetensors, .mlmodel; kraken must be
    installed for VGSL networks), PyLaia (.ckpt, with model and syms.txt beside it), recognition networks of PaddleOCR (.onnx, with the
    dictionary in their metadata) and TrOCR (a folder in the Hugging Face format, .safetensors). The network is exported, quantized, and compared
    with the original on the same real lines; what reads worse than the gate allows is not published.
    """
    _require(NEEDED + (NEEDED_FOR_OPENVINO if "openvino" in formats else ()))
    if not checkpoint.exists():
        raise InputError(f"{checkpoint}: no such checkpoint")
    if (checkpoint / TROCR).is_file():
        model = _publish_trocr(checkpoint, target, formats, precisions, lines, gate_cer / 100, name, scripts, language)
        return _tell(model, target)
    if lines is None:
        raise UsageError("--calibration is missing: lines to calibrate and compare the networks on")
    from carrel.loading import language_of
    from carrel_export.build import Order, publish_source
    from carrel_export.sources.opening import open_source

    samples = _read_lines(lines)
    order = Order(
        name or target.name,
        [s for s in samples if s.split == "train"],
        [s for s in samples if s.split == "val"],
        language_of(language),
        formats,
        precisions,
        gate_cer / 100,
        say=lambda line: click.echo(line, err=True),
    )
    source = open_source(checkpoint)
    if scripts:
        from carrel_export.sources.paddle import cut_to_scripts

        source = cut_to_scripts(source, scripts)
    return _tell(publish_source(source, order, target), target)


def _publish_trocr(
    checkpoint: Path,
    target: Path,
    formats: tuple[str, ...],
    precisions: tuple[str, ...],
    lines: Path | None,
    gate: float,
    name: str | None,
    scripts: tuple[str, ...],
    language: Path | None,
) -> Model:
    """The model of TrOCR's folder; without lines, in fp32 and not calibrated."""
    if formats != ("onnx",) or scripts or language:
        raise UsageError(
            "--format, --scripts and --language do not go with TrOCR: OpenVINO reads its ONNX files as they are"
        )
    from carrel_export.seq2seq.publish import TextOrder, publish_checkpoint

    samples = [s for s in _read_lines(lines) if s.split == "val"] if lines is not None else []
    say: Callable[[str], None] = partial(click.echo, err=True)
    return publish_checkpoint(checkpoint, TextOrder(name or target.name, samples, precisions, gate, say), target)


def _tell(model: Model, target: Path) -> None:
    """Name the files of a model on stdout."""
    for key, entry in model.manifest.files.items():
        click.echo(f"{key}: {target / entry.path}, {entry.bytes:,} bytes")


def _read_lines(path: Path) -> list[Any]:
    from carrel.review.training_lines import read_packs

    folder, sources = (path.parent, [path.stem]) if path.is_file() else (path, None)
    try:
        return list(read_packs(folder, ("train", "val"), sources))
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"{path}: no line packs ({error})") from error


def _require(modules: tuple[str, ...]) -> None:
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise UsageError(
            f"not installed: {', '.join(missing)}; `carrel export` needs Carrel's export extra: carrel[export]"
        )
