"""``carrel models`` in-process, on the shipped models and on damaged copies."""

from __future__ import annotations

import json
import shutil
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from carrel.errors import ModelError, UsageError
from carrel.models.folders import open_model
from carrel_cli.main import cli

SHIPPED = Path(str(resources.files("carrel_models")))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["models", *map(str, arguments)])


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in ("writing", "segmenter"):
        shutil.copytree(SHIPPED / name, tmp_path / name)
    return tmp_path


def test_shipped_models_are_listed_with_task_size_and_licence() -> None:
    rows = [line.split() for line in run("list").stdout.splitlines()]
    assert ["segmenter", "segmentation"] in [row[:2] for row in rows]
    assert all(row[3] == "MB" and row[4] == "CC-BY-SA-4.0" for row in rows)


def test_languages_and_scripts_that_handwriting_and_print_are_read_in_are_listed() -> None:
    listed = run("list")
    rows = {line.split()[0]: line for line in listed.stdout.splitlines()}
    assert "English, French (Latin script)" in rows["handwriting-fast"]
    assert "any language" in rows["segmenter"]
    assert "eng (English)" in listed.stderr


def test_show_names_files_figures_and_sources() -> None:
    shown = run("show", "handwriting-fast").stdout
    manifest = open_model(SHIPPED / "handwriting-fast").manifest
    for entry in manifest.files.values():
        assert entry.sha256 in shown
    assert f"figure val_cer_greedy_int8: {manifest.figures['val_cer_greedy_int8']}" in shown
    assert "trained on tapus, Tapuscorpus (typescripts), CC-BY 4.0" in shown
    assert "licence: CC-BY-SA-4.0" in shown


def learned_model(folder: Path) -> Path:
    """A model that says that it was learned."""
    shutil.copytree(SHIPPED / "writing", folder, ignore=shutil.ignore_patterns("card.md"))
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    rates = {
        "cer_before": 0.183,
        "cer_before_interval": [0.15, 0.21],
        "cer_after": 0.118,
        "cer_after_interval": [0.1, 0.14],
    }
    counts = {"pages": 3, "lines": 40, "kept_lines": 10, "certainty": 1.0, "share": 0.75}
    told = {"parent": "handwriting-fast@0123", "learned": {"collections": ["sermons"], **counts, **rates}}
    (folder / "manifest.json").write_text(json.dumps({**manifest, **told}), "utf-8")
    return folder


def test_what_was_learned_from_what_is_listed(tmp_path: Path) -> None:
    learned_model(tmp_path / "models" / "a")
    said = (
        "learned from 50 lines of 3 pages in sermons, beginning as handwriting-fast@0123: CER 18.3% before, 11.8% now, on"
        " 10 lines kept apart"
    )
    assert said in run("list", tmp_path / "models").stdout and said in run("show", tmp_path / "models" / "a").stdout


def test_a_model_is_moved_and_its_collection_follows(tmp_path: Path) -> None:
    model, scans = learned_model(tmp_path / "models" / "a"), tmp_path / "scans"
    scans.mkdir()
    (scans / "carrel.toml").write_text('languages = "fr"\nmodel = "../models/a"  # first try\ndeskew = true\n', "utf-8")
    told = run("move", model, tmp_path / "best" / "b", "--collection", scans)
    assert told.exit_code == 0, told.exception
    assert not model.exists() and not open_model(tmp_path / "best" / "b").verify()
    assert (scans / "carrel.toml").read_text() == 'languages = "fr"\nmodel = "../best/b"\ndeskew = true\n'
    assert run("delete", tmp_path / "best" / "b", "--yes").exit_code == 0
    assert not list((tmp_path / "best").iterdir())


def test_what_is_no_model_of_ones_own_stays(tmp_path: Path) -> None:
    model = learned_model(tmp_path / "a")
    (model / "notes.txt").write_text("mine")
    for arguments, reason in (
        (("delete", model, "--yes"), "also holds notes.txt"),
        (("move", model, tmp_path / "b"), "also holds notes.txt"),
        (("delete", SHIPPED / "writing", "--yes"), "ships with Carrel"),
        (("move", learned_model(tmp_path / "c"), tmp_path / "a"), "is there already"),
    ):
        told = run(*arguments)
        assert isinstance(told.exception, UsageError) and reason in str(told.exception)
    assert isinstance(run("delete", tmp_path, "--yes").exception, ModelError)
    assert (model / "notes.txt").exists() and (SHIPPED / "writing" / "manifest.json").exists()


def test_whole_models_verify() -> None:
    result = run("verify")
    assert result.exit_code == 0
    assert all(line.endswith(": whole") for line in result.stdout.splitlines())


def test_what_the_small_wheel_leaves_out_is_told(models: Path) -> None:
    next((models / "segmenter").glob("*.fp32.onnx")).unlink()
    result = run("verify", models)
    assert result.exit_code == 0
    assert "segmenter: whole; without segmenter.fp32.onnx, which carrel-models-full brings" in result.stdout


def test_damaged_model_is_named_and_the_others_still_verified(models: Path) -> None:
    damaged = models / "segmenter" / open_model(models / "segmenter").manifest.files["onnx"].path
    contents = bytearray(damaged.read_bytes())
    contents[1000] ^= 4
    damaged.write_bytes(contents)
    result = run("verify", models)
    assert isinstance(result.exception, ModelError)
    assert result.exception.exit_code == 4
    assert f"{damaged}: the model file is damaged" in result.stderr
    assert result.stdout == f"{models}/segmenter: damaged\n{models}/writing: whole\n"


def test_manifest_of_another_version_is_refused_and_the_others_listed(models: Path) -> None:
    path = models / "segmenter" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"format_version": 3}), "utf-8")
    result = run("list", models)
    assert isinstance(result.exception, ModelError)
    assert "format version 1 or 2" in str(result.exception)
    assert result.stdout.startswith("writing ")


def test_folder_without_models(tmp_path: Path) -> None:
    for words in (["list", tmp_path], ["verify", tmp_path], ["show", tmp_path], ["show", "no-such-model"]):
        assert isinstance(run(*words).exception, ModelError)


def test_control_characters_of_a_manifest_do_not_reach_the_terminal(models: Path) -> None:
    path = models / "writing" / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    hostile = {"licence": "\x07", "figures": {"\x1b[31m": "\x1b"}, "training_sources": {"a": {"cite": "\x1b"}}}
    path.write_text(json.dumps(manifest | hostile), "utf-8")
    for words in (["list", models], ["show", models / "writing"]):
        result = run(*words)
        assert result.exception is None
        assert "\x1b" not in result.stdout
        assert "\x07" not in result.stdout
    path.write_text(json.dumps(manifest | {"name": "\x1b[31mred", "\x1b": 1, "files": {"\x1b": 3}}), "utf-8")
    for words in (["list", models], ["show", models / "writing"], ["verify", models]):
        result = run(*words)
        assert isinstance(result.exception, ModelError)
        assert "$.name: must be 1 to 120 characters in one line" in f"{result.exception} {result.stderr}"
        assert "\x1b" not in f"{result.exception} {result.output}"


@pytest.mark.skipif(find_spec("torch") is not None, reason="the export extra is installed here")
def test_export_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    words = ["export", "best.pt", "--to", str(tmp_path / "model"), "--calibration", "lines.zip"]
    result = CliRunner().invoke(cli, words)
    assert isinstance(result.exception, UsageError)
    assert "torch" in str(result.exception)
    assert "carrel[export]" in str(result.exception)
    assert not (tmp_path / "model").exists()
