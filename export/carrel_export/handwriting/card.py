"""A model's card: what it is, what it was trained on and under which licences, how well it reads and what it is bad at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carrel.errors import InputError
from carrel.models.folders import Model, open_model
from carrel.models.manifest import Recognition
from carrel.models.publish import CARD
from carrel.output import write_file

WORST = 3


def write_card(folder: Path, figures: Path) -> str:
    """Write ``card.md`` into a model folder from its manifest and the JSON lines of ``python -m carrel_bench lines --json``."""
    model = open_model(folder, "recognition")
    manifest = model.manifest_as(Recognition)
    try:
        rows = _measured(figures, manifest.name)
        tables = [_figures(manifest.name, rows), _sources(manifest), _weaknesses(rows)] if rows else []
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{figures}: no figures of `carrel_bench lines --json` ({error!r})") from None
    if not rows:
        raise InputError(f"{figures}: holds no figures of {manifest.name}; measure it with `carrel_bench lines --json`")
    card = "\n\n".join([_head(model, manifest), *tables]) + "\n"
    write_file(folder / CARD, card.encode())
    return card


def _measured(file: Path, name: str) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures of a model by precision and decoding, by source, by name."""
    tree: dict[str, dict[str, dict[str, float]]] = {}
    for row in map(json.loads, file.read_text("utf-8").splitlines()):
        if row.get("suite") == "lines" and row["program"].startswith(f"{name} "):
            tree.setdefault(row["program"], {}).setdefault(row["case"], {})[row["name"]] = row["value"]
    return tree


def _head(model: Model, manifest: Recognition) -> str:
    size = manifest.files[model.network_file("int8")].bytes / 1e6
    return f"""# {manifest.name}

Reads one line of handwriting, 17th to 21st century, French, English and German; {manifest.parameters:,} parameters, {size:.1f} MB
in int8. {_shape(manifest)} and CTC over
{len(manifest.alphabet)} characters; lines {manifest.input.height_px} px high.

Licence: {manifest.licence} (the strictest of the sources below). Made by `python -m carrel_export train` and `publish`;
{_weights(manifest)}"""


def _shape(manifest: Recognition) -> str:
    networks = manifest.networks or [manifest.network or {}]
    layers = networks[0].get("recurrent_layers", "several")
    if len(networks) == 1:
        return f"A small residual network, {layers} bidirectional LSTM layers"
    return f"{len(networks)} small residual networks with {layers} bidirectional LSTM layers each, their probabilities averaged,"


def _weights(manifest: Recognition) -> str:
    if manifest.networks:
        return "`weights.safetensors` holds the weights of all of them; fine-tune a model of one network."
    return "`weights.safetensors` holds the trained weights for fine-tuning."


def _figures(name: str, rows: Mapping[str, Any]) -> str:
    lines = [
        "## Figures",
        "",
        "Lines of the `test` pages, none of which were used for training or tuning; character error rate with its 95 %",
        "bootstrap interval over pages. From `python -m carrel_bench lines --data DIR --split test`.",
        "",
        "| source | lines | " + " | ".join(f"{key.removeprefix(name + ' ')}" for key in rows) + " |",
        "|---|---|" + "---|" * len(rows),
    ]
    sources = next(iter(rows.values()))
    for source in sources:
        cells = [_cell(row[source]) for row in rows.values()]
        label = "**overall**" if source == "overall" else source
        lines.append(f"| {label} | {sources[source]['lines']:.0f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: Mapping[str, Any]) -> str:
    cer, low, high = (100 * row[name] for name in ("CER", "CER, low", "CER, high"))
    return f"{cer:.1f} % [{low:.1f}, {high:.1f}]"


def _sources(manifest: Recognition) -> str:
    lines = ["## Trained on", "", "| source | language | century | licence | cite |", "|---|---|---|---|---|"]
    for name, source in manifest.training_sources.items():
        lines.append(f"| {name} | {source.lang} | {source.century} | {source.lic} | {source.cite} |")
    return "\n".join(lines)


def _weaknesses(rows: Mapping[str, Any]) -> str:
    last = list(rows.values())[-1]
    worst = sorted((s for s in last if s != "overall"), key=lambda s: -last[s]["CER"])[:WORST]
    named = ", ".join(f"{s} ({100 * last[s]['CER']:.0f} %)" for s in worst)
    return f"""## Bad at

- The sources it reads worst: {named}.
- Other languages and scripts, music, formulas: it knows French, English and German hands in Latin script only.
- Struck-out and interlinear words: lines with editorial marks were left out of its training.
- Lines that were cut badly: it reads what the crop shows, and neighbouring lines in it add errors."""
