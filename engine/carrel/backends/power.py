"""Battery and heat, as Linux tells them. It is shown by ``carrel devices`` and changes no plan: what runs follows from what
was measured, so that the same machine reads the same way plugged in or not; ``carrel devices --probe`` measures anew.

See the kernel's ABI: sysfs-class-power, sysfs-class-thermal, sysfs-devices-system-cpu.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYSTEM = Path("/sys")


@dataclass(frozen=True, slots=True)
class Power:
    """None where the system does not tell.

    ``on_battery``; ``frequency_share``: the highest frequency allowed as a part of what the slowest processor could do;
    ``throttled``: how often heat has slowed processors since the system started; ``cooling``: whether it does so now.
    """

    on_battery: bool | None = None
    frequency_share: float | None = None
    throttled: int | None = None
    cooling: bool | None = None


def power_state(system: Path = SYSTEM) -> Power:
    """Return what there is to read below ``system``, usually ``/sys``."""
    processors = system / "devices" / "system" / "cpu"
    shares = [
        allowed / possible
        for folder in processors.glob("cpu[0-9]*/cpufreq")
        if (allowed := _number(folder / "scaling_max_freq")) and (possible := _number(folder / "cpuinfo_max_freq"))
    ]
    counts = [
        count
        for file in processors.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
        if (count := _number(file)) is not None
    ]
    cooling = [
        state > 0
        for folder in (system / "class" / "thermal").glob("cooling_device*")
        if _text(folder / "type") == "Processor" and (state := _number(folder / "cur_state")) is not None
    ]
    return Power(
        _on_battery(system / "class" / "power_supply"),
        round(min(shares), 3) if shares else None,
        sum(counts) if counts else None,
        any(cooling) if cooling else None,
    )


def _on_battery(supplies: Path) -> bool | None:
    """Whether no mains is connected and a battery of the machine itself is being emptied."""
    online: list[bool] = []
    emptied: list[bool] = []
    for folder in sorted(supplies.glob("*")):
        if _text(folder / "scope") == "Device":  # of a mouse or a pen
            continue
        if _text(folder / "type") == "Battery":
            emptied.append(_text(folder / "status") == "Discharging")
        elif (connected := _number(folder / "online")) is not None:
            online.append(connected > 0)
    if not online and not emptied:
        return None
    return not any(online) and any(emptied)


def in_words(power: Power) -> str:
    """Return one line; empty where nothing is told."""
    parts: list[str] = []
    if power.on_battery is not None:
        parts.append("on battery" if power.on_battery else "on mains")
    if power.frequency_share is not None and power.frequency_share < 1:
        parts.append(f"processors held to {100 * power.frequency_share:.0f} % of their frequency")
    if power.cooling:
        parts.append("slowed by heat now")
    if power.throttled:
        parts.append(f"slowed by heat {power.throttled} times since the system started")
    return ", ".join(parts)


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text("utf-8", "replace").strip()
    return ""


def _number(file: Path) -> int | None:
    text = _text(file)
    return int(text) if text.isdecimal() else None
