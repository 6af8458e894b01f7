"""Regions of a page that are fields of a form, by their kind: ``CustomZone:NAME``, of a table ``CustomZone:NAME#ROW``, rows from 1."""

from __future__ import annotations

FIELD_ZONE = "CustomZone:"


def zone_of(name: str, row: int | None) -> str:
    """Return the kind of a field's region; ``row`` counts from 1."""
    return FIELD_ZONE + name + ("" if row is None else f"#{row}")


def field_of(kind: str) -> tuple[str, int | None] | None:
    """Return a field's name and row, from 1, by the kind of its region; None for other regions."""
    if not kind.startswith(FIELD_ZONE):
        return None
    name, _, row = kind.removeprefix(FIELD_ZONE).partition("#")
    return name, int(row) if row.isdecimal() else None
