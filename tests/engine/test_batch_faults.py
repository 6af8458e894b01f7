"""After any blow, running the batch again gives every page once, whole, and a sound journal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from faults import CALLS, Scene, Striker, mounted, points_of_page_cycle, why_no_strace

KILL_POINTS = 32
REASON = why_no_strace()
needs_strace = pytest.mark.skipif(bool(REASON), reason=REASON)


@pytest.fixture(scope="module")
def striker() -> Iterator[Striker]:
    with Striker() as one:
        yield one


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder, in memory where that can be had: kills do not ask what a disk has flushed."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


@pytest.fixture
def scene(folder: Path) -> Scene:
    return Scene.make(folder / "in", folder / "out", 3)


@contextmanager
def disk(folder: Path, *arguments: str | Path) -> Generator[None]:
    """A disk mounted at ``folder``; skips the test where mounts are not allowed."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(mounted(*arguments, folder))
        except PermissionError as error:
            pytest.skip(f"mounts are not allowed here: {error}")
        yield


@needs_strace
def test_killed_at_any_point_of_the_page_cycle(striker: Striker, scene: Scene, tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    assert striker.run(scene, ["-e", f"trace={','.join(CALLS)}"], log) == "finished"
    scene.check_complete()
    struck: Counter[str] = Counter()
    for call, number in points_of_page_cycle(log, KILL_POINTS):
        shutil.rmtree(scene.output)
        outcome = striker.run(scene, ["-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"])
        struck[call] += outcome == "killed"
        assert outcome in ("killed", "finished"), outcome
        done = scene.check_cut_off()
        times = {name: (scene.output / f"{name}.txt").stat().st_mtime_ns for name in done}
        assert striker.run(scene) == "finished"
        scene.check_complete()
        again = [n for n, before in times.items() if (scene.output / f"{n}.txt").stat().st_mtime_ns != before]
        assert not again, f"read twice after a kill at {call} {number}"
    assert struck.total() >= 30, f"too few runs were struck: {struck}"
    assert len(+struck) >= 4, f"too few kinds of calls were struck: {struck}"


@needs_strace
@pytest.mark.parametrize(
    ("call", "error", "when"),
    [
        ("fsync", "EIO", 1),
        ("fsync", "EIO", 4),
        ("renameat", "EROFS", 2),
        ("fdatasync", "EIO", 7),
        ("pwrite64", "EIO", 40),
    ],
)
def test_disk_that_fails(striker: Striker, scene: Scene, call: str, error: str, when: int) -> None:
    trace = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={when}"]
    outcome = striker.run(scene, trace)
    assert outcome.startswith("OutputError: ") or (outcome == "finished" and call == "renameat"), outcome
    scene.check_cut_off()
    assert striker.run(scene) == "finished"
    scene.check_complete()


def test_no_more_open_files(striker: Striker, scene: Scene) -> None:
    outcomes = {striker.run(scene, RLIMIT_NOFILE=number) for number in range(5, 12)}
    assert all(o.startswith(("OutputError: ", "CarrelError: ")) or o == "finished" for o in outcomes), outcomes
    assert len(outcomes) > 2
    assert striker.run(scene) == "finished"
    scene.check_complete()


def test_disk_full_pauses_and_goes_on(striker: Striker, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs"):
        scene = Scene.make(tmp_path / "in", tmp_path / "disk" / "out", 40)
        filler = tmp_path / "disk" / "filler"
        filler.write_bytes(bytes(2_600_000))
        pid = striker.start(scene)
        os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 60
        while shutil.disk_usage(filler.parent).free > 4096 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(pid, 0)  # it is still there
        assert 0 < len(scene.check_cut_off()) < 40
        filler.unlink()
        assert striker.outcome() == "finished"
        scene.check_complete()


def test_read_only_output_is_refused_at_once(striker: Striker, scene: Scene) -> None:
    scene.output.mkdir()
    with disk(scene.output, "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs"):
        outcome = striker.run(scene)
    assert outcome.startswith("OutputError: ")
    assert "not a folder to write to (Read-only file system)" in outcome


def test_power_cut(striker: Striker, folder: Path) -> None:
    """The image of a mounted disk, copied while the batch writes, is what a power cut leaves on it."""
    image, mount = folder / "image", folder / "disk"
    with image.open("wb") as file:
        file.truncate(24 * 2**20)
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("mkfs.ext4 is not installed")
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True, capture_output=True)
    with disk(mount, "-o", "loop", image):
        scene = Scene.make(folder / "in", mount / "out", 20)
        pid = striker.start(scene)
        os.kill(pid, signal.SIGCONT)
        copies: list[Path] = []
        for share in (0.3, 0.7):
            while len(list(scene.output.glob("*.txt"))) < share * scene.count:
                time.sleep(0.01)
            copies.append(folder / f"cut {share}")
            os.kill(pid, signal.SIGSTOP)  # a copy takes its time: what was read first must not be older than the rest
            subprocess.run(["cp", "--sparse=always", image, copies[-1]], check=True)
            os.kill(pid, signal.SIGCONT)
        assert striker.outcome() == "finished"
    for copy in copies:
        with disk(mount, "-o", "loop", copy):
            cut = Scene(scene.source, mount / "out", scene.count)
            assert len(cut.check_cut_off()) > 0
            assert striker.run(cut) == "finished"
            cut.check_complete()
