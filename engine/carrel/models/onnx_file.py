"""References of an ONNX file to other files, its inputs and outputs, found without running or importing anything.

Tensors of an ONNX file may live in other files, named by a path. onnxruntime would open that path when the model is
loaded, so a model from elsewhere could name any file of the machine; Carrel's models are whole in one file, and a file
that names another is refused. Only the outline of the protocol buffer is walked: fields that can hold a tensor.
"""

from __future__ import annotations

from collections.abc import Iterator

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5

# message -> field number -> the message in it; after onnx.proto of ONNX IR version 10
PARTS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
TENSOR_LOCATION, TENSOR_EXTERNAL = 14, 13
MODEL_GRAPH, GRAPH_TENSOR, GRAPH_INPUT, GRAPH_OUTPUT, DIMENSION_VALUE = 7, 5, 11, 12, 1
MAX_DEPTH = 32
EXTERNAL_KEY = b"location"
"""Key of the entry that names a tensor's file: bytes without it name none."""

Shape = tuple[int | None, ...]
Shapes = dict[str, Shape]


def has_external_data(contents: bytes) -> bool:
    """Tell whether any tensor of an ONNX file is kept in another file.

    Raises
    ------
    ValueError
        Not a well-formed protocol buffer.
    """
    return _external(memoryview(contents), "model", 0)


def tensors(contents: bytes) -> tuple[Shapes, Shapes]:
    """Return the inputs and outputs of an ONNX file by name, with their axes: a size, or None where it may be any.

    Raises
    ------
    ValueError
        Not a well-formed protocol buffer, or a name that is no text.
    """
    graph = [value for number, value in _parts(memoryview(contents)) if number == MODEL_GRAPH]
    parts = [part for one in graph for part in _parts(one)]
    constants = {_text(name) for number, part in parts if number == GRAPH_TENSOR for name in _inside(part, 8)}
    inputs, outputs = ([_value(part) for number, part in parts if number == n] for n in (GRAPH_INPUT, GRAPH_OUTPUT))
    return {name: shape for name, shape in inputs if name not in constants}, dict(outputs)


def _value(message: memoryview) -> tuple[str, Shape]:
    """Name and axes of a ``ValueInfoProto``."""
    name = _text(next(_inside(message, 1), memoryview(b"")))
    shapes = (shape for kind in _inside(message, 2) for tensor in _inside(kind, 1) for shape in _inside(tensor, 2))
    axes = [dict(_fields(axis)).get(DIMENSION_VALUE) for shape in shapes for axis in _inside(shape, 1)]
    return name, tuple(axis if isinstance(axis, int) and axis > 0 else None for axis in axes)


def _parts(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    return ((number, value) for number, value in _fields(message) if isinstance(value, memoryview))


def _inside(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for number, value in _parts(message) if number == wanted)


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8")


def _external(message: memoryview, kind: str, depth: int) -> bool:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if kind == "tensor":
        return any((n == TENSOR_LOCATION and v == 1) or n == TENSOR_EXTERNAL for n, v in _fields(message))
    parts = PARTS[kind]
    return any(
        number in parts and isinstance(value, memoryview) and _external(value, parts[number], depth + 1)
        for number, value in _fields(message)
    )


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field numbers with their varint or their bytes; fields of fixed length count as 0."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        value: int | memoryview = 0
        if wire == VARINT:
            value, at = _varint(message, at)
        elif wire == BYTES:
            length, at = _varint(message, at)
            value = message[at : at + length]
            at += length
        elif wire in (FIXED_64, FIXED_32):
            at += 8 if wire == FIXED_64 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if at > len(message):
            raise ValueError("ends in the middle of a field")
        yield number, value


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("ends in the middle of a number")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
