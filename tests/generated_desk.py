"""A desk of drawn pages for programs that generate calls, with an OpenAPI document of its requests.

``python tests/generated_desk.py STATE`` prints a port and a cookie, then serves until its stdin ends. The document lies in
``STATE/openapi.json``.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
QUERIES = {
    ("GET", "/api/queue"): ("by",),
    ("GET", "/api/export"): ("format", "page"),
    ("POST", "/api/export"): ("format", "page", "place"),
}
LEFT_OUT = ("/", "/web/{name}", "/enter", "/left", "/api/leave", "/api/events", "/api/scanners", "/api/scan")
"""Files, streams, what ends the session, and what asks scanners."""


def document(page: str) -> dict[str, Any]:
    """Describe the desk's requests; ``page`` is a page that is there."""
    from msgspec.json import schema_components

    from carrel_desk.desk.forms import FormEdit
    from carrel_desk.desk.handlers import ROUTES, LearningWish
    from carrel_desk.desk.layouting import LayoutWish
    from carrel_desk.store.edits import Change

    types = (list[Change], LayoutWish, LearningWish, FormEdit)
    schemas, components = schema_components(types, ref_template="#/components/schemas/{name}")
    taking = ("/api/keys", "/api/pages/{page}/layout", "/api/learning", "/api/form")
    bodies = dict(zip(taking, schemas, strict=True))
    paths: dict[str, Any] = {}
    for method, route, _ in ROUTES:
        if route in LEFT_OUT:
            continue
        path = re.sub(r"\{(\w+)(?::int)?\}", r"{\1}", route)
        names = re.findall(r"\{(\w+)\}", path)
        values = {"page": {"anyOf": [{"const": page}, {"type": "string", "minLength": 1}]}}
        values |= {name: {"type": "integer", "minimum": 0, "maximum": 9} for name in ("level", "x", "y")}
        where = [
            {"name": n, "in": "path", "required": True, "schema": values.get(n, {"type": "string"})} for n in names
        ]
        where += [{"name": n, "in": "query", "schema": {"type": "string"}} for n in QUERIES.get((method, route), ())]
        call: dict[str, Any] = {"parameters": where, "responses": {"default": {"description": "whatever is no defect"}}}
        if method == "POST" and route == "/api/scans":
            content: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
            call["requestBody"] = {"content": content}
        elif method == "POST" and route in bodies:
            call["requestBody"] = {"content": {"application/json": {"schema": bodies[route]}}}
        paths.setdefault(path, {})[method.lower()] = call
    return {
        "openapi": "3.1.0",
        "info": {"title": "desk", "version": "1"},
        "paths": paths,
        "components": {"schemas": components},
    }


def serve(state: Path) -> None:
    """Serve until stdin ends."""
    import msgspec

    os.environ["PYTHONPATH"] = str(TESTS)
    from desk_at import At, scan
    from desk_client import serving
    from form_pages import ENTRY, template

    async def use(edited: Path) -> None:
        pass

    state.mkdir(parents=True, exist_ok=True)
    at = At(state / "desk", entry=ENTRY, form=template(state / "card.json"))
    at.desk.forms.use = use
    with serving(at.app, at.listening):
        at.enter()
        at.add(scan())
        (page,) = at.read()
        (state / "openapi.json").write_bytes(msgspec.json.encode(document(page)))
        print(at.port, at.client.headers["Cookie"], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    sys.path.insert(0, str(TESTS))
    serve(Path(sys.argv[1]))
