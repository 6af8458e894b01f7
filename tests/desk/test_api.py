"""The HTTP API over real sockets, with real workers that draw their pages up at once."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Generator
from pathlib import Path

import jsonschema
import numpy as np
import pypdfium2
import pytest
from PIL import Image

import batch_pages
import desk_pages
from carrel.errors import OutputError
from carrel.formats import read_page
from carrel.formats.json_page import parse
from carrel.options import ReadOptions
from carrel_desk.api.answers import Result
from carrel_desk.api.app import make_api, token_of
from carrel_desk.api.jobs import Job, Jobs
from carrel_desk.api.openapi import document
from carrel_desk.api.service import Service
from carrel_desk.http.guard import Rules, digest
from carrel_desk.http.problems import ProblemError
from carrel_desk.http.server import hosts_of, listen, listen_unix
from carrel_desk.reading.local import make_private
from desk_client import TOKEN, Client, Told, drawn_readers, serving, wait_until

MOST_BYTES = 2**20


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def client(state: Path) -> Generator[Client]:
    """A client of a server with one worker; it takes bodies of one MiB."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    listening = listen(0)
    jobs, bodies = Jobs(state / "jobs"), make_private(state / "bodies")
    service = Service(drawn_readers(state), jobs, _options(), bodies)
    rules = Rules(hosts_of(listening), {digest(TOKEN)}, MOST_BYTES, grace_s=1.0, silence_s=1.0)
    try:
        with serving(make_api(service, rules), listening):
            client = Client(listening.getsockname()[1])
            wait_until(lambda: client.get("/v1/health").status == 200)
            yield client
    finally:
        os.environ.pop("PYTHONPATH")
        if before is not None:
            os.environ["PYTHONPATH"] = before


def _options() -> ReadOptions:
    return ReadOptions()


def scan(what: int = batch_pages.HARMLESS, pages: int = 1) -> bytes:
    """A small scan, as TIFF."""
    frames = [Image.fromarray(batch_pages.page(number, what)) for number in range(pages)]
    out = io.BytesIO()
    frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:])
    return out.getvalue()


def test_page_is_answered_with_its_review(client: Client, state: Path) -> None:
    told = client.post("/v1/pages?name=a%2Fdeed.tif", scan())
    assert told.status == 200, told.body
    assert told.headers["content-type"] == "application/json"
    assert told.json["format"] == "carrel-answer/1"
    (answered,) = told.json["pages"]
    page = parse(json.dumps(answered["page"]).encode())
    assert [line.text for line in page.lines] == list(desk_pages.TEXTS)
    review = answered["review"]
    assert [line["id"] for line in review["lines"]] == [line.id for line in page.lines]
    assert [line["needs_review"] for line in review["lines"]] == [False, True, True, True]
    assert review["lines"][2] == {"id": "r0l2", "needs_review": True, "expected_errors": None, "refused": True}
    assert review["lines"][1]["expected_errors"] == pytest.approx(0.4 * len("secund line"))
    assert (review["to_review"], review["refused"]) == (3, 1)
    assert list((state / "bodies").iterdir()) == []


@pytest.mark.parametrize("name", ["text", "alto", "page", "hocr", "pdf"])
def test_formats(client: Client, name: str) -> None:
    told = client.post(f"/v1/pages?format={name}", scan())
    assert told.status == 200, told.body
    if name == "text":
        assert told.body.decode() == "first line\nsecund line\nfaurth and last\n"
    elif name == "pdf":
        assert told.body.startswith(b"%PDF-")
    else:
        assert "faurth" in read_page(told.body).text


def test_accept_picks_the_format(client: Client) -> None:
    assert client.post("/v1/pages", scan(), {"Accept": "text/plain"}).body.startswith(b"first line")
    assert client.post("/v1/pages", scan(), {"Accept": "application/alto+xml"}).body.startswith(b"<?xml")
    assert client.post("/v1/pages", scan(), {"Accept": "image/png"}).status == 406
    assert client.post("/v1/pages?format=docx", scan()).status == 406


def test_several_pages(client: Client) -> None:
    told = client.post("/v1/pages", scan(pages=3))
    assert [page["page"]["source"]["page_index"] for page in told.json["pages"]] == [0, 1, 2]
    assert client.post("/v1/pages?format=text", scan(pages=2)).body.count(b"\f") == 1
    told = client.post("/v1/pages?format=alto&name=deed.tif", scan(pages=2))
    assert told.headers["content-type"] == "application/zip"
    assert zipfile.ZipFile(io.BytesIO(told.body)).namelist() == ["deed-0001.alto.xml", "deed-0002.alto.xml"]


def test_several_pages_in_one_pdf(client: Client) -> None:
    told = client.post("/v1/pages?format=pdf", scan(pages=3))
    assert (told.status, told.headers["content-type"]) == (200, "application/pdf")
    document = pypdfium2.PdfDocument(told.body)
    texts = [page.get_textpage().get_text_bounded() for page in document]
    document.close()
    assert [text.split()[:4] for text in texts] == [["first", "line", "secund", "line"]] * 3


def form(*parts: tuple[str, bytes], end: bytes = b"--\r\n") -> bytes:
    """A form of parts with these further parameters of Content-Disposition."""
    heads = [f'--b7\r\nContent-Disposition: form-data; name="x"{more}\r\n\r\n'.encode() for more, _ in parts]
    return b"".join(head + data + b"\r\n" for head, (_, data) in zip(heads, parts, strict=True)) + b"--b7" + end


FORM = {"Content-Type": 'multipart/form-data; boundary="b7"'}


@pytest.mark.parametrize("around", [b"", b"\r\n--b", b"\r\n\r\n"], ids=["plain", "begin of a boundary", "line breaks"])
def test_a_form_holds_the_scan(client: Client, state: Path, around: bytes) -> None:
    body = form(("", b"a field"), ('; filename="a\\\\..\\\\b.tif"', scan() + around), ("", b""))
    told = client.post("/v1/pages?format=text", body, FORM)
    assert (told.status, told.body[:10]) == (200, b"first line"), told.body
    assert list((state / "bodies").iterdir()) == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (form(("", b"a field")), "0 files"),
        (form(('; filename="a"', b"1"), ('; filename="b"', b"2")), "2 files"),
        (form(('; filename="a"', b"")), "empty"),
        (b"", "empty"),
        (form(('; filename="a"', b"1"), end=b""), "cut off"),
        (form(('; filename="a"', b"1"))[:30], "cut off"),
        (form(*[("", b"")] * 21), "more than 20"),
        (b"--" * 1000, "cut off"),
        (form(("; filename=" + "a" * 9000, b"1")), "cut off"),
    ],
    ids=["no file", "two files", "empty file", "empty", "no end", "half", "many", "dashes", "long head"],
)
def test_forms_that_are_none(client: Client, state: Path, body: bytes, says: str) -> None:
    told = client.post("/v1/pages", body, FORM)
    assert (told.status, says in told.json["detail"]) == (400, True), told.body
    assert client.post("/v1/pages", body, {"Content-Type": "multipart/form-data"}).status == 400
    assert list((state / "bodies").iterdir()) == []


def test_many_pages_are_a_job(client: Client, state: Path) -> None:
    told = client.post("/v1/pages?format=text", scan(pages=6))
    assert told.status == 202
    where = told.headers["location"]
    wait_until(lambda: client.get(where).json["state"] == "done")
    status = client.get(where).json
    assert (status["pages"], status["pages_done"]) == (6, 6)
    assert client.get(f"{where}/result").body.count(b"first line") == 6
    assert client.ask("DELETE", where).status == 204
    assert client.get(where).status == 404
    assert list((state / "bodies").iterdir()) == []


def test_a_waiting_job_is_called_off(client: Client, state: Path) -> None:
    told = client.post("/v1/pages?wait=false", scan(batch_pages.SLOW, pages=20))
    where = told.headers["location"]
    assert client.get(f"{where}/result").status == 409
    assert client.ask("DELETE", where).status == 204
    assert client.get(where).status == 404
    wait_until(lambda: client.get("/v1/health").json["waiting"] == 0)
    wait_until(lambda: not list((state / "bodies").iterdir()))


def test_the_same_key_is_read_once(client: Client) -> None:
    key = {"Idempotency-Key": "deed 7"}
    first = client.post("/v1/pages?wait=false", scan(), key)
    again = client.post("/v1/pages?wait=false", scan(), key)
    assert first.status == again.status == 202
    assert first.headers["location"] == again.headers["location"]
    assert client.post("/v1/pages?wait=false", scan(pages=2), key).status == 422
    wait_until(lambda: client.get(first.headers["location"]).json["state"] == "done")


def test_a_job_called_off_at_once_leaves_nothing(client: Client, state: Path) -> None:
    for _ in range(5):
        where = client.post("/v1/pages?wait=false", scan()).headers["location"]
        client.ask("DELETE", where)
    wait_until(lambda: not list((state / "bodies").iterdir()), 5)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"no picture at all", 422, "is not PNG"),
        (b"", 400, "empty"),
        (scan(batch_pages.KILL), 500, "ended by SIG"),
        (scan(batch_pages.RAISE), 500, "RuntimeError"),
        (scan(pages=51), 422, "51 pages"),
    ],
    ids=["text", "empty", "kills its worker", "raises", "too many pages"],
)
def test_what_cannot_be_read(client: Client, state: Path, body: bytes, status: int, says: str) -> None:
    told = client.post("/v1/pages", body)
    assert told.status == status
    assert told.headers["content-type"] == "application/problem+json"
    assert says in told.json["detail"]
    assert "/proc/" not in told.json["detail"] and str(state) not in told.json["detail"]
    assert list((state / "bodies").iterdir()) == []
    assert client.post("/v1/pages?format=text", scan()).status == 200


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("lang=xyz", "xyz"),
        ("writing=painted", "writing"),
        ("flatten=perhaps", "flatten"),
        ("review_below=2", "review_below"),
        ("model=/etc", "model"),
    ],
)
def test_bad_options(client: Client, query: str, says: str) -> None:
    told = client.post(f"/v1/pages?{query}", scan())
    assert told.status == 422
    assert says in told.json["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "carrel.example"}, 421),
        ({"Host": "127.0.0.1"}, 421),
        ({"Origin": "http://carrel.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer another"}, 401),
        ({"Authorization": None, "Cookie": f"carrel={TOKEN}"}, 401),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "multipart/mixed; boundary=x"}, 415),
    ],
    ids=str,
)
def test_foreign_requests_are_refused(client: Client, headers: dict[str, str | None], status: int) -> None:
    told = client.post("/v1/pages", scan(), headers)
    assert told.status == status
    assert told.json["status"] == status
    assert told.headers["cache-control"] == "no-store"


def test_large_bodies_are_refused(client: Client, state: Path) -> None:
    assert client.post("/v1/pages", None, {"Content-Length": str(3 * 2**30)}).status == 413
    undeclared = (bytes(2**16) for _ in range(1000))
    told = client.ask("POST", "/v1/pages", undeclared)
    assert told.status == 413
    assert list((state / "bodies").iterdir()) == []


def _raw(client: Client, head: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", client.port), timeout=20)
    connection.sendall(head)
    return connection


def test_slow_senders_are_refused(client: Client, state: Path) -> None:
    head = f"POST /v1/pages HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
    started = time.monotonic()
    with _raw(client, f"{head}Content-Length: 1000\r\n\r\nabc".encode()) as silent:
        assert b" 408 " in silent.recv(4096)
    with _raw(client, f"{head}Content-Length: 100000\r\n\r\n".encode()) as slow:
        answer = b""
        for _ in range(100):
            try:
                slow.sendall(b"x")
                slow.settimeout(0.1)
                answer = slow.recv(4096)
                break
            except TimeoutError:
                continue
        assert b" 408 " in answer
    assert time.monotonic() - started < 15
    assert list((state / "bodies").iterdir()) == []


def test_half_a_head_is_not_waited_for(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel_desk.http.server.HEAD_S", 0.3)
    for start in (b"", b"GET /v1/health HTT", f"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n".encode()):
        with _raw(client, start) as connection:
            assert connection.recv(10) == b""
    keep_alive = f"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\nGET"
    with _raw(client, keep_alive.encode()) as connection:
        parts = b""
        while part := connection.recv(4096):
            parts += part
        assert b" 200 " in parts


def test_too_many_wait(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel_desk.api.service.MOST_WAITING", 0)
    told = client.post("/v1/pages", scan())
    assert told.status == 429
    assert int(told.headers["retry-after"]) >= 1


def test_parallel_uploads_are_all_answered(client: Client, state: Path) -> None:
    answers: list[int] = []

    def send() -> None:
        answers.append(client.post("/v1/pages?format=text", scan()).status)

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * 50
    assert list((state / "bodies").iterdir()) == []


def test_described_as_openapi(client: Client) -> None:
    told = client.get("/v1/openapi.json").json
    assert told == json.loads(json.dumps(document()))
    schema = {"$ref": "#/components/schemas/Answer", "components": told["components"]}
    answer = client.post("/v1/pages", scan()).json
    jsonschema.validate(answer, schema)
    answer["pages"][0]["page"]["regions"][0]["lines"][0]["polygon"] = "none"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer, schema)


def test_the_client_of_the_guide(client: Client, tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
    code = guide.partition("```python\n")[2].partition("```")[0]
    assert len(code.strip().splitlines()) <= 45
    (tmp_path / "client.py").write_text(code.replace("127.0.0.1:8634", f"127.0.0.1:{client.port}"), "utf-8")
    token = tmp_path / ".local/state/carrel/serve/token"
    token.parent.mkdir(parents=True)
    token.write_text(f"{TOKEN}\n", "ascii")
    for name, data in (("one.tif", scan()), ("six.tif", scan(pages=6)), ("none.tif", b"no picture")):
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "client.py", "one.tif", "six.tif", "none.tif"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("first line")) == (0, 7), done.stderr
    assert done.stderr.count("3 lines to look at") == 7
    assert "none.tif: " in done.stderr and "is not PNG" in done.stderr


def test_models_languages_health(client: Client) -> None:
    assert client.get("/v1/models").json["in_use"] == ["drawn@000000000000"]
    assert "handwriting-fast" in {model["name"] for model in client.get("/v1/models").json["models"]}
    assert "eng" in client.get("/v1/languages").json["languages"]
    assert client.get("/v1/health").json["state"] == "ok"
    assert client.get("/v2/health").status == 404
    assert client.ask("PUT", "/v1/pages").status == 405


def test_promised_jobs_of_a_killed_server_are_named_as_lost(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("+aaaa\n+bbbb\n-aaaa\n+torn", "ascii")
    jobs = Jobs(tmp_path / "jobs")
    assert jobs.get("bbbb").status.state == "lost"
    assert "send it again" in jobs.get("bbbb").status.problem.detail  # pyright: ignore[reportOptionalMemberAccess]
    with pytest.raises(Exception, match="no such job"):
        jobs.get("aaaa")
    jobs.delete(jobs.get("bbbb"))
    with pytest.raises(Exception, match="no such job"):
        Jobs(tmp_path / "jobs").get("bbbb")


def test_unix_socket_is_private(tmp_path: Path) -> None:
    path = tmp_path / "carrel.sock"
    with listen_unix(path) as first:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert hosts_of(first) == frozenset()
        with pytest.raises(Exception, match="another server"):
            listen_unix(path)
    listen_unix(path).close()  # what a killed server leaves is replaced
    path.unlink()
    path.write_text("mine")
    with pytest.raises(Exception, match="something else"):
        listen_unix(path)
    assert path.read_text() == "mine"


def test_token_is_private_and_stays(tmp_path: Path) -> None:
    token = token_of(tmp_path / "state" / "token")
    assert stat.S_IMODE((tmp_path / "state" / "token").stat().st_mode) == 0o600
    assert len(token) >= 40
    assert token_of(tmp_path / "state" / "token") == token


def test_pixels_are_those_sent(client: Client) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((40, 300), 200, np.uint8)).save(out, "PNG")
    page = client.post("/v1/pages", out.getvalue()).json["pages"][0]["page"]
    assert (page["width_px"], page["height_px"]) == (300, 40)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/plain;q=0.1, application/json;q=0.9", "application/json"),
        ("text/plain;q=0, */*", "application/json"),
        ("*/*;q=0.1, Text/Plain; charset=utf-8", "text/plain"),
        ("application/alto+xml, text/*;q=0.5", "application/alto+xml"),
        ("text/html, application/xml;q=0.9, */*;q=0.8", "text/html"),
        ("image/png, application/*;q=0.5", "application/json"),
        ("text/*", "text/plain"),
        ("application/json;q=0", None),
        ("text/plain;q=0.000, image/*", None),
        ("garbage", None),
    ],
)
def test_accept_is_weighed(client: Client, accept: str, kind: str | None) -> None:
    told = client.post("/v1/pages", scan(), {"Accept": accept})
    assert (told.status, told.headers["content-type"].partition(";")[0]) == (
        (200, kind) if kind else (406, "application/problem+json")
    )


@pytest.mark.parametrize("query", ["wait=perhaps", "lang=eng&lang=fra", "format=json&format=text", "Format=json"])
def test_a_refused_option_begins_nothing(client: Client, state: Path, query: str) -> None:
    before = (state / "jobs").read_bytes()
    told = client.post(f"/v1/pages?{query}", scan(), {"Idempotency-Key": query})
    assert (told.status, told.json["error"], told.json["exit_code"]) == (422, "UsageError", 2)
    assert query.partition("=")[0] in told.json["detail"]
    assert client.get("/v1/health").json["waiting"] == 0
    assert client.post("/v1/pages", scan(pages=2), {"Idempotency-Key": query}).status == 200  # the key is still free
    assert (state / "jobs").read_bytes() == before


def test_every_refusal_has_a_class_and_an_exit_code(client: Client) -> None:
    told = [
        client.post("/v1/pages?lang=xyz", scan()),
        client.post("/v1/pages", b""),
        client.get("/v1/jobs/none"),
        client.get("/v1/health", {"Authorization": None}),
        client.post("/v1/pages", b"none", {"Content-Type": "text/plain"}),
    ]
    assert [(t.status, t.json["error"], t.json["exit_code"]) for t in told] == [
        (422, "ModelError", 4),
        (400, "InputError", 3),
        (404, "UsageError", 2),
        (401, "UsageError", 2),
        (415, "InputError", 3),
    ]


@pytest.mark.parametrize(
    ("path", "methods"), [("/v1/jobs/none", {"GET", "HEAD", "DELETE"}), ("/v1/pages", {"POST"})], ids=["job", "pages"]
)
def test_a_wrong_method_is_told_all_right_ones(client: Client, path: str, methods: set[str]) -> None:
    for method in ("PUT", "OPTIONS"):
        told = client.ask(method, path)
        assert (told.status, set(told.headers["allow"].split(", "))) == (405, methods)
    assert client.get(f"{path}/").status == 404  # no redirect


def test_results_name_the_file_that_was_sent(client: Client) -> None:
    def named(told: Told) -> tuple[str, str]:
        source = told.json["pages"][0]["page"]["source"]
        return source["file_name"], read_page(json.dumps(told.json["pages"][0]["page"]).encode()).source.file_name

    assert named(client.post("/v1/pages?name=a%2Fdeed.tif", scan())) == ("deed.tif", "deed.tif")
    assert named(client.post("/v1/pages", scan())) == ("scan", "scan")
    told = client.post("/v1/pages", form(('; filename="Übergabe 日本.tif"', scan())), FORM)
    assert named(told) == ("Übergabe 日本.tif", "Übergabe 日本.tif")
    told = client.post("/v1/pages?format=page", form(('; filename="Übergabe.tif"', scan())), FORM)
    assert 'imageFilename="Übergabe.tif"' in told.body.decode()
    told = client.post("/v1/pages?format=alto", form(("; filename*=UTF-8''%C3%9Cb.TIF", scan(pages=2))), FORM)
    assert zipfile.ZipFile(io.BytesIO(told.body)).namelist() == ["Üb-0001.alto.xml", "Üb-0002.alto.xml"]


def test_a_result_in_another_format(client: Client) -> None:
    where = client.post("/v1/pages?wait=false&format=text", scan()).headers["location"]
    wait_until(lambda: client.get(where).json["state"] == "done")
    assert client.get(f"{where}/result").body.startswith(b"first line")
    assert client.get(f"{where}/result", {"Accept": "*/*"}).body.startswith(b"first line")
    assert "faurth" in read_page(client.get(f"{where}/result?format=alto").body).text
    assert client.get(f"{where}/result", {"Accept": "application/json"}).json["format"] == "carrel-answer/1"
    refused = client.get(f"{where}/result?format=pdf")
    assert (refused.status, "is not kept" in refused.json["detail"]) == (406, True)
    assert client.get(f"{where}/result?format=docx").status == 406
    assert client.get(f"{where}/result?formt=alto").status == 422
    client.ask("DELETE", where)


def test_a_key_has_one_answer(client: Client) -> None:
    key = {"Idempotency-Key": "one answer" + "x" * 300}
    told = client.post("/v1/pages", scan(), key)
    again = client.post("/v1/pages", scan(), key)
    assert (told.status, again.status, again.body == told.body) == (200, 200, True)  # the time of reading, too
    assert client.post("/v1/pages", scan(pages=2), key).status == 422
    assert client.post("/v1/pages?format=text", scan(), key).status == 422
    assert client.post("/v1/pages", scan(pages=2), {"Idempotency-Key": key["Idempotency-Key"] + "y"}).status == 200


def test_two_at_once_with_one_key(client: Client) -> None:
    key = {"Idempotency-Key": "two at once"}
    told: list[Told] = []
    threads = [
        threading.Thread(target=lambda: told.append(client.post("/v1/pages?format=text", scan(), key)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [(t.status, t.body[:10]) for t in told] == [(200, b"first line")] * 4


def test_a_key_whose_reading_failed_by_no_fault_of_the_file_is_free(client: Client) -> None:
    key = {"Idempotency-Key": "failed"}
    assert client.post("/v1/pages", scan(batch_pages.RAISE), key).status == 500
    assert client.post("/v1/pages?format=text", scan(), key).status == 200


def test_what_is_no_http_gets_a_problem_document(client: Client) -> None:
    for request in (b"garbage\r\n\r\n", f"GET /v1/health HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()):
        with _raw(client, request) as connection:
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.getheader("content-type")) == (400, "application/problem+json")
            assert json.loads(answer.read())["error"] == "InputError"


def test_one_connection_too_many_is_told_to_come_again(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel_desk.http.server.MOST_CONNECTIONS", 2)
    with _raw(client, b"GET"), _raw(client, b"GET"):
        told = client.get("/v1/health")
        assert (told.status, told.headers["content-type"]) == (503, "application/problem+json")
        assert told.headers["retry-after"] == "1"
    wait_until(lambda: client.get("/v1/health").status == 200)


def test_small_answers_do_not_wait_for_acknowledgements(state: Path) -> None:
    with listen(0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # what asyncio sets TCP_NODELAY by: else 40 ms a request


@pytest.mark.parametrize("host", ["LocalHost", "127.0.0.1"])
def test_hosts_in_any_case(client: Client, host: str) -> None:
    assert client.get("/v1/health", {"Host": f"{host}:{client.port}"}).status == 200


def test_a_compressed_body_is_refused(client: Client) -> None:
    told = client.post("/v1/pages", scan(), {"Content-Encoding": "gzip"})
    assert (told.status, "Content-Encoding gzip" in told.json["detail"]) == (415, True)


def test_a_page_that_memory_does_not_allow(client: Client) -> None:
    told = client.post("/v1/pages", scan(batch_pages.LARGE))
    assert (told.status, told.json["error"], told.json["exit_code"]) == (503, "InputError", 3)
    assert "--memory 818M with --workers 1 will do, where the server is started so" in told.json["detail"]


def _ended(jobs: Jobs, identity: str, size: int) -> Job:
    job = Job(identity, result=Result([bytes(size)], "", "json", 0.5))
    job.end("done")
    jobs._jobs[identity] = job  # pyright: ignore[reportPrivateUsage]
    return job


def test_results_that_wait_take_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel_desk.api.jobs.MOST_KEPT_BYTES", 1000)
    jobs = Jobs(tmp_path / "jobs")
    _ended(jobs, "a", 600)
    _ended(jobs, "b", 300)
    assert jobs.get("a") and jobs.get("b")
    _ended(jobs, "c", 5000)
    assert jobs.get("c")  # the newest stays, however large
    for gone in ("a", "b"):
        with pytest.raises(ProblemError, match="had to make room"):
            jobs.get(gone)


def test_the_file_of_promised_jobs_stays_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carrel_desk.api.jobs.MOST_LINES", 10)
    jobs = Jobs(tmp_path / "jobs")
    kept = _ended(jobs, "kept", 1)
    jobs.keep(kept)
    for number in range(100):
        job = _ended(jobs, f"job{number}", 1)
        jobs.keep(job)
        jobs.delete(job)
    assert len((tmp_path / "jobs").read_bytes().splitlines()) <= 11
    assert Jobs(tmp_path / "jobs").get("kept").state == "lost"


def test_a_promise_that_cannot_be_written_is_none(tmp_path: Path) -> None:
    jobs = Jobs(tmp_path / "jobs")
    (tmp_path / "jobs").unlink()
    (tmp_path / "jobs").mkdir()
    job = _ended(jobs, "a", 1)
    with pytest.raises(ProblemError, match="free space"):
        jobs.keep(job)
    assert not job.kept


def test_an_empty_token_is_none(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n", "ascii")
    with pytest.raises(OutputError, match="holds no token"):
        token_of(tmp_path / "token")
