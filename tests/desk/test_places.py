"""Pages saved where the operator allows it, and a desk that others may reach: only with a password."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import urlencode

import pytest

from carrel.errors import UsageError
from carrel_desk.desk.places import Places
from carrel_desk.http.password import Password, read_password
from carrel_desk.http.server import hosts_of, is_loopback, listen
from command_line import exit_code_of
from desk_at import At, scan
from desk_client import Client


def test_a_folder_and_a_printer(at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at.add(scan())
    (page,) = at.read()
    what = f"/api/export?page={page}&format="
    assert at.state()["places"] == []
    assert at.client.post(what + "text&place=folder", b"").status == 422
    stick, programs = tmp_path / "stick", tmp_path / "programs"
    programs.mkdir()
    at.desk.places = Places(stick, "hall")
    assert at.state()["places"] == ["folder", "printer"]
    told = at.client.post(what + "text&place=folder", b"")
    assert (told.status, "plug the stick in" in told.json["detail"]) == (503, True)
    stick.mkdir()
    for name in ("deed.txt", "deed-2.txt", "deed-3.txt"):
        assert at.client.post(what + "text&place=folder", b"").json == {"name": name}
    assert at.client.post(what + "all&place=folder", b"").json == {"name": "carrel.zip"}
    assert sorted(path.name for path in stick.iterdir()) == ["carrel.zip", "deed-2.txt", "deed-3.txt", "deed.txt"]
    assert (stick / "deed.txt").read_text() == at.client.get(what + "text").body.decode()

    monkeypatch.setenv("PATH", str(programs))
    assert "cups-client" in at.client.post(what + "pdf&place=printer", b"").json["detail"]
    printed, lp = tmp_path / "printed", programs / "lp"
    lp.write_text(f'#!/bin/sh\necho "$@" > {printed}.options\n/bin/cat > {printed}\n')
    lp.chmod(0o755)
    assert at.client.post(what + "pdf&place=printer", b"").json == {"name": "deed.pdf"}
    assert printed.read_bytes().startswith(b"%PDF")
    assert Path(f"{printed}.options").read_text() == "-d hall -t deed.pdf\n"
    assert at.client.post(what + "alto&place=printer", b"").status == 422
    lp.write_text("#!/bin/sh\necho lp: no such printer >&2\nexit 1\n")
    assert "no such printer" in at.client.post(what + "text&place=printer", b"").json["detail"]
    assert at.client.post(what + "text&place=..%2Fetc", b"").status == 422


def test_names_stay_in_the_folder(at: At, tmp_path: Path) -> None:
    at.add(scan(), "..%2F..%2F.hidden.tif")
    (page,) = at.read()
    stick = tmp_path / "stick"
    stick.mkdir()
    at.desk.places = Places(stick)
    assert at.client.post(f"/api/export?page={page}&format=text&place=folder", b"").status == 200
    assert [path.parent for path in tmp_path.rglob("*hidden*.txt")] == [stick]


def test_entering_by_password(at: At) -> None:
    other = Client(
        at.port, {"Origin": f"http://127.0.0.1:{at.port}", "Content-Type": "application/x-www-form-urlencoded"}
    )
    form = urlencode({"password": "a good long password"}).encode()
    assert other.post("/enter", form, dict(other.headers)).status == 401  # there is none
    assert other.get("/enter").status == 401
    at.desk.password = Password("a good long password")
    assert b"<form" in other.get("/enter").body
    since = time.monotonic()
    assert other.post("/enter", urlencode({"password": "wrong"}).encode(), dict(other.headers)).status == 401
    assert time.monotonic() - since >= 1
    assert other.post("/enter", b"password=" + b"x" * 5000, dict(other.headers)).status == 401
    foreign = {**other.headers, "Origin": "http://elsewhere.example"}
    assert other.post("/enter", form, foreign).status == 403
    told = other.post("/enter", form, dict(other.headers))
    assert (told.status, "HttpOnly" in told.headers["set-cookie"]) == (303, True)
    cookie = told.headers["set-cookie"].partition(";")[0]
    assert other.get("/api/state", {"Cookie": cookie}).status == 200


@pytest.mark.parametrize("command", ["desk", "serve"])
def test_others_are_listened_to_only_with_a_password(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    password = tmp_path / "password"
    state = ["--state", tmp_path / "state"] if command == "serve" else [tmp_path / "desk", "--no-browser"]

    def told(address: str, *options: object) -> str:
        assert exit_code_of(command, *state, "--listen", address, *options) == 2
        return capsys.readouterr().err

    given = ("--password-file", password)
    assert "give --password-file" in told("192.0.2.1")
    assert "give --password-file" in told("0.0.0.0")
    assert "no password can be read" in told("192.0.2.1", *given)
    password.write_text("short\n")
    password.chmod(0o600)
    assert "at least 12" in told("192.0.2.1", *given)
    password.write_text("a good long password\n")
    assert read_password(password) == "a good long password"
    assert "no address of this machine" in told("192.0.2.1", *given)
    assert "name one address" in told("0.0.0.0", *given)
    password.chmod(0o644)
    assert "others can read" in told("192.0.2.1", *given)


def test_hosts_of_an_address() -> None:
    with listen(0, "127.0.0.2") as listening:
        port = listening.getsockname()[1]
        names = ("127.0.0.1", "127.0.0.2", "localhost")
        assert hosts_of(listening, "127.0.0.2") == {f"{name}:{port}" for name in names}
    assert is_loopback("localhost") and not is_loopback("192.0.2.1")
    with pytest.raises(UsageError):
        listen(0, "192.0.2.1")
