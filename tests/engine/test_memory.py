"""The memory limit: asked for before memory is used, waited for, refused with a limit that will do."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator

import pytest

from carrel import budget
from carrel.backends.choose import parse_memory
from carrel.budget import MIB, OutOfMemoryLimitError, enough, reserved, resident_bytes, room_bytes
from carrel.errors import InputError, UsageError


@pytest.fixture(autouse=True)
def no_limit_left() -> Iterator[None]:
    before = budget.limit()
    yield
    budget.set_limit(before)


def limit_with_room(room_mib: int) -> int:
    """Set a limit that leaves about so much room."""
    limit = int((resident_bytes() + room_mib * MIB) / (1 - budget.MARGIN))
    budget.set_limit(limit)
    return limit


def test_without_limit_there_is_room_for_all() -> None:
    budget.set_limit(None)
    with reserved(1 << 50, "much"):
        pass
    budget.require_page(1 << 50, 4, "a page")


def test_what_is_reserved_is_not_free_for_others() -> None:
    limit_with_room(200)
    before = room_bytes()
    with reserved(100 * MIB, "a line"):
        assert room_bytes() <= before - 90 * MIB
    assert room_bytes() > before - 40 * MIB


def test_refusal_names_a_limit_that_works() -> None:
    limit_with_room(50)
    told = r"^a line: does not fit .* --memory \d+M will do$"
    with pytest.raises(OutOfMemoryLimitError, match=told) as refused, reserved(300 * MIB, "a line"):
        pass
    named = re.search(r"--memory (\d+M)", str(refused.value))
    assert named is not None
    budget.set_limit(parse_memory(named[1]) + 20 * MIB)  # this process has grown a little meanwhile
    with reserved(300 * MIB, "a line"):
        pass


def test_work_waits_for_work() -> None:
    limit_with_room(200)
    order: list[str] = []
    first_in = threading.Event()

    def first() -> None:
        with reserved(150 * MIB, "first"):
            first_in.set()
            time.sleep(0.3)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait()
    with reserved(150 * MIB, "second"):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_page_that_does_not_fit_is_an_input_error() -> None:
    limit = limit_with_room(100)
    budget.require_page(10_000_000, 1, "small.png")
    with pytest.raises(InputError, match=r"^huge\.png: does not fit into [\d,]+ MiB of memory; --memory \d+M will do$"):
        budget.require_page(200_000_000, 4, "huge.png")
    budget.set_limit(limit, fixed_bytes=limit)
    with pytest.raises(OutOfMemoryLimitError):
        budget.require_page(10_000_000, 1, "small.png")


def test_named_limit_does_for_what_a_higher_limit_loads() -> None:
    limit_with_room(20)
    budget.set_limit(budget.limit(), fixed_bytes=100 * MIB, named_bytes=2000 * MIB)
    with pytest.raises(OutOfMemoryLimitError) as refused:
        budget.require_page(50_000_000, 1, "page.png")
    named = re.search(r"--memory (\d+M)", str(refused.value))
    assert named is not None
    budget.set_limit(parse_memory(named[1]), fixed_bytes=2000 * MIB)
    budget.require_page(50_000_000, 1, "page.png")


@pytest.mark.parametrize("needed", [1, MIB, 123_456_789, 5_000 * MIB])
def test_enough_is_enough_and_hardly_more(needed: int) -> None:
    limit = enough(needed)
    assert limit % MIB == 0
    assert needed <= limit * (1 - budget.MARGIN) < needed + 3 * MIB


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
