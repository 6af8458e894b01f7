"""``python -m carrel_export``: train a handwriting network, publish it as a model folder."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from carrel_export.command import command as export_command
from carrel_export.handwriting.sizes import SIZES
from carrel_export.messages import told

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """Train and publish Carrel's handwriting models (needs the export extra)."""


@main.command()
@click.argument("packs", type=FOLDER)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder of the run; an existing one is resumed.",
)
@click.option("--size", type=click.Choice(sorted(SIZES)), default="fast", show_default=True)
@click.option("--lines", default=1_000_000, show_default=True, help="Length of the schedule, in lines seen.")
@click.option("--hours", default=0.0, help="Limit of the schedule in time; 0 for none.")
@click.option("--checkpoint-every", default=240.0, show_default=True, help="Seconds from one checkpoint to the next.")
@click.option("--seed", default=1, show_default=True)
@click.option("--rate", default=2e-3, show_default=True, help="Highest learning rate.")
@click.option(
    "--start",
    type=click.Path(exists=True),
    help="Weights file or model folder a new run begins from; --size may be larger than its size.",
)
@click.option(
    "--carried-rate",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of the learning rate for the weights that come from --start.",
)
@click.option(
    "--teacher", type=click.Path(exists=True), help="Weights file or model folder of a network to learn from as well."
)
@click.option(
    "--shortcut", default=0.2, show_default=True, help="Weight of the auxiliary head's loss; 0 leaves it out."
)
@click.option("--dropout", type=click.FloatRange(0, 0.9), help="Replaces that of the size.")
@click.option(
    "--augmentation",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of the lines that are augmented in full.",
)
@click.option("--columns", default=24_576, show_default=True, help="Columns of px in a batch.")
@click.option("--batch-lines", default=48, show_default=True, help="Most lines in a batch.")
@click.option("--feeders", type=click.IntRange(1), default=1, show_default=True, help="Processes that augment lines.")
@click.option(
    "--emphasis",
    "emphasis",
    multiple=True,
    type=(str, float),
    metavar="SOURCE TIMES",
    help="How often an epoch shows each line of SOURCE, where that is not once.",
)
def train(
    packs: Path,
    out: Path,
    size: str,
    lines: int,
    hours: float,
    checkpoint_every: float,
    seed: int,
    rate: float,
    start: str | None,
    carried_rate: float,
    teacher: str | None,
    shortcut: float,
    dropout: float | None,
    augmentation: float,
    columns: int,
    batch_lines: int,
    feeders: int,
    emphasis: tuple[tuple[str, float], ...],
) -> None:
    """Train on the line packs (source.zip) in folder PACKS."""
    from carrel_export.handwriting.training import Trainer, TrainingOptions

    options = TrainingOptions(
        size=size,
        lines=lines,
        hours=hours,
        checkpoint_every_s=checkpoint_every,
        seed=seed,
        learning_rate=rate,
        start=start or "",
        carried_rate=carried_rate,
        teacher=teacher or "",
        shortcut_weight=shortcut,
        dropout=dropout,
        augmentation=augmentation,
        columns_per_batch=columns,
        max_lines_per_batch=batch_lines,
        feeders=feeders,
        emphasis=emphasis,
    )
    Trainer(out, packs, options).run()


@main.command()
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("packs", type=FOLDER)
@click.option(
    "--sources",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    help="JSON of the sources' licences and citations.",
)
@click.option(
    "--language", type=click.Path(exists=True, path_type=Path), help="n-gram file to search with.  [default: shipped]"
)
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--name", required=True)
@click.option(
    "--mixed-with",
    "others",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Another checkpoint, whose probabilities are averaged with the first one's; may be repeated.",
)
@click.option("--gate-cer", default=0.3, show_default=True, help="Most that int8 may lose, in points of CER on val.")
def publish(
    checkpoint: Path,
    packs: Path,
    sources: Path,
    language: Path | None,
    target: Path,
    name: str,
    others: tuple[Path, ...],
    gate_cer: float,
) -> None:
    """Export, quantize, verify and publish a CHECKPOINT."""
    from carrel.models.manifest import Recognition
    from carrel_export.handwriting.publish import publish as run

    model = run([checkpoint, *others], packs, target, name, sources, language, gate_cer / 100)
    click.echo(f"{target}: {model.manifest.figures}, {model.manifest_as(Recognition).calibration}")


@main.command()
@click.argument("folder", type=FOLDER)
@click.argument("packs", type=FOLDER)
def recalibrate(folder: Path, packs: Path) -> None:
    """Fit search settings and confidences of the model FOLDER anew on the val lines of PACKS."""
    from carrel.models.manifest import Recognition
    from carrel_export.handwriting.recalibrate import recalibrate as run

    model = run(folder, packs)
    click.echo(f"{folder}: {model.manifest.figures}, {model.manifest_as(Recognition).calibration.search}")


@main.command()
@click.argument("folder", type=FOLDER)
@click.argument("figures", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def card(folder: Path, figures: Path) -> None:
    """Write the card of a model FOLDER from FIGURES, the output of `python -m carrel_bench lines --json`."""
    from carrel_export.handwriting.card import write_card

    click.echo(write_card(folder, figures))


@main.command()
@click.argument("packs", type=FOLDER)
@click.argument("network", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="List to write; as excluded.txt in the folder of a run, `train` leaves its lines out.",
)
@click.option("--split", default="train", show_default=True)
def clean(packs: Path, network: Path, out: Path, split: str) -> None:
    """List the lines of PACKS whose text the trained NETWORK (weights file or model folder) contradicts beyond doubt."""
    from carrel.review.training_lines import read_packs
    from carrel_export.handwriting.cleaning import counts, verdicts
    from carrel_export.handwriting.training import load_network

    trained, alphabet, _ = load_network(network)
    samples = list(read_packs(packs, (split,)))
    with click.progressbar(verdicts(trained, samples, alphabet), len(samples), "reading", file=sys.stderr) as bar:
        found = list(bar)
    doubtful = sorted((v for v in found if v.excluded), key=lambda v: -v.contradiction)
    out.write_text("".join(f"{v.sample.source}/{v.sample.name}\n" for v in doubtful), "utf-8")
    click.echo(counts(found))


@main.command()
@click.argument("packs", type=FOLDER)
@click.argument("network", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Line pack to write (.zip)."
)
@click.option("--count", type=click.IntRange(min=1), default=5000, show_default=True)
@click.option("--seed", default=1, show_default=True)
def numbers(packs: Path, network: Path, out: Path, count: int, seed: int) -> None:
    """Compose lines of numbers from digits that the trained NETWORK finds in the train lines of PACKS."""
    from carrel.review.training_lines import read_packs, write_pack
    from carrel_export.handwriting.numbers import compose
    from carrel_export.handwriting.training import load_network

    trained, alphabet, _ = load_network(network)
    lines = compose(trained, list(read_packs(packs, ("train",))), alphabet, count, seed)
    with click.progressbar(lines, count, "composing", file=sys.stderr) as bar:
        click.echo(f"{out}: {write_pack(out, bar)} lines")


main.add_command(export_command)


if __name__ == "__main__":
    with told():
        main()
