"""Version 1 of the HTTP API: pages in, what was read out."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import carrel
from carrel.models.folders import model_folders, open_model
from carrel.workers.files import SeenFile
from carrel_desk.api.answers import MEDIA_TYPES, format_for
from carrel_desk.api.jobs import Job
from carrel_desk.api.openapi import OPERATIONS, document
from carrel_desk.api.options import (
    OPTION_NAMES,
    flag,
    installed_languages,
    options_of,
    refused_option,
    review_below_of,
)
from carrel_desk.api.service import SYNCHRONOUS_PAGES, Service, Wish, read_file
from carrel_desk.http.intake import file_name, receive_file, require_scan_type
from carrel_desk.http.problems import ProblemError, response_of

Handler = Callable[[Service, Request], Awaitable[Response]]
QUERY_NAMES = ("format", "name", "wait", "review_below", *OPTION_NAMES)


def routes(service: Service) -> list[Route]:
    """Return the routes of the API, those that `carrel_desk.api.openapi` describes."""
    handlers: dict[str, Handler] = {
        "readPages": read_pages,
        "getJob": get_job,
        "getResult": get_result,
        "deleteJob": delete_job,
        "listModels": list_models,
        "listLanguages": list_languages,
        "getHealth": get_health,
        "getOpenapi": get_openapi,
    }
    by_path: dict[str, dict[str, Handler]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = handlers[operation.id]
    return [Route(path, partial(_by_method, service, known), methods=[*known]) for path, known in by_path.items()]


async def _by_method(service: Service, known: Mapping[str, Handler], request: Request) -> Response:
    return await known["GET" if request.method == "HEAD" else request.method](service, request)


async def read_pages(service: Service, request: Request) -> Response:
    """Read the file in the body: the answer, or a job where the file has many pages or ``wait=false``."""
    wish = _wish(service, request)
    wait = flag(request.query_params.get("wait", "true"), "wait")
    key = request.headers.get("idempotency-key", "")
    if service.jobs.by_key(key) is None:
        service.require_room()
    require_scan_type(request)
    file, name = await receive_file(request, service.spool)
    wish = wish if wish.name else replace(wish, name=file_name(name))
    sent = await asyncio.to_thread(_digest, file.path, wish) if key else ""
    job = service.jobs.by_key(key)
    if job is None:
        job = service.jobs.start(partial(_read, service, file, wish), partial(_delete, file), key, sent)
    else:
        _delete(file)
    if job.digest != sent:
        raise ProblemError(422, "this Idempotency-Key was sent with another file or other options; choose a new key")
    return await _answered_at_once(service, request, job) if wait else _accepted(service, job)


def _digest(path: Path, wish: Wish) -> str:
    """What is known of a file and a wish that were sent under a key."""
    with path.open("rb") as file:
        return f"{hashlib.file_digest(file, 'sha256').hexdigest()} {wish}"


async def _read(service: Service, file: SeenFile, wish: Wish, job: Job) -> None:
    await read_file(service, job, file, wish)


def _delete(file: SeenFile) -> None:
    file.path.unlink(missing_ok=True)


async def _answered_at_once(service: Service, request: Request, job: Job) -> Response:
    """Wait for the job unless its file has many pages; nothing of it is kept unless it has a key."""
    gone = asyncio.create_task(_hang_up(request))
    counted = asyncio.create_task(job.counted.wait())
    try:
        await asyncio.wait({counted, gone}, return_when=asyncio.FIRST_COMPLETED)
        if job.pages is not None and job.pages > SYNCHRONOUS_PAGES and not gone.done():
            return _accepted(service, job)
        if job.task is not None:
            await asyncio.wait({job.task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return await _result(job, job.result.format if job.result else "")
    finally:
        gone.cancel()
        counted.cancel()
        if not (job.kept or job.key):
            service.jobs.delete(job)


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _wish(service: Service, request: Request) -> Wish:
    query = _query(request, QUERY_NAMES)
    name = file_name(query["name"]) if query.get("name") else ""
    return Wish(name, _format(request, query), options_of(query, service.options), review_below_of(query))


def _query(request: Request, names: Sequence[str]) -> dict[str, str]:
    """The options of a request, each of them known and given once."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in names:
            raise refused_option(f"{name[:100]}: no option; there are {', '.join(names)}")
        if given.count(name) > 1:
            raise refused_option(f"{name}: is given more than once")
    return dict(request.query_params)


def _format(request: Request, query: Mapping[str, str]) -> str:
    wanted = format_for(query.get("format"), ",".join(request.headers.getlist("accept")))
    if wanted is None:
        raise ProblemError(406, f"ask for one of {', '.join(MEDIA_TYPES)} with ?format= or Accept")
    return wanted


def _accepted(service: Service, job: Job) -> Response:
    try:
        if not job.kept:
            service.jobs.keep(job)
    except ProblemError:
        service.jobs.delete(job)
        raise
    headers = {"location": f"/v1/jobs/{job.id}", "retry-after": "1"}
    return Response(msgspec.json.encode(job.status), 202, headers=headers, media_type="application/json")


async def _result(job: Job, format_name: str) -> Response:
    if job.problem is not None:
        return response_of(job.problem)
    if job.result is None:
        raise ProblemError(409, f"the job is {job.state}; its result comes when it is done")
    body = await asyncio.to_thread(job.result.body, format_name)
    return Response(body.data, media_type=body.media_type)


async def get_job(service: Service, request: Request) -> Response:
    """Tell how a job is doing."""
    return _json(service.jobs.get(request.path_params["id"]).status)


async def get_result(service: Service, request: Request) -> Response:
    """Answer with what was read, in the format that was asked for first or another; the job stays until it is deleted or expires."""
    job = service.jobs.get(request.path_params["id"])
    query = _query(request, ("format",))
    accepts_any = request.headers.get("accept", "*/*").strip() in ("", "*/*")
    asked_first = job.result.format if job.result else "json"
    return await _result(job, asked_first if accepts_any and not query else _format(request, query))


async def delete_job(service: Service, request: Request) -> Response:
    """Call a job off, or forget its result."""
    job = service.jobs.get(request.path_params["id"])
    service.jobs.delete(job)
    return Response(status_code=204)


async def list_models(service: Service, request: Request) -> Response:
    """Name the models that ship with Carrel, and those in use."""
    models = [open_model(folder) for folder in model_folders()]
    in_use = (service.readers.identity or "").split()
    told = [
        {"name": model.name, "identity": model.identity, "task": model.task, "licence": model.manifest.licence}
        for model in models
    ]
    return _json({"models": told, "in_use": in_use})


async def list_languages(service: Service, request: Request) -> Response:
    """Name the languages of print that are installed, and those used where nobody says otherwise."""
    return _json({"languages": installed_languages(), "default": service.options.languages})


async def get_health(service: Service, request: Request) -> Response:
    """Tell whether files can be read now: 200, or 503 while workers start or cannot."""
    readers = service.readers
    state = "failing" if readers.trouble else "ok" if readers.identity else "starting"
    health = {"state": state, "version": carrel.__version__, "waiting": readers.asked, "workers": service.workers}
    return _json(health, 200 if state == "ok" else 503)


async def get_openapi(service: Service, request: Request) -> Response:
    """Describe the API as OpenAPI 3.1."""
    return _json(document())


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
