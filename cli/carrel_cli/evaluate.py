"""``carrel eval``: how far a transcription is from the ground truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from carrel.errors import InputError
from carrel.options import ReadOptions
from carrel_cli.common.decoding import decode_apart
from carrel_cli.common.documents import document_files, load_document
from carrel_cli.common.paths import FOLDER, PATH
from carrel_cli.common.reading import reading_options

if TYPE_CHECKING:
    from carrel.evaluate import Document, Evaluation, LineScore
    from carrel.evaluate.report import LinePicture
    from carrel.evaluate.routing import Route

Pairs = list[tuple["Document", "Document"]]


@click.command("eval")
@click.argument("ground_truth", type=PATH)
@click.argument("hypotheses", metavar="HYPOTHESIS...", nargs=-1, required=True, type=PATH)
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all counts here.")
@click.option("--html", "html_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a report here.")
@click.option("--images", type=FOLDER, help="Scans for the report.")
@click.option("--worst", default=200, show_default=True, help="Lines in the report.")
@click.option("--steps", is_flag=True, help="HYPOTHESIS are scans: read them with each step of reading left out.")
@reading_options
@click.option("--no-places", is_flag=True, help="Match lines by their text even where files say where they stand.")
def command(
    ground_truth: Path,
    hypotheses: tuple[Path, ...],
    json_file: Path | None,
    html_file: Path | None,
    images: Path | None,
    worst: int,
    steps: bool,
    read: ReadOptions,
    no_places: bool,
) -> None:
    """Compare transcriptions with the ground truth: files, or folders whose files have the same names.

    Reads ALTO, PAGE, hOCR, Carrel's JSON and plain text (UTF-8, or with a byte order mark UTF-16). Prints character and word error rates with 95 % intervals, as
    they are and without typography, compatibility forms (NFKC: ligatures, soft hyphens), case, punctuation, spacing; by kind of writing; lines missed, extra, split and out
    of order; what was taken for what. Where lines carry readings of several recognizers, also what it would have cost
    to send all lines to one. Several hypotheses (other settings, other engines) are compared with the first. The report
    and the JSON are those of the first.

    With --steps HYPOTHESIS are scans, or folders of them. They are read as the options of reading say, then with the paper not flattened, the
    page not deskewed, in binarized, without the language model, all as print and all as handwriting; the CER of
    each tells what the step is worth on these pages, and the routes compare both recognizers on every line.
    """
    report = Report(json_file, html_file, images, worst)
    if steps:
        _compare_steps(ground_truth, hypotheses, read, report, no_places)
    else:
        _compare_files(ground_truth, hypotheses, report, no_places)


@dataclass(frozen=True)
class Report:
    """Files for all counts besides stdout."""

    json_file: Path | None
    html_file: Path | None
    images: Path | None
    worst: int

    def write(self, pairs: Pairs, evaluation: Evaluation, routes: list[Route], **more: Any) -> None:
        """Write the files that were asked for."""
        from carrel.evaluate.report import as_data, as_html
        from carrel.output import write_file

        if self.json_file:
            data = json.dumps(as_data(evaluation, routes) | more, ensure_ascii=False, indent=1)
            write_file(self.json_file, data.encode() + b"\n")
        if self.html_file:
            page = as_html(evaluation, routes, _pictures(pairs, self.images), self.worst)
            write_file(self.html_file, page.encode())


def _compare_files(ground_truth: Path, hypotheses: Sequence[Path], report: Report, no_places: bool) -> None:
    from carrel.evaluate import Evaluation, score_document
    from carrel.evaluate.report import as_table
    from carrel.evaluate.routing import compare_routes

    first: Evaluation | None = None
    for hypothesis in hypotheses:
        pairs = load_pairs(ground_truth, hypothesis, no_places)
        evaluation = Evaluation([score_document(*pair) for pair in pairs])
        routes = compare_routes(pairs)
        if len(hypotheses) > 1:
            click.echo(f"== {hypothesis}")
        click.echo(as_table(evaluation, routes))
        if first is None:
            first = evaluation
            report.write(pairs, evaluation, routes)
        else:
            click.echo(_difference(first, evaluation))


def _compare_steps(
    ground_truth: Path, scans: Sequence[Path], options: ReadOptions, report: Report, no_places: bool
) -> None:
    from carrel.evaluate.report import as_table
    from carrel_cli.common.steps import compare_steps, steps_data, steps_table

    named = {name: load_document(name, path, no_places) for name, path in document_files(ground_truth).items()}
    found = compare_steps(named, scans, options)
    evaluation = found.steps[0].evaluation
    click.echo(as_table(evaluation, found.routes))
    click.echo(steps_table(found.steps))
    report.write(found.pairs, evaluation, found.routes, steps=steps_data(found.steps))


def load_pairs(ground_truth: Path, hypothesis: Path, no_places: bool = False) -> Pairs:
    """Return ground truth and hypothesis of every document of ``ground_truth``; a document that was not read is compared with nothing.

    Raises
    ------
    InputError
        Nothing to compare, or a file that cannot be read.
    """
    from carrel.evaluate import Document

    left, right = document_files(ground_truth), document_files(hypothesis)
    if ground_truth.is_file() and hypothesis.is_file():
        right = dict(zip(left, right.values(), strict=True))
    if not left.keys() & right.keys():
        raise InputError(f"{ground_truth} and {hypothesis} have no document in common")
    pairs: Pairs = []
    for name, path in left.items():
        document = load_document(name, path, no_places)
        other = load_document(name, right[name], no_places) if name in right else Document(name, (), document.size_px)
        if name not in right:
            click.echo(f"{name}: not in {hypothesis}, counts as not read", err=True)
        pairs.append((document, other))
    return pairs


def _pictures(pairs: Pairs, images: Path | None) -> LinePicture:
    """Finds a line's picture among the scans, by the hypothesis's polygon, else the ground truth's."""
    from PIL import Image

    from carrel.evaluate.pictures import cut_line, data_uri
    from carrel.review.scans import find_scan

    documents = {ground_truth.name: (ground_truth, hypothesis) for ground_truth, hypothesis in pairs}
    decode = decode_apart()

    @lru_cache(maxsize=2)
    def scan(name: str):
        ground_truth, hypothesis = documents[name]
        size, index = ground_truth.size_px or hypothesis.size_px, max(ground_truth.page_index, hypothesis.page_index)
        if not images or not size:
            return None
        found = find_scan(images, name, (ground_truth.image, hypothesis.image), size, decode, index)
        return Image.fromarray(found.gray) if found else None

    def picture(line: LineScore) -> str | None:
        image = scan(line.document)
        ground_truth, hypothesis = documents[line.document]
        places = [hypothesis.lines[index].polygon for index in line.match.hypothesis]
        places += [ground_truth.lines[index].polygon for index in line.match.ground_truth]
        polygon = next((place for place in places if len(place) > 2), None)
        return data_uri(cut_line(image, polygon)) if image and polygon else None

    return picture


def _difference(first: Evaluation, second: Evaluation) -> str:
    from carrel.evaluate.bootstrap import difference_interval
    from carrel.evaluate.report import percent

    change = second.total().cer - first.total().cer
    interval = difference_interval(first, second)
    interval_text = f", 95 % interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f}" if interval else ""
    return f"CER {percent(second.total().cer)}, against the first {100 * change:+.2f} points{interval_text}\n"
