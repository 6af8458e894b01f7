"""Drawn forms of several layouts, filled in script faces and digits, and worn as scans are; with their templates and true values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Gray = NDArray[np.uint8]
Digits = Mapping[str, Sequence[Gray]]
"""Pictures of digits, ink dark, by the digit."""
PRINT = Path("/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf")
SCRIPTS = (
    "/usr/share/fonts/opentype/dancingscript/DancingScript-Regular.otf",
    "/usr/share/fonts/truetype/kristi/Kristi.ttf",
)
NAMES = (
    "Anna",
    "Marie",
    "Jean",
    "Louis",
    "Karl",
    "Emma",
    "Paul",
    "Clara",
    "Hugo",
    "Martin",
    "Bernard",
    "Petit",
    "Richard",
    "Moreau",
)
PLACES = ("Paris", "Lyon", "Berlin", "Leipzig", "Dijon", "London", "Bremen", "Nantes", "Dresden", "Oxford")
LAYOUTS = ("card", "register", "sheet")
DATE = "<D.M.Y 1800-1949>"
INK, SIZE = 45, 38


@dataclass
class DrawnForm:
    """A filled form: its picture, its template as JSON would hold it, and the true values: of fields, or of (field, row)."""

    gray: Gray
    template: dict[str, Any]
    values: dict[tuple[str, int], str] = field(default_factory=dict)


class Sheet:
    """A page under the pen."""

    def __init__(self, width: int, height: int, rng: np.random.Generator, digits: Digits | None) -> None:
        self.image = Image.new("L", (width, height), 236)
        self.draw = ImageDraw.Draw(self.image)
        self.rng, self.digits = rng, digits
        self.labels: list[dict[str, Any]] = []
        self.rulings: list[list[float]] = []
        self.fields: list[dict[str, Any]] = []
        self.values: dict[tuple[str, int], str] = {}
        self.face = SCRIPTS[int(rng.integers(len(SCRIPTS)))]

    def label(self, x: int, y: int, text: str, size: int = 24) -> int:
        """Print words with their baseline at ``y``; returns where they end."""
        font = ImageFont.truetype(str(PRINT), size)
        for word in text.split():
            self.draw.text((x, y), word, font=font, fill=30, anchor="ls")
            self.labels.append({"text": word, "box": list(self.draw.textbbox((x, y), word, font=font, anchor="ls"))})
            x += round(font.getlength(word + " "))
        return x

    def rule(self, x1: int, y1: int, x2: int, y2: int) -> None:
        self.draw.line((x1, y1, x2, y2), fill=70, width=2)
        self.rulings.append([x1, y1, x2, y2])

    def frame(self, left: int, top: int, right: int, bottom: int) -> None:
        for side in (
            (left, top, right, top),
            (left, bottom, right, bottom),
            (left, top, left, bottom),
            (right, top, right, bottom),
        ):
            self.rule(*side)

    def write(self, name: str, row: int, text: str, box: Sequence[int]) -> None:
        """Write a value into a box, a little off its middle."""
        self.values[name, row] = text
        left, top, _, bottom = box
        x = left + int(self.rng.integers(8, 22))
        base = top + round(0.72 * (bottom - top)) + int(self.rng.integers(-3, 4))
        if self.digits and text.isdigit():
            for digit in text:
                x = self._paste(self.digits[digit], x, base, round(0.55 * (bottom - top)))
            return
        size = SIZE + int(self.rng.integers(-3, 5)) + (12 if "Kristi" in self.face else 0)
        self.draw.text((x, base), text, font=ImageFont.truetype(self.face, size), fill=INK, anchor="ls")

    def _paste(self, pictures: Sequence[Gray], x: int, base: int, tall: int) -> int:
        picture = pictures[int(self.rng.integers(len(pictures)))]
        size = max(4, round(picture.shape[1] * tall / picture.shape[0])), tall
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if tall < picture.shape[0] else cv2.INTER_CUBIC)
        place = (x, base - tall)
        under = np.array(self.image.crop((*place, x + size[0], base)))
        self.image.paste(Image.fromarray(np.minimum(under, small).astype(np.uint8)), place)
        return x + size[0] + int(self.rng.integers(1, 5))

    def tick(self, box: Sequence[int]) -> None:
        """Draw a cross or a tick into a box."""
        left, top, right, bottom = (v + int(self.rng.integers(-3, 4)) for v in box)
        if self.rng.random() < 0.5:
            self.draw.line((left + 4, top + 4, right - 4, bottom - 4), fill=INK, width=3)
            self.draw.line((right - 4, top + 4, left + 4, bottom - 4), fill=INK, width=3)
        else:
            middle = (left + (right - left) // 3, bottom - 4)
            self.draw.line((left + 3, (top + bottom) // 2, *middle, right - 2, top + 2), fill=INK, width=3)

    def template(self, name: str, **more: Any) -> dict[str, Any]:
        return {
            "format": "carrel-form/1",
            "name": name,
            "width_px": self.image.width,
            "height_px": self.image.height,
            "labels": self.labels,
            "rulings": self.rulings,
            "fields": self.fields,
            **more,
        }

    def done(self, name: str, **more: Any) -> DrawnForm:
        return DrawnForm(np.array(self.image), self.template(name, **more), self.values)


def drawn_form(layout: str, rng: np.random.Generator, digits: Digits | None = None) -> DrawnForm:
    """Draw a filled form, as it would be without wear."""
    return {"card": _card, "register": _register, "sheet": _sheet}[layout](rng, digits)


def _date(rng: np.random.Generator) -> str:
    return f"{rng.integers(1, 29)}.{rng.integers(1, 13)}.{rng.integers(1800, 1950)}"


def _name(rng: np.random.Generator) -> str:
    return " ".join(NAMES[int(rng.integers(len(NAMES)))] for _ in range(2))


def _card(rng: np.random.Generator, digits: Digits | None) -> DrawnForm:
    sheet = Sheet(1240, 860, rng, digits)
    sheet.label(80, 80, "Municipal archive of the harbour district", 30)
    rows = (
        ("name", "Surname and given name", _name(rng), {}),
        ("place", "Parish of residence", PLACES[int(rng.integers(len(PLACES)))], {"lexicon": "places.txt"}),
        ("born", "Date of birth", _date(rng), {"kind": "date", "pattern": DATE}),
        (
            "number",
            "Number of entry",
            str(rng.integers(1, 10000)),
            {"kind": "number", "pattern": "<1-9999>", "required": True},
        ),
    )
    for k, (name, label, value, more) in enumerate(rows):
        top = 130 + 95 * k
        sheet.label(80, top + 50, label)
        box = (480, top, 1160, top + 80)
        sheet.frame(*box)
        sheet.fields.append({"name": name, "box": [box[0] + 3, box[1] + 3, box[2] - 3, box[3] - 3], **more})
        sheet.write(name, 0, value, box)
    sheet.label(80, 570, "Member number")
    code = "".join(str(d) for d in rng.integers(0, 10, 6))
    boxes = [(480 + 66 * k, 520, 480 + 66 * k + 58, 590) for k in range(6)]
    for box, digit in zip(boxes, code, strict=True):
        sheet.frame(*box)
        sheet.write("code", 0, digit, (box[0] - 2, box[1], box[2], box[3]))
    sheet.values["code", 0] = code
    sheet.fields.append({"name": "code", "kind": "boxes", "boxes": [list(b) for b in boxes], "pattern": r"\d{6}"})
    sheet.label(80, 680, "Marital status")
    options, chosen = [], int(rng.integers(3))
    for k, value in enumerate(("single", "married", "widowed")):
        box = (480 + 220 * k, 652, 516 + 220 * k, 688)
        sheet.frame(*box)
        sheet.label(box[2] + 14, 680, value)
        options.append({"value": value, "box": list(box)})
        if k == chosen:
            sheet.tick(box)
            sheet.values["status", 0] = value
    sheet.fields.append({"name": "status", "kind": "choice", "options": options})
    sheet.rule(80, 760, 1160, 760)
    sheet.label(80, 810, "Signed by the keeper of the register")
    return sheet.done("card")


def _register(rng: np.random.Generator, digits: Digits | None) -> DrawnForm:
    sheet = Sheet(1500, 1240, rng, digits)
    sheet.label(90, 80, "Register of departures kept at the southern customs house", 28)
    lefts, top, tall, count = (90, 230, 760, 1080, 1410), 180, 78, 12
    headings = ("Running", "Traveller", "Departure", "Amount")
    names = ("no", "name", "date", "amount")
    kinds: tuple[dict[str, Any], ...] = (
        {"kind": "number", "pattern": "<1-999>"}, {}, {"kind": "date", "pattern": DATE}, {"kind": "number", "pattern": r"\d{1,4}"},
    )  # fmt: skip
    for left, heading in zip(lefts, headings, strict=False):
        sheet.label(left + 14, top - 26, heading)
    for k in range(count + 1):
        sheet.rule(lefts[0], top + k * tall, lefts[-1], top + k * tall)
    for left in lefts:
        sheet.rule(left, top - 70, left, top + count * tall)
    sheet.rule(lefts[0], top - 70, lefts[-1], top - 70)
    for name, kind, left, right in zip(names, kinds, lefts[:-1], lefts[1:], strict=True):
        sheet.fields.append({"name": name, "column": True, "box": [left + 2, top, right - 2, top + tall], **kind})
    first = int(rng.integers(1, 900))
    filled = int(rng.integers(7, count + 1))
    for k in range(filled):
        values = (str(first + k), _name(rng), _date(rng), str(rng.integers(1, 10 ** int(rng.integers(1, 5)))))
        for name, value, left, right in zip(names, values, lefts[:-1], lefts[1:], strict=True):
            sheet.write(name, k + 1, value, (left, top + k * tall, right, top + (k + 1) * tall))
    return sheet.done("register", rows=[[top + k * tall, top + (k + 1) * tall] for k in range(count)])


def _sheet(rng: np.random.Generator, digits: Digits | None) -> DrawnForm:
    sheet = Sheet(1240, 1100, rng, digits)
    sheet.label(80, 90, "Application for admission to the reading room", 30)
    rows = (
        ("applicant", "Applicant", _name(rng), {}),
        ("town", "Town", PLACES[int(rng.integers(len(PLACES)))], {"lexicon": "places.txt"}),
        ("day", "Visiting since", _date(rng), {"kind": "date", "pattern": DATE}),
        ("house", "House number", str(rng.integers(1, 400)), {"kind": "number", "pattern": "<1-399>"}),
        ("shelf", "Shelfmark", str(rng.integers(100, 10000)), {"kind": "number", "pattern": r"\d{3,4}"}),
        ("volumes", "Volumes requested", str(rng.integers(1, 10)), {"kind": "number", "pattern": r"\d"}),
    )
    for k, (name, label, value, more) in enumerate(rows):
        base = 210 + 130 * k
        sheet.label(80, base, label)
        sheet.rule(420, base + 12, 1150, base + 12)
        box = (420, base - 70, 1150, base + 26)
        sheet.fields.append({"name": name, "box": list(box), **more})
        sheet.write(name, 0, value, (box[0], box[1], box[2], box[3] - 10))
    sheet.label(80, 1030, "Please return this sheet before closing time")
    return sheet.done("sheet")


def worn(gray: Gray, rng: np.random.Generator, *, missing_corner: bool = False) -> tuple[Gray, NDArray[np.float64]]:
    """Return a page as another scanner gives it: on a larger bed, skewed, scaled, in a slight perspective, shaded, noisy; and
    the perspective, float64 ``(3, 3)``, from px of the page to px of the scan."""
    height, width = gray.shape
    scale, angle = rng.uniform(0.8, 1.25), math.radians(rng.uniform(-2.5, 2.5))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = (corners - corners.mean(axis=0)) @ turn.T + rng.normal(0, 0.006 * width, (4, 2))
    moved -= moved.min(axis=0) - rng.uniform(20, 70, 2)
    size = tuple(int(v) for v in np.ceil(moved.max(axis=0) + rng.uniform(20, 70, 2)))
    change = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    border = int(rng.integers(195, 245))
    page = cv2.warpPerspective(gray, change, size, flags=cv2.INTER_AREA, borderValue=(border,)).astype(np.float32)
    if missing_corner:
        corner = moved[int(rng.integers(4))].astype(np.int32)
        middle = moved.mean(axis=0)
        reach = (np.sign(middle - corner) * rng.uniform(0.06, 0.1) * width).astype(np.int32)
        triangle = np.stack([corner, corner + reach * np.array([1, 0]), corner + reach * np.array([0, 1])])
        cv2.fillPoly(page, [triangle.astype(np.int32)], (float(border),))
    shade = np.linspace(rng.uniform(0.85, 1), rng.uniform(0.85, 1), size[0])[None]
    page = cv2.GaussianBlur(page * shade, (0, 0), rng.uniform(0.4, 0.9)) + rng.normal(0, rng.uniform(2, 7), page.shape)
    return np.clip(page, 0, 255).astype(np.uint8), np.asarray(change, np.float64)
