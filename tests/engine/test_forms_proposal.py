"""Proposals of templates: names of fields, from the words that stand before them."""

from __future__ import annotations

from carrel.forms.proposal.boxes import Rect
from carrel.forms.proposal.found import Printed, Proposal, label_before


def test_a_square_that_was_read_as_a_letter_does_not_name_its_choice() -> None:
    married, square = Rect(80, 727, 180, 771), Rect(334, 734, 363, 763)
    words = [Printed("Married", married, clear=True), Printed("O", Rect(330, 730, 366, 767), clear=False)]
    assert label_before(Proposal(words, 46.0), square) == "Married"


def test_a_field_is_not_named_as_a_column_that_every_table_has() -> None:
    found = Proposal([], 20.0)
    for label in ("Page", "Document", "Review", "Row", "Page"):
        found.add(label, box=[0, 0, 9, 9])
    assert [field.name for field in found.fields] == ["page_2", "document_2", "review_2", "row_2", "page_3"]
