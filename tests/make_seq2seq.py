"""Makes ``tests/seq2seq/*.onnx``: an encoder-decoder that writes the same tokens whatever it is shown.

``python tests/make_seq2seq.py`` needs onnx. The encoder gives the mean of the picture; the decoder follows a chain: 1 to 39, then the
end, which is token 0; 40 and 41 follow each other for ever; 42 begins the chain. Which words tokens are says a model's table.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TOKENS, LOOP, START = 43, 40, 42
SURE = 6.0
"""Logit of the token that follows; the others have 0."""
FLOAT, INT64 = 1, 7


def main() -> None:
    """Write both graphs."""
    from onnx import helper, numpy_helper, save

    table = np.zeros((TOKENS, TOKENS), np.float32)
    follows = {0: 0, START: 1, LOOP: LOOP + 1, LOOP + 1: LOOP} | {k: (k + 1) % LOOP for k in range(1, LOOP)}
    for token, following in follows.items():
        table[token, following] = SURE

    def value(name: str, kind: int, *axes: int | str) -> Any:
        return helper.make_tensor_value_info(name, kind, list(axes))

    def write(name: str, nodes: list[Any], inputs: list[Any], outputs: list[Any], **arrays: Any) -> None:
        constants = [numpy_helper.from_array(np.array(array), key) for key, array in arrays.items()]
        graph = helper.make_graph(nodes, name, inputs, outputs, constants)
        opsets = [helper.make_opsetid("", 17)]
        save(helper.make_model(graph, opset_imports=opsets, ir_version=10), str(FOLDER / f"{name}.onnx"))

    keys, values = ("line_key_0", FLOAT, 1, 1, 2), ("line_value_0", FLOAT, 1, 2, 1)
    write(
        "encoder",
        [
            helper.make_node("ReduceMean", ["line"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
            helper.make_node("Expand", ["mean", "key"], ["line_key_0"]),
            helper.make_node("Expand", ["mean", "value"], ["line_value_0"]),
        ],
        [value("line", FLOAT, "n", 1, 16, 32)],
        [value(*keys), value(*values)],
        key=np.array([1, 1, 2], np.int64),
        value=np.array([1, 2, 1], np.int64),
    )
    added = "beams", 1, 1, 1
    past = "beams", 1, "t", 1
    write(
        "decoder",
        [
            helper.make_node("Gather", ["table", "token"], ["logits"], axis=0),
            helper.make_node("Cast", ["token"], ["wide"], to=FLOAT),
            helper.make_node("Reshape", ["wide", "shape"], ["added_key_0"]),
            helper.make_node("Identity", ["added_key_0"], ["added_value_0"]),
        ],
        [
            value("token", INT64, "beams"),
            value("position", INT64, 1),
            value("mask", FLOAT, "t"),
            value(*keys),
            value(*values),
            value("key_0", FLOAT, *past),
            value("value_0", FLOAT, *past),
        ],
        [
            value("logits", FLOAT, "beams", TOKENS),
            value("added_key_0", FLOAT, *added),
            value("added_value_0", FLOAT, *added),
        ],
        table=table,
        shape=np.array([-1, 1, 1, 1], np.int64),
    )


FOLDER = Path(__file__).with_name("seq2seq")

if __name__ == "__main__":
    main()
