"""Recognition networks of PaddleOCR give through Carrel what they give alone; what is none is refused, all of it named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from drawn_lines import draw_line, write_pack

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")
onnx = pytest.importorskip("onnx", reason="the export extra (onnx) is not installed")

from carrel.backends.runtimes.ort import OrtBackend  # noqa: E402
from carrel.models.folders import open_model  # noqa: E402
from carrel.recognizers.ctc import CtcRecognizer  # noqa: E402
from carrel_export.command import command  # noqa: E402
from carrel_export.sources.opening import open_source  # noqa: E402
from carrel_export.sources.paddle import cut_to_scripts  # noqa: E402
from carrel_export.sources.source import ExportError  # noqa: E402
from paddle_network import DICTIONARY, probabilities, write_paddle  # noqa: E402

TEXTS = ("the keeper of tide tables waited a quarter hour", "a", "no. 17")


@pytest.mark.parametrize("height", [33, 48, 91])
def test_logits_are_the_networks_own(tmp_path: Path, height: int) -> None:
    file = write_paddle(tmp_path / "rec.onnx")
    source = open_source(file)
    assert list(source.alphabet) == [*DICTIONARY, " "]
    assert source.stride_px == 8
    for text in TEXTS:
        gray = np.asarray(draw_line(text, height))
        ours = source.network(torch.from_numpy(source.line_input.of(gray)))[0].numpy()
        expected = probabilities(file, gray)
        assert ours.shape == expected.shape
        assert np.abs(np.exp(ours - np.logaddexp.reduce(ours, axis=1, keepdims=True)) - expected).max() < 1e-4


def test_classes_of_other_scripts_are_cut_off_and_the_rest_stays(tmp_path: Path) -> None:
    source = open_source(write_paddle(tmp_path / "rec.onnx"))
    latin = cut_to_scripts(source, ["latin"])
    assert "".join(latin.alphabet) == "abcdefghijklmnopqrstuvwxyz0123456789.,'éè℃ "
    assert "".join(cut_to_scripts(source, ["Greek", "cjk"]).alphabet) == "0123456789.,'Ωω漢字→℃ "
    ink = torch.from_numpy(source.line_input.of(np.asarray(draw_line(TEXTS[0], 48))))
    kept = [0, *(1 + list(source.alphabet).index(symbol) for symbol in latin.alphabet)]
    assert np.array_equal(latin.network(ink).numpy(), source.network(ink).numpy()[..., kept])
    with pytest.raises(ExportError, match="no letters of the script CYRILLIC"):
        cut_to_scripts(source, ["latin", "cyrillic"])


def test_command_makes_a_folder_that_is_read_at_run_time(tmp_path: Path) -> None:
    file = write_paddle(tmp_path / "rec.onnx")
    pack = write_pack(tmp_path / "drawn.zip", 4, 4)
    options = ["--to", str(tmp_path / "m"), "--calibration", str(pack), "--gate-cer", "100", "--scripts", "latin"]
    result = CliRunner().invoke(command, [str(file), *options])
    assert result.exception is None, result.output
    model = open_model(tmp_path / "m", "recognition")
    assert model.verify() == ()
    assert set(model.manifest.files) == {"onnx-fp32", "onnx-int8"}
    source = cut_to_scripts(open_source(file), ["latin"])
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file("onnx-fp32"), "m"))
    gray = np.asarray(draw_line(TEXTS[0], 60))
    logits = source.network(torch.from_numpy(source.line_input.of(gray)))[0].numpy()
    assert np.abs(recognizer.logits_of(gray) - logits).max() < 1e-4
    assert recognizer.read([gray])[0].text


def _broken(tmp_path: Path, how: str) -> Path:
    file = tmp_path / "rec.onnx"
    if how == "text":
        file.write_text("no network")
    elif how == "cut":
        contents = write_paddle(file).read_bytes()
        file.write_bytes(contents[: len(contents) // 2])
    elif how == "external":
        model = onnx.load(str(write_paddle(file)))
        onnx.save(model, str(file), save_as_external_data=True, location="weights.bin", size_threshold=0)
    elif how == "nan":
        model = onnx.load(str(write_paddle(file)))
        bias = next(tensor for tensor in model.graph.initializer if tensor.name == "bias")
        bias.CopyFrom(onnx.numpy_helper.from_array(np.full(bias.dims, np.nan, np.float32), "bias"))
        onnx.save(model, str(file))
    return file


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("text", "no whole ONNX file"),
        ("cut", "no whole ONNX file"),
        ("external", "keeps weights in another file"),
        ("nan", "no numbers"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, how: str, said: str) -> None:
    with pytest.raises(ExportError, match=said):
        open_source(_broken(tmp_path, how))


def test_every_problem_is_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    file = write_paddle(tmp_path / "rec.onnx", ["a", "a", ""], classes=9, channels=1)
    pack = write_pack(tmp_path / "drawn.zip", 1, 1)
    result = CliRunner().invoke(command, [str(file), "--to", str(tmp_path / "m"), "--calibration", str(pack)])
    assert isinstance(result.exception, ExportError)
    assert len(result.exception.problems) == 3
    for said in ("1 x 48", "9 classes", "an entry twice"):
        assert said in str(result.exception)
    assert not (tmp_path / "m").exists()


def test_dictionary_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no dictionary"):
        open_source(write_paddle(tmp_path / "rec.onnx", [], classes=12))
