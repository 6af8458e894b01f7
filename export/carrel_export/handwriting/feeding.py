"""Batches of augmented lines for a training, made by processes beside it."""

from __future__ import annotations

import multiprocessing as mp
import queue
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from carrel.review.training_lines import LineSample
from carrel_export.handwriting.augment import augment
from carrel_export.handwriting.sizes import STRIDE_PX
from carrel_export.lines import batches, collate, encode, frames_needed

WAITING = 12
"""Batches that a process makes ahead."""
PATIENCE_S = 600.0
"""A process that gives no batch for so long has stopped."""

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
    share: tuple[int, int] = (0, 1),
) -> Iterator[tuple[NDArray[np.float32], list[list[int]], int, int]]:
    """Yield batches of one epoch from batch ``first`` on: images, targets, epoch, index of the batch after this one.

    Of every ``share[1]`` batches only the one at ``share[0]``.
    """
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


class Feed:
    """Batches without end from ``count`` processes, one of each in turn.

    ``batches_from`` yields those of an epoch from a batch on, of ``share[1]`` the one at ``share[0]`` (`augmented`). A
    run that goes on with several processes leaves out up to ``count`` batches.
    """

    def __init__(
        self,
        batches_from: Callable[[int, int, tuple[int, int]], Iterator[Any]],
        epoch: int,
        first: int,
        share: tuple[int, int] = (0, 1),
        count: int = 1,
    ) -> None:
        context = mp.get_context("fork")
        self._queues = [context.Queue(WAITING) for _ in range(count)]
        self._turn = 0
        self._processes = [
            context.Process(
                target=_fill,
                args=(out, batches_from, epoch, first, (share[0] * count + i, share[1] * count)),
                daemon=True,
            )
            for i, out in enumerate(self._queues)
        ]
        for process in self._processes:
            process.start()

    def next(self) -> Batch:
        """Return the next batch.

        Raises
        ------
        RuntimeError
            No batch comes: the process that makes it has stopped.
        """
        try:
            batch = self._queues[self._turn].get(timeout=PATIENCE_S)
        except queue.Empty:
            raise RuntimeError("the augmentation process stopped; start the same command again to resume") from None
        self._turn = (self._turn + 1) % len(self._queues)
        return batch

    def close(self) -> None:
        """Stop the processes."""
        for process in self._processes:
            process.terminate()


def _fill(
    out: Any,
    batches_from: Callable[[int, int, tuple[int, int]], Iterator[Any]],
    epoch: int,
    first: int,
    share: tuple[int, int],
) -> None:
    while True:
        for images, *rest in batches_from(epoch, first, share):
            out.put(((images * 255 + 0.5).astype(np.uint8), *rest))
        epoch, first = epoch + 1, 0
