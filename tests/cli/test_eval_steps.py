"""``carrel eval --steps`` on a piece of a page that ships with the project."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from carrel.errors import InputError
from carrel.options import ReadOptions
from carrel_cli.common.steps import HANDWRITING, PRINT, STEPS, scan_files
from carrel_cli.evaluate import command

PAGES = Path(__file__).parents[1] / "pages"


def test_each_step_is_read_and_compared(tmp_path: Path) -> None:
    with Image.open(PAGES / "french.jpg") as image:
        image.crop((0, 0, image.width, 620)).save(tmp_path / "head.png")
    ground_truth, told = tmp_path / "other-name.gt.txt", tmp_path / "steps.json"
    ground_truth.write_text("\n".join((PAGES / "french.gt.txt").read_text("utf-8").splitlines()[:6]), "utf-8")
    arguments = [ground_truth, tmp_path / "head.png", "--steps", "--lang", "fra", "--json", told]
    result = CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0
    data = json.loads(told.read_text("utf-8"))
    steps = {step["name"]: step for step in data["steps"]}
    routes = {route["name"]: route for route in data["routes"]}
    assert list(steps) == list(STEPS) and all(name in result.stdout for name in STEPS)
    assert steps["as set"]["cer"] == data["totals"]["as is"]["cer"] < 0.3
    first = steps["as set"]["cer"]
    assert [step["change"] for step in data["steps"]] == [step["cer"] - first for step in data["steps"]]
    assert len({step["cer"] for step in data["steps"]}) > 1
    assert steps[PRINT]["cer"] == routes["tesseract"]["cer"] and steps[HANDWRITING]["cer"] == routes["ctc"]["cer"]
    assert routes["best of all"]["cer"] <= min(routes["ctc"]["cer"], routes["tesseract"]["cer"])
    read = [line for line in data["documents"][0]["lines"] if line["read"]]
    assert routes["ctc"]["lines"] == routes["tesseract"]["lines"] == len(read) > 3


def test_scans_without_ground_truth_are_refused(tmp_path: Path) -> None:
    for name in ("a.gt.txt", "b.gt.txt"):
        (tmp_path / name).write_text("word")
    with pytest.raises(InputError, match="has the name of a ground truth"):
        CliRunner().invoke(command, [str(tmp_path), str(PAGES), "--steps"], catch_exceptions=False)
    assert list(scan_files([PAGES])) == [
        "french",
        "letter",
        "two-columns",
        "a4/a4-caladea",
        "a4/a4-ebgaramond12",
        "a4/a4-oldstandard",
    ]


def test_every_step_is_left_out_of_a_collection_with_words(tmp_path: Path) -> None:
    words = tmp_path / "names.txt"
    words.write_text("Kervadec", "utf-8")
    options = ReadOptions(words=words)
    assert [replace(options, **changes).words for changes in STEPS.values()].count(None) == 1
