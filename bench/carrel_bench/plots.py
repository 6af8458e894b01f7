"""Pictures of a run of the bench; needs matplotlib (the bench group)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from carrel_bench.figures import Figure, shown

MOST_PANELS = 12
WHOLE = "whole page"


def draw(figures: Sequence[Figure], file: Path) -> None:
    """Draw a panel for each kind of figure: bars of programs, or curves where every case is a number."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet

    panels = list(panels_of(figures))[:MOST_PANELS]
    columns = min(3, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    sheet = Sheet(figsize=(5.2 * columns, 3.6 * max(1, rows)), layout="constrained")
    FigureCanvasAgg(sheet)
    for place, panel in enumerate(panels, 1):
        axes = sheet.add_subplot(rows, columns, place)
        axes.set_title(f"{panel[0].suite}: {panel[0].name}", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        (_curves if is_curve(panel) else _bars)(axes, panel)
    sheet.savefig(file, dpi=100)


def panels_of(figures: Sequence[Figure]) -> Iterator[list[Figure]]:
    """Yield figures of one name: those over all cases of two programs or more where there are any, and curves."""
    for suite, name in dict.fromkeys((f.suite, f.name) for f in figures):
        own = [f for f in figures if (f.suite, f.name) == (suite, name) and f.program != WHOLE]
        over_all = [f for f in own if not f.case] or own
        if is_curve(own) or len({f.program for f in over_all}) > 1:
            yield own if is_curve(own) else over_all


def is_curve(figures: Sequence[Figure]) -> bool:
    """Return whether every case is a number."""
    return all(figure.case.replace(".", "", 1).isdigit() for figure in figures)


def _curves(axes: Any, figures: Sequence[Figure]) -> None:
    for program in dict.fromkeys(f.program for f in figures):
        points = [(float(f.case), f.value) for f in figures if f.program == program]
        axes.plot(*zip(*points, strict=True), "o-", markersize=4, label=program)
    if max(float(figure.case) for figure in figures) <= 1:
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)  # what is expected against what is
    axes.legend(frameon=False)


def _bars(axes: Any, figures: Sequence[Figure]) -> None:
    """Draw the mean over the cases of each program; Carrel's in colour, if it is named."""
    names = list(dict.fromkeys(f.program for f in figures))[::-1]
    means = [fmean(f.value for f in figures if f.program == name) for name in names]
    peers = any("carrel" in name for name in names)
    colours = ["0.7" if peers and "carrel" not in name else "tab:blue" for name in names]
    bars = axes.barh(names, means, color=colours)
    axes.bar_label(bars, labels=[shown(figures[0].name, mean) for mean in means], padding=3)
    axes.margins(x=0.18)
