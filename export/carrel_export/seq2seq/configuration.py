"""The configuration of a VisionEncoderDecoderModel in the Hugging Face format: its shapes, pictures and search.

Files hold what differs from the defaults of the library that wrote them, which are written down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel_export.seq2seq.entries import Entries, Problems, read_json

BEAM_WIDTH = 4
RESAMPLING = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers."""
ENCODERS = {"vit": 1, "deit": 2}
"""Kinds of encoders, and the tokens that they put before the patches."""
ACTIVATIONS = {"gelu": "gelu", "relu": "relu"}
NOT_FOLLOWED = (
    "suppress_tokens",
    "begin_suppress_tokens",
    "bad_words_ids",
    "forced_bos_token_id",
    "forced_decoder_ids",
)
"""What a search could be told that Carrel's does not do."""


@dataclass(frozen=True)
class Encoder:
    """The shape of an encoder: `prefix` tokens, then patches."""

    kind: str
    layers: int
    heads: int
    width: int
    inner: int
    height_px: int
    width_px: int
    patch_px: int
    channels: int
    activation: str
    epsilon: float
    has_bias: bool

    @property
    def prefix(self) -> int:
        return ENCODERS.get(self.kind, 1)

    @property
    def positions(self) -> int:
        return self.prefix + (self.height_px // self.patch_px) * (self.width_px // self.patch_px)


@dataclass(frozen=True)
class Decoder:
    """The shape of a decoder."""

    layers: int
    heads: int
    width: int
    inner: int
    tokens: int
    positions: int
    activation: str
    scales_embedding: bool
    learns_positions: bool
    norms_embedding: bool
    cross_width: int | None
    start: int
    ends: tuple[int, ...]
    pad: int


@dataclass(frozen=True)
class Pictures:
    """The making of pictures of lines: resampling, then per channel ``(value - mean) / deviation`` of values in [0, 1]."""

    resampling: str
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


@dataclass(frozen=True)
class Search:
    """Settings of the search for texts."""

    beam_width: int
    length_penalty: float
    early_stopping: bool


@dataclass(frozen=True)
class Configuration:
    """All of it."""

    encoder: Encoder
    decoder: Decoder
    pictures: Pictures
    search: Search


def read_configuration(folder: Path, problems: Problems) -> Configuration:
    """Return the configuration of a checkpoint's folder; what is wrong is noted."""
    whole = Entries("config.json", read_json(folder / "config.json", problems), problems)
    kind = whole.raw("model_type")
    if kind != "vision-encoder-decoder":
        problems.note(f"config.json: its model_type is {kind!r}, not 'vision-encoder-decoder'")
    generation = Entries(
        "generation_config.json", read_json(folder / "generation_config.json", problems, is_needed=False), problems
    )
    encoder = _encoder(whole.inner("encoder"), problems)
    decoder = _decoder(whole, whole.inner("decoder"), generation, problems)
    if decoder.cross_width not in (None, encoder.width):
        problems.note(
            f"config.json: the decoder looks at {decoder.cross_width} channels, the encoder gives {encoder.width}"
        )
    return Configuration(encoder, decoder, _pictures(folder, encoder, problems), _search(generation, whole, problems))


def _encoder(entries: Entries, problems: Problems) -> Encoder:
    kind = entries.take("vit", "model_type")
    if kind not in ENCODERS:
        problems.note(f"config.json: an encoder of the kind {kind!r}; known are {', '.join(ENCODERS)}")
    image = entries.raw("image_size")
    sides = image if isinstance(image, list) and len(image) == 2 else [image if image is not None else 224] * 2
    patch = entries.size(16, 256, "patch_size")
    height, width = (side if isinstance(side, int) and patch <= side <= 1024 else 0 for side in sides)
    if not height or not width or height % patch or width % patch:
        problems.note(f"config.json: pictures of {image} px in patches of {patch} px")
        height = width = patch
    encoder = Encoder(
        kind,
        entries.size(12, 64, "num_hidden_layers"),
        entries.size(12, 64, "num_attention_heads"),
        entries.size(768, 4096, "hidden_size"),
        entries.size(3072, 16_384, "intermediate_size"),
        height,
        width,
        patch,
        entries.size(3, 4, "num_channels"),
        _activation(entries.take("gelu", "hidden_act"), problems),
        entries.take(1e-12, "layer_norm_eps"),
        entries.take(True, "qkv_bias"),
    )
    _check_heads("encoder", encoder.width, encoder.heads, problems)
    return encoder


def _decoder(whole: Entries, entries: Entries, generation: Entries, problems: Problems) -> Decoder:
    kind = entries.raw("model_type")
    if kind != "trocr":
        problems.note(f"config.json: a decoder of the kind {kind!r}; known is trocr")
    cross = entries.raw("cross_attention_hidden_size")
    start, ends, pad = (
        next((v for e in (generation, whole, entries) if (v := e.raw(name)) is not None), default)
        for name, default in (("decoder_start_token_id", 2), ("eos_token_id", 2), ("pad_token_id", 1))
    )
    tokens = entries.size(50_265, 512_000, "vocab_size")
    ends = tuple(ends) if isinstance(ends, list) else (ends,)
    if not all(isinstance(token, int) and 0 <= token < tokens for token in (start, pad, *ends)):
        problems.note(f"config.json: start {start}, end {ends} or padding {pad} is none of {tokens:,} tokens")
        start, ends, pad = 0, (0,), 0
    decoder = Decoder(
        entries.size(12, 64, "decoder_layers", "num_hidden_layers"),
        entries.size(16, 64, "decoder_attention_heads", "num_attention_heads"),
        entries.size(1024, 4096, "d_model", "hidden_size"),
        entries.size(4096, 16_384, "decoder_ffn_dim"),
        tokens,
        entries.size(512, 8192, "max_position_embeddings"),
        _activation(entries.take("gelu", "activation_function"), problems),
        entries.take(False, "scale_embedding"),
        entries.take(True, "use_learned_position_embeddings"),
        entries.take(True, "layernorm_embedding"),
        cross if isinstance(cross, int) else None,
        start,
        ends,
        pad,
    )
    _check_heads("decoder", decoder.width, decoder.heads, problems)
    return decoder


def _check_heads(which: str, width: int, heads: int, problems: Problems) -> None:
    if width % heads:
        problems.note(f"config.json: {width} channels of the {which} cannot be divided among {heads} heads")


def _activation(name: str, problems: Problems) -> str:
    if name not in ACTIVATIONS:
        problems.note(f"config.json: the activation {name!r} is not known ({', '.join(ACTIVATIONS)} are)")
    return ACTIVATIONS.get(name, "gelu")


def _pictures(folder: Path, encoder: Encoder, problems: Problems) -> Pictures:
    name = "preprocessor_config.json"
    raw: Mapping[str, Any] = {}
    if (folder / name).exists():
        raw = read_json(folder / name, problems)
    elif (folder / "processor_config.json").exists():
        name = "processor_config.json"
        raw = Entries(name, read_json(folder / name, problems), problems).raw("image_processor") or {}
    entries = Entries(name, raw, problems)
    code = entries.take(3 if encoder.kind == "deit" else 2, "resample")
    if code not in RESAMPLING:
        problems.note(f"{name}: resample {code} is not known ({', '.join(map(str, RESAMPLING))} are)")
    side = _side(entries.raw("size"))
    if side is not None and side != (encoder.height_px, encoder.width_px):
        problems.note(
            f"{name}: pictures of {side[0]} x {side[1]} px, but the encoder takes {encoder.height_px} x {encoder.width_px}"
        )
    cropped = _side(entries.raw("crop_size")) if entries.take(False, "do_center_crop") else None
    if cropped is not None and cropped != (encoder.height_px, encoder.width_px):
        problems.note(f"{name}: pictures are cropped to {cropped[0]} x {cropped[1]} px, which is not done")
    if not entries.take(True, "do_resize") or not entries.take(True, "do_rescale"):
        problems.note(f"{name}: pictures are not scaled, which is not done")
    usual: list[Any] = [0.5] * encoder.channels
    normalized = entries.take(True, "do_normalize")
    mean, deviation = entries.take(usual, "image_mean"), entries.take(usual, "image_std")
    if not normalized:
        mean, deviation = [0.0] * encoder.channels, [1.0] * encoder.channels
    numbers = [*mean, *deviation]
    if len(numbers) != 2 * encoder.channels or not all(isinstance(n, int | float) for n in numbers) or 0 in deviation:
        problems.note(f"{name}: image_mean and image_std are no numbers for {encoder.channels} channels")
        mean, deviation = usual, usual
    return Pictures(RESAMPLING.get(code, "bilinear"), tuple(map(float, mean)), tuple(map(float, deviation)))


def _side(size: Any) -> tuple[int, int] | None:
    """Height and width of a size as files name it; None where they name none."""
    if isinstance(size, dict) and {"height", "width"} <= size.keys():
        return size["height"], size["width"]
    return (size, size) if isinstance(size, int) else None


def _search(generation: Entries, whole: Entries, problems: Problems) -> Search:
    for name in NOT_FOLLOWED:
        if generation.raw(name) or whole.raw(name):
            problems.note(f"generation_config.json: asks for {name}, which Carrel's search does not do")
    width = generation.size(BEAM_WIDTH, 16, "num_beams")
    penalty = generation.take(1.0, "length_penalty")
    if not 0 <= penalty <= 4:
        problems.note(f"generation_config.json: a length_penalty of {penalty}, not from 0 to 4")
    stopping = generation.raw("early_stopping")
    return Search(width if width > 1 else BEAM_WIDTH, penalty, stopping if isinstance(stopping, bool) else True)
