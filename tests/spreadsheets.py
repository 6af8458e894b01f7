"""Tables through LibreOffice: opened, kept as a spreadsheet, opened again and written as CSV."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

COMMA, QUOTE, UTF_8, AS_TEXT = 44, 34, 76, 2


def has_office() -> bool:
    """Return whether LibreOffice is installed."""
    return shutil.which("soffice") is not None


def back_from(table: Path, kind: str, folder: Path) -> list[list[str]]:
    """Return the cells of a CSV file after LibreOffice has made it a spreadsheet of a ``kind``, and that CSV again.

    Columns are opened as text, as its dialog offers: else it takes ``0017`` for a number.
    """
    there, back = folder / f"{kind}-there", folder / f"{kind}-back"
    columns = len(cells_of(table)[0])
    told = "/".join(f"{n}/{AS_TEXT}" for n in range(1, columns + 1))
    _converted(table, kind, there, folder, f"--infilter=CSV:{COMMA},{QUOTE},{UTF_8},1,{told}")
    _converted(
        there / f"{table.stem}.{kind}", f"csv:Text - txt - csv (StarCalc):{COMMA},{QUOTE},{UTF_8},1", back, folder
    )
    return cells_of(back / f"{table.stem}.csv")


def cells_of(file: Path) -> list[list[str]]:
    """Return the cells of a CSV file."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.reader(lines))


def _converted(file: Path, to: str, target: Path, folder: Path, *options: str) -> None:
    profile = f"-env:UserInstallation=file://{folder / 'profile'}"
    arguments = ["soffice", profile, "--headless", *options, "--convert-to", to, "--outdir", str(target), str(file)]
    subprocess.run(arguments, check=True, capture_output=True, timeout=600)
