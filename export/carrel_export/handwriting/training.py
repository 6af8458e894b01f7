"""Train a handwriting network on line packs; resumable, on CPU or CUDA, in bfloat16.

The state file holds weights, their moving average, optimizer, the random states and the place in the epoch, so a run
that was killed goes on where its last checkpoint stood. The learning rate follows a cosine over ``lines`` seen or, with
``hours``, over the time spent, whichever is further: a budget in hours keeps its end on a machine that is busy.

Under ``torchrun`` each process takes its share of the batches, and a step the mean of their gradients.
"""

from __future__ import annotations

import json
import math
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn
from torch.nn import functional

from carrel.models.folders import open_model
from carrel.models.manifest import Recognition
from carrel.review.training_lines import LineSample, read_packs
from carrel_export.feeding import Feed
from carrel_export.handwriting.augment import closely_cropped, to_input
from carrel_export.handwriting.feeding import augmented, without_end
from carrel_export.handwriting.network import Crnn, Mixture
from carrel_export.handwriting.sizes import SIZES, CrnnConfig
from carrel_export.lines import (
    alphabet_of,
    batches,
    collate,
    is_plausible,
)
from carrel_export.optimizer import MuonAdamW, cosine_rate, follow
from carrel_export.processes import Processes
from carrel_export.sources.source import ExportError


@dataclass(frozen=True)
class TrainingOptions:
    """One run. ``lines`` is the length of the schedule in lines seen, ``hours`` its limit in time (0: none)."""

    size: str = "fast"
    lines: int = 1_000_000
    hours: float = 0.0
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    columns_per_batch: int = 24_576
    max_lines_per_batch: int = 48
    shortcut_weight: float = 0.2
    ema_decay: float = 0.9995
    warmup_steps: int = 300
    seed: int = 1
    validate_every_s: float = 900.0
    checkpoint_every_s: float = 240.0
    start: str = ""
    """A weights file or a model folder whose network, alphabet included, a new run begins from."""
    carried_rate: float = 1.0
    """Share of the learning rate for the weights that come from ``start``."""
    teacher: str = ""
    """A weights file or a model folder whose frames, or the mean of its networks', a run learns to show as well as the text
    (distillation)."""
    dropout: float | None = None
    """Replaces that of the size."""
    augmentation: float = 1.0
    """Share of the lines that are augmented in full; the others only gently."""
    feeders: int = 1
    """Processes that augment lines; a GPU takes what ten and more make."""
    emphasis: tuple[tuple[str, float], ...] = ()
    """Sources with how often an epoch shows each of their lines, where that is not once."""


def greedy(logits: NDArray[np.float32], alphabet: Sequence[str]) -> str:
    """Return best-path text of one line, ``(t, classes)``."""
    path = logits.argmax(-1)
    keep = (path != 0) & (path != np.concatenate(([-1], path[:-1])))
    classes: list[int] = path[keep].tolist()
    return "".join(alphabet[c - 1] for c in classes)


def in_batches(
    run: Callable[[Tensor], Tensor], inputs: Sequence[NDArray[np.float32]], device: str
) -> Iterator[tuple[int, Tensor]]:
    """Index of each line and what ``run`` makes of it in bfloat16, lines of like width together, widest first."""
    for group in batches(np.array([i.shape[1] for i in inputs]), 24_576, 64, None):
        with torch.autocast(device, torch.bfloat16):
            rows = run(torch.from_numpy(collate([inputs[i] for i in group])).to(device))
        yield from zip(group, rows, strict=True)


def ctc_loss(logits: Tensor, targets: Sequence[list[int]], frames: Sequence[int] | None = None) -> Tensor:
    """Return CTC loss for each character of ``targets`` under logits ``(n, t, classes)``; all ``t`` frames count without ``frames``."""
    flat = torch.tensor([c for t in targets for c in t], device=logits.device)
    lengths = torch.tensor([len(t) for t in targets])
    log_probabilities = functional.log_softmax(logits.float(), -1).transpose(0, 1)  # (t, n, c)
    used = torch.tensor(frames if frames is not None else [logits.shape[1]] * len(targets))
    loss = functional.ctc_loss(log_probabilities, flat, used, lengths, reduction="sum", zero_infinity=True)
    return loss / len(flat)


def divergence(logits: Tensor, taught: Tensor, targets: Sequence[list[int]]) -> Tensor:
    """Return Kullback-Leibler divergence of frames ``(n, t, classes)`` from a teacher's, for each character of ``targets``.

    Distillation after G. Hinton et al., "Distilling the Knowledge in a Neural Network", 2015,
    doi:10.48550/arXiv.1503.02531, at temperature 1.
    """
    shown, wanted = (functional.log_softmax(x.float(), -1) for x in (logits, taught))
    total = functional.kl_div(shown, wanted, reduction="sum", log_target=True)
    return total / sum(map(len, targets))


@torch.inference_mode()
def evaluate(network: Crnn, samples: Sequence[LineSample], alphabet: str, device: str) -> dict[str, float]:
    """Return character error rate per source and over all characters (``"all"``), greedy."""
    network.eval()
    errors: dict[str, int] = {}
    lengths: dict[str, int] = {}
    height = network.config.height_px
    inputs = [to_input(s.gray, height) for s in samples]
    for i, rows in in_batches(network, inputs, device):
        sample = samples[i]
        read = greedy(rows.float().cpu().numpy(), alphabet)
        errors[sample.source] = errors.get(sample.source, 0) + Levenshtein.distance(read, sample.text)
        lengths[sample.source] = lengths.get(sample.source, 0) + len(sample.text)
    network.train()
    rates = {source: errors[source] / lengths[source] for source in sorted(errors)}
    return {"all": sum(errors.values()) / sum(lengths.values()), **rates}


class Trainer:
    """A training run with its state in ``folder``; `run` trains until the schedule ends."""

    def __init__(self, folder: Path, packs: Path, options: TrainingOptions) -> None:
        self.folder, self.options = folder, options
        self.processes = Processes()
        cv2.setNumThreads(0)  # its threads do not survive the fork of the augmentation process
        folder.mkdir(parents=True, exist_ok=True)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        samples = closely_cropped(read_packs(packs, ("train", "val")))
        excluded = self._excluded()
        self.train = [
            s for s in samples if s.split == "train" and is_plausible(s) and f"{s.source}/{s.name}" not in excluded
        ]
        self.val = [s for s in samples if s.split == "val"]
        torch.manual_seed(options.seed)
        state_file = folder / "state.pt"
        state: dict[str, Any] | None = None
        if state_file.exists():
            state = torch.load(state_file, weights_only=True, map_location="cpu")
        self.carried: list[str] = state["carried"] if state else []
        """Parameters that came from ``start``."""
        if options.start and not state:
            started, known, _ = load_network(Path(options.start))
            self.alphabet = "".join(sorted(set(known) | set(alphabet_of([s.text for s in self.train]))))
            self.network = grown(with_alphabet(started, known, self.alphabet), options.size)
            self.carried = [name for name, _ in started.named_parameters()]
        else:
            self.alphabet = state["alphabet"] if state else alphabet_of([s.text for s in self.train])
            self.network = Crnn(CrnnConfig(classes=len(self.alphabet) + 1, **SIZES[options.size]))
        self.teacher = self._teacher()
        if options.dropout is not None:
            self.network.dropout.p = options.dropout
        self.network = self.network.to(self.device)
        self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = Crnn(self.network.config).to(self.device)
        self.optimizer = MuonAdamW(
            self.network, options.learning_rate, options.weight_decay, self.carried, options.carried_rate
        )
        self.epoch = self.batch = self.step = self.lines_seen = 0
        self.seconds = 0.0
        self.best = math.inf
        if state:
            self._restore(state)
        else:
            self.average.load_state_dict(self.network.state_dict())
        if self.processes.rank:
            torch.manual_seed(options.seed + self.step + self.processes.rank)  # drops out other units than the first

    def _teacher(self) -> nn.Module | None:
        if not self.options.teacher:
            return None
        networks, alphabet, _ = load_networks(Path(self.options.teacher))
        if alphabet != self.alphabet or any(n.config.height_px != self.network.config.height_px for n in networks):
            raise ExportError(
                [
                    f"{self.options.teacher}: has another alphabet or line height than the network that shall learn from it"
                ]
            )
        teacher = Mixture(networks) if len(networks) > 1 else networks[0]
        return teacher.eval().to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def _excluded(self) -> set[str]:
        listed = self.folder / "excluded.txt"
        return set(listed.read_text("utf-8").split()) if listed.exists() else set()

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        for name in ("epoch", "batch", "step", "lines_seen", "seconds", "best"):
            setattr(self, name, state[name])

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "alphabet": self.alphabet,
            "carried": self.carried,
            **{name: getattr(self, name) for name in ("epoch", "batch", "step", "lines_seen", "seconds", "best")},
        }
        self._write(state, "state")

    def _save_weights(self, name: str) -> None:
        """The averaged weights with all that is needed to build the network again."""
        config = json.dumps({**asdict(self.network.config), "alphabet": self.alphabet, "size": self.options.size})
        self._write({"config": config, "weights": self.average.state_dict()}, name)

    def _write(self, state: dict[str, Any], name: str) -> None:
        if self.processes.rank:
            return
        torch.save(state, self.folder / f"{name}.part")
        (self.folder / f"{name}.part").replace(self.folder / f"{name}.pt")

    def _log(self, **row: object) -> None:
        if self.processes.rank:
            return
        row = {"lines": self.lines_seen, "step": self.step, "seconds": round(self.seconds), **row}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        print(json.dumps(row), file=sys.stderr, flush=True)

    @property
    def progress(self) -> float:
        spent = self.seconds / (self.options.hours * 3600) if self.options.hours else 0.0
        return min(1.0, max(self.lines_seen / self.options.lines, spent))

    def _rate(self) -> float:
        return cosine_rate(self.options.learning_rate, self.step, self.options.warmup_steps, self.progress)

    def _loss(self, images: NDArray[np.uint8], targets: list[list[int]]) -> Tensor:
        ink = torch.from_numpy(images).to(self.device).float() / 255
        ink = ink.contiguous(memory_format=torch.channels_last)
        weight = self.options.shortcut_weight
        with torch.autocast(self.device, torch.bfloat16):
            heads = self.network.with_shortcut(ink) if weight else (self.network(ink),)
        last, *shortcut = (ctc_loss(logits, targets) for logits in heads)
        if shortcut:
            last = last + weight * shortcut[0]
        if self.teacher is not None:
            with torch.no_grad(), torch.autocast(self.device, torch.bfloat16):
                taught = self.teacher(ink)
            last = last + divergence(heads[0], taught, targets)
        return last

    def run(self) -> None:
        """Train to the end of the schedule; leaves ``last.pt`` and the best by validation, ``best.pt``."""
        height = self.network.config.height_px
        batches_from = partial(augmented, self.train, height, self.alphabet, self.options)
        share = (self.processes.rank, self.processes.count)
        feed = Feed(partial(without_end, batches_from, self.epoch, self.batch), share, self.options.feeders)
        parameters = sum(p.numel() for p in self.network.parameters()) - sum(
            p.numel() for p in self.network.shortcut.parameters()
        )
        self._log(
            train=len(self.train),
            val=len(self.val),
            classes=len(self.alphabet) + 1,
            parameters=parameters,
            torch=torch.__version__,
        )
        saved = validated = stepped = time.monotonic()
        mean_loss = 0.0
        while self.progress < 1.0:
            images, targets, self.epoch, self.batch = feed.next()
            self.optimizer.set_rate(self._rate())
            self.optimizer.zero_grad(set_to_none=True)
            loss = self._loss(images, targets)
            loss.backward()
            now = time.monotonic()
            lines, spent_s = self.processes.average(self.network, (len(targets), now - stepped))
            stepped = now
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
            self.optimizer.step()
            follow(self.average, self.network, self.step, self.options.ema_decay)
            self.step += 1
            self.lines_seen += round(lines * self.processes.count)
            mean_loss += 0.01 * (loss.item() - mean_loss) if self.step > 1 else loss.item()
            self.seconds += spent_s
            if self.step % 200 == 0:
                self._log(
                    loss=round(mean_loss, 4),
                    rate=round(self._rate(), 6),
                    per_s=round(self.lines_seen / self.seconds, 1),
                )
            if now - validated > self.options.validate_every_s or self.progress >= 1.0:
                self._validate()
                validated = stepped = time.monotonic()
            if now - saved > self.options.checkpoint_every_s:
                self._save()
                saved = time.monotonic()
        self._save()
        self._save_weights("last")
        feed.close()

    def _validate(self) -> None:
        if self.processes.rank:
            return
        rates = evaluate(self.average, self.val, self.alphabet, self.device)
        self._log(**{f"cer_{k}": round(v, 4) for k, v in rates.items()})
        if rates["all"] < self.best:
            self.best = rates["all"]
            self._save_weights("best")


def grown(network: Crnn, size: str) -> Crnn:
    """Return a network of ``size`` that reads as the smaller trained one does: what it has more is the identity at first."""
    larger = Crnn(replace(network.config, **SIZES[size]))
    try:
        missing, unknown = larger.load_state_dict(network.state_dict(), strict=False)
    except RuntimeError as error:
        raise ExportError([f"a network of size {size!r} cannot begin from these weights: {error}"]) from None
    residual = all(name.startswith(("gated.", "features.")) for name in missing)
    if unknown or not residual:
        raise ExportError([f"a network of size {size!r} cannot begin from these weights: {[*missing, *unknown]}"])
    return larger.train()


@torch.no_grad()
def with_alphabet(network: Crnn, known: str, alphabet: str) -> Crnn:
    """Return the network with classes for ``alphabet``, which holds all of ``known``: new ones begin as unlikely as the rarest."""
    config = replace(network.config, classes=len(alphabet) + 1)
    if alphabet == known:
        return network
    wider = Crnn(config)
    places = [0, *(alphabet.index(c) + 1 for c in known)]
    state = network.state_dict()
    for head in ("head", "shortcut"):
        weight, bias = state.pop(f"{head}.weight"), state.pop(f"{head}.bias")
        layer: nn.Linear | nn.Conv1d = getattr(wider, head)
        biases: Tensor = layer.get_parameter("bias")
        layer.weight.mul_(0.1)
        biases.fill_(float(bias.min()))
        layer.weight[places], biases[places] = weight, bias
    wider.load_state_dict(state, strict=False)
    return wider


def load_network(file: Path) -> tuple[Crnn, str, str]:
    """Return the only network of a checkpoint; see `load_networks`."""
    networks, alphabet, size = load_networks(file)
    if len(networks) > 1:
        raise ExportError([f"{file}: mixes {len(networks)} networks; begin with one that is not mixed"])
    return networks[0], alphabet, size


def load_networks(file: Path) -> tuple[list[Crnn], str, str]:
    """Return the network of a weights file, or those of a model folder with ``weights.safetensors``; their alphabet, the
    size's name, which mixtures have none of. Nothing in the file is executed.

    An auxiliary head that the folder of one network lacks is learnt anew.

    Raises
    ------
    ExportError
        No weights are there, or they do not fit the network that is described beside them.
    """
    try:
        return _load_folder(file) if file.is_dir() else _load_weights(file)
    except (
        KeyError,
        ValueError,
        TypeError,
        RuntimeError,
        OSError,
        EOFError,
        pickle.UnpicklingError,
        msgspec.MsgspecError,
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ExportError([f"{file}: no checkpoint of Carrel ({reason})"]) from error


def _load_weights(file: Path) -> tuple[list[Crnn], str, str]:
    saved = torch.load(file, weights_only=True, map_location="cpu")
    config = json.loads(saved["config"])
    alphabet, size = config.pop("alphabet"), config.pop("size")
    network = Crnn(msgspec.convert(config, CrnnConfig))
    network.load_state_dict(saved["weights"])
    return [network.eval()], alphabet, size


def _load_folder(folder: Path) -> tuple[list[Crnn], str, str]:
    from safetensors.torch import load

    model = open_model(folder, "recognition")
    manifest = model.manifest_as(Recognition)
    shapes = manifest.networks or [manifest.network or {}]
    networks = [Crnn(msgspec.convert(shape, CrnnConfig)) for shape in shapes]
    whole = Mixture(networks) if manifest.networks else networks[0]
    missing, unknown = whole.load_state_dict(load(model.read_file("weights")), strict=False)
    if unknown or any(not name.startswith("shortcut.") for name in missing):
        raise ValueError(f"the weights do not fit the manifest's network: {[*missing, *unknown]}")
    return [network.eval() for network in networks], "".join(manifest.symbols), manifest.size
