"""Fine-tuning: all weights of a trained network, on the lines of one collection, then part of the way back.

After `docs/learning.md`: AdamW with a short warm-up and a cosine, the augmentation of the training, the statistics of batch
norms fixed. The weights end between the parent's and the child's (M. Wortsman et al., "Robust fine-tuning of zero-shot
models", 2021; doi:10.48550/arXiv.2109.01903), so that less of other hands is forgotten.
"""

from __future__ import annotations

import math
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from carrel.review.training_lines import LineSample
from carrel_export.handwriting.augment import augment, closely_cropped
from carrel_export.handwriting.network import Crnn
from carrel_export.handwriting.sizes import STRIDE_PX
from carrel_export.handwriting.training import ctc_loss, with_alphabet
from carrel_export.lines import collate, encode, frames_needed
from carrel_export.optimizer import cosine_rate

VIEWS_A_LINE = 10
FEWEST_VIEWS, MOST_VIEWS = 500, 5000
RATE, WEIGHT_DECAY, CLIP = 5e-4, 0.01, 2.0
BETAS = (0.9, 0.98)
WARMUP_SHARE = 0.1
AUGMENTED_SHARE = 0.6
"""Of the views, those distorted in full: as in the training of the network that ships."""
LINES_A_STEP, COLUMNS_AT_ONCE = 12, 2_048
"""A step learns from so many lines; so many columns of them are in memory at once."""


@dataclass(frozen=True)
class Progress:
    """The state of a training: the share of the schedule in [0, 1], and the seconds that are left at this pace."""

    share: float
    left_s: float


def extended(network: Crnn, known: str, alphabet: str) -> Crnn:
    """Return the network with classes for ``alphabet``; a new character begins as its base letter, if that is known."""
    wider = with_alphabet(network, known, alphabet)
    with torch.no_grad():
        for character in sorted(set(alphabet) - set(known)):
            base = unicodedata.normalize("NFKD", character)[0]
            if base in known:
                to, of = alphabet.index(character) + 1, alphabet.index(base) + 1
                for layer in (wider.head, wider.shortcut):
                    layer.weight[to], layer.bias[to] = layer.weight[of], layer.bias[of] - 1.0
    return wider


def fine_tune(
    parent: Crnn,
    alphabet: str,
    samples: Sequence[LineSample],
    minutes: float,
    share: float,
    seed: int,
    watch: Callable[[Progress], None],
) -> Crnn:
    """Learn ``samples``, and return a network at ``share`` of the way from ``parent`` to what was learned.

    Parameters
    ----------
    parent
        Changed; it has the classes of ``alphabet``.
    minutes
        The schedule ends then at the latest.
    watch
        Called after each step.
    """
    torch.manual_seed(seed)
    before = {name: weights.clone() for name, weights in parent.state_dict().items()}
    network = _with_fixed_statistics(parent)
    for parameter in network.shortcut.parameters():
        parameter.requires_grad_(False)
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = AdamW(learning)
    views = min(max(VIEWS_A_LINE * len(samples), FEWEST_VIEWS), MOST_VIEWS)
    seen, step, begun = 0, 0, time.monotonic()
    steps = views / LINES_A_STEP
    for batch in batches_of(samples, network.config.height_px, alphabet, seed):
        spent_s = time.monotonic() - begun
        progress = max(seen / views, spent_s / (60 * minutes))
        if progress >= 1.0:
            break
        characters = sum(len(target) for _, targets in batch for target in targets)
        for images, targets in batch:
            loss = ctc_loss(network(torch.from_numpy(images)), targets)
            (loss * (sum(map(len, targets)) / characters)).backward()
            seen += len(targets)
        nn.utils.clip_grad_norm_(learning, CLIP)
        optimizer.step(cosine_rate(RATE, step, max(1, round(WARMUP_SHARE * steps)), progress))
        step, spent_s = step + 1, time.monotonic() - begun
        done = max(seen / views, spent_s / (60 * minutes))
        watch(Progress(min(1.0, done), spent_s / done - spent_s if done else math.inf))
    return towards(network, before, share)


class AdamW:
    """AdamW (I. Loshchilov, F. Hutter 2019; doi:10.48550/arXiv.1711.05101). That of torch loads torch's compiler: 200 MB."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._means = [torch.zeros_like(p) for p in parameters]
        self._squares = [torch.zeros_like(p) for p in parameters]
        self._steps = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take one step from the gradients at hand, and drop them."""
        self._steps += 1
        low, high = (1 - beta**self._steps for beta in BETAS)
        for p, mean, square in zip(self._parameters, self._means, self._squares, strict=True):
            if p.grad is None:
                continue
            mean.lerp_(p.grad, 1 - BETAS[0])
            square.lerp_(p.grad.square(), 1 - BETAS[1])
            p.mul_(1 - rate * WEIGHT_DECAY)
            p.addcdiv_(mean, (square / high).sqrt_().add_(1e-8), value=-rate / low)
            p.grad = None


def _with_fixed_statistics(network: Crnn) -> Crnn:
    network.train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return network


@torch.no_grad()
def towards(network: Crnn, before: dict[str, torch.Tensor], share: float) -> Crnn:
    """Set the weights to ``before + share * (now - before)``."""
    for name, weights in network.state_dict().items():
        if weights.is_floating_point():
            weights.copy_(torch.lerp(before[name], weights, share))
    return network.eval()


Batch = list[tuple[NDArray[np.float32], list[list[int]]]]


def batches_of(samples: Sequence[LineSample], height_px: int, alphabet: str, seed: int) -> Iterator[Batch]:
    """Yield random views of the lines for ever, those of a step in parts of like width: ink ``(n, 1, height, width)``, classes."""
    rng = np.random.default_rng(seed)
    samples = closely_cropped(samples)
    targets = [encode(" ".join(sample.text.split()), alphabet) for sample in samples]
    while True:
        order = rng.permutation(len(samples))
        found = False
        for first in range(0, len(order), LINES_A_STEP):
            views = [
                (augment(samples[i].gray, height_px, rng, AUGMENTED_SHARE), targets[i])
                for i in order[first : first + LINES_A_STEP]
            ]
            fitting = [(view, target) for view, target in views if view.shape[1] // STRIDE_PX >= frames_needed(target)]
            if fitting:
                found = True
                yield [
                    (collate([view for view, _ in part]), [target for _, target in part]) for part in _parts(fitting)
                ]
        if not found:
            return


def _parts(
    views: Sequence[tuple[NDArray[np.float32], list[int]]],
) -> Iterator[list[tuple[NDArray[np.float32], list[int]]]]:
    """Views in parts of at most `COLUMNS_AT_ONCE` columns, one view at least, the narrow ones first."""
    part: list[tuple[NDArray[np.float32], list[int]]] = []
    for view in sorted(views, key=lambda view: view[0].shape[1]):
        if part and (len(part) + 1) * view[0].shape[1] > COLUMNS_AT_ONCE:
            yield part
            part = []
        part.append(view)
    yield part
