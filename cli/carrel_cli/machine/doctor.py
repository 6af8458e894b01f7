"""``carrel doctor``: what is installed and works here, what is missing, and the command that brings it."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

import carrel
from carrel.errors import CarrelError, UsageError
from carrel.installed import installed_version
from carrel.process_memory import MIB

REQUIRED = ("onnxruntime", "opencv-python-headless", "tesserocr", "numpy", "pillow", "lxml", "msgspec", "pikepdf", "pypdfium2")  # fmt: skip
EXTRAS = {
    "openvino": ("openvino", "networks on Intel graphics, and often faster on Intel processors"),
    "distributed": ("fleet", "carrel fleet through a Dask cluster; carrel work needs it not"),
    "s3fs": ("s3", "scans and results of fleets in an object store"),
    "openpyxl": ("review", "worksheets of carrel review as spreadsheets"),
    "torch": ("learn", "models learned from corrections; with carrel[export] training, too"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``remedy`` brings what is missing, ``needed`` where nothing is read without it."""

    topic: str
    text: str
    remedy: str = ""
    needed: bool = False


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(as_json: bool) -> None:
    """Show what is installed and works here, what is missing, and the command that brings it.

    Nothing is changed or measured. The exit code is 1 where something is missing without which nothing can be read.
    """
    findings = [finding for look in LOOKS for finding in _careful(look)]
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=1))
    else:
        for finding in findings:
            click.echo(f"{finding.topic:10} {finding.text}")
            if finding.remedy:
                click.echo(f"{'':10} -> {finding.remedy}")
    if any(finding.needed for finding in findings):
        sys.exit(1)


def _careful(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a look finds; what breaks it is a finding too."""
    try:
        yield from look()
    except (CarrelError, OSError) as error:
        yield Finding(look.__name__.strip("_"), str(error), "see the message", needed=True)


def _carrel() -> Iterator[Finding]:
    place = Path(carrel.__file__).parent
    yield Finding(
        "carrel",
        f"{carrel.__version__} in {place}, Python {platform.python_version()}, {platform.platform(terse=True)}",
    )
    if missing := [package for package in REQUIRED if installed_version(package) is None]:
        yield Finding("packages", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}", needed=True)
    for package, (extra, purpose) in EXTRAS.items():
        version = installed_version(package)
        remedy = "" if version else f"pip install 'carrel[{extra}]'"
        yield Finding("extra", f"{extra}: {package} {version or 'not installed'}; {purpose}", remedy)


def _languages() -> Iterator[Finding]:
    from carrel.options import ReadOptions
    from carrel.recognizers.tesseract import tessdata_folders

    found = {
        folder: sorted(file.stem for file in folder.glob("*.traineddata"))
        for folder in dict.fromkeys(tessdata_folders())
        if folder.is_dir()
    }
    for folder, languages in found.items():
        yield Finding("languages", f"{' '.join(languages) or 'none'} in {folder}")
    wanted = {*ReadOptions().languages, "osd"}
    if missing := sorted(wanted.difference(*found.values())):
        packages = " ".join(f"tesseract-ocr-{language}" for language in missing)
        yield Finding("languages", f"missing: {' '.join(missing)}", f"apt-get install {packages}", needed=True)


def _models() -> Iterator[Finding]:
    from carrel.models.folders import model_folders, open_model

    folders = model_folders()
    if not folders:
        yield Finding("models", "none", "pip install --force-reinstall carrel", needed=True)
    whole: list[str] = []
    for folder in folders:
        model = open_model(folder)
        errors = model.verify()
        whole += [] if errors else [model.name]
        for error in errors:
            yield Finding("models", str(error), "pip install --force-reinstall carrel", needed=True)
    if whole:
        yield Finding("models", f"whole: {' '.join(whole)}")


def _kernels() -> Iterator[Finding]:
    from carrel.kernels.native import cached_folder, has_library, shipped_folder

    shipped = shipped_folder()
    if has_library():
        brought = (shipped / "kernels.so").is_file()
        yield Finding("kernels", f"built, {shipped.name}: no compiler needed" if brought else f"in {cached_folder()}")
        return
    if installed_version("numba"):
        yield Finding("kernels", "compiled at each first use, some 20 s", "carrel warm")
    else:
        yield Finding("kernels", f"none for {platform.machine()}, and no compiler", "pip install numba", needed=True)


def _device() -> Iterator[Finding]:
    from carrel.backends.devices import has_choice, processor_name
    from carrel.backends.facts import request_of
    from carrel.backends.probe import stored_survey
    from carrel.loading import network_models
    from carrel.options import ReadOptions

    request = request_of(ReadOptions())
    yield Finding("device", f"{processor_name()}, {request.cores} cores")
    if has_choice("auto", "auto") and stored_survey(network_models(ReadOptions()), request.cores) is None:
        yield Finding("device", "what networks run fastest on was not tried yet; the first page does", "carrel warm")


def _memory() -> Iterator[Finding]:
    from carrel.backends.settings import default_limit_bytes, free_bytes

    free, limit = free_bytes() / MIB, default_limit_bytes() / MIB
    yield Finding("memory", f"{free:,.0f} MiB free, of which {limit:,.0f} are used unless --memory says otherwise")


def _cache() -> Iterator[Finding]:
    from carrel.cache_folders import cache_root

    given = os.environ.get("XDG_CACHE_HOME", "")
    if given and not Path(given).is_absolute():
        yield Finding("cache", f"XDG_CACHE_HOME={given} is not absolute and does not count", "give an absolute path")
    try:
        root = cache_root()
    except RuntimeError:
        yield Finding("cache", "no home folder: nothing is kept between starts", "set XDG_CACHE_HOME")
        return
    above = next(folder for folder in (root, *root.parents) if folder.exists())
    writable = os.access(above, os.W_OK)
    yield Finding("cache", f"{root}{'' if writable else ', which cannot be written: nothing new is kept'}")


def _sandbox() -> Iterator[Finding]:
    from carrel.batch.privacy import worker_confinement
    from carrel.system import hands_over_files, lacking

    if lacking():
        yield Finding("sandbox", f"this system lacks {lacking()}")
    if not hands_over_files():
        yield Finding(
            "sandbox", "none: files are decoded by the command itself; batch, watch, desk and serve are refused"
        )
        return
    answer = worker_confinement()
    allowed = sorted(name for name, outcome in answer["tried"].items() if outcome != "refused")
    version = answer["landlock"]
    text = f"sockets of workers refused; files {f'confined by Landlock {version}' if version else 'not confined'}"
    yield Finding("sandbox", f"workers could do: {', '.join(allowed)}" if allowed else text)


def _fleet() -> Iterator[Finding]:
    """Journals of shards must lie on a local disk; those that lie there were begun here."""
    from carrel.batch.shares import require_local
    from carrel.fleet.here import default_state

    try:
        state = default_state()
        require_local(state)
    except UsageError as error:
        yield Finding("fleet", str(error), "carrel work --state DIR on a local disk")
        return
    begun = len(list(state.glob("*/[0-9]*"))) if state.is_dir() else 0
    yield Finding("fleet", f"journals of carrel work go to {state}; {begun:,} shards are begun there")


LOOKS = (_carrel, _languages, _models, _kernels, _device, _memory, _cache, _fleet, _sandbox)
