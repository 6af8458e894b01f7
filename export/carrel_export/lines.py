"""Lines of packs for training: which are plausible, the alphabet, and batches grouped by width."""

from __future__ import annotations

import itertools
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from carrel.review.training_lines import LineSample

WIDTH_STEP_PX = 64
BATCH_SIZES = (8, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 160, 192, 224, 256)
MIN_PX_PER_CHARACTER = 4.0
"""Below this (at 64 px line height) the image cannot show its text: a cut or misplaced crop."""

KEEP = (
    " !\"#$%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz"
    "@£§°½«»€ÀÂÄÇÈÉÊËÎÏÔÖÙÛÜŒÆßàâãäçèéêëìîïòôöùûüÿœæ"
)
"""Characters every alphabet holds, whether or not the training text shows them."""


def alphabet_of(texts: Sequence[str], min_count: int = 10) -> str:
    """Return characters of ``KEEP`` and those that occur at least ``min_count`` times, sorted by code point."""
    counts = Counter(c for text in texts for c in text)
    return "".join(sorted(set(KEEP) | {c for c, n in counts.items() if n >= min_count}))


def encode(text: str, alphabet: str) -> list[int]:
    """Return class indices of ``text`` (0 is the blank). A character outside the alphabet is read as its base letter, or left out."""
    index = {c: i + 1 for i, c in enumerate(alphabet)}
    codes: list[int] = []
    for character in text:
        known = character if character in index else unicodedata.normalize("NFKD", character)[0]
        if known in index:
            codes.append(index[known])
    return codes


def frames_needed(codes: Sequence[int]) -> int:
    """Return fewest frames that CTC can show these classes in: one each, and a blank between two that are the same."""
    return len(codes) + sum(a == b for a, b in itertools.pairwise(codes))


def is_plausible(sample: LineSample) -> bool:
    """Return false where the image is too narrow to show its text, or there is no text."""
    px_at_64 = sample.gray.shape[1] * 64 / sample.gray.shape[0]
    return bool(sample.text.strip()) and px_at_64 / len(sample.text) >= MIN_PX_PER_CHARACTER


def batches(
    widths: NDArray[np.int64], columns_per_batch: int, max_lines: int, rng: np.random.Generator | None
) -> list[list[int]]:
    """Group line indices of like width so that ``lines * widest`` stays near ``columns_per_batch``.

    A group has one of few sizes, so that few shapes reach the network: each new one is compiled. With ``rng`` the
    grouping and the order of groups are random (training); without, by falling width (evaluation).
    """
    jitter = rng.uniform(0.9, 1.1, len(widths)) if rng is not None else np.ones(len(widths))
    order = np.argsort(-widths * jitter, kind="stable")
    groups: list[list[int]] = []
    start = 0
    while start < len(order):
        fitting = min(max_lines, columns_per_batch // int(widths[order[start]]))
        size = max((n for n in BATCH_SIZES if n <= fitting), default=BATCH_SIZES[0])
        groups.append([int(i) for i in order[start : start + size]])
        start += size
    if rng is not None:
        rng.shuffle(groups)
    return groups


def collate(images: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Stack lines ``(height, width)`` to ``(n, 1, height, widest rounded up to WIDTH_STEP_PX)``, zeros (paper) on the right."""
    height = images[0].shape[0]
    widest = max(image.shape[1] for image in images)
    width = -(-widest // WIDTH_STEP_PX) * WIDTH_STEP_PX
    batch = np.zeros((len(images), 1, height, width), np.float32)
    for row, image in zip(batch, images, strict=True):
        row[0, :, : image.shape[1]] = image
    return batch
