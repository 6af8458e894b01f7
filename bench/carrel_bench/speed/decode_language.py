"""A Carrel language model as ARPA, for decoders that read KenLM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from carrel.decode.ngram import LINE_END, NgramModel
from carrel.kernels.records import CODES, LINK, LINK_BITS, SYMBOLS_AT_ONCE

Row = tuple[str, float, float]


def n_grams_of(model: NgramModel) -> list[list[Row]]:
    """Return all n-grams with score and back-off weight (log10), by order. In text and line end, ``"\\n"`` is both."""
    strings = {0: ""}
    backoffs = {"": 0.0}
    first = _first_arcs(model)
    of_states = model.backoffs[model.states["shorter"] >> LINK_BITS].tolist()
    scores, following = model.scores[model.arcs >> LINK_BITS].tolist(), (model.arcs & LINK).tolist()
    levels: list[list[tuple[str, float]]] = [[] for _ in range(model.order)]
    for state in range(len(first) - 1):
        context = strings[state]
        backoffs[context] = of_states[state]
        for arc in range(first[state], first[state + 1]):
            gram = context + model.symbols[model.arc_symbols[arc]]
            levels[len(gram) - 1].append((gram, scores[arc]))
            # shorter contexts come first, so a state is first met from the context that it extends
            strings.setdefault(following[arc], gram)
    return [[(gram, score, backoffs.get(gram, 0.0)) for gram, score in level] for level in levels]


def _first_arcs(model: NgramModel) -> list[int]:
    return (model.states["first"] & LINK).tolist()


def truncated(model: NgramModel, order: int) -> NgramModel:
    """Return the model without its n-grams above ``order``: a sound model still, as each order backs off to lower ones."""
    if model.order <= order:
        return model
    first, following, shorter = _first_arcs(model), model.arcs & LINK, model.states["shorter"] & LINK
    lengths = {0: 0}
    for state in range(len(first) - 1):
        for after in following[first[state] : first[state + 1]].tolist():
            lengths.setdefault(after, lengths[state] + 1)
    states = sum(length < order for length in lengths.values())  # shorter contexts come first
    kept = np.arange(len(first) - 1, dtype=np.uint32)
    for state in range(states, len(kept)):
        kept[state] = kept[shorter[state]]
    arcs = kept[following[: first[states]]] | (model.arcs[: first[states]] & ~np.uint32(LINK))
    fewer = model.states[: states + 1].copy()
    fewer["first"][-1], fewer["bound"] = first[states], CODES - 1
    symbols = model.arc_symbols[: first[states] + SYMBOLS_AT_ONCE]
    return replace(model, order=order, states=fewer, arcs=arcs, arc_symbols=symbols)


def write_arpa(model: NgramModel, file: Path, space: str) -> None:
    """Write the model as ARPA, one character a word; ``space`` stands for the space."""
    levels = n_grams_of(model)
    with file.open("w", encoding="utf-8") as target:
        target.write("\\data\\\n")
        for n, level in enumerate(levels, 1):
            target.write(f"ngram {n}={len(level) + 2 * (n == 1)}\n")
        for n, level in enumerate(levels, 1):
            target.write(f"\n\\{n}-grams:\n")
            if n == 1:
                begin = next(backoff for gram, _, backoff in level if gram == LINE_END)
                target.write(f"{model.unknown}\t<unk>\t0\n-99\t<s>\t{begin:.7f}\n")
            for gram, score, backoff in level:
                words = [space if c == " " else c for c in gram]
                if n > 1 and words[0] == LINE_END:
                    words[0] = "<s>"
                if words[-1] == LINE_END:
                    words[-1] = "</s>"
                ending = "" if n == len(levels) or words[-1] == "</s>" else f"\t{backoff:.7f}"
                target.write(f"{score:.7f}\t{' '.join(words)}{ending}\n")
        target.write("\n\\end\\\n")
