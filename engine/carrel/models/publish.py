"""The one way to a model folder: everything is checked, written aside, brought to the disk, then put in place.

Whatever interrupts it, the folder is the old one or the new one; at worst the old one lies in a folder ``.part-...``
beside it. Files of an old folder that its manifest does not name (its card, notes) are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from carrel.errors import ModelError, OutputError
from carrel.models.folders import FORMAT_VERSION, Model, open_model
from carrel.models.tasks import FILE_KINDS

MANIFEST, CARD = "manifest.json", "card.md"

Gate = Callable[[Model], None]


def no_gate(_: Model) -> None:
    """Let every model through."""


def publish(
    folder: Path, manifest: Mapping[str, Any], files: Mapping[str, Path], gate: Gate = no_gate, card: str = ""
) -> Model:
    """Make the model ``folder``, new or in the place of an older model.

    Parameters
    ----------
    folder
        Where the model will be.
    manifest
        Everything but ``format_version`` and ``files``; see `carrel.models.manifest`.
    files
        Finished files by their keys in the manifest; the usual keys say what a file is for, see
        `carrel.models.tasks.FILE_KINDS`. They are copied under their own names.
    gate
        Called with the finished model before it is put in place; raises where the model is not good enough.
    card
        Text of ``card.md``; without one, an old card stays.

    Raises
    ------
    ModelError
        The manifest or a file is not as it must be: everything that is wrong, and nothing was published.
    OutputError
        The folder holds something else than a model, or cannot be written.
    """
    _refuse_other_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".part-") as aside:
            part = Path(aside) / folder.name
            _write(part, manifest, files, card)
            gate(_checked(part, folder))
            _carry_over(folder, part)
            _put_in_place(part, folder, Path(aside) / ".old")
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error
    return open_model(folder)


def _refuse_other_folder(folder: Path) -> None:
    if folder.exists() and not (folder / MANIFEST).is_file() and not (folder.is_dir() and not any(folder.iterdir())):
        raise OutputError(f"{folder}: holds something else than a model; choose a new folder, or an older model's")


def _write(part: Path, manifest: Mapping[str, Any], files: Mapping[str, Path], card: str) -> None:
    part.mkdir()
    for file in files.values():
        shutil.copyfile(file, part / file.name)
    entries = {key: {**FILE_KINDS.get(key, {"role": "other"}), **_entry(file)} for key, file in files.items()}
    whole = {"format_version": FORMAT_VERSION, **manifest, "files": entries}
    (part / MANIFEST).write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", "utf-8")
    if card:
        (part / CARD).write_text(card, "utf-8")


def _entry(file: Path) -> dict[str, Any]:
    contents = file.read_bytes()
    return {"path": file.name, "sha256": hashlib.sha256(contents).hexdigest(), "bytes": len(contents)}


def _checked(part: Path, folder: Path) -> Model:
    """The model written aside; what is wrong with it is told of the folder that it is for."""
    try:
        model = open_model(part)
        errors = model.verify()
    except ModelError as error:
        errors = (error,)
    else:
        if not errors:
            return model
    told = "; ".join(str(error).replace(str(part), str(folder)) for error in errors)
    raise ModelError(f"{told}. Nothing was published")


def _carry_over(folder: Path, part: Path) -> None:
    """Copy what the old folder holds beside its model."""
    if not folder.is_dir():
        return
    try:
        named = {entry.path for entry in open_model(folder).manifest.files.values()}
    except ModelError:  # damaged: nothing is known to be Carrel's but the manifest
        named = set[str]()
    for old in folder.iterdir():
        if old.name not in named | {MANIFEST} and not (part / old.name).exists():
            (shutil.copytree if old.is_dir() else shutil.copy2)(old, part / old.name)


def _put_in_place(part: Path, folder: Path, old: Path) -> None:
    for file in part.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            _flush(file)
    _flush(part)
    if folder.exists():
        folder.replace(old)
    part.replace(folder)
    _flush(folder.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
