"""Options that a caller may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from carrel.errors import UsageError
from carrel.languages import tesseract_code

OwnText = Literal["keep", "redo", "force"]
"""What is done about text that a PDF's page itself shows: it is the page's text, and only scans are read; it is that and
pictures beside it are read too; or it is read anew from the drawn page, like everything else."""

SECOND_BELOW = 0.8
"""Calibrated confidence under which a second opinion is asked for, where nobody says otherwise."""

REVIEW_BELOW = 0.8
"""Confidence under which a line is to be reviewed, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices for reading pages.

    Parameters
    ----------
    languages
        Languages of printed text, most likely first; of several, each page and line is read in one. Tesseract's codes, or
        tags, ISO codes and English names, which become those: ``eng``, ``en`` and ``English`` are the same.
    writing
        ``auto`` decides line by line; ``printed`` and ``handwritten`` send every line to one recognizer.
    model
        Folder of the handwriting model, or the name of one that ships with Carrel; None takes Carrel's default.
    second
        Folder of a model that gives a second opinion on lines that are read with less confidence than ``second_below``;
        the more confident reading is taken, the other kept as an alternative. It runs on the processor.
    words
        A text file of names and words that handwriting may hold, or the folder of a language model that ``carrel words``
        made; None takes the words of the shipped language model alone.
    form
        The template of a form: the fields of pages that fit it are read by name. See ``docs/forms.md``.
    threads
        Lines read at the same time, and the most threads that OpenCV may use in this process; 0 takes ``CARREL_THREADS``, or
        as many as processors and memory allow.
    max_megapixels
        Pages above this are refused before they are decoded.
    flatten, deskew
        Flatten the illumination and deskew the page before it is segmented; `carrel eval --steps` measures what each is
        worth.
    binarize
        Binarize the page (Sauvola) before lines are cropped; gray reads better on most scans.
    own_text
        Text that a PDF's page itself holds: see `OwnText`. Invisible text is always replaced.
    keep_rotation
        Leave a page that was read from its side or head as it lies in a PDF, instead of showing it upright.
    split_spreads
        Make two pages of a picture that shows two, left and right of a gutter; what runs across stays one page.
    line_timeout_s
        A printed line that Tesseract has not read by then is refused.
    page_timeout_s
        A page that has not been read by then is refused, None for no limit; looked at between stages and lines.
    language_model
        Search handwriting with the language model of French, English and German that ships with Carrel.
    memory_bytes
        Resident memory that the process stays within; None takes ``CARREL_MEMORY``, or four fifths of what is free.
    csv_safe
        In CSV, put an apostrophe before cells that a spreadsheet would take for a formula.
    backend, device, precision
        ``auto`` takes ``CARREL_BACKEND``, ``CARREL_DEVICE`` and ``CARREL_PRECISION``, or what was measured to be fastest;
        else ``onnxruntime`` or ``openvino``; ``cpu``, ``gpu`` (Intel) or ``cuda``; ``int8``, ``bf16``, ``fp16`` or ``fp32``.
    """

    languages: tuple[str, ...] = ("eng", "fra")
    writing: Literal["auto", "printed", "handwritten"] = "auto"
    model: Path | None = None
    second: Path | None = None
    second_below: float = SECOND_BELOW
    words: Path | None = None
    form: Path | None = None
    threads: int = 0
    max_megapixels: float = 250.0
    flatten: bool = True
    deskew: bool = True
    binarize: bool = False
    own_text: OwnText = "keep"
    keep_rotation: bool = False
    split_spreads: bool = False
    line_timeout_s: float = 5.0
    page_timeout_s: float | None = None
    language_model: bool = True
    memory_bytes: int | None = None
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
    csv_safe: bool = False

    def __post_init__(self) -> None:
        """Refuse values of the wrong kind or range.

        Raises
        ------
        UsageError
            The message names the parameter.
        """
        given: Any = self.languages
        if not isinstance(given, tuple) or not given or not all(_is_code(code) for code in self.languages):
            raise UsageError(f"languages: expected a tuple of codes such as ('eng', 'fra'), got {given!r}")
        object.__setattr__(self, "languages", tuple(dict.fromkeys(map(tesseract_code, self.languages))))
        if self.threads < 0:
            raise UsageError(f"threads: expected 0 (as many as the machine allows) or more, got {self.threads}")
        for name in ("max_megapixels", "line_timeout_s", "page_timeout_s", "memory_bytes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name}: expected more than 0, got {value}")
        if self.writing not in ("auto", "printed", "handwritten"):
            raise UsageError(f"writing: expected 'auto', 'printed' or 'handwritten', got {self.writing!r}")
        if not 0 <= self.second_below <= 1:
            raise UsageError(f"second_below: expected a confidence from 0 to 1, got {self.second_below}")
        if self.words is not None and not self.language_model:
            raise UsageError("words: are searched with the language model, which is switched off")

    @property
    def own_files(self) -> tuple[Path, ...]:
        """The models and words that the options name, and the folder of the form, which workers must be able to read."""
        form = self.form.resolve().parent if self.form is not None else None
        return tuple(path.resolve() for path in (self.model, self.second, self.words, form) if path is not None)


def _is_code(code: Any) -> bool:
    return isinstance(code, str) and bool(code.strip())
