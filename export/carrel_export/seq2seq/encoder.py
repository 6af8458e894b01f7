"""The encoder's graph: a line -> keys and values of the line for every layer of the decoder, computed once.

ViT and DeiT: A. Dosovitskiy et al. 2021, arXiv:2010.11929; H. Touvron et al. 2021, arXiv:2012.12877. TrOCR: M. Li et al.
2023, doi:10.1609/aaai.v37i11.26538.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from carrel_export.seq2seq.checkpoint import Checkpoint, has_projection
from carrel_export.seq2seq.configuration import Configuration
from carrel_export.seq2seq.graph import Floats, Graph

FLOAT = 1
"""Of ONNX's types."""


def encoder_parts(configuration: Configuration) -> tuple[str, ...]:
    """Return the parts of the encoder that are quantized, each as a whole."""
    return (*(f"encoder_{k}" for k in range(configuration.encoder.layers)), "line")


def write_encoder(configuration: Configuration, tensors: Checkpoint, file: Path, narrow: Collection[str] = ()) -> None:
    """Write the encoder's graph; the parts ``narrow`` with weights in 8 bits."""
    shape = configuration.encoder
    graph = Graph("encoder", narrow)
    x = _patches(graph, configuration, tensors)
    for layer in range(shape.layers):
        x = _layer(graph, configuration, tensors, layer, x)
    x = graph.norm(x, "last", *_pair(tensors, "encoder.layernorm"), shape.epsilon)
    line = [("line", FLOAT, ("n", 1, shape.height_px, shape.width_px))]
    graph.save(file, line, _keys_and_values(graph, configuration, tensors, x))


def _pair(tensors: Checkpoint, name: str) -> tuple[Floats, Floats]:
    return tensors.take(f"{name}.weight"), tensors.take(f"{name}.bias")


def _patches(graph: Graph, configuration: Configuration, tensors: Checkpoint) -> str:
    """Patches of a gray line in [0, 1] behind the tokens of the prefix, with their positions: ``(n, positions, width)``.

    The equal channels, and how their values are normalized, are folded into the convolution.
    """
    shape, pictures = configuration.encoder, configuration.pictures
    name = "encoder.embeddings.patch_embeddings.projection"
    kernel, bias = _pair(tensors, name)
    deviation, mean = (np.array(v, np.float32)[:, None, None] for v in (pictures.deviation, pictures.mean))
    scaled = kernel / deviation
    folded = scaled.sum(axis=1, keepdims=True)
    bias = bias - (scaled * mean).sum(axis=(1, 2, 3))
    patch = [shape.patch_px] * 2
    maps = graph.op(
        "Conv",
        "line",
        graph.constant("patches.weight", folded),
        graph.constant("patches.bias", bias.astype(np.float32)),
        kernel_shape=patch,
        strides=patch,
    )
    flat = graph.op("Reshape", maps, graph.shape(0, shape.width, -1))
    x = graph.op("Transpose", flat, perm=[0, 2, 1])
    before = [tensors.take("encoder.embeddings.cls_token")]
    if shape.prefix == 2:
        before.append(tensors.take("encoder.embeddings.distillation_token"))
    positions = tensors.take("encoder.embeddings.position_embeddings")
    placed = np.concatenate(before, axis=1) + positions[:, : shape.prefix]
    x = graph.op("Add", x, graph.constant("positions", positions[:, shape.prefix :]))
    return graph.op("Concat", graph.constant("prefix", placed), x, axis=1)


def _layer(graph: Graph, configuration: Configuration, tensors: Checkpoint, layer: int, x: str) -> str:
    shape, at, name = configuration.encoder, f"encoder.layers.{layer}", f"encoder_{layer}"
    normed = graph.norm(x, f"{name}.before", *_pair(tensors, f"{at}.layernorm_before"), shape.epsilon)
    attended = _attention(graph, configuration, tensors, layer, normed)
    x = graph.op("Add", x, graph.linear(attended, f"{name}.o", *_pair(tensors, f"{at}.attention.o_proj")))
    normed = graph.norm(x, f"{name}.after", *_pair(tensors, f"{at}.layernorm_after"), shape.epsilon)
    inner = graph.linear(normed, f"{name}.fc1", *_pair(tensors, f"{at}.mlp.fc1"))
    inner = graph.activation(inner, shape.activation)
    return graph.op("Add", x, graph.linear(inner, f"{name}.fc2", *_pair(tensors, f"{at}.mlp.fc2")))


def _attention(graph: Graph, configuration: Configuration, tensors: Checkpoint, layer: int, x: str) -> str:
    """Attention of all positions to all, from one product for queries, keys and values; queries are scaled in the weights."""
    shape, at = configuration.encoder, f"encoder.layers.{layer}.attention"
    head = shape.width // shape.heads
    scale = np.float32(head**-0.5)
    weights = [tensors.take(f"{at}.{part}.weight") for part in ("q_proj", "k_proj", "v_proj")]
    weights[0] = weights[0] * scale
    bias = None
    if shape.has_bias:
        biases = [tensors.take(f"{at}.{part}.bias") for part in ("q_proj", "k_proj", "v_proj")]
        biases[0] = biases[0] * scale
        bias = np.concatenate(biases)
    joined = graph.linear(x, f"encoder_{layer}.qkv", np.concatenate(weights), bias)
    heads = graph.op("Reshape", joined, graph.shape(0, 0, 3, shape.heads, head))
    queries, values = (
        graph.op("Transpose", _one_of(graph, heads, which), perm=[0, 2, 1, 3]) for which in (0, 2)
    )  # (n, heads, positions, head)
    keys = graph.op("Transpose", _one_of(graph, heads, 1), perm=[0, 2, 3, 1])
    weights_of = graph.op("Softmax", graph.op("MatMul", queries, keys), axis=-1)
    attended = graph.op("Transpose", graph.op("MatMul", weights_of, values), perm=[0, 2, 1, 3])
    return graph.op("Reshape", attended, graph.shape(0, 0, shape.width))


def _one_of(graph: Graph, heads: str, which: int) -> str:
    index = graph.constant(f"index_{which}", np.array(which, np.int64))
    return graph.op("Gather", heads, index, axis=2)


def _keys_and_values(
    graph: Graph, configuration: Configuration, tensors: Checkpoint, x: str
) -> list[tuple[str, str, tuple[int, ...]]]:
    """Keys ``(heads, head, positions)`` and values ``(heads, positions, head)`` of the line for every layer of the decoder."""
    encoder, decoder = configuration.encoder, configuration.decoder
    if has_projection(encoder, decoder):
        x = graph.linear(x, "line.projection", *_pair(tensors, "enc_to_dec_proj"))
    head = decoder.width // decoder.heads
    x = graph.op("Squeeze", x, graph.shape(0))  # (positions, channels): one line
    found: list[tuple[str, str, tuple[int, ...]]] = []
    for layer in range(decoder.layers):
        at = f"decoder.model.decoder.layers.{layer}.encoder_attn"
        (key, key_bias), (value, value_bias) = (_pair(tensors, f"{at}.{part}") for part in ("k_proj", "v_proj"))
        weight, bias = np.concatenate([key, value]), np.concatenate([key_bias, value_bias])
        both = graph.linear(x, f"line.{layer}", weight, bias)
        heads = graph.op("Reshape", both, graph.shape(0, 2, decoder.heads, head))
        for which, name, perm, axes in (
            (0, "key", [1, 2, 0], (decoder.heads, head, encoder.positions)),
            (1, "value", [1, 0, 2], (decoder.heads, encoder.positions, head)),
        ):
            index = graph.constant(f"index_{which}", np.array(which, np.int64))
            made = graph.op("Transpose", graph.op("Gather", heads, index, axis=1), perm=perm)
            found.append((f"line_{name}_{layer}", made, axes))
    return found
