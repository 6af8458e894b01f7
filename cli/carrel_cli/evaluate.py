"""``carrel eval``: how far a transcription is from the truth."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
from carrel.errors import InputError

if TYPE_CHECKING:
    from carrel.evaluate import Document, Evaluation, LineScore
    from carrel.evaluate.report import LinePicture

# best first, where a folder has a page in several formats
_SUFFIXES = (
    ".json", ".page.xml", ".alto.xml", ".xml", ".hocr.html", ".html", ".hocr", ".gt.txt", ".txt",
)  # fmt: skip
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".jp2")
Pairs = list[tuple["Document", "Document"]]


@click.command("eval")
@click.argument("truth", type=click.Path(exists=True, path_type=Path))
@click.argument(
    "hypotheses", metavar="HYPOTHESIS...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all counts here.")
@click.option("--html", "html_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a report here.")
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Scans for the report.")
@click.option("--worst", default=200, show_default=True, help="Lines in the report.")
@click.option("--no-places", is_flag=True, help="Match lines by their text even where files say where they stand.")
def evaluate(
    truth: Path,
    hypotheses: tuple[Path, ...],
    json_file: Path | None,
    html_file: Path | None,
    images: Path | None,
    worst: int,
    no_places: bool,
) -> None:
    """Compare transcriptions with the truth: files, or folders whose files have the same names.

    Reads ALTO, PAGE, hOCR, Carrel's JSON and plain text. Prints character and word error rates with 95 % intervals, as
    they are and without typography, case, punctuation, spacing; by kind of writing; lines missed, extra, split and out
    of order; what was taken for what. Where lines carry readings of several recognizers, also what it would have cost
    to send all lines to one. Several hypotheses (other settings, other engines) are compared with the first. The report
    and the JSON are those of the first.
    """
    from carrel.evaluate import Evaluation, score_document
    from carrel.evaluate.report import as_data, as_html, as_table
    from carrel.evaluate.routing import compare_routes

    first: Evaluation | None = None
    for hypothesis in hypotheses:
        pairs = load_pairs(truth, hypothesis, no_places)
        evaluation = Evaluation([score_document(*pair) for pair in pairs])
        routes = compare_routes(pairs)
        if len(hypotheses) > 1:
            click.echo(f"== {hypothesis}")
        click.echo(as_table(evaluation, routes))
        if first is None:
            first = evaluation
            if json_file:
                json_file.write_text(
                    json.dumps(as_data(evaluation, routes), ensure_ascii=False, indent=1) + "\n", "utf-8"
                )
            if html_file:
                html_file.write_text(as_html(evaluation, routes, _pictures(pairs, images), worst), "utf-8")
        else:
            click.echo(_difference(first, evaluation))


def load_pairs(truth: Path, hypothesis: Path, no_places: bool = False) -> Pairs:
    """Truth and hypothesis of every document of ``truth``; a document that was not read is compared with nothing.

    Raises
    ------
    InputError
        Nothing to compare, or a file that cannot be read.
    """
    from carrel.evaluate import Document

    left, right = _files(truth), _files(hypothesis)
    if truth.is_file() and hypothesis.is_file():
        right = dict(zip(left, right.values(), strict=True))
    if not left.keys() & right.keys():
        raise InputError(f"{truth} and {hypothesis} have no document in common")
    pairs: Pairs = []
    for name, path in left.items():
        document = _document(name, path, no_places)
        other = _document(name, right[name], no_places) if name in right else Document(name, (), document.size_px)
        if name not in right:
            click.echo(f"{name}: not in {hypothesis}, counts as not read", err=True)
        pairs.append((document, other))
    return pairs


def _files(path: Path) -> dict[str, Path]:
    """Document name -> its file, the most telling format of each."""
    if path.is_file():
        return {document_name(path.name): path}
    found: dict[str, tuple[int, Path]] = {}
    for file in sorted(path.iterdir()):
        suffix = next((index for index, suffix in enumerate(_SUFFIXES) if file.name.endswith(suffix)), None)
        name = document_name(file.name)
        if suffix is not None and file.is_file() and file.name != "index.json":
            found[name] = min(found.get(name, (suffix, file)), (suffix, file))
    return {name: file for name, (_, file) in found.items()}


def document_name(file_name: str) -> str:
    """``file_name`` without the suffix of its format."""
    return next((file_name.removesuffix(suffix) for suffix in _SUFFIXES if file_name.endswith(suffix)), file_name)


def _document(name: str, path: Path, no_places: bool) -> Document:
    from carrel.evaluate import Document, from_page, from_text
    from carrel.formats import read
    from carrel.formats.readers import load

    if path.suffix == ".txt":
        return from_text(name, load(path).decode("utf-8-sig", "replace"))
    document = from_page(name, read(path))
    return Document(name, document.lines, None, document.image) if no_places else document


def _pictures(pairs: Pairs, images: Path | None) -> LinePicture:
    """Finds a line's picture among the scans, by the hypothesis's polygon, else the truth's."""
    from carrel.evaluate.pictures import cut_line, data_uri, open_scan

    documents = {truth.name: (truth, hypothesis) for truth, hypothesis in pairs}

    @lru_cache(maxsize=2)
    def scan(name: str):
        truth, hypothesis = documents[name]
        size = truth.size_px or hypothesis.size_px
        named = [document.image for document in (truth, hypothesis) if document.image]
        names = [*named, *(name + suffix for suffix in _PICTURES)]
        paths = [images / Path(candidate).name for candidate in names] if images else []
        opened = (open_scan(path, size) for path in paths if size and path.is_file())
        return next((image for image in opened if image), None)

    def picture(line: LineScore) -> str | None:
        image = scan(line.document)
        truth, hypothesis = documents[line.document]
        places = [hypothesis.lines[index].polygon for index in line.match.hypothesis]
        places += [truth.lines[index].polygon for index in line.match.truth]
        polygon = next((place for place in places if len(place) > 2), None)
        return data_uri(cut_line(image, polygon)) if image and polygon else None

    return picture


def _difference(first: Evaluation, second: Evaluation) -> str:
    from carrel.evaluate.bootstrap import difference_interval
    from carrel.evaluate.report import percent

    change = second.total().cer - first.total().cer
    interval = difference_interval(first, second)
    sure = f", 95 % interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f}" if interval else ""
    return f"CER {percent(second.total().cer)}, against the first {100 * change:+.2f} points{sure}\n"
