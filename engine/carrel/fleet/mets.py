"""METS over all shards: one file up to a size, above it one that points to a file for each shard."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from carrel.batch.intake import natural
from carrel.batch.results import DOCUMENT, page_stem
from carrel.fleet.handover import FileRecord, PageTold, read_records, read_told
from carrel.fleet.merge import put_all_merged, put_merged
from carrel.fleet.shards import Fleet
from carrel.formats.write.collection.entries import Entry, reference
from carrel.formats.write.collection.mets import write_mets
from carrel.formats.write.interchange import clean_text
from carrel.formats.xml_tree import child, to_bytes
from carrel.page import Page, Source

MOST_PAGES = 50_000
"""Of one METS file: viewers and this program hold it in memory, about 10 kB a page."""
METS = "mets.xml"


def write_fleet_mets(fleet: Fleet, source: Path | str, pages: int, label: str) -> bool:
    """Write METS of the shards that are done to the output folder; False where a person changed the one that is there.

    Parameters
    ----------
    source
        The folder of scans, or its address in a store, which the pages' images are named from.
    pages
        How many there are: more than `MOST_PAGES` get a file for each shard, and one that points to those.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    done = fleet.done()
    shards = [shard for shard in fleet.shards() if shard in done]
    if pages <= MOST_PAGES:
        entries = [entry for shard in shards for entry in entries_of(fleet, shard, source, fleet.output)]
        entries.sort(key=lambda entry: natural(entry.name))
        return put_merged(fleet, METS, write_mets(entries, label))
    root = ET.Element("mets", _NAMES | {"LABEL": clean_text(label)})
    whole = child(child(root, "structMap", TYPE="LOGICAL"), "div", TYPE="collection", LABEL=clean_text(label))
    parts = (
        (
            f"{shard}/{METS}",
            write_mets(list(entries_of(fleet, shard, source, fleet.output / shard)), f"{label} {shard}"),
        )
        for shard in shards
    )
    kept = put_all_merged(fleet, parts)
    for shard in shards:
        division = child(whole, "div", TYPE="collection", LABEL=shard)
        ET.SubElement(division, "mptr", {"LOCTYPE": "URL", "xlink:href": reference(f"{shard}/{METS}")})
    return put_merged(fleet, METS, to_bytes(root)) and not kept


_NAMES = {"xmlns": "http://www.loc.gov/METS/", "xmlns:xlink": "http://www.w3.org/1999/xlink"}


def entries_of(fleet: Fleet, shard: str, source: Path | str, folder: Path) -> Iterator[Entry]:
    """Yield the pages of a shard that were read, with their files as ``folder`` sees them, or their addresses in a store."""
    below = read_told(fleet.output / shard).results_url or os.path.relpath(fleet.output / shard, folder)
    for file in read_records(fleet.output / shard):
        whole = next((page for page in file.pages if page.index == DOCUMENT), None)
        pages = [page for page in file.pages if page.index >= 0]
        for page in pages:
            if page.state == "done":
                yield _entry(
                    file, page, whole, "" if below == "." else f"{below}/", source, folder, alone=len(pages) == 1
                )


def _entry(
    file: FileRecord,
    page: PageTold,
    whole: PageTold | None,
    below: str,
    source: Path | str,
    folder: Path,
    *,
    alone: bool,
) -> Entry:
    linked = {form: below + path for form, (path, _) in page.results.items()}
    scan = (
        f"{source}/{file.path}"
        if isinstance(source, str)
        else Path(os.path.relpath(source / file.path, folder)).as_posix()
    )
    is_pdf = file.path.lower().endswith(".pdf")
    pdf = linked.get("pdf") or (below + whole.results["pdf"][0] if whole and "pdf" in whole.results else "")
    number = 0 if alone or linked.get("pdf") else page.index + 1
    name = page_stem(file.name, page.index, 1 if alone else max(p.index for p in file.pages) + 1)
    seen = Page(1, 1, None, (), Source(Path(file.path).name, page.index))
    return Entry(
        seen,
        scan if alone and not is_pdf else "",
        linked.get("alto", ""),
        pdf or (scan if is_pdf else ""),
        name,
        number if pdf or is_pdf else 0,
        linked.get("page", ""),
        linked.get("tei", ""),
    )
