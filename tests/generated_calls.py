"""A server of drawn pages for programs that generate calls, and the scans that they may send; also hooks of schemathesis.

``python tests/generated_calls.py STATE`` prints a port and a token, then serves until its stdin ends.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def scans() -> list[bytes]:
    """Scans of one page and of six, and what is none."""
    from PIL import Image

    found: list[bytes] = []
    for pages in (1, 6):
        frames = [Image.new("L", (300, 200), 5)] * pages  # a corner that harms no worker
        out = io.BytesIO()
        frames[0].save(out, "TIFF", save_all=True, append_images=frames[1:])
        found.append(out.getvalue())
    return [*found, b"", b"no picture"]


def serve(state: Path) -> None:
    """Serve until stdin ends."""
    sys.path.insert(0, str(TESTS))
    os.environ["PYTHONPATH"] = str(TESTS)
    from carrel.options import ReadOptions
    from carrel_desk.api.app import make_api
    from carrel_desk.api.jobs import Jobs
    from carrel_desk.api.service import Service
    from carrel_desk.http.guard import Rules, digest
    from carrel_desk.http.server import hosts_of, listen
    from carrel_desk.reading.local import make_private
    from desk_client import TOKEN, Client, drawn_readers, serving, wait_until

    listening = listen(0)
    service = Service(drawn_readers(state), Jobs(state / "jobs"), ReadOptions(), make_private(state / "bodies"))
    rules = Rules(hosts_of(listening), {digest(TOKEN)}, 2**20)
    with serving(make_api(service, rules), listening):
        client = Client(listening.getsockname()[1])
        wait_until(lambda: client.get("/v1/health").status == 200, 120)
        print(client.port, TOKEN, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
elif os.environ.get("SCHEMATHESIS_HOOKS") == Path(__file__).stem:
    import schemathesis  # pyright: ignore[reportMissingImports]
    from hypothesis import strategies

    for kind in ("image/*", "application/pdf", "application/octet-stream"):
        schemathesis.openapi.media_type(kind, strategies.sampled_from(scans()))
