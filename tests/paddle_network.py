"""A small recognition network with random weights, laid out as PaddleOCR's are in ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

DICTIONARY = [*"abcdefghijklmnopqrstuvwxyz0123456789.,'éèΩω漢字", "→", "℃"]


def write_paddle(file: Path, dictionary: list[str] | None = None, classes: int = 0, channels: int = 3) -> Path:
    """Write the network; ``classes`` 0 takes those that fit the dictionary, an empty dictionary is left out."""
    from onnx import TensorProto, helper, numpy_helper, save  # pyright: ignore[reportMissingImports]

    dictionary = DICTIONARY if dictionary is None else dictionary
    rng = np.random.default_rng(4)
    classes = classes or len(dictionary) + 2
    weights = {
        "first": rng.normal(0, 0.4, (8, channels, 5, 5)),
        "second": rng.normal(0, 0.2, (24, 8, 3, 3)),
        "head": rng.normal(0, 2.0, (24, classes)),
        "bias": rng.normal(0, 0.1, classes),
    }
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["a"], strides=[4, 4], pads=[2, 2, 2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "second"], ["c"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["c2"]),
        helper.make_node("ReduceMean", ["c2"], ["d"], axes=[2], keepdims=0),
        helper.make_node("Transpose", ["d"], ["e"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["e", "head"], ["f"]),
        helper.make_node("Add", ["f", "bias"], ["g"]),
        helper.make_node("Identity", ["g"], ["h"]),
        helper.make_node("Softmax", ["h"], ["fetch_name_0"], axis=2),
    ]
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    taken = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, 48, "w"])
    given = helper.make_tensor_value_info("fetch_name_0", TensorProto.FLOAT, ["n", "t", classes])
    graph = helper.make_graph(nodes, "paddle", [taken], [given], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=10)
    if dictionary:
        helper.set_model_props(model, {"character": "\n".join(dictionary)})
    save(model, str(file))
    return file


def probabilities(file: Path, gray: Any) -> Any:
    """Return the probabilities ``(t, classes)`` of a line, uint8 ``(height, width)``, by the network as it lies there.

    The line is prepared as in PaddleOCR: three equal channels in [-1, 1], padded with 0 to 320 px.
    """
    import cv2
    import onnxruntime

    width = max(320, int(48 * gray.shape[1] / gray.shape[0]))
    scaled = min(width, -(-48 * gray.shape[1] // gray.shape[0]))
    line = np.zeros((1, 3, 48, width), np.float32)
    line[..., :scaled] = (cv2.resize(gray, (scaled, 48)).astype(np.float32) / 255 - 0.5) / 0.5
    session: Any = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": line})[0][0]
