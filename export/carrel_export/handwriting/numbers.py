"""Lines of numbers composed from digits of real hands, for training: packs show few lone numbers.

Each digit is cut from a training line where a trained network, aligned to the transcription, finds it; the digits of a
composed line come from one page, with their own height above the baseline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from carrel.review.training_lines import LineRow, LineSample
from carrel_export.handwriting.augment import MARGIN_PX, to_input
from carrel_export.handwriting.network import Crnn
from carrel_export.handwriting.sizes import STRIDE_PX
from carrel_export.handwriting.training import greedy, in_batches
from carrel_export.lines import encode
from carrel_export.sources.source import ExportError

Gray = NDArray[np.uint8]
PIECES = "0123456789.,/-"
ALIKE = {"0": "0oO", "1": "1lI/"}
"""How a digit may be read alone."""
LEAST_PROBABILITY = 0.5
"""Of a digit under its alignment; below it the crop may show something else."""
WIDTH_LIMITS = (0.06, 1.1)
"""Narrowest and widest piece, as shares of the line's height."""
LEAST_DIGITS = 12
"""Crops that a page must give, and kinds of digits: half of that."""
INK_GRAY, PAPER_GRAY = 25, 230
FRAME_PX = 24
"""Paper beside a crop that is read alone."""


def align(
    log_probabilities: NDArray[np.float32], classes: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the likeliest frames of ``classes`` (n,) under ``log_probabilities`` (t, c) by Viterbi over the CTC lattice.

    Returns
    -------
    tuple of ndarray
        The middle frame of each class, int64 (n,), and its probability there, float64 (n,).
    """
    states = np.zeros(2 * len(classes) + 1, np.int64)
    states[1::2] = classes
    skip = np.zeros(len(states), bool)
    skip[3::2] = states[3::2] != states[1:-2:2]
    emitted = log_probabilities[:, states].astype(np.float64)  # (t, s)
    best = np.full(len(states), -np.inf)
    best[:2] = emitted[0, :2]
    steps = np.zeros(emitted.shape, np.int8)
    for t in range(1, len(emitted)):
        stay, one = best, np.concatenate(([-np.inf], best[:-1]))
        two = np.where(skip, np.concatenate(([-np.inf, -np.inf], best[:-2])), -np.inf)
        choices = np.stack((stay, one, two))
        steps[t] = choices.argmax(0)
        best = choices.max(0) + emitted[t]
    state = len(states) - 1 - int(best[-2] > best[-1])
    frames: list[list[int]] = [[] for _ in classes]
    for t in range(len(emitted) - 1, -1, -1):
        if state % 2:
            frames[state // 2].append(t)
        state -= int(steps[t, state])
    middle = np.array([f[(len(f) - 1) // 2] for f in frames], np.int64)  # last frames first
    confident = np.exp(emitted[middle, 2 * np.arange(len(classes)) + 1])
    return middle, confident


def stretched(gray: Gray) -> Gray:
    """Return the line with its ink at INK_GRAY and its paper at PAPER_GRAY."""
    dark, light = np.percentile(gray, (1, 80))
    scaled = (gray - dark) * ((PAPER_GRAY - INK_GRAY) / max(light - dark, 8.0)) + INK_GRAY
    return np.clip(scaled, 0, 255).astype(np.uint8)


def pieces_of(
    sample: LineSample, logits: NDArray[np.float32], alphabet: str, height_px: int
) -> Iterator[tuple[str, Gray]]:
    """Yield the digits and separators between digits of a line, as columns of its stretched picture."""
    classes = encode(sample.text, alphabet)
    if len(classes) != len(sample.text) or len(logits) < 2 * len(classes):
        return
    logged = logits - np.logaddexp.reduce(logits, -1, keepdims=True)
    middle, confident = align(logged, classes)
    scale = sample.gray.shape[0] / height_px
    x = ((middle + 0.5) * STRIDE_PX - MARGIN_PX) * scale
    between = [0.0, *((x[1:] + x[:-1]) / 2), float(sample.gray.shape[1])]
    gray = stretched(sample.gray)
    ink = (PAPER_GRAY - gray.astype(np.float32)).clip(0).sum(0)
    cuts = [_quietest(ink, at, 0.06 * gray.shape[0]) for at in between]
    for i, character in enumerate(sample.text):
        among = sample.text[max(0, i - 1) : i + 2]
        wanted = character in PIECES and sum(c.isdigit() for c in among) >= (1 if character.isdigit() else 2)
        share = (cuts[i + 1] - cuts[i]) / gray.shape[0]
        if wanted and confident[i] >= LEAST_PROBABILITY and WIDTH_LIMITS[0] < share < WIDTH_LIMITS[1]:
            yield character, gray[:, cuts[i] : cuts[i + 1]]


def _quietest(ink: NDArray[np.float32], x: float, reach: float) -> int:
    low, high = max(0, int(x - reach)), min(len(ink), int(x + reach) + 1)
    return low + int(ink[low:high].argmin()) if high > low else len(ink)


def number(rng: np.random.Generator) -> str:
    """Draw a number as registers and letters have them: mostly of 1 to 4 digits, else years, amounts, dates."""
    kind = rng.random()
    if kind < 0.7:
        return str(int(rng.integers(0, 10 ** int(rng.integers(1, 5)))))
    if kind < 0.8:
        return str(int(rng.integers(1650, 1990)))
    if kind < 0.9:
        return f"{rng.integers(1, 3000)}{rng.choice(['.', ','])}{rng.integers(0, 100):02d}"
    separator = rng.choice(["/", "-", "."])
    return f"{rng.integers(1, 32)}{separator}{rng.integers(1, 13)}{separator}{rng.integers(1700, 1960)}"


def composed(text: str, crops: dict[str, list[Gray]], rng: np.random.Generator) -> Gray | None:
    """Set ``text`` from crops of one page, 64 px high; None where a character has none."""
    if any(c not in crops for c in text):
        return None
    parts: list[Gray] = []
    for c in text:
        crop = crops[c][int(rng.integers(len(crops[c])))]
        shift = int(rng.integers(-2, 3))
        parts.append(np.roll(crop, shift, axis=0) if shift else crop)
        parts.append(np.full((crop.shape[0], int(rng.integers(0, 5))), PAPER_GRAY, np.uint8))
    edge = np.full((parts[0].shape[0], int(rng.integers(2, 24))), PAPER_GRAY, np.uint8)
    return np.hstack((edge, *parts, edge))


def crops_by_page(
    network: Crnn, samples: Sequence[LineSample], alphabet: str
) -> dict[tuple[str, str], dict[str, list[Gray]]]:
    """Find digits and separators of every page that has enough of them."""
    height = network.config.height_px
    chosen = [s for s in samples if any(c.isdigit() for c in s.text) and s.gray.shape[0] == 64]
    inputs = [to_input(s.gray, height) for s in chosen]
    found: dict[tuple[str, str], dict[str, list[Gray]]] = defaultdict(lambda: defaultdict(list))
    cut: list[tuple[tuple[str, str], str, Gray]] = []
    with torch.inference_mode():
        for i, rows in in_batches(network, inputs, "cpu"):
            frames = inputs[i].shape[1] // STRIDE_PX
            logits = rows[:frames].float().numpy()
            place = (chosen[i].source, chosen[i].page)
            cut += [(place, c, gray) for c, gray in pieces_of(chosen[i], logits, alphabet, height)]
        shown = [to_input(_framed(gray), height) for _, _, gray in cut]
        for i, rows in in_batches(network, shown, "cpu"):
            place, character, gray = cut[i]
            read = greedy(rows[: shown[i].shape[1] // STRIDE_PX].float().numpy(), alphabet)
            if read and read in ALIKE.get(character, character):  # the cut did not meet the digit, or not it alone
                found[place][character].append(gray)
    return {page: dict(crops) for page, crops in found.items() if _enough(crops)}


def _framed(gray: Gray) -> Gray:
    return np.pad(gray, ((0, 0), (FRAME_PX, FRAME_PX)), constant_values=PAPER_GRAY)


def _enough(crops: dict[str, list[Gray]]) -> bool:
    digits = [c for c in crops if c.isdigit()]
    return sum(len(crops[c]) for c in digits) >= LEAST_DIGITS and len(digits) >= LEAST_DIGITS // 2


def compose(
    network: Crnn, samples: Sequence[LineSample], alphabet: str, count: int, seed: int = 1
) -> Iterator[tuple[LineRow, Gray]]:
    """Yield ``count`` lines of numbers in the hands of ``samples``, as rows of a line pack with their pictures.

    Raises
    ------
    ExportError
        No page has digits enough.
    """
    pages = crops_by_page(network, samples, alphabet)
    if not pages:
        raise ExportError([f"no page gives {LEAST_DIGITS} digits that the network reads; give packs with more numbers"])
    names = sorted(pages)
    rng = np.random.default_rng(seed)
    made = 0
    while made < count:
        source, page = names[int(rng.integers(len(names)))]
        text = number(rng)
        gray = composed(text, pages[source, page], rng)
        if gray is not None:
            yield LineRow(f"{made:06d}.png", text, f"{source}/{page}", "train", text), gray
            made += 1
