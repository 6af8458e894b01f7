"""The tensors of a checkpoint in safetensors, by one set of names, read one by one; nothing in it is executed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from carrel_export.seq2seq.configuration import Decoder, Encoder
from carrel_export.seq2seq.entries import Problems, read_json

Floats = NDArray[np.float32]

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "pytorch_model.pt")
FORMER_NAMES = (
    (r"^encoder\.encoder\.layer\.(\d+)\.attention\.attention\.(query|key|value)\.", r"encoder.layers.\1.attention.\2."),
    (r"^encoder\.encoder\.layer\.(\d+)\.attention\.output\.dense\.", r"encoder.layers.\1.attention.o_proj."),
    (r"^encoder\.encoder\.layer\.(\d+)\.intermediate\.dense\.", r"encoder.layers.\1.mlp.fc1."),
    (r"^encoder\.encoder\.layer\.(\d+)\.output\.dense\.", r"encoder.layers.\1.mlp.fc2."),
    (r"^encoder\.encoder\.layer\.(\d+)\.", r"encoder.layers.\1."),
    (r"\.attention\.query\.", ".attention.q_proj."),
    (r"\.attention\.key\.", ".attention.k_proj."),
    (r"\.attention\.value\.", ".attention.v_proj."),
    (r"^(encoder)\.(?:vit|deit)\.", r"\1."),
)
"""Names that older versions of the library gave, and those of newer ones."""
UNUSED = re.compile(
    r"^encoder\.pooler\.|\.embed_positions\._float_tensor$|\.embed_positions\.weights$|^encoder\.embeddings\.mask_token$"
)
"""Tensors that reading does not need."""
EMBEDDING, OUTPUT = "decoder.model.decoder.embed_tokens.weight", "decoder.output_projection.weight"

Shape = tuple[int, ...]


class Checkpoint:
    """The tensors of a folder, by the names of newer versions; what is wrong is noted when it is opened."""

    def __init__(self, folder: Path, problems: Problems) -> None:
        self._problems = problems
        self._places: dict[str, tuple[Path, str]] = {}
        self._shapes: dict[str, Shape] = {}
        for file in _files(folder, problems):
            self._add(file)

    def _add(self, file: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118
                    new = renamed(name)
                    self._places[new] = (file, name)
                    self._shapes[new] = tuple(opened.get_slice(name).get_shape())
        except (SafetensorError, OSError, ValueError) as error:
            self._problems.note(f"{file.name}: no whole file of tensors ({str(error).splitlines()[0]})")

    def has(self, name: str) -> bool:
        """Tell whether there is a tensor of this name."""
        return name in self._places

    def take(self, name: str) -> Floats:
        """Return a tensor as float32."""
        from safetensors import safe_open

        file, own = self._places[name]
        with safe_open(file, framework="pt") as opened:
            return opened.get_tensor(own).float().numpy()

    def check(self, wanted: Mapping[str, Shape]) -> None:
        """Note tensors that are missing, of another shape, that nobody knows, or that hold what is no number."""
        if not self._places:
            return
        for name, shape in wanted.items():
            if name not in self._shapes:
                self._problems.note(f"lacks the tensor {name}")
            elif self._shapes[name] != shape:
                self._problems.note(f"{name} is {self._shapes[name]}, not {shape}")
        for name in self._places:
            if name not in wanted and not UNUSED.search(name):
                self._problems.note(f"holds a tensor of no known layer, {name}")
        if not self._problems.found:
            self._check_numbers(wanted)

    def _check_numbers(self, names: Mapping[str, Shape]) -> None:
        for name in names:
            if not np.isfinite(self.take(name)).all():
                self._problems.note(f"{name} holds values that are no numbers")


def renamed(name: str) -> str:
    """Return the newer name of a tensor."""
    for former, new in FORMER_NAMES:
        name = re.sub(former, new, name)
    return name


def _files(folder: Path, problems: Problems) -> list[Path]:
    if (folder / INDEX).is_file():
        places = read_json(folder / INDEX, problems).get("weight_map")
        names = sorted(set(places.values())) if isinstance(places, dict) else []
        inside = [name for name in names if isinstance(name, str) and Path(name).name == name]
        missing = [name for name in inside if not (folder / name).is_file()]
        for name in missing:
            problems.note(f"{name}: is missing, which {INDEX} names")
        if not inside or len(inside) < len(names):
            problems.note(f"{INDEX}: names no files of this folder")
        return [folder / name for name in inside if name not in missing]
    if (folder / WHOLE).is_file():
        return [folder / WHOLE]
    pickled = [name for name in PICKLED if (folder / name).exists()]
    if pickled:
        problems.note(
            f"{pickled[0]}: pickled, which is refused because it may run any code; save the model as {WHOLE} "
            "(save_pretrained of the transformers library does)"
        )
    else:
        problems.note(f"{WHOLE}: is missing")
    return []


def expected(encoder: Encoder, decoder: Decoder, has_own_output: bool) -> dict[str, Shape]:
    """Return the tensors that a checkpoint of these shapes holds."""
    return dict([*_of_encoder(encoder), *_of_decoder(decoder, encoder, has_own_output)])


def _linear(name: str, out: int, inputs: int, has_bias: bool = True) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (out, inputs)
    if has_bias:
        yield f"{name}.bias", (out,)


def _norm(name: str, width: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def _of_encoder(shape: Encoder) -> Iterator[tuple[str, Shape]]:
    width = shape.width
    yield "encoder.embeddings.cls_token", (1, 1, width)
    if shape.kind == "deit":
        yield "encoder.embeddings.distillation_token", (1, 1, width)
    yield "encoder.embeddings.position_embeddings", (1, shape.positions, width)
    patch = "encoder.embeddings.patch_embeddings.projection"
    yield f"{patch}.weight", (width, shape.channels, shape.patch_px, shape.patch_px)
    yield f"{patch}.bias", (width,)
    for layer in range(shape.layers):
        at = f"encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj"):
            yield from _linear(f"{at}.attention.{part}", width, width, shape.has_bias)
        yield from _linear(f"{at}.attention.o_proj", width, width)
        yield from _norm(f"{at}.layernorm_before", width)
        yield from _norm(f"{at}.layernorm_after", width)
        yield from _linear(f"{at}.mlp.fc1", shape.inner, width)
        yield from _linear(f"{at}.mlp.fc2", width, shape.inner)
    yield from _norm("encoder.layernorm", width)


def cross_width(encoder: Encoder, decoder: Decoder) -> int:
    """Return the channels in which the decoder sees the line."""
    return decoder.cross_width if decoder.cross_width is not None else decoder.width


def has_projection(encoder: Encoder, decoder: Decoder) -> bool:
    """Tell whether the encoder's channels are projected to the decoder's."""
    return decoder.cross_width is None and encoder.width != decoder.width


def _of_decoder(shape: Decoder, encoder: Encoder, has_own_output: bool) -> Iterator[tuple[str, Shape]]:
    width, cross = shape.width, cross_width(encoder, shape)
    if has_projection(encoder, shape):
        yield from _linear("enc_to_dec_proj", width, encoder.width)
    yield EMBEDDING, (shape.tokens, width)
    if has_own_output:
        yield OUTPUT, (shape.tokens, width)
    at = "decoder.model.decoder"
    if shape.learns_positions:
        yield f"{at}.embed_positions.weight", (shape.positions + 2, width)
    if shape.norms_embedding:
        yield from _norm(f"{at}.layernorm_embedding", width)
    for layer in range(shape.layers):
        one = f"{at}.layers.{layer}"
        for part, inputs in (("self_attn", width), ("encoder_attn", cross)):
            yield from _linear(f"{one}.{part}.q_proj", width, width)
            yield from _linear(f"{one}.{part}.k_proj", width, inputs)
            yield from _linear(f"{one}.{part}.v_proj", width, inputs)
            yield from _linear(f"{one}.{part}.out_proj", width, width)
            yield from _norm(f"{one}.{part}_layer_norm", width)
        yield from _linear(f"{one}.fc1", shape.inner, width)
        yield from _linear(f"{one}.fc2", width, shape.inner)
        yield from _norm(f"{one}.final_layer_norm", width)
