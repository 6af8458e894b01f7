"""500 bad and odd files in one batch, or ``CARREL_BAD_FILES``: each gives text or a typed refusal, no worker dies, and a good
page still reads."""

from __future__ import annotations

import io
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from batch_pages import expected, fork_worker, page, write_page
from carrel.batch.folders import Folders
from carrel.batch.intake import find_files
from carrel.batch.run import Batch
from carrel.batch.settings import Settings
from carrel.budget import resident_bytes
from carrel.options import ReadOptions
from carrel.workers.pool import Limits
from hostile import bad_files, odd_files

COUNT = int(os.environ.get("CARREL_BAD_FILES", "500"))
LONGEST_S = 20.0
MEMORY_BYTES = 1200 * 2**20
GROWTH_BYTES = 24 * 2**20
"""Of the batch's own process, from the first tenth of the files to the last file."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where that can be had: a thousand flushes take their time on a disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as name:
        yield Path(name)


def sound_files() -> list[tuple[str, bytes]]:
    """One small page in every format."""
    frames = [Image.fromarray(page(number)) for number in (1, 2)]
    files: list[tuple[str, bytes]] = []
    settings = {
        "png": {"format": "PNG"},
        "jpg": {"format": "JPEG", "quality": 90},
        "tif": {"format": "TIFF", "compression": "tiff_lzw", "save_all": True, "append_images": frames[1:]},
        "g4.tif": {"format": "TIFF", "compression": "group4"},
        "webp": {"format": "WEBP"},
        "jp2": {"format": "JPEG2000"},
        "pdf": {"format": "PDF", "save_all": True, "append_images": frames[1:]},
    }
    for suffix, choices in settings.items():
        stream = io.BytesIO()
        frame = frames[0].convert("1") if suffix == "g4.tif" else frames[0]
        frame.save(stream, **choices)  # type: ignore[arg-type]
        files.append((suffix, stream.getvalue()))
    return files


def damaged(count: int) -> Iterator[tuple[str, bytes]]:
    """Sound files cut short, with bits turned over, or with a stretch of noise; the same each time."""
    chance = random.Random(20)
    sound = sound_files()
    for number in range(count):
        suffix, data = sound[number % len(sound)]
        hurt = bytearray(data)
        match number // len(sound) % 3:
            case 0:
                del hurt[chance.randrange(1, len(hurt)) :]
            case 1:
                for _ in range(chance.choice((1, 1, 4, 30))):
                    hurt[chance.randrange(len(hurt))] ^= 1 << chance.randrange(8)
            case _:
                at, length = chance.randrange(len(hurt)), chance.randrange(1, 60)
                hurt[at : at + length] = chance.randbytes(length)
        yield f"damaged{number}.{suffix}", bytes(hurt)


def test_each_gives_text_or_a_refusal(folder: Path) -> None:
    source = folder / "in"
    source.mkdir()
    written = [file.write(source) for file in (*bad_files(), *odd_files())]
    for name, data in damaged(COUNT - len(written)):
        (source / name).write_bytes(data)
    write_page(source / "zz-good.png", 99)
    log: list[str] = []
    settings = Settings(ReadOptions(max_megapixels=30), entry="batch_pages:measure_any_pages")
    folders, limits = Folders.of(folder / "out"), Limits(LONGEST_S, LONGEST_S / 2, MEMORY_BYTES)
    with Batch(source, folders, settings, cache=folder, limits=limits, launch=fork_worker, log=log.append) as batch:
        batch.add(find_files(source, every=True))
        early_bytes = 0
        while not batch.finished:
            batch.step()
            if not early_bytes and batch.counts().waiting_files < 0.9 * COUNT:
                early_bytes = resident_bytes()
        assert resident_bytes() - early_bytes < GROWTH_BYTES
        counts, failures, written = batch.counts(), batch.journal.failures(), batch.journal.results()
    assert counts.files > 0.99 * COUNT  # mutated files may be equal
    assert counts.quarantined == 0, [f for f in failures if f[2] == "quarantined"]
    assert not [line for line in log if "failed" in line or "could not be opened" in line]
    assert all(reason and ";" in reason for _, _, _, reason in failures), "a refusal says what to do"
    results = {p.name: p for p in (folder / "out").glob("*.txt")}
    assert results.keys() == {path for path, _ in written}
    assert len(results) >= counts.done > 100  # equal files are read once, and each has its result
    assert counts.failed > 100
    assert all(path.stat().st_size > 0 for path in results.values())
    assert results["zz-good.txt"].read_text("utf-8") == expected(99)
