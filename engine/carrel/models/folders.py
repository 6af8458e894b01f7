"""Model folders: a manifest and the files it names, verified before any of them is used.

``manifest.json`` is read and checked once, by `open_model`, against the structs of `carrel.models.manifest`; format
version 2 is written, version 1 is still read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, TypeVar

from carrel.errors import ModelError
from carrel.models.onnx_file import EXTERNAL_KEY, has_external_data, tensors

if TYPE_CHECKING:
    from carrel.models.manifest import FileEntry, Manifest

log = logging.getLogger(__name__)

Kind = TypeVar("Kind", bound="Manifest")

FORMAT_VERSION = 2
MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_MANIFEST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder whose manifest has been checked; files are read and verified by `read_file`.

    ``identity`` is the name and the start of the manifest's own digest: it changes whenever any file of the model does.
    """

    folder: Path
    manifest: Manifest
    identity: str

    @property
    def name(self) -> str:
        """The model's name, one line."""
        return self.manifest.name

    @property
    def task(self) -> str:
        """The task of the model, a key of `carrel.models.tasks.TASKS`."""
        return self.manifest.task

    def manifest_as(self, kind: type[Kind]) -> Kind:
        """Return the manifest as that of a task.

        Raises
        ------
        ModelError
            The model is for another task.
        """
        if not isinstance(self.manifest, kind):
            raise ModelError(f"{self.folder}: a model for {self.task!r}, not for {kind.__name__.lower()!r}")
        return self.manifest

    def network_file(self, precision: str, role: str = "network") -> str:
        """Return the key of the ONNX file with this role and precision; of the other precision where there is no such.

        Raises
        ------
        ModelError
            No ONNX file of the folder has this role.
        """
        found = [key for key, e in self.manifest.files.items() if (e.role, e.runtime) == (role, "onnx")]
        found = [key for key in found if not self._is_left_out(self.manifest.files[key])]
        found.sort(key=lambda key: self.manifest.files[key].precision != precision)
        if not found:
            raise ModelError(f"{self.folder}: the model has no ONNX file with the role {role!r}; export it again")
        chosen = self.manifest.files[found[0]]
        if precision == "fp32" and chosen.precision == "int8":
            log.warning("%s: its network in fp32 is not installed (carrel-models-full); int8 is used", self.name)
        return found[0]

    def read_file(self, key: str) -> bytes:
        """Return the contents of a file, after its size and SHA-256 were checked.

        Raises
        ------
        ModelError
            The manifest names no such file, or the file is missing, outside the folder, cut off or altered, or it is an
            ONNX file that keeps tensors in another file, or whose network takes or gives other tensors than it should.
        """
        path, entry = self._place_of(key)
        contents = _read(path)
        _check_contents(path, entry, contents)
        if entry.runtime == "onnx" or path.suffix == ".onnx":
            self._check_onnx(path, contents, entry)
        return contents

    def map_file(self, key: str) -> mmap.mmap:
        """Return a file mapped into memory instead of read, after its size and SHA-256 were checked.

        Raises
        ------
        ModelError
            As `read_file`.
        """
        path, entry = self._place_of(key)
        contents = _map(path)
        _check_contents(path, entry, contents)
        return contents

    def check_size(self, key: str) -> None:
        """Compare the size of a file with the manifest's, for one that is read only when it is needed.

        Raises
        ------
        ModelError
            The manifest names no such file, or the file is missing, outside the folder, or of another size.
        """
        path, entry = self._place_of(key)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise _unreadable(path, error) from None
        _check_size(path, entry, size)

    def _place_of(self, key: str) -> tuple[Path, FileEntry]:
        """Path of a file, and what the manifest says of it."""
        files = self.manifest.files
        if key not in files:
            raise ModelError(f"{self.folder}: the model has no {key!r} file (it has: {', '.join(sorted(files))})")
        path = self.folder.joinpath(files[key].path).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise ModelError(f"{self.folder}: the manifest names a file outside the folder: {files[key].path}")
        return path, files[key]

    def verify(self) -> tuple[ModelError, ...]:
        """Read every file; the errors found, none if the model is whole. `left_out` files may be absent."""
        errors: list[ModelError] = []
        for key, entry in self.manifest.files.items():
            try:
                if not self._is_left_out(entry):
                    self.read_file(key)
            except ModelError as error:
                errors.append(error)
        return tuple(errors)

    def left_out(self) -> tuple[str, ...]:
        """Return the paths of files that are absent and that reading does without.

        They are files for training alone, and networks in fp32 beside which the same lies in int8.
        """
        return tuple(entry.path for entry in self.manifest.files.values() if self._is_left_out(entry))

    def _is_left_out(self, entry: FileEntry) -> bool:
        return (entry.training_only or self._is_spare(entry)) and not (self.folder / entry.path).exists()

    def _is_spare(self, entry: FileEntry) -> bool:
        others = [other for other in self.manifest.files.values() if other.precision == "int8"]
        same = [other for other in others if (other.role, other.runtime) == (entry.role, entry.runtime)]
        return entry.precision == "fp32" and any((self.folder / other.path).exists() for other in same)

    def _check_onnx(self, path: Path, contents: bytes, entry: FileEntry) -> None:
        from carrel.models.tasks import tensors_of

        try:
            # no other file can be named without this key, and the walk through all nodes takes longer than to look for it
            external = EXTERNAL_KEY in contents and has_external_data(contents)
            found = tensors(contents)
        except ValueError as error:
            raise ModelError(f"{path}: no ONNX file ({error}); export the model again") from None
        if external:
            raise ModelError(f"{path}: keeps weights in another file, which is refused; export the model in one file")
        wanted = tensors_of(self.manifest, entry)
        problems = [
            problem
            for verb, tensors_found, shapes in zip(("takes", "gives"), found, wanted, strict=True)
            for name, shape in shapes.items()
            for problem in _misfits(verb, name, shape, tensors_found)
        ]
        if problems:
            raise ModelError(f"{path}: does not fit its manifest: {'; '.join(problems)}; export the model again")


def _misfits(
    verb: str, name: str, wanted: tuple[int | str, ...], found: Mapping[str, tuple[int | None, ...]]
) -> list[str]:
    """What a network's tensor lacks of the wanted one; axes of any size fit every size."""
    if name not in found:
        return [f"the network {verb} {', '.join(map(repr, found)) or 'nothing'}, not {name!r}"]
    shape = found[name]
    fits = len(shape) == len(wanted) and all(
        a is None or not isinstance(b, int) or a == b for a, b in zip(shape, wanted, strict=True)
    )
    return [] if fits else [f"the network {verb} {name!r} of {_axes(shape)}, not {_axes(wanted)}"]


def _axes(shape: tuple[int | str | None, ...]) -> str:
    return " x ".join("any" if axis is None else str(axis) for axis in shape) or "no axes"


def _read(path: Path) -> bytes:
    try:
        state = path.stat()
        if not S_ISREG(state.st_mode) or state.st_size > MAX_FILE_BYTES:
            raise ModelError(f"{path}: no file, or larger than {MAX_FILE_BYTES // 2**20} MiB: not a Carrel model")
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> ModelError:
    return ModelError(f"{path}: the model file cannot be read ({error.strerror}); install the model again")


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if not S_ISREG(state.st_mode) or not 0 < state.st_size <= MAX_FILE_BYTES:
                raise ModelError(
                    f"{path}: no file, empty, or larger than {MAX_FILE_BYTES // 2**20} MiB; install it again"
                )
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise _unreadable(path, error) from None


def _check_contents(path: Path, entry: FileEntry, contents: bytes | mmap.mmap) -> None:
    _check_size(path, entry, len(contents))
    if hashlib.sha256(contents).hexdigest() != entry.sha256:
        raise ModelError(f"{path}: the model file is damaged (its SHA-256 is not the manifest's); install it again")


def _check_size(path: Path, entry: FileEntry, size: int) -> None:
    if size != entry.bytes:
        raise ModelError(f"{path}: the model file is damaged ({size:,} bytes, not {entry.bytes:,}); install it again")


def open_model(folder: Path, task: str | None = None) -> Model:
    """Return the model in a folder whose manifest is for this ``task`` (None: for any), all of it checked.

    Raises
    ------
    ModelError
        No folder or manifest there, not JSON, an unknown format version, another task, or entries that are missing or
        wrong: all of them are named.
    """
    from carrel.models.tasks import FORMAT_VERSIONS, TASKS, common_problems, parse, shown

    path = folder / "manifest.json"
    raw = _read_manifest(path)
    if not isinstance(raw, dict):
        raise ModelError(f"{path}: the manifest is damaged (no JSON object); install the model again")
    version, found = raw.get("format_version"), raw.get("task")
    if isinstance(version, int) and version not in FORMAT_VERSIONS:
        known = " or ".join(map(str, FORMAT_VERSIONS))
        raise ModelError(f"{path}: not a model of format version {known}; update Carrel or the model")
    if not isinstance(found, str) or found not in TASKS:
        problem = "is missing" if found is None else f"this version knows {', '.join(TASKS)}"
        raise _damaged(path, shown([f"$.task: {problem}", *common_problems(raw)]))
    if task is not None and found != task:
        raise ModelError(f"{path}: a model for {found!r}, not for {task!r}; give another model")
    try:
        manifest = parse(raw, found)
    except ValueError as error:
        raise _damaged(path, str(error)) from None
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()
    return Model(folder, manifest, f"{manifest.name}@{digest[:12]}")


def _damaged(path: Path, problems: str) -> ModelError:
    return ModelError(f"{path}: the manifest is damaged: {problems}. Install the model again, or update Carrel")


def _read_manifest(path: Path) -> Any:
    try:
        state = path.stat()
        if not S_ISREG(state.st_mode) or state.st_size > MAX_MANIFEST_BYTES:
            raise ModelError(f"{path}: no file, or larger than {MAX_MANIFEST_BYTES // 2**20} MiB: no Carrel manifest")
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path}: no model there ({error.strerror}); give a folder that holds a manifest.json"
        ) from None
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: the manifest is damaged (no JSON); install the model again") from None


def has_shipped_model(name: str) -> bool:
    """Tell whether the ``carrel_models`` package holds this model."""
    return (shipped_folder(name) / "manifest.json").is_file()


def shipped_model(name: str, task: str) -> Model:
    """Return a model of the ``carrel_models`` package."""
    return open_model(shipped_folder(name), task)


def folder_of(name_or_folder: Path) -> Path:
    """Return the folder itself, or where there is none, that of the shipped model of this name."""
    named = len(name_or_folder.parts) == 1 and not name_or_folder.exists() and has_shipped_model(str(name_or_folder))
    return shipped_folder(str(name_or_folder)) if named else name_or_folder


def model_folders(folder: Path | None = None) -> tuple[Path, ...]:
    """Return the model folders in ``folder``, or ``folder`` itself if it is one; without it, those of ``carrel_models``."""
    folder = folder or shipped_folder("")
    if (folder / "manifest.json").exists():
        return (folder,)
    return tuple(sorted(path.parent for path in folder.glob("*/manifest.json")))


def shipped_folder(name: str) -> Path:
    """Return where the ``carrel_models`` package keeps, or would keep, this model."""
    package = find_spec("carrel_models")  # importlib.resources would load ten other modules
    folders = package.submodule_search_locations if package is not None else None
    if not folders:
        raise ModelError("the package carrel_models is missing; install Carrel again")
    return Path(next(iter(folders))) / name
