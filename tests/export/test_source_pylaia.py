"""PyLaia's checkpoints read the same through Carrel.

PyLaia needs an older Python and torch than Carrel: its part runs in an environment of its own, whose interpreter
``CARREL_PYLAIA_PYTHON`` names (``pip install pylaia==1.0.7`` on Python 3.10).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_lines import draw_line

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel_export.sources.opening import open_source  # noqa: E402
from carrel_export.sources.pylaia import LaiaNetwork  # noqa: E402
from carrel_export.sources.source import ExportError  # noqa: E402

INTERPRETER = os.environ.get("CARREL_PYLAIA_PYTHON")
ARGUMENTS: dict[str, Any] = {
    "num_input_channels": 1,
    "num_output_labels": 4,
    "cnn_num_features": [4, 4],
    "cnn_kernel_size": [3, 3],
    "cnn_stride": [1, 1],
    "cnn_dilation": [1, 1],
    "cnn_activation": [torch.nn.LeakyReLU, torch.nn.LeakyReLU],
    "cnn_poolsize": [2, 2],
    "cnn_batchnorm": [True, True],
    "image_sequencer": "none-16",
    "rnn_units": 6,
    "rnn_layers": 1,
}


@pytest.mark.skipif(not INTERPRETER, reason="CARREL_PYLAIA_PYTHON names no interpreter that has PyLaia")
@pytest.mark.parametrize("sequencer", ["none-32", "avgpool-6", "maxpool-5"])
def test_small_model_made_by_pylaia(tmp_path: Path, sequencer: str) -> None:
    draw_line("waited a quarter hour", 90).save(tmp_path / "line.png")
    script = Path(__file__).with_name("make_pylaia.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    subprocess.run([str(INTERPRETER), str(script), str(tmp_path), sequencer], check=True, env=environment)
    source = open_source(tmp_path / "experiment" / "epoch=3.ckpt")
    assert source.alphabet == "abcdefghijklmnopqrstuvwxyz "
    assert source.line_input.height_px == 128
    assert source.stride_px == 4
    expected = np.load(tmp_path / "expected.npz")
    with torch.inference_mode():
        logits = source.network(torch.from_numpy(expected["line"]))[0].numpy()
    assert logits.shape == expected["logits"].shape
    assert np.abs(logits - expected["logits"]).max() < 1e-4
    ours = source.line_input.of(np.asarray(draw_line("waited a quarter hour", 90)))
    assert np.abs(ours - expected["line"]).max() <= 1.01 / 255  # inverted before scaling there, after it here


def _write(
    folder: Path, arguments: dict[str, Any] = ARGUMENTS, symbols: str = "<ctc> 0\na 1\nb 2\n<space> 3\n"
) -> Path:
    (folder / "run").mkdir()
    torch.save({"module": "laia.models.htr", "name": "LaiaCRNN", "args": (), "kwargs": arguments}, folder / "model")
    (folder / "syms.txt").write_text(symbols, "utf-8")
    torch.manual_seed(0)
    weights = LaiaNetwork(ARGUMENTS).state_dict()
    torch.save({"state_dict": {f"model.{k}": v for k, v in weights.items()}}, folder / "run" / "a.ckpt")
    return folder / "run" / "a.ckpt"


def test_network_symbols_and_height_come_from_the_files_beside(tmp_path: Path) -> None:
    source = open_source(_write(tmp_path))
    assert (source.alphabet, source.line_input.height_px, source.stride_px) == ("ab ", 64, 4)
    assert source.line_input.kind == "inverted"


def test_files_that_are_missing_are_all_named(tmp_path: Path) -> None:
    checkpoint = _write(tmp_path)
    (tmp_path / "model").unlink()
    (tmp_path / "syms.txt").unlink()
    with pytest.raises(ExportError) as caught:
        open_source(checkpoint)
    assert len(caught.value.problems) == 2


def test_networks_that_carrel_cannot_run_are_refused_with_every_reason(tmp_path: Path) -> None:
    arguments = ARGUMENTS | {"num_input_channels": 3, "vertical_text": True, "rnn_type": torch.nn.RNN}
    with pytest.raises(ExportError) as caught:
        open_source(_write(tmp_path, arguments, "a 0\nb 1\n"))
    assert len(caught.value.problems) == 5


def test_weights_of_another_network(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="do not fit"):
        open_source(_write(tmp_path, ARGUMENTS | {"rnn_units": 7}))
