"""`carrel batch` as a user runs it: real processes, the real command, pages that cost nothing to read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batch_pages import ENTRY, HANG, SLOW, expected, write_page

Batch = subprocess.Popen[str]


def start(*arguments: str | Path) -> Batch:
    """The command, as in a terminal of its own."""
    code = "from carrel_cli.main import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    return subprocess.Popen(
        [sys.executable, "-c", code, "batch", *map(str, arguments), "--pages-with", ENTRY, "--workers", "1"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(*arguments: str | Path) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def wait_for(path: Path, process: Batch) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline, "the batch came to an end"
        time.sleep(0.02)


def test_stop_look_and_resume(tmp_path: Path) -> None:
    for number in range(8):
        write_page(tmp_path / "in" / f"{number}.png", number, SLOW)
    (tmp_path / "in" / "bad.png").write_bytes(b"not a scan")
    process = start(tmp_path / "in", "-o", tmp_path / "out")
    wait_for(tmp_path / "out" / "0.txt", process)
    process.send_signal(signal.SIGSTOP)  # it is not to end while somebody looks
    code, out, _ = run("--status", tmp_path / "out")
    assert code == 0
    assert f"(process {process.pid})" in out
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "finishing the pages at work" in err
    read = len(list((tmp_path / "out").glob("*.txt")))
    assert f"{read} page" in err and 0 < read < 8
    code, _, err = run(tmp_path / "in", "-o", tmp_path / "out")
    assert code == 3
    assert "8 pages read" in err and "1 refused" in err
    assert {p.name: p.read_text("utf-8") for p in (tmp_path / "out").glob("*") if p.is_file()} == {
        f"{number}.txt": expected(number, SLOW) for number in range(8)
    }
    code, out, _ = run("--status", tmp_path / "out", "--list")
    assert code == 0
    assert out.startswith("not at work: 8 pages read")
    assert f"refused: {tmp_path / 'in' / 'bad.png'}: is not PNG" in out


def test_second_ctrl_c_abandons(tmp_path: Path) -> None:
    write_page(tmp_path / "in" / "a.png", 1, HANG)
    with start(tmp_path / "in", "-o", tmp_path / "out") as process:
        wait_for(tmp_path / "out" / ".carrel" / "status.json", process)
        while "1 waiting" not in run("--status", tmp_path / "out")[1]:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("{in}",), 2, "with -o"),
        (("{in}", "-o", "{in}"), 2, "among the scans"),
        (("{in}", "-o", "{in}/new"), 3, "no scans there"),
        (("{in}/gone", "-o", "{in}/new"), 3, "there is no file or folder"),
        (("{in}", "-o", "{in}/new", "--memory", "10"), 2, "10 MiB of memory are too little; --memory"),
        (("{in}", "-o", "{in}/new", "--memory", "much"), 2, "write it like 400M"),
        (("--status", "{in}"), 3, "no batch has been there"),
    ],
)  # fmt: skip
def test_what_cannot_be_met(
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from carrel_cli.main import main

    (tmp_path / "in").mkdir()
    monkeypatch.setattr(sys, "argv", ["carrel", "batch", *(a.replace("{in}", str(tmp_path / "in")) for a in arguments)])
    with pytest.raises(SystemExit) as exit_info:
        main()
    err = capsys.readouterr().err
    assert (exit_info.value.code, err.count("\n")) == (code, 1)
    assert says in err
