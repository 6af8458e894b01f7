"""PP-OCRv6 networks of kraken: folded, they give what they give unfolded; damaged ones are refused, all problems at once."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from drawn_lines import draw_line, write_pack
from kraken_network import LETTERS, draw_network, logits_of, write_kraken

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel.backends.runtimes.ort import OrtBackend  # noqa: E402
from carrel.loading import shipped_language  # noqa: E402
from carrel.models.folders import open_model  # noqa: E402
from carrel.models.manifest import Recognition  # noqa: E402
from carrel.recognizers.ctc import CtcRecognizer  # noqa: E402
from carrel.review.training_lines import LineSample  # noqa: E402
from carrel_export import build, gate  # noqa: E402
from carrel_export.command import command  # noqa: E402
from carrel_export.sources.opening import open_source  # noqa: E402
from carrel_export.sources.source import ExportError  # noqa: E402

CLASSES = len(LETTERS) + 1


@pytest.mark.parametrize("branches", [False, True])
@pytest.mark.parametrize("height", [48, 96, 128])
def test_folded_network_gives_the_same_logits(tmp_path: Path, height: int, branches: bool) -> None:
    tensors = draw_network(branches=branches, classes=CLASSES)
    source = open_source(write_kraken(tmp_path / "small.safetensors", tensors, height=height))
    assert (source.alphabet, source.stride_px, source.line_input.height_px) == (LETTERS, 8, height)
    for text in ("the keeper of tide tables", "a"):
        ink = torch.from_numpy(source.line_input.of(np.asarray(draw_line(text, 57))))
        with torch.inference_mode():
            ours, expected = source.network(ink), logits_of(tensors, ink)
        assert ours.shape == expected.shape
        assert float((ours - expected).abs().max()) < 1e-4


def test_command_makes_a_folder_that_is_read_at_run_time(tmp_path: Path) -> None:
    tensors = draw_network(branches=True, classes=CLASSES)
    file = write_kraken(tmp_path / "small.safetensors", tensors, license="CC0-1.0")
    pack = write_pack(tmp_path / "drawn.zip", 3, 3)
    options = ["--to", str(tmp_path / "m"), "--calibration", str(pack), "--gate-cer", "100"]
    result = CliRunner().invoke(command, [str(file), *options])
    assert result.exception is None, result.output
    model = open_model(tmp_path / "m", "recognition")
    assert model.verify() == ()
    assert model.manifest.licence == "CC0-1.0"
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file("onnx-fp32"), "m"))
    gray = np.asarray(draw_line("waited a quarter hour", 80))
    ink = torch.from_numpy(open_source(file).line_input.of(gray))
    assert np.abs(recognizer.logits_of(gray) - logits_of(tensors, ink)[0].numpy()).max() < 1e-4


def test_damaged_files_are_refused_and_nothing_is_executed(tmp_path: Path) -> None:
    file = write_kraken(tmp_path / "small.safetensors", draw_network(branches=False, classes=CLASSES))
    contents = file.read_bytes()
    for damaged in (contents[: len(contents) // 2], pickle.dumps({"a": 1}), b"", b"\xff" * 64):
        file.write_bytes(damaged)
        with pytest.raises(ExportError, match=r"no whole \.safetensors file"):
            open_source(file)


def test_every_problem_is_named_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    tensors = draw_network(branches=False, classes=CLASSES)
    del tensors["backbone.blocks3.0.channel_mixer.expand.bn.running_mean"]
    tensors["head.fc2.bias"][3] = torch.nan
    tensors["neck2.fc.weight"] = torch.zeros(3)
    codec: dict[str, Any] = {"a": [1], "ab": [1, 2]}
    facts = {"height": 2, "one_channel_mode": "1", "codec": codec}
    file = write_kraken(tmp_path / "small.safetensors", tensors, **facts)
    pack = write_pack(tmp_path / "drawn.zip", 1, 1)
    result = CliRunner().invoke(command, [str(file), "--to", str(tmp_path / "m"), "--calibration", str(pack)])
    assert isinstance(result.exception, ExportError)
    for said in (
        "lacks the tensor backbone.blocks3.0",
        "no known layer, neck2",
        "no numbers, in head.fc2.bias",
        "2 px high",
        "no codec",
    ):
        assert said in str(result.exception)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"one_channel_mode": "1"}, "bitonal"),
        ({"seg_type": "bbox"}, "bounding boxes"),
    ],
)
def test_what_carrel_does_not_do_is_refused(tmp_path: Path, metadata: dict[str, Any], said: str) -> None:
    tensors = draw_network(branches=False, classes=CLASSES)
    with pytest.raises(ExportError, match=said):
        open_source(write_kraken(tmp_path / "small.safetensors", tensors, **metadata))


def test_lines_that_run_leftwards_are_compared_as_they_stand_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = "שלום עב1948ת(),abc"
    file = write_kraken(
        tmp_path / "small.safetensors",
        draw_network(branches=False, classes=len(letters) + 1),
        codec={letter: [label] for label, letter in enumerate(letters, 1)},
    )
    compared: list[str] = []

    def measure(run: Any, samples: Any, *rest: Any) -> Any:
        compared.extend(sample.text for sample in samples)
        return gate.measure(run, samples, *rest)

    monkeypatch.setattr(build, "measure", measure)
    line = LineSample("drawn", "a", "1", "val", "שלום (abc) 1948", np.asarray(draw_line("abc 1948")))
    order = build.Order("hebrew", [line], [line], shipped_language(), gate=2.0, say=lambda _: None)
    model = build.publish_source(open_source(file), order, tmp_path / "m")
    assert set(compared) == {"1948 (abc) םולש"}
    assert model.manifest_as(Recognition).letter_order == "display"


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    tensors = draw_network(branches=True, classes=CLASSES)
    tensors["neck.svtr_block.0.mlp.fc1.weight"] = torch.zeros(32, 7)
    with pytest.raises(ExportError, match="do not fit together"):
        open_source(write_kraken(tmp_path / "small.safetensors", tensors))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("variant", ["tiny", "small"])
def test_krakens_own_code_gives_the_same(tmp_path: Path, variant: str) -> None:
    pytest.importorskip("kraken", reason="kraken is not installed in this environment")
    from kraken.lib.ppocr.model import PPOCRv6Model  # type: ignore[import-not-found]
    from kraken.models.writers import write_safetensors  # type: ignore[import-not-found]

    torch.manual_seed(2)
    codec = {letter: [label] for label, letter in enumerate(LETTERS, start=1)}
    model: Any = PPOCRv6Model(variant=variant, num_classes=CLASSES, height=96, codec=codec, one_channel_mode="L").eval()
    write_safetensors([model], tmp_path / "small.safetensors")
    source = open_source(tmp_path / "small.safetensors")
    ink = torch.from_numpy(source.line_input.of(np.asarray(draw_line("the keeper of tide tables", 70))))
    with torch.inference_mode():
        expected = model.nn(ink.expand(-1, 3, -1, -1), torch.tensor([ink.shape[3]]))[0][:, :, 0].transpose(1, 2)
        assert float((source.network(ink) - expected).abs().max()) < 1e-4
