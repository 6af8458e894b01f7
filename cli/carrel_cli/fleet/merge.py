"""``carrel merge``: one report, one METS and one review queue over all shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from carrel.errors import InputError
from carrel_cli.common.messages import tell
from carrel_cli.common.paths import FOLDER

if TYPE_CHECKING:
    from carrel.fleet.merge import Merged

_FAULTS = {
    "missing": "results are not there",
    "changed": "results were changed since they were written",
    "lost": "files are listed and in no record",
    "foreign": "files are in a record and not listed",
    "twice": "files are listed more than once",
}


@click.command("merge")
@click.argument("output", type=FOLDER, metavar="OUT")
@click.option("--unfinished", is_flag=True, help="Merge what is done, though shards are not.")
@click.option(
    "--hashes/--no-hashes",
    default=True,
    show_default=True,
    help="Read every result and compare its digest; without, only see whether it is there.",
)
@click.option("--source", type=FOLDER, metavar="IN", help="The folder of scans, where this machine sees it elsewhere.")
@click.option("--label", help="Title of the whole in METS.  [default: the folder's name]")
@click.pass_context
def command(
    ctx: click.Context, output: Path, unfinished: bool, hashes: bool, source: Path | None, label: str | None
) -> None:
    """Check all shards of OUT, and write report.json, mets.xml and review.tsv over all of them.

    Every listed file is in one shard and in its record, every result is there and what was written: what is not so is named,
    and the exit code is 3. review.tsv is a worksheet of the lines with most errors expected; hand it back by carrel review
    OUT --corrected OUT/review.tsv, which needs results in JSON, ALTO, PAGE or hOCR.
    """
    from carrel.fleet.merge import merge
    from carrel.fleet.mets import write_fleet_mets
    from carrel.fleet.shard_run import put_records
    from carrel.fleet.shards import open_fleet

    fleet = open_fleet(output)
    done = fleet.done()
    left = [shard for shard in fleet.shards() if shard not in done]
    if left and not unfinished:
        raise InputError(
            f"{len(left)} shards are not done, {left[0]} the first; carrel work {output} reads them, --unfinished merges the rest"
        )
    merged = merge(fleet, hashes=hashes)
    put_records(fleet)
    scans = source or fleet.plan.scans_url or fleet.plan.source
    if not write_fleet_mets(fleet, scans, merged.pages, label or fleet.output.name):
        merged.kept.append("mets.xml")
    for name in merged.kept:
        tell(f"{name} was changed since it was written, and stays; move it away for a new one")
    click.echo("\n".join(_told(merged)))
    if not merged.whole or merged.failed or left:
        ctx.exit(InputError.exit_code)


def _told(merged: Merged) -> Iterator[str]:
    yield f"{merged.done:,} of {merged.shards:,} shards, {merged.files:,} files, {merged.pages:,} pages read, {merged.results:,} results"
    yield (
        f"{merged.review:,} pages to review, {merged.failed:,} gave no results, {merged.equal:,} files are equal to others"
    )
    for kind, count in merged.faults.items():
        yield f"{count:,} {_FAULTS[kind]}, the first: {merged.named[kind][0]}"
    yield from (f"{count:>9,}  {reason}" for reason, count in merged.reasons.most_common(20))
    if merged.whole:
        yield "nothing is lost, and nothing is there twice" + (
            " in what is done" if merged.done < merged.shards else ""
        )
