"""Every bench runs on small input, without a network."""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from carrel.models.folders import model_folders
from carrel.review.training_lines import LineSample
from carrel_bench.command import BENCHES, main
from carrel_bench.figures import Figure, load
from carrel_bench.fleets.fleet_local import cut_pages, texts_below
from carrel_bench.measure import cost_of, succeeded
from carrel_bench.peers.kraken import accuracy, read_by_all, run_for, write_ground_truth
from carrel_bench.peers.print_pages import OWN_PAGES, WORN, degraded, own_pages
from carrel_bench.speed import start
from carrel_bench.speed.runtime import open_worker
from carrel_bench.speed.stages import WHOLE, profile
from carrel_bench.worker import PeerError
from drawn_lines import draw_line


def figures_of(name: str, tmp_path: Path, *arguments: str | Path) -> list[Figure]:
    """Run a bench alone; what it wrote as JSON lines."""
    file = tmp_path / f"{name}.jsonl"
    assert main([name, *map(str, arguments), "--json", str(file)]) == 0
    return load(file)


@pytest.mark.parametrize("name", BENCHES)
def test_options_of_each_bench_are_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert f"usage: carrel_bench {name}" in capsys.readouterr().out
    assert len((import_module(BENCHES[name]).__doc__ or "").splitlines()[0]) > 20


def test_print(short_page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures_of("print", tmp_path, "--pages", short_page, "--quick", "--plot", tmp_path / "bars.png")
    values = {(f.program, f.name): f.value for f in found}
    assert values["carrel", "CER"] < 0.02 and values["carrel", "cold start to the first page, s"] > 0
    assert values["tesserocr", "CER"] < 0.2
    ratio = values["carrel", "CPU s, all pages, of least"] / values["tesserocr", "CPU s, all pages, of least"]
    assert values["carrel", "CPU, ratio of least"] == pytest.approx(ratio)
    assert values["carrel", "CPU, lowest ratio"] == values["carrel", "CPU, highest ratio"], "one page, one round"
    assert "| CER, short |" in capsys.readouterr().out and (tmp_path / "bars.png").stat().st_size > 5000
    assert main(["print", "--json", str(tmp_path / "print.jsonl"), "--resume"]) == 0
    assert "| CER, short |" not in capsys.readouterr().out, "a bench that is done is run again"


def test_print_pages(tmp_path: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        degraded(OWN_PAGES / "a4" / "a4-caladea.png", tmp_path / name, WORN)
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()
    pages = list(own_pages(tmp_path, few=True))
    assert [page.name.split(", ")[1] for page in pages] == ["clean", "degraded"] * 3
    assert all(page.text.strip() and page.image.exists() for page in pages)


def test_stages_of_a_page_sum_up(short_page: Path) -> None:
    found = profile(short_page / "short.png")
    parts = sum(stage.cpu_s for name, stage in found.items() if name != WHOLE)
    assert parts == pytest.approx(found[WHOLE].cpu_s)
    assert found["Tesseract"].calls >= 1 and found["Tesseract"].cpu_s > found["assemble"].cpu_s
    assert found["beam search"].calls == 0


def test_start(tmp_path: Path) -> None:
    values = {(f.program, f.name): f.value for f in figures_of("start", tmp_path, "--quick")}
    assert values["floor", "CPU, ratio"] == 1.0
    assert all(values[line, "CPU s"] > values["floor", "CPU s"] > 0 for line in start.LINES)


def test_start_with_the_library_of_kernels(tmp_path: Path) -> None:
    if not start.belongs(start.shipped_folder()):
        pytest.skip("Carrel brings no library for this machine")
    code = start.SEARCH + "import sys\nassert 'numba' not in sys.modules"
    found = succeeded(cost_of([sys.executable, "-c", code], {"XDG_CACHE_HOME": str(tmp_path)}))
    assert 0 < found.cpu_s < 5 and 10 < found.peak_mib < 200


def test_size(tmp_path: Path) -> None:
    values = {f.case: f.value for f in figures_of("size", tmp_path)}
    assert {"carrel", "model handwriting-fast", "package numpy", "package onnxruntime"} <= values.keys()
    assert "package torch" not in values and "package matplotlib" not in values
    assert values["package numpy"] > values["model handwriting-fast"] > 1


def test_growth(tmp_path: Path) -> None:
    values = {(f.case, f.name): f.value for f in figures_of("growth", tmp_path, "--quick")}
    assert {case for case, _ in values} == {"G4", "JPEG"}
    assert all(0.3 < value < 1.5 for (_, name), value in values.items() if name == "share of input")


def test_prepare(tmp_path: Path) -> None:
    found = figures_of("prepare", tmp_path, "--quick")
    unlike = {(f.case, f.program): f.value for f in found if f.name == "share of pixels unlike"}
    assert unlike.keys() == {("sauvola", "opencv: box filters")}
    # other windows at the edge of the page, other rounding
    assert all(value < 0.02 for value in unlike.values())
    assert all(f.value > 0 for f in found if f.name.endswith(("least", "gain")))


def test_runtime(packs: Path, tmp_path: Path) -> None:
    found = figures_of("runtime", tmp_path, "--quick", "--data", packs, "--split", "val", "--lines", "5")
    values = {(f.program, f.name): f.value for f in found}
    assert values["onnxruntime cpu int8", "MB"] <= 0.35 * values["onnxruntime cpu fp32", "MB"]
    assert values["onnxruntime defaults", "speed, ratio"] == values["onnxruntime defaults", "agreement"] == 1.0
    for program in {f.program for f in found}:
        assert values[program, "CER"] < 0.6 and values[program, "cold ms"] > 0
        assert values[program, "lines/CPU s"] > 0 and values[program, "peak MiB"] > 30


def test_a_runtime_that_is_not_there_is_named() -> None:
    with open_worker(("nothing", 1), model_folders()[0], None) as worker, pytest.raises(PeerError, match="nothing"):
        worker.ask(lines="none")


def test_lines(packs: Path, tmp_path: Path) -> None:
    found = figures_of("lines", tmp_path, "--data", packs, "--split", "val", "--plot", tmp_path / "curves.png")
    values = {(f.program, f.case, f.name): f.value for f in found}
    assert values["handwriting-fast int8 greedy", "drawn", "lines"] == 6
    for name in ("handwriting-fast int8 language model", "handwriting-best fp32 greedy"):
        assert values[name, "overall", "CER, low"] <= values[name, "overall", "CER"] < 0.6
        assert values[name, "overall", "lines/CPU s"] > 0
        assert 0 <= values[name, "overall", "calibration error"] < 0.5
    assert values["handwriting-fast int8 language model", "1.0", "share of errors, by share of lines"] == 1
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_language(packs: Path, tmp_path: Path) -> None:
    values = {(f.case, f.name): f.value for f in figures_of("language", tmp_path, "--data", packs)}
    assert values["overall", "CER"] == values["drawn", "CER"] < 0.6
    assert values["overall", "perplexity"] > 1 and values["overall", "n-grams"] > 1000


def test_decode(drawn_logits: Path, tmp_path: Path) -> None:
    found = figures_of("decode", tmp_path, "--logits", drawn_logits, "--peers", "--rounds", "1")
    times = {f.case: f.value for f in found if f.name == "us/line"}
    assert {f"batch x1.0 width {width}" for width in (5, 10, 25, 100)} < times.keys()
    assert all(value > 0 for value in times.values())
    assert any(f.name.startswith("time with the language model") and f.value > 0 for f in found)


def test_ground_truth_is_what_kraken_trains_on(tmp_path: Path) -> None:
    line = LineSample("drawn", "1.png", "1", "train", "both figures", np.asarray(draw_line("both figures")))
    listed = write_ground_truth([line], tmp_path / "train").read_text("utf-8").split()
    assert listed == [str((tmp_path / "train" / "0000.png").resolve())]
    assert (tmp_path / "train" / "0000.gt.txt").read_text("utf-8") == "both figures"


def test_training_ends_with_its_processor_time(tmp_path: Path) -> None:
    busy = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    assert 1.0 <= run_for([sys.executable, "-c", busy], 1.0, tmp_path / "log") < 5.0
    assert run_for([sys.executable, "-c", "pass"], 60.0, tmp_path / "log") < 1.0
    with pytest.raises(PeerError, match="failed with exit status 3"):
        run_for([sys.executable, "-c", "raise SystemExit(3)"], 60.0, tmp_path / "log")


def test_best_checkpoint_of_kraken_is_told_by_its_name(tmp_path: Path) -> None:
    for name in ("checkpoint_00-0.0000", "checkpoint_03-0.8125", "checkpoint_04-0.8125-v1", "checkpoint_05-0.7000-v12"):
        (tmp_path / f"{name}.ckpt").touch()
        os.utime(tmp_path / f"{name}.ckpt", (0, int(name[11:13])))
    best = max(tmp_path.iterdir(), key=accuracy)
    assert best.stem == "checkpoint_04-0.8125-v1"


@pytest.mark.skipif("CARREL_KRAKEN_MODEL" not in os.environ, reason="CARREL_KRAKEN_MODEL names no model of kraken's")
def test_kraken_and_carrel_take_turns() -> None:
    """Needs ``CARREL_KRAKEN_PYTHON`` and ``CARREL_KRAKEN_EXPORTED``, the folder made of the model, too."""
    python, model, folder = (Path(os.environ[f"CARREL_KRAKEN_{name}"]) for name in ("PYTHON", "MODEL", "EXPORTED"))
    texts = ("tide tables", "and waited")
    lines = [LineSample("drawn", "", "1", "test", text, np.asarray(draw_line(text))) for text in texts]
    read = read_by_all(python, {"kraken": model}, {"carrel": folder}, lines)
    assert read["kraken"].numbers(lines, read["kraken"])["agreement"] == 1.0
    assert read["carrel, fp32"].numbers(lines, read["kraken"])["agreement"] >= 0.99


def test_json_lines_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "--json"]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert "processor" in json.loads(first) and all(json.loads(row)["suite"] == "size" for row in rest)


def test_fleet_local(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the fleet extra is not installed")
    values = {(f.program, f.name): f.value for f in figures_of("fleet_local", tmp_path, "--quick")}
    assert values["batch", "CPU, ratio"] == 1
    assert values["fleet", "CPU s"] == pytest.approx(values["fleet", "CPU, ratio"] * values["batch", "CPU s"])


def test_texts_of_a_run_are_the_last_ones(tmp_path: Path) -> None:
    cut_pages(tmp_path / "in", 3)
    pages = sorted((tmp_path / "in").iterdir())
    assert len({page.read_bytes() for page in pages}) == 3
    for run, text in (("batch0", "old"), ("batch1/.carrel", "journal"), ("batch1/00001", "new")):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "a.txt").write_text(text, "utf-8")
    assert texts_below(tmp_path, "batch") == {"a.txt": "new"}


def test_fleet(tmp_path: Path) -> None:
    found = figures_of("fleet", tmp_path, "--quick", "--shards", "60", "--folder", tmp_path)
    values = {f.name: f.value for f in found}
    assert values["pages merged"] == (6 - values["set aside"]) * 1000 >= 3000
    assert values["lease writes a shard"] > 2 and values["status s, worst"] >= values["status s, best"] > 0
