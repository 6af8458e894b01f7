"""The memory budget: asked before memory is used, waited for, refused with a limit that will do, one for a process."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from carrel.budget import MARGIN_SHARE, Budget, Load, OutOfMemoryLimitError, enough, process_budget
from carrel.errors import InputError, UsageError
from carrel.process_memory import MIB, parse_memory, resident_bytes

PAGES = Path(__file__).parents[1] / "pages"


@pytest.fixture(autouse=True)
def nothing_in_use() -> Iterator[None]:
    """Readers that other tests have left behind give their budget back."""
    gc.collect()
    yield


def with_room(room_mib: int) -> Budget:
    """A budget that leaves about so much room."""
    return Budget(int((resident_bytes() + room_mib * MIB) / (1 - MARGIN_SHARE)))


def limit_named(error: pytest.ExceptionInfo[OutOfMemoryLimitError]) -> int:
    named = re.search(r"--memory (\d+M)", str(error.value))
    assert named is not None
    return parse_memory(named[1])


def test_without_limit_there_is_room_for_all() -> None:
    budget = Budget()
    with budget.reserve(1 << 50, "much"):
        pass
    budget.require_page(1 << 50, 4, "a page")


def test_what_is_reserved_is_not_free_for_others() -> None:
    budget = with_room(200)
    before = budget.room_bytes()
    with budget.reserve(100 * MIB, "a line"):
        assert budget.room_bytes() <= before - 90 * MIB
    assert budget.room_bytes() > before - 40 * MIB


def test_refusal_names_a_limit_that_works() -> None:
    told = r"^a line: does not fit .* --memory \d+M will do$"
    with pytest.raises(OutOfMemoryLimitError, match=told) as refused, with_room(50).reserve(300 * MIB, "a line"):
        pass
    roomier = Budget(limit_named(refused) + 20 * MIB)  # this process has grown a little meanwhile
    with roomier.reserve(300 * MIB, "a line"):
        pass


def test_work_waits_for_work() -> None:
    budget = with_room(200)
    order: list[str] = []
    first_in = threading.Event()

    def first() -> None:
        with budget.reserve(150 * MIB, "first"):
            first_in.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait()
    with budget.reserve(150 * MIB, "second"):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_page_that_does_not_fit_is_an_input_error() -> None:
    budget = with_room(100)
    budget.require_page(10_000_000, 1, "small.png")
    with pytest.raises(InputError, match=r"^huge\.png: does not fit into [\d,]+ MiB of memory; --memory \d+M will do$"):
        budget.require_page(200_000_000, 4, "huge.png")
    assert budget.limit_bytes is not None
    budget.loads.append(Load(0, budget.limit_bytes))
    with pytest.raises(OutOfMemoryLimitError):
        budget.require_page(10_000_000, 1, "small.png")


def test_named_limit_does_for_what_a_higher_limit_loads() -> None:
    tight = with_room(20)
    tight.loads.append(Load(0, 100 * MIB, 1900 * MIB))
    with pytest.raises(OutOfMemoryLimitError) as refused:
        tight.require_page(50_000_000, 1, "page.png")
    Budget(limit_named(refused), loads=[Load(0, 2000 * MIB)]).require_page(50_000_000, 1, "page.png")


class Owner:
    """Somebody who loads models."""


def test_loads_add_up_while_their_owners_live() -> None:
    budget, one, other = Budget(1000 * MIB), Owner(), Owner()
    budget.add_load(one, Load(own_bytes=50, fixed_bytes=170, change_bytes=230))
    budget.add_load(other, Load(own_bytes=30, fixed_bytes=140, change_bytes=-20))
    assert (budget.own_bytes, budget.fixed_bytes, budget.change_bytes) == (80, 200, 230)
    del one
    assert (budget.own_bytes, budget.fixed_bytes, budget.change_bytes) == (30, 140, -20)


def test_one_budget_for_a_process() -> None:
    first = process_budget(600 * MIB, lambda: Budget(600 * MIB))
    assert process_budget(None, lambda: Budget(None)) is first, "no limit agrees with the one in use"
    assert process_budget(600 * MIB, lambda: Budget(600 * MIB)) is first
    assert process_budget(None, Budget, first) is first
    with pytest.raises(UsageError, match="already reads within 600 MiB"):
        process_budget(500 * MIB, lambda: Budget(500 * MIB))
    with pytest.raises(UsageError, match=r"hand one carrel\.Budget to all readers"):
        process_budget(None, Budget, Budget(600 * MIB))
    with pytest.raises(UsageError, match="two limits"):
        process_budget(500 * MIB, Budget, first)
    first.close()
    assert process_budget(None, lambda: Budget(500 * MIB)).limit_bytes == 500 * MIB


def test_budget_that_nobody_holds_is_not_in_use() -> None:
    process_budget(600 * MIB, lambda: Budget(600 * MIB, watched=True))
    budget = process_budget(500 * MIB, lambda: Budget(500 * MIB))
    assert budget.limit_bytes == 500 * MIB


def watches() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "carrel-memory-watch"}


@pytest.mark.parametrize("ends", ["closed", "forgotten"])
def test_watch_ends_with_its_budget(ends: str) -> None:
    budget = Budget(600 * MIB, watched=True)
    before = watches()
    budget.start()
    (watch,) = watches() - before
    if ends == "closed":
        budget.close()
    else:
        del budget
    watch.join(timeout=10)
    assert not watch.is_alive()


TWO_READERS = """
import sys
import carrel
from carrel.budget import Budget
from carrel.process_memory import peak_bytes
budget = Budget(int(sys.argv[1]) * 2**20, watched=True)
options = dict(backend="onnxruntime", threads=1)
first = carrel.Reader(carrel.ReadOptions(**options), budget=budget)
second = carrel.Reader(carrel.ReadOptions(writing="handwritten", **options))
assert second.budget is budget is first.budget
try:
    carrel.Reader(carrel.ReadOptions(memory_bytes=2000 * 2**20, **options))
except carrel.UsageError as error:
    assert "already reads within" in str(error), error
else:
    raise AssertionError("a second limit was taken")
for reader in (first, second):
    print(len(reader.read(sys.argv[2]).text))
print(peak_bytes())
"""


def read_with_two(limit_mib: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", TWO_READERS, str(limit_mib), str(PAGES / "letter.jpg")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_readers_keep_one_budget() -> None:
    refused = read_with_two(120)
    named = re.search(r"--memory (\d+)M will do", refused.stderr)
    assert refused.returncode and named, refused.stderr
    limit_mib = int(named[1])
    done = read_with_two(limit_mib)
    while done.returncode and limit_mib < 1000:  # the second reader, which is refused next, names a limit for both
        named = re.search(r"--memory (\d+)M will do", done.stderr)
        assert named, done.stderr
        limit_mib = int(named[1])
        done = read_with_two(limit_mib)
    assert done.returncode == 0, done.stderr
    lengths, peak = done.stdout.split()[:2], int(done.stdout.split()[2])
    assert all(int(length) > 100 for length in lengths)
    assert peak < limit_mib * MIB


@pytest.mark.parametrize("needed", [1, MIB, 123_456_789, 5_000 * MIB])
def test_enough_is_enough_and_hardly_more(needed: int) -> None:
    limit = enough(needed)
    assert limit % MIB == 0
    assert needed <= limit * (1 - MARGIN_SHARE) < needed + 3 * MIB


@pytest.mark.parametrize(
    ("text", "size"),
    [("400M", 400 * MIB), ("1.5G", 1536 * MIB), ("600MiB", 600 * MIB), ("300", 300 * MIB), ("2048k", 2 * MIB)],
)
def test_amounts_of_memory(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1M", "0", "nan", "inf", "1e99G", "4 00 0Q"])
def test_no_amounts_of_memory(text: str) -> None:
    with pytest.raises(UsageError, match="write it like 400M"):
        parse_memory(text)
