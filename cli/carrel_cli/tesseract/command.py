"""``carrel tesseract``, also as ``carrel-tesseract``: what programs that call ``tesseract`` call instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import carrel
from carrel.errors import OutputError
from carrel.image.files import shown
from carrel.models.folders import folder_of
from carrel.options import ReadOptions
from carrel.output import write_file
from carrel_cli.common.streams import stdin_in_memory
from carrel_cli.tesseract.parameters import PARAMETERS, settings_of
from carrel_cli.tesseract.results import SUFFIXES, result

ORIENTATION_ONLY, SKEW_ONLY = 0, 2
LINE_MODES = (7, 8, 9, 10, 13)
"""Page segmentation modes in which the image is one line."""
_STREAMS = ("-", "stdin", "stdout")
_NO_LANGUAGES = ("osd", "equ")
_MOST_LIST_BYTES = 2**20


def _tell_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        import tesserocr

        click.echo(f"{tesserocr.tesseract_version().strip()}\n carrel {carrel.__version__}")
        ctx.exit()


def _tell_parameters(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        rows = ("\t".join((name, repr(value)[1:-1], about)) for name, (value, about) in PARAMETERS.items())
        click.echo("\n".join(["Tesseract parameters:", *rows]))
        ctx.exit()


@click.command("tesseract", context_settings={"help_option_names": ["-h", "--help", "--help-extra"]})
@click.argument("image", required=False)
@click.argument("outbase", required=False)
@click.argument("configs", nargs=-1)
@click.option("-l", "languages", default="eng", show_default=True, help="Languages of print: LANG[+LANG].")
@click.option(
    "--psm", type=click.IntRange(0, 13), default=3, help="0: orientation only; 2: skew only; 7 to 10, 13: one line."
)
@click.option("--oem", type=click.IntRange(0, 3), help="Without effect.")
@click.option("-c", "given", multiple=True, metavar="NAME=VALUE", help="Parameters; --print-parameters lists them.")
@click.option("--dpi", type=click.FloatRange(min=1), help="Resolution of the image.")
@click.option("--tessdata-dir", type=click.Path(path_type=Path), help="Where the languages of print lie.")
@click.option("--user-words", "--user-patterns", "--loglevel", "ignored", help="Without effect.")
@click.option("--list-langs", is_flag=True, help="List the languages of print.")
@click.option(
    "--print-parameters",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_parameters,
    help="List the parameters.",
)
@click.option(
    "-v",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_tell_version,
    help="Show the version of Tesseract in Carrel, and Carrel's.",
)
@click.pass_context
def command(
    ctx: click.Context,
    image: str | None,
    outbase: str | None,
    configs: tuple[str, ...],
    languages: str,
    psm: int,
    oem: int | None,
    given: tuple[str, ...],
    dpi: float | None,
    tessdata_dir: Path | None,
    ignored: str | None,
    list_langs: bool,
) -> None:  # fmt: skip
    """Read IMAGE as Carrel does, print and handwriting; write OUTBASE.txt and so on, as Tesseract's command does.

    IMAGE is a file, a list of files, or - or stdin; OUTBASE the beginning of the results' names, or - or stdout; CONFIGS
    any of txt, hocr, alto, page, tsv, pdf, makebox, or files of parameters. carrel-tesseract is the same command for
    programs that call tesseract.
    """
    del oem, ignored
    if tessdata_dir is not None:
        os.environ["TESSDATA_PREFIX"] = str(tessdata_dir)
    if list_langs:
        _list_languages()
        return
    if image is None or outbase is None:
        ctx.fail("needs an image and the beginning of the results' names, like: carrel tesseract scan.png out")
    from carrel_cli.tesseract.work import ImagesAtWork

    settings, outputs = settings_of(given, configs)
    options = _options(languages, settings)
    target = _Target(None if outbase in _STREAMS else outbase, _images(image))
    with ImagesAtWork(options, target.images, dpi) as work:
        if psm in (ORIENTATION_ONLY, SKEW_ONLY):
            told = work.orientations() if psm == ORIENTATION_ONLY else work.skews()
            target.write(".osd" if psm == ORIENTATION_ONLY else None, b"".join(told))
            return
        pages = work.lines() if psm in LINE_MODES else work.pages()
        for name in outputs:
            target.write(SUFFIXES[name], result(name, pages, settings, lambda: work.searchable(pages)))


def _list_languages() -> None:
    from carrel.recognizers.tesseract import find_tessdata, installed_languages

    installed = installed_languages()
    names = sorted({*installed, "osd"})  # orientation is found without Tesseract's data for it
    folder = find_tessdata(installed[:1])
    click.echo("\n".join([f'List of available languages in "{folder}/" ({len(names)}):', *names]))


def _options(languages: str, settings: Mapping[str, str]) -> ReadOptions:
    from carrel.process_memory import parse_memory

    named = tuple(name for name in languages.split("+") if name and name not in _NO_LANGUAGES)
    model, memory = settings["carrel_model"], settings["carrel_memory"]
    writing: Any = settings["carrel_writing"]
    return ReadOptions(
        languages=named or ("eng",),
        writing=writing,
        model=folder_of(Path(model)).resolve() if model else None,
        memory_bytes=parse_memory(memory) if memory else None,
    )


def _images(named: str) -> list[Path]:
    """The files of an image: itself, or those that a text file lists, one a line."""
    if named in _STREAMS:
        return [stdin_in_memory()]
    path = Path(named)
    try:
        listed = path.read_text("utf-8").splitlines() if path.stat().st_size < _MOST_LIST_BYTES else []
    except (OSError, UnicodeDecodeError):  # no such file, which is said later, or a picture
        listed = []
    files = [Path(line.strip()) for line in listed if line.strip()]
    return files if any(map(_is_file, files)) else [path]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


@dataclass(frozen=True)
class _Target:
    """Where results go: files that begin so, or stdout; never an image that is read."""

    base: str | None
    images: Sequence[Path]

    def write(self, suffix: str | None, contents: bytes) -> None:
        if self.base is None or suffix is None:
            sys.stdout.buffer.write(contents)
            return
        path = Path(self.base + suffix)
        if path.exists() and any(image.exists() and path.samefile(image) for image in self.images):
            raise OutputError(f"{shown(path)}: is the image that is read; give another beginning of the results' names")
        write_file(path, contents)
