"""The request of a batch, as it travels to the workers and into the journal."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from carrel.options import REVIEW_BELOW, ReadOptions
from carrel.workers.messages import READ_PAGES, Work


@dataclass(frozen=True, slots=True)
class Settings:
    """Choices for all pages of a batch.

    Parameters
    ----------
    options
        How pages are read.
    formats
        Names of the results' formats, as in ``carrel.formats.FORMATS``.
    review_below
        Lines read with less confidence than this are counted as to be reviewed.
    most_pages, most_bytes
        Files above these are refused.
    entry
        ``module:function`` that workers call with these settings for a function from scan to results.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    formats: tuple[str, ...] = ("text",)
    review_below: float = REVIEW_BELOW
    most_pages: int = 5000
    most_bytes: int = 2 * 2**30
    entry: str = READ_PAGES

    def key(self, identity: str) -> str:
        """Return the digest of everything that changes how a page is read, and of the ``identity`` of the models. Formats,
        limits and the number of threads are no part of it."""
        alone = () if self.options.second else ("second_below",)
        options = {k: v for k, v in _options(self.options).items() if k not in (*_WITHOUT_EFFECT, *alone)}
        matters = [self.entry, identity, options]
        return hashlib.sha256(json.dumps(matters, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def work(self) -> Work:
        """The message that workers get."""
        return Work(self.options, self.review_below, self.most_pages, self.most_bytes, self.entry)


_WITHOUT_EFFECT = (
    "csv_safe",
    "page_timeout_s",
    "threads",
    "max_megapixels",
    "memory_bytes",
    "backend",
    "device",
    "precision",
    "model",
    "second",
    "words",
    "form",
)
"""What a page need not be read again for: devices agree within what the probe allows, models, words and form are in the
identity."""


def _options(options: ReadOptions) -> dict[str, Any]:
    values = asdict(options)
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
