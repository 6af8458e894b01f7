"""Training on a tiny set of drawn lines: batches, and a run that is killed and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel.review.training_lines import read_packs  # noqa: E402
from carrel_export.feeding import Feed  # noqa: E402
from carrel_export.handwriting.augment import MARGIN_PX, augment, to_input  # noqa: E402
from carrel_export.handwriting.feeding import augmented, without_end  # noqa: E402
from carrel_export.handwriting.network import Crnn, GatedBlock, Mixture, along_in_windows  # noqa: E402
from carrel_export.handwriting.sizes import SIZES, CrnnConfig  # noqa: E402
from carrel_export.handwriting.training import (  # noqa: E402
    Trainer,
    TrainingOptions,
    ctc_loss,
    divergence,
    grown,
    with_alphabet,
)
from carrel_export.lines import batches, collate, encode  # noqa: E402
from carrel_export.optimizer import MuonAdamW  # noqa: E402
from carrel_export.sources.source import ExportError  # noqa: E402
from drawn_lines import write_pack  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs")
    write_pack(folder / "drawn.zip", train=64, val=8)
    return folder


def _command(packs: Path, out: Path) -> list[str]:
    options = ["--out", str(out), "--lines", "500", "--checkpoint-every", "0"]
    return [sys.executable, "-m", "carrel_export", "train", str(packs), *options]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'export'}:{ROOT / 'engine'}", "OMP_NUM_THREADS": "1"}


def test_killed_run_ends_where_an_undisturbed_one_does(packs: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(_command(packs, whole), check=True, capture_output=True, env=_environment())
    process = subprocess.Popen(
        _command(packs, killed), stderr=subprocess.DEVNULL, env=_environment(), start_new_session=True
    )
    try:
        deadline = time.monotonic() + 120
        while not (killed / "state.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.0)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    step = torch.load(killed / "state.pt", weights_only=True)["step"]
    subprocess.run(_command(packs, killed), check=True, capture_output=True, env=_environment())
    expected = torch.load(whole / "state.pt", weights_only=True)
    resumed = torch.load(killed / "state.pt", weights_only=True)
    assert 0 < step < resumed["step"] == expected["step"]
    for name, weights in expected["network"].items():
        assert torch.allclose(weights.float(), resumed["network"][name].float(), atol=1e-4), name


def test_two_processes_train_one_network(packs: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    subprocess.run(
        [*torchrun, *_command(packs, tmp_path / "run")[1:]], check=True, capture_output=True, env=_environment()
    )
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    rows = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines()]
    assert state["lines_seen"] >= 500
    assert state["step"] < 500 / 8 / 1.5, "each step should see the lines of two batches"
    assert sum("cer_all" in row for row in rows) == 1, "one process alone should validate"


def test_processes_share_the_batches_of_an_epoch(packs: Path) -> None:
    samples = list(read_packs(packs, ("train",)))
    options = TrainingOptions(columns_per_batch=2_000, max_lines_per_batch=8)

    def shown(first: int, share: tuple[int, int]) -> list[int]:
        return [after for *_, after in augmented(samples, 48, "abcdefghij ", options, 0, first, share)]

    alone, apart = shown(0, (0, 1)), [shown(0, (rank, 2)) for rank in (0, 1)]
    assert sorted(apart[0] + apart[1]) == alone
    assert shown(apart[0][1], (0, 2)) == apart[0][2:], "resumed, a process should go on after its last batch"


def test_several_feeders_give_the_batches_of_one(packs: Path) -> None:
    samples = list(read_packs(packs, ("train",)))
    options = TrainingOptions(columns_per_batch=2_000, max_lines_per_batch=8)
    batches_from = partial(augmented, samples, 48, "abcdefghij ", options)
    count = len(list(augmented(samples, 48, "abcdefghij ", options, 0, 0)))
    several, one = (Feed(partial(without_end, batches_from, 0, 0), count=n) for n in (3, 1))
    try:
        for place in range(count // 3 * 3):
            (images, targets, *at), (same, texts, *there) = several.next(), one.next()
            assert (at, targets) == (there, texts) == ([0, place + 1], targets)
            assert images.dtype == np.uint8 and np.array_equal(images, same)
    finally:
        several.close()
        one.close()


def test_a_gated_block_reads_the_same_in_windows() -> None:
    torch.manual_seed(4)
    block, frames = GatedBlock(12), torch.randn(2, 12, 1, 30)
    assert torch.allclose(along_in_windows(block.along.weight, frames), block.along(frames), atol=1e-5)


def test_every_line_is_in_one_batch() -> None:
    widths = np.random.default_rng(1).integers(40, 1500, 500)
    for rng in (None, np.random.default_rng(2)):
        groups = batches(widths, 12_000, 48, rng)
        assert sorted(i for group in groups for i in group) == list(range(500))
        assert all(len(g) <= 48 for g in groups)


def test_batch_is_padded_with_paper_to_whole_steps() -> None:
    batch = collate([np.ones((48, 70), np.float32), np.ones((48, 130), np.float32)])
    assert batch.shape == (2, 1, 48, 192)
    assert (batch[0, 0, :, 70:] == 0).all()


def test_characters_outside_the_alphabet_lose_their_accent_or_are_left_out() -> None:
    assert encode("aḿ€", "am") == [1, 2]


def test_wider_alphabet_keeps_what_is_known() -> None:
    torch.manual_seed(1)
    narrow = Crnn(CrnnConfig(classes=4, **SIZES["fast"])).eval()
    wide = with_alphabet(narrow, "ace", "abcde").eval()
    ink = torch.rand(1, 1, 48, 64)
    with torch.inference_mode():
        known, all_classes = narrow(ink), wide(ink)
    assert torch.allclose(known, all_classes[..., [0, 1, 3, 5]], atol=1e-6)
    assert bool((wide.head.bias.detach()[[2, 4]] <= narrow.head.bias.detach().min()).all())


def test_some_views_have_margins_and_some_are_cut() -> None:
    gray = np.full((64, 400), 230, np.uint8)
    gray[:, 40:360:8] = 25  # strokes from edge to edge
    rng = np.random.default_rng(5)
    heights = []
    for _ in range(200):
        rows = np.flatnonzero(augment(gray, 48, rng, share=0.0).max(axis=1) > 0.5)
        heights.append(len(rows) / 48)
    assert min(heights) < 0.7, "with a third of paper above and below a line stands small"
    assert np.mean(np.array(heights) > 0.9) > 0.4, "half of the views should fill the height"


def test_input_is_that_of_the_run_time() -> None:
    from carrel.image.ink import to_ink

    rng = np.random.default_rng(3)
    gray = np.clip(rng.normal(200, 20, (64, 500)), 0, 255).astype(np.uint8)
    gray[20:40, 50:450:9] = 30
    expected = to_input(gray, 48)
    actual = to_ink(gray, 48, MARGIN_PX)[0, 0]
    assert np.array_equal(actual[:, : expected.shape[1]], expected)
    assert (actual[:, expected.shape[1] :] == 0).all()


def test_gentle_views_stay_near_the_line_as_it_is_read() -> None:
    rng = np.random.default_rng(4)
    gray = np.full((64, 300), 230, np.uint8)
    gray[20:44, 40:260:8] = 30
    plain = to_input(gray, 48)

    def distance(share: float) -> float:
        views = [augment(gray, 48, rng, share) for _ in range(40)]
        return float(np.mean([abs(v.mean() - plain.mean()) + abs(v.shape[1] / plain.shape[1] - 1) for v in views]))

    assert distance(0.0) < 0.6 * distance(1.0)


def test_some_views_are_of_bitonal_scans() -> None:
    gray = np.tile(np.linspace(20, 240, 64, dtype=np.uint8)[:, None], (1, 200))  # no level but many in between
    rng = np.random.default_rng(8)
    tones = [np.mean((v > 0.2) & (v < 0.8)) for v in (augment(gray, 48, rng, 1.0) for _ in range(200))]
    bitonal = np.mean(np.array(tones) < 0.1)
    assert 0.03 < bitonal < 0.25


def test_emphasis_says_how_often_an_epoch_shows_a_source(packs: Path) -> None:
    samples = list(read_packs(packs, ("train",)))
    options = TrainingOptions(emphasis=(("drawn", 2.5),))
    shown = sum(len(targets) for _, targets, _, _ in augmented(samples, 48, "abcdefghij ", options, 0, 0))
    assert 2 * len(samples) < shown <= 3 * len(samples)


def test_a_network_grows_without_reading_otherwise() -> None:
    torch.manual_seed(5)
    small = Crnn(CrnnConfig(classes=7, **SIZES["fast"])).eval()
    ink = torch.rand(2, 1, 48, 128)
    larger = grown(small, "best")
    assert sum(p.numel() for p in larger.parameters()) > 1.3 * sum(p.numel() for p in small.parameters())
    assert torch.allclose(larger.eval()(ink), small(ink), atol=1e-5)
    with pytest.raises(ExportError, match="cannot begin"):
        grown(larger, "fast")


def test_what_was_grown_learns() -> None:
    torch.manual_seed(6)
    network = grown(Crnn(CrnnConfig(classes=7, **SIZES["fast"])), "best")
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    optimizer = MuonAdamW(network, 1e-2, 0.0)
    for _ in range(3):
        optimizer.zero_grad()
        ctc_loss(network(torch.rand(2, 1, 48, 128)), [[1, 2], [3]]).backward()
        optimizer.step()
    kept = {n for n, p in network.named_parameters() if torch.equal(p, before[n])}
    assert all(name.startswith("shortcut.") for name in kept)


def test_a_network_learns_from_a_teacher_without_text() -> None:
    torch.manual_seed(7)
    teacher, network = (Crnn(CrnnConfig(classes=7, **SIZES["fast"])).eval() for _ in range(2))
    ink = torch.rand(2, 1, 48, 128)
    with torch.no_grad():
        taught = teacher(ink)
    assert divergence(taught, taught, [[1], [2, 3]]).item() == pytest.approx(0.0, abs=1e-5)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    losses: list[float] = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = divergence(network(ink), taught, [[1], [2, 3]])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_a_teacher_of_another_alphabet_is_refused(packs: Path, tmp_path: Path) -> None:
    options = TrainingOptions(teacher=str(ROOT / "models" / "carrel_models" / "handwriting-fast"))
    with pytest.raises(ExportError, match="another alphabet"):
        Trainer(tmp_path, packs, options)


def test_a_mixture_of_networks_teaches(packs: Path, tmp_path: Path) -> None:
    models = ROOT / "models" / "carrel_models"
    options = TrainingOptions(start=str(models / "handwriting-fast"), teacher=str(models / "handwriting-best"))
    teacher = Trainer(tmp_path, packs, options).teacher
    assert isinstance(teacher, Mixture)
    with torch.no_grad():
        shown = teacher(torch.rand(1, 1, 48, 64)).exp()
    assert shown.sum(-1).numpy() == pytest.approx(1.0, abs=1e-4)
