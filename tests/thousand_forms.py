"""A thousand small forms through one ``carrel batch --form``: each row of the table must hold its own page's values.

    PYTHONPATH=engine:cli:tests:bench:models python tests/thousand_forms.py --count 1000

Every page has a number of its own, printed with its check digit and written into boxes, so that a value of another page is
known wherever it comes out. Prints what was found; exit code 1 where a row is missing, there twice, or holds what belongs to
another page, and where the table does not come back whole from LibreOffice (skipped without ``soffice``).
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from carrel_bench.accuracy.drawn_forms import DrawnForm, Sheet, worn
from spreadsheets import back_from, cells_of, has_office

FIRST = 10_000
STEP = 37
"""Between the numbers of two pages: one digit misread is no other page's number more often than by chance."""


def with_check_digit(number: int) -> str:
    """Return a number with its Luhn digit behind it."""
    digits = [int(d) * (2 if n % 2 == 0 else 1) for n, d in enumerate(reversed(str(number)))]
    return f"{number}{-sum(d - 9 * (d > 9) for d in digits) % 10}"


def number_of(page: int) -> str:
    """Return the number of a page of six digits, the last a check digit."""
    return with_check_digit(FIRST + STEP * page)


def slip(page: int) -> DrawnForm:
    """Draw the slip of a page: its number in print and in boxes, and a tick that says whether it is odd."""
    rng = np.random.default_rng(page)
    sheet = Sheet(760, 400, rng, None)
    sheet.label(40, 50, "Requests of the reading room", 24)
    sheet.label(40, 120, "Printed number")
    sheet.label(340, 120, number_of(page), 26)
    sheet.labels.pop()  # it is a value
    sheet.values["printed", 0] = number_of(page)
    sheet.rule(330, 132, 700, 132)
    sheet.fields.append({"name": "printed", "kind": "number", "pattern": "<luhn 6>", "box": [330, 84, 700, 134]})
    sheet.label(40, 220, "Repeated by hand")
    boxes = [(340 + 60 * k, 172, 394 + 60 * k, 236) for k in range(6)]
    for box, digit in zip(boxes, number_of(page), strict=True):
        sheet.frame(*box)
        sheet.write("digit", 0, digit, (box[0] - 2, box[1], box[2], box[3]))
    sheet.values.pop(("digit", 0))
    sheet.values["written", 0] = number_of(page)
    sheet.fields.append({"name": "written", "kind": "boxes", "boxes": [list(b) for b in boxes], "pattern": r"\d{6}"})
    sheet.label(40, 310, "Kind of request")
    options: list[dict[str, object]] = []
    for k, value in enumerate(("even", "odd")):
        box = [340 + 180 * k, 286, 372 + 180 * k, 318]
        sheet.frame(*box)
        sheet.label(box[2] + 10, 312, value)
        options.append({"value": value, "box": box})
        if k == page % 2:
            sheet.tick(box)
            sheet.values["kind", 0] = value
    sheet.fields.append({"name": "kind", "kind": "choice", "options": options})
    sheet.rule(40, 360, 720, 360)
    return sheet.done("slip")


def drawn(folder: Path, count: int) -> None:
    """Draw so many worn slips below ``folder``/in, and their template."""
    (folder / "in").mkdir()
    for page in range(count):
        form = slip(page)
        gray, _ = worn(form.gray, np.random.default_rng(10_000 + page))
        cv2.imwrite(str(folder / "in" / f"slip-{page:04d}.png"), gray)
        if not page:
            (folder / "slip.json").write_text(json.dumps(form.template), "utf-8")


def judged(file: Path, count: int) -> tuple[Counter[str], list[str]]:
    """Return what the table holds, counted, and what is wrong with it: rows that miss, are there twice, or are another page's."""
    numbers = {number_of(page): page for page in range(count)}
    told: Counter[str] = Counter()
    wrong: list[str] = []
    seen: Counter[str] = Counter()
    for row in csv.DictReader(file.read_text("utf-8-sig").splitlines()):
        seen[row["document"]] += 1
        page = int(row["document"].rpartition("-")[2])
        marked = row["review"]
        told["pages that do not fit"] += "does not fit" in marked
        for name, true in (
            ("printed", number_of(page)),
            ("written", number_of(page)),
            ("kind", ("even", "odd")[page % 2]),
        ):
            named = f"{name}: " in marked or "does not fit" in marked
            told[f"{name} right"] += row[name] == true
            told[f"{name} wrong without a mark"] += row[name] != true and not named
            if name != "kind" and row[name] != true and row[name] in numbers:
                told["numbers of another page"] += 1
                if row["printed"] == row["written"]:  # both: no misreading
                    wrong.append(f"{row['document']}: {name} {row[name]} is that of page {numbers[row[name]]}")
        if f"slip-{page:04d}" not in row["file"]:
            wrong.append(f"{row['document']}: its file is {row['file']}")
    wrong += [
        f"slip-{page:04d}: {seen[f'slip-{page:04d}']} rows" for page in range(count) if seen[f"slip-{page:04d}"] != 1
    ]
    return told, wrong


def main() -> int:
    """Draw, read and judge; return the exit code."""
    parser = argparse.ArgumentParser(description="A thousand forms through batch.")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--workers", default="1")
    parser.add_argument("--folder", type=Path, help="an empty folder that pages and results are left in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="carrel-forms-") as name:
        folder = arguments.folder or Path(name)
        drawn(folder, arguments.count)
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-c", "from carrel_cli.main import main; main()", "batch", str(folder / "in")]
        options = ["-o", str(folder / "out"), "--form", str(folder / "slip.json"), "-f", "json", "--workers"]
        code = subprocess.run([*command, *options, arguments.workers, "-q"], check=False).returncode
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        table = folder / "out" / "fields-slip.csv"
        told, wrong = judged(table, arguments.count)
        print(f"exit code {code}, {time.monotonic() - began:.0f} s, {cpu / arguments.count:.2f} CPU s a page")
        for what, count in sorted(told.items()):
            print(f"{what}: {count}")
        if has_office():
            rows = cells_of(table)
            for kind in ("xlsx", "ods"):
                same = back_from(table, kind, folder) == rows
                print(f"by {kind} of LibreOffice and back: {'the same' if same else 'CHANGED'}")
                wrong += [] if same else [f"{table.name} changes by {kind}"]
    print("\n".join(wrong) or f"{arguments.count} rows, each of its own page")
    return int(bool(wrong) or code != 0)


if __name__ == "__main__":
    sys.exit(main())
