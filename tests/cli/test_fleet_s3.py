"""Fleets whose scans and results lie in S3: moto's server on the loopback interface stands for it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from batch_pages import page, write_page
from carrel.fleet.store.objects import ObjectFolder
from carrel.fleet.store.transfer import deliver
from command_line import exit_code_of
from fleet_pages import ENTRY, TESTS, texts_of_shards, wait_until, write_pages
from soak_cluster import free_port

pytest.importorskip("s3fs", reason="s3fs is not installed: uv sync --extra s3")
pytest.importorskip("moto", reason="moto is not installed: it is in the group dev")
pytest.importorskip("flask_cors", reason="moto's server needs flask and flask-cors")

_SERVER = "import sys; from moto.server import main; main(sys.argv[1:])"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A store that knows nothing yet."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _SERVER, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert server.poll() is None
        try:
            with urlopen(f"{url}/moto-api/", timeout=10):
                return True
        except (URLError, OSError):
            return False

    wait_until(answers)
    yield url
    server.kill()
    server.wait()


class Bucket:
    """Objects by their keys."""

    def __init__(self, name: str) -> None:
        self._client: Any = import_module("boto3").client("s3")
        self._client.create_bucket(Bucket=name)
        self.name = name

    def put(self, key: str, contents: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=contents)

    def put_below(self, folder: Path) -> None:
        """All files, by their names below the parent of a folder."""
        for path in folder.rglob("*.*"):
            self.put(path.relative_to(folder.parent).as_posix(), path.read_bytes())

    def get(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=key)

    def names(self) -> list[str]:
        return [entry["Key"] for entry in self._client.list_objects_v2(Bucket=self.name).get("Contents", ())]

    def take(self, folder: Path) -> Path:
        """Everything as files."""
        for key in self.names():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.get(key))
        return folder


@pytest.fixture
def buckets(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Bucket, Bucket]:
    """Scans and results, each new."""
    surroundings = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "PYTHONPATH": str(TESTS),
    }
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    import_module("s3fs").S3FileSystem.clear_instance_cache()  # which another process would not have
    with urlopen(Request(f"{address}/moto-api/reset", b"", method="POST"), timeout=60):
        return Bucket("scans"), Bucket("texts")


def shard(tmp_path: Path, *more: object) -> int:
    plan = ("-f", "text,json,alto", "--pages-with", ENTRY, "--quiet-for", 0, "--dead-after", 5, "--size", 4)
    return exit_code_of("shard", "s3://scans/1890/", "-o", tmp_path / "out", *plan, *more)


def text(number: int) -> str:
    """What is read of the page of that number."""
    return hashlib.sha256(page(number).tobytes()).hexdigest() + "\n"


def test_scans_come_from_a_store_and_results_go_there(
    tmp_path: Path, buckets: tuple[Bucket, Bucket], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every object that may be a local file once, whole; what is lost, changed or not told there is found by merging."""
    (scans, texts), out = buckets, tmp_path / "out"
    write_pages(tmp_path / "1890", range(6))
    (tmp_path / "1890" / "bad.png").write_bytes(b"no scan")
    (tmp_path / "1890" / "notes.txt").write_text("no scan")
    scans.put_below(tmp_path / "1890")
    for key in ("1890/", "1890/box0/../../escape.png", "1890//empty.png", "1890/box0/5.png/hides.png"):
        scans.put(key, b"")
    scans.put("1890/large.png", bytes(2**20 + 1))
    assert shard(tmp_path, "--results-to", "s3://texts/my done", "--max-file", 1) == 0
    lists = [path.read_text("utf-8") for path in sorted(out.glob(".carrel-shards/lists/*"))]
    assert "".join(lists).split() == [
        "bad.png",
        "large.png",
        *(f"box0/{n}.png" for n in range(5)),
        "box0/5.png/hides.png",
    ]
    assert exit_code_of("work", out, "--workers", 1) == 3
    assert not [path for path in (tmp_path / "state").rglob("*") if path.is_file()], "nothing stays on the machine"
    assert sorted(path.name for path in out.glob("0*/*")) == [".carrel", ".carrel"]
    expected = {f"my done/0000{1 + (n > 1)}.1/box0/{n}.txt": text(n) for n in range(5)}
    assert {key: texts.get(key).decode() for key in texts.names() if key.endswith(".txt")} == expected
    capsys.readouterr()
    assert exit_code_of("merge", out) == 3
    told = capsys.readouterr().out
    assert "8 files, 5 pages read, 15 results" in told and "nothing is lost, and nothing is there twice" in told
    assert "1  is larger than" in told
    mets = (out / "mets.xml").read_text("utf-8")
    assert 'href="s3://scans/1890/box0/0.png"' in mets and 'href="s3://texts/my%20done/00001.1/box0/0.alto.xml"' in mets

    texts.put("my done/00001.1/box0/0.txt", b"changed")
    texts.delete("my done/00001.1/box0/1.txt")
    texts.delete("my done/00002.jsonl")
    assert exit_code_of("merge", out) == 3
    told = capsys.readouterr().out
    assert "1 results are not there, the first: 00001/box0/1.txt" in told
    assert "1 results were changed since they were written, the first: 00001/box0/0.txt" in told
    assert exit_code_of("merge", out, "--no-hashes") == 3
    assert "1 results are not there, the first: 00001/box0/1.txt" in capsys.readouterr().out
    record = texts.get("my done/00002.jsonl")
    assert record == (out / "00002" / ".carrel" / "shard.jsonl").read_bytes()
    assert b'"results_url":"s3://texts/my done/00002.1"' in record


def test_a_delivery_that_is_cut_short_leaves_nothing(tmp_path: Path, buckets: tuple[Bucket, Bucket]) -> None:
    for number in range(40):
        write_page(tmp_path / "box" / f"{number}.png", number)
    store = ObjectFolder("s3://texts/done")
    store.put("00001.2/box/1.png", tmp_path / "box" / "1.png")
    assert not deliver(store, tmp_path, "00001.1", lambda: False)
    assert buckets[1].names() == ["done/00001.2/box/1.png"], "only what this machine had put is deleted"
    assert deliver(store, tmp_path, "00001.1", lambda: True)
    assert len(buckets[1].names()) == 41


def test_what_is_fetched_already_is_not_fetched_again(tmp_path: Path, buckets: tuple[Bucket, Bucket]) -> None:
    scans, _ = buckets
    scans.put("1890/1.png", b"old")
    store = ObjectFolder("s3://scans/1890")
    path = store.fetch("1.png", tmp_path, 100)
    assert path is not None
    before = path.stat()
    assert store.fetch("1.png", tmp_path, 100) == path
    assert path.stat().st_ino == before.st_ino
    scans.put("1890/1.png", b"a newer one")
    assert store.fetch("1.png", tmp_path, 100) == path and path.read_bytes() == b"a newer one"
    assert store.fetch("2.png", tmp_path, 100) is None
    assert [path.name for path in tmp_path.iterdir()] == ["1.png"]


def test_a_store_that_is_away_blames_no_shard(
    tmp_path: Path, buckets: tuple[Bucket, Bucket], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pages(tmp_path / "1890", range(2))
    buckets[0].put_below(tmp_path / "1890")
    assert shard(tmp_path) == 0
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    import_module("s3fs").S3FileSystem.clear_instance_cache()
    assert exit_code_of("work", tmp_path / "out", "--workers", 1) == 2
    assert "s3://scans/1890: cannot be reached" in capsys.readouterr().err
    lease = json.loads((tmp_path / "out" / ".carrel-shards" / "leases" / "00001.1.json").read_text("utf-8"))
    assert (lease["state"], lease.get("failures", 0)) == ("released", 0)
    assert exit_code_of("work", tmp_path / "out", "--workers", 1, "--source", tmp_path / "1890") == 0
    assert texts_of_shards(tmp_path / "out") == {f"box0/{n}.txt": text(n) for n in range(2)}


@pytest.mark.parametrize(
    ("source", "more", "code", "says"),
    [
        ("s3://scans/nothing", (), 3, "there is nothing; check the name"),
        ("s3://scans", ("--results-to", "s3://scans/done"), 2, "results would lie among the scans"),
        ("s3://", (), 2, "no address of a store"),
        ("gs://scans", (), 2, "no address of a store; name it like s3://bucket/folder"),
    ],
)
def test_addresses_that_will_not_do(
    tmp_path: Path,
    buckets: tuple[Bucket, Bucket],
    source: str,
    more: tuple[str, ...],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    buckets[0].put("1.png", b"")
    assert exit_code_of("shard", source, "-o", tmp_path / "out", *more) == code
    assert says in capsys.readouterr().err
