"""Graphs in ONNX, node by node, with layers in float32 or in 8 bits.

8 bits: weights per output channel, symmetric; inputs by their range at each call, as onnxruntime's dynamic quantization
writes it, so that onnxruntime runs product, scales and bias as one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

OPSET, IR_VERSION = 20, 10
MAX_CONSTANT_BYTES = 2**31 - 2**22
"""What a protocol buffer holds, less a little for the nodes."""


class Graph:
    """A graph that grows by calls, each of which returns the name of what it makes.

    Parameters
    ----------
    name
        Of the graph.
    narrow
        Parts whose weights are in 8 bits: the names that `linear` is called with begin with one of them and a dot.
    """

    def __init__(self, name: str, narrow: Collection[str] = ()) -> None:
        self.name = name
        self._narrow = frozenset(narrow)
        self._nodes: list[Any] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._count = 0

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; returns its output, or its outputs where it has several."""
        from onnx import helper

        self._count += 1
        made = [f"{kind.lower()}_{self._count}{'' if outputs == 1 else f'_{k}'}" for k in range(outputs)]
        self._nodes.append(helper.make_node(kind, list(inputs), made, f"{kind}_{self._count}", **attributes))
        return made[0] if outputs == 1 else made

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant under a name; the same name again is the same constant."""
        self._constants.setdefault(name, array)
        return name

    def shape(self, *sizes: int) -> str:
        """Return a constant list of whole numbers."""
        return self.constant("shape_" + "_".join(map(str, sizes)).replace("-", "m"), np.array(sizes, np.int64))

    def number(self, value: float) -> str:
        """Return a constant number."""
        return self.constant(f"number_{value!r}", np.array(value, np.float32))

    def is_narrow(self, name: str) -> bool:
        """Tell whether a layer has its weights in 8 bits."""
        return any(name == part or name.startswith(f"{part}.") for part in self._narrow)

    def linear(self, x: str, name: str, weight: Floats, bias: Floats | None = None) -> str:
        """Return ``x`` ``(..., inputs)`` times the transposed ``weight`` ``(outputs, inputs)``, plus the bias."""
        if self.is_narrow(name):
            narrow, scale = quantized(weight)
            return self.narrow_linear(
                x,
                self.constant(f"{name}.weight_int8", narrow.T),
                self.constant(f"{name}.scale", scale),
                None if bias is None else self.constant(f"{name}.bias", bias),
            )
        product = self.op("MatMul", x, self.constant(f"{name}.weight", weight.T))
        return product if bias is None else self.op("Add", product, self.constant(f"{name}.bias", bias))

    def narrow_linear(self, x: str, weight: str, scale: str, bias: str | None = None) -> str:
        """Return the product with weights ``(inputs, outputs)`` in 8 bits, each output times its scale, plus the bias."""
        narrow, x_scale, x_zero = self.op("DynamicQuantizeLinear", x, outputs=3)
        product = self.op("MatMulInteger", narrow, weight, x_zero)
        scales = self.op("Mul", x_scale, scale)
        wide = self.op("Mul", self.op("Cast", product, to=1), scales)
        return wide if bias is None else self.op("Add", wide, bias)

    def norm(self, x: str, name: str, weight: Floats, bias: Floats, epsilon: float) -> str:
        """Return ``x`` normalized along its last axis."""
        names = self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)
        return self.op("LayerNormalization", x, *names, axis=-1, epsilon=epsilon)

    def activation(self, x: str, kind: str) -> str:
        """Return ``x`` through ``gelu`` or ``relu``."""
        return self.op("Gelu", x) if kind == "gelu" else self.op("Relu", x)

    def save(
        self,
        file: Path,
        inputs: Sequence[tuple[str, int, Sequence[int | str]]],
        outputs: Sequence[tuple[str, str, Sequence[int | str]]],
    ) -> None:
        """Write the graph: inputs by name, type and axes; outputs by name, what they are called here, and axes.

        Raises
        ------
        ValueError
            The file would be larger than a protocol buffer may be.
        """
        from onnx import ModelProto, TensorProto, helper, numpy_helper

        self._rename({own: name for name, own, _ in outputs})
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [helper.make_tensor_value_info(name, kind, list(axes)) for name, kind, axes in inputs],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(axes)) for name, _, axes in outputs],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        if sum(array.nbytes for array in self._constants.values()) > MAX_CONSTANT_BYTES:
            raise ValueError("larger than a file of ONNX may be")
        with file.open("wb") as opened:
            opened.write(model.SerializeToString())
            for name, array in self._constants.items():  # one by one: parts of a protocol buffer may follow each other
                part = ModelProto()
                part.graph.initializer.append(numpy_helper.from_array(np.array(array, order="C"), name))
                opened.write(part.SerializeToString())

    def _rename(self, names: Mapping[str, str]) -> None:
        """Call tensors by other names, wherever they are made and used."""
        for node in self._nodes:
            for values in (node.input, node.output):
                new = [names.get(name, name) for name in values]
                del values[:]
                values.extend(new)


def quantized(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return weights ``(outputs, inputs)`` in 8 bits, and the scale of each output."""
    scale = np.maximum(np.abs(weight).max(axis=1), 1e-12) / 127
    return np.rint(weight / scale[:, None]).astype(np.int8), scale.astype(np.float32)
