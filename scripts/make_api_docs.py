"""The page of the programming interface, ``docs/python.md``, made from docstrings.

usage: python scripts/make_api_docs.py          writes docs/python.md; a test runs its examples
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import carrel

TARGET = Path(__file__).parents[1] / "docs" / "python.md"
CHAPTERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Reading", ("read", "Reader", "ReadOptions", "Budget")),
    ("Pages", ("Page", "Region", "Line", "Word", "Character", "Alternative", "Writing", "Correction")),
    ("Where a page comes from", ("Source", "Provenance", "Box")),
    ("Files", ("write", "read_page")),
    (
        "Errors",
        (
            "CarrelError",
            "UsageError",
            "InputError",
            "PageTimeoutError",
            "ModelError",
            "OutputError",
            "CancelledError",
        ),
    ),
)
_WITHOUT_MEMBERS = ("Budget",)  # handed on, not called
_HEAD = """# Carrel from Python

<!-- made by scripts/make_api_docs.py from docstrings: change those -->

"""
_SECTION = re.compile(r"^(\w[\w ]*)\n-+$", re.MULTILINE)


def made() -> str:
    """Return the whole page as Markdown."""
    parts = [_HEAD + _prose(inspect.getdoc(carrel) or "")]
    for title, names in CHAPTERS:
        parts.append(f"## {title}")
        for name in names:
            parts += _described(f"carrel.{name}", getattr(carrel, name))
    return "\n\n".join(parts) + "\n"


def _described(name: str, item: Any) -> Iterator[str]:
    yield f"### {name}{_signature(item)}"
    yield _prose(inspect.getdoc(item) or "")
    if inspect.isclass(item) and item.__name__ not in _WITHOUT_MEMBERS:
        for key, member in vars(item).items():
            if key.startswith("_") or not _is_documented(member):
                continue
            yield f"#### {name}.{key}{_signature(member)}"
            yield _prose(inspect.getdoc(member) or "")


def _is_documented(member: Any) -> bool:
    return isinstance(member, property | classmethod) or inspect.isfunction(member)


def _signature(item: Any) -> str:
    """Parameters without their types, which the text tells; fields of a dataclass too."""
    if isinstance(item, property) or (inspect.isclass(item) and issubclass(item, Exception)):
        return ""
    if isinstance(item, classmethod):
        item = item.__func__
    if item is carrel.ReadOptions:
        return "(...)"
    parameters = [p for p in inspect.signature(item).parameters.values() if p.name not in ("self", "cls")]
    shown: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        shown.append(parameter.name + _default(parameter))
    return f"({', '.join(shown)})"


def _default(parameter: inspect.Parameter) -> str:
    if parameter.default is parameter.empty:
        return ""
    plain = isinstance(parameter.default, str | int | float | tuple) or parameter.default is None
    return f"={parameter.default!r}" if plain else "=..."


def _prose(docstring: str) -> str:
    """A docstring as Markdown: numpydoc's sections as lists, examples as code."""
    text = _SECTION.sub(lambda match: f"**{match[1]}**\n", docstring.replace("``", "`"))
    blocks = [_block(block) for block in text.split("\n\n")]
    return "\n\n".join(blocks)


def _block(block: str) -> str:
    if block.lstrip().startswith(">>>"):
        return f"```python\n{block}\n\n```"  # the empty line ends the last expected output
    title, _, rest = block.partition("\n")
    if title.startswith("**") and rest.startswith("\n"):
        return block
    return _listed(block)


def _listed(block: str) -> str:
    """Names with an indented text under them, as a list."""
    lines = block.split("\n")
    if not any(line.startswith("    ") for line in lines) or lines[0].startswith(("    ", "::")):
        return block
    shown: list[str] = []
    for line in lines:
        if line.startswith("**"):
            shown += [line, ""]
        elif not line.startswith(" ") and line:
            shown.append(f"- `{line}`:")
        elif line:
            shown[-1] += f" {line.strip()}"
    return "\n".join(shown)


if __name__ == "__main__":
    TARGET.write_text(made(), "utf-8")
