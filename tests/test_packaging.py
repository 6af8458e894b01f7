"""What goes into the wheels and the bundle, and what is made from the help of the commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from build_bundle import notice, sbom
from build_share import COMPLETIONS, main, man_pages
from carrel.models.folders import model_folders, open_model
from carrel_cli.main import OWN_COMMANDS

ROOT = Path(__file__).parents[1]


def test_the_second_wheel_brings_what_the_first_leaves_out() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    full = tomllib.loads((ROOT / "models/full/pyproject.toml").read_text("utf-8"))
    brought = full["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    excluded = {path for pattern in wheel["exclude"] for path in ROOT.glob(pattern)}
    assert {(ROOT / "models/full" / path).resolve() for path in brought} == excluded
    assert all(path == f"../{target}" for path, target in brought.items())


def test_models_of_the_first_wheel_are_whole(tmp_path: Path) -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    excluded = [pattern.rpartition("/")[2] for pattern in wheel["exclude"]]
    for folder in model_folders():
        copy = Path(shutil.copytree(folder, tmp_path / folder.name, ignore=shutil.ignore_patterns(*excluded)))
        assert open_model(copy).verify() == ()


def test_every_command_has_a_page_and_every_option_is_in_it() -> None:
    pages = dict(man_pages())
    assert pages.keys() == {"carrel.1", *(f"carrel-{name}.1" for name in OWN_COMMANDS)}
    assert r"\-\-language\-model" in pages["carrel-read.1"]
    for name in OWN_COMMANDS:
        assert name in pages["carrel.1"]


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_pages_are_roff_without_faults(tmp_path: Path) -> None:
    main(tmp_path)
    for page in sorted((tmp_path / "man" / "man1").iterdir()):
        command = ["groff", "-man", "-Tutf8", "-ww", str(page)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr == "", page.name
        assert "SYNOPSIS" in re.sub(".\x08", "", done.stdout)  # bold: struck twice


def test_completions_are_those_of_the_command(tmp_path: Path) -> None:
    main(tmp_path)
    for name in COMPLETIONS:
        assert "_CARREL_COMPLETE" in (tmp_path / name).read_text("utf-8")


def test_notice_and_parts_list_name_every_package_with_its_licence(tmp_path: Path) -> None:
    info = tmp_path / "site" / "some_part-1.2.dist-info"
    (info / "licenses").mkdir(parents=True)
    (info / "licenses" / "LICENSE.txt").write_text("May be used.", "utf-8")
    (tmp_path / "site" / "some_part.libs").mkdir()
    (tmp_path / "site" / "some_part.libs" / "libinner.so.3").touch()
    (tmp_path / "lib").mkdir()
    packages = [{"name": "some-part", "version": "1.2", "licence": "MIT", "folder": str(info)}]
    text = notice(tmp_path, packages, {"version": "3.11.2"})
    assert "some-part 1.2: MIT" in text and "holds libinner.so.3" in text and "May be used." in text
    parts = json.loads(json.dumps(sbom(packages, {"version": "3.11.2"})))
    assert parts["bomFormat"] == "CycloneDX"
    assert [part["purl"] for part in parts["components"]] == ["pkg:generic/python@3.11.2", "pkg:pypi/some-part@1.2"]
