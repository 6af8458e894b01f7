"""Processors and memory follow the container, whichever kind of cgroups it uses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from carrel.backends.settings import allowed_cores, free_bytes
from carrel.batch.plan import cache_folder
from carrel.cache_folders import cache_root, private_folder, trusted_folder

CORES = len(os.sched_getaffinity(0))
MIB = 2**20


def cgroup(tmp_path: Path, own: str, files: dict[str, str]) -> tuple[Path, Path]:
    """A mount with these files, and what /proc/self/cgroup would say."""
    for name, contents in files.items():
        (tmp_path / "fs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fs" / name).write_text(contents)
    (tmp_path / "own").write_text(own)
    return tmp_path / "fs", tmp_path / "own"


def test_quota_of_v2_is_rounded_up(tmp_path: Path) -> None:
    mount, own = cgroup(tmp_path, "0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "50000 100000\n"})
    assert allowed_cores(mount, own) == 1


def test_quota_of_v1(tmp_path: Path) -> None:
    files = {"cpu,cpuacct/x/cpu.cfs_quota_us": "100000\n", "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n"}
    assert allowed_cores(*cgroup(tmp_path, "3:cpu,cpuacct:/x\n1:name=systemd:/x\n", files)) == 1


@pytest.mark.parametrize("quota", ["max 100000\n", "1600000 100000\n", "broken\n"])
def test_affinity_where_no_quota_is_smaller(tmp_path: Path, quota: str) -> None:
    assert allowed_cores(*cgroup(tmp_path, "0::/\n", {"cpu.max": quota})) == min(CORES, 16)


def test_without_cgroups(tmp_path: Path) -> None:
    assert allowed_cores(tmp_path / "no", tmp_path / "nothing") == CORES
    assert free_bytes(tmp_path / "no", tmp_path / "nothing") > 0


def test_memory_left_in_v2_counts_kept_files_as_free(tmp_path: Path) -> None:
    files = {
        "c/memory.max": f"{100 * MIB}\n",
        "c/memory.current": f"{60 * MIB}\n",
        "c/memory.stat": f"anon 5\ninactive_file {20 * MIB}\n",
        "memory.max": "max\n",
    }
    assert free_bytes(*cgroup(tmp_path, "0::/c\n", files)) == 60 * MIB


def test_memory_left_in_v1_without_limit(tmp_path: Path) -> None:
    files = {"memory/memory.limit_in_bytes": "9223372036854771712\n", "memory/memory.usage_in_bytes": "1000\n"}
    assert free_bytes(*cgroup(tmp_path, "4:memory:/job\n", files)) > 100 * MIB


def test_path_of_the_host_falls_back_to_the_root(tmp_path: Path) -> None:
    files = {"memory/memory.limit_in_bytes": f"{50 * MIB}\n", "memory/memory.usage_in_bytes": f"{10 * MIB}\n"}
    assert free_bytes(*cgroup(tmp_path, "4:memory:/docker/abc\n", files)) == 40 * MIB


@pytest.mark.skipif(CORES < 2, reason="one processor only")
def test_follows_taskset() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "import carrel.backends.settings as s; print(s.allowed_cores())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"


def test_follows_prlimit() -> None:
    code = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (300 << 20, 300 << 20))\n"
    code += "import carrel.backends.settings as s; print(s.free_bytes() >> 20)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(printed) <= 300


def test_private_folder_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = private_folder("runtime")
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert private_folder("runtime") is None and trusted_folder("runtime") is None


def test_a_relative_cache_folder_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")  # workers, which run elsewhere, would take it for another
    assert cache_root() == tmp_path / ".cache" / "carrel"
    assert cache_folder() == cache_root() / "workers"
