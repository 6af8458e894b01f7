"""One network that reads a line, for `carrel_bench.speed.networks`: ``KIND PRECISION FOLDER``.

``text`` searches 24 tokens with an encoder-decoder of a model folder, ``ctc`` reads the best path with a network of one, ``torch``
searches the same tokens with the transformers library. ``make SHAPE`` makes a model folder of TrOCR's shapes, ``kraken VARIANT``,
in kraken's environment, a file of kraken's of PP-OCRv6 shapes and random weights, ``export`` a model folder of it. One thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from carrel.backends import Runtime
from carrel.models.folders import open_model

Answer = Callable[[dict[str, Any]], dict[str, Any]]
TORCH = "PyTorch"
TOKENS, BEAMS = 24, 4
LINE_PX = (48, 800)
SPREAD = 0.02
LETTERS = [chr(code) for code in (*range(32, 127), *range(192, 239))]
SIZES: dict[str, dict[str, Any]] = {
    "small": {
        "encoder": ("deit", 384, 12, 6, 1536, 384),
        "decoder": (256, 6, 8, 1024, 64_044),
        "choices": {"activation_function": "relu", "scale_embedding": True, "use_learned_position_embeddings": False},
    },
    "base": {"encoder": ("vit", 768, 12, 12, 3072, 384), "decoder": (1024, 12, 16, 4096, 50_265), "choices": {}},
    "tiny": {"encoder": ("vit", 32, 1, 2, 48, 64), "decoder": (16, 1, 2, 32, 300), "choices": {}},
}
"""The published shapes, and one for tests: kind, channels, layers, heads, inner channels and side of the picture; channels,
layers, heads, inner channels and tokens."""


def drawn_line() -> Any:
    """Return strokes on paper, uint8; the same each time."""
    return np.where(np.random.default_rng(0).random(LINE_PX) > 0.85, 0, 255).astype(np.uint8)


def configuration(shape: str) -> dict[str, Any]:
    """Return ``config.json`` of a shape."""
    size = SIZES[shape]
    kind, width, layers, heads, inner, side = size["encoder"]
    decoder_width, decoder_layers, decoder_heads, decoder_inner, tokens = size["decoder"]
    return {
        "model_type": "vision-encoder-decoder",
        "architectures": ["VisionEncoderDecoderModel"],
        "is_encoder_decoder": True,
        "encoder": {
            "model_type": kind,
            "hidden_size": width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": inner,
            "image_size": side,
            "patch_size": 16,
            "qkv_bias": kind == "deit",
        },
        "decoder": {
            "model_type": "trocr",
            "d_model": decoder_width,
            "decoder_layers": decoder_layers,
            "decoder_attention_heads": decoder_heads,
            "decoder_ffn_dim": decoder_inner,
            "vocab_size": tokens,
            "cross_attention_hidden_size": width,
            "is_decoder": True,
            "add_cross_attention": True,
            **size["choices"],
        },
    }


def write_checkpoint(shape: str, folder: Path) -> None:
    """Write a folder in the Hugging Face format: random weights, and a tokenizer of pairs of bytes."""
    entries: Any = import_module("carrel_export.seq2seq.entries")
    checkpoint: Any = import_module("carrel_export.seq2seq.checkpoint")
    save_file: Any = import_module("safetensors.numpy").save_file
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(configuration(shape)), "utf-8")
    read: Any = import_module("carrel_export.seq2seq.configuration").read_configuration
    shapes = read(folder, entries.Problems())
    chance = np.random.default_rng(1)
    tensors: dict[str, Any] = {}
    for name, size in checkpoint.expected(shapes.encoder, shapes.decoder, False).items():
        is_gain = "norm" in name and name.endswith("weight")
        tensors[name] = (1 if is_gain else 0) + SPREAD * chance.standard_normal(size, np.float32)
    save_file({name: np.float32(values) for name, values in tensors.items()}, str(folder / "model.safetensors"))
    letters = list(import_module("carrel_export.seq2seq.tokens").letters_of_bytes())
    pairs = [a + b for a in letters for b in letters][: shapes.decoder.tokens - 4]
    vocabulary = {token: k for k, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *pairs])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")


def make(shape: str) -> Answer:
    """Return what makes a checkpoint and its model folder, both precisions, whatever int8 loses."""
    publish: Any = import_module("carrel_export.seq2seq.publish")
    sample: Any = import_module("carrel.review.training_lines").LineSample

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        checkpoint, model = Path(question["checkpoint"]), Path(question["model"])
        write_checkpoint(shape, checkpoint)
        lines = [sample("drawn", "", "1", "val", "a", drawn_line())]
        order = publish.TextOrder(f"trocr-{shape}", lines, gate=float("inf"), say=quiet, scratch=model.parent)
        publish.publish_checkpoint(checkpoint, order, model)
        return {}

    return answer


def write_kraken(variant: str) -> Answer:
    """Return what writes a network of kraken's into a file."""
    torch: Any = import_module("torch")
    network_class: Any = import_module("kraken.lib.ppocr.model").PPOCRv6Model
    write: Any = import_module("kraken.models.writers").write_safetensors

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        torch.manual_seed(1)
        codec = {letter: [label] for label, letter in enumerate(LETTERS, 1)}
        network = network_class(variant, 1 + len(LETTERS), LINE_PX[0], codec, one_channel_mode="L")
        _settle(torch, network.nn)
        write([network.eval()], Path(question["file"]))
        return {}

    return answer


def _settle(torch: Any, layers: Any) -> None:
    """Give norms the statistics of random strokes: with those of no line, values fade from layer to layer, and 8 bits hold none."""
    for layer in layers.modules():
        if isinstance(layer, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            layer.momentum = None
    strokes = (torch.rand(4, 1, LINE_PX[0], 400) > 0.85).float().expand(-1, 3, -1, -1)
    with torch.no_grad():
        layers.train()(strokes, torch.full((4,), 400))


def make_of_kraken() -> Answer:
    """Return what makes a model folder of kraken's network, both precisions, whatever int8 loses."""
    build: Any = import_module("carrel_export.build")
    open_source: Any = import_module("carrel_export.sources.opening").open_source
    sample: Any = import_module("carrel.review.training_lines").LineSample

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        file, model = Path(question["checkpoint"]), Path(question["model"])
        lines = [sample("drawn", "", "1", "val", "a", drawn_line())]
        language = import_module("carrel.loading").shipped_language()
        order = build.Order(model.name, lines, lines, language, gate=float("inf"), say=quiet, scratch=model.parent)
        build.publish_source(open_source(file), order, model)
        return {}

    return answer


def quiet(_: str) -> None:
    """Say nothing."""


def read_text(precision: str, folder: str) -> Answer:
    """Return what searches the tokens of the line with Carrel's run time."""
    from carrel.recognizers.seq2seq.opening import open_networks
    from carrel.recognizers.seq2seq.recognizer import rules_of

    networks = open_networks(open_model(Path(folder)), Runtime("onnxruntime", "cpu", precision))
    rules = rules_of(networks.manifest.decoding)
    rules = replace(rules, ends=(), width=BEAMS, most_tokens=TOKENS, stops_repetition=False)

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": len(networks.read(drawn_line(), rules)[0].tokens)}

    return answer


def read_best_path(precision: str, folder: str) -> Answer:
    """Return what reads the best path of the line with a CTC network."""
    from carrel.backends.runtimes.networks import open_network
    from carrel.recognizers.ctc import CtcRecognizer

    model = open_model(Path(folder), "recognition")
    recognizer = CtcRecognizer(model, open_network(model, Runtime("onnxruntime", "cpu", precision), 1))

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        return {"tokens": len(recognizer.decode(recognizer.logits_of(drawn_line()))[0].classes)}

    return answer


def read_in_torch(folder: str) -> Answer:
    """Return what searches the tokens of the line with the transformers library."""
    torch: Any = import_module("torch")
    library: Any = import_module("transformers")
    torch.set_num_threads(1)
    shape = library.VisionEncoderDecoderConfig.from_pretrained(folder)
    model = library.VisionEncoderDecoderModel(shape).eval()  # with weights of its own, random too
    side = model.config.encoder.image_size
    pixels = torch.zeros(1, 3, side, side)
    limits = {"min_new_tokens": TOKENS, "max_new_tokens": TOKENS, "num_beams": BEAMS}
    tokens = {"decoder_start_token_id": 2, "eos_token_id": 2, "pad_token_id": 1}

    def answer(_: dict[str, Any]) -> dict[str, Any]:
        with torch.inference_mode():
            return {"tokens": model.generate(pixels, **limits, **tokens).shape[1] - 1}

    return answer


def start(kind: str, detail: str = "", folder: str = "") -> Answer:
    """Open the network."""
    makers = {"make": partial(make, detail), "kraken": partial(write_kraken, detail), "export": make_of_kraken}
    if kind in makers:
        return makers[kind]()
    if kind == TORCH:
        return read_in_torch(folder)
    return read_text(detail, folder) if kind == "text" else read_best_path(detail, folder)
