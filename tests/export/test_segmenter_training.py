"""Training of the line segmenter on two drawn pages."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel_export.feeding import Feed  # noqa: E402
from carrel_export.segmentation import training  # noqa: E402
from carrel_export.segmentation.pages import read_pages, target_maps  # noqa: E402
from carrel_export.segmentation.training import SegmenterOptions, SegmenterTrainer, windows_from  # noqa: E402

SMALL = SegmenterOptions(windows=6, window_px=64, batch=2, warmup_steps=2)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pack") / "pages.zip"
    image = Image.new("L", (200, 160), 240)
    lines: list[dict[str, object]] = []
    for y in range(30, 150, 30):
        ImageDraw.Draw(image).line([(20, y), (180, y)], fill=20, width=5)
        polygon = [[20, y - 12], [180, y - 12], [180, y + 4], [20, y + 4]]
        lines.append({"text": "tide tables", "baseline": [[20, y], [180, y]], "polygon": polygon})
    png = io.BytesIO()
    image.save(png, "PNG")
    with zipfile.ZipFile(file, "w") as archive:
        rows = [{"image": f"{s}.png", "split": s, "source": "drawn", "lines": lines} for s in ("train", "val")]
        archive.writestr("pages.jsonl", "\n".join(map(json.dumps, rows)))
        for split in ("train", "val"):
            archive.writestr(f"{split}.png", png.getvalue())
    return file


def test_several_feeders_give_the_windows_of_one(pack: Path) -> None:
    pages = read_pages(pack, "train")
    batches_of = partial(windows_from, pages, [target_maps(page) for page in pages], SMALL, 5)
    several, one = (Feed(batches_of, count=n) for n in (3, 1))
    try:
        for _ in range(7):
            for parts in zip(several.next(), one.next(), strict=True):
                assert np.array_equal(*parts)
                assert parts[0].dtype == np.uint8 and parts[0].any()
    finally:
        several.close()
        one.close()


def test_a_run_with_several_feeders_ends_as_with_one(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "RENDERED_PAGES", 2)
    for count in (1, 3):
        SegmenterTrainer(tmp_path / str(count), [pack], replace(SMALL, feeders=count)).run()
    one, several = (torch.load(tmp_path / str(n) / "weights.pt", weights_only=True) for n in (1, 3))
    begun = SegmenterTrainer(tmp_path / "begun", [pack], SMALL).average.state_dict()
    assert any(not torch.equal(one[name], begun[name]) for name in one)
    for name, weights in one.items():
        assert torch.allclose(weights, several[name], atol=1e-4), name


def test_no_feeder_is_refused(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["training", "--pack", str(pack), "--out", str(tmp_path), "--feeders", "0"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as stopped:
        training.main()
    assert stopped.value.code == 2
