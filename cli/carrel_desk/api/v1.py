"""Version 1 of the HTTP API: pages in, what was read out."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import carrel
from carrel.image.files import PICTURE_SUFFIXES
from carrel.models.folders import model_folders, open_model
from carrel.workers.files import SeenFile
from carrel_desk.api.answers import MEDIA_TYPES, format_for
from carrel_desk.api.jobs import Job
from carrel_desk.api.openapi import OPERATIONS, document
from carrel_desk.api.options import OPTION_NAMES, flag, installed_languages, options_of, review_below_of
from carrel_desk.api.service import SYNCHRONOUS_PAGES, Service, Wish, read_file
from carrel_desk.http.intake import file_name, receive_file, require_scan_type
from carrel_desk.http.problems import ProblemError, response_of

Handler = Callable[[Request], Awaitable[Response]]
QUERY_NAMES = ("format", "name", "wait", "review_below", *OPTION_NAMES)
_KEY_LENGTH = 200


def routes(service: Service) -> list[Route]:
    """Return the routes of the API, those that `carrel_desk.api.openapi` describes."""
    handlers: dict[str, Callable[[Service, Request], Awaitable[Response]]] = {
        "readPages": read_pages,
        "getJob": get_job,
        "getResult": get_result,
        "deleteJob": delete_job,
        "listModels": list_models,
        "listLanguages": list_languages,
        "getHealth": get_health,
        "getOpenapi": get_openapi,
    }
    return [
        Route(operation.path, partial(handlers[operation.id], service), methods=[operation.method])
        for operation in OPERATIONS
    ]


async def read_pages(service: Service, request: Request) -> Response:
    """Read the file in the body: the answer, or a job where the file has many pages or ``wait=false``."""
    wish = _wish(service, request)
    key = request.headers.get("idempotency-key", "")[:_KEY_LENGTH]
    known = service.jobs.by_key(key)
    if known is None:
        service.require_room()
    require_scan_type(request)
    file = await receive_file(request, service.spool)
    asked = f"{wish.format} {wish.options} {wish.review_below}".encode() if key else b""
    sent = hashlib.sha256(file.path.read_bytes() + asked).hexdigest() if key else ""
    known = service.jobs.by_key(key)
    if known is not None:
        file.path.unlink(missing_ok=True)
        if known.digest != sent:
            raise ProblemError(
                422, "this Idempotency-Key was sent with another file or other options; choose a new key"
            )
        return _accepted(service, known)
    job = service.jobs.start(partial(_read, service, file, wish), partial(_delete, file), key, sent)
    if not flag(request.query_params.get("wait", "true"), "wait"):
        return _accepted(service, job)
    return await _answered_at_once(service, request, job)


async def _read(service: Service, file: SeenFile, wish: Wish, job: Job) -> None:
    await read_file(service, job, file, wish)


def _delete(file: SeenFile) -> None:
    file.path.unlink(missing_ok=True)


async def _answered_at_once(service: Service, request: Request, job: Job) -> Response:
    """Wait for the job unless its file has many pages; nothing of it is kept."""
    gone = asyncio.create_task(_hang_up(request))
    counted = asyncio.create_task(job.counted.wait())
    try:
        await asyncio.wait({counted, gone}, return_when=asyncio.FIRST_COMPLETED)
        if job.pages is not None and job.pages > SYNCHRONOUS_PAGES and not gone.done():
            return _accepted(service, job)
        if job.task is not None:
            await asyncio.wait({job.task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return _result(job)
    finally:
        gone.cancel()
        counted.cancel()
        if not job.kept:
            service.jobs.delete(job)


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _wish(service: Service, request: Request) -> Wish:
    unknown = sorted(set(request.query_params) - set(QUERY_NAMES))
    if unknown:
        raise ProblemError(422, f"{unknown[0][:100]}: no option; there are {', '.join(QUERY_NAMES)}")
    query = dict(request.query_params)
    wanted = format_for(query.get("format"), request.headers.get("accept", ""))
    if wanted is None:
        raise ProblemError(406, f"ask for one of {', '.join(MEDIA_TYPES)} with ?format= or Accept")
    name = file_name(query.get("name"))
    stem = next((name.removesuffix(suffix) for suffix in (*PICTURE_SUFFIXES, ".pdf") if name.endswith(suffix)), name)
    return Wish(stem or name, wanted, options_of(query, service.options), review_below_of(query))


def _accepted(service: Service, job: Job) -> Response:
    if not job.kept:
        service.jobs.keep(job)
    headers = {"location": f"/v1/jobs/{job.id}", "retry-after": "1"}
    return Response(msgspec.json.encode(job.status), 202, headers=headers, media_type="application/json")


def _result(job: Job) -> Response:
    if job.problem is not None:
        return response_of(job.problem)
    if job.body is None:
        raise ProblemError(409, f"the job is {job.state}; its result comes when it is done")
    return Response(job.body.data, media_type=job.body.media_type)


async def get_job(service: Service, request: Request) -> Response:
    """Tell how a job is doing."""
    return _json(service.jobs.get(request.path_params["id"]).status)


async def get_result(service: Service, request: Request) -> Response:
    """Answer with what was read; the job stays until it is deleted or expires."""
    return _result(service.jobs.get(request.path_params["id"]))


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
