"""Memory of networks that are not Carrel's own, foreseen from their files and inputs.

What Carrel's own networks take was measured with each runtime (`carrel.backends.costs.Costs`). Others may be a hundred
times as large, and are known by their files alone.
"""

from __future__ import annotations

from carrel.models.folders import Model
from carrel.models.manifest import Recognition, Seq2seq
from carrel.process_memory import MIB

LOADING_TIMES = 4.5
"""Memory while a network is loaded, by the size of its file (PP-OCRv6 small in fp32, onnxruntime 1.32)."""
MEASURED_BYTES = 5 * MIB
"""Files up to this size are in the figures of the runtimes already."""
BYTES_PER_PX = 500
"""Working memory for each px of a line (PP-OCRv6 small: 498 at 800 px, 359 at 4,000)."""
USUAL_LINE_ASPECT = 33
"""Width of the longest usual line, in heights."""
USUAL_TOKENS = 128
"""Of the longest usual line."""
_ROLES = ("network", "encoder", "decoder")


def loaded_bytes(model: Model, precision: str) -> int:
    """Return what a model's networks take in memory in this precision (int8 where it is not fp32)."""
    files = model.manifest.files
    roles = [role for role in _ROLES if any((e.role, e.runtime) == (role, "onnx") for e in files.values())]
    keys = [model.network_file("fp32" if precision == "fp32" else "int8", role) for role in roles]
    return round(LOADING_TIMES * max(0, sum(files[key].bytes for key in keys) - MEASURED_BYTES))


def line_bytes(model: Model) -> int:
    """Return what a model works in for the longest usual line; 0 where the figures of the runtimes hold it."""
    if isinstance(model.manifest, Seq2seq):
        return text_line_bytes(model.manifest)
    if not _is_foreign(model):
        return 0
    height_px = model.manifest_as(Recognition).input.height_px
    return BYTES_PER_PX * USUAL_LINE_ASPECT * height_px**2


def text_line_bytes(manifest: Seq2seq) -> int:
    """Return what an encoder-decoder works in for a line, whatever its length.

    Attention of all positions of the encoder to all, the channels in between, the keys and values that the line gives to every
    layer of the decoder, those of the tokens, and the logits: float32, each held twice, some three times.
    """
    encoder, decoder, beams = manifest.encoder, manifest.decoder, manifest.decoding.beam_width
    positions, tokens = encoder.positions, min(decoder.positions, USUAL_TOKENS)
    attention = 2 * encoder.heads * positions**2
    channels = 10 * positions * encoder.width
    of_line = 2 * 2 * decoder.layers * positions * decoder.heads * decoder.head_width
    of_tokens = 2 * 2 * decoder.layers * beams * tokens * decoder.heads * decoder.head_width
    return 4 * (attention + channels + of_line + of_tokens + 3 * beams * manifest.tokens)


def bytes_per_px(model: Model, own: int) -> int:
    """Return the working memory for each px of a line, ``own`` for Carrel's networks."""
    return BYTES_PER_PX if _is_foreign(model) else own


def _is_foreign(model: Model) -> bool:
    """Whether a network takes lines otherwise than Carrel's own do."""
    return isinstance(model.manifest, Recognition) and model.manifest.input.kind != "ink"
