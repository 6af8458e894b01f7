"""Messages between the batch and its workers: JSON and bytes, never pickles.

A worker decodes strangers' files; what it says is data, so that a worker that was taken over cannot take over the batch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

MOST_HEADER_BYTES = 2**20
MOST_RESULT_BYTES = 2**29

Message = dict[str, Any]


def send(connection: Connection, message: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> None:
    """Send a message; ``files`` are bytes by name that follow it."""
    files = files or {}
    connection.send_bytes(json.dumps({**message, "files": list(files)}).encode())
    for contents in files.values():
        connection.send_bytes(contents)


def receive(connection: Connection) -> tuple[Message, dict[str, bytes]]:
    """The next message and the files that came with it.

    Raises
    ------
    EOFError, OSError
        The other side is gone, or sent more than is allowed.
    ValueError
        It sent no message.
    """
    message = json.loads(connection.recv_bytes(MOST_HEADER_BYTES))
    if not isinstance(message, dict) or not isinstance(message.get("files"), list):
        raise ValueError("no message")
    names = [str(name) for name in message.pop("files")]
    return message, {name: connection.recv_bytes(MOST_RESULT_BYTES) for name in names}
