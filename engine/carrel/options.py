"""What a caller may choose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OwnText = Literal["keep", "redo", "force"]
"""What is done about text that a PDF's page itself shows: it is the page's text, and only scans are read; it is that and
pictures beside it are read too; or it is read anew from the drawn page, like everything else."""
REVIEW_BELOW = 0.8
"""Confidence under which a line is to be reviewed, where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """Choices for reading pages.

    Parameters
    ----------
    languages
        Tesseract languages of printed text, most likely first; of several, each page and line is read in one.
    writing
        ``auto`` decides line by line; ``printed`` and ``handwritten`` send every line to one recognizer.
    model
        Folder of the handwriting model, or the name of one that ships with Carrel; None takes Carrel's default.
    threads
        Lines read at the same time; 0 takes ``CARREL_THREADS``, or as many as processors and memory allow.
    max_megapixels
        Pages above this are refused before they are decoded.
    flatten, deskew
        Flatten the illumination and deskew the page before lines are looked for; `carrel eval --steps` measures what each is worth.
    binarize
        Turn the page black and white before lines are cut out (Sauvola); gray reads better on most scans.
    own_text
        Text that a PDF's page itself holds: see `OwnText`. Invisible text is always replaced.
    keep_rotation
        Leave a page that was read from its side or head as it lies in a PDF, instead of showing it upright.
    line_timeout_s
        A printed line that Tesseract has not read by then is refused.
    language_model
        Search handwriting with the character model of French and English that ships with Carrel.
    memory_bytes
        Resident memory that the process stays within; None takes ``CARREL_MEMORY``, or four fifths of what is free.
    backend, device, precision
        ``auto`` takes ``CARREL_BACKEND``, ``CARREL_DEVICE`` and ``CARREL_PRECISION``, or what was measured to be fastest;
        else ``onnxruntime`` or ``openvino``; ``cpu``, ``gpu`` (Intel) or ``cuda``; ``int8``, ``bf16``, ``fp16`` or ``fp32``.
    """

    languages: tuple[str, ...] = ("eng", "fra")
    writing: Literal["auto", "printed", "handwritten"] = "auto"
    model: Path | None = None
    threads: int = 0
    max_megapixels: float = 250.0
    flatten: bool = True
    deskew: bool = True
    binarize: bool = False
    own_text: OwnText = "keep"
    keep_rotation: bool = False
    line_timeout_s: float = 5.0
    language_model: bool = True
    memory_bytes: int | None = None
    backend: str = "auto"
    device: str = "auto"
    precision: str = "auto"
