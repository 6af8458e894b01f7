"""Libraries of kernels: the same bits as compiled on the spot, no numba, and loaded only if they are our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import GenericAlias
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.decode.beam import NOTHING_ALLOWED, Search
from carrel.decode.lexicon import entry_lexicon
from carrel.decode.ngram import Language
from carrel.decode.options import DecodeOptions
from carrel.kernels import build as building
from carrel.kernels import lookup, native
from carrel.kernels.build import LINKERS, build_library, warm
from carrel.kernels.compiled import compile_entry
from carrel.kernels.native import (
    DIGESTS,
    LIBRARY,
    Kernel,
    belongs,
    cached_folder,
    has_library,
    is_trusted_library,
    open_library,
    shipped_folder,
    writable_folder,
)
from carrel.kernels.records import ENTRIES, address_of, items_of
from carrel_export.language.pack import build
from ctc_reference import softmax

PAGE = Path(__file__).parents[1] / "pages" / "letter.jpg"
READ_A_PAGE = f"""
import sys, carrel, pathlib
from carrel.image.prepare import binarize
from carrel.image.source import open_scans
page = carrel.read({str(PAGE)!r})
binarize(next(open_scans(pathlib.Path({str(PAGE)!r}), 250.0)).gray)
assert any(line.writing.kind == "handwritten" and line.text for line in page.lines)
print("numba" in sys.modules, "llvmlite" in sys.modules)
"""


@pytest.fixture(scope="module")
def folder() -> Path:
    """The user's own folder, with a library in it; it is kept, as it takes a while to make."""
    if not any(map(shutil.which, LINKERS)):
        pytest.skip("no linker")
    folder = writable_folder()
    assert folder is not None
    assert belongs(folder) or build_library(folder)
    return folder


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    own = writable_folder(tmp_path)
    assert own is not None
    shutil.copytree(folder, own, dirs_exist_ok=True)
    return own


@pytest.fixture(scope="module")
def both(folder: Path) -> dict[str, tuple[Kernel, Kernel]]:
    """Every kernel, out of the library and compiled now."""
    library = open_library(folder)
    assert library is not None
    return {name: (library[name], compile_entry(name)) for name in ENTRIES}


def run_python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_kernels_are_tried_here(both: dict[str, tuple[Kernel, Kernel]]) -> None:
    assert set(both) == {"read_lines", "sauvola_rows"}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("fused", "width"), [(False, 1), (False, 5), (False, 100), (True, 10), (True, 25)])
def test_search_gives_the_same_bits(both: dict[str, tuple[Kernel, Kernel]], fused: bool, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    alphabet = "abcdefghijklmnopqrstuvwxyz éè"
    words = ["".join(rng.choice(list(alphabet[:26]), 4)) for _ in range(40)]
    model = build([" ".join(rng.choice(words, 4)) for _ in range(60)], order=4, ngrams=300)
    language, lexicon = Language(model, alphabet), entry_lexicon(words, alphabet, separators=" ")
    options = DecodeOptions(beam_width=width, alternatives=min(3, width), temperature=float(rng.uniform(0.5, 2.0)))
    search = Search(options, language if fused else None, lexicon if fused else None, 0, len(alphabet) + 1)
    lines = [random_logits(rng, len(alphabet) + 1) for _ in range(20)]
    ahead, now = (search.read(lines, kernel) for kernel in both["read_lines"])
    assert ahead == now  # floats and all
    assert NOTHING_ALLOWED not in ahead


def test_search_of_probabilities_gives_the_same_bits(both: dict[str, tuple[Kernel, Kernel]]) -> None:
    rng = np.random.default_rng(8)
    search = Search(DecodeOptions(), None, None, 0, 70, normalized=True)
    lines = [softmax(random_logits(rng, 70)).astype(np.float32) for _ in range(20)]
    ahead, now = (search.read(lines, kernel) for kernel in both["read_lines"])
    assert ahead == now


def test_items_are_known_by_the_annotations_of_every_numpy() -> None:
    """Up to 2.4 ``NDArray[T]`` stands for ``ndarray[Any, dtype[T]]``; from 2.5 on it is an alias that holds T alone."""
    before, since = np.ndarray[Any, np.dtype[np.uint16]], GenericAlias(type("NDArray", (), {}), (np.uint16,))
    assert items_of(before) == items_of(since) == items_of(NDArray[np.uint16]) == np.uint16


def random_logits(rng: np.random.Generator, classes: int) -> NDArray[np.float32]:
    logits = rng.normal(0.0, float(rng.choice([0.5, 1.5, 3.0])), (int(rng.integers(1, 160)), classes))
    logits[:, 0] += rng.uniform(0.0, 6.0)
    return logits.astype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_pixels_are_the_same_bits(both: dict[str, tuple[Kernel, Kernel]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 200, 2))
    gray = rng.integers(0, 256, (height, width), np.uint8)
    first, after = sorted(int(edge) for edge in rng.choice(height + 1, 2, replace=False))
    reach, k = int(rng.integers(1, 91)), float(rng.uniform(0.0, 1.0))
    ahead, now = np.zeros_like(gray), np.zeros_like(gray)
    for result, kernels in ((ahead, 0), (now, 1)):
        sums = np.zeros(4 * width + 2, np.int32)
        both["sauvola_rows"][kernels](
            address_of(gray), height, width, reach, k, k / 128, first, after, address_of(sums), address_of(result)
        )
    assert np.array_equal(ahead, now)


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_the_libraries_that_carrel_brings_are_made_from_these_sources(architecture: str) -> None:
    assert belongs(shipped_folder().with_name(architecture)), (
        "kernel sources have changed: run make kernels, commit both"
    )


def test_the_library_that_carrel_brings_reads_the_same(both: dict[str, tuple[Kernel, Kernel]]) -> None:
    """It never fuses products and sums, so scores may differ in the last digits; texts do not."""
    shipped = open_library(shipped_folder())
    if shipped is None:
        pytest.skip("Carrel brings no library for this machine")
    rng = np.random.default_rng(3)
    search = Search(DecodeOptions(beam_width=25, alternatives=3), None, None, 0, 70)
    lines = [random_logits(rng, 70) for _ in range(60)]
    plain, compiled = (search.read(lines, kernel) for kernel in (shipped["read_lines"], both["read_lines"][1]))
    assert [[reading.classes for reading in line] for line in plain] == [
        [reading.classes for reading in line] for line in compiled
    ]


def test_a_page_is_read_without_numba(tmp_path: Path) -> None:
    # nothing can be kept, and there is no compiler
    environment = {"XDG_CACHE_HOME": str(tmp_path / "none"), "PATH": str(tmp_path)}
    assert run_python(READ_A_PAGE, **environment).split() == ["False", "False"]
    assert not (tmp_path / "none" / "carrel" / "kernels").exists()


def test_a_start_that_compiles_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(native, "shipped_folder", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(lookup, "built_library", cache(native.built_library.__wrapped__))
    assert not has_library()
    with caplog.at_level("WARNING", "carrel"):
        lookup.kernel.__wrapped__("sauvola_rows")
    assert "compiling them" in caplog.text
    assert "carrel warm" in caplog.text


def test_warm_builds_nothing_where_carrel_brings_a_library(tmp_path: Path) -> None:
    if not belongs(shipped_folder()):
        pytest.skip("Carrel brings no library for this machine")
    assert warm([tmp_path]).folder == shipped_folder()
    assert not list(tmp_path.iterdir())


def test_warm_serves_other_caches_and_leaves_their_versions_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "shipped_folder", lambda: tmp_path / "none")
    other = writable_folder(tmp_path)
    assert other is not None
    other = other.rename(other.with_name(other.name[:-4] + "0000"))
    assert warm([tmp_path]).library
    copy = writable_folder(tmp_path)
    assert copy is not None
    assert open_library(copy) is not None
    assert other.exists()


def test_a_damaged_library_is_not_loaded(own: Path) -> None:
    content = bytearray((own / LIBRARY).read_bytes())
    content[len(content) // 2] ^= 1
    (own / LIBRARY).write_bytes(content)
    assert open_library(own) is None


@pytest.mark.parametrize("file", [LIBRARY, DIGESTS])
def test_half_a_library_is_none(own: Path, file: str) -> None:
    (own / file).unlink()
    assert open_library(own) is None


def test_a_library_of_other_sources_is_not_loaded(own: Path) -> None:
    told = (own / DIGESTS).read_text("utf-8").splitlines()
    (own / DIGESTS).write_text(f"{told[0]}\n{'0' * 64}  sources\n", "utf-8")
    assert open_library(own) is None


def test_a_library_without_our_kernels_is_not_loaded(own: Path) -> None:
    import _ctypes  # a library, but not ours

    shutil.copyfile(_ctypes.__file__, own / LIBRARY)
    (own / DIGESTS).write_text(native.digests((own / LIBRARY).read_bytes()), "utf-8")
    assert belongs(own)
    assert open_library(own) is None


def test_what_others_can_write_is_not_trusted(own: Path, tmp_path: Path) -> None:
    assert is_trusted_library(own)
    for path, mode in ((own / LIBRARY, 0o666), (own, 0o777), (own.parent, 0o777)):
        before = path.stat().st_mode
        path.chmod(mode)
        assert not is_trusted_library(own)
        assert path.is_file() or writable_folder(tmp_path) is None
        path.chmod(before)
    assert is_trusted_library(own)


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user")
def test_a_cache_of_root_serves_users_who_cannot_write_it(own: Path, tmp_path: Path) -> None:
    for path in (tmp_path, *tmp_path.rglob("*")):
        path.chmod(0o755)
    code = f"""
import os
from pathlib import Path
from carrel.kernels.native import cached_folder, is_trusted_library, open_library, writable_folder
os.setuid(65534)
root = Path({str(tmp_path)!r})
folder = cached_folder(root)
assert folder == Path({str(own)!r}) and is_trusted_library(folder) and open_library(folder)
assert writable_folder(root) is None
"""
    for above in (folder for folder in tmp_path.parents if "pytest-of-" in str(folder)):
        above.chmod(0o755)
    run_python(code)


def test_without_a_linker_there_is_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = writable_folder(tmp_path)
    assert folder is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not build_library(folder)
    assert open_library(folder) is None


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert cached_folder() is None
    assert writable_folder() is None
