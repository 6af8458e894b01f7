"""Which sequence part: two BiLSTM layers against gated convolutions of equal cost, on the features of a trained network.

``python -m carrel_export sequences PACKS NETWORK``. The convolutional features of NETWORK are computed once and kept;
on them each sequence part is trained anew on the same lines in the same order. Only their order on ``val`` matters, not
the height of the error rates: the lines are few and not augmented. With 4,000 distinct lines, 400 held out:

| sequence part | parameters | lines seen | CER on val, greedy | CPU s to train | CPU ms for 1,000 frames |
|---|---|---|---|---|---|
| BiLSTM | 827,279 | 16,000 | 55.5 % | 137 | 32.1 |
| gated convolutions | 859,023 | 16,000 | 27.1 % | 334 | 36.9 |

Convolutions learn from fewer lines at the same cost to run; what they reach after the 500,000 lines and more that the
shipped BiLSTM network has seen is not known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn
from torch.nn import functional

from carrel_export.handwriting.augment import to_input
from carrel_export.handwriting.network import Crnn
from carrel_export.handwriting.sizes import STRIDE_PX
from carrel_export.handwriting.training import ctc_loss, greedy, in_batches
from carrel_export.lines import LineSample, encode, frames_needed
from carrel_export.optimizer import MuonAdamW, cosine_rate

LINES_PER_BATCH = 32
WARMUP_STEPS = 50
TIMED_FRAMES = 200


class Recurrent(nn.Module):
    """The shipped sequence part: bidirectional LSTM layers. ``(n, t, features)`` to ``(n, t, classes)``."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        hidden = features // 2
        self.layers = nn.ModuleList(nn.LSTM(features, hidden, batch_first=True, bidirectional=True) for _ in range(2))
        self.head = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)[0]
        return self.head(x)


class _GatedBlock(nn.Module):
    """Depthwise convolution over ``2 * reach + 1`` frames, gated pointwise expansion, residual."""

    def __init__(self, features: int, reach: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(features)
        self.along = nn.Conv1d(features, features, 2 * reach + 1, padding=reach, groups=features)
        self.expand = nn.Conv1d(features, 2 * features, 1)
        self.project = nn.Conv1d(features, features, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.glu(self.expand(self.along(self.norm(x))), 1)
        return x + self.project(inner)


class Convolutional(nn.Module):
    """All-convolutional alternative: four gated blocks that see 29 frames each, 113 together."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(_GatedBlock(features, 14) for _ in range(4)))
        self.head = nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x.transpose(1, 2)).transpose(1, 2))


PARTS: dict[str, Callable[[int, int], nn.Module]] = {"BiLSTM": Recurrent, "gated convolutions": Convolutional}


@dataclass(frozen=True)
class Row:
    """One sequence part: parameters, CER on ``val`` after ``lines`` lines, CPU seconds to train and for 1,000 frames."""

    name: str
    parameters: int
    lines: int
    cer: float
    training_s: float
    per_1000_frames_ms: float


@torch.inference_mode()
def features_of(network: Crnn, samples: Sequence[LineSample]) -> list[Tensor]:
    """Features of each line, bfloat16 ``(t, features)``."""
    inputs = [to_input(s.gray, network.config.height_px) for s in samples]
    found: dict[int, Tensor] = {}
    for i, row in in_batches(network.columns, inputs, "cpu"):
        found[i] = row[: inputs[i].shape[1] // STRIDE_PX].to(torch.bfloat16).clone()
    return [found[i] for i in range(len(samples))]


def _padded(rows: Sequence[Tensor]) -> Tensor:
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True)


def _train(part: nn.Module, rows: Sequence[Tensor], targets: Sequence[list[int]], lines: int, seed: int) -> None:
    optimizer = MuonAdamW(part, 1e-3, 0.01)
    steps = lines // LINES_PER_BATCH
    rng = np.random.default_rng(seed)
    step = 0
    while step < steps:
        # lines of like length together, in random order: the same for every part
        order = np.argsort([len(r) * rng.uniform(0.9, 1.1) for r in rows])
        groups = np.array_split(order, len(order) // LINES_PER_BATCH)
        for k in rng.permutation(len(groups))[: steps - step]:
            group = groups[k]
            optimizer.set_rate(cosine_rate(1.5e-3, step, WARMUP_STEPS, step / steps))
            with torch.autocast("cpu", torch.bfloat16):
                logits = part(_padded([rows[i] for i in group]))
            loss = ctc_loss(logits, [targets[i] for i in group], [len(rows[i]) for i in group])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(part.parameters(), 2.0)
            optimizer.step()
            step += 1


@torch.inference_mode()
def _cer(part: nn.Module, rows: Sequence[Tensor], texts: Sequence[str], alphabet: str) -> float:
    part.eval()
    read = [greedy(part(row[None].float())[0].numpy(), alphabet) for row in rows]
    return sum(map(Levenshtein.distance, read, texts)) / sum(map(len, texts))


@torch.inference_mode()
def _frames_ms(part: nn.Module, features: int) -> float:
    x = torch.rand(1, TIMED_FRAMES, features)
    times = []
    for _ in range(20):
        began = time.process_time()
        part(x)
        times.append(time.process_time() - began)
    return min(times) * 1e3 * 1000 / TIMED_FRAMES


def compare(
    network: Crnn, alphabet: str, train: Sequence[LineSample], val: Sequence[LineSample], lines: int, seed: int = 1
) -> list[Row]:
    """Every part of `PARTS` after ``lines`` lines of ``train``, read greedily on ``val``."""
    targets = [encode(s.text, alphabet) for s in train]
    rows = features_of(network, train)
    fits = [
        i
        for i, (row, target) in enumerate(zip(rows, targets, strict=True))
        if target and len(row) >= frames_needed(target)
    ]
    held_out = features_of(network, val)
    results: list[Row] = []
    for name, make in PARTS.items():
        torch.manual_seed(seed)
        part = make(rows[0].shape[1], len(alphabet) + 1)
        began = time.process_time()
        _train(part, [rows[i] for i in fits], [targets[i] for i in fits], lines, seed)
        spent = time.process_time() - began
        cer = _cer(part, held_out, [s.text for s in val], alphabet)
        count = sum(p.numel() for p in part.parameters())
        results.append(Row(name, count, lines, cer, spent, _frames_ms(part, rows[0].shape[1])))
    return results


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    head = "| sequence part | parameters | lines seen | CER on val, greedy | CPU s to train | CPU ms for 1,000 frames |"
    body = [
        f"| {r.name} | {r.parameters:,} | {r.lines:,} | {100 * r.cer:.1f} % | {r.training_s:.0f} | "
        f"{r.per_1000_frames_ms:.1f} |"
        for r in rows
    ]
    return "\n".join([head, "|---|---|---|---|---|---|", *body])
