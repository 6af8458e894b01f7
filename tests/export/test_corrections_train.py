"""A pack of corrected lines, as ``carrel review --keep`` writes it, trains a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

torch = pytest.importorskip("torch", reason="the export extra (torch) is not installed")

from carrel.formats import FORMATS  # noqa: E402
from carrel.identity import with_ids  # noqa: E402
from carrel.page import Correction, Line, Page, Region, Source, Writing  # noqa: E402
from carrel_cli.review import command  # noqa: E402
from carrel_export.handwriting.training import Trainer, TrainingOptions  # noqa: E402
from drawn_lines import WORDS, draw_line  # noqa: E402


def drawn_page(file: Path, lines: int) -> Page:
    """A scan with drawn lines, each read wrongly and corrected."""
    rng = np.random.default_rng(3)
    scan = Image.new("L", (900, 80 * lines + 40), 230)
    made: list[Line] = []
    for n in range(lines):
        text = " ".join(rng.choice(WORDS, 3))
        picture, top = draw_line(text), 20 + 80 * n
        scan.paste(picture, (30, top))
        right, foot = 30 + picture.width, top + 64
        polygon = ((30, top), (right, top), (right, foot), (30, foot))
        correction = Correction(text, "Ann", "2026-01-31T12:00:00Z", "corrected")
        baseline = ((30, top + 46), (right, top + 46))
        made.append(Line(baseline, polygon, Writing("handwritten", 1.0), "wrong", 0.3, correction=correction))
    scan.save(file)
    return Page(*scan.size, None, with_ids((Region("MainZone", (), tuple(made)),)), Source(file.name))


def test_a_pack_of_review_trains_20_steps(tmp_path: Path) -> None:
    scans, out, kept = tmp_path / "in", tmp_path / "out", tmp_path / "kept"
    for folder in (scans, out):
        (folder / "1902").mkdir(parents=True)
    page = drawn_page(scans / "1902/deed.png", 40)
    (out / "1902/deed.json").write_bytes(FORMATS["json"].write(page))
    result = CliRunner().invoke(command, [str(out), "--images", str(scans), "--keep", str(kept)])
    assert result.exit_code == 0 and "40 lines kept" in result.stdout, result.output
    options = TrainingOptions(lines=20 * 8, max_lines_per_batch=8, columns_per_batch=8 * 600, augmentation=0.0)
    trainer = Trainer(tmp_path / "run", kept, options)
    assert {sample.text for sample in (*trainer.train, *trainer.val)} == {line.final_text for line in page.lines}
    before = {name: weights.clone() for name, weights in trainer.network.state_dict().items()}
    trainer.run()
    assert trainer.step >= 20
    assert any(not torch.equal(weights, before[name]) for name, weights in trainer.network.state_dict().items())
