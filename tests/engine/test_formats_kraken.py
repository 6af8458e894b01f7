"""ALTO and PAGE as kraken reads them: nothing is lost. ``CARREL_KRAKEN_PYTHON`` names an interpreter that has kraken."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from carrel.formats import FORMATS, read_page
from oracle_formats import sample_page

pytestmark = pytest.mark.skipif("CARREL_KRAKEN_PYTHON" not in os.environ, reason="CARREL_KRAKEN_PYTHON is not set")

READ = """
import json, sys
from kraken.lib.xml import XMLPage
page = XMLPage(sys.argv[1])
lines = [
    {
        "id": line.id,
        "text": line.text.strip(),  # an empty ALTO line reads as one space
        "baseline": line.baseline,
        "polygon": line.boundary,
        "type": [tag["type"] for tag in (line.tags or {}).get("type", [])],
    }
    for line in page.get_sorted_lines()
]
regions = sorted((region.id, kind, region.boundary) for kind, group in page.regions.items() for region in group)
if len(sys.argv) > 2:
    from kraken.serialization import serialize
    open(sys.argv[2], "w").write(serialize(page.to_container(), image_size=page.image_size, template=sys.argv[3]))
print(json.dumps({"size": page.image_size, "image": page.imagename.name, "lines": lines, "regions": regions}))
"""


def read_by_kraken(file: Path, *target: str | Path) -> dict[str, Any]:
    command = [os.environ["CARREL_KRAKEN_PYTHON"], "-c", READ, str(file), *map(str, target)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("name", ["alto", "page"])
def test_kraken_reads_everything(name: str, tmp_path: Path) -> None:
    file = tmp_path / "letter.xml"
    file.write_bytes(FORMATS[name].write(sample_page("letter")[0]))
    page, found = read_page(file), read_by_kraken(file)
    assert found["size"] == [page.width_px, page.height_px]
    assert found["image"] == page.source.file_name
    assert found["regions"] == json.loads(json.dumps(sorted((r.id, r.kind, r.polygon) for r in page.regions)))
    assert len(found["lines"]) == len(page.lines) > 5
    for line, theirs in zip(page.lines, found["lines"], strict=True):
        places = {"baseline": line.baseline, "polygon": line.polygon}
        wanted = {"id": line.id, "text": line.text, **places, "type": [line.line_type]}
        assert theirs == json.loads(json.dumps(wanted))


@pytest.mark.parametrize(("name", "template"), [("alto", "pagexml"), ("page", "alto")])
def test_ids_come_back_from_what_kraken_writes(name: str, template: str, tmp_path: Path) -> None:
    file, written = tmp_path / "letter.xml", tmp_path / "by-kraken.xml"
    file.write_bytes(FORMATS[name].write(sample_page("letter")[0]))
    read_by_kraken(file, written, template)
    page, found = read_page(file), read_page(written)
    assert [line.id for line in found.lines] == [line.id for line in page.lines]
    assert [region.id for region in found.regions] == [region.id for region in page.regions]
