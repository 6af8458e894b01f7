"""The desk's texts: every language has every one, with the same blanks, and nothing is asked for that is not there."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import get_args

WEB = Path(str(files("carrel_desk").joinpath("web")))
ROW = re.compile(r'^  (?:"(?P<quoted>[^"]+)"|(?P<name>\w+)): (?P<texts>\[".*"\]),$', re.MULTILINE)


def table() -> dict[str, list[str]]:
    source = (WEB / "strings.js").read_text("utf-8")
    body = source[source.index("const TABLE = {") : source.index("\n};")]
    rows = {m["quoted"] or m["name"]: json.loads(m["texts"]) for m in ROW.finditer(body)}
    assert len(rows) == body.count("\n")  # every row is understood
    return rows


def test_every_language_has_every_text() -> None:
    languages = re.search(r"LANGUAGES = (\[.*?\])", (WEB / "strings.js").read_text("utf-8"))
    assert languages is not None
    known = json.loads(languages[1])
    page = (WEB / "index.html").read_text("utf-8")
    assert known == re.findall(r'<option value="(\w\w)" lang="\1">', page)
    for name, texts in table().items():
        assert len(texts) == len(known), name
        assert all(text.strip() for text in texts), name
        blanks = [sorted(re.findall(r"\{(\w+)\}", text)) for text in texts]
        assert blanks.count(blanks[0]) == len(blanks), name


def test_every_text_that_is_asked_for_is_there() -> None:
    known = set(table())
    page = (WEB / "index.html").read_text("utf-8")
    asked = set(re.findall(r'data-(?:say|label|name)="(\w+)"', page))
    for script in WEB.glob("*.js"):
        asked |= set(re.findall(r'\bsay\("([\w:]+)"', script.read_text("utf-8")))
        asked |= set(re.findall(r', "(key\w+)"\]', script.read_text("utf-8")))
    assert asked - known == set()
    from carrel.review.structure import LINE_TYPES, REGION_KINDS
    from carrel_desk.store.entries import Concern

    assert {*LINE_TYPES, *REGION_KINDS, *(f"concern:{concern}" for concern in get_args(Concern))} <= known
