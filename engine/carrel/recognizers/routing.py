"""Recognizers of lines: the kind of writing decides, by one table.

Lines of one page are mostly of one kind, so what the other lines look like counts as the prior of each.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from carrel.image.ink import holds_ink
from carrel.options import SECOND_BELOW
from carrel.page import Writing, WritingKind
from carrel.recognizers.bleed_through import refuse_bleed_through, refuse_printed_bleed_through
from carrel.recognizers.floor import refuse_doubtful
from carrel.recognizers.script import Detect, refuse_unknown_script
from carrel.recognizers.short_cells import part_short_cells
from carrel.recognizers.spread import ONE_AFTER_THE_OTHER, Spread
from carrel.recognizers.types import PageRecognizer, Reading, Recognition, Recognizer

Gray = NDArray[np.uint8]
Classify = Callable[[Sequence[Gray], Spread], NDArray[np.float64]]
"""Crops to their distributions over the kinds of `ROUTES`, ``(n, kinds)`` in [0, 1], each row of sum 1."""


@dataclass(frozen=True, slots=True)
class Route:
    """The recognizers of a kind of writing.

    Parameters
    ----------
    recognizers
        Names, the first choice first, then the fallbacks.
    fallback_below, unsure_fallback_below
        Confidence under which the next fallback reads a line too: where the kind is clear, and where it is not.
    """

    recognizers: tuple[str, ...]
    fallback_below: float
    unsure_fallback_below: float


ROUTES: Mapping[WritingKind, Route] = {
    "printed": Route(("tesseract", "ctc"), fallback_below=0.75, unsure_fallback_below=math.inf),
    "handwritten": Route(("ctc", "tesseract"), fallback_below=0.0, unsure_fallback_below=0.9),
}
"""The kinds of writing, in the order of the classification's columns, and how each is read (val pages)."""


def routes_with(name: str) -> Mapping[WritingKind, Route]:
    """Return the routes with another recognizer before the CTC network, which reads what that one refuses."""
    return {
        kind: replace(
            route, recognizers=tuple(n for of in route.recognizers for n in ((name, of) if of == "ctc" else (of,)))
        )
        for kind, route in ROUTES.items()
    }


def routes_for(scripts: Mapping[str, frozenset[str]]) -> Mapping[WritingKind, Route]:
    """Return the routes for the scripts that recognizers know, by their names: handwriting is not read by a network that
    knows none of the scripts of the languages."""
    if scripts["ctc"] & scripts["tesseract"]:
        return ROUTES
    return {kind: replace(route, recognizers=("tesseract",)) for kind, route in ROUTES.items()}


SECOND, ENCODER_DECODER = "second", "seq2seq"
"""Names of the recognizer that gives second opinions, and of that which reads before the CTC network."""
MIN_KIND_PROBABILITY = 0.9
"""Probability from which the kind of a line is clear."""
PRIOR_LIMITS = (0.05, 0.95)
"""Prior of a kind: however alike the other lines are, one that differs clearly is believed."""
BLEED_THROUGH_RECOGNIZER, PRINTED_BLEED_THROUGH_RECOGNIZER = "ctc", "tesseract"


@dataclass(frozen=True)
class Router:
    """A reader of lines, each with the recognizers of its kind of writing.

    Parameters
    ----------
    recognizers
        Those that the routes name, by name.
    classify
        Tells the kinds of crops that hold ink.
    writing
        "auto", or the kind of which every line is: it is then read by the recognizers of that kind alone, none of another's.
    routes
        How each kind is read.
    scripts, detect_script
        The scripts that recognizers know, by name of the recognizer, and what tells that of lines; None asks nothing.
    second_below
        Lines that are read with less confidence are read by the recognizer `SECOND`, too, where there is one.
    """

    recognizers: Mapping[str, Recognizer]
    classify: Classify
    writing: str = "auto"
    routes: Mapping[WritingKind, Route] = field(default_factory=lambda: ROUTES)
    scripts: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    detect_script: Detect | None = None
    second_below: float = SECOND_BELOW

    def read(self, crops: Sequence[Gray], spread: Spread = ONE_AFTER_THE_OTHER) -> list[Reading]:
        """Read the lines of one page: by kind, then the fallback of each kind, then the second opinion on what is unsure, then
        without bleed-through and what is too doubtful.

        Parameters
        ----------
        crops
            All lines of the page, uint8 ``(height, width)``, ink dark.

        Returns
        -------
        list of Reading
            One for each crop; the same whatever the number of threads.
        """
        inked = spread.map(holds_ink, crops)  # Tesseract reads words on empty paper
        kinds = list(self.routes)
        distributions = self._distributions(crops, inked, spread)
        likeliest = [kinds[k] for k in distributions.argmax(axis=1)] if len(crops) else []
        clear = distributions.max(axis=1, initial=0.0) >= MIN_KIND_PROBABILITY
        page = self._for_page(crops, inked, likeliest)
        tried: list[dict[str, Recognition]] = [{} for _ in crops]
        _read_by(
            {k: self.routes[likeliest[k]].recognizers[0] for k, ink in enumerate(inked) if ink},
            page,
            crops,
            tried,
            spread,
        )
        for rank in range(1, max(len(self._recognizers_of(kind)) for kind in kinds)):
            _read_by(self._fallbacks(rank, likeliest, clear.tolist(), tried), page, crops, tried, spread)
        if SECOND in page:
            _read_by(dict.fromkeys(self._unsure(tried), SECOND), page, crops, tried, spread)
        readings = [
            _best(read, Writing(kind if is_clear else "unknown", round(float(of.max()), 4)))
            for read, kind, is_clear, of in zip(tried, likeliest, clear, distributions, strict=True)
        ]
        readings = part_short_cells(crops, readings)
        if self.detect_script is not None:
            readings = refuse_unknown_script(crops, readings, self.scripts, self.detect_script)
        checker = page.get(BLEED_THROUGH_RECOGNIZER)
        if self.writing != "auto" or checker is None:
            return refuse_doubtful(readings)
        readings = refuse_bleed_through(crops, readings, checker, spread)
        printed = page.get(PRINTED_BLEED_THROUGH_RECOGNIZER)
        return refuse_doubtful(
            refuse_printed_bleed_through(crops, readings, printed, spread) if printed is not None else readings
        )

    def _distributions(self, crops: Sequence[Gray], inked: Sequence[bool], spread: Spread) -> NDArray[np.float64]:
        """Return the distribution over the kinds of each crop, given all; ``(n, kinds)``."""
        if self.writing != "auto":
            return np.tile([float(kind == self.writing) for kind in self.routes], (len(crops), 1))
        alone = np.full((len(crops), len(self.routes)), 1.0 / len(self.routes))
        if any(inked):
            alone[np.array(inked)] = self.classify(
                [crop for crop, ink in zip(crops, inked, strict=True) if ink], spread
            )
        return in_context(alone, np.array([crop.shape[1] / crop.shape[0] for crop in crops]))

    def _for_page(
        self, crops: Sequence[Gray], inked: Sequence[bool], kinds: Sequence[WritingKind]
    ) -> dict[str, Recognizer]:
        """Return the recognizers by name, each ready for the lines of which it is the first choice."""
        page: dict[str, Recognizer] = {}
        for name, recognizer in self.recognizers.items():
            lines = zip(crops, inked, kinds, strict=True)
            first = [crop for crop, ink, kind in lines if ink and self.routes[kind].recognizers[0] == name]
            page[name] = recognizer.for_page(first) if isinstance(recognizer, PageRecognizer) else recognizer
        return page

    def _recognizers_of(self, kind: WritingKind) -> tuple[str, ...]:
        """Return the recognizers of a kind of writing; without those of another kind where every line is of one."""
        first, *others = self.routes[kind].recognizers
        if self.writing == "auto":
            return first, *others
        of_other_kinds = {route.recognizers[0] for other, route in self.routes.items() if other != kind}
        return first, *takewhile(lambda name: name not in of_other_kinds, others)

    def _fallbacks(
        self, rank: int, kinds: Sequence[WritingKind], clear: Sequence[bool], tried: Sequence[dict[str, Recognition]]
    ) -> dict[int, str]:
        """Return the fallback of this rank of each line that is to be read by it, too."""
        chosen: dict[int, str] = {}
        for k, (kind, is_clear, read) in enumerate(zip(kinds, clear, tried, strict=True)):
            route, names = self.routes[kind], self._recognizers_of(kind)
            below = route.fallback_below if is_clear else route.unsure_fallback_below
            is_unsure = all(not r.text or r.confidence < below for r in read.values())
            if read and len(names) > rank and is_unsure:
                chosen[k] = names[rank]
        return chosen

    def _unsure(self, tried: Sequence[Mapping[str, Recognition]]) -> list[int]:
        """Return the lines, by their indices, that hold ink and of which every reading is unsure or without a text."""
        return [
            k
            for k, read in enumerate(tried)
            if read and max(r.confidence if r.text else 0.0 for r in read.values()) < self.second_below
        ]


def _read_by(
    chosen: Mapping[int, str],
    recognizers: Mapping[str, Recognizer],
    crops: Sequence[Gray],
    tried: Sequence[dict[str, Recognition]],
    spread: Spread,
) -> None:
    """Read lines, given by their indices, all of a recognizer in one call; add what it read to ``tried``."""
    for name in dict.fromkeys(chosen.values()):
        lines = [k for k, of in chosen.items() if of == name]
        for k, recognition in zip(lines, recognizers[name].read([crops[k] for k in lines], spread), strict=True):
            tried[k][name] = recognition


def _best(tried: Mapping[str, Recognition], writing: Writing) -> Reading:
    """Return the most confident of a line's recognitions that has a text, beside it the others and what they refused."""
    if not tried:
        return Reading(Recognition("", 0.0, reason="no ink in it"), "", Writing("unknown", 0.5))
    best = max(tried, key=lambda name: (bool(tried[name].text), tried[name].confidence))
    others = tuple((name, _told(tried[name])) for name in tried if name != best and _told(tried[name]).text)
    return Reading(tried[best], best, writing, others)


def _told(recognition: Recognition) -> Recognition:
    """A recognition with a text; of one without, the first of the texts that it held possible."""
    if recognition.text or not recognition.alternatives:
        return recognition
    (text, confidence), *_ = recognition.alternatives
    return Recognition(text, confidence, reason=recognition.reason)


def in_context(distributions: NDArray[np.float64], lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return distributions (n, kinds) over kinds given what the other lines of the page are, by Bayes' rule.

    The prior of a line is the mean of the others, weighted by ``lengths`` (n,), and of one even line of mean length.
    """
    if len(distributions) < 2:
        return distributions
    even = float(lengths.mean())
    weighted = distributions * lengths[:, None]
    prior = (weighted.sum(axis=0) - weighted + even / distributions.shape[1]) / (lengths.sum() - lengths + even)[
        :, None
    ]
    posterior = distributions * np.clip(prior, *PRIOR_LIMITS)
    return posterior / np.maximum(posterior.sum(axis=1, keepdims=True), 1e-12)


def languages_of(readings: Iterable[Reading]) -> tuple[str, ...]:
    """Return the languages that lines were read in, that of most characters first."""
    characters: Counter[str] = Counter()
    for recognition in (reading.recognition for reading in readings):
        characters[recognition.language] += len(recognition.text)
    return tuple(language for language, _ in characters.most_common() if language)
