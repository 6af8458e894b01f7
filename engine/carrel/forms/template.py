"""Templates of forms as files: JSON, checked at the door, with the lexicons beside them."""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from carrel.decode.patterns import Constraint, constraint_of
from carrel.errors import InputError, UsageError
from carrel.forms.fields import Field, Template
from carrel.forms.problems import problems_of

MOST_BYTES = 4 * 1024 * 1024
MOST_LEXICON_BYTES = 16 * 1024 * 1024
MOST_PROBLEMS = 50
DEFAULT_PATTERNS: dict[str, str] = {
    "number": r"\d{1,12}",
    "date": "<D.M.Y>|<D. M. Y>|<D/M/Y>|<D-M-Y>|<Y-MM-DD>|<D N Y>|<D. N Y>",
    "boxes": r"[0-9A-Z]{1,40}",
}
"""What fields of a kind may hold, where they have no pattern of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A template that holds together, with the constraint of every field that has one, by its name."""

    template: Template
    constraints: dict[str, Constraint]
    identity: str  # name and the start of a digest of the template and its lexicons
    lexicons: tuple[Path, ...]

    @property
    def page_fields(self) -> tuple[Field, ...]:
        """The fields outside the table."""
        return tuple(field for field in self.template.fields if not field.column)

    @property
    def columns(self) -> tuple[Field, ...]:
        """The columns of the table."""
        return tuple(field for field in self.template.fields if field.column)


def load_form(file: Path) -> Form:
    """Read a template and its lexicons.

    Raises
    ------
    InputError
        It cannot be read, or is no template: everything that is wrong, each with its place, such as ``$.fields[3].pattern``.
    """
    data = _bytes_of(file, MOST_BYTES).removeprefix(codecs.BOM_UTF8)  # as Windows' editors write it
    try:
        template = msgspec.json.decode(data, type=Template)
    except msgspec.ValidationError as error:
        raise InputError(f"{file}: no template of a form: {_placed(str(error))}") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: no template of a form: not JSON: {error}") from None
    problems = list(problems_of(template))
    digest, constraints, lexicons = hashlib.sha256(data), dict[str, Constraint](), list[Path]()
    for n, field in enumerate(template.fields):
        try:
            entries: list[str] = []
            if field.lexicon:
                if Path(field.lexicon).name != field.lexicon or "\0" in field.lexicon:
                    raise InputError(f"the lexicon {field.lexicon!r} is no name of a file beside the template")
                lexicons.append((file.parent / field.lexicon).resolve())
                content = _bytes_of(lexicons[-1], MOST_LEXICON_BYTES)
                digest.update(content)
                entries = [line.strip() for line in content.decode("utf-8-sig").splitlines()]
                if not any(entries):
                    raise InputError(f"the lexicon {field.lexicon!r} is empty")
            pattern = field.pattern or ("" if entries else DEFAULT_PATTERNS.get(field.kind, ""))
            if (pattern or entries) and field.kind != "choice":
                constraints[field.name] = constraint_of(pattern, entries, hard=not field.lexicon_soft)
        except UnicodeDecodeError:
            problems.append(
                f"$.fields[{n}] ({field.name!r}): the lexicon {field.lexicon!r} is not UTF-8; save it as such"
            )
        except (InputError, UsageError) as error:
            problems.append(f"$.fields[{n}] ({field.name!r}): {error}")
    if problems:
        more = f"; and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        raise InputError(f"{file}: {'; '.join(problems[:MOST_PROBLEMS])}{more}")
    return Form(template, constraints, f"{template.name}@{digest.hexdigest()[:12]}", tuple(lexicons))


def _bytes_of(file: Path, most: int) -> bytes:
    try:
        if file.stat().st_size > most:
            raise InputError(f"{file}: larger than {most // 2**20} MiB")
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check the name") from error


def _placed(message: str) -> str:
    if "unknown field `pages`" in message:
        return (
            "$.pages: a template is of one page; make one of each page (carrel form --page N) and read with one after the"
            " other: the rows of a file bear its name and page"
        )
    what, _, place = message.partition(" - at `")
    return f"{place.rstrip('`') or '$'}: {what}"
