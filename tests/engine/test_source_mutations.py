"""Files that hypothesis cuts and alters: each gives pages or a typed refusal, in good time, and harms nothing after it."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from carrel.errors import InputError
from carrel.image.source import open_scans

SLOWEST_S = 20.0


def _picture(kind: str) -> bytes:
    out = io.BytesIO()
    image = Image.linear_gradient("L").resize((120, 80))
    image.save(out, kind, **({"save_all": True, "append_images": [image]} if kind == "TIFF" else {}))
    return out.getvalue()


def _pdf() -> bytes:
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(200, 100))
    out = io.BytesIO()
    pdf.save(out)
    return out.getvalue()


SOUND = {kind: _picture(kind) for kind in ("PNG", "JPEG", "TIFF", "WEBP", "JPEG2000")} | {"PDF": _pdf()}
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=8)


@pytest.mark.parametrize("kind", SOUND)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES, kept=st.floats(0, 1))
def test_altered_file_gives_pages_or_a_refusal(
    kind: str, tmp_path: Path, changes: list[tuple[float, bytes]], kept: float
) -> None:
    data = bytearray(SOUND[kind])
    for place, patch in changes:
        start = int(place * (len(data) - 1))
        data[start : start + len(patch)] = patch
    path = tmp_path / "altered"
    path.write_bytes(data[: max(1, int(len(data) * (0.5 + kept)))])
    began = time.monotonic()
    try:
        for scan in open_scans(path, 20.0):
            assert scan.gray.ndim == 2
            assert scan.gray.size <= 20_000_000
    except InputError as error:
        assert "\n" not in str(error)
    assert time.monotonic() - began < SLOWEST_S
    good = tmp_path / "good.png"
    good.write_bytes(SOUND["PNG"])
    assert next(iter(open_scans(good, 20.0))).gray.shape == (80, 120)
