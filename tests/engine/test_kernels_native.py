"""The library of kernels: the same bits as compiled on the spot, no numba, and loaded only if it is our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from carrel.decode.beam import NOTHING_ALLOWED, Search
from carrel.decode.lexicon import entry_lexicon
from carrel.decode.ngram import Language
from carrel.decode.options import DecodeOptions
from carrel.kernels.build import LINKERS, build_library, warm
from carrel.kernels.compiled import compile_entry
from carrel.kernels.native import DIGEST, ENTRIES, LIBRARY, Kernel, kernel_folder, open_library, private_folder
from carrel.kernels.records import address_of
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
    folder = kernel_folder()
    assert folder is not None
    assert open_library(folder) or build_library(folder)
    return folder


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    own = private_folder(tmp_path)
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
    assert set(both) == {"read_lines", "flatten_rows", "sauvola_rows"}


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


def random_logits(rng: np.random.Generator, classes: int) -> NDArray[np.float32]:
    logits = rng.normal(0.0, float(rng.choice([0.5, 1.5, 3.0])), (int(rng.integers(1, 160)), classes))
    logits[:, 0] += rng.uniform(0.0, 6.0)
    return logits.astype(np.float32)


@pytest.mark.parametrize("seed", range(20))
def test_pixels_are_the_same_bits(both: dict[str, tuple[Kernel, Kernel]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, 200, 2))
    gray = rng.integers(0, 256, (height, width), np.uint8)
    gain = rng.uniform(0.0, 8.0, tuple(rng.integers(1, 9, 2))).astype(np.float32)
    first, after = sorted(int(edge) for edge in rng.choice(height + 1, 2, replace=False))
    cell, reach, k = int(rng.integers(1, 20)), int(rng.integers(1, 91)), float(rng.uniform(0.0, 1.0))
    results: list[list[NDArray[Any]]] = []
    for i in range(2):
        flat, binary = np.zeros_like(gray), np.zeros_like(gray)
        places, rows = np.empty(3 * (height + width), np.int32), np.empty(2 * width, np.float32)
        sums = np.zeros(4 * width + 2, np.int32)
        scratch = (address_of(places), address_of(rows))
        both["flatten_rows"][i](
            address_of(gray),
            address_of(gain),
            height,
            width,
            *gain.shape,
            cell,
            first,
            after,
            *scratch,
            address_of(flat),
        )
        both["sauvola_rows"][i](
            address_of(gray), height, width, reach, k, k / 128, first, after, address_of(sums), address_of(binary)
        )
        results.append([flat, binary])
    for ahead, now in zip(*results, strict=True):
        assert np.array_equal(ahead, now)


def test_a_page_is_read_without_numba(own: Path, tmp_path: Path) -> None:
    # with the library in a place of its own: were it not loaded, numba would be
    assert run_python(READ_A_PAGE, XDG_CACHE_HOME=str(tmp_path)).split() == ["False", "False"]


def test_warm_serves_other_caches_too(folder: Path, tmp_path: Path) -> None:
    outdated = private_folder(tmp_path)
    assert outdated is not None
    outdated = outdated.rename(outdated.with_name(outdated.name[:-4] + "0000"))
    assert warm([tmp_path]).library
    copy = private_folder(tmp_path)
    assert copy is not None
    assert open_library(copy) is not None
    assert not outdated.exists()


def test_a_damaged_library_is_not_loaded(own: Path) -> None:
    content = bytearray((own / LIBRARY).read_bytes())
    content[len(content) // 2] ^= 1
    (own / LIBRARY).write_bytes(content)
    assert open_library(own) is None


@pytest.mark.parametrize("file", [LIBRARY, DIGEST])
def test_half_a_library_is_none(own: Path, file: str) -> None:
    (own / file).unlink()
    assert open_library(own) is None


def test_a_library_without_our_kernels_is_not_loaded(own: Path) -> None:
    import _ctypes  # a library, but not ours
    import hashlib

    shutil.copyfile(_ctypes.__file__, own / LIBRARY)
    (own / DIGEST).write_text(hashlib.sha256((own / LIBRARY).read_bytes()).hexdigest(), "ascii")
    assert open_library(own) is None


def test_what_others_can_write_is_not_loaded(own: Path, tmp_path: Path) -> None:
    (own / LIBRARY).chmod(0o666)
    assert open_library(own) is None
    (own / LIBRARY).chmod(0o600)
    own.chmod(0o777)
    assert private_folder(tmp_path) is None
    own.chmod(0o700)
    own.parent.chmod(0o777)
    assert private_folder(tmp_path) is None


def test_without_a_linker_there_is_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = private_folder(tmp_path)
    assert folder is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not build_library(folder)
    assert open_library(folder) is None
