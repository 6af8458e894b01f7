"""A template as JSON that is edited by hand."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from carrel.forms.fields import Field, Template


def template_json(template: Template) -> bytes:
    """Write a template as JSON that is edited by hand: a field, label and ruling a line, without what is as usual."""
    whole = msgspec.to_builtins(template)
    usual = msgspec.to_builtins(Field(name=""))
    fields = [{k: v for k, v in entry.items() if k == "name" or v != usual[k]} for entry in whole.pop("fields")]

    def lines(entries: Sequence[object]) -> str:
        return (
            "[\n  " + ",\n  ".join(msgspec.json.encode(entry).decode() for entry in entries) + "\n ]"
            if entries
            else "[]"
        )

    parts = [
        f'"{key}": {msgspec.json.encode(whole[key]).decode()}' for key in ("format", "name", "width_px", "height_px")
    ]
    parts += [f'"fields": {lines(fields)}', *(f'"{key}": {lines(whole[key])}' for key in ("rows", "labels", "rulings"))]
    return ("{\n " + ",\n ".join(parts) + "\n}\n").encode()
