"""Learning with torch, on drawn script faces: from corrections in PAGE to a model that reads better, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

torch = pytest.importorskip("torch", reason="the learn extra (torch) is not installed")

from carrel.errors import CarrelError, UsageError  # noqa: E402
from carrel.formats import FORMATS  # noqa: E402
from carrel.models.folders import open_model, shipped_folder  # noqa: E402
from carrel.page import Page  # noqa: E402
from carrel.review.training_lines import LineRow, write_pack  # noqa: E402
from carrel_cli import review  # noqa: E402
from carrel_export.learn import fine_tune, learn  # noqa: E402
from carrel_export.learn.command import command  # noqa: E402
from drawn_lines import hand, handwritten_page, texts  # noqa: E402

PARENT = shipped_folder("handwriting-fast")
if not (PARENT / "weights.safetensors").exists():
    pytest.skip("the weights that learning starts from are not installed", allow_module_level=True)


def pack(file: Path, wrong: bool = False) -> Path:
    right = texts(30)
    told = right[11:] + right[:11] if wrong else right
    rows = [
        (LineRow(f"{n:02d}.png", told[n], str(n // 6), "train"), np.asarray(hand(text))) for n, text in enumerate(right)
    ]
    write_pack(file, rows)
    return file


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tune, "FEWEST_VIEWS", 300)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments), "-q"])


def drawn_page(file: Path, read_as: str | None = None) -> Page:
    """A scan of 30 lines, and its page: every line read as ``read_as``, or right."""
    scan, page = handwritten_page(read_as, file.name)
    scan.save(file)
    return page


def test_from_a_page_to_a_model_that_reads_it_better(tmp_path: Path) -> None:
    """A page as read, its lines corrected in PAGE, taken back by review, learned; and what the model says of itself."""
    scans, out, fixed = tmp_path / "in", tmp_path / "out", tmp_path / "fixed"
    for folder in (scans, out, fixed):
        folder.mkdir()
    (out / "deed.json").write_bytes(FORMATS["json"].write(drawn_page(scans / "deed.png", "misread")))
    (fixed / "deed.page.xml").write_bytes(FORMATS["page"].write(drawn_page(scans / "deed.png")))
    told = CliRunner().invoke(review.command, [str(out), "--corrected", str(fixed)])
    assert "30 lines corrected" in told.output, told.output
    model = tmp_path / "models" / "deed"
    result = run(out, "--images", scans, "--to", model)
    assert result.exit_code == 0, result.exception
    opened = open_model(model, "recognition")
    learned = opened.manifest.learned
    assert learned is not None and not opened.verify() and opened.manifest.parent.startswith("handwriting-fast@")
    assert (learned.lines, learned.kept_lines, learned.pages, learned.collections) == (24, 6, 1, ["out"])
    assert learned.cer_after < learned.cer_before and learned.certainty >= 0.9
    assert "keeper" not in (model / "manifest.json").read_text("utf-8")  # never the text
    assert [path.name for path in model.parent.iterdir()] == ["deed"]
    again = run(pack(tmp_path / "p.zip"), "--from", model, "--to", tmp_path / "child")
    assert isinstance(again.exception, UsageError) and "was learned itself" in str(again.exception)


def test_wrong_texts_for_right_pictures_are_refused(tmp_path: Path) -> None:
    old = tmp_path / "model"
    shutil.copytree(PARENT, old)
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    result = run(pack(tmp_path / "wrong.zip", wrong=True), "--to", old)
    assert isinstance(result.exception, CarrelError) and result.exception.exit_code == 3
    assert "not published" in str(result.exception) and "before" in str(result.exception)
    assert before == {path.name: path.read_bytes() for path in old.iterdir()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "wrong.zip"]


def test_a_parent_without_weights_is_refused(tmp_path: Path) -> None:
    shutil.copytree(PARENT, tmp_path / "model", ignore=shutil.ignore_patterns("weights*"))
    result = run(pack(tmp_path / "p.zip"), "--from", tmp_path / "model", "--to", tmp_path / "m")
    assert isinstance(result.exception, UsageError) and "carrel-models-full" in str(result.exception)


def test_a_kill_leaves_no_model_and_the_next_run_cleans_up(tmp_path: Path) -> None:
    target = tmp_path / "model"
    arguments = [str(pack(tmp_path / "p.zip")), "--to", str(target)]
    code = "from carrel_export.learn.command import command; command()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        scratch = tmp_path / ".model.learning"
        while not scratch.exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not target.exists() and scratch.is_dir()
    (scratch / "half").write_text("a model")
    with learn.scratch_for(target) as empty:
        assert not list(empty.iterdir())
        with pytest.raises(UsageError, match="another carrel learns"), learn.scratch_for(target):
            pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.zip"]


def test_the_way_back_is_exact() -> None:
    from carrel_export.handwriting.network import Crnn
    from carrel_export.handwriting.sizes import CrnnConfig

    torch.manual_seed(0)
    network = Crnn(CrnnConfig(classes=5))
    before = {name: weights.clone() for name, weights in network.state_dict().items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    after = fine_tune.towards(network, before, 0.5).state_dict()
    assert all(torch.allclose(after[n], before[n] + 0.5) for n, _ in network.named_parameters())


def test_a_new_character_begins_as_its_base_letter() -> None:
    from carrel_export.handwriting.training import load_network

    network, known, _ = load_network(PARENT)
    alphabet = "".join(sorted({*known, "\u0175"}))
    base = network.head.weight[known.index("w") + 1].clone()
    wider = fine_tune.extended(network, known, alphabet)
    assert torch.equal(wider.head.weight[alphabet.index("\u0175") + 1], base)
    assert wider.head.weight.shape[0] == len(alphabet) + 1
    assert json.dumps(alphabet)  # it can be written to a manifest
