"""The gate: a quantized network is published only where it reads real lines about as well as the trained one.

Where it does not, every layer is quantized alone to see how much it hurts; those that hurt most are left in floating
point, more and more of them, until the gate is passed or a sixth of the layers has been given up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

from carrel.image.ink import LineInput
from carrel.review.training_lines import LineSample
from carrel_export.handwriting.training import greedy
from carrel_export.sources.source import ExportError

Logits = NDArray[np.float32]
Run = Callable[[NDArray[np.float32]], Logits]
R = TypeVar("R")
"""What reads lines: a `Run`, or more than one network."""

SENSITIVITY_LINES = 32
LARGEST_SHARE_KEPT = 1 / 6


class GateError(ExportError):
    """A network that reads worse than the gate allows; nothing was published."""

    def __init__(self, problem: str) -> None:
        super().__init__([problem])


@dataclass(frozen=True)
class Measured:
    """Greedy character errors of one file on the same lines."""

    errors: NDArray[np.int64]
    characters: NDArray[np.int64]
    logits: list[Logits]

    @property
    def cer(self) -> float:
        return float(self.errors.sum() / max(1, self.characters.sum()))

    def distance(self, other: Measured) -> float:
        """Return root mean square difference of the logits, as a share of the other's."""
        pairs = list(zip(self.logits, other.logits, strict=True))
        squared = sum(float(np.square(a - b).sum()) for a, b in pairs)
        return float(np.sqrt(squared / sum(float(np.square(b).sum()) for _, b in pairs)))

    def first(self, count: int) -> Measured:
        """Return the same for the first lines only."""
        return Measured(self.errors[:count], self.characters[:count], self.logits[:count])


@dataclass(frozen=True)
class Quantizer(Generic[R]):
    """One way to int8. ``write`` takes the file to write and the layers to keep in floating point."""

    name: str
    layers: tuple[str, ...]
    write: Callable[[Path, Sequence[str]], None]
    runner: Callable[[Path], R]


@dataclass(frozen=True)
class Passed:
    """A file that passed, the layers left in floating point for it, and how much each layer hurt (if it was asked)."""

    measured: Measured
    kept: tuple[str, ...] = ()
    sensitivity: tuple[tuple[str, float], ...] = ()


def measure(run: Run, samples: Sequence[LineSample], alphabet: Sequence[str], line_input: LineInput) -> Measured:
    """Read the lines one by one, cropped as at run time."""
    logits = [run(line_input.of_crop(s.gray)) for s in samples]
    errors = [Levenshtein.distance(greedy(row, alphabet), s.text) for row, s in zip(logits, samples, strict=True)]
    return Measured(np.array(errors), np.array([len(s.text) for s in samples]), logits)


def quantize_within_gate(
    quantizer: Quantizer[R],
    target: Path,
    wide: Measured,
    read: Callable[[R, int], Measured],
    gate: float,
    say: Callable[[str], None],
) -> Passed:
    """Write an int8 file that reads at most ``gate`` (CER, absolute) worse than ``wide`` does.

    ``read`` measures a network on the first so many of ``wide``'s lines.

    Raises
    ------
    GateError
        No such file was found; the message names the layers that hurt most.
    """
    lines = len(wide.errors)
    quantizer.write(target, ())
    narrow = read(quantizer.runner(target), lines)
    if narrow.cer <= wide.cer + gate:
        return Passed(narrow)
    worst = narrow.cer
    say(f"{quantizer.name}: CER {worst:.2%} against {wide.cer:.2%}, over the gate; looking for the layers that hurt")
    ranking = _sensitivity(quantizer, target, wide, read)
    named = ", ".join(f"{name} {hurt:.1%}" for name, hurt in ranking[:5])
    say(f"{quantizer.name}: change of the logits by each layer alone: {named}")
    for count in _counts(len(ranking)):
        kept = tuple(name for name, _ in ranking[:count])
        quantizer.write(target, kept)
        narrow = read(quantizer.runner(target), lines)
        say(f"{quantizer.name}: CER {narrow.cer:.2%} with {count} of {len(ranking)} layers in floating point")
        if narrow.cer <= wide.cer + gate:
            return Passed(narrow, kept, tuple(ranking))
    target.unlink()
    raise GateError(
        f"{quantizer.name} reads at {worst:.2%} CER where fp32 reads at {wide.cer:.2%}: over the gate of {gate:.2%}. "
        f"The layers that hurt most ({named}) were left in floating point, which did not help: {narrow.cer:.2%}. "
        "Nothing was published; give calibration lines like those to be read"
    )


def _counts(layers: int) -> list[int]:
    """1, 2, 4, ... layers, and at last as many as may be given up."""
    most = max(1, int(layers * LARGEST_SHARE_KEPT))
    return sorted({min(2**k, most) for k in range(most.bit_length())} | {most})


def _sensitivity(
    quantizer: Quantizer[R], target: Path, wide: Measured, read: Callable[[R, int], Measured]
) -> list[tuple[str, float]]:
    """Layers with the relative change of the logits when they alone are quantized, the worst first."""
    lines = min(SENSITIVITY_LINES, len(wide.errors))
    hurts: list[tuple[str, float]] = []
    for layer in quantizer.layers:
        quantizer.write(target, [name for name in quantizer.layers if name != layer])
        hurts.append((layer, read(quantizer.runner(target), lines).distance(wide.first(lines))))
    return sorted(hurts, key=lambda pair: -pair[1])
