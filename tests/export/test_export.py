"""Checkpoints become model folders: verified, within the gate, whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")
onnx = pytest.importorskip("onnx", reason="the export extra (onnx) is not installed")

from carrel.backends.runtimes.ort import OrtBackend  # noqa: E402
from carrel.loading import shipped_language  # noqa: E402
from carrel.models.folders import open_model  # noqa: E402
from carrel.models.onnx_file import has_external_data  # noqa: E402
from carrel.recognizers.ctc import CtcRecognizer  # noqa: E402
from carrel.review.training_lines import LineSample, read_packs  # noqa: E402
from carrel_export.build import Order, publish_source  # noqa: E402
from carrel_export.command import command  # noqa: E402
from carrel_export.gate import GateError, Measured, Quantizer, quantize_within_gate  # noqa: E402
from carrel_export.handwriting.training import greedy  # noqa: E402
from carrel_export.sources.opening import open_source  # noqa: E402
from carrel_export.sources.source import ExportError, Source  # noqa: E402
from drawn_lines import write_pack  # noqa: E402

MODELS = Path(str(resources.files("carrel_models")))
SHIPPED = MODELS / "handwriting-fast"


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pack(tmp_path_factory.mktemp("packs") / "drawn.zip", 12, 12)


@pytest.fixture(scope="module")
def exported(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The shipped network, exported anew from its weights with the command."""
    target = tmp_path_factory.mktemp("models") / "again"
    options = [str(SHIPPED), "--to", str(target), "--calibration", str(pack), "--gate-cer", "3"]
    return target, CliRunner().invoke(command, options)


def _samples(pack: Path, split: str) -> list[LineSample]:
    return list(read_packs(pack.parent, (split,), [pack.stem]))


def _order(pack: Path) -> Order:
    language = shipped_language()
    return Order("again", _samples(pack, "train"), _samples(pack, "val"), language, say=_silent)


def _silent(line: str) -> None:
    assert line


def test_exported_folder_is_whole_and_says_what_was_measured(exported: tuple[Path, Result]) -> None:
    target, result = exported
    assert result.exception is None, result.output
    model = open_model(target, "recognition")
    assert model.verify() == ()
    assert set(model.manifest.files) == {"onnx-fp32", "onnx-int8"}
    assert model.manifest.figures["val_lines"] == 12
    assert 0 <= model.manifest.figures["val_cer_greedy_int8"] < 0.5
    assert f"onnx-int8: {target / 'model.int8.onnx'}" in result.stdout
    files = {key: entry.bytes for key, entry in model.manifest.files.items()}
    assert files["onnx-int8"] <= 0.35 * files["onnx-fp32"]


def test_run_time_reads_what_the_checkpoint_reads(exported: tuple[Path, Result], pack: Path) -> None:
    source = open_source(SHIPPED)
    model = open_model(exported[0], "recognition")
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file("onnx-fp32"), model.name))
    for sample in _samples(pack, "val"):
        with torch.inference_mode():
            logits = source.network(torch.from_numpy(source.line_input.of_crop(sample.gray)))[0].numpy()
        read = recognizer.logits_of(sample.gray)
        assert np.abs(read - logits).max() < 1e-2
        assert recognizer.text_of(recognizer.decode(read)[0]) == greedy(logits, str(source.alphabet)).strip()


def test_bad_calibration_set_is_refused_and_the_old_model_stays(pack: Path, tmp_path: Path) -> None:
    blank = [LineSample("blank", "0", "0", "train", "x", np.full((64, 300), 230, np.uint8))]
    old = tmp_path / "again"
    shutil.copytree(SHIPPED, old)
    before = _digests(old)
    said: list[str] = []
    order = dataclasses.replace(_order(pack), calibrating=blank, say=said.append)
    with pytest.raises(GateError, match=r"over the gate of 0\.30%.*layers that hurt most.*Nothing was published"):
        publish_source(open_source(SHIPPED), order, old)
    assert any("each layer alone" in line for line in said)
    assert any("with 2 of 12 layers in floating point" in line for line in said), said
    assert _digests(old) == before
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def _digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


@pytest.mark.filterwarnings("ignore")
def test_openvino_files_pass_the_same_gate(pack: Path, tmp_path: Path) -> None:
    for module in ("openvino", "nncf"):
        pytest.importorskip(module, reason=f"the export extra ({module}) is not installed")
    from carrel_export.openvino_export import runner

    source = open_source(SHIPPED)
    order = dataclasses.replace(_order(pack), formats=("onnx", "openvino"), gate=0.03)
    model = publish_source(source, order, tmp_path / "m")
    assert model.verify() == ()
    roles = {f"openvino-{precision}{part}" for precision in ("fp32", "int8") for part in ("", "-weights")}
    assert set(model.manifest.files) == {*roles, "onnx-fp32", "onnx-int8"}
    assert model.manifest.files["openvino-int8-weights"].bytes < 0.7 * sum(
        p.numel() * 4 for p in source.network.parameters()
    )
    sample = _samples(pack, "val")[0]
    with torch.inference_mode():
        expected = source.network(torch.from_numpy(source.line_input.of(sample.gray)))[0].numpy()
    assert np.abs(runner(tmp_path / "m" / "model.fp32.xml")(source.line_input.of(sample.gray)) - expected).max() < 0.2


def test_layer_that_hurts_is_left_in_floating_point(tmp_path: Path) -> None:
    """Six layers, one of which spoils the reading when it is quantized."""
    wide = Measured(np.array([0, 0]), np.array([10, 10]), [np.eye(4, dtype=np.float32)] * 2)

    def write(file: Path, keep: Sequence[str]) -> None:
        file.write_text(" ".join(keep))

    def read(run: Any, count: int) -> Measured:
        hurt = 0.0 if "bad" in run.split() else 0.5
        hurt += 0.001 * sum(name not in run.split() for name in "abcde")
        errors = np.array([int(hurt >= 0.5)] * count)
        return Measured(errors, wide.characters[:count], [row + np.float32(hurt) for row in wide.logits[:count]])

    def run(file: Path) -> Any:
        return file.read_text()

    quantizer = Quantizer("toy", ("a", "b", "bad", "c", "d", "e"), write, run)
    passed = quantize_within_gate(quantizer, tmp_path / "toy", wide, read, 0.003, _silent)
    assert passed.kept == ("bad",)
    assert passed.sensitivity[0][0] == "bad"
    assert (tmp_path / "toy").read_text() == "bad"


def test_every_problem_is_named_at_once(pack: Path, tmp_path: Path) -> None:
    order = dataclasses.replace(_order(pack), formats=("tflite",), precisions=("int3",))
    source = open_source(SHIPPED)
    broken = Source(source.network, "", source.line_input, 4, "none", "test")
    with pytest.raises(ExportError) as caught:
        publish_source(broken, order, tmp_path / "never")
    assert len(caught.value.problems) == 4
    assert all(
        part in str(caught.value) for part in ("'tflite'", "'int3'", "no alphabet", "'onnx', which Carrel reads")
    )
    assert not (tmp_path / "never").exists()


def test_lines_that_share_nothing_with_the_alphabet_are_refused(pack: Path, tmp_path: Path) -> None:
    source = open_source(SHIPPED)
    greek = Source(source.network, "αβγδ", source.line_input, 4, "none", "test")
    with pytest.raises(ExportError, match="share no character"):
        publish_source(greek, _order(pack), tmp_path / "never")


class _Evil:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("suffix", [".pt", ".ckpt"])
def test_checkpoint_that_would_run_code_is_refused(tmp_path: Path, suffix: str) -> None:
    touched = tmp_path / "touched"
    for name in ("evil" + suffix, "model"):
        torch.save({"config": _Evil(touched), "weights": {}}, tmp_path / name)
    (tmp_path / "syms.txt").write_text("<ctc> 0\na 1\n", "utf-8")
    with pytest.raises(ExportError, match=r"no checkpoint of Carrel|cannot be read safely"):
        open_source(tmp_path / f"evil{suffix}")
    assert not touched.exists()
    assert pickle.loads(pickle.dumps(_Evil(touched))) is None  # the trap works
    assert touched.exists()


def test_unknown_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"x")
    with pytest.raises(ExportError, match=r"model\.h5: no checkpoint of Carrel"):
        open_source(tmp_path / "model.h5")
    (tmp_path / "model.pt").write_bytes(b"x")
    with pytest.raises(ExportError, match="no checkpoint of Carrel"):
        open_source(tmp_path / "model.pt")


def test_external_data_of_a_real_onnx_file_is_found(tmp_path: Path) -> None:
    model = onnx.load(str(SHIPPED / "model.fp32.onnx"))
    onnx.save(
        model, str(tmp_path / "outside.onnx"), save_as_external_data=True, location="outside.bin", size_threshold=0
    )
    assert has_external_data((tmp_path / "outside.onnx").read_bytes())
    onnx.save(onnx.load(str(tmp_path / "outside.onnx")), str(tmp_path / "inside.onnx"))
    assert not has_external_data((tmp_path / "inside.onnx").read_bytes())


def test_manifest_names_the_source_and_the_input(exported: tuple[Path, Result]) -> None:
    manifest = json.loads((exported[0] / "manifest.json").read_text("utf-8"))
    assert manifest["origin"] == "carrel"
    assert manifest["licence"] == "CC-BY-SA-4.0"
    assert manifest["input"]["height_px"] == 48
    assert manifest["network"]["hidden"] == 128
