"""Battery and heat as Linux tells them, on trees of files made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.backends.power import Power, in_words, power_state
from carrel_cli.machine.devices import power_line


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return folder


LAPTOP = {
    "class/power_supply/AC/type": "Mains",
    "class/power_supply/AC/online": "0",
    "class/power_supply/BAT0/type": "Battery",
    "class/power_supply/BAT0/status": "Discharging",
    "class/power_supply/mouse/type": "Battery",
    "class/power_supply/mouse/scope": "Device",
    "class/power_supply/mouse/status": "Discharging",
    "devices/system/cpu/cpu0/cpufreq/scaling_max_freq": "4000000",
    "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "4000000",
    "devices/system/cpu/cpu1/cpufreq/scaling_max_freq": "1600000",
    "devices/system/cpu/cpu1/cpufreq/cpuinfo_max_freq": "4000000",
    "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3",
    "devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4",
    "class/thermal/cooling_device0/type": "Processor",
    "class/thermal/cooling_device0/cur_state": "2",
    "class/thermal/cooling_device1/type": "Fan",
    "class/thermal/cooling_device1/cur_state": "5",
}


def test_laptop_on_battery_and_hot(tmp_path: Path) -> None:
    power = power_state(tree(tmp_path, LAPTOP))
    assert power == Power(on_battery=True, frequency_share=0.4, throttled=7, cooling=True)
    assert in_words(power) == (
        "on battery, processors held to 40 % of their frequency, slowed by heat now, "
        "slowed by heat 7 times since the system started"
    )
    assert power_line(power).endswith("not this")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"class/power_supply/AC/online": "1"}, False),
        ({"class/power_supply/BAT0/status": "Full"}, False),
        ({"class/power_supply/BAT0/status": "Not charging"}, False),
    ],
)
def test_on_mains(tmp_path: Path, changes: dict[str, str], expected: bool) -> None:
    assert power_state(tree(tmp_path, LAPTOP | changes)).on_battery is expected


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    assert power_state(tmp_path) == Power()
    assert in_words(Power()) == power_line(Power()) == ""
    broken = {"class/power_supply/AC/online": "?", "devices/system/cpu/cpu0/cpufreq/scaling_max_freq": ""}
    assert power_state(tree(tmp_path, broken)) == Power()
