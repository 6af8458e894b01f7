"""Model folders: a manifest and the files it names, verified before any of them is used.

``manifest.json`` holds ``format_version`` (1), ``task``, ``name``, ``licence``, ``files`` (role -> ``path``, ``sha256``,
``bytes``) and what the task needs (a recognition model: ``alphabet``, ``blank``, ``stride_px``, ``input``,
``calibration``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from carrel.errors import ModelError

FORMAT_VERSION = 1
MAX_FILE_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder whose manifest has been read; files are read and verified by `read_file`."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def identity(self) -> str:
        """Name and the start of the manifest's own digest: changes whenever any file of the model does."""
        digest = hashlib.sha256(json.dumps(self.manifest, sort_keys=True).encode()).hexdigest()
        return f"{self.name}@{digest[:12]}"

    def read_file(self, role: str) -> bytes:
        """Contents of the file with this role, after its size and SHA-256 were checked.

        Raises
        ------
        ModelError
            The manifest names no such file, or the file is missing, outside the folder, or altered.
        """
        files: Mapping[str, Any] = self.manifest["files"]
        if role not in files:
            raise ModelError(f"{self.folder}: the model has no {role!r} file (it has: {', '.join(sorted(files))})")
        entry = files[role]
        path = (self.folder / str(entry["path"])).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise ModelError(f"{self.folder}: the manifest names a file outside the folder: {entry['path']}")
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ModelError(f"{path}: larger than {MAX_FILE_BYTES // 2**20} MiB, not a Carrel model")
            contents = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{path}: the model file cannot be read ({error.strerror}); install the model again"
            ) from None
        if hashlib.sha256(contents).hexdigest() != entry["sha256"]:
            raise ModelError(f"{path}: the model file is damaged (its SHA-256 is not the manifest's); install it again")
        return contents


def open_model(folder: Path, task: str) -> Model:
    """Read the manifest of a model folder and check that it is of this ``task``.

    Raises
    ------
    ModelError
        No folder or manifest there, not JSON, an unknown format version, another task, or a required entry missing.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path}: no model there ({error.strerror}); give a folder that holds a manifest.json"
        ) from None
    except ValueError:
        raise ModelError(f"{path}: the manifest is damaged (no JSON); install the model again") from None
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise ModelError(f"{path}: not a model of format version {FORMAT_VERSION}; update Carrel or the model")
    if manifest.get("task") != task:
        raise ModelError(f"{path}: a model for {manifest.get('task')!r}, not for {task!r}")
    missing = [key for key in ("name", "files", *REQUIRED.get(task, ())) if key not in manifest]
    if missing:
        raise ModelError(f"{path}: the manifest lacks {', '.join(missing)}; install the model again")
    return Model(folder, manifest)


REQUIRED = {"recognition": ("alphabet", "blank", "stride_px", "input", "calibration")}


def has_shipped_model(name: str) -> bool:
    """Whether the ``carrel_models`` package holds this model."""
    return (_shipped_folder(name) / "manifest.json").is_file()


def shipped_model(name: str, task: str) -> Model:
    """A model of the ``carrel_models`` package."""
    return open_model(_shipped_folder(name), task)


def _shipped_folder(name: str) -> Path:
    return Path(str(resources.files("carrel_models"))) / name
