"""Batches of augmented lines for a training, epoch after epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from carrel.review.training_lines import LineSample
from carrel_export.feeding import Share
from carrel_export.handwriting.augment import augment
from carrel_export.handwriting.sizes import STRIDE_PX
from carrel_export.lines import batches, collate, encode, frames_needed

Batch = tuple[NDArray[np.uint8], list[list[int]], int, int]
"""Images ``(n, 1, height_px, width)``, 255 full ink; targets; epoch; index of the batch after this one."""


class Shown(Protocol):
    """Options of a run that say which lines are shown, how often, how many at once, and how they are augmented."""

    @property
    def seed(self) -> int: ...
    @property
    def emphasis(self) -> tuple[tuple[str, float], ...]: ...
    @property
    def columns_per_batch(self) -> int: ...
    @property
    def max_lines_per_batch(self) -> int: ...
    @property
    def augmentation(self) -> float: ...


def augmented(
    samples: Sequence[LineSample],
    height_px: int,
    alphabet: str,
    options: Shown,
    epoch: int,
    first: int,
    share: Share = (0, 1),
) -> Iterator[tuple[NDArray[np.float32], list[list[int]], int, int]]:
    """Yield a share of one epoch's batches from ``first`` on: images, targets, epoch, index of the batch after this one."""
    rng = np.random.default_rng((options.seed, epoch))
    often = dict(options.emphasis)
    times = np.array([often.get(s.source, 1.0) for s in samples])
    shown = np.repeat(np.arange(len(samples)), np.floor(times + rng.random(len(samples))).astype(np.int64))
    widths = np.array([samples[i].gray.shape[1] * height_px // samples[i].gray.shape[0] + 1 for i in shown.tolist()])
    plan = batches(widths, options.columns_per_batch, options.max_lines_per_batch, rng)
    for k in range(-(-first // share[1]) * share[1] + share[0], len(plan), share[1]):
        rng = np.random.default_rng((options.seed, epoch, k))
        images: list[NDArray[np.float32]] = []
        targets: list[list[int]] = []
        for i in shown[plan[k]]:
            image = augment(samples[i].gray, height_px, rng, options.augmentation)
            target = encode(samples[i].text, alphabet)
            if image.shape[1] // STRIDE_PX >= frames_needed(target):
                images.append(image)
                targets.append(target)
        if images:
            yield collate(images), targets, epoch, k + 1


def without_end(
    batches_from: Callable[[int, int, Share], Iterator[tuple[NDArray[np.float32], list[list[int]], int, int]]],
    epoch: int,
    first: int,
    share: Share,
) -> Iterator[Batch]:
    """Yield the batches of a share (`augmented`) from batch ``first`` of ``epoch`` on, epoch after epoch."""
    while True:
        for images, targets, of, after in batches_from(epoch, first, share):
            yield (images * 255 + 0.5).astype(np.uint8), targets, of, after
        epoch, first = epoch + 1, 0
