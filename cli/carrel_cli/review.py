"""``carrel review``: what a person should look at, and what came of it."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import UsageError
from carrel.options import REVIEW_BELOW
from carrel_cli.apply import report
from carrel_cli.common.paths import FOLDER, PATH
from carrel_cli.common.review_pictures import PACK, as_html, keep_lines, line_pictures

if TYPE_CHECKING:
    from carrel.batch.corrected import Notes
    from carrel.formats.read.folders import PageFiles
    from carrel.page import Page
    from carrel.review.corrections import Change
    from carrel.review.queue import Task

_SHOWN = 20
ENOUGH_TO_LEARN = 50
"""Lines that people have seen; of two registers that the network had never seen, 50 took a quarter of the errors."""


@dataclass(frozen=True)
class Choices:
    """Options besides the folder."""

    errors: float
    below: float
    lines: int | None
    every: bool
    learning: bool
    fields: bool
    images: Path | None
    worksheet: Path | None
    html_file: Path | None
    corrected: Path | None
    by: str
    dry_run: bool
    keep: Path | None
    state: Path | None
    seconds_per_line: float | None


@click.command("review")
@click.argument("folder", type=FOLDER)
@click.option(
    "--errors",
    type=click.FloatRange(min=0),
    default=0.5,
    show_default=True,
    help="Wrong characters expected in a line from which it is listed.",
)
@click.option(
    "--below", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Only lines of no more confidence."
)
@click.option("--lines", type=click.IntRange(min=1), help="No more lines than so many.  [default: all]")
@click.option("--all", "every", is_flag=True, help="All lines that nobody has seen, whatever their confidence.")
@click.option(
    "--for-learning", "learning", is_flag=True, help="In the order that serves carrel learn: of all pages in turn."
)
@click.option("--fields", is_flag=True, help="Only values of forms, field by field, the least confident of each first.")
@click.option("--images", type=FOLDER, help="Folder of the scans.")
@click.option(
    "--worksheet",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the lines here, to be edited: as text with tabs, or with pictures where the name ends in .xlsx.",
)
@click.option("--html", "html_file", type=click.Path(dir_okay=False, path_type=Path), help="Write them with pictures.")
@click.option("--corrected", type=PATH, help="Worksheet or pages to take back.")
@click.option("--by", default="", help="Who corrected them.  [default: your name on this machine]")
@click.option("--dry-run", is_flag=True, help="With --corrected: say what would change, and change nothing.")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), help=f"Keep seen lines in {PACK} here, for training."
)
@click.option("--state", type=click.Path(path_type=Path), help="Private folder of the batch.  [default: in FOLDER]")
@click.option(
    "--seconds-per-line", type=click.FloatRange(min=0), help="What correcting one takes you; tells how long all take."
)
@click.pass_context
def command(ctx: click.Context, folder: Path, **chosen: object) -> None:
    """List the lines of pages with most errors expected, the worst first, and take corrections back.

    FOLDER holds what ``carrel read`` or ``carrel batch`` wrote, in subfolders too; JSON tells most. Lines that somebody
    has corrected or confirmed are counted, not listed.

    Corrections are an edited worksheet, or pages (ALTO, PAGE, hOCR, JSON, text) under the same names, or FOLDER itself
    where files were edited as they lie. They go into the stored page, with who and when, and from it into every format
    that lies beside it. What fits no line is named; the exit code is 3 then. With --keep (needs --images) all corrected
    and confirmed lines become a line pack for training.
    """
    from carrel.batch.corrected import notes_of
    from carrel.review.read_back import stored_pages

    choices = Choices(**chosen)  # type: ignore[arg-type]
    if choices.keep and not choices.images:
        raise UsageError("--keep needs --images, the folder of the scans")
    unplaced: Sequence[str] = ()
    with notes_of(folder, choices.state, alone=bool(choices.corrected and not choices.dry_run)) as notes:
        stored = stored_pages(folder)
        pages = {name: page for name, (_, page) in stored.items()}
        if choices.corrected:
            pages, unplaced = _take_back(stored, choices, notes)
        else:
            _list(pages, choices, _read_before(stored, notes))
        if choices.keep and choices.images:
            click.echo(f"{keep_lines(pages, choices.images, choices.keep)} lines kept in {choices.keep / PACK}")
        written = (choices.worksheet, choices.html_file, choices.keep and choices.keep / PACK)
        notes.wrote(path for path in written if path and path.is_file())
    if unplaced:
        ctx.exit(3)


def _read_before(stored: Mapping[str, tuple[PageFiles, Page]], notes: Notes) -> set[str]:
    """Pages that equal one before them, whose corrections they share."""
    equal = set[str]()
    for name, (files, _) in stored.items():
        if name not in equal:
            equal.update(notes.equal_pages(files.path(".json")))
    return equal


def _list(pages: Mapping[str, Page], choices: Choices, equal: Collection[str]) -> None:
    from carrel.output import write_file
    from carrel.review import spreadsheet, worksheet
    from carrel.review.queue import by_field, for_learning, states, tasks_of, worst_first

    tasks = [task for name, page in pages.items() if name not in equal for task in tasks_of(name, page)]
    ordered = for_learning if choices.learning else worst_first
    worst = tasks if choices.every else ordered(tasks, choices.errors)
    if choices.fields:
        worst = by_field(tasks, REVIEW_BELOW if choices.below == 1.0 and not choices.every else choices.below)
    worst = [task for task in worst if task.line.confidence <= choices.below][: choices.lines]
    click.echo(
        "\n".join(
            _summary(
                tasks,
                worst,
                states(pages.values()),
                choices.seconds_per_line,
                every=choices.every or choices.learning or choices.fields,
            )
        )
    )
    picture = line_pictures(pages, choices.images)
    if choices.worksheet and choices.worksheet.suffix.lower() == ".xlsx":
        write_file(choices.worksheet, spreadsheet.as_spreadsheet(worst, picture))
    elif choices.worksheet:
        write_file(choices.worksheet, worksheet.as_text(worst).encode())
    if choices.html_file:
        write_file(choices.html_file, as_html(worst, picture).encode())


def _summary(
    tasks: Sequence[Task],
    worst: Sequence[Task],
    seen: Counter[str],
    seconds_per_line: float | None,
    *,
    every: bool,
) -> Iterator[str]:
    from math import isfinite

    from carrel.review.queue import disagreements
    from carrel.review.worksheet import expected_errors_shown, name_of

    if worst:
        yield f"wrong characters expected{'' if every else ', most first'}; line; as read"
    for task in worst[:_SHOWN]:
        yield f"{expected_errors_shown(task):>6}  {name_of(task)}  {task.line.text or '(not read)'}"
    total, errors = (
        sum(task.expected_errors for task in some if isfinite(task.expected_errors)) for some in (tasks, worst)
    )
    unread = sum(not isfinite(task.expected_errors) for task in worst)
    yield ""
    yield f"{len(worst)} of {len(tasks)} lines to look at, {len({task.document for task in worst})} pages"
    yield f"{seen.get('corrected', 0)} lines corrected before, {seen.get('confirmed', 0)} confirmed"
    minutes = f"; about {len(worst) * seconds_per_line / 60:.0f} minutes" if seconds_per_line else ""
    yield f"{errors:.0f} of {total:.0f} wrong characters expected in them, {unread} lines not read{minutes}"
    if seen.total() >= ENOUGH_TO_LEARN:
        yield f"{seen.total()} lines seen: enough for carrel learn, if they are handwriting that is often misread"
    yield from _often("read as one thing or the other", disagreements(task.line for task in tasks))


def _often(title: str, found: Counter[tuple[str, str]]) -> Iterable[str]:
    often = [(pair, times) for pair, times in found.most_common(_SHOWN // 2) if times > 1]
    if often:
        yield f"\n{title}:"
        yield from (f"{times:6}  {left!r} {right!r}" for (left, right), times in often)


def _take_back(
    stored: Mapping[str, tuple[PageFiles, Page]], choices: Choices, notes: Notes
) -> tuple[dict[str, Page], Sequence[str]]:
    """Put corrections into the pages; returns the pages with them, and what fits no line."""
    from carrel.review.apply import apply_changes
    from carrel.review.corrections import for_equal_pages, who_now, with_changes
    from carrel.review.read_back import read_corrections

    assert choices.corrected is not None
    found = read_corrections(choices.corrected, stored, who_now(choices.by or _user()))
    click.echo("\n".join(_outcome(found.changes)))
    for text in found.unplaced:
        click.echo(f"fits no line: {text}", err=True)
    names = dict.fromkeys(change.document for change in found.changes)
    equal = {name: notes.equal_pages(stored[name][0].path(".json")) for name in names}
    pages = {name: page for name, (_, page) in stored.items()}
    changes = for_equal_pages(found.changes, equal, pages)
    pages = {
        name: with_changes(page, (change for change in changes if change.document == name))
        for name, page in pages.items()
    }
    if not choices.dry_run:
        done = apply_changes(stored, changes)
        notes.wrote(done.written)
        notes.put_aside(done.aside)
        notes.corrected({stored[name][0].path(".json"): pages[name] for name in names})
        report(done)
    return pages, found.unplaced


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user on this machine
        return "unknown"


def _outcome(changes: Sequence[Change]) -> Iterator[str]:
    from carrel.evaluate import character_errors
    from carrel.review.queue import recurring

    corrected = [change for change in changes if change.correction.state == "corrected"]
    errors = sum(character_errors(change.correction.text, change.line.final_text) for change in corrected)
    characters = sum(len(change.correction.text) for change in corrected)
    yield (
        f"{len(corrected)} lines corrected, {errors} of {characters} characters; "
        f"{len(changes) - len(corrected)} lines confirmed"
    )
    yield from _often("put right most often (right, read)", recurring(changes))
