"""``carrel inspect``: a picture of what was found on a page, and of what was not."""

from __future__ import annotations

from pathlib import Path

import click

from carrel.errors import InputError
from carrel.image.files import shown
from carrel.image.overlay import draw_overlay
from carrel.image.source import Scan
from carrel.options import ReadOptions
from carrel.output import make_folder, write_file
from carrel.page import Page, Quality, expected_word_errors, needs_review
from carrel_cli.common.documents import page_name
from carrel_cli.common.paths import require_path
from carrel_cli.common.reading import reading_options, review_option
from carrel_cli.common.steps import scan_files


@click.command("inspect")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path(), help="Folder for the pictures.  [default: here]"
)
@reading_options
@review_option
@click.pass_context
def command(ctx: click.Context, files: tuple[Path, ...], output: Path, read: ReadOptions, review_below: float) -> None:
    """Draw lines, their order, writing and confidence, and the ink outside all lines: FILES to NAME.inspect.png.

    Of a folder, all scans below it; the pictures lie in the same subfolders.
    """
    from carrel.loading import budget_for
    from carrel.reader import Reader
    from carrel.workers.decoder import Decoder

    make_folder(output)
    scans = scan_files([require_path(file) for file in files])
    budget = budget_for(read)
    codes: list[int] = []
    with Decoder(read, budget) as decoder:
        reader = Reader(read, budget=budget, largest=decoder.largest_page(list(scans.values())))
        for stem, file in scans.items():
            try:
                count = decoder.count_pages(file)
                for index in range(count):
                    scan = decoder.scan(file, index)
                    page = reader.read_scan(scan)
                    target = output / f"{page_name(stem, index, count)}.inspect.png"
                    target.parent.mkdir(parents=True, exist_ok=True)
                    write_file(target, _picture(page, scan, review_below))
                    click.echo("\n".join((f"{shown(target)}:", *_told(page, review_below))))
            except InputError as error:
                click.echo(f"carrel: {error}", err=True)
                codes.append(error.exit_code)
    if codes:
        ctx.exit(codes[0])


def _picture(page: Page, scan: Scan, review_below: float) -> bytes:
    from carrel.image.prepare import flatten_illumination
    from carrel.layout import uncovered_mask

    return draw_overlay(page, scan.gray, review_below, uncovered_mask(flatten_illumination(scan.gray), page.regions))


def _told(page: Page, review_below: float) -> list[str]:
    """One row a region, and what is worth knowing of the page."""
    rows = [
        f"  {region.kind:16s} {len(region.lines):4d} lines, confidence {_mean([li.confidence for li in region.lines]):.2f}"
        for region in page.regions
    ]
    doubtful = sum(needs_review(line, review_below) for line in page.lines)
    rows.append(f"  {len(page.lines)} lines, {doubtful} doubtful, {len(page.refused)} not read")
    rows.append(f"  {expected_word_errors(page):.0%} of the words expected wrong")
    rows.append(
        f"  skew {page.provenance.skew_degrees:.1f} degrees; {page.uncovered_ink or 0:.0%} of the ink in no line"
    )
    if page.quality:
        rows.append(f"  {_quality_told(page.quality)}")
    return rows


def _quality_told(quality: Quality) -> str:
    cut = f"; cut at the {' and '.join(quality.cut_edges)}" if quality.cut_edges else ""
    blurred = ", blurred: scan it again" if quality.is_blurred else ""
    glare = ", glare: photograph it in another light" if quality.has_glare else ""
    size = f"small letters {quality.x_height_px:.0f} px high"
    return f"{size}; sharpness {quality.sharpness:.1f}{blurred}{glare}; contrast {quality.contrast:.2f}{cut}"


def _mean(values: list[float]) -> float:
    return sum(values) / max(1, len(values))
