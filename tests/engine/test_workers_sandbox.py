"""What a worker may not do is refused, and each refusal is one that the system gave: nothing is hidden by a tracer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from carrel.workers.syscalls import ARCHITECTURES, IN_PART, NEEDED, NEVER


def trial(outside: Path) -> dict[str, object]:
    command = [sys.executable, "-P", "-m", "carrel.workers.trial", str(outside)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_every_deed_is_refused(tmp_path: Path) -> None:
    answer = trial(tmp_path)
    if not answer["calls"] or not answer["landlock"]:
        pytest.skip("this kernel or processor cannot confine")
    assert answer["tried"] == dict.fromkeys(answer["tried"], "refused")  # type: ignore[call-overload]
    assert list(tmp_path.iterdir()) == []


def test_the_same_deeds_are_allowed_without_the_filter(tmp_path: Path) -> None:
    """Or the trial proves nothing."""
    code = (
        "import json, sys; from pathlib import Path; from carrel.workers import trial;"
        "print(json.dumps({n: trial._tried(d) for n, d in trial._deeds(Path(sys.argv[1])).items()"
        " if n not in ('another process', 'link')}))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    allowed = {name for name, outcome in json.loads(done.stdout).items() if outcome == "ALLOWED"}
    assert allowed > {"IPv4 socket", "Unix socket", "signal to another process", "another program", "mode of a file"}


@pytest.mark.skipif(not NEEDED, reason="no numbers for this processor")
def test_no_call_is_both_needed_and_never_needed() -> None:
    assert not set(NEEDED) & set(NEVER) and not set(IN_PART) & (set(NEEDED) | set(NEVER))
    numbers = [*NEEDED.values(), *IN_PART.values(), *NEVER.values()]
    assert len(numbers) == len(set(numbers))
    assert set(ARCHITECTURES) == {"x86_64", "aarch64"}
