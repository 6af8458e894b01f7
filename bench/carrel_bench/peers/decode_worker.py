"""One decoder, answering questions of `carrel_bench.speed.decode`: ``NAME LOGITS.npz [ngram.bin ARPA]``.

The last two are the same language model. A question names the lines, the beam width, whether to use the language model, what
is given and how many times to repeat. The answer holds the processor time of the fastest run and the texts.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

THRESHOLD = 1e-3
WEIGHT = 0.6
LOGITS, PROBABILITIES = "logits", "probabilities"
"""What Carrel and fast-ctc-decode both start from, where a question says ``given``; making it is not in their time."""
SPACE = "\u2423"
"""How the ARPA file writes the space."""

Texts = list[str]
Prepared = Callable[[], Texts]


def softmax(logits: Any) -> Any:
    """Return probabilities, float32."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def masked_logarithms(probabilities: Any) -> Any:
    """Return logarithms with what the others do not look at, either, out of the way."""
    logarithms = np.log(np.maximum(probabilities, 1e-30))
    best = probabilities == probabilities.max(axis=1, keepdims=True)
    return np.where((probabilities >= THRESHOLD) | best, logarithms, -1e4).astype(np.float32)


class Carrel:
    """A decoder that takes logits, or probabilities where asked for; everything from there to the text is in its time."""

    def __init__(self, alphabet: str, ngrams: str, arpa: str) -> None:
        from carrel.decode.ngram import Language, read_ngrams

        self.alphabet = alphabet
        self.language = Language(read_ngrams(Path(ngrams)), alphabet) if ngrams else None

    def prepare(self, logits: list[Any], width: int, question: dict[str, Any]) -> Prepared:
        from carrel.decode.beam import beam_search, beam_search_lines
        from carrel.decode.options import DecodeOptions

        options = DecodeOptions(
            beam_width=width,
            candidate_threshold=THRESHOLD,
            beam_threshold=question.get("beam_threshold", 0.0),
            language_weight=WEIGHT,
        )
        language = self.language if question["model"] else None
        alphabet = "\0" + self.alphabet
        normalized = question.get("given") == PROBABILITIES
        if normalized:
            logits = [softmax(line) for line in logits]

        def run() -> Texts:
            if question.get("single"):
                found = [beam_search(line, options, language, normalized=normalized) for line in logits]
            else:
                found = beam_search_lines(logits, options=options, language=language, normalized=normalized)
            return ["".join([alphabet[c] for c in readings[0].classes]) for readings in found]

        return run


class FastCtcDecode:
    """A decoder that takes probabilities; making them with numpy is in its time where logits are given."""

    def __init__(self, alphabet: str, ngrams: str, arpa: str) -> None:
        self.alphabet = ["\0", *alphabet]

    def prepare(self, logits: list[Any], width: int, question: dict[str, Any]) -> Prepared:
        from fast_ctc_decode import beam_search

        if question.get("given") == LOGITS:
            return lambda: [beam_search(softmax(line), self.alphabet, width, THRESHOLD)[0] for line in logits]
        inputs = [softmax(line) for line in logits]
        return lambda: [beam_search(line, self.alphabet, width, THRESHOLD)[0] for line in inputs]


class Pyctcdecode:
    """A decoder that takes log probabilities; every character is a word to it, so that its language model scores characters."""

    def __init__(self, alphabet: str, ngrams: str, arpa: str) -> None:
        from pyctcdecode import Alphabet, BeamSearchDecoderCTC, LanguageModel

        plain = Alphabet.build_alphabet(["", *alphabet])
        self.plain = BeamSearchDecoderCTC(plain)
        if arpa:
            import kenlm

            words = [SPACE if c == " " else c for c in alphabet]
            tokens = Alphabet(["", *("\u2581" + word for word in words)], True)
            model = LanguageModel(kenlm.Model(arpa), words, alpha=WEIGHT, beta=0.0, unk_score_offset=0.0)
            self.fused = BeamSearchDecoderCTC(tokens, model)

    def prepare(self, logits: list[Any], width: int, question: dict[str, Any]) -> Prepared:
        inputs = [np.log(np.maximum(softmax(line), 1e-30)) for line in logits]
        arguments = {"beam_width": width, "beam_prune_logp": -1e9, "token_min_logp": math.log(THRESHOLD)}
        if question["model"]:
            decoder = self.fused
            return lambda: [
                "".join(" " if w == SPACE else w for w in decoder.decode(line, **arguments).split(" "))
                for line in inputs
            ]
        return lambda: [self.plain.decode(line, **arguments) for line in inputs]


class Flashlight:
    """A decoder that takes log probabilities; ``beam_size_token`` is as large as the frames with the most candidates need, up to 40."""

    def __init__(self, alphabet: str, ngrams: str, arpa: str) -> None:
        from flashlight.lib.text.decoder import ZeroLM

        self.alphabet = "\0" + alphabet
        self.zero = ZeroLM()
        if arpa:
            from flashlight.lib.text.decoder import KenLM
            from flashlight.lib.text.dictionary import Dictionary

            tokens = Dictionary()
            for word in ["<blank>", *(SPACE if c == " " else c for c in alphabet)]:
                tokens.add_entry(word)
            self.fused = KenLM(arpa, tokens)

    def prepare(self, logits: list[Any], width: int, question: dict[str, Any]) -> Prepared:
        from flashlight.lib.text.decoder import CriterionType, LexiconFreeDecoder, LexiconFreeDecoderOptions

        inputs = [np.ascontiguousarray(masked_logarithms(softmax(line))) for line in logits]
        candidates = max(int((line > -1e3).sum(axis=1).max()) for line in inputs)
        options = LexiconFreeDecoderOptions(
            beam_size=width,
            beam_size_token=min(40, candidates),
            beam_threshold=1e9,
            lm_weight=WEIGHT * math.log(10.0),
            sil_score=0.0,
            log_add=True,
            criterion_type=CriterionType.CTC,
        )
        model = self.fused if question["model"] else self.zero
        decoder = LexiconFreeDecoder(options, model, -1, 0, [])

        def run() -> Texts:
            texts: Texts = []
            for line in inputs:
                tokens = decoder.decode(line.ctypes.data, *line.shape)[0].tokens
                kept = [t for i, t in enumerate(tokens) if t > 0 and (i == 0 or t != tokens[i - 1])]
                texts.append("".join([self.alphabet[t] for t in kept]))
            return texts

        return run


DECODERS = {
    "carrel": Carrel,
    "fast-ctc-decode": FastCtcDecode,
    "pyctcdecode": Pyctcdecode,
    "flashlight-text": Flashlight,
}


def load_logits(file: Path) -> tuple[list[Any], str]:
    """Return the logits of each line, float32 ``(t, classes)``, and the alphabet."""
    with np.load(file) as saved:
        parts = np.split(saved["logits"], np.cumsum(saved["frames"])[:-1])
        return [np.ascontiguousarray(part) for part in parts], str(saved["alphabet"])


def start(name: str, file: str, ngrams: str = "", arpa: str = "") -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Load a decoder and the logits."""
    lines, alphabet = load_logits(Path(file))
    decoder: Any = DECODERS[name](alphabet, ngrams, arpa)

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        chosen = [lines[i] * np.float32(question.get("sharpness", 1.0)) for i in question["lines"]]
        run = decoder.prepare(chosen, int(question["width"]), question)
        texts: Texts = []
        seconds = math.inf
        for _ in range(int(question.get("repeats", 1))):
            began = time.thread_time()
            texts = run()
            seconds = min(seconds, time.thread_time() - began)
        return {"cpu_s": seconds, "texts": texts}

    return answer
