"""TrOCR models with random weights in small shapes, made and saved by the transformers library."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

SIDE_PX = 64
SMALL: dict[str, Any] = {
    "kind": "deit",
    "learned": False,
    "qkv_bias": True,
    "activation": "relu",
    "scale": True,
    "norm": True,
}
BASE: dict[str, Any] = {
    "kind": "vit",
    "learned": True,
    "qkv_bias": False,
    "activation": "gelu",
    "scale": False,
    "norm": True,
}
PROJECTED: dict[str, Any] = {**BASE, "cross_width": None, "decoder_width": 24}
"""Shaped as TrOCR small, base and one whose encoder's channels are projected."""


def write_trocr(folder: Path, shape: dict[str, Any] = SMALL, tokens: int = 90, seed: int = 3, tie: bool = True) -> Any:
    """Write a model without a tokenizer, and return it: weights are large enough for texts to differ from line to line."""
    torch: Any = import_module("torch")
    library: Any = import_module("transformers")
    torch.manual_seed(seed)
    width = 32
    sizes: dict[str, Any] = {
        "hidden_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
    }
    picture: dict[str, Any] = {"image_size": SIDE_PX, "patch_size": 16, "qkv_bias": shape["qkv_bias"]}
    make = library.DeiTConfig if shape["kind"] == "deit" else library.ViTConfig
    decoder = library.TrOCRConfig(
        vocab_size=tokens,
        d_model=shape.get("decoder_width", 16),
        decoder_layers=3,
        decoder_attention_heads=2,
        decoder_ffn_dim=40,
        cross_attention_hidden_size=shape.get("cross_width", width),
        activation_function=shape["activation"],
        scale_embedding=shape["scale"],
        use_learned_position_embeddings=shape["learned"],
        layernorm_embedding=shape["norm"],
        max_position_embeddings=64,
        tie_word_embeddings=tie,
    )
    config = library.VisionEncoderDecoderConfig.from_encoder_decoder_configs(make(**sizes, **picture), decoder)
    model: Any = library.VisionEncoderDecoderModel(config).eval()
    with torch.no_grad():
        for name, weights in model.named_parameters():
            spread = 1.0 if "embed" in name or "position" in name else 0.35
            if "norm" not in name:
                weights.normal_(0.0, spread)
            elif name.endswith("bias"):
                weights.normal_(0.0, 0.1)
    model.decoder.tie_weights()
    model.generation_config.update(decoder_start_token_id=2, eos_token_id=2, pad_token_id=1, max_length=20)
    model.save_pretrained(folder)
    write_preprocessor(folder)
    write_vocabulary(folder, tokens)
    return model


def write_vocabulary(folder: Path, tokens: int) -> None:
    """Write a vocabulary of single bytes, as byte-level pairs have it."""
    from carrel_export.seq2seq.tokens import letters_of_bytes

    visible = sorted(letters_of_bytes().items(), key=lambda pair: (pair[1] < 32, pair[1]))
    vocabulary = {token: k for k, token in enumerate(["<s>", "<pad>", "</s>", "<unk>"])}
    vocabulary |= {letter: 4 + k for k, (letter, _) in enumerate(visible[: tokens - 4])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")


def write_preprocessor(folder: Path) -> None:
    """Write how pictures are made, as TrOCR's folders say it."""
    told = {
        "do_resize": True,
        "size": {"height": SIDE_PX, "width": SIDE_PX},
        "resample": 2,
        "do_rescale": True,
        "do_normalize": True,
        "image_mean": [0.5, 0.4, 0.45],
        "image_std": [0.5, 0.6, 0.55],
        "image_processor_type": "ViTImageProcessor",
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(told), "utf-8")
