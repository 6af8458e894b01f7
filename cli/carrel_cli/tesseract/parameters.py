"""Tesseract's parameters (``-c NAME=VALUE``, config files) that Carrel minds, and Carrel's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from carrel.errors import UsageError
from carrel_cli.common.streams import complain

PARAMETERS = {
    "tessedit_create_txt": ("0", "Write .txt output file"),
    "tessedit_create_hocr": ("0", "Write .hocr output file"),
    "tessedit_create_alto": ("0", "Write .xml ALTO file"),
    "tessedit_create_page_xml": ("0", "Write .page.xml PAGE file"),
    "tessedit_create_tsv": ("0", "Write .tsv output file"),
    "tessedit_create_pdf": ("0", "Write .pdf output file"),
    "tessedit_create_boxfile": ("0", "Write .box output file"),
    "textonly_pdf": ("0", "Create PDF with only one invisible text layer"),
    "page_separator": ("\f", "Text between the pages of .txt and stdout"),
    "carrel_writing": ("auto", "Of Carrel: auto, printed or handwritten"),
    "carrel_model": ("", "Of Carrel: another handwriting model, its folder or name"),
    "carrel_memory": ("", "Of Carrel: most resident memory, like 400M"),
}
"""Name -> default, and what it is for."""
OUTPUTS = {
    "txt": "txt",
    "hocr": "hocr",
    "alto": "alto",
    "page_xml": "page",
    "tsv": "tsv",
    "pdf": "pdf",
    "boxfile": "box",
}
"""End of ``tessedit_create_`` -> name of the output."""
CONFIGS = {"txt": "txt", "hocr": "hocr", "alto": "alto", "page": "page", "tsv": "tsv", "pdf": "pdf", "makebox": "box"}
"""Config files that ask for an output."""
_SILENT = ("quiet", "batch", "batch.nochop", "nobatch")
_MOST_CONFIG_BYTES = 2**20
_TRUE = ("1", "t", "true", "y", "yes")


def settings_of(given: Sequence[str], configs: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the parameters that Carrel minds, and the names of the outputs that are asked for, ``txt`` where none is.

    Parameters
    ----------
    given
        ``NAME=VALUE`` of each ``-c``.
    configs
        Names of outputs, and paths of files with a name and a value a line. What is not known is named on stderr.

    Raises
    ------
    UsageError
        A parameter has no value.
    """
    values = {name: default for name, (default, _) in PARAMETERS.items()}
    asked: dict[str, None] = {}
    for config in configs:
        if config in CONFIGS:
            asked[CONFIGS[config]] = None
        elif Path(config).is_file():
            _update(values, _lines_of(Path(config)))
        elif config not in _SILENT:
            complain(f"config {config} is not known and has no effect")
    _update(values, map(_pair, given))
    asked |= {out: None for end, out in OUTPUTS.items() if is_true(values[f"tessedit_create_{end}"])}
    return values, tuple(asked) or ("txt",)


def is_true(value: str) -> bool:
    """Tell whether a value of Tesseract's means yes."""
    return value.strip().lower() in _TRUE


def _update(values: dict[str, str], pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        if name in values:
            values[name] = value
        else:
            complain(f"parameter {name} has no effect")


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise UsageError(f"-c {given}: a parameter needs a value, like -c {given}=1")
    return name.strip(), value


def _lines_of(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        text = file.read(_MOST_CONFIG_BYTES).decode("utf-8", "replace")
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if name and not name.startswith("#"):
            yield name, value.strip()
