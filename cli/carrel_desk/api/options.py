"""Options of one request, from its query: those of ``carrel.ReadOptions`` that a caller may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from carrel.errors import ModelError, UsageError
from carrel.options import REVIEW_BELOW, ReadOptions
from carrel.recognizers.tesseract import tessdata_folders
from carrel_desk.http.problems import ProblemError

WRITINGS = ("auto", "printed", "handwritten")
FLAGS = ("language_model", "flatten", "deskew", "binarize")
OPTION_NAMES = ("lang", "writing", *FLAGS)
_TRUE, _FALSE = ("1", "true", "yes", "on", ""), ("0", "false", "no", "off")


@cache
def installed_languages() -> tuple[str, ...]:
    """Return the languages that Tesseract has data for here."""
    names = {file.stem for folder in tessdata_folders() if folder.is_dir() for file in folder.glob("*.traineddata")}
    return tuple(sorted(names - {"osd", "equ"}))


def options_of(query: Mapping[str, str], base: ReadOptions) -> ReadOptions | None:
    """Return ``base`` with what a query says; None where it says nothing.

    Raises
    ------
    ProblemError
        422: a value that is none, or a language that is not installed.
    """
    changes: dict[str, Any] = {name: flag(query[name], name) for name in FLAGS if name in query}
    if "lang" in query:
        changes["languages"] = _languages(query["lang"])
    if "writing" in query:
        if query["writing"] not in WRITINGS:
            raise refused_option(f"writing is one of {', '.join(WRITINGS)}")
        changes["writing"] = query["writing"]
    options = replace(base, **changes)
    return None if options == base else options


def flag(value: str, name: str) -> bool:
    """Return a query's yes or no.

    Raises
    ------
    ProblemError
        422: neither.
    """
    if value.lower() not in (*_TRUE, *_FALSE):
        raise refused_option(f"{name} is true or false")
    return value.lower() in _TRUE


def review_below_of(query: Mapping[str, str]) -> float:
    """Return the confidence under which lines are to be reviewed.

    Raises
    ------
    ProblemError
        422: no number from 0 to 1.
    """
    try:
        below = float(query.get("review_below", REVIEW_BELOW))
    except ValueError:
        below = -1.0
    if not 0 <= below <= 1:
        raise refused_option("review_below is a number from 0 to 1")
    return below


def _languages(text: str) -> tuple[str, ...]:
    names = tuple(part for part in text.replace(",", "+").replace(" ", "+").split("+") if part)
    missing = [name for name in names if name not in installed_languages()]
    if missing or not names:
        what = f"lang: no data for {'+'.join(missing)[:100] or 'nothing'}; GET /v1/languages names what is installed"
        raise ProblemError(422, what, ModelError(what))
    return names


def refused_option(message: str) -> ProblemError:
    """Return the refusal of an option."""
    return ProblemError(422, message, UsageError(message))
