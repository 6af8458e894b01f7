"""``carrel models``: what the installed and given models are, and whether they are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from carrel.errors import ModelError
from carrel.languages import english_name
from carrel.models.folders import folder_of, model_folders, open_model
from carrel.models.manifest import Language, Manifest, Recognition, Seq2seq
from carrel.recognizers.tesseract import installed_languages

SHOWN = ("licence", "origin", "parent", "size", "parameters", "stride_px", "languages", "input")
FOLDER = click.Path(path_type=Path)
EXISTING_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("models")
def command() -> None:
    """List, show, verify, move and delete model folders."""


@command.command("list")
@click.argument("folder", required=False, type=FOLDER, metavar="[DIR]")
def list_models(folder: Path | None) -> None:
    """Name, task, size, licence and languages of every model in DIR, or of the shipped ones.

    Of recognition, handwriting's, the languages that it learned from, and its scripts. Print is read in the languages
    that Tesseract has data for, which are listed last.
    """
    refused: list[ModelError] = []
    for path in _folders(folder):
        try:
            model = open_model(path)
        except ModelError as error:
            refused.append(error)
            continue
        size = sum(entry.bytes for entry in model.manifest.files.values()) / 1e6
        licence = _words(model.manifest.licence)
        spoken = _spoken(model.manifest) or "any language"
        click.echo(f"{_words(model.name):24} {model.task:13} {size:7.2f} MB  {licence:16} {spoken:32} {path}")
        if model.manifest.learned is not None:
            click.echo(f"  {_words(_learned(model.manifest))}")
    if folder is None:
        installed = ", ".join(f"{code} ({english_name(code)})" for code in installed_languages())
        click.echo(f"print is read by Tesseract in: {installed or 'no language; install tesseract-ocr-eng'}", err=True)
    if refused:
        raise ModelError("; ".join(map(str, refused)))


def _learned(manifest: Manifest) -> str:
    """What a model was learned from, and what that changed."""
    learned = manifest.learned
    assert learned is not None
    return (
        f"learned from {learned.lines + learned.kept_lines} lines of {learned.pages} pages in {', '.join(learned.collections)},"
        f" beginning as {manifest.parent}: CER {learned.cer_before:.1%} before, {learned.cer_after:.1%} now, on"
        f" {learned.kept_lines} lines kept apart"
    )


def _spoken(manifest: Manifest) -> str:
    """Languages and scripts that a model is for; empty where it is for all."""
    if isinstance(manifest, Recognition):
        languages, scripts = manifest.trained_languages, manifest.scripts
    else:
        languages, scripts = (manifest.languages if isinstance(manifest, Language | Seq2seq) else []), []
    names = ", ".join(map(english_name, languages))
    return _words(names + (f" ({', '.join(scripts).title()} script)" if scripts else ""))


@command.command("show")
@click.argument("model", type=FOLDER, metavar="NAME_OR_DIR")
def show(model: Path) -> None:
    """Show a model: its input, alphabet, files with SHA-256, measured figures, licence and training sources."""
    import msgspec

    opened = open_model(folder_of(model))
    manifest = opened.manifest
    click.echo(f"{_words(opened.identity)}  ({opened.task}, format {manifest.format_version})")
    fields = msgspec.to_builtins(manifest)
    for key in SHOWN:
        if fields.get(key):
            click.echo(f"{key}: {_words(fields[key])}")
    if manifest.learned is not None:
        click.echo(_words(_learned(manifest)))
    if "alphabet" in fields:
        symbols = [symbol or "" for symbol in fields["alphabet"]]
        click.echo(f"alphabet: {len(symbols)} classes, {''.join(symbols)!r}")
    if isinstance(manifest, Seq2seq) and manifest.calibration is None:
        click.echo("confidences: not calibrated; every line that it reads is for review")
    for key, entry in manifest.files.items():
        click.echo(f"file {key}: {_words(entry.path)}, {entry.bytes:,} bytes, SHA-256 {entry.sha256}")
    for key, value in manifest.figures.items():
        click.echo(f"figure {_words(key)}: {_words(value)}")
    for name, source in manifest.training_sources.items():
        click.echo(f"trained on {', '.join(_words(part) for part in (name, source.cite, source.lic) if part)}")


@command.command("move")
@click.argument("model", type=FOLDER)
@click.argument("target", type=FOLDER, metavar="TO")
@click.option("--collection", type=EXISTING_FOLDER, help="Folder of scans whose carrel.toml shall name the new place.")
def move(model: Path, target: Path, collection: Path | None) -> None:
    """Move a model folder to TO, whole or not at all. Files beside the model's own are not moved: it is refused."""
    from carrel.collection import choose_in_collection
    from carrel.models.moving import move_model

    key = "words" if open_model(model).task == "language" else "model"
    move_model(model, target)
    click.echo(f"{model} is {target} now")
    if collection is not None:
        click.echo(f"{choose_in_collection(collection, key, target)} names it")


@command.command("delete")
@click.argument("model", type=FOLDER)
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(model: Path, yes: bool) -> None:
    """Delete a model folder, such as one that was learned. A carrel.toml that names it must be changed, too."""
    from carrel.models.moving import delete_model

    opened = open_model(model)
    if not yes:
        click.confirm(f"Delete the model {_words(opened.name)} in {model}?", abort=True, err=True)
    delete_model(model)
    click.echo(f"{model}: deleted")


@command.command("verify")
@click.argument("folder", required=False, type=FOLDER, metavar="[DIR]")
def verify(folder: Path | None) -> None:
    """Compare every file of the models in DIR, or of the shipped ones, with its manifest.

    Prints one line a model; the exit code is 4 if any is damaged.
    """
    errors: list[ModelError] = []
    for path in _folders(folder):
        found = _errors(path)
        errors += found
        click.echo(f"{path}: {'damaged' if found else f'whole{_left_out(path)}'}")
        for error in found:
            click.echo(f"carrel: {error}", err=True)
    if errors:
        raise ModelError(f"{len(errors):,} of the models' files are damaged or missing; install these models again")


def _left_out(folder: Path) -> str:
    absent = open_model(folder).left_out()
    return f"; without {', '.join(map(_words, absent))}, which carrel-models-full brings" if absent else ""


def _errors(folder: Path) -> tuple[ModelError, ...]:
    from carrel.loading import load_language

    try:
        model = open_model(folder)
        found = model.verify()
        if model.task == "language" and not found:
            load_language(model)
    except ModelError as error:
        return (error,)
    return found


def _folders(folder: Path | None) -> tuple[Path, ...]:
    found = model_folders(folder)
    if not found:
        raise ModelError(f"{folder or 'carrel_models'}: no model there (no manifest.json in it nor in its folders)")
    return found


def _words(value: Any) -> str:
    """A manifest's entry in one line, without control characters."""
    if isinstance(value, dict):
        return ", ".join(f"{_words(key)} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))
