"""Damaged manifests of every kind: every fault is named with its place, by loading and by ``carrel models verify`` alike."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from carrel.errors import ModelError
from carrel.loading import LANGUAGE_MODEL
from carrel.models.folders import model_folders, open_model, shipped_folder
from carrel_cli.main import cli

Place = tuple[str | int, ...]

FREE = ("figures", "network", "networks", "kept_fp32")
"""Objects whose entries are for people, or for the training that reads them."""
MAY_BE_ABSENT = {
    *("origin", "parent", "parameters", "training_sources", "figures", "size", "network", "networks", "kept_fp32"),
    *(
        "cite",
        "lic",
        "lang",
        "century",
        "url",
        "scaling",
        "kind",
        "name",
        "meaning",
        "fitted_on",
        "precision",
        "runtime",
    ),
    *(
        "training_only",
        "inputs",
        "outputs",
        "cache",
        "class_bias",
        "lexicon_penalty",
        "character_confidence",
        "order",
        "languages",
    ),
    *("windows_trained", "width_multiple_px"),
}
ODD_NUMBERS = (math.nan, math.inf, -1e18, 1e300, 10**30)


@cache
def shipped() -> dict[str, str]:
    return {folder.name: (folder / "manifest.json").read_text("utf-8") for folder in model_folders()}


def places(value: object, at: Place = ()) -> Iterator[Place]:
    """Every place of a manifest; of a list only the first and the last."""
    if at:
        yield at
    if isinstance(value, dict) and not (at and at[0] in FREE):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) - 1} if value else ()):
            yield from places(value[index], (*at, index))


def path_of(place: Place) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)


def at(manifest: Any, place: Place) -> Any:
    for part in place:
        manifest = manifest[part]
    return manifest


def with_value(manifest: Any, place: Place, value: object) -> Any:
    changed = copy.deepcopy(manifest)
    at(changed, place[:-1])[place[-1]] = value
    return changed


def without(manifest: Any, place: Place) -> Any:
    changed = copy.deepcopy(manifest)
    del at(changed, place[:-1])[place[-1]]
    return changed


def wrong_type(value: object) -> object:
    if isinstance(value, bool):
        return "yes"
    wrong: dict[type, object] = {str: 7, int: "7", float: "0.5", list: {"a": 1}, dict: ["a"]}
    return wrong[type(value)]


def must_be_there(manifest: Any, place: Place) -> bool:
    if place[0] == "training_sources" or isinstance(place[-1], int):
        return False
    if place[0] == "files" and len(place) == 2:
        return len(manifest["files"]) == 1
    if place == ("output",):
        return manifest["task"] == "segmentation"
    return place == ("name",) or place[-1] not in MAY_BE_ABSENT


def damages(manifest: Any) -> Iterator[tuple[Place, Any]]:
    """Manifests with one fault that must be refused, and where it is."""
    for place in places(manifest):
        value = at(manifest, place)
        yield place, with_value(manifest, place, wrong_type(value))
        if must_be_there(manifest, place):
            yield place, without(manifest, place)
        if isinstance(value, int | float) and not isinstance(value, bool):
            for odd in ODD_NUMBERS:
                yield place, with_value(manifest, place, odd)


def refusal(folder: Path, manifest: Any) -> str:
    """What loading says, which must be what ``verify`` says."""
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ModelError) as caught:
        open_model(folder)
    verified = CliRunner().invoke(cli, ["models", "verify", str(folder)])
    assert isinstance(verified.exception, ModelError)
    assert str(caught.value) in verified.stderr
    assert "Traceback" not in verified.output
    return str(caught.value)


@pytest.mark.parametrize("name", ["handwriting-best", "handwriting-fast", "segmenter"])
def test_networks_in_fp32_may_be_absent_beside_int8(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(shipped_folder(name), tmp_path / "model"))
    next(folder.glob("*.fp32.onnx")).unlink()
    model = open_model(folder)
    assert model.verify() == ()
    assert [path for path in model.left_out() if "fp32" in path]
    with caplog.at_level("WARNING", "carrel"):
        assert model.manifest.files[model.network_file("fp32")].precision == "int8"
    assert "carrel-models-full" in caplog.text
    next(folder.glob("*.int8.onnx")).unlink()
    assert len(model.verify()) == 2


@pytest.mark.parametrize("name", sorted(shipped()))
def test_each_field_that_is_missing_or_wrong_is_refused_and_named(name: str, tmp_path: Path) -> None:
    count = 0
    for place, manifest in damages(json.loads(shipped()[name])):
        told = refusal(tmp_path / "model", manifest)
        if place == ("format_version",) and "format version 1 or 2" in told:
            continue
        wanted = "$.files" if place[0] == "files" and len(place) == 2 else path_of(place)
        assert wanted in told, f"{place}: {told}"
        count += 1
    assert count > 60


@pytest.mark.parametrize("name", sorted(shipped()))
def test_fields_that_may_be_absent_may(name: str, tmp_path: Path) -> None:
    manifest = json.loads(shipped()[name])
    for place in places(manifest):
        if place[-1] in MAY_BE_ABSENT and place != ("name",) and place[0] != "files":
            (tmp_path / "manifest.json").write_text(json.dumps(without(manifest, place)), "utf-8")
            assert open_model(tmp_path).task == manifest["task"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_two_faults_are_both_named(tmp_path: Path, data: st.DataObject) -> None:
    manifest = json.loads(shipped()[data.draw(st.sampled_from(sorted(shipped())))])
    faults = [d for d in damages(manifest) if d[0][0] not in ("format_version", "task")]
    first, damaged = data.draw(st.sampled_from(faults))
    second = data.draw(
        st.sampled_from([p for p in places(manifest) if p[0] not in (first[0], "format_version", "task")])
    )
    told = refusal(tmp_path / "model", with_value(damaged, second, wrong_type(at(manifest, second))))
    wanted = "$.files" if first[0] == "files" and len(first) == 2 else path_of(first)
    assert wanted in told
    assert path_of(second) in told


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800") | st.just("../x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(shipped())), number=st.integers(0, 10_000), value=VALUES)
@example(name="handwriting-fast", number=0, value=[[[[[[[[[[[[[[1]]]]]]]]]]]]]])
def test_any_value_at_any_place_is_taken_or_refused(tmp_path: Path, name: str, number: int, value: object) -> None:
    manifest = json.loads(shipped()[name])
    found = list(places(manifest))
    (tmp_path / "manifest.json").write_text(
        json.dumps(with_value(manifest, found[number % len(found)], value)), "utf-8"
    )
    try:
        open_model(tmp_path)
    except ModelError as error:
        assert str(error).isprintable()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("alphabet",), ""),
        (("alphabet",), "aba"),
        (("alphabet",), ["a", "b", "a"]),
        (("alphabet",), "a\x1bb"),
        (("alphabet",), "a\ud800"),
        (("alphabet",), "a\u2028"),
        (("alphabet",), ["a", "b" * 33]),
        (("blank",), 1),
        (("calibration", "search", "class_bias"), [0.0, 1.0]),
        (("calibration", "search", "length_bonus"), 1e3),
        (("calibration", "search", "length_bonus"), 0.0),
        (("calibration", "search", "language_weight"), 1e6),
        (("calibration", "search", "temperature"), 1e-6),
        (("calibration", "search", "beam_width"), 10**7),
        (("calibration", "search", "beam_width"), 0),
        (("calibration", "greedy", "confidence"), [1e3, 0.0]),
        (("calibration", "greedy", "confidence"), [1.0]),
        (("input", "height_px"), 10**6),
        (("input", "kind"), "centred"),
        (("stride_px",), 0),
        (("name",), "two\nlines"),
        (("files", "onnx-int8", "sha256"), "A" * 64),
        (("files", "onnx-int8", "path"), "../outside.onnx"),
        (("files", "onnx-int8", "path"), "/etc/hostname"),
        (("files", "onnx-int8", "path"), "a/../../b"),
        (("files", "onnx-int8", "path"), "a\0b"),
        (("files", "onnx-int8", "path"), ""),
        (("files", "onnx-int8", "bytes"), 10**12),
    ],
)
def test_values_that_have_the_type_but_not_the_range(place: Place, value: object, tmp_path: Path) -> None:
    told = refusal(tmp_path / "model", with_value(json.loads(shipped()["handwriting-fast"]), place, value))
    assert path_of(place) in told


def test_many_classes_with_a_wide_beam_are_refused(tmp_path: Path) -> None:
    manifest = json.loads(shipped()["handwriting-fast"])
    manifest["alphabet"] = [chr(0x4E00 + i) for i in range(20_000)]
    manifest["calibration"]["search"] |= {"beam_width": 1000, "class_bias": []}
    assert "too wide for 20,001 classes; at most 99" in refusal(tmp_path / "model", manifest)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "7", "null", "[" * 100_000, '{"a":' * 100_000, "\ufeff{}", '{"format_version": 1e999}', "9" * 5000],
)
def test_what_is_no_manifest_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text, "utf-8")
    with pytest.raises(ModelError, match="manifest is damaged"):
        open_model(tmp_path)


def test_files_for_training_alone_may_be_absent(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped_folder("handwriting-fast"), tmp_path / "model"))
    (folder / "weights.safetensors").unlink()
    assert open_model(folder).verify() == ()
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["files"]["onnx-fp32"]["training_only"] = True
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    (folder / "model.fp32.onnx").unlink()
    model = open_model(folder)
    assert model.verify() == ()
    assert model.network_file("fp32") == "onnx-int8"
    with pytest.raises(ModelError, match=r"model\.fp32\.onnx"):
        model.read_file("onnx-fp32")
    (folder / "model.int8.onnx").unlink()
    assert len(model.verify()) == 1


@pytest.mark.parametrize("name", sorted(shipped()))
def test_version_1_is_still_read(name: str, tmp_path: Path) -> None:
    manifest = json.loads(shipped()[name])
    old = copy.deepcopy(manifest) | {"format_version": 1}
    for entry in old["files"].values():
        for field in ("role", "precision", "runtime", "training_only"):
            entry.pop(field, None)
    if name == LANGUAGE_MODEL:
        sources = [{"name": key, "licence": e["lic"], "cite": e["cite"]} for key, e in old["training_sources"].items()]
        old["training_sources"] = sources
    (tmp_path / "manifest.json").write_text(json.dumps(old), "utf-8")
    read, ours = open_model(tmp_path).manifest, open_model(shipped_folder(name)).manifest
    assert read.files == ours.files
    assert [s.lic for s in read.training_sources.values()] == [s.lic for s in ours.training_sources.values()]


def test_network_that_does_not_fit_its_manifest_is_refused_with_every_misfit(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shipped_folder("handwriting-fast"), tmp_path / "model"))
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["input"]["height_px"] = 64
    manifest["alphabet"] = manifest["alphabet"][:-1]
    manifest["calibration"]["search"]["class_bias"].pop()
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    classes = len(manifest["alphabet"]) + 1
    logits = rf"'logits'.*{classes + 1}, not n x t x {classes}"
    with pytest.raises(ModelError, match=rf"'ink' of any x 1 x 48 x any, not n x 1 x 64 x width; .*{logits}"):
        open_model(folder).read_file("onnx-int8")
    writing = json.loads(shipped()["writing"])
    other = {**manifest, "files": {"onnx": writing["files"]["onnx"]}}
    shutil.copy(shipped_folder("writing") / "writing.onnx", folder)
    (folder / "manifest.json").write_text(json.dumps(other), "utf-8")
    with pytest.raises(ModelError, match="the network gives 'handwritten', not 'logits'"):
        open_model(folder).read_file("onnx")


def test_reading_says_what_verify_says(tmp_path: Path) -> None:
    manifest = json.loads(shipped()["handwriting-fast"])
    del manifest["calibration"]["search"]["language_weight"]
    del manifest["stride_px"]
    told = refusal(tmp_path / "model", manifest)
    assert "$.calibration.search.language_weight: is missing" in told
    assert "$.stride_px: is missing" in told
    page = Path(__file__).parents[1] / "pages" / "letter.jpg"
    read = CliRunner().invoke(cli, ["read", str(page), "--model", str(tmp_path / "model"), "-o", str(tmp_path / "out")])
    assert isinstance(read.exception, ModelError)
    assert str(read.exception) == told
