"""Scanners through SANE's ``scanimage``: which there are, what each really offers, and scanning into files."""

from __future__ import annotations

import asyncio
import re
import shutil
import time
from pathlib import Path

import msgspec

from carrel.errors import CarrelError, UsageError
from carrel.workers.files import SeenFile, seen

LOOK_S, SCAN_S = 60.0, 900.0
KEPT_S = 60.0
"""A list of scanners is looked up anew after this time: network scanners take seconds to answer."""
MOST_SHEETS = 200
_OUT_OF_DOCUMENTS = 7
_USUAL_DPI = (100, 150, 200, 300, 400, 600, 1200)
_DEVICE = re.compile(r"^(?P<name>[^\t]+)\t(?P<label>[^\t\n]+)$", re.MULTILINE)
_OPTION = re.compile(r"^\s+--(?P<name>source|mode|resolution)\s+(?P<values>[^\[\n]+)\[", re.MULTILINE)


class Scanner(msgspec.Struct, frozen=True):
    """A scanner, and the values of its options."""

    name: str
    label: str
    sources: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    resolutions: tuple[int, ...] = ()


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A wish for a scan; empty values are left to the scanner."""

    device: str
    source: str = ""
    mode: str = ""
    resolution: int = 0


class Scanners:
    """The scanners of this machine; one scans at a time."""

    def __init__(self) -> None:
        self._known: tuple[Scanner, ...] = ()
        self._looked_at = -KEPT_S
        self._lock = asyncio.Lock()

    async def find(self) -> tuple[Scanner, ...]:
        """Return the scanners that answer.

        Raises
        ------
        CarrelError
            ``scanimage`` is missing or does not end.
        """
        async with self._lock:
            if time.monotonic() - self._looked_at > KEPT_S:
                _, listed = await _scanimage(["-f", "%d\t%v %m%n"], LOOK_S)
                found = [(match["name"], match["label"].strip()) for match in _DEVICE.finditer(listed)]
                self._known = tuple([await _described(name, label) for name, label in found])
                self._looked_at = time.monotonic()
            return self._known

    async def scan(self, wanted: Wanted, folder: Path) -> tuple[list[SeenFile], str]:
        """Scan one sheet, or all that the feeder holds, into new files of ``folder``; returns them, and why there are no more
        where the scanner stopped before its end: sheets that are through are kept.

        Raises
        ------
        UsageError
            There is no such scanner, or it does not offer what is wanted.
        CarrelError
            The scanner says no; the message is its own.
        """
        scanner = next((known for known in await self.find() if known.name == wanted.device), None)
        if scanner is None:
            raise UsageError("no such scanner; look for scanners again")
        arguments = _arguments(scanner, wanted)
        async with self._lock:
            made = folder / f"scan-{time.monotonic_ns()}"
            made.mkdir(mode=0o700)
            limit = MOST_SHEETS if _is_feeder(wanted.source) else 1
            batch = [f"--batch={made}/%04d.tiff", "--format=tiff", f"--batch-count={limit}"]
            trouble = await _scan([*arguments, *batch])
            moved = [file.rename(folder / f"{made.name}-{file.name}") for file in sorted(made.glob("*.tiff"))]
            shutil.rmtree(made)
            if not moved:
                raise CarrelError(trouble or "the scanner gave nothing")
            return [seen(file, file.stat()) for file in moved], trouble


def _is_feeder(source: str) -> bool:
    return any(word in source.lower() for word in ("adf", "feeder", "duplex"))


def _arguments(scanner: Scanner, wanted: Wanted) -> list[str]:
    arguments = [f"--device-name={scanner.name}"]
    offered = {"source": scanner.sources, "mode": scanner.modes, "resolution": scanner.resolutions}
    for name, values in offered.items():
        value = getattr(wanted, name)
        if not value:
            continue
        if value not in values:
            raise UsageError(f"{scanner.label} offers no {name} {value}; choose from {', '.join(map(str, values))}")
        arguments.append(f"--{name}={value}")
    return arguments


async def _described(name: str, label: str) -> Scanner:
    _, told = await _scanimage([f"--device-name={name}", "-A"], LOOK_S)
    return parse_options(name, label, told)


def parse_options(name: str, label: str, told: str) -> Scanner:
    """Return a scanner from what ``scanimage -A`` says of it."""
    values = {match["name"]: match["values"].strip() for match in reversed(list(_OPTION.finditer(told)))}
    words = {key: tuple(word for word in text.split("|") if word) for key, text in values.items() if ".." not in text}
    resolutions = _resolutions(values.get("resolution", ""))
    return Scanner(name, label, words.get("source", ()), words.get("mode", ()), resolutions)


def _resolutions(text: str) -> tuple[int, ...]:
    """Those of a list, or the usual ones of a range such as ``1..1200dpi (in steps of 1)``."""
    if ".." in text:
        low, high = (float(number) for number in re.findall(r"[\d.]*\d", text.replace("..", " "))[:2])
        return tuple(dpi for dpi in _USUAL_DPI if low <= dpi <= high)
    return tuple(int(number) for number in re.findall(r"\d+", text))


async def _scanimage(arguments: list[str], limit_s: float) -> tuple[int, str]:
    """Run it; returns its exit code and what it wrote, to stdout first."""
    program = shutil.which("scanimage")
    if program is None:
        raise UsageError("scanimage is not installed; install it (Debian: apt-get install sane-utils)")
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), limit_s)
    except TimeoutError:
        raise CarrelError(f"the scanner has not answered for {limit_s:g} s; switch it off and on") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, (out + err).decode("utf-8", "replace")


async def _scan(arguments: list[str]) -> str:
    """Scan; returns what the scanner says where it stops before its end."""
    try:
        code, said = await _scanimage(arguments, SCAN_S)
    except CarrelError as error:
        return str(error)
    return "" if code in (0, _OUT_OF_DOCUMENTS) else _last_words(said)


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("Batch terminated")]
    wrong = [line for line in lines if "scanimage:" in line or "error" in line.lower()]
    return (wrong or lines or ["the scanner gave nothing"])[-1].removeprefix("scanimage: ")[:300]
