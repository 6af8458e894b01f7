"""Models made with kraken read the same through Carrel; what its run time cannot do is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_lines import draw_line, write_pack

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel_export.sources.opening import open_source  # noqa: E402
from carrel_export.sources.source import ExportError  # noqa: E402

SPEC = "[1,32,0,1 Cr3,3,8 Mp2,2 Cr3,3,12 Do0.1,2 Mp2,2 S1(1x0)1,3 Lbx16 Do0.2,2 Lfx16 O1c{classes}]"
LETTERS = {c: [i] for i, c in enumerate("abcdefghijklmnopqrstuvwxyz ", start=1)}


@pytest.fixture(scope="module")
def vgsl() -> Any:
    """kraken's network class."""
    pytest.importorskip("kraken", reason="kraken is not installed in this environment")
    from kraken.lib.vgsl import TorchVGSLModel  # type: ignore[import-not-found]

    return TorchVGSLModel


def _save(vgsl: Any, file: Path, codec: dict[str, list[int]] = LETTERS, spec: str = SPEC, **metadata: Any) -> Any:
    """A small network of random weights, saved by kraken itself."""
    from kraken.models.writers import write_coreml, write_safetensors  # type: ignore[import-not-found]

    torch.manual_seed(3)
    classes = 1 + max(label for labels in codec.values() for label in labels)
    facts = {"model_type": ["recognition"], "seg_type": "baselines", "one_channel_mode": "L", **metadata}
    network = vgsl(vgsl=spec.format(classes=classes), codec=codec, **facts).eval()
    (write_coreml if file.suffix == ".mlmodel" else write_safetensors)([network], file)
    return network


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".safetensors", ".mlmodel"])
def test_input_logits_and_codec_are_krakens(vgsl: Any, tmp_path: Path, suffix: str) -> None:
    from kraken.lib.ctc_decoder import greedy_decoder  # type: ignore[import-not-found]
    from kraken.lib.dataset import ImageInputTransforms  # type: ignore[import-not-found]

    from carrel_export.handwriting.training import greedy

    network = _save(vgsl, tmp_path / f"small{suffix}")
    source = open_source(tmp_path / f"small{suffix}")
    prepare = ImageInputTransforms(1, 32, 0, 1, (16, 0), valid_norm=False)
    for text in ("the keeper of tide tables", "a", "waited a quarter hour"):
        image = draw_line(text, 57)
        theirs = prepare(image)[None]
        ours = source.line_input.of(np.asarray(image))
        assert theirs.shape == ours.shape
        assert np.abs(theirs.numpy() - ours).max() < 1e-6
        with torch.inference_mode():
            expected = network.nn(theirs)[0][0, :, 0]
            logits = source.network(torch.from_numpy(ours))[0]
        assert np.abs(expected.T.numpy() - logits.numpy()).max() < 1e-4
        decoded = network.codec.decode(greedy_decoder(expected.softmax(0))[0])
        assert greedy(logits.numpy(), str(source.alphabet)) == "".join(c for c, *_ in decoded)


@pytest.mark.filterwarnings("ignore")
def test_exported_model_is_read_at_run_time(vgsl: Any, tmp_path: Path) -> None:

    from carrel.backends.runtimes.ort import OrtBackend
    from carrel.loading import shipped_language
    from carrel.models.folders import open_model
    from carrel.models.manifest import Recognition
    from carrel.recognizers.ctc import CtcRecognizer
    from carrel.review.training_lines import read_packs
    from carrel_export.build import Order, publish_source

    _save(vgsl, tmp_path / "small.safetensors", license="CC0-1.0")
    lines = list(read_packs(write_pack(tmp_path / "drawn.zip", 4, 4).parent, ("train", "val")))
    language = shipped_language()
    split = {s: [line for line in lines if line.split == s] for s in ("train", "val")}
    order = Order("small", split["train"], split["val"], language, gate=2.0, say=print)
    source = open_source(tmp_path / "small.safetensors")
    manifest = publish_source(source, order, tmp_path / "model").manifest_as(Recognition)
    assert manifest.input.kind == "inverted"
    assert manifest.input.height_px == 32
    assert manifest.licence == "CC0-1.0"
    assert manifest.stride_px == 4
    model = open_model(tmp_path / "model", "recognition")
    assert model.verify() == ()
    recognizer = CtcRecognizer(model, OrtBackend(model.read_file("onnx-fp32"), model.name))
    for line in lines:
        with torch.inference_mode():
            expected = source.network(torch.from_numpy(source.line_input.of(line.gray)))[0].numpy()
        assert np.abs(recognizer.logits_of(line.gray) - expected).max() < 1e-3


@pytest.mark.filterwarnings("ignore")
def test_codec_of_graphemes_and_unused_labels(vgsl: Any, tmp_path: Path) -> None:
    codec = {"a": [1], "e\N{COMBINING TILDE}": [2], "ſt": [4]}
    _save(vgsl, tmp_path / "marks.safetensors", codec)
    assert open_source(tmp_path / "marks.safetensors").alphabet == ["a", "e\N{COMBINING TILDE}", "", "ſt"]


@pytest.mark.filterwarnings("ignore")
def test_everything_that_cannot_be_done_is_named_at_once(vgsl: Any, tmp_path: Path) -> None:
    codec = {"א": [1], "ب": [2, 3], "c": [4]}
    _save(vgsl, tmp_path / "other.safetensors", codec, seg_type="bbox", one_channel_mode="1")
    with pytest.raises(ExportError) as caught:
        open_source(tmp_path / "other.safetensors")
    assert len(caught.value.problems) == 3
    for part in ("bitonal", "centre-line", "several labels"):
        assert part in str(caught.value)


def test_file_that_is_no_model(vgsl: Any, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(ExportError, match="cannot read it"):
        open_source(tmp_path / "x.safetensors")


def test_without_kraken_the_message_says_so(tmp_path: Path) -> None:
    from importlib.util import find_spec

    if find_spec("kraken"):
        pytest.skip("kraken is installed here")
    (tmp_path / "x.mlmodel").write_bytes(b"x")
    with pytest.raises(ExportError, match="read by kraken, which is not installed"):
        open_source(tmp_path / "x.mlmodel")
