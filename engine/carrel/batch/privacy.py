"""The proof sheet: what is kept where, what may talk to whom. Whatever can be tried is tried, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import carrel
from carrel import system
from carrel.batch.folders import SHARDS_FOLDER, Folders, is_fleet
from carrel.batch.journal import Journal
from carrel.batch.plan import cache_folder
from carrel.batch.read_results import LIST_NAME, digests_of
from carrel.errors import CarrelError
from carrel.image.files import shown
from carrel.models.folders import model_folders, open_model

ENCRYPT = "encrypt the disk"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the lines under it."""

    title: str
    lines: tuple[str, ...]


def proof_sheet(folders: Folders | None = None) -> list[Section]:
    """Return everything an archive asks about: storage, sockets, telemetry, models, memory.

    Parameters
    ----------
    folders
        A batch's folders to look into; None describes what a batch would do.
    """
    return [
        Section("What is kept", tuple(_kept(folders))),
        Section("What a worker may do (tried just now)", tuple(_confinement())),
        Section("Telemetry of libraries", tuple(_telemetry())),
        Section("Models", tuple(_models())),
        Section("What Carrel cannot promise", tuple(_limits())),
    ]


def worker_confinement() -> dict[str, Any]:
    """Confine a process as workers are and let it try what they may not: ``tried`` by name, Landlock's version.

    Raises
    ------
    CarrelError
        The process could not be run.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "carrel.workers.trial", str(Path.home())],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise CarrelError("the confinement of workers could not be tried; does this Python run at all?") from None
    return answer


def _kept(folders: Folders | None) -> list[str]:
    output = str(folders.output) if folders else "OUT"
    state = str(folders.state) if folders else "OUT/.carrel"
    lines = [
        f"results: {output}; kept until deleted, or for the days given with --retain",
        f"journal: {state}/journal.sqlite, for you alone; paths, digests, counts, reasons, and every page as it was read; until"
        " carrel purge, pages until their results expire",
        f"spool: {state}/spool-*, for you alone (0700); deleted when a batch starts and ends",
        f"heartbeat: {state}/status.json; counts only",
        "carrel work and fleet: journal and spool of a shard on the local disk, ~/.local/state/carrel/shards or --state, until it"
        " is done, then with its results; as long also scans and results on their way from and to a store; in OUT/.carrel-shards paths"
        " of scans, names of machines, counts, reasons",
        f"compiled code: {cache_folder()}; nothing of any page",
        f"what networks run fastest on: {cache_folder().parent}/runtime, and openvino beside it; nothing of any page",
        f"temporary files of carrel read, inspect and tesseract: {tempfile.gettempdir()}/carrel-*, for you alone (0700);"
        " deleted at the end",
        "carrel serve: bodies lie in its state folder (0700) while they are read, results of jobs and of files"
        " sent with an Idempotency-Key in memory, an hour at most; of jobs, ids alone stay",
        "carrel desk: scans, pages, every change of a line with the seconds it took, and models that were learned, in its folder;"
        " without one, and with --kiosk, deleted at the end; what was saved to --export-to and --printer stays there",
        "worksheets, reports, line packs: where carrel review and manifest were told to write them; named below with OUT",
        f"results of carrel read: where its -o says; {LIST_NAME} in that folder lists them; until carrel purge",
        "models: where carrel learn and carrel words were told to make them; no text, but weights and words learned from pages;"
        " named below with OUT; until carrel models delete",
        "originals: read where they lie; kept, moved or deleted as carrel watch --originals says",
        "logs: stderr only; neither text nor file names, unless --log-text is given",
    ]
    return lines + (_kept_now(folders) if folders else [])


def _kept_now(folders: Folders) -> list[str]:
    single = len(digests_of(folders.output))
    by_read = [f"now: {single:,} files of results of carrel read; until carrel purge"] if single else []
    if is_fleet(folders.output):
        return [*by_read, *_fleet_now(folders.output)]
    if not folders.journal.exists():
        return by_read or ["no batch has been here"]
    mode = folders.state.stat().st_mode & 0o777
    journal = Journal(folders.journal, readonly=True)
    try:
        counts, names = journal.counts(), journal.results()
        others, elsewhere = [path for path, _ in journal.of_no_page()], journal.elsewhere()
    finally:
        journal.close()
    private = "private" if mode & 0o077 == 0 else f"NOT private (mode {mode:o}): others can look into it"
    return [
        *by_read,
        f"now: {counts.done:,} pages done, {len(names):,} files of results kept; {folders.state} is {private}",
        *(f"also there, with text of pages: {shown(Path(path))}; until carrel purge" for path in others),
        *(f"elsewhere, with text of pages: {shown(Path(path))}; yours to delete" for path in elsewhere),
    ]


def _fleet_now(output: Path) -> list[str]:
    control, done = output / SHARDS_FOLDER, [path for path in output.iterdir() if path.name.isdecimal()]
    merged = [name for name in ("mets.xml", "report.json", "review.tsv") if (output / name).exists()]
    at_work = len(list((control / "work").glob("*")))
    return [
        f"now: {len(done):,} shards are done; in each its results, journal, record and worst lines; carrel privacy {shown(output)}/00001"
        " tells of one",
        f"now: {at_work:,} shards are being read or were begun, their results in {shown(control)}/work, their journals on"
        " their machines",
        *(f"also there, with text or names of pages: {name}; until carrel purge" for name in merged),
        "all of that until carrel purge of this folder, which also deletes results that were put into a store; journals of other"
        " machines until carrel purge there",
    ]


def _confinement() -> list[str]:
    if not system.hands_over_files():
        return [f"none: this system lacks {system.lacking()}; files are decoded by the command itself"]
    answer = worker_confinement()
    lines = [f"{name}: {outcome}" for name, outcome in answer["tried"].items()]
    version = answer["landlock"]
    lines.append(f"Landlock: version {version}" if version else "Landlock: not in this kernel; files are not confined")
    lines.append(
        "system calls: only those that reading needs" if answer["calls"] else "system calls: NOT filtered here"
    )
    return [*lines, *_STAYS_OPEN]


_STAYS_OPEN = (
    "workers of carrel batch, watch, serve and desk decode files and read them; carrel read, inspect and tesseract decode in"
    " one and read in their own process, from the pixels that it answers",
    "open to workers: reading the system's and Python's own folders, and /proc; asking whether any file exists, how large"
    " and how old it is; writing files of up to 64 MiB each into the spool and the cache of compiled code; memory and"
    " processor within the limits given; answers to the program that asked, which are checked",
    "with --device gpu or cuda also: /dev, and system calls that drivers need",
    "not open to them: the scans; each gets one open file at a time",
    "carrel fleet opens Dask's sockets, between scheduler and workers; names of shards and outcomes go over them, no text",
    "carrel shard, work and merge talk to a store where scans or results are named by s3://: scans come from it, results with all"
    " text go there; nothing else but serve and desk opens sockets",
)


def _telemetry() -> list[str]:
    state = "off" if os.environ.get("ORT_DISABLE_TELEMETRY") == "1" else "ON"
    lines = [f"onnxruntime {_version('onnxruntime') or 'not installed'}: {state} (ORT_DISABLE_TELEMETRY)"]
    if _version("openvino"):
        reports = _version("openvino-telemetry")
        lines.append(
            "openvino: its telemetry package is installed; workers cannot reach the network, for the rest uninstall"
            " openvino-telemetry"
            if reports
            else "openvino: its telemetry package is not installed"
        )
    return [*lines, "tesseract, pillow, pdfium, opencv, numba: none known"]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _models() -> list[str]:
    models = map(open_model, model_folders())
    lines = [
        f"{model.folder.name}: licence {model.manifest.licence}; "
        f"trained on {', '.join(model.manifest.training_sources) or 'not named'}"
        for model in models
    ]
    return [*lines, f"Carrel {carrel.__version__} learns from pages only where carrel learn is told to"]


def _limits() -> list[str]:
    swap = len(Path("/proc/swaps").read_text("ascii").splitlines()) > 1 if Path("/proc/swaps").exists() else False
    swapped = f"memory may be swapped to disk here: {ENCRYPT} and its swap" if swap else "no swap is in use here"
    return [
        f"deleted files may survive on flash memory, in snapshots and backups: {ENCRYPT}, destroy its key",
        swapped,
        "who is root on this machine can see everything",
    ]
