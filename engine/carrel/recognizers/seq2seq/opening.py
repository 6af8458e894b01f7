"""An encoder-decoder of a model folder, opened on a runtime within the memory limit."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from carrel.backends import CPU, Runtime
from carrel.backends.foreign import line_bytes
from carrel.backends.runtimes.networks import open_part
from carrel.budget import Budget
from carrel.models.folders import Model
from carrel.models.manifest import Seq2seq
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.seq2seq.recognizer import Networks, Seq2seqRecognizer
from carrel.recognizers.seq2seq.tokens import read_tokens

log = logging.getLogger(__name__)


def open_networks(model: Model, runtime: Runtime = CPU, threads: int = 1) -> Networks:
    """Return both networks and the tokens of a model.

    Raises
    ------
    ModelError
        The model is for another task, damaged, or no runtime takes it.
    """
    manifest = model.manifest_as(Seq2seq)
    encoder, decoder = (open_part(model, role, runtime, threads) for role in ("encoder", "decoder"))
    return Networks(manifest, encoder, decoder, read_tokens(model, manifest.tokens))


def open_seq2seq(
    model: Model, witness: Callable[[], CtcRecognizer], runtime: Runtime, threads: int, budget: Budget, name: str
) -> Seq2seqRecognizer:
    """Return the recognizer of a model; ``name`` is what it is called in results.

    Raises
    ------
    ModelError
        As `open_networks`.
    """
    networks = open_networks(model, runtime, threads)
    if networks.manifest.calibration is None:
        log.warning("%s: its confidences are not calibrated; every line that it reads is for review", model.name)
    reserve = partial(budget.reserve, line_bytes(model), f"a line for {model.name}")
    return Seq2seqRecognizer(networks, witness, reserve, name)
