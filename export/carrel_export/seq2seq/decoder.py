"""The decoder's graph: one token of each beam -> logits of the next, and what the token adds to the keys and values.

Beams of a line share the line's keys and values, so all of them are the queries of one product. Room for keys and values
that is not filled yet is masked, so that its size need not follow the text's.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from carrel_export.seq2seq.checkpoint import EMBEDDING, OUTPUT, Checkpoint
from carrel_export.seq2seq.configuration import Configuration, Decoder
from carrel_export.seq2seq.encoder import FLOAT
from carrel_export.seq2seq.graph import Floats, Graph, quantized

INT64 = 7
EPSILON = 1e-5
OFFSET = 2
"""Of learned positions, in their table."""
AT = "decoder.model.decoder"
TOKENS = "tokens"
"""The part that holds the embedding and, where both are the same, the output."""


def decoder_parts(configuration: Configuration) -> tuple[str, ...]:
    """Return the parts of the decoder that are quantized, each as a whole."""
    return (*(f"decoder_{k}" for k in range(configuration.decoder.layers)), TOKENS)


def write_decoder(configuration: Configuration, tensors: Checkpoint, file: Path, narrow: Collection[str] = ()) -> None:
    """Write the decoder's graph; the parts ``narrow`` with weights in 8 bits.

    Raises
    ------
    ValueError
        The file would be too large.
    """
    shape, positions = configuration.decoder, configuration.encoder.positions
    head = shape.width // shape.heads
    graph = Graph("decoder", narrow)
    embedding, output = _token_tables(tensors)
    x = _embedded(graph, shape, tensors, embedding)
    added: list[tuple[str, str, tuple[int | str, ...]]] = []
    for layer in range(shape.layers):
        x, key, value = _layer(graph, shape, tensors, layer, x)
        axes = ("beams", shape.heads, 1, head)
        added += [(f"added_key_{layer}", key, axes), (f"added_value_{layer}", value, axes)]
    logits = _logits(graph, x, embedding, output)
    inputs: list[tuple[str, int, tuple[int | str, ...]]] = [
        ("token", INT64, ("beams",)),
        ("position", INT64, (1,)),
        ("mask", FLOAT, ("t",)),
    ]
    for layer in range(shape.layers):
        inputs += [
            (f"line_key_{layer}", FLOAT, (shape.heads, head, positions)),
            (f"line_value_{layer}", FLOAT, (shape.heads, positions, head)),
            (f"key_{layer}", FLOAT, ("beams", shape.heads, "t", head)),
            (f"value_{layer}", FLOAT, ("beams", shape.heads, "t", head)),
        ]
    graph.save(file, inputs, [("logits", logits, ("beams", shape.tokens)), *added])


def _token_tables(tensors: Checkpoint) -> tuple[Floats, Floats | None]:
    """The embedding ``(tokens, width)``, and the weights of the output where they are others."""
    embedding = tensors.take(EMBEDDING)
    output = tensors.take(OUTPUT) if tensors.has(OUTPUT) else embedding
    return embedding, None if np.array_equal(output, embedding) else output


def _embedded(graph: Graph, shape: Decoder, tensors: Checkpoint, embedding: Floats) -> str:
    """Tokens with their position, ``(beams, width)``."""
    if graph.is_narrow(TOKENS):
        weight, scale = _narrow_tokens(graph, "embedding", embedding)
        columns = graph.op("Transpose", graph.op("Gather", weight, "token", axis=1), perm=[1, 0])
        scales = graph.op("Unsqueeze", graph.op("Gather", scale, "token", axis=0), graph.shape(1))
        x = graph.op("Mul", graph.op("Cast", columns, to=FLOAT), scales)
    else:
        x = graph.op("Gather", graph.constant("embedding.weight", embedding), "token", axis=0)
    if shape.scales_embedding:
        x = graph.op("Mul", x, graph.number(math.sqrt(shape.width)))
    x = graph.op("Add", x, _position(graph, shape, tensors))
    if shape.norms_embedding:
        weight, bias = (tensors.take(f"{AT}.layernorm_embedding.{part}") for part in ("weight", "bias"))
        x = graph.norm(x, "embedding.norm", weight, bias, EPSILON)
    return x


def _narrow_tokens(graph: Graph, name: str, table: Floats) -> tuple[str, str]:
    """A table of tokens in 8 bits, ``(width, tokens)``, as the output needs it."""
    narrow, scale = quantized(table)
    return graph.constant(f"{name}.weight_int8", narrow.T), graph.constant(f"{name}.scale", scale)


def _position(graph: Graph, shape: Decoder, tensors: Checkpoint) -> str:
    """What is added for the position, ``(1, width)``; where positions are sines, nothing for a token of padding."""
    if shape.learns_positions:
        table = tensors.take(f"{AT}.embed_positions.weight")[OFFSET:]
        return graph.op("Gather", graph.constant("positions", table), "position", axis=0)
    table = graph.constant("positions", sines(shape.positions, shape.width, shape.pad + 1))
    found = graph.op("Gather", table, "position", axis=0)
    pad = graph.constant("pad", np.array(shape.pad, np.int64))
    is_text = graph.op("Cast", graph.op("Not", graph.op("Equal", "token", pad)), to=FLOAT)
    return graph.op("Mul", found, graph.op("Unsqueeze", is_text, graph.shape(1)))


def sines(count: int, width: int, first: int) -> Floats:
    """Return sines and cosines of ``count`` positions from ``first`` on, ``(count, width)``."""
    half = width // 2
    rate = np.exp(np.arange(half, dtype=np.float32) * np.float32(-math.log(10_000) / max(1, half - 1)))
    angles = np.arange(first, first + count, dtype=np.float32)[:, None] * rate
    table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return np.pad(table, ((0, 0), (0, width % 2))).astype(np.float32)


def _logits(graph: Graph, x: str, embedding: Floats, output: Floats | None) -> str:
    if graph.is_narrow(TOKENS):
        name, table = ("embedding", embedding) if output is None else ("output", output)
        return graph.narrow_linear(x, *_narrow_tokens(graph, name, table))
    name = "embedding.weight" if output is None else "output.weight"
    weight = graph.constant(name, embedding if output is None else output)
    return graph.op("Gemm", x, weight, transB=1)


def _layer(graph: Graph, shape: Decoder, tensors: Checkpoint, layer: int, x: str) -> tuple[str, str, str]:
    """A layer: attention to the tokens so far, to the line, and two products, each added to its input and normalized."""
    attended, key, value = _to_tokens(graph, shape, tensors, layer, x)
    x = _joined(graph, tensors, layer, "self_attn", x, attended)
    x = _joined(graph, tensors, layer, "encoder_attn", x, _to_line(graph, shape, tensors, layer, x))
    inner = graph.activation(_linear(graph, tensors, layer, "fc1", x), shape.activation)
    x = graph.op("Add", x, _linear(graph, tensors, layer, "fc2", inner))
    return _normed(graph, tensors, layer, "final_layer_norm", x), key, value


def _linear(graph: Graph, tensors: Checkpoint, layer: int, part: str, x: str) -> str:
    weight, bias = (tensors.take(f"{AT}.layers.{layer}.{part}.{which}") for which in ("weight", "bias"))
    return graph.linear(x, f"decoder_{layer}.{part}", weight, bias)


def _normed(graph: Graph, tensors: Checkpoint, layer: int, part: str, x: str) -> str:
    weight, bias = (tensors.take(f"{AT}.layers.{layer}.{part}.{which}") for which in ("weight", "bias"))
    return graph.norm(x, f"decoder_{layer}.{part}", weight, bias, EPSILON)


def _joined(graph: Graph, tensors: Checkpoint, layer: int, part: str, x: str, attended: str) -> str:
    x = graph.op("Add", x, _linear(graph, tensors, layer, f"{part}.out_proj", attended))
    return _normed(graph, tensors, layer, f"{part}_layer_norm", x)


def _projections(tensors: Checkpoint, shape: Decoder, at: str, parts: tuple[str, ...]) -> tuple[Floats, Floats]:
    """Weights and biases of projections in one; queries, the first, are scaled."""
    weights, biases = ([tensors.take(f"{at}.{part}.{which}") for part in parts] for which in ("weight", "bias"))
    scale = np.float32((shape.width // shape.heads) ** -0.5)
    weights[0], biases[0] = weights[0] * scale, biases[0] * scale
    return np.concatenate(weights), np.concatenate(biases)


def _to_tokens(graph: Graph, shape: Decoder, tensors: Checkpoint, layer: int, x: str) -> tuple[str, str, str]:
    """Attention of each beam to its own tokens; also key and value of the one at hand, ``(beams, heads, 1, head)``."""
    at, name, head = f"{AT}.layers.{layer}.self_attn", f"decoder_{layer}.self_attn", shape.width // shape.heads
    weight, bias = _projections(tensors, shape, at, ("q_proj", "k_proj", "v_proj"))
    joined = graph.linear(x, f"{name}.qkv", weight, bias)
    query, key, value = graph.op("Split", joined, outputs=3, axis=-1, num_outputs=3)
    column = graph.op("Reshape", query, graph.shape(0, shape.heads, head, 1))
    key, value = (graph.op("Reshape", part, graph.shape(0, shape.heads, 1, head)) for part in (key, value))
    past = graph.op("MatMul", f"key_{layer}", column)  # (beams, heads, t, 1)
    past = graph.op("Add", past, graph.op("Unsqueeze", "mask", graph.shape(1)))
    scores = graph.op("Concat", past, graph.op("MatMul", key, column), axis=2)
    shares = graph.op("Softmax", graph.op("Reshape", scores, graph.shape(0, shape.heads, 1, -1)), axis=-1)
    last = graph.shape(-1)
    of_past = graph.op("Slice", shares, graph.shape(0), last, last)
    own = graph.op("Slice", shares, last, graph.shape(2**31 - 1), last)
    attended = graph.op("Add", graph.op("MatMul", of_past, f"value_{layer}"), graph.op("Mul", own, value))
    return graph.op("Reshape", attended, graph.shape(0, shape.width)), key, value


def _to_line(graph: Graph, shape: Decoder, tensors: Checkpoint, layer: int, x: str) -> Any:
    """Attention of all beams to the line."""
    at, name, head = f"{AT}.layers.{layer}.encoder_attn", f"decoder_{layer}.encoder_attn", shape.width // shape.heads
    query = graph.linear(x, f"{name}.q", *_projections(tensors, shape, at, ("q_proj",)))
    heads = graph.op("Reshape", query, graph.shape(0, shape.heads, head))
    queries = graph.op("Transpose", heads, perm=[1, 0, 2])  # (heads, beams, head)
    shares = graph.op("Softmax", graph.op("MatMul", queries, f"line_key_{layer}"), axis=-1)
    attended = graph.op("Transpose", graph.op("MatMul", shares, f"line_value_{layer}"), perm=[1, 0, 2])
    return graph.op("Reshape", attended, graph.shape(0, shape.width))
