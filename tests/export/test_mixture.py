"""Several networks published as one: the mean of their probabilities, read back as it was made."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")
pytest.importorskip("onnx", reason="the export extra (onnx) is not installed")

from carrel.loading import shipped_language  # noqa: E402
from carrel.models.manifest import Recognition  # noqa: E402
from carrel.review.training_lines import read_packs  # noqa: E402
from carrel_export.build import Order, publish_source  # noqa: E402
from carrel_export.handwriting.training import load_network  # noqa: E402
from carrel_export.onnx_export import runner  # noqa: E402
from carrel_export.sources.carrel import mixture  # noqa: E402
from carrel_export.sources.opening import open_source  # noqa: E402
from carrel_export.sources.source import ExportError, Source  # noqa: E402
from drawn_lines import write_pack  # noqa: E402

MODELS = Path(str(resources.files("carrel_models")))


@pytest.fixture(scope="module")
def first() -> Source:
    return open_source(MODELS / "handwriting-fast")


@pytest.fixture(scope="module")
def other(first: Source) -> Source:
    """The same network with slightly other weights."""
    source = open_source(MODELS / "handwriting-fast")
    torch.manual_seed(3)
    with torch.no_grad():
        for weights in source.network.parameters():
            weights.add_(torch.randn_like(weights), alpha=0.003)
    return source


def test_mixture_is_the_mean_of_probabilities(first: Source, other: Source) -> None:
    ink = torch.rand(1, 1, 48, 160)
    with torch.inference_mode():
        expected = (first.network(ink).softmax(-1) + other.network(ink).softmax(-1)) / 2
        assert torch.allclose(mixture([first, other]).network(ink).exp(), expected, atol=1e-6)


def test_published_mixture_is_read_back(first: Source, other: Source, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "drawn.zip", 12, 12)
    train, val = (list(read_packs(tmp_path, (split,), [pack.stem])) for split in ("train", "val"))
    language = shipped_language()
    order = Order("mixed", train, val, language, gate=0.03, with_weights=True, say=lambda _: None)
    mixed = mixture([first, other])
    manifest = publish_source(mixed, order, tmp_path / "mixed").manifest_as(Recognition)
    assert manifest.parameters == 2 * first.facts["parameters"]
    assert len(manifest.networks or []) == 2
    again = open_source(tmp_path / "mixed")
    line = first.line_input.of(val[0].gray)
    with torch.inference_mode():
        expected, read = (source.network(torch.from_numpy(line))[0].exp().numpy() for source in (mixed, again))
    assert np.abs(expected - read).max() < 0.02  # weights are kept in half precision
    assert np.abs(expected - np.exp(runner(tmp_path / "mixed" / "model.fp32.onnx")(line))).max() < 1e-3
    with pytest.raises(ExportError, match="mixes 2 networks"):
        load_network(tmp_path / "mixed")


def test_networks_of_other_alphabets_are_not_mixed(first: Source) -> None:
    turned = dataclasses.replace(first, alphabet=first.alphabet[::-1])
    with pytest.raises(ExportError, match="different alphabets"):
        mixture([first, turned])
