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
from importlib.util import find_spec
from pathlib import Path
from stat import S_ISREG
from typing import Any

from carrel.errors import ModelError
from carrel.models.onnx_file import has_external_data

FORMAT_VERSION = 1
MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
REQUIRED = {
    "recognition": ("alphabet", "blank", "stride_px", "input", "calibration"),
    "segmentation": ("input",),
    "writing": ("input", "calibration"),
    "language": ("alphabet",),
}
"""Tasks, and what a manifest must hold for each beside name, licence and files."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder whose manifest has been read; files are read and verified by `read_file`."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def task(self) -> str:
        return str(self.manifest["task"])

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
            The manifest names no such file, or the file is missing, outside the folder, cut off or altered, or it is an
            ONNX file that keeps tensors in another file.
        """
        files: Mapping[str, Any] = self.manifest["files"]
        if role not in files:
            raise ModelError(f"{self.folder}: the model has no {role!r} file (it has: {', '.join(sorted(files))})")
        entry = files[role]
        path = self.folder.joinpath(entry["path"].replace("\0", "")).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise ModelError(f"{self.folder}: the manifest names a file outside the folder: {entry['path']}")
        contents = _read(path)
        if len(contents) != entry["bytes"]:
            raise ModelError(
                f"{path}: the model file is damaged ({len(contents):,} bytes, not {entry['bytes']:,}); install it again"
            )
        if hashlib.sha256(contents).hexdigest() != entry["sha256"]:
            raise ModelError(f"{path}: the model file is damaged (its SHA-256 is not the manifest's); install it again")
        if path.suffix == ".onnx":
            _check_onnx(path, contents)
        return contents

    def verify(self) -> tuple[ModelError, ...]:
        """Read every file; the errors found, none if the model is whole."""
        errors: list[ModelError] = []
        for role in self.manifest["files"]:
            try:
                self.read_file(role)
            except ModelError as error:
                errors.append(error)
        return tuple(errors)


def _read(path: Path) -> bytes:
    try:
        state = path.stat()
        if not S_ISREG(state.st_mode) or state.st_size > MAX_FILE_BYTES:
            raise ModelError(f"{path}: no file, or larger than {MAX_FILE_BYTES // 2**20} MiB: not a Carrel model")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model file cannot be read ({error.strerror}); install the model again") from None


def _check_onnx(path: Path, contents: bytes) -> None:
    try:
        external = has_external_data(contents)
    except ValueError as error:
        raise ModelError(f"{path}: no ONNX file ({error}); export the model again") from None
    if external:
        raise ModelError(f"{path}: keeps weights in another file, which is refused; export the model in one file")


def open_model(folder: Path, task: str | None = None) -> Model:
    """Read the manifest of a model folder and check that it is of this ``task`` (None: of any).

    Raises
    ------
    ModelError
        No folder or manifest there, not JSON, an unknown format version, another task, or an entry that is missing or
        of the wrong type.
    """
    path = folder / "manifest.json"
    manifest = _read_manifest(path)
    if not isinstance(manifest, dict) or manifest.get("format_version") != FORMAT_VERSION:
        raise ModelError(f"{path}: not a model of format version {FORMAT_VERSION}; update Carrel or the model")
    found = manifest.get("task")
    if task is not None and found != task:
        raise ModelError(f"{path}: a model for {found!r}, not for {task!r}")
    if not isinstance(found, str) or found not in REQUIRED:
        raise ModelError(f"{path}: a model for {found!r}, which this version does not know; update Carrel")
    missing = [key for key in ("name", "licence", "files", *REQUIRED[found]) if key not in manifest]
    if missing:
        raise ModelError(f"{path}: the manifest lacks {', '.join(missing)}; install the model again")
    wrong = _wrong_entries(manifest)
    if wrong:
        raise ModelError(f"{path}: the manifest is damaged (wrong: {', '.join(wrong)}); install the model again")
    return Model(folder, manifest)


def _read_manifest(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ModelError(f"{path}: larger than {MAX_MANIFEST_BYTES // 2**20} MiB, no manifest of a Carrel model")
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path}: no model there ({error.strerror}); give a folder that holds a manifest.json"
        ) from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: the manifest is damaged (no JSON); install the model again") from None


def _wrong_entries(manifest: Mapping[str, Any]) -> list[str]:
    """Names of the entries whose type or value makes them useless."""
    wrong = [] if isinstance(manifest["name"], str) and manifest["name"] else ["name"]
    files = manifest["files"]
    if not isinstance(files, dict) or not files:
        return [*wrong, "files"]
    wrong += [f"files.{role}" for role, entry in files.items() if not _is_file_entry(entry)]
    alphabet = manifest.get("alphabet", " ")
    if not alphabet or not isinstance(alphabet, str | list) or not all(isinstance(c, str) for c in alphabet):
        wrong.append("alphabet")
    if manifest["task"] == "recognition":
        wrong += [k for k in ("blank", "stride_px") if type(manifest[k]) is not int or manifest[k] < 0]
        wrong += [k for k in ("input", "calibration") if not isinstance(manifest[k], dict)]
    return wrong


def _is_file_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("path"), str)
        and isinstance(entry.get("sha256"), str)
        and type(entry.get("bytes")) is int
    )


def has_shipped_model(name: str) -> bool:
    """Whether the ``carrel_models`` package holds this model."""
    return (shipped_folder(name) / "manifest.json").is_file()


def shipped_model(name: str, task: str) -> Model:
    """A model of the ``carrel_models`` package."""
    return open_model(shipped_folder(name), task)


def folder_of(name_or_folder: Path) -> Path:
    """The folder itself, or where there is none, that of the shipped model of this name."""
    named = len(name_or_folder.parts) == 1 and not name_or_folder.exists() and has_shipped_model(str(name_or_folder))
    return shipped_folder(str(name_or_folder)) if named else name_or_folder


def model_folders(folder: Path | None = None) -> tuple[Path, ...]:
    """The model folders in ``folder``, or ``folder`` itself if it is one; without it, those of ``carrel_models``."""
    folder = folder or shipped_folder("")
    if (folder / "manifest.json").exists():
        return (folder,)
    return tuple(sorted(path.parent for path in folder.glob("*/manifest.json")))


def shipped_folder(name: str) -> Path:
    """Where the ``carrel_models`` package keeps, or would keep, this model."""
    package = find_spec("carrel_models")  # importlib.resources would load ten other modules
    folders = package.submodule_search_locations if package is not None else None
    if not folders:
        raise ModelError("the package carrel_models is missing; install Carrel again")
    return Path(next(iter(folders))) / name
