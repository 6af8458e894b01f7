"""The order in which machines take shards: each once, and without listing the folders again for each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from carrel.fleet.here import Here, LocalPlaces
from carrel.fleet.leases import Leases, Machine, Progress
from carrel.fleet.picking import Picker
from carrel.fleet.shards import CONTROL, Fleet, Plan, open_fleet
from carrel.workers.messages import Work

MACHINES, SHARDS = 20, 300


class Counted(Leases):
    """Leases that count how often their folder is listed."""

    listings = 0

    def latest(self) -> dict[str, int]:
        Counted.listings += 1
        return super().latest()


def fleet_of(output: Path, shards: int) -> Fleet:
    control = output / CONTROL
    for folder in ("lists", "leases", "work"):
        (control / folder).mkdir(parents=True)
    (control / "fleet.json").write_bytes(msgspec.json.encode(Plan("x", output, Work(), ("text",)), enc_hook=str))
    for number in range(1, shards + 1):
        (control / "lists" / f"{number:05d}.txt").write_text(f"{number}.tif\n")
    return open_fleet(output)


def picker(fleet: Fleet, name: str) -> Picker:
    machine = replace(Machine.here(name), kernel=name)
    places = LocalPlaces(fleet, Here(fleet.output / "state", machine=machine))
    return Picker(fleet, Counted(fleet.leases, machine, 180.0), places)


def test_folders_are_listed_a_few_times_a_machine(tmp_path: Path) -> None:
    """Not whenever another machine was faster: all together that would grow with the square of the shards."""
    fleet = fleet_of(tmp_path, SHARDS)
    pickers = [picker(fleet, f"pc{number}") for number in range(MACHINES)]
    Counted.listings, taken = 0, list[str]()
    while pickers:
        for one in list(pickers):
            lease = one.take(set(), retry=False)
            if lease is None:
                assert not one.may_come_free
                pickers.remove(one)
            else:
                taken.append(lease.contents.shard)
                (tmp_path / lease.contents.shard).mkdir()
                lease.end("done", Progress())
    assert sorted(taken) == fleet.shards()
    assert Counted.listings <= 3 * MACHINES


def test_what_others_hold_may_come_free_and_what_is_set_aside_not(tmp_path: Path) -> None:
    fleet = fleet_of(tmp_path, 1)
    one, other = picker(fleet, "pc1"), picker(fleet, "pc2")
    for failures in range(3):
        lease = one.take(set(), retry=False)
        assert lease is not None and lease.contents.failures == failures
        assert other.take(set(), retry=False) is None and other.may_come_free
        lease.end("failed", Progress(), "no")
    assert one.take(set(), retry=False) is None and not one.may_come_free
    assert one.take({"00001"}, retry=True) is None
    assert one.take(set(), retry=True) is not None
