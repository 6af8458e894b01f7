"""The whole of all shards: one report, one METS, one review queue; counted, and checked against lists and digests."""

from __future__ import annotations

import hashlib
import heapq
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from carrel.batch.folders import QUEUE, Folders
from carrel.batch.names import shown_name
from carrel.errors import InputError
from carrel.fleet.handover import MOST_QUEUED, FileRecord, read_records, read_told
from carrel.fleet.picking import set_aside
from carrel.fleet.shards import Fleet
from carrel.fleet.store.objects import ObjectFolder
from carrel.output import digest_in, folder_below, write_file

REPORT = "report.json"
MERGED = "merged.json"
MOST_NAMED = 100
"""Faults of a kind that a report names; all are counted."""


@dataclass(slots=True)
class Merged:
    """Counts over all shards that are done.

    ``missing`` results are not there, ``changed`` ones are not what was written: corrected by people, or damaged. ``lost``
    files are listed and in no record, ``foreign`` ones in a record and not listed, ``twice`` listed more than once. ``equal``
    files have the content of another. ``kept`` files of an earlier merge were changed by people, and stay.
    """

    shards: int = 0
    done: int = 0
    unfinished: list[str] = field(default_factory=list[str])
    aside: list[str] = field(default_factory=list[str])
    files: int = 0
    pages: int = 0
    review: int = 0
    lines: int = 0
    failed: int = 0
    results: int = 0
    equal: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    states: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    named: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    kept: list[str] = field(default_factory=list[str])

    @property
    def whole(self) -> bool:
        """Nothing is lost, and nothing is there twice."""
        return not any(self.faults[kind] for kind in ("missing", "lost", "foreign", "twice"))

    def fault(self, kind: str, name: str) -> None:
        """Count a fault; the first ones are named."""
        self.faults[kind] += 1
        if self.faults[kind] <= MOST_NAMED:
            self.named.setdefault(kind, []).append(name)


def merge(fleet: Fleet, *, hashes: bool = True) -> Merged:
    """Check the shards that are done, and write ``report.json`` and ``review.tsv`` of all of them to the output folder.

    Parameters
    ----------
    hashes
        Compare the digest of every result; without, only whether it is there.

    Raises
    ------
    InputError
        A record is damaged, or no shard is done.
    OutputError
        The files cannot be written.
    """
    done, shards = fleet.done(), fleet.shards()
    merged = Merged(len(shards), aside=set_aside(fleet))
    merged.unfinished = [shard for shard in shards if shard not in done and shard not in merged.aside]
    names, contents = list[np.ndarray](), list[np.ndarray]()
    for shard in shards:
        listed = list(map(shown_name, fleet.files_of(shard)))
        names.append(_numbers(listed))
        if shard in done:
            merged.done += 1
            contents.append(_merge_shard(merged, fleet.output, shard, listed, hashes=hashes))
    if not merged.done:
        raise InputError(f"{fleet.output}: no shard is done yet; carrel status {fleet.output} tells how far they are")
    for name in _listed_twice(fleet, names):
        merged.fault("twice", name)
    merged.equal = sum(map(len, contents)) - len(np.unique(np.concatenate(contents)))
    merged.kept = [
        name
        for name, contents in (
            (QUEUE, _queue(fleet, [shard for shard in shards if shard in done]).encode()),
            (REPORT, msgspec.json.format(msgspec.json.encode(merged), indent=1) + b"\n"),
        )
        if not put_merged(fleet, name, contents)
    ]
    return merged


def put_merged(fleet: Fleet, name: str, contents: bytes) -> bool:
    """Write a file of the whole to the output folder; False where a person changed the one that is there, which stays.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    return not put_all_merged(fleet, [(name, contents)])


def put_all_merged(fleet: Fleet, files: Iterable[tuple[str, bytes]]) -> list[str]:
    """Write files of the whole to the output folder, by their paths there; returns those that a person changed, which stay.

    Raises
    ------
    OutputError
        One cannot be written.
    """
    folders, digests, kept = Folders.of(fleet.output), merged_digests(fleet), list[str]()
    for name, contents in files:
        put = folders.put(name, contents, digests.get(name))
        if put.digest is None:
            kept.append(name)
        else:
            digests[name] = put.digest
    write_file(fleet.control / MERGED, msgspec.json.encode(digests))
    return kept


def merged_digests(fleet: Fleet) -> dict[str, str]:
    """Return the digests of the files that merging wrote, by their paths in the output folder."""
    try:
        return msgspec.json.decode((fleet.control / MERGED).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}


def _merge_shard(merged: Merged, output: Path, shard: str, listed: list[str], *, hashes: bool) -> np.ndarray:
    """Count a shard; returns numbers of the contents of its files."""
    left, contents = Counter(listed), list[str]()
    find = results_of(output / shard, hashes=hashes)
    for file in read_records(output / shard):
        if left[file.path] == 0:
            merged.fault("foreign", f"{shard}: {file.path}")
        left[file.path] -= 1
        merged.files += 1
        _count(merged, file)
        if file.sha256 and file.state == "opened":
            contents.append(file.sha256)
        _check_results(merged, shard, file, find)
    for name in (+left).elements():
        merged.fault("lost", f"{shard}: {name}")
    return _numbers(contents)


def _count(merged: Merged, file: FileRecord) -> None:
    if file.state != "opened":
        merged.failed += 1
        merged.reasons[file.reason] += 1
        merged.states[f"file {file.state}"] += 1
        return
    for page in file.pages:
        if page.index < 0:
            continue
        merged.states[f"page {page.state}"] += 1
        if page.state == "done":
            merged.pages += 1
            merged.lines += page.lines
            merged.review += page.review
        else:
            merged.failed += 1
            merged.reasons[page.reason] += 1


def _check_results(merged: Merged, shard: str, file: FileRecord, find: Callable[[str, str], str | None]) -> None:
    for page in file.pages:
        for path, digest in page.results.values():
            merged.results += 1
            found = find(path, digest)
            if found != digest:
                merged.fault("missing" if found is None else "changed", f"{shard}/{path}")


def results_of(folder: Path, *, hashes: bool) -> Callable[[str, str], str | None]:
    """Return what finds the digest of a shard's result, given its path and the digest that it should have; None where it is not
    there. Without ``hashes`` what is there is taken to be right.

    Raises
    ------
    CarrelError
        The results lie in a store that cannot be reached.
    """
    url = read_told(folder).results_url
    if not url:
        return lambda path, digest: (
            _digest(folder, path) if hashes else digest if os.path.lexists(folder / path) else None
        )
    store = ObjectFolder(url)
    if hashes:
        return lambda path, digest: store.digest(path)
    names = store.names("")
    return lambda path, digest: digest if path in names else None


def _digest(folder: Path, path: str) -> str | None:
    place, _, name = path.rpartition("/")
    try:
        with folder_below(folder, place) as descriptor:
            return digest_in(descriptor, name)
    except OSError:
        return None


def _numbers(names: Iterable[str]) -> np.ndarray:
    """64 bits of a digest of each name: equal ones are looked at again."""
    data = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(data, np.uint64)


def _listed_twice(fleet: Fleet, names: list[np.ndarray]) -> Iterator[str]:
    """Files that several lists name; only where two have the same number are the lists read again."""
    values, counts = np.unique(np.concatenate([*names, np.empty(0, np.uint64)]), return_counts=True)
    doubtful = values[counts > 1]
    if not len(doubtful):
        return
    seen = Counter[str]()
    for shard, numbers in zip(fleet.shards(), names, strict=True):
        if np.isin(numbers, doubtful).any():
            seen.update(
                name for name in map(shown_name, fleet.files_of(shard)) if np.isin(_numbers([name]), doubtful).any()
            )
    yield from (name for name, times in seen.items() if times > 1)


def _queue(fleet: Fleet, shards: list[str]) -> str:
    """The worst lines of all shards as one worksheet, named from the output folder, most expected errors first."""
    from carrel.review.worksheet import HEAD

    rows = (row for shard in shards for row in _rows(fleet.output / shard, shard))
    worst = heapq.nlargest(MOST_QUEUED, rows, key=_expected_errors)
    return "\n".join((*HEAD, *worst)) + "\n"


def _rows(folder: Path, shard: str) -> Iterator[str]:
    path = folder / ".carrel" / QUEUE
    try:
        with path.open(encoding="utf-8") as file:
            yield from (f"{shard}/{row.rstrip(chr(10))}" for row in file if not row.startswith("# ") and row.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); move the shard's folder away and read it anew") from error


def _expected_errors(row: str) -> float:
    errors = row.split("\t", 2)[1]
    return float("inf") if errors == "all" else float(errors)
