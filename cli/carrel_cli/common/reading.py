"""Options that say how pages are read and in which formats they come out: the same in every command that reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from carrel import formats
from carrel.collection import find_collection, read_collection, with_collection
from carrel.errors import UsageError
from carrel.formats.save import format_named
from carrel.image.files import shown
from carrel.image.overlay import OVERLAY
from carrel.models.folders import folder_of
from carrel.options import REVIEW_BELOW, ReadOptions
from carrel_cli.common.messages import tell
from carrel_cli.common.running import RUNNING_OPTIONS, running_of

Command = Callable[..., Any]
FORMATS = (*formats.FORMATS, OVERLAY)
_DEFAULTS = ReadOptions()

_READING_OPTIONS = (
    click.option("--lang", default="+".join(_DEFAULTS.languages), show_default=True, help="Languages of printed text: eng, en or English; several by + or commas."),
    click.option("--writing", type=click.Choice(["auto", "printed", "handwritten"]), default=_DEFAULTS.writing, show_default=True, help="Decide for each line, or send all to one recognizer."),
    click.option("--model", type=click.Path(path_type=Path), help="Another handwriting model: its folder, or the name of one that ships with Carrel."),
    click.option("--second", type=click.Path(path_type=Path), help="A model for a second opinion on unsure lines: its folder."),
    click.option("--second-below", type=click.FloatRange(0, 1), default=_DEFAULTS.second_below, show_default=True, help="Confidence under which a line is unsure."),
    click.option("--words", type=click.Path(path_type=Path), help="Names and words of the collection: a text file, or a folder that carrel words made."),
    click.option("--form", type=click.Path(path_type=Path), help="The template of a form: read the fields of pages that fit it by name (carrel form makes one)."),
    click.option("--collection/--no-collection", default=True, show_default=True, help="Follow the carrel.toml of the folder of the scans."),
    click.option("--language-model/--no-language-model", default=_DEFAULTS.language_model, show_default=True, help="Read handwriting with a language model of French, English and German."),
    click.option("--flatten/--no-flatten", default=_DEFAULTS.flatten, show_default=True, help="Flatten the illumination to find lines."),
    click.option("--deskew/--no-deskew", default=_DEFAULTS.deskew, show_default=True, help="Deskew the page to find lines."),
    click.option("--binarize", is_flag=True, default=_DEFAULTS.binarize, help="Read in black and white; gray is better on most scans."),
    click.option("--max-megapixels", type=click.FloatRange(min=0.01), default=_DEFAULTS.max_megapixels, show_default=True, help="Larger pages are refused."),
    click.option("--skip-text", "own_text", flag_value="keep", default=True, help="Of a PDF, keep real text as the page's text; read only what is scanned.  [default]"),
    click.option("--redo-text", "own_text", flag_value="redo", help="Of a PDF, keep real text, and read pictures beside it, too."),
    click.option("--force-text", "own_text", flag_value="force", help="Of a PDF, read real text anew as if it were scanned; pages become pictures."),
    click.option("--keep-rotation", is_flag=True, default=_DEFAULTS.keep_rotation, help="In a PDF, leave pages that lie on their side or head."),
    click.option("--split-spreads", is_flag=True, default=_DEFAULTS.split_spreads, help="Make two pages of a picture of two: NAME.alto.left.xml and NAME.alto.right.xml, likewise PAGE and hOCR; both in one PDF, text and TEI."),
    click.option("--csv-safe", is_flag=True, default=_DEFAULTS.csv_safe, help="In CSV, put an apostrophe before cells that a spreadsheet would take for a formula."),
    *RUNNING_OPTIONS,
)  # fmt: skip
_SAME_NAMES = (
    "writing",
    "second_below",
    "language_model",
    "flatten",
    "deskew",
    "binarize",
    "own_text",
    "keep_rotation",
    "split_spreads",
    "csv_safe",
)
READING_NAMES = (
    "lang", "writing", "model", "second", "second_below", "words", "form", "collection", "language_model", "flatten", "deskew",
    "binarize", "max_megapixels", "own_text", "keep_rotation", "split_spreads", "csv_safe",
    "memory", "device", "threads", "precision", "backend",
)  # fmt: skip

review_option = click.option(
    "--review-below",
    type=click.FloatRange(0, 1),
    default=REVIEW_BELOW,
    show_default=True,
    help="Lines with less confidence than this are marked in overlays.",
)


def reading_options(command: Command) -> Command:
    """Add every option of `carrel.ReadOptions`; the command gets them as ``read``."""

    @wraps(command)
    def reading(*arguments: Any, **values: Any) -> Any:
        chosen = {name: values.pop(name) for name in READING_NAMES}
        read = _reading_of(chosen)
        return command(*arguments, read=_of_collection(read, values) if chosen["collection"] else read, **values)

    for option in reversed(_READING_OPTIONS):
        reading = option(reading)
    return reading


def _reading_of(values: Mapping[str, Any]) -> ReadOptions:
    """Return the options of `reading_options` as one.

    Raises
    ------
    UsageError
        The memory is no amount of memory.
    """
    same = {name: values[name] for name in _SAME_NAMES}
    return ReadOptions(
        languages=tuple(part for part in values["lang"].replace(",", "+").split("+") if part.strip()),
        model=folder_of(values["model"]).resolve() if values["model"] else None,
        second=folder_of(values["second"]).resolve() if values["second"] else None,
        words=values["words"].resolve() if values["words"] else None,
        form=values["form"].resolve() if values["form"] else None,
        max_megapixels=values["max_megapixels"],
        **same,
        **running_of(values),
    )


_SCANS = ("files", "source", "folder", "hypotheses")
"""Parameters of commands that name scans, or the folder that they lie in."""


def _of_collection(read: ReadOptions, values: Mapping[str, Any]) -> ReadOptions:
    """Return options as the collection of the scans has them, but for what was given on the command line.

    Raises
    ------
    UsageError
        The scans belong to several collections.
    """
    if values.get("steps") is False:
        return read  # transcriptions are compared; nothing is read
    named = [values[name] for name in _SCANS if values.get(name)]
    paths = [Path(path) for entry in named for path in (entry if isinstance(entry, tuple) else (entry,))]
    files = {find_collection(path if path.is_dir() else path.parent) for path in paths if path.exists()}
    if len(files) > 1:
        told = " and ".join(sorted(str(file or "no collection") for file in files))
        raise UsageError(f"the files belong to several collections ({told}); read them apart, or with --no-collection")
    file = next(iter(files), None)
    if file is None:
        return read
    context = click.get_current_context()
    given = {"languages" if name == "lang" else name for name in READING_NAMES if was_given(context, name)}
    chosen = {key: value for key, value in read_collection(file).items() if key not in given}
    for key in ("model", "second"):
        if isinstance(chosen.get(key), Path):
            chosen[key] = folder_of(chosen[key]).resolve()
    if chosen:
        tell(f"{shown(file)}: {', '.join(f'{key} {_told(value)}' for key, value in chosen.items())}")
    return with_collection(read, chosen)


def was_given(context: click.Context, name: str) -> bool:
    """Tell whether a parameter was named by the caller."""
    return context.get_parameter_source(name) not in (None, click.core.ParameterSource.DEFAULT)


def _told(value: Any) -> str:
    return (
        "+".join(value) if isinstance(value, tuple) else str(value.name if isinstance(value, Path) else value).lower()
    )


class FormatNames(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]  generic in new versions only
    """Names of formats, several by commas, in any case."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names as `FORMATS` has them."""
        if isinstance(value, tuple):
            return value
        return tuple(self._known(part, param, ctx) for part in str(value).split(",") if part.strip())

    def _known(self, part: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if part.strip().lower() in (OVERLAY, "png"):
            return OVERLAY
        try:
            return format_named(part).name
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, param) from None


def format_options(command: Command) -> Command:
    """Add ``--format`` and ``--overlay``; the command gets ``formats``, each once, text where none is named."""

    @wraps(command)
    def formatted(*arguments: Any, formats: tuple[tuple[str, ...], ...], overlay: bool, **values: Any) -> Any:
        named = [name for names in formats for name in names] or ["text"]
        return command(*arguments, formats=tuple(dict.fromkeys([*named, *([OVERLAY] if overlay else [])])), **values)

    for option in (
        click.option("--overlay", is_flag=True, help="Also write a PNG of the lines, their order and routing."),
        click.option("-f", "--format", "formats", type=FormatNames(), multiple=True, metavar="NAMES", help=f"One or several of {', '.join(FORMATS)}, by commas.  [default: text]"),
    ):  # fmt: skip
        formatted = option(formatted)
    return formatted
