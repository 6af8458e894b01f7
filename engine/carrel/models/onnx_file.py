"""What an ONNX file refers to outside itself, found without running or importing anything.

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
MAX_DEPTH = 32


def has_external_data(contents: bytes) -> bool:
    """Whether any tensor of an ONNX file is kept in another file.

    Raises
    ------
    ValueError
        Not a well-formed protocol buffer.
    """
    return _external(memoryview(contents), "model", 0)


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
