"""TrOCR gives through Carrel what it gives in its own library; a folder that is not whole is refused, all of it named."""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from drawn_lines import draw_line, write_pack

torch: Any = pytest.importorskip("torch", reason="the export extra (torch) is not installed")
pytest.importorskip("onnx", reason="the export extra (onnx) is not installed")
pytest.importorskip("transformers", reason="transformers, whose models are compared with, is not installed")
safetensors: Any = import_module("safetensors.torch")
load_file, save_file = safetensors.load_file, safetensors.save_file

from carrel.backends import Runtime  # noqa: E402
from carrel.models.folders import open_model  # noqa: E402
from carrel.models.manifest import Picture, Seq2seq, Stack  # noqa: E402
from carrel.recognizers.seq2seq.decoder import CachedDecoder  # noqa: E402
from carrel.recognizers.seq2seq.opening import open_networks  # noqa: E402
from carrel.recognizers.seq2seq.recognizer import picture, rules_of  # noqa: E402
from carrel.recognizers.seq2seq.search import Rules, beam_search  # noqa: E402
from carrel_export.command import command  # noqa: E402
from carrel_export.seq2seq.checkpoint import renamed  # noqa: E402
from carrel_export.seq2seq.decoder import write_decoder  # noqa: E402
from carrel_export.seq2seq.encoder import write_encoder  # noqa: E402
from carrel_export.seq2seq.measuring import forced_logits  # noqa: E402
from carrel_export.seq2seq.publish import FileNetwork, TrocrSource, read_source  # noqa: E402
from carrel_export.sources.source import ExportError  # noqa: E402
from trocr_model import BASE, PROJECTED, SIDE_PX, SMALL, write_trocr  # noqa: E402

torch.set_num_threads(1)
GIVEN = [2, 5, 3, 8, 0, 4, 40, 7, 9, 30, 22, 2, 11, 15, 5, 6, 7, 8, 10, 12, 14, 61, 77, 89]
MOST_TOKENS = 20


def _graphs(folder: Path) -> tuple[TrocrSource, FileNetwork, FileNetwork, Stack]:
    source = read_source(folder)
    write_encoder(source.configuration, source.tensors, folder / "encoder.onnx")
    write_decoder(source.configuration, source.tensors, folder / "decoder.onnx")
    shape = source.configuration.decoder
    head = shape.width // shape.heads
    stack = Stack(layers=shape.layers, heads=shape.heads, width=shape.width, head_width=head, positions=64)
    return source, FileNetwork(folder / "encoder.onnx"), FileNetwork(folder / "decoder.onnx"), stack


def _pixels(line: NDArray[np.float32], source: TrocrSource) -> Any:
    """The picture of a line as the library takes it."""
    made = source.configuration.pictures
    mean, deviation = (np.array(v, np.float32)[:, None, None] for v in (made.mean, made.deviation))
    return torch.from_numpy((np.repeat(line, 3, axis=1) - mean) / deviation)


def _picture(text: str) -> NDArray[np.float32]:
    size = Picture(height_px=SIDE_PX, width_px=SIDE_PX, resampling="bilinear")
    return picture(np.asarray(draw_line(text)), size)


@pytest.mark.parametrize("shape", [SMALL, BASE, PROJECTED], ids=["small", "base", "projected"])
def test_logits_and_texts_are_the_librarys_own(tmp_path: Path, shape: dict[str, Any]) -> None:
    model = write_trocr(tmp_path, shape)
    source, encoder, decoder, stack = _graphs(tmp_path)
    line = _picture("the keeper")
    with torch.inference_mode():
        expected = model(pixel_values=_pixels(line, source), decoder_input_ids=torch.tensor([GIVEN])).logits[0].numpy()
    cached = CachedDecoder(decoder, stack, encoder.run({"line": line}), 4)
    found = np.concatenate([cached.step(np.array([token]), np.zeros(1, np.int64)) for token in GIVEN])
    assert np.abs(found - expected).max() < 1e-4
    assert np.array_equal(found.argmax(axis=1), expected.argmax(axis=1))
    texts = {_same_text(model, source, encoder, decoder, stack, k) for k in range(20 if shape is not PROJECTED else 4)}
    assert len(texts) > 1, "pictures are not told from each other"


def _same_text(
    model: Any, source: TrocrSource, encoder: FileNetwork, decoder: FileNetwork, stack: Stack, seed: int
) -> tuple[int, ...]:
    """The text that both find in a picture."""
    line = np.random.default_rng(seed).random((1, 1, SIDE_PX, SIDE_PX)).astype(np.float32)
    rules = Rules(2, (2,), 4, 1.0 + seed % 2, seed % 3 > 0, MOST_TOKENS, stops_repetition=False)
    found = beam_search(CachedDecoder(decoder, stack, encoder.run({"line": line}), 4).step, rules)[0]
    with torch.inference_mode():
        told = model.generate(
            _pixels(line, source),
            num_beams=4,
            length_penalty=rules.length_penalty,
            early_stopping=rules.early_stopping,
            max_length=1 + MOST_TOKENS,
        )[0].tolist()
    ends = [2] if found.stop == "end" else []
    whole = [2, *found.tokens, *ends]
    assert whole == told[: len(whole)] and set(told[len(whole) :]) <= {1}
    return found.tokens


def test_names_of_newer_versions_give_the_same_graphs(tmp_path: Path) -> None:
    write_trocr(tmp_path, SMALL)
    _graphs(tmp_path)
    before = [(tmp_path / f"{role}.onnx").read_bytes() for role in ("encoder", "decoder")]
    tensors = load_file(tmp_path / "model.safetensors")
    names = {renamed(name) for name in tensors}
    assert "encoder.layers.1.attention.q_proj.weight" in names
    assert "encoder.encoder.layer.1.attention.attention.query.weight" in tensors
    save_file({renamed(name): tensor for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    _graphs(tmp_path)
    assert [(tmp_path / f"{role}.onnx").read_bytes() for role in ("encoder", "decoder")] == before


def test_command_makes_a_folder_that_is_read_at_run_time(tmp_path: Path) -> None:
    write_trocr(tmp_path / "trocr", BASE)
    pack = write_pack(tmp_path / "drawn.zip", 1, 4)
    options = ["--to", str(tmp_path / "m"), "--calibration", str(pack), "--gate-cer", "100"]
    result = CliRunner().invoke(command, [str(tmp_path / "trocr"), *options])
    assert result.exception is None, result.output
    model = open_model(tmp_path / "m", "seq2seq")
    assert model.verify() == ()
    assert set(model.manifest.files) == {"encoder-fp32", "decoder-fp32", "encoder-int8", "decoder-int8", "tokens"}
    manifest = model.manifest_as(Seq2seq)
    assert manifest.calibration is not None and manifest.decoding.beam_width == 4
    sizes = {key: entry.bytes for key, entry in manifest.files.items()}
    assert sizes["encoder-int8"] < sizes["encoder-fp32"] and sizes["decoder-int8"] < sizes["decoder-fp32"]
    source, encoder, decoder, stack = _graphs(tmp_path / "trocr")
    gray = np.asarray(draw_line("both figures"))
    line = picture(gray, manifest.input)
    cached = CachedDecoder(decoder, stack, encoder.run({"line": line}), 1)
    expected = np.concatenate([cached.step(np.array([t]), np.zeros(1, np.int64)) for t in GIVEN])
    for precision, most in (("fp32", 1e-4), ("int8", 0.5 * float(expected.std()))):
        networks = open_networks(model, Runtime("onnxruntime", "cpu", precision))
        found = forced_logits(networks, gray, GIVEN[1:])
        assert np.sqrt(np.square(found - expected).mean()) < most
        assert networks.read(gray, rules_of(manifest.decoding))
    assert networks.tokens == source.tokens


def test_without_lines_only_fp32_is_made_and_it_is_not_calibrated(tmp_path: Path) -> None:
    write_trocr(tmp_path / "trocr", SMALL)
    arguments = [str(tmp_path / "trocr"), "--to", str(tmp_path / "m")]
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, ExportError) and "to compare int8 with fp32 on" in str(result.exception)
    assert not (tmp_path / "m").exists()
    assert CliRunner().invoke(command, [*arguments, "--precision", "fp32"]).exception is None
    manifest = open_model(tmp_path / "m", "seq2seq").manifest_as(Seq2seq)
    assert manifest.calibration is None and set(manifest.files) == {"encoder-fp32", "decoder-fp32", "tokens"}


def test_every_problem_is_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "trocr"
    write_trocr(folder, BASE)
    tensors = load_file(folder / "model.safetensors")
    del tensors["decoder.model.decoder.layers.1.fc1.weight"]
    tensors["decoder.model.decoder.layers.9.fc1.weight"] = torch.zeros(1)
    tensors["encoder.layernorm.weight"] = torch.zeros(7)
    save_file(tensors, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["decoder"] |= {"activation_function": "tanh", "d_model": True}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "generation_config.json").write_text(json.dumps({"suppress_tokens": [5], "num_beams": 99}), "utf-8")
    (folder / "vocab.json").write_text(json.dumps({"漢": 500, "a": "b"}), "utf-8")
    result = CliRunner().invoke(command, [str(folder), "--to", str(tmp_path / "m"), "--precision", "fp32,int4"])
    assert isinstance(result.exception, ExportError)
    for said in (
        "lacks the tensor decoder.model.decoder.layers.1.fc1.weight",
        "no known layer, decoder.model.decoder.layers.9.fc1.weight",
        "encoder.layernorm.weight is (7,), not (32,)",
        "activation 'tanh'",
        "d_model is True",
        "suppress_tokens",
        "num_beams is 99",
        "vocab.json: holds entries",
        "precision 'int4'",
    ):
        assert said in str(result.exception), said
    assert not (tmp_path / "m").exists()


def _without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _cut(folder: Path) -> None:
    contents = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(contents[: len(contents) // 2])


def _partial(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    places = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}), "utf-8")


def _no_numbers(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layernorm.bias"][3] = float("nan")
    save_file(tensors, folder / "model.safetensors")


def _without_tokenizer(folder: Path) -> None:
    (folder / "vocab.json").unlink()


def _other_kind(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}), "utf-8")


def _no_json(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 5000, "utf-8")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "trocr"
    write_trocr(folder, SMALL)
    return folder


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (_without_weights, "model.safetensors: is missing"),
        (_pickled, "pytorch_model.bin: pickled, which is refused"),
        (_cut, "no whole file of tensors"),
        (_partial, "model-00002-of-00002.safetensors: is missing"),
        (_no_numbers, "encoder.layernorm.bias holds values that are no numbers"),
        (_without_tokenizer, "no tokenizer"),
        (_other_kind, "its model_type is 'bert'"),
        (_no_json, "config.json: cannot be read"),
    ],
)
def test_folders_that_are_not_whole_are_refused(tmp_path: Path, whole: Path, how: Any, said: str) -> None:
    folder = tmp_path / "trocr"
    shutil.copytree(whole, folder)
    how(folder)
    with pytest.raises(ExportError) as refused:
        read_source(folder)
    assert said in str(refused.value)
