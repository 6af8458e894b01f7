"""An evaluation as plain data for JSON, as a table for the terminal, and as one HTML page with line pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

from carrel.evaluate.bootstrap import Interval, cer_interval, wer_interval
from carrel.evaluate.coverage import review_coverage, share_removed
from carrel.evaluate.normalize import ALL, AS_IS
from carrel.evaluate.routing import Route
from carrel.evaluate.score import Counts, DocumentScore, Evaluation, LineScore, confusions, differences

FORMAT = "carrel-eval/1"
MOST_CONFUSIONS = 30
_REVIEWED = 0.2

#: the picture of a line as a data URI, None where there is none
LinePicture = Callable[[LineScore], str | None]

_STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; margin: 1rem 0 } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.line { border-top: 1px solid #ccc; padding: .7rem 0 } .line img { max-width: 100%; max-height: 8rem; display: block }
.line p { margin: .2rem 0; white-space: pre-wrap } .where { color: #666; font-size: .85rem }
del { background: #ffd7d5; text-decoration: none } ins { background: #ccf1d3; text-decoration: none }
"""


def as_data(evaluation: Evaluation, routes: list[Route]) -> dict[str, Any]:
    """Return everything that was counted; rates and intervals as parts of one."""
    return {
        "format": FORMAT,
        "totals": {n.name: _rates(evaluation, n.name) for n in ALL},
        "in_order": _counts(evaluation.in_order()),
        "by_writing": {kind: _counts(counts) for kind, counts in evaluation.by_writing().items()},
        "routes": [{"name": route.name, "lines": route.lines} | _counts(route.counts) for route in routes],
        "review": [{"lines": share, "errors": errors} for share, errors in _curve(evaluation)],
        "confusions": [
            {"ground_truth": pair[0], "read": pair[1], "times": times}
            for pair, times in confusions(evaluation.lines).most_common(MOST_CONFUSIONS)
        ],
        "documents": [_document(document) for document in evaluation.documents],
    }


def _curve(evaluation: Evaluation) -> list[list[float]]:
    """Share of errors that go when so large a share of lines, least confident first, is corrected: in steps of 5 %."""
    curve = review_coverage(evaluation.lines)
    return [[step / 20, share_removed(curve, step / 20)] for step in range(21)] if curve[-1, 1] else []


def _curve_picture(evaluation: Evaluation) -> str:
    """The curve as SVG, with the diagonal that guessing would give."""
    points = " ".join(f"{300 * share:.1f},{200 - 200 * errors:.1f}" for share, errors in _curve(evaluation))
    if not points:
        return ""
    caption = "Errors removed (up) by correcting the least confident lines first (right), both from 0 to 100 %"
    return (
        "<h2>Review</h2><svg viewBox='-5 -5 310 210' width='310' height='210' fill='none'>"
        "<rect width='300' height='200' stroke='#ccc'/><path d='M0 200L300 0' stroke='#ccc'/>"
        f"<polyline points='{points}' stroke='#b3261e' stroke-width='2'/></svg><p>{caption}.</p>"
    )


def _rates(evaluation: Evaluation, name: str) -> dict[str, Any]:
    intervals = {"cer_interval": cer_interval(evaluation, name), "wer_interval": wer_interval(evaluation, name)}
    return _counts(evaluation.total(name)) | {key: value and value._asdict() for key, value in intervals.items()}


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "characters": counts.characters,
        "character_errors": counts.character_errors,
        "cer": counts.cer,
        "words": counts.words,
        "word_errors": counts.word_errors,
        "wer": counts.wer,
    }


def _document(document: DocumentScore) -> dict[str, Any]:
    lines = [
        {
            "ground_truth": line.ground_truth,
            "read": line.hypothesis,
            "writing": line.writing,
            "confidence": line.confidence,
        }
        | _counts(line.counts[AS_IS.name])
        for line in document.lines
    ]
    return {
        "name": document.name,
        **_counts(document.total()),
        "in_order": _counts(document.in_order),
        "missed_lines": document.missed_lines,
        "extra_lines": document.extra_lines,
        "split_or_merged_lines": document.split_or_merged,
        "lines_out_of_order": document.out_of_order,
        "lines": lines,
    }


def as_table(evaluation: Evaluation, routes: list[Route], most: int = 10) -> str:
    """Return the same, short, for people: totals, kinds of writing, routes, worst documents, confusions."""
    return "\n".join(_table_lines(evaluation, routes, most)) + "\n"


def _table_lines(evaluation: Evaluation, routes: list[Route], most: int) -> Iterator[str]:
    yield f"{'':24}{'CER':>9}  {'95 % interval':<19}{'WER':>9}  {'95 % interval':<19}"
    for name in (normalization.name for normalization in ALL):
        cer, wer = cer_interval(evaluation, name), wer_interval(evaluation, name)
        words = (percent(evaluation.total(name).wer), _range(wer)) if _has_words(name) else ("", "")
        yield f"{name:24}{percent(evaluation.total(name).cer):>9}  {_range(cer):<19}{words[0]:>9}  {words[1]}".rstrip()
    yield f"{'in reading order':24}{percent(evaluation.in_order().cer):>9}  {'':19}{percent(evaluation.in_order().wer):>9}"
    yield ""
    yield _line_summary(evaluation)
    curve = review_coverage(evaluation.lines)
    if curve[-1, 1]:
        removed = share_removed(curve, _REVIEWED)
        yield f"the {percent(_REVIEWED)} of lines with most errors expected hold {percent(removed)} of the errors"
    for kind, counts in evaluation.by_writing().items():
        yield f"{kind:24}{percent(counts.cer):>9}  of {counts.characters} characters"
    if routes:
        yield ""
        yield from (f"{route.name:24}{percent(route.counts.cer):>9}  {route.lines} lines" for route in routes)
    yield ""
    for document in sorted(evaluation.documents, key=lambda d: -d.total().cer)[:most]:
        yield f"{document.name[:44]:46}{percent(document.total().cer):>9}  {len(document.lines)} lines"
    yield ""
    for (ground_truth, read), times in confusions(evaluation.lines).most_common(most):
        yield f"{times:6}  {ground_truth!r} read as {read!r}" if ground_truth else f"{times:6}  {read!r} added"


def _has_words(name: str) -> bool:
    return next(normalization.spacing for normalization in ALL if normalization.name == name)


def _line_summary(evaluation: Evaluation) -> str:
    documents = evaluation.documents
    return (
        f"{len(evaluation.lines)} lines in {len(documents)} documents: "
        f"{sum(d.missed_lines for d in documents)} missed, {sum(d.extra_lines for d in documents)} extra, "
        f"{sum(d.split_or_merged for d in documents)} split or merged, "
        f"{sum(d.out_of_order for d in documents)} out of order"
    )


def percent(value: float) -> str:
    """Return ``value`` in percent with two decimals."""
    return f"{100 * value:.2f} %"


def _range(interval: Interval | None) -> str:
    return f"{100 * interval.low:.2f} to {100 * interval.high:.2f}" if interval else "-"


def as_html(evaluation: Evaluation, routes: list[Route], picture: LinePicture, most_lines: int) -> str:
    """Return one page that needs nothing else: the table, then the lines with most errors, differences marked.

    Each line's ground truth stands above what was read; red was not read so, green was read instead.
    """
    lines = [line for line in evaluation.lines if line.counts[AS_IS.name].character_errors]
    lines.sort(key=lambda line: -line.counts[AS_IS.name].character_errors)
    shown = lines[:most_lines]
    note = f"{len(shown)} of {len(lines)} lines with errors, most errors first"
    parts = [
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Evaluation</title>",
        "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; ",
        f"style-src 'unsafe-inline'\"><style>{_STYLE}</style></head><body><h1>Evaluation</h1>",
        f"<pre>{escape(as_table(evaluation, routes))}</pre>",
        _curve_picture(evaluation),
        f"<h2>Lines</h2><p>{note}. Above the ground truth, <del>not read so</del>; below what was read, <ins>instead</ins>.</p>",
        *(_html_line(line, picture(line)) for line in shown),
        "</body></html>\n",
    ]
    return "".join(parts)


def _html_line(line: LineScore, uri: str | None) -> str:
    counts = line.counts[AS_IS.name]
    ground_truth, read = AS_IS.apply(line.ground_truth), AS_IS.apply(line.hypothesis)
    pieces = differences(ground_truth, read)
    above = "".join(_marked(left, "del", left == right) for left, right in pieces)
    below = "".join(_marked(right, "ins", left == right) for left, right in pieces)
    image = f"<img src='{escape(uri)}' alt=''>" if uri else ""
    where = f"{escape(line.document)}, {counts.character_errors} of {counts.characters} characters, {line.writing}"
    return f"<div class='line' dir='auto'><div class='where'>{where}</div>{image}<p>{above}</p><p>{below}</p></div>"


def _marked(text: str, tag: str, same: bool) -> str:
    return escape(text) if same or not text else f"<{tag}>{escape(text)}</{tag}>"
