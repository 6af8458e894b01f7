"""Languages by every name that people give them."""

from __future__ import annotations

import pytest

import carrel
from carrel.languages import TAGS, document_language, english_name, tesseract_code


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("en", "eng", "English", "english", " ENGLISH ", "en-GB"), "eng"),
        (("de", "deu", "ger", "german", "Deutsch", "de-AT"), "deu"),
        (("fr", "fra", "fre", "French", "français"), "fra"),
        (("chi-sim", "zh-Hans", "zh", "zh-cn"), "chi_sim"),
        (("zh-TW", "chi_tra"), "chi_tra"),
        (("frk", "Fraktur"), "frk"),
        (("script/Latin",), "script/Latin"),
        (("my-model",), "my-model"),
    ],
)
def test_names_become_the_code(names: tuple[str, ...], code: str) -> None:
    assert {tesseract_code(name) for name in names} == {code}
    assert carrel.ReadOptions(languages=names).languages == (code,)


def test_every_code_is_its_own_and_every_tag_leads_to_a_code_of_that_tag() -> None:
    assert all(tesseract_code(code) == code for code in TAGS)
    assert all(TAGS[tesseract_code(tag)] == tag for tag in TAGS.values())


def test_tags_of_documents_and_names() -> None:
    assert document_language(("English", "fra")) == "en"
    assert document_language(()) == document_language(("klingon",)) == "und"
    assert (english_name("deu"), english_name("fr"), english_name("klingon")) == ("German", "French", "klingon")


@pytest.mark.parametrize("given", ["eng", (), ("",), (" ",), ("eng", 3)])
def test_what_is_no_tuple_of_names_is_refused(given: object) -> None:
    with pytest.raises(carrel.UsageError, match="languages: expected a tuple"):
        carrel.ReadOptions(languages=given)  # type: ignore[arg-type]
