"""``carrel words``: names and texts of a collection become its language model."""

from __future__ import annotations

from pathlib import Path

import click

from carrel.errors import InputError


@click.command("words")
@click.argument("texts", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="Model folder.")
def command(texts: tuple[Path, ...], target: Path) -> None:
    """Make a language model for handwriting of TEXTS: text files in UTF-8, or line packs, beside what ships.

    Their words are known to the search, and their character n-grams are mixed into those of the shipped model; how much they
    weigh is what held-out lines of the texts are most probable with. Read with --words, or name the folder in carrel.toml.
    A pack or text of results in OUT is noted there: carrel purge OUT names the model.
    """
    from carrel_export.learn.lines import note_model
    from carrel_export.learn.words import publish_words

    for path in texts:
        if not path.is_file():
            raise InputError(f"there is no file {path}; give text files or line packs")
    _, mixed = publish_words(texts, target)
    note_model(texts, target.resolve())
    click.echo(
        f"{target}: texts weigh {mixed.weight:.0%}; perplexity of held-out lines {mixed.perplexity_before:.2f} before, "
        f"{mixed.perplexity_after:.2f} now"
    )
