"""Tags of a document: one element for each region, its lines as marked content, in reading order."""

from __future__ import annotations

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

from carrel.page import Page, Region

_KINDS = {"MarginTextZone": Name.Note, "TitlePageZone": Name.Sect, "TableZone": Name.Sect}


class Structure:
    """The tags of a document's pages, which become one tree."""

    def __init__(self) -> None:
        self._pages: list[tuple[pikepdf.Object, list[tuple[Region, list[int]]]]] = []

    def add_page(self, sheet: pikepdf.Object, page: Page) -> list[int]:
        """Take note of a page; gives the marks of its lines that have words."""
        marks, regions = 0, list[tuple[Region, list[int]]]()
        for region in page.regions:
            count = sum(bool(line.words) for line in region.lines)
            if count:
                regions.append((region, list(range(marks, marks + count))))
                marks += count
        sheet[Name.StructParents], sheet[Name.Tabs] = len(self._pages), Name.S
        self._pages.append((sheet, regions))
        return list(range(marks))

    def add_to(self, pdf: Pdf) -> None:
        """Write the structure tree."""
        root = pdf.make_indirect(Dictionary(Type=Name.StructTreeRoot))
        document = pdf.make_indirect(Dictionary(Type=Name.StructElem, S=Name.Document, P=root))
        elements, parents = Array(), Array()
        for index, (sheet, regions) in enumerate(self._pages):
            owners = Array()
            for region, marks in regions:
                kind = _KINDS.get(region.kind, Name.P)
                element = Dictionary(Type=Name.StructElem, S=kind, P=document, Pg=sheet, K=Array(marks))
                elements.append(pdf.make_indirect(element))
                owners.extend([elements[-1]] * len(marks))
            parents.append(index)
            parents.append(pdf.make_indirect(owners))
        document[Name.K] = elements
        root[Name.K] = document
        root[Name.ParentTree] = pdf.make_indirect(Dictionary(Nums=parents))
        root[Name.ParentTreeNextKey] = len(self._pages)
        pdf.Root[Name.StructTreeRoot] = root
        pdf.Root[Name.MarkInfo] = Dictionary(Marked=True)
