"""Train the line segmenter; resumable, on CPU or CUDA, in bfloat16.

``python -m carrel_export.segmentation.training --pack pages.zip [--pack MORE.zip] --out FOLDER [--hours H]``. The state file holds weights, their
moving average, optimizer and progress; the same command goes on where a run was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from carrel_export.feeding import Feed, Share
from carrel_export.optimizer import MuonAdamW, cosine_rate, follow
from carrel_export.segmentation.augment import Window, spread, whole, window
from carrel_export.segmentation.network import CELL_HEIGHT_PX, CELL_WIDTH_PX, CHANNELS, MULTIPLE_PX, Segmenter
from carrel_export.segmentation.pages import LayoutPage, Maps, read_pages, target_maps
from carrel_export.segmentation.render import render_page
from carrel_export.writing.faces import print_faces, script_faces

POSITIVE_WEIGHTS = (2.0, 1.5, 5.0, 5.0)
RENDERED_PAGES = 160
SPREAD_SHARE = 0.1
"""Of the windows, those of two pages beside each other."""


@dataclass(frozen=True)
class SegmenterOptions:
    """One run. ``windows`` is the length of the schedule, ``hours`` its limit in time (0: none)."""

    windows: int = 60_000
    hours: float = 0.0
    window_px: int = 512
    batch: int = 4
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.01
    warmup_steps: int = 200
    ema_decay: float = 0.998
    seed: int = 1
    validate_every_s: float = 900.0
    checkpoint_every_s: float = 180.0
    feeders: int = 1
    """Processes that draw windows from the pages."""
    start: str = ""
    """Weights (``weights.pt`` of a run) that a new run begins from."""


Batch = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Ink of windows ``(n, 1, size, size)``, 255 full ink; target maps ``(n, 4, size / 2, size / 4)``."""


def windows_from(
    pages: Sequence[LayoutPage], maps: Sequence[Maps], options: SegmenterOptions, first: int, share: Share
) -> Iterator[Batch]:
    """Yield the batches of a share without end, from step ``first`` on.

    Sources count by the root of their pages, rendered pages as 15 %.
    """
    cv2.setNumThreads(0)
    counts = Counter(page.source for page in pages)
    weights = np.array([counts[p.source] ** -0.5 for p in pages])
    made = np.array([p.source == "rendered" for p in pages])
    weights[made] *= 0.15 / 0.85 * weights[~made].sum() / max(weights[made].sum(), 1e-9)
    weights /= weights.sum()
    for step in count(first + share[0], share[1]):
        rng = np.random.default_rng((options.seed, step))
        chosen = rng.choice(len(pages), options.batch, p=weights)
        drawn = [_view(pages, maps, int(i), options, rng) for i in chosen]
        ink = np.stack([ink for ink, _ in drawn])[:, None]
        yield (ink * 255 + 0.5).astype(np.uint8), np.stack([target for _, target in drawn])


def _view(
    pages: Sequence[LayoutPage], maps: Sequence[Maps], i: int, options: SegmenterOptions, rng: np.random.Generator
) -> Window:
    """A window of page ``i``, or of a spread of it and any other."""
    drawn = window(pages[i].gray, maps[i], options.window_px, rng)
    if rng.random() >= SPREAD_SHARE:
        return drawn
    other = int(rng.integers(len(pages)))
    return spread(drawn, window(pages[other].gray, maps[other], options.window_px, rng), rng)


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Return weighted cross entropy of all maps plus the Dice loss of baselines and bodies."""
    weight = torch.tensor(POSITIVE_WEIGHTS, device=logits.device).view(1, -1, 1, 1)
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight)
    probability = torch.sigmoid(logits[:, :2])
    overlap = (probability * targets[:, :2]).sum((0, 2, 3))
    size = probability.sum((0, 2, 3)) + targets[:, :2].sum((0, 2, 3))
    return 2.0 * entropy + (1.0 - (2 * overlap + 1) / (size + 1)).mean()


@torch.inference_mode()
def dice(network: Segmenter, pages: list[LayoutPage], device: str) -> dict[str, float]:
    """Return Dice overlap of the thresholded maps over whole pages, per channel."""
    network.eval()
    overlap, size = np.zeros(len(CHANNELS)), np.zeros(len(CHANNELS))
    for page in pages:
        ink = torch.from_numpy(whole(page.gray, MULTIPLE_PX))[None, None].to(device)
        with torch.autocast(device, torch.bfloat16):
            found = network(ink)[0].float().cpu().numpy() > 0
        true = np.zeros(found.shape, bool)
        maps = target_maps(page)
        cells = (maps.shape[1] // CELL_WIDTH_PX, maps.shape[0] // CELL_HEIGHT_PX)
        true[:, : cells[1], : cells[0]] = cv2.resize(maps, cells, interpolation=cv2.INTER_AREA).transpose(2, 0, 1) > 127
        overlap += 2 * (found & true).sum((1, 2))
        size += found.sum((1, 2)) + true.sum((1, 2))
    network.train()
    return {name: round(float(v), 4) for name, v in zip(CHANNELS, overlap / np.maximum(size, 1), strict=True)}


class SegmenterTrainer:
    """A training run with its state in ``folder``; `run` trains until the schedule ends."""

    def __init__(self, folder: Path, packs: Sequence[Path], options: SegmenterOptions) -> None:
        self.folder, self.options = folder, options
        folder.mkdir(parents=True, exist_ok=True)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(options.seed)
        self.train, self.val = ([p for pack in packs for p in read_pages(pack, split)] for split in ("train", "val"))
        self.train += self._rendered(packs)
        self.network = Segmenter().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Segmenter().to(self.device)
        self.optimizer = MuonAdamW(self.network, options.learning_rate, options.weight_decay)
        self.step, self.seconds = 0, 0.0
        if (folder / "state.pt").exists():
            self._restore(torch.load(folder / "state.pt", weights_only=True, map_location="cpu"))
        else:
            if options.start:
                self.network.load_state_dict(torch.load(options.start, weights_only=True, map_location="cpu"))
            self.average.load_state_dict(self.network.state_dict())

    def _rendered(self, packs: Sequence[Path]) -> list[LayoutPage]:
        families = [files for found in (print_faces(), print_faces(), script_faces()) for files in found.values()]
        if not families:
            return []
        rng = np.random.default_rng(self.options.seed)
        words = [word for pack in packs for word in words_of_pages(pack)]
        return [render_page(words, families, rng) for _ in range(RENDERED_PAGES)]

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _save(self) -> None:
        parts = {"network": self.network, "average": self.average, "optimizer": self.optimizer}
        state = {name: part.state_dict() for name, part in parts.items()}
        torch.save({**state, "step": self.step, "seconds": self.seconds}, self.folder / "state.part")
        (self.folder / "state.part").replace(self.folder / "state.pt")
        torch.save(self.average.state_dict(), self.folder / "weights.part")
        (self.folder / "weights.part").replace(self.folder / "weights.pt")

    def _log(self, **row: object) -> None:
        line = json.dumps({"windows": self.step * self.options.batch, "seconds": round(self.seconds), **row})
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as out:
            out.write(line + "\n")
        print(line, file=sys.stderr, flush=True)

    @property
    def progress(self) -> float:
        spent = self.seconds / (self.options.hours * 3600) if self.options.hours else 0.0
        return min(1.0, max(self.step * self.options.batch / self.options.windows, spent))

    def _train_step(self, ink: NDArray[np.uint8], targets: NDArray[np.uint8]) -> float:
        rate = cosine_rate(self.options.learning_rate, self.step, self.options.warmup_steps, self.progress)
        self.optimizer.set_rate(rate)
        x = (torch.from_numpy(ink).to(self.device).float() / 255.0).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16):
            logits = self.network(x)
        loss = loss_of(logits.float(), torch.from_numpy(targets).to(self.device).float() / 255.0)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimizer.step()
        follow(self.average, self.network, self.step, self.options.ema_decay)
        self.step += 1
        return float(loss.item())

    def run(self) -> None:
        """Train to the end of the schedule; leaves ``weights.pt``."""
        maps = [target_maps(page) for page in self.train]  # before the processes begin, which share them
        feed = Feed(partial(windows_from, self.train, maps, self.options, self.step), count=self.options.feeders)
        self._log(
            pages=len(self.train), parameters=sum(p.numel() for p in self.network.parameters()), torch=torch.__version__
        )
        saved = validated = time.monotonic()
        mean = 0.0
        while self.progress < 1.0:
            began = time.monotonic()
            loss = self._train_step(*feed.next())
            mean = loss if mean == 0.0 else mean + 0.01 * (loss - mean)
            now = time.monotonic()
            self.seconds += now - began
            if self.step % 200 == 0:
                self._log(loss=round(mean, 4), per_s=round(self.step * self.options.batch / self.seconds, 1))
            if now - saved > self.options.checkpoint_every_s:
                self._save()
                saved = time.monotonic()
            if now - validated > self.options.validate_every_s:
                self._log(**{f"dice_{k}": v for k, v in dice(self.average, self.val, self.device).items()})
                validated = time.monotonic()
        self._save()
        self._log(**{f"dice_{k}": v for k, v in dice(self.average, self.val, self.device).items()})
        feed.close()


def words_of_pages(pack: Path) -> list[str]:
    """Return words of the training pages' transcriptions."""
    import zipfile

    with zipfile.ZipFile(pack) as archive:
        rows = [json.loads(line) for line in archive.read("pages.jsonl").decode("utf-8").splitlines()]
    return [w for row in rows if row["split"] == "train" for line in row["lines"] for w in (line["text"] or "").split()]


def main() -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(
        prog="carrel_export.segmentation.training", description="Train the line segmenter."
    )
    parser.add_argument(
        "--pack", type=Path, action="append", required=True, help="pages.zip with ground truth; once for each"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--windows", type=int, default=SegmenterOptions.windows)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=SegmenterOptions.learning_rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=SegmenterOptions.seed)
    parser.add_argument("--feeders", type=int, default=SegmenterOptions.feeders, help="processes that draw windows")
    parser.add_argument("--start", default="", help="weights.pt of a run that a new one begins from")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    if given.feeders < 1:
        parser.error("--feeders: give 1 or more")
    options = SegmenterOptions(
        windows=given.windows,
        hours=given.hours,
        learning_rate=given.rate,
        seed=given.seed,
        feeders=given.feeders,
        start=given.start,
    )
    SegmenterTrainer(given.out, given.pack, options).run()


if __name__ == "__main__":
    main()
