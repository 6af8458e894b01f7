"""A fleet from its first lease to one report: machines that read nothing, by a clock of their own, and the files of real ones.

Ten million pages in 10,000 shards on 200 machines, some of which die, sleep past their leases or fail; a tenth of it beside
it shows what grows faster than the number of shards. ``status`` is measured at 25, 50, 75 and 100 percent of shards done,
``merge`` at the end, over the records of all pages; one result stands for those of a shard. Needs 4 GB of disk (``--folder``) and
half an hour (``--minutes``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from carrel.fleet.merge import merge
from carrel.fleet.mets import entries_of
from carrel.fleet.picking import set_aside
from carrel.fleet.shards import Fleet
from carrel.fleet.status import status_of, told
from carrel.formats.write.collection.mets import write_mets
from carrel_bench.answer import peak_mib
from carrel_bench.figures import BenchError, Figure, Options, Table, figures_of
from carrel_bench.fleets.simulation import FILES, Simulation, begin

SHARDS, MACHINES = 10_000, 200
METS_SHARDS = 5
OPTIONS: Table = {
    "--shards": {"type": int, "default": SHARDS, "help": f"of {FILES} pages each  [default: {SHARDS}]"},
    "--machines": {"type": int, "default": MACHINES, "help": f"[default: {MACHINES}]"},
    "--folder": {"type": Path, "help": "where files are written and deleted again"},
}


def measure(options: Options) -> Iterator[Figure]:
    """Yield figures of a tenth, then of the whole.

    Raises
    ------
    BenchError
        A page was lost or merged twice.
    """
    sizes = [options.shards // 10] if options.quick else [options.shards // 10, options.shards]
    for shards in sizes:
        with TemporaryDirectory(prefix="carrel-fleet-", dir=options.folder) as place:
            yield from _of_size(Path(place), shards, min(options.machines, max(1, shards // 5)))


def _of_size(output: Path, shards: int, machines: int) -> Iterator[Figure]:
    case, looks = f"{shards:,} shards, {machines} machines", list[float]()
    fleet = begin(output, shards)
    simulation = Simulation(fleet, machines)

    def look(share: float) -> None:
        began_s = time.monotonic()
        list(told(status_of(fleet)))
        looks.append(time.monotonic() - began_s)

    cpu_s, began_s = time.process_time(), time.monotonic()
    simulation.run(0.25, look)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - began_s
    counts, aside = simulation.counts, len(set_aside(fleet))
    if len(fleet.done()) != counts["done"] or len(fleet.done()) + aside != shards:
        raise BenchError(f"{len(fleet.done())} shards are done, {aside} set aside, of {shards}")
    look(1.0)
    leases = list(fleet.leases.iterdir())
    yield from figures_of("fleet", "carrel", case, {
        "hours": simulation.hours,
        **{f"{name} a shard": counts[name] / shards for name in ("looks", "lease writes")},
        "lease writes a second": counts["lease writes"] / simulation.now_s,
        **{name: counts[name] for name in ("deaths", "lost", "failed")},
        "set aside": aside,
        "lease files": len(leases),
        "bytes of a lease": sum(path.stat().st_size for path in leases) / len(leases),
        "simulation CPU ms a shard": cpu_s / shards * 1e3,
        "simulation wall ms a shard": wall_s / shards * 1e3,
        "status s, best": min(looks),
        "status s, worst": max(looks),
    })  # fmt: skip
    yield from _merged(fleet, case, aside)


def _merged(fleet: Fleet, case: str, aside: int) -> Iterator[Figure]:
    shards = sorted(fleet.done(), key=int)
    cpu_s, began_s = time.process_time(), time.monotonic()
    merged = merge(fleet, hashes=False)
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - began_s
    if not merged.whole or merged.pages != len(shards) * FILES or len(merged.aside) != aside:
        raise BenchError(f"merged {merged.pages} pages; faults: {dict(merged.faults)}")
    mets_s = time.process_time()
    for shard in shards[:METS_SHARDS]:
        write_mets(list(entries_of(fleet, shard, fleet.plan.source, fleet.output / shard)), shard)
    mets_s = time.process_time() - mets_s
    record = fleet.output / shards[0] / ".carrel" / "shard.jsonl"
    yield from figures_of("fleet", "carrel", case, {
        "pages merged": merged.pages,
        "merge s": wall_s,
        "merge CPU ms a shard": cpu_s / len(shards) * 1e3,
        "METS CPU ms a shard": mets_s / METS_SHARDS * 1e3,
        "KiB of a record": record.stat().st_size / 1024,
        "peak MiB of this process": peak_mib(),
    })  # fmt: skip
