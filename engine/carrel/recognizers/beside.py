"""Recognizers beside the first CTC network: an encoder-decoder that reads before it, a network for second opinions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from carrel.backends import CPU
from carrel.backends.runtimes.networks import open_line_network
from carrel.backends.selection import Selection
from carrel.budget import Budget
from carrel.decode.model import LanguageModel
from carrel.models import manifest as manifests
from carrel.models.folders import Model
from carrel.recognizers.ctc import CtcRecognizer
from carrel.recognizers.late import LateRecognizer
from carrel.recognizers.routing import ENCODER_DECODER, SECOND, Router, routes_with
from carrel.recognizers.types import Recognizer


def with_encoder_decoder(router: Router, model: Model, selected: Selection, budget: Budget) -> Router:
    """Return the router with an encoder-decoder before the CTC network, which is its witness and reads what it refuses."""
    name = ENCODER_DECODER
    late = LateRecognizer(name, partial(_open_other, router, model, without_language, selected, budget, name))
    scripts = {**router.scripts, name: router.scripts[CtcRecognizer.name]}
    return replace(router, recognizers={**router.recognizers, name: late}, scripts=scripts, routes=routes_with(name))


def with_second(
    router: Router, model: Model, language: Callable[[], LanguageModel | None], selected: Selection, budget: Budget
) -> Router:
    """Return the router with a recognizer for second opinions, on the processor: no device was tried with this network."""
    manifest = model.manifest
    known = manifest.scripts if isinstance(manifest, manifests.Recognition) else router.scripts[CtcRecognizer.name]
    late = LateRecognizer(SECOND, partial(_open_other, router, model, language, selected, budget, SECOND))
    scripts = {**router.scripts, SECOND: frozenset(known)}
    return replace(router, recognizers={**router.recognizers, SECOND: late}, scripts=scripts)


def without_language() -> None:
    """Return no language model, for networks that are searched without one."""


def _open_other(
    router: Router,
    model: Model,
    language: Callable[[], LanguageModel | None],
    selected: Selection,
    budget: Budget,
    name: str,
) -> Recognizer:
    """The recognizer of a model beside the first CTC network, which is the witness of an encoder-decoder."""
    runtime = replace(CPU, precision="fp32" if selected.runtime.precision == "fp32" else "int8")
    if model.task == "recognition":
        network = open_line_network(model, runtime, selected.threads, budget)
        return CtcRecognizer(model, network, language(), name)
    if (selected.runtime.backend, selected.runtime.device) == ("openvino", CPU.device):
        runtime = selected.runtime
    from carrel.recognizers.seq2seq.opening import open_seq2seq  # few pages need it

    late = router.recognizers[CtcRecognizer.name]
    assert isinstance(late, LateRecognizer)
    return open_seq2seq(model, partial(ctc_of, late), runtime, selected.threads, budget, name)


def ctc_of(late: LateRecognizer) -> CtcRecognizer:
    """Return the CTC recognizer, opened where it is not yet."""
    recognizer = late.opened()
    assert isinstance(recognizer, CtcRecognizer)
    return recognizer
