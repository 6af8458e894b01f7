"""Pictures of a run of the bench; needs matplotlib (the bench group)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from carrel_bench.figures import Figure, shown
from carrel_bench.stages import WHOLE


def draw(figures: Sequence[Figure], file: Path) -> None:
    """Draw what there is: programs beside each other, stages of a page, scaling, the start."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Sheet

    panels = [*_printed(figures), *_stages(figures), *_start(figures)]
    columns = min(3, max(1, len(panels)))
    rows = -(-len(panels) // columns)
    sheet = Sheet(figsize=(5.2 * columns, 3.6 * max(1, rows)), layout="constrained")
    FigureCanvasAgg(sheet)
    for place, (title, bars) in enumerate(panels, 1):
        _bars(sheet.add_subplot(rows, columns, place), title, bars)
    sheet.savefig(file, dpi=100)


Panel = tuple[str, dict[str, float]]


def _printed(figures: Sequence[Figure]) -> list[Panel]:
    own = [f for f in figures if f.suite == "print"]
    panels: list[Panel] = []
    for ending in ("clean", "degraded"):
        cers = [f for f in own if f.name == "CER" and f.case.endswith(ending)]
        by = {p: [f.value for f in cers if f.program == p] for p in dict.fromkeys(f.program for f in cers)}
        panels.append((f"CER, {ending} print, %", {p: 100 * sum(v) / len(v) for p, v in by.items()}))
    for name in ("CPU s/page", "cold start to the first page, s", "peak MiB"):
        panels.append((name, {f.program: f.value for f in own if f.name == name}))
    return [panel for panel in panels if panel[1]]


def _stages(figures: Sequence[Figure]) -> list[Panel]:
    own = [f for f in figures if f.suite == "stages" and f.program == "CPU s" and f.name != WHOLE]
    cases = dict.fromkeys(f.case for f in own)
    return [(f"CPU s by stage, {case}", {f.name: f.value for f in own if f.case == case}) for case in cases]


def _start(figures: Sequence[Figure]) -> list[Panel]:
    bars = {f.program: f.value for f in figures if f.suite == "start" and f.name == "CPU s"}
    return [("start to one line, CPU s", bars)] if bars else []


def _bars(axes: Any, title: str, bars: dict[str, float]) -> None:
    names = list(bars)[::-1]
    colours = ["0.7" if name in ("tesserocr", "tesseract", "rapidocr", "rapidocr-ov", "ocrmypdf", "floor") else "tab:blue"
               for name in names]  # fmt: skip
    drawn = axes.barh(names, [bars[name] for name in names], color=colours)
    axes.bar_label(drawn, labels=[shown("", bars[name]) for name in names], padding=3)
    axes.margins(x=0.18)
    axes.set_title(title, fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
