"""PP-OCR recognition networks of PaddleOCR in ONNX, as RapidOCR and others pass them on, the dictionary in their metadata.

They take three equal channels of a line in [-1, 1], padded with 0 to at least 320 px, and give probabilities of the blank,
the characters of the metadata's ``character`` in order, and the space. Here the three channels are folded into one, the
softmax at the end is left out, and classes that nobody wants are cut off.
"""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import LineInput
from carrel.models.manifest import MAX_CLASSES, MAX_FILE_BYTES
from carrel.models.onnx_file import has_external_data
from carrel_export.sources.graph import OnnxGraph, optimized, parameters_in
from carrel_export.sources.source import ExportError, Source, compact, order_of, stride_of

CHANNELS = 3
MIN_WIDTH_PX = 320
FIRST_ARROW = "←"
"""Digits, punctuation and signs of letters and currencies stand before it; from it on, pictures and East Asia's signs."""
EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})
LICENCE = "Apache-2.0 where it is PaddleOCR's own network; else ask its makers before passing it on"


def read_paddle(path: Path) -> Source:
    """Read the recognition network of an ONNX file.

    Raises
    ------
    ExportError
        It is no such network: everything that is wrong.
    """
    model = _load(path)
    symbols = _symbols(model)
    problems = _problems(path, model, symbols)
    if problems:
        raise ExportError(problems)
    line_input = LineInput(_axes(model.graph.input[0])[2], 0, "signed", 1, MIN_WIDTH_PX)
    network = OnnxGraph(_as_carrel_runs_it(model))
    facts = {"parameters": parameters_in(network.model)}
    stride = stride_of(network, line_input.height_px)
    origin = f"PaddleOCR, {path.name}"
    return Source(network, compact(symbols), line_input, stride, LICENCE, origin, facts, order_of(symbols))


def cut_to_scripts(source: Source, scripts: Collection[str]) -> Source:
    """Return the source without the classes of other scripts; ``scripts`` are names of Unicode's, such as LATIN.

    Digits, punctuation and plain signs are kept; pictures and the signs of East Asia only with one of its scripts.

    Raises
    ------
    ExportError
        The network is none of PaddleOCR's, or has no letter of a script.
    """
    if not isinstance(source.network, OnnxGraph):
        raise ExportError(["scripts can be chosen for networks of PaddleOCR alone"])
    wanted = {script.upper() for script in scripts}
    known = {_script(symbol) for symbol in source.alphabet if symbol.isalpha()}
    missing = sorted(wanted - known)
    if missing:
        raise ExportError([f"the network knows no letters of the script {script}" for script in missing])
    kept = [k for k, symbol in enumerate(source.alphabet) if _is_wanted(symbol, wanted)]
    network = OnnxGraph(_with_classes(source.network.model, [0, *(k + 1 for k in kept)]))
    facts = {**source.facts, "parameters": parameters_in(network.model)}
    symbols = [source.alphabet[k] for k in kept]
    return replace(source, network=network, alphabet=compact(symbols), facts=facts, letter_order=order_of(symbols))


def _is_wanted(symbol: str, scripts: Collection[str]) -> bool:
    if symbol.isalpha() and (" LETTER " in unicodedata.name(symbol[0], "") or symbol > FIRST_ARROW):
        return _script(symbol) in scripts
    return symbol < FIRST_ARROW or bool(EAST_ASIAN & set(scripts))


def _script(letter: str) -> str:
    return unicodedata.name(letter[0], "").partition(" ")[0]


def _load(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ExportError([f"{path}: larger than {MAX_FILE_BYTES // 2**20} MiB: no recognition network"])
        contents = path.read_bytes()
        if has_external_data(contents):
            raise ExportError([f"{path}: keeps weights in another file, which is refused"])
        model = onnx.load_model_from_string(contents)
        onnx.checker.check_model(model)
    except (OSError, ValueError, DecodeError, onnx.checker.ValidationError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ExportError([f"{path}: no whole ONNX file ({reason})"]) from error
    return model


def _symbols(model: Any) -> list[str]:
    """What classes 1, 2, ... stand for; empty without a dictionary."""
    dictionary = next((entry.value for entry in model.metadata_props if entry.key == "character"), "")
    return [*dictionary.split("\n"), " "] if dictionary else []


def _problems(path: Path, model: Any, symbols: Sequence[str]) -> list[str]:
    problems: list[str] = []
    graph = model.graph
    taken, given = ([_axes(value) for value in values] for values in (graph.input, graph.output))
    if len(taken) != 1 or len(taken[0]) != 4 or taken[0][1] != CHANNELS or not 8 <= taken[0][2] <= 1024:
        problems.append(f"{path}: takes {_told(taken)}, not lines of {CHANNELS} channels and a fixed height")
    if len(given) != 1 or len(given[0]) != 3:
        problems.append(f"{path}: gives {_told(given)}, not probabilities of classes")
    elif symbols and given[0][2] != len(symbols) + 1:
        problems.append(f"{path}: gives {given[0][2]:,} classes, but its dictionary is for {len(symbols) + 1:,}")
    if not symbols:
        problems.append(f"{path}: no dictionary ('character') in its metadata")
    elif len(symbols) > MAX_CLASSES or len(set(symbols)) < len(symbols) or not all(map(_is_symbol, symbols)):
        problems.append(
            f"{path}: its dictionary holds an entry twice, an empty one, a control character, or more than {MAX_CLASSES:,}"
        )
    if not problems and _head(model) is None:
        problems.append(f"{path}: does not end in a product with weights, a bias and a softmax")
    if not problems and _first_convolution(model) is None:
        problems.append(f"{path}: does not begin with a convolution of the line")
    if not all(np.isfinite(array).all() for array in _floats(model)):
        problems.append(f"{path}: its weights hold values that are no numbers")
    return problems


def _is_symbol(symbol: str) -> bool:
    return 0 < len(symbol) <= 32 and not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in symbol)


def _axes(value: Any) -> list[int]:
    return [axis.dim_value for axis in value.type.tensor_type.shape.dim]


def _told(shapes: Sequence[Sequence[int]]) -> str:
    return ", ".join(" x ".join(str(axis or "any") for axis in shape) for shape in shapes) or "nothing"


def _floats(model: Any) -> list[NDArray[Any]]:
    from onnx import numpy_helper

    arrays = [numpy_helper.to_array(tensor) for tensor in model.graph.initializer]
    return [array for array in arrays if array.dtype.kind == "f"]


def _maker(model: Any, tensor: str) -> Any:
    """The node that makes a tensor, past nodes that change nothing; None for an input or a constant."""
    made: dict[str, Any] = {name: node for node in model.graph.node for name in node.output}
    while tensor in made and made[tensor].op_type == "Identity":
        tensor = made[tensor].input[0]
    return made.get(tensor)


def _head(model: Any) -> tuple[Any, str, str] | None:
    """The sum before the softmax, and the names of its weights and its bias."""
    constants = {tensor.name for tensor in model.graph.initializer}
    at = [model.graph.output[0].name]
    nodes: list[Any] = []
    for wanted in ("Softmax", "Add", "MatMul"):
        node = _maker(model, at[0])
        if node is None or node.op_type != wanted:
            return None
        at = node.input
        nodes.append(node)
    _, total, product = nodes
    weights, bias = str(product.input[1]), str(total.input[1])
    return (total, weights, bias) if {weights, bias} <= constants else None


def _first_convolution(model: Any) -> Any:
    """The only node that takes the line, where it is a convolution over three channels."""
    name = model.graph.input[0].name
    nodes = [node for node in model.graph.node if name in node.input]
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    fits = (
        len(nodes) == 1 and nodes[0].op_type == "Conv" and list(weights.get(nodes[0].input[1], ()))[1:2] == [CHANNELS]
    )
    return nodes[0] if fits else None


def _as_carrel_runs_it(model: Any) -> Any:
    """The graph from one channel, ``ink``, to ``logits``."""
    import onnx

    total, _, bias = cast(tuple[Any, str, str], _head(model))
    first = _first_convolution(model)
    _replace(model, first.input[1], _array(model, first.input[1]).sum(axis=1, keepdims=True))
    height, classes = _axes(model.graph.input[0])[2], len(_array(model, bias))
    first.input[0] = "ink"
    total.output[0] = "logits"  # what stands behind it, up to the softmax, makes nothing that is used
    ends = next(k for k, node in enumerate(model.graph.node) if node.output[0] == "logits")
    del model.graph.node[ends + 1 :]
    shapes = {"ink": ["n", 1, height, "width"], "logits": ["n", "t", classes]}
    values = {
        name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()
    }
    for old, name in ((model.graph.input, "ink"), (model.graph.output, "logits")):
        del old[:]
        old.append(values[name])
    del model.metadata_props[:]
    del model.graph.value_info[:]
    with tempfile.TemporaryDirectory(prefix="carrel-export-") as folder:
        return optimized(model, Path(folder))


def _with_classes(model: Any, classes: Sequence[int]) -> Any:
    """The graph with these classes of its last layer alone."""
    import onnx

    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    made = {name: node for node in cut.graph.node for name in node.output}
    total = made["logits"]
    constants = {tensor.name for tensor in cut.graph.initializer}
    bias = next(name for name in total.input if name in constants)
    product = made[next(name for name in total.input if name not in constants)]
    for name in (bias, product.input[1]):
        _replace(cut, name, np.ascontiguousarray(_array(cut, name)[..., list(classes)]))
    cut.graph.output[0].type.tensor_type.shape.dim[2].dim_value = len(classes)
    del cut.graph.value_info[:]
    return cut


def _array(model: Any, name: str) -> NDArray[Any]:
    from onnx import numpy_helper

    return numpy_helper.to_array(next(tensor for tensor in model.graph.initializer if tensor.name == name))


def _replace(model: Any, name: str, weights: NDArray[Any]) -> None:
    from onnx import numpy_helper

    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(weights, name))
