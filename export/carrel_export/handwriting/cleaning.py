"""Training lines whose transcription a trained network contradicts beyond doubt: crops that do not show their text.

A network that has fitted the other lines reads such an image as something else, with confidence. The measure is the
CTC likelihood of the transcription against that of the network's own reading of the same image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from rapidfuzz.distance import Levenshtein
from torch.nn import functional

from carrel.review.training_lines import LineSample
from carrel_export.handwriting.augment import to_input
from carrel_export.handwriting.network import Crnn
from carrel_export.handwriting.training import greedy, in_batches
from carrel_export.lines import encode, frames_needed

MIN_CONTRADICTION = 2.0
"""Nats for each character of the longer text by which the reading is likelier than the transcription."""

MIN_DISAGREEMENT = 0.6
"""CER between reading and transcription, capitals and small letters being the same."""

MIN_CONFIDENCE = 0.65
"""Mean of the highest probability of the frames that are not blank, geometric."""

MIN_CHARACTERS = 5
"""Shorter texts are not judged: of a number or a sign, the network knows less than who wrote it down."""


@dataclass(frozen=True)
class LineVerdict:
    """A network's verdict on one line. ``contradiction`` is in nats a character, the others are shares."""

    sample: LineSample
    reading: str
    contradiction: float
    disagreement: float
    confidence: float

    @property
    def excluded(self) -> bool:
        """Beyond doubt: the reading differs, is far likelier, with confidenceself."""
        return (
            len(self.sample.text) >= MIN_CHARACTERS
            and self.contradiction >= MIN_CONTRADICTION
            and self.disagreement >= MIN_DISAGREEMENT
            and self.confidence >= MIN_CONFIDENCE
        )


@torch.inference_mode()
def verdicts(network: Crnn, samples: Sequence[LineSample], alphabet: str) -> Iterator[LineVerdict]:
    """Yield each of ``samples`` judged by ``network``, longest images first."""
    inputs = [to_input(s.gray, network.config.height_px) for s in samples]
    for i, logits in in_batches(network, inputs, "cpu"):
        yield verdict_of(samples[i], functional.log_softmax(logits.float(), -1), alphabet)


def verdict_of(sample: LineSample, row: torch.Tensor, alphabet: str) -> LineVerdict:
    reading = greedy(row.numpy(), alphabet)
    targets = encode(sample.text, alphabet), encode(reading, alphabet)
    cost = [cost_of(row, target) for target in targets]
    best = row.max(-1)
    emitted = best.values[best.indices != 0]
    return LineVerdict(
        sample,
        reading,
        (cost[0] - cost[1]) / max(1, *map(len, targets)),
        Levenshtein.distance(reading.lower(), sample.text.lower()) / max(1, len(reading), len(sample.text)),
        float(emitted.mean().exp()) if len(emitted) else 0.0,
    )


def cost_of(row: torch.Tensor, target: list[int]) -> float:
    """Return negative log likelihood of ``target`` under the frames ``row``; that of no character at all where it cannot fit."""
    if frames_needed(target) > len(row):
        return float(-row[:, 0].sum())
    codes = torch.tensor([target], dtype=torch.long)
    loss = functional.ctc_loss(
        row[:, None], codes, torch.tensor([len(row)]), torch.tensor([len(target)]), reduction="sum"
    )
    return float(loss)


def counts(found: Sequence[LineVerdict]) -> str:
    """Return lines and excluded lines of every source, a Markdown table."""
    lines, excluded = Counter(v.sample.source for v in found), Counter(v.sample.source for v in found if v.excluded)
    rows = [f"| {source} | {lines[source]} | {excluded[source]} |" for source in sorted(lines)]
    total = f"| all | {sum(lines.values())} | {sum(excluded.values())} |"
    return "\n".join(["| source | lines | left out |", "|---|---|---|", *rows, total])
