"""Scans for commands that show or cut what was read: strangers' files are decoded in a process of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from carrel.review.scans import Decode


def decode_apart() -> Decode:
    """Return a function that decodes a page of a file in a confined process, which ends with the command."""
    from carrel.budget import Budget
    from carrel.options import ReadOptions
    from carrel.workers.decoder import Decoder

    return click.get_current_context().with_resource(Decoder(ReadOptions(), Budget())).scan
