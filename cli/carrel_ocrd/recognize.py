"""The processor: one page of a workspace in, the same page with regions, lines and text out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import click
import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]
from ocrd import OcrdPageResult, Processor
from ocrd.decorators import ocrd_cli_options, ocrd_cli_wrap_processor
from ocrd_models.ocrd_page import parseString, to_xml

from carrel.assembly import found_regions
from carrel.errors import InputError
from carrel.formats import FORMATS, read_page
from carrel.image.source import Scan, open_scans
from carrel.models.folders import folder_of
from carrel.options import ReadOptions
from carrel.page import Page, Region
from carrel.process_memory import parse_memory
from carrel.reader import Reader
from carrel_ocrd.coordinates import contain

EXECUTABLE = "ocrd-carrel-recognize"


class CarrelRecognize(Processor):
    """Carrel as a processor; METS and what becomes of a page that fails are the framework's."""

    @property
    def executable(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The name of the command."""
        return EXECUTABLE

    def process_page_pcgts(self, *input_pcgts: Any, page_id: str | None = None) -> OcrdPageResult:
        """Return the page with what was read.

        Raises
        ------
        CarrelError
            Its picture cannot be read, or a model or language is missing.
        """
        pcgts = input_pcgts[0]
        parameter: dict[str, Any] = self.parameter or {}
        reader = _reader(_options(parameter))
        scan = self._scan(reader, pcgts)
        known = read_page(to_xml(pcgts).encode())
        if parameter["segmentation"] == "never" or (parameter["segmentation"] == "auto" and known.lines):
            page = _with_ids_of(known, reader.read_regions(scan, found_regions(known)))
            _add_texts(pcgts, _as_pcgts(page))
        else:
            _replace_regions(pcgts, _as_pcgts(reader.read_scan(scan)))
        contain(pcgts)
        _keep_levels(pcgts, parameter["textequiv_level"])
        return OcrdPageResult(pcgts)

    def _scan(self, reader: Reader, pcgts: Any) -> Scan:
        """The page's own picture: coordinates of regions and lines are in its px; what lies outside the Border is paper."""
        page = pcgts.get_Page()
        path = self._picture_path(page.get_imageFilename())
        scans = open_scans(path, reader.options.max_megapixels, budget=reader.budget, own_text="force")
        scan = next(iter(scans))
        border = page.get_Border()
        if border is None:
            return scan
        return replace(scan, gray=_within(scan.gray, border.get_Coords().get_points()))

    def _picture_path(self, name: str) -> Path:
        path = Path(self.workspace.directory, name)
        if path.is_file():
            return path
        for file in self.workspace.mets.find_files(url=name):
            if file.local_filename:
                return Path(self.workspace.directory, file.local_filename)
        raise InputError(
            f"{name}: the page's picture is not in the workspace; download it (ocrd workspace find --download)"
        )


def _within(gray: Any, points: str) -> Any:
    import cv2

    outline = np.array([[float(value) for value in point.split(",")] for point in points.split()])
    inside = np.zeros(gray.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], (1,))
    paper = np.uint8(np.percentile(gray[inside > 0], 90)) if inside.any() else np.uint8(255)
    return np.where(inside > 0, gray, paper)


def _options(parameter: dict[str, Any]) -> ReadOptions:
    model, memory = parameter["model"], parameter["memory"]
    return ReadOptions(
        languages=tuple(parameter["languages"].split("+")),
        writing=parameter["writing"],
        model=folder_of(Path(model)).resolve() if model else None,
        memory_bytes=parse_memory(memory) if memory else None,
        threads=1,  # the framework reads pages side by side, in processes
    )


@lru_cache(maxsize=1)
def _reader(options: ReadOptions) -> Reader:
    return Reader(options)


def _with_ids_of(known: Page, read: Page) -> Page:
    """The page that was read, with the ids and places that its regions and lines had."""
    regions = [region for region in known.regions if region.lines]
    return replace(read, regions=tuple(map(_region_with_ids, regions, read.regions)))


def _region_with_ids(known: Region, read: Region) -> Region:
    lines = tuple(
        replace(line, id=old.id, baseline=old.baseline, polygon=old.polygon)
        for old, line in zip(known.lines, read.lines, strict=True)
    )
    return replace(read, id=known.id, lines=lines)


def _as_pcgts(page: Page) -> Any:
    return parseString(FORMATS["page"].write(page), silence=True)


def _lines(pcgts: Any) -> Sequence[Any]:
    regions = pcgts.get_Page().get_AllRegions(classes=["Text"])
    return [line for region in regions for line in region.get_TextLine()]


def _add_texts(pcgts: Any, read: Any) -> None:
    """Give the lines of a page the text and words that were read; lines that were refused lose what they had."""
    by_id = {line.get_id(): line for line in _lines(read)}
    for line in _lines(pcgts):
        found = by_id[line.get_id()]
        line.set_TextEquiv(found.get_TextEquiv())
        line.set_Word(found.get_Word())
        line.set_production(found.get_production())
        line.set_custom(found.get_custom())
    for region in pcgts.get_Page().get_AllRegions(classes=["Text"]):
        region.set_TextEquiv([])  # it told of another text


def _replace_regions(pcgts: Any, read: Any) -> None:
    page = pcgts.get_Page()
    page.set_TextRegion([])
    page.set_TableRegion([])
    page.set_ReadingOrder(None)
    found: Any = parseString(_with_other_ids(to_xml(read), to_xml(pcgts)), silence=True).get_Page()
    page.set_TextRegion(found.get_TextRegion())
    page.set_ReadingOrder(found.get_ReadingOrder())


def _with_other_ids(read: str, kept: str) -> bytes:
    """The PAGE of what was read, with ids that nothing else on the page has."""
    taken = {value for element in etree.fromstring(kept.encode()).iter() for value in element.xpath("@id")}
    root: Any = etree.fromstring(read.encode())
    if taken & set(root.xpath("//@id")):
        prefix = next(f"carrel{n}_" for n in count() if not any(name.startswith(f"carrel{n}_") for name in taken))
        for element in root.iter(etree.Element):
            for name in {"id", "regionRef"} & set(element.attrib):
                element.set(name, prefix + element.get(name))
    return etree.tostring(root)


def _keep_levels(pcgts: Any, level: str) -> None:
    """Leave out what is below ``level``; the text of a region is that of its lines."""
    if level == "word":
        return
    for line in _lines(pcgts):
        line.set_Word([])
    if level == "region":
        for region in pcgts.get_Page().get_AllRegions(classes=["Text"]):
            _lift_text(region)


def _lift_text(region: Any) -> None:
    from ocrd_models.ocrd_page import TextEquivType

    texts = [equiv.get_Unicode() for line in region.get_TextLine() for equiv in line.get_TextEquiv()[:1]]
    region.set_TextEquiv([TextEquivType(Unicode="\n".join(text for text in texts if text))])
    for line in region.get_TextLine():
        line.set_TextEquiv([])


@click.command()
@ocrd_cli_options
def command(*args: Any, **kwargs: Any) -> Any:
    """Run the processor, as OCR-D calls it."""
    return ocrd_cli_wrap_processor(CarrelRecognize, *args, **kwargs)
