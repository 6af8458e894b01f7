"""The way from a checkpoint of any framework to a `Source`: what its name says is read by the module of that framework."""

from __future__ import annotations

from pathlib import Path

from carrel_export.sources.source import ExportError, Source


def open_source(path: Path) -> Source:
    """Read a checkpoint: Carrel's (``.pt``, or a model folder with weights), kraken's, PyLaia's, PaddleOCR's.

    Raises
    ------
    ExportError
        Of no known framework, or what it holds cannot be expressed as a Carrel model.
    """
    if path.suffix in (".safetensors", ".mlmodel"):
        from carrel_export.sources.kraken import read_kraken

        return read_kraken(path)
    if path.suffix == ".onnx":
        from carrel_export.sources.paddle import read_paddle

        return read_paddle(path)
    if path.suffix == ".ckpt":
        from carrel_export.sources.pylaia import read_pylaia

        return read_pylaia(path)
    if path.suffix == ".pt" or (path / "manifest.json").is_file():
        from carrel_export.sources.carrel import read_carrel

        return read_carrel(path)
    raise ExportError(
        [
            f"{path}: no checkpoint of Carrel (.pt), kraken (.safetensors, .mlmodel), PyLaia (.ckpt), PaddleOCR (.onnx) or TrOCR (folder)"
        ]
    )
