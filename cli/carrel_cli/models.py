"""``carrel models``: what the installed and given models are, and whether they are whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from carrel.errors import ModelError
from carrel.models.folders import folder_of, model_folders, open_model

SHOWN = ("name", "cite", "lic", "licence")
FOLDER = click.Path(path_type=Path)


@click.group("models")
def command() -> None:
    """List, show and verify model folders."""


@command.command("list")
@click.argument("folder", required=False, type=FOLDER, metavar="[DIR]")
def list_models(folder: Path | None) -> None:
    """Name, task, size and licence of every model in DIR, or of the shipped ones."""
    refused: list[ModelError] = []
    for path in _folders(folder):
        try:
            model = open_model(path)
        except ModelError as error:
            refused.append(error)
            continue
        size = sum(entry["bytes"] for entry in model.manifest["files"].values()) / 1e6
        licence = _words(model.manifest["licence"])
        click.echo(f"{_words(model.name):24} {model.task:13} {size:7.2f} MB  {licence:16} {path}")
    if refused:
        raise ModelError("; ".join(map(str, refused)))


@command.command("show")
@click.argument("model", type=FOLDER, metavar="NAME_OR_DIR")
def show(model: Path) -> None:
    """What a model is: its input, alphabet, files with SHA-256, measured figures, licence and training sources."""
    opened = open_model(folder_of(model))
    manifest = opened.manifest
    click.echo(f"{_words(opened.identity)}  ({opened.task}, format {manifest['format_version']})")
    for key in ("licence", "origin", "size", "parameters", "stride_px", "languages"):
        if key in manifest:
            click.echo(f"{key}: {_words(manifest[key])}")
    if "input" in manifest:
        click.echo(f"input: {_words(manifest['input'])}")
    if "alphabet" in manifest:
        alphabet = manifest["alphabet"]
        click.echo(f"alphabet: {len(alphabet)} classes, {''.join(alphabet)!r}")
    for role, entry in manifest["files"].items():
        click.echo(
            f"file {_words(role)}: {_words(entry['path'])}, {entry['bytes']:,} bytes, SHA-256 {_words(entry['sha256'])}"
        )
    figures = manifest.get("figures")
    for key, value in figures.items() if isinstance(figures, dict) else ():
        click.echo(f"figure {_words(key)}: {_words(value)}")
    for line in _sources(manifest.get("training_sources")):
        click.echo(line)


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
        click.echo(f"{path}: {'damaged' if found else 'whole'}")
        for error in found:
            click.echo(f"carrel: {error}", err=True)
    if errors:
        raise ModelError(f"{len(errors):,} of the models' files are damaged or missing; install these models again")


def _errors(folder: Path) -> tuple[ModelError, ...]:
    try:
        return open_model(folder).verify()
    except ModelError as error:
        return (error,)


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


def _sources(listed: Any) -> list[str]:
    """Training sources, which manifests hold by name or in a list."""
    if isinstance(listed, dict):
        listed = [{"name": key, **(value if isinstance(value, dict) else {})} for key, value in listed.items()]
    if not isinstance(listed, list):
        return []
    return [f"trained on {', '.join(_words(entry[k]) for k in SHOWN if k in entry)}" for entry in listed]
