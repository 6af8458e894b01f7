"""``carrel learn``: corrected lines become a model of one collection."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import CarrelError, UsageError

if TYPE_CHECKING:
    from carrel_export.learn.fine_tune import Progress
    from carrel_export.learn.learn import Learnt

NEEDED = ("torch", "onnx", "rapidfuzz", "safetensors")
TELL_EVERY_S = 10.0


class NotBetterError(CarrelError):
    """A model that does not read better than its parent; nothing was published."""

    exit_code = 3


@click.command("learn")
@click.argument("corrections", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--from",
    "parent",
    type=click.Path(path_type=Path),
    default="handwriting-fast",
    show_default=True,
    help="Model to learn from: its folder, or the name of one that ships with Carrel. Always the original one.",
)
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="Model folder.")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of the scans, where CORRECTIONS are results.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="No longer than this.",
)
@click.option("--keep-others", is_flag=True, help="Go half the way only: other hands are forgotten less.")
@click.option(
    "--words", type=click.Path(path_type=Path), help="Words that pages are read with, so that the kept lines are, too."
)
@click.option("--seed", default=1, show_default=True, help="The same lines and seed make the same model.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
def command(
    corrections: tuple[Path, ...],
    parent: Path,
    target: Path,
    images: Path | None,
    minutes: float,
    keep_others: bool,
    words: Path | None,
    seed: int,
    quiet: bool,
) -> None:
    """Learn a hand or a collection from CORRECTIONS, and make the model folder --to of it.

    CORRECTIONS are line packs (of `carrel review --keep` or `carrel pack`), folders of them, or, with --images, folders of
    results whose lines people have corrected or confirmed. At least 20 lines are needed. A fifth is kept: only if these are
    read better than by the parent is the model published, else both figures are said and the exit code is 3. Lines with
    faults are named and left out.

    Learn again from the same parent with all corrections so far, not from the last model. Ctrl-C leaves everything as it was.
    """
    require_torch()
    from carrel.loading import language_for
    from carrel.options import ReadOptions
    from carrel_export.learn.learn import SHARE, SHARE_FOR_OTHERS, Plan, learn, require_packs
    from carrel_export.learn.lines import note_model, read_corrections

    def say(text: str) -> None:
        click.echo(text, err=True)

    require_packs(corrections)
    samples = read_corrections(corrections, images, say)
    names = tuple(dict.fromkeys(path.resolve().stem for path in corrections))
    share = SHARE_FOR_OTHERS if keep_others else SHARE
    language, _ = language_for(ReadOptions(words=words))
    plan = Plan(samples, names, parent, target.resolve(), minutes, share, seed, language)
    learnt = learn(plan, say, _quiet if quiet else _Teller())
    if learnt.model is None:
        raise NotBetterError(_refused(learnt))
    note_model(corrections, target.resolve())
    before, after = learnt.verdict.before, learnt.verdict.after
    click.echo(f"{target}: CER on {len(learnt.gathered.kept)} kept lines {before.told()} before, {after.told()} now")
    click.echo(f"read with it: --model {target}, or model = ... in the carrel.toml of the scans", err=True)


def require_torch() -> None:
    """Make sure that what learning needs is installed.

    Raises
    ------
    UsageError
        It is not; the message holds the command that installs it.
    """
    missing = [module for module in NEEDED if find_spec(module) is None]
    if missing:
        raise UsageError(f"learning needs {', '.join(missing)}: pip install 'carrel[learn]' (torch for CPU is enough)")


def _refused(learnt: Learnt) -> str:
    verdict = learnt.verdict
    return (
        f"not published: {verdict.reason}. CER on {len(learnt.gathered.kept)} kept lines: {verdict.before.told()} before, "
        f"{verdict.after.told()} after learning"
    )


def _quiet(_: Progress) -> None:
    pass


class _Teller:
    """Says how far learning is, every few seconds."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told < TELL_EVERY_S and progress.share < 1:
            return
        self._told = now
        left = "comparing" if progress.share >= 1 else f"about {progress.left_s:.0f} s left"
        print(f"learning: {progress.share:.0%}, {left}", file=sys.stderr, flush=True)
