"""The API described as OpenAPI 3.1, from the structs and the options in the code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

import carrel
from carrel.options import REVIEW_BELOW
from carrel_desk.api.answers import MEDIA_TYPES, ZIP, Answer
from carrel_desk.api.jobs import JobStatus
from carrel_desk.api.options import FLAGS, WRITINGS
from carrel_desk.http.forms import FORM_TYPE
from carrel_desk.http.problems import MEDIA_TYPE, TITLES, ProblemDocument

_REFUSALS = (401, 403, 421)
"""What any request may be answered with."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One way to ask: ``answers`` maps a status to what it means, beside the refusals that any request may meet."""

    method: str
    path: str
    id: str
    summary: str
    answers: Mapping[int, str]


OPERATIONS = (
    Operation("POST", "/v1/pages", "readPages", "Read an image or a PDF.", {
        200: "what was read", 202: "a job; see Location", 400: "", 406: "", 408: "", 413: "", 415: "", 422: "", 429: "", 500: "", 503: "",
    }),
    Operation("GET", "/v1/jobs/{id}", "getJob", "How a job is doing.", {200: "its state", 404: ""}),
    Operation("GET", "/v1/jobs/{id}/result", "getResult", "What was read, once the job is done.", {
        200: "what was read", 404: "", 406: "", 409: "", 422: "", 500: "", 503: "",
    }),
    Operation("DELETE", "/v1/jobs/{id}", "deleteJob", "Call a job off, or forget its result.", {204: "forgotten", 404: ""}),
    Operation("GET", "/v1/models", "listModels", "Models that ship with Carrel, and those in use.", {200: "the models", 503: ""}),
    Operation("GET", "/v1/languages", "listLanguages", "Languages of print that are installed.", {200: "the languages"}),
    Operation("GET", "/v1/health", "getHealth", "Whether files can be read now.", {200: "they can", 503: "not now"}),
    Operation("GET", "/v1/openapi.json", "getOpenapi", "This document.", {200: "OpenAPI 3.1"}),
)  # fmt: skip
_JSON_ANSWERS = {
    "getJob": "JobStatus",
    "listModels": "Models",
    "listLanguages": "Languages",
    "getHealth": "Health",
    "getOpenapi": "",
}


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Carrel", "version": carrel.__version__, "license": {"name": "Apache-2.0"}},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(operation: Operation) -> dict[str, Any]:
    answers = {str(status): _response(operation, status, what) for status, what in operation.answers.items()}
    refusals = {str(status): _response(operation, status, "") for status in _REFUSALS}
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": answers | refusals,
    }
    if "{id}" in operation.path:
        described["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    if operation.id == "getResult":
        described["parameters"].append(_parameter("format", {"enum": list(MEDIA_TYPES)}, "Instead of Accept."))
    if operation.id == "readPages":
        described["parameters"] = _query()
        anything = {"schema": {"type": "string", "format": "binary"}}
        kinds = ("image/*", "application/pdf", "application/octet-stream")
        form = _object(file={"type": "string", "format": "binary"})
        content = dict.fromkeys(kinds, anything) | {FORM_TYPE: {"schema": form}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _response(operation: Operation, status: int, what: str) -> dict[str, Any]:
    if status == 204:
        return {"description": what}
    if status == 202:
        headers = {"Location": {"schema": {"type": "string"}}, "Retry-After": {"schema": {"type": "string"}}}
        links = {
            name: {"operationId": name, "parameters": {"id": "$response.body#/id"}}
            for name in ("getJob", "getResult", "deleteJob")
        }
        return {"description": what, "headers": headers, "content": _content("JobStatus"), "links": links}
    if status >= 400 and not (operation.id == "getHealth" and status == 503):
        return {"description": TITLES[status], "content": {MEDIA_TYPE: {"schema": _reference("ProblemDocument")}}}
    if operation.id in ("readPages", "getResult"):
        binary = {"schema": {"type": "string", "format": "binary"}}
        kinds = {kind.partition(";")[0] for kind in MEDIA_TYPES.values()} | {ZIP}
        return {"description": what, "content": dict.fromkeys(sorted(kinds), binary) | _content("Answer")}
    return {"description": what, "content": _content(_JSON_ANSWERS[operation.id])}


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": _reference(schema) if schema else {"type": "object"}}}


def _reference(schema: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{schema}"}


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _query() -> list[dict[str, Any]]:
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
    return [
        _parameter("format", {"enum": list(MEDIA_TYPES)}, "Instead of Accept."),
        _parameter("name", {"type": "string"}, "Name of the file, for names in a zip."),
        _parameter("wait", {"type": "boolean", "default": True}, "false: always a job."),
        _parameter(
            "review_below", {"type": "number", "minimum": 0, "maximum": 1, "default": REVIEW_BELOW}, "Confidence."
        ),
        _parameter("lang", {"type": "string"}, "Languages of print, as eng+fra."),
        _parameter("writing", {"enum": list(WRITINGS)}, "Decide for each line, or send all to one recognizer."),
        *(_parameter(name, {"type": "boolean"}, "As the option of the same name of carrel read.") for name in FLAGS),
        key,
    ]


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(
        (Answer, JobStatus, ProblemDocument), ref_template="#/components/schemas/{name}"
    )
    page = json.loads(files("carrel.formats").joinpath("carrel-page-2.schema.json").read_text("utf-8"))
    schemas["AnsweredPage"]["properties"]["page"] = _reference("Page")
    schemas |= {
        name.capitalize() if name != "page" else "Page": _moved(part) for name, part in page.pop("$defs").items()
    }
    schemas["Page"] = _moved({key: value for key, value in page.items() if key != "$schema"})
    names = {"type": "array", "items": {"type": "string"}}
    model = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in ("name", "identity", "task", "licence")},
    }
    schemas["Models"] = _object(models={"type": "array", "items": model}, in_use=names)
    schemas["Languages"] = _object(languages=names, default=names)
    states = {"enum": ["ok", "starting", "failing"]}
    number = {"type": "integer"}
    schemas["Health"] = _object(state=states, version={"type": "string"}, waiting=number, workers=number)
    return schemas


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _moved(part: Any) -> Any:
    """The page's own schema with its references as those of the document."""
    if isinstance(part, dict):
        return {key: _moved(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_moved(value) for value in part]
    if isinstance(part, str) and part.startswith("#/$defs/"):
        return f"#/components/schemas/{part.removeprefix('#/$defs/').capitalize()}"
    return part
