"""The page model: what was read, where it stands, with which confidence.

All coordinates are whole pixels of the original scan, x to the right, y down. Reading order is list order. Confidences
are probabilities in [0, 1]. Region kinds and line types are those of SegmOnto (https://segmonto.github.io).

Regions and lines have ids: XML names (without a colon), unique in the page; `carrel.identity` gives them and keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import os
    from pathlib import Path

Point = tuple[int, int]
Points = tuple[Point, ...]
WritingKind = Literal["printed", "handwritten", "unknown"]
Edge = Literal["left", "top", "right", "bottom"]
CorrectionState = Literal["corrected", "confirmed"]
BLEED_THROUGH = "DefaultLine:BleedThrough"
"""The type of lines that belong to the other side of the paper."""
FORMER_LINE_TYPES = {"DefaultLine:ShowThrough": BLEED_THROUGH}
"""Line types of earlier versions, which are still read."""

STAMP_ZONE = "StampZone"
"""The kind of regions that are stamps; they are found by their outlines and may hold no line."""


class Box(NamedTuple):
    """An upright rectangle in px; ``right`` and ``bottom`` lie just outside."""

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, points: Points) -> Box:
        """Return the smallest box that holds all ``points``."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        return cls(min(xs), min(ys), max(xs) + 1, max(ys) + 1)


@dataclass(frozen=True, slots=True)
class Writing:
    """Printed or handwritten, and how probable that is in [0, 1]."""

    kind: WritingKind
    probability: float


@dataclass(frozen=True, slots=True)
class Character:
    """One character and the box it was read from."""

    text: str
    confidence: float
    box: Box


@dataclass(frozen=True, slots=True)
class Word:
    """One word; ``characters`` is empty where the recognizer gives none."""

    text: str
    box: Box
    confidence: float
    characters: tuple[Character, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reading of a line, by the same or the other recognizer."""

    text: str
    confidence: float
    recognizer: str


@dataclass(frozen=True, slots=True)
class Correction:
    """The text that a person gave a line: who ``by``, when ``at`` (UTC, as ``2026-01-31T12:00:00Z``).

    ``state`` is "confirmed" where the person found the line right as it was read. ``text`` is the whole line; it is empty
    where there is no text.
    """

    text: str
    by: str
    at: str
    state: CorrectionState


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text.

    ``baseline`` has at least two distinct points in reading direction, ``polygon`` at least three. ``text`` is what was
    read, empty where the recognizer refused; ``recognizer`` names what read it ("tesseract", "ctc", "" for none).
    ``words`` are those of ``text``. ``line_type`` is `BLEED_THROUGH` for writing of the other side of the paper; it is
    refused, and what was read is an alternative. ``id`` is empty until one is given.
    """

    baseline: Points
    polygon: Points
    writing: Writing
    text: str
    confidence: float
    words: tuple[Word, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    recognizer: str = ""
    line_type: str = "DefaultLine"
    id: str = ""
    correction: Correction | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "line_type", FORMER_LINE_TYPES.get(self.line_type, self.line_type))

    @property
    def final_text(self) -> str:
        """The correction where there is one, else what was read."""
        return self.correction.text if self.correction else self.text


@dataclass(frozen=True, slots=True)
class Region:
    """A block of lines: ``kind`` is a SegmOnto zone such as MainZone, MarginTextZone, StampZone, TableZone."""

    kind: str
    polygon: Points
    lines: tuple[Line, ...]
    id: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a page: software version, models as ``name@sha256[:12]``, and the settings that matter.

    ``languages`` are those that print was read in, that of most of it first; without print, those to choose from.
    ``created`` is the time in UTC as ``2026-01-31T12:00:00Z``, empty where it was not recorded. ``form`` is the form whose fields
    were read, as ``name@sha256[:12]``; where the page does not fit it, a colon and the reason follow.
    """

    software: str
    models: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    skew_degrees: float = 0.0
    created: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """The scan: file name without folders, and the page in it, counted from 0."""

    file_name: str
    page_index: int = 0


BLURRED, MIN_BLUR_PX = 6.2, 3.0
MIN_GLARE = 0.008  # photographs without glare reach 0.003, with a spot of it on some lines 0.009 to 0.06
"""Sharpness below which letters begin to be lost, where edges are at least so wide: narrower ones are those of a coarse scan.
Real scans have 10 to 24; the sample pages blurred by Gaussians lose the first letters at 6, one in ten at 4; 2026-11."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of how well the scan shows the letters, taken on its lines.

    Parameters
    ----------
    sharpness
        Height of small letters over the width of their edges, on the quarter of the lines that are least sharp; more is
        sharper, 0 where no ink could be measured.
    contrast
        How much darker ink is than its paper, as a share of the paper's brightness, in [0, 1].
    x_height_px
        Height of small letters, px of the scan; below 8 they are hard to read.
    cut_edges
        Sides of the scan that lines run up to, so that letters may be missing.
    skew_degrees
        Of the lines, positive where they fall to the right, without the orientation.
    glare
        Share in [0, 1] of the text's area on which light is thrown back so strongly that ink fades.
    """

    sharpness: float
    contrast: float
    x_height_px: float
    cut_edges: tuple[Edge, ...] = ()
    skew_degrees: float = 0.0
    glare: float = 0.0

    @property
    def has_glare(self) -> bool:
        """True where the page should be photographed again in another light."""
        return self.glare >= MIN_GLARE

    @property
    def is_blurred(self) -> bool:
        """True where the page should be scanned again because its letters are not sharp."""
        return 0 < self.sharpness < min(BLURRED, self.x_height_px / MIN_BLUR_PX)


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``dpi`` is None where the scan says nothing usable; ``uncovered_ink`` is the share of the page's ink
    that neither a line nor a stamp covers, None where it was not measured.

    ``gutter`` parts a spread that is to become two pages: two points on the edge of the scan, from the head of the pages to
    their foot; see `carrel.formats.halves`. ``quality`` is None where nothing was read.

    Examples
    --------
    Pages are never changed; a correction makes another one, and goes into every format:

    >>> from dataclasses import replace
    >>> region, line = page.regions[0], page.regions[0].lines[0]
    >>> right = carrel.Correction("As it should be", "me", "2026-01-31T12:00:00Z", "corrected")
    >>> region = replace(region, lines=(replace(line, correction=right), *region.lines[1:]))
    >>> corrected = replace(page, regions=(region, *page.regions[1:]))
    >>> corrected.text.splitlines()[0]
    'As it should be'
    >>> corrected.save("corrected.json").exists()
    True
    """

    width_px: int
    height_px: int
    dpi: float | None
    regions: tuple[Region, ...]
    source: Source
    provenance: Provenance = field(default_factory=lambda: Provenance(""))
    uncovered_ink: float | None = None
    gutter: tuple[Point, Point] | None = None
    quality: Quality | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines in reading order."""
        return tuple(line for region in self.regions for line in region.lines)

    @property
    def text(self) -> str:
        """The text in reading order, corrections included: a line break after each line, an empty line between regions."""
        blocks = ("\n".join(line.final_text for line in region.lines if line.final_text) for region in self.regions)
        return "\n\n".join(block for block in blocks if block)

    @property
    def refused(self) -> tuple[Line, ...]:
        """Lines that were found but read neither by a recognizer nor by a person."""
        return tuple(line for line in self.lines if not line.text and line.correction is None)

    def save(
        self,
        path: str | os.PathLike[str],
        format: str | None = None,
        *,
        scan: bytes | str | os.PathLike[str] | None = None,
    ) -> Path:
        """Write the page to a file, whole or not at all; returns its path.

        Parameters
        ----------
        path
            Where to; a file that is there is replaced.
        format
            See `carrel.write`; None takes what the name ends in: ``.txt``, ``.json``, ``.alto.xml``, ``.page.xml``,
            ``.hocr.html``, ``.tei.xml``, ``.csv``, ``.pdf``.
        scan
            The file that the page was read from, as bytes or a path; a PDF needs it.

        Raises
        ------
        UsageError
            Neither the name nor ``format`` tells a format, or the scan is missing.
        OutputError
            The file cannot be written; what stood there is as it was.

        Examples
        --------
        >>> page.save("letter.alto.xml").name
        'letter.alto.xml'
        >>> page.save("letter.pdf", scan="letter.jpg").stat().st_size > 0
        True
        """
        saved: Path = import_module("carrel.formats.save").save(self, path, format, scan)
        return saved


def needs_review(line: Line, below: float) -> bool:
    """Tell whether a person should look at ``line``: nobody has, and it was read with less confidence than ``below``."""
    return line.correction is None and (not line.text or line.confidence < below)


REVIEW_SHARE = 0.1
"""Share of wrong words expected on a page from which a person should look at it: in good print 0.01 to 0.05 are wrong, in
handwriting 0.1 to 0.4."""


def expected_word_errors(page: Page) -> float:
    """Return the share in [0, 1] of a page's words that are probably wrong, by their confidences.

    A line that was not read counts as many wrong words as the page's other lines have on average. Lines that a person has
    seen count as right, those of the other side of the paper not at all.
    """
    lines = [line for line in page.lines if line.line_type != BLEED_THROUGH]
    known = [max(1, len(line.final_text.split())) for line in lines if line.text or line.correction]
    usual = sum(known) / len(known) if known else 1.0
    wrong = words = 0.0
    for line in lines:
        if line.correction:
            words += len(line.final_text.split())
        elif not line.text:
            words, wrong = words + usual, wrong + usual
        else:
            confidences = [word.confidence for word in line.words] or [line.confidence] * len(line.text.split())
            words += len(confidences)
            wrong += sum(1 - min(max(confidence, 0.0), 1.0) for confidence in confidences)
    return wrong / words if words else 0.0


def page_needs_review(page: Page) -> bool:
    """Tell whether more than `REVIEW_SHARE` of a page's words are probably wrong."""
    return expected_word_errors(page) > REVIEW_SHARE
