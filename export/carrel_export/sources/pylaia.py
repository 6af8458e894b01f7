"""Checkpoints of PyLaia (Lightning's ``.ckpt``), with the ``model`` file and the table of symbols beside them.

The network is built anew from the arguments in ``model`` and takes the checkpoint's weights; PyLaia need not be
installed. Both files are pickles of torch: they are read with ``weights_only``, and classes of PyLaia and Lightning that
they name are replaced by one that does nothing. After J. Puigcerver, "Are Multidimensional Recurrent Layers Really
Necessary for Handwritten Text Recognition?", ICDAR 2017, doi:10.1109/ICDAR.2017.20.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from carrel.image.ink import LineInput
from carrel_export.sources.source import ExportError, Source, compact, order_of, parameters_of, stride_of

ADAPTIVE_HEIGHT_PX = 128
"""Line height for networks that take any: PyLaia's own recommendation."""
MAX_HEIGHT_PX = 512
SYMBOL_FILES = ("syms.txt", "symbols.txt", "syms_ctc.txt")
SPACES = ("<space>", "{space}", "@")
LICENCE = "unknown; ask the model's makers before passing it on"
FOREIGN = ("laia.", "pytorch_lightning.", "lightning.", "lightning_fabric.", "argparse.", "pathlib.", "jsonargparse.")


class Ignored(dict[str, Any]):
    """Stands for whatever else a checkpoint holds."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None: ...


class PoolRows(nn.Module):
    """Adaptive pooling of ``height`` rows to ``rows``, which a graph of fixed shape cannot express by itself."""

    def __init__(self, kind: str, height: int, rows: int) -> None:
        super().__init__()
        self.average = kind == "avgpool"
        self.bounds = [(i * height // rows, -(-(i + 1) * height // rows)) for i in range(rows)]

    def forward(self, x: Tensor) -> Tensor:
        parts = [x[:, :, a:b] for a, b in self.bounds]
        return torch.cat([p.mean(2, keepdim=True) if self.average else p.amax(2, keepdim=True) for p in parts], 2)


class Block(nn.Module):
    """Convolution, batch norm, activation, pooling; names as in the checkpoint."""

    def __init__(self, inputs: int, outputs: int, layer: Mapping[str, Any]) -> None:
        super().__init__()
        kernel, dilation = _pair(layer["kernel_size"]), _pair(layer["dilation"])
        padding = _pair([(k - 1) // 2 * d for k, d in zip(kernel, dilation, strict=True)])
        stride, pool = _pair(layer["stride"]), _pair(layer["poolsize"])
        norm = bool(layer["batchnorm"])
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, bias=not norm)
        self.batchnorm = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.activation = layer["activation"]() if layer["activation"] else nn.Identity()
        self.pool = nn.MaxPool2d(pool) if pool[0] * pool[1] > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.activation(self.batchnorm(self.conv(x))))


class LaiaNetwork(nn.Module):
    """Lines ``(n, 1, height, width)`` -> logits ``(n, t, classes)``."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        features = arguments["cnn_num_features"]
        keys = ("kernel_size", "stride", "dilation", "activation", "poolsize", "batchnorm")
        rows_of_layers = zip(*(arguments[f"cnn_{k}"] for k in keys), strict=True)
        layers: list[dict[str, Any]] = [dict(zip(keys, row, strict=True)) for row in rows_of_layers]
        inputs = [arguments["num_input_channels"], *features[:-1]]
        self.conv = nn.Sequential(*(Block(i, o, row) for i, o, row in zip(inputs, features, layers, strict=True)))
        kind, rows = re.fullmatch(r"(avgpool|maxpool|none)-(\d+)", arguments["image_sequencer"]).groups()  # type: ignore[union-attr]
        self.height_px = _height(self.conv, int(rows)) if kind == "none" else ADAPTIVE_HEIGHT_PX
        height = _rows(self.conv, self.height_px)
        self.pool: nn.Module = nn.Identity() if kind == "none" else PoolRows(kind, height, int(rows))
        cells = arguments.get("rnn_type", nn.LSTM)
        units, depth = arguments["rnn_units"], arguments["rnn_layers"]
        self.rnn = cells(features[-1] * int(rows), units, depth, bidirectional=True)
        self.linear = nn.Linear(2 * units, arguments["num_output_labels"])

    def forward(self, ink: Tensor) -> Tensor:
        x = self.pool(self.conv(ink))  # (n, c, rows, t)
        x = self.rnn(x.permute(3, 0, 1, 2).flatten(2))[0]  # (t, n, 2 * units)
        return self.linear(x).transpose(0, 1)


def read_pylaia(path: Path) -> Source:
    """Read a checkpoint, its network's arguments and its symbols.

    Raises
    ------
    ExportError
        A file is missing or cannot be read, or the network is of a kind that Carrel does not know.
    """
    description, table = _beside(path, ("model",)), _beside(path, SYMBOL_FILES)
    missing = [
        f"{path}: no {what} in its folder or the one above"
        for what, found in (
            ("file 'model' (the network's arguments)", description),
            (f"table of symbols ({', '.join(SYMBOL_FILES)})", table),
        )
        if found is None
    ]
    if missing or description is None or table is None:
        raise ExportError(missing)
    built, saved = _load(description), _load(path)
    arguments = built.get("kwargs", {}) if isinstance(built, dict) else {}
    symbols = _symbols(table)
    problems = _problems(description, built, arguments, symbols, table)
    if problems:
        raise ExportError(problems)
    network = LaiaNetwork(arguments)
    weights = {name.removeprefix("model."): value for name, value in saved.get("state_dict", saved).items()}
    try:
        network.load_state_dict(weights)
    except (RuntimeError, AttributeError) as error:
        raise ExportError([f"{path}: its weights do not fit the network in {description} ({error})"]) from error
    network.eval()
    line_input = LineInput(network.height_px, 0, "inverted", 1)
    facts = {"parameters": parameters_of(network)}
    stride = stride_of(network, network.height_px)
    origin = f"PyLaia, {path.name}"
    return Source(network, compact(symbols[1:]), line_input, stride, LICENCE, origin, facts, order_of(symbols[1:]))


def _beside(path: Path, names: Sequence[str]) -> Path | None:
    places = [folder / name for folder in (path.parent, path.parent.parent) for name in names]
    return next((place for place in places if place.is_file()), None)


def _load(path: Path) -> Any:
    """Unpickle tensors and plain values; anything of PyLaia or Lightning becomes `Ignored`."""
    kinds = [
        getattr(nn, name) for name in ("LSTM", "GRU", "RNN", "ReLU", "LeakyReLU", "PReLU", "ELU", "Tanh", "Softplus")
    ]
    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        stubs = [(Ignored, name) for name in named if name.startswith(FOREIGN)]
        with torch.serialization.safe_globals([*kinds, *stubs]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, ValueError, EOFError) as error:
        raise ExportError([f"{path}: cannot be read safely ({str(error).splitlines()[0]})"]) from error


def _problems(path: Path, built: Any, arguments: Mapping[str, Any], symbols: Sequence[str], table: Path) -> list[str]:
    if not isinstance(built, dict) or built.get("name") != "LaiaCRNN" or not arguments:
        return [f"{path}: not the description of a LaiaCRNN"]
    problems: list[str] = []
    if arguments.get("num_input_channels") != 1:
        problems.append(f"{path}: takes {arguments.get('num_input_channels')} channels, not gray lines")
    if arguments.get("vertical_text"):
        problems.append(f"{path}: reads vertical text")
    if arguments.get("rnn_type", nn.LSTM) not in (nn.LSTM, nn.GRU):
        problems.append(f"{path}: has recurrent cells of type {arguments['rnn_type']}")
    if not re.fullmatch(r"(avgpool|maxpool|none)-\d+", str(arguments.get("image_sequencer"))):
        problems.append(f"{path}: makes a sequence by {arguments.get('image_sequencer')!r}, which is not known")
    if not symbols or symbols[0] != "<ctc>":
        problems.append(f"{table}: symbol 0 is not <ctc>")
    if len(symbols) != arguments.get("num_output_labels"):
        problems.append(
            f"{table}: {len(symbols)} symbols for a network of {arguments.get('num_output_labels')} classes"
        )
    return problems


def _symbols(table: Path) -> list[str]:
    """Symbols in the order of their numbers, the blank first; the one for a space becomes a space."""
    rows = [line.rsplit(maxsplit=1) for line in table.read_text("utf-8").splitlines() if line.strip()]
    numbered = {int(row[1]): row[0].strip() for row in rows if len(row) == 2 and row[1].isdecimal()}
    if sorted(numbered) != list(range(len(rows))):
        return []
    space = next((name for name in SPACES if name in numbered.values()), None)
    return [" " if name == space else name for _, name in sorted(numbered.items())]


def _pair(value: Any) -> tuple[int, int]:
    return (int(value[0]), int(value[1])) if isinstance(value, list | tuple) else (int(value), int(value))


def _rows(blocks: nn.Module, height_px: int) -> int:
    with torch.inference_mode():
        return int(blocks.eval()(torch.zeros(1, 1, height_px, 64)).shape[2])


def _height(blocks: nn.Module, rows: int) -> int:
    """Lowest line height that gives so many rows: a network of fixed height does not keep the height itself."""
    fitting = next((h for h in range(8, MAX_HEIGHT_PX + 1) if _fits(blocks, h, rows)), None)
    if fitting is None:
        raise ExportError([f"no line height up to {MAX_HEIGHT_PX} px gives {rows} rows"])
    return fitting


def _fits(blocks: nn.Module, height_px: int, rows: int) -> bool:
    try:
        return _rows(blocks, height_px) == rows
    except RuntimeError:  # too low for a kernel
        return False
