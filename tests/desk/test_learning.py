"""Learning at the desk: offered when it pays, in a process of its own, shown before it is used, cancelled without a trace."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from carrel.formats import read_page
from carrel_desk.desk import learning
from carrel_desk.desk.learning import Learning
from carrel_desk.store.pages import Store
from desk_at import At, change, scan
from desk_client import Told, wait_until

LEARN = """
import sys, time
from pathlib import Path
pages, target, waits = Path(sys.argv[1]), Path(sys.argv[sys.argv.index("--to") + 1]), Path({waits!r})
images = Path(sys.argv[sys.argv.index("--images") + 1])
waits.with_suffix(".pages").write_text("\\n".join(sorted(p.name + " " + p.read_text() for p in pages.iterdir())))
print("learning: 40%, about 10 s left", file=sys.stderr, flush=True)
while waits.exists():
    time.sleep(0.02)
outcome = {outcome!r}
figures = "CER on 4 kept lines{{}} 20.0% (1.0% to 30.0%) before, 10.0% (0.0% to 20.0%) "
if outcome == "better":
    target.mkdir(parents=True)
    (target / "manifest.json").write_text("{{}}")
    print(f"{{target}}: {{figures.format('')}}now")
elif outcome == "worse":
    said = "not published: it is not better. " + figures.format(":") + "after learning"
    sys.exit("carrel: " + said + chr(10) + "ERROR:carrel.command:" + said)
else:
    sys.exit("carrel: the disk is full; free space" + chr(10) + "ERROR:again")
"""
"""What `carrel learn` says and writes, without the learning, which has tests of its own."""


@pytest.fixture(autouse=True)
def few_lines_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "NEEDED", ("json",))
    monkeypatch.setattr(learning, "LEAST_LINES", 2)
    monkeypatch.setattr(learning, "OFFERED_LINES", 4)


def teach(at: At, outcome: str) -> Path:
    """Make the desk learn with this outcome; learning waits for the file that is returned to go."""
    waits, script = at.folder.parent / "waits", at.folder.parent / "learn.py"
    waits.touch()
    script.write_text(LEARN.format(waits=str(waits), outcome=outcome))
    used: list[Path] = []

    async def use(model: Path) -> None:
        used.append(model)

    at.desk.learning = Learning(at.store, command=(sys.executable, str(script)), use=use)
    at.desk.learning.changed = lambda: at.desk.events.tell("learning")
    return waits


def ask(at: At, do: str) -> Told:
    return at.client.post("/api/learning", json.dumps({"do": do}), {"Content-Type": "application/json"})


def state(at: At) -> Any:
    return at.client.get("/api/learning").json


def correct(at: At, pages: int) -> list[str]:
    """So many pages with two lines of handwriting each that somebody is done with, and one of print."""
    there = len(at.state()["pages"])
    for number in range(there, pages):
        at.add(scan(), f"deed{number}.tif")
    names = at.read(pages)
    for number, page in list(enumerate(names))[there:]:
        first = 10 * number
        at.keep(
            change(page, first + 1, "second line", "done"), change(page, first + 2, "fourth line", "done", line="r0l3")
        )
        at.keep(change(page, first + 3, "first line", "done", line="r0l0"))
    return names


def test_offered_learned_compared_and_used(at: At) -> None:
    assert state(at) is None  # this desk does not learn
    waits = teach(at, "better")
    assert (state(at)["possible"], state(at)["offered"], ask(at, "start").status) == (False, False, 422)
    pages = correct(at, 1)
    assert (state(at)["lines"], state(at)["possible"], state(at)["offered"]) == (2, True, False)
    pages = correct(at, 2)
    assert (state(at)["lines"], state(at)["offered"]) == (4, True)
    assert ask(at, "use").status == 422
    assert ask(at, "start").json["state"] == "running"
    assert ask(at, "start").status == 422  # once at a time
    wait_until(lambda: state(at)["percent"] == 40)
    given = waits.with_suffix(".pages").read_text()
    assert given.count("fourth line") == 2 and "first line" not in given
    assert all(f'"file_name":"{path.name}"' in given.replace(" ", "") for path in (at.folder / "scans").iterdir())
    waits.unlink()
    wait_until(lambda: state(at)["state"] == "better")
    told = state(at)
    assert (told["kept"], told["before"], told["after"], told["used"]) == (4, "20.0%", "10.0%", False)
    assert at.store.model == ""  # nothing is read with it before somebody says so
    assert not (at.folder / ".desk" / "learn").exists()
    assert ask(at, "use").json["used"]
    wait_until(lambda: "read r0l2" in [line["text"] for line in at.client.get(f"/api/pages/{pages[0]}").json["lines"]])
    lines = at.client.get(f"/api/pages/{pages[0]}").json["lines"]
    assert [line["now"] for line in lines] == ["first line", "second line", "read r0l2", "fourth line"]
    assert [line["text"] for line in lines][1] == "secund line"  # what somebody corrected is not read again
    stored = at.folder / "pages" / f"{pages[0]}.json"
    wait_until(lambda: read_page(stored).lines[2].text == "read r0l2")
    again = Store(at.folder, "tester")
    assert again.learned_model == at.folder / "models" / "desk-1"
    assert again.page(pages[0]).lines[2].text == "read r0l2"
    again.journal.close()


@pytest.mark.parametrize("outcome", ["worse", "fails"])
def test_what_is_not_better_changes_nothing(at: At, outcome: str) -> None:
    teach(at, outcome).unlink()
    correct(at, 2)
    ask(at, "start")
    wait_until(lambda: state(at)["state"] != "running")
    told = state(at)
    if outcome == "worse":
        assert (told["state"], told["before"], told["after"]) == ("not better", "20.0%", "10.0%")
    else:
        assert (told["state"], told["problem"]) == ("failed", "the disk is full; free space")
    assert ask(at, "use").status == 422
    assert not (at.folder / "models").exists()


def test_cancelled_without_a_trace(at: At) -> None:
    teach(at, "better")
    correct(at, 2)
    ask(at, "start")
    wait_until(lambda: state(at)["percent"] == 40)
    assert ask(at, "cancel").json["state"] == "idle"
    assert not (at.folder / "models").exists() and not (at.folder / ".desk" / "learn").exists()
    assert ask(at, "start").json["state"] == "running"
    assert ask(at, "cancel").json["state"] == "idle"
