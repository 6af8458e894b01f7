"""Direction of text: which way a word runs, and letters of words and lines from logical order to that on the page and back.

Lines follow the Unicode Bidirectional Algorithm (UAX 9) for one paragraph without embeddings, isolates and overrides, whose
controls are left out.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

_LEFTWARDS = ("R", "AL")
_FORWARDS = ("L", "EN", "AN")
_NUMBERS = ("EN", "AN")
_CONTROLS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"})
_BRACKETS = dict(zip("([{⟨〈", ")]}⟩〉", strict=True))
_MIRRORED = str.maketrans("()[]{}<>«»‹›", ")(][}{><»«›‹")


def is_right_to_left(text: str) -> bool:
    """Tell whether the first strongly directed character of ``text`` runs from right to left."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in (*_LEFTWARDS, "L"):
            return direction != "L"
    return False


def mostly_right_to_left(texts: Iterable[str]) -> bool:
    """Tell whether more letters of ``texts`` run from right to left than from left to right."""
    directions = Counter(unicodedata.bidirectional(character) for text in texts for character in text)
    return sum(directions[direction] for direction in _LEFTWARDS) > directions["L"]


def reordered(clusters: Sequence[str]) -> list[str]:
    """Return the clusters of a word that runs leftwards in the order of the page, or from there in logical order.

    It is what the Unicode Bidirectional Algorithm (UAX 9) does to a word: all is reversed and brackets are mirrored, but
    numbers and Latin letters in it keep their order. Done twice, nothing has changed.
    """
    turned: list[str] = []
    for backwards, members in groupby(
        clusters, key=lambda cluster: unicodedata.bidirectional(cluster[0]) not in _FORWARDS
    ):
        group = list(members)
        turned = ([cluster.translate(_MIRRORED) for cluster in reversed(group)] if backwards else group) + turned
    return turned


def clusters(text: str) -> list[str]:
    """Return ``text`` cut into letters with the marks, joiners and selectors that belong to them."""
    found: list[str] = []
    for character in text:
        joins = unicodedata.category(character) in ("Mn", "Me", "Mc") or character in _JOINERS
        if found and (joins or found[-1].endswith("\u200d")):
            found[-1] += character
        else:
            found.append(character)
    return found


_JOINERS = "\u200c\u200d"


def logical_word(seen: str) -> str:
    """Return a word whose letters are given from left to right in logical order; words that run rightwards are as they
    are."""
    return "".join(reordered(clusters(seen))) if is_right_to_left(seen) else seen


def displayed(text: str) -> str:
    """Return a line in display order, from left to right as it stands on the page, brackets mirrored; its first letter tells
    which way the line runs."""
    kept = [c for c in text if unicodedata.bidirectional(c) not in _CONTROLS]
    levels = _levels(kept, is_right_to_left(text))
    return "".join(kept[k].translate(_MIRRORED) if levels[k] % 2 else kept[k] for k in _order(levels))


def logical_line(seen: Sequence[str]) -> list[tuple[int, str]]:
    """Return a line's symbols, given from left to right, in logical order: the place of each in ``seen``, and its text.

    The line runs as most of its letters do. Where more than one order shows as ``seen`` does, it is the one that UAX 9 makes of
    ``seen``, as kraken takes it.
    """
    leftwards, text = mostly_right_to_left(seen), "".join(seen)
    found: list[tuple[int, str]] = []
    for levels in (_levels(seen, leftwards), _levels(seen[::-1], leftwards)[::-1]):
        found = [(k, seen[k].translate(_MIRRORED) if levels[k] % 2 else seen[k]) for k in _order(levels)]
        if displayed("".join(symbol for _, symbol in found)) == text:
            break
    return found


def _order(levels: Sequence[int]) -> list[int]:
    """Rule L2: the places of a line from left to right, or back."""
    order = list(range(len(levels)))
    for level in range(max(levels, default=0), 0, -1):
        groups = groupby(order, key=lambda k, level=level: levels[k] >= level)
        order = [k for turned, group in groups for k in (reversed(list(group)) if turned else group)]
    return order


def _levels(symbols: Sequence[str], leftwards: bool) -> list[int]:
    """The level of each symbol: odd where it runs leftwards."""
    base = "R" if leftwards else "L"
    types = _with_brackets(symbols, _weak_resolved(symbols, base), base)
    types = _neutrals_resolved(types, base)
    above = {"R": (1, 1), "L": (0, 2), "EN": (2, 2), "AN": (2, 2)}
    levels = [above[kind][leftwards] for kind in types]
    for k in range(len(levels) - 1, -1, -1):  # L1: white space at the end
        if not symbols[k].isspace():
            break
        levels[k] = int(leftwards)
    return levels


def _weak_resolved(symbols: Sequence[str], base: str) -> list[str]:
    """Rules W1 to W7: types L, R, EN, AN and neutrals."""
    types: list[str] = []
    for symbol in symbols:
        kind = unicodedata.bidirectional(symbol[0]) or "L"
        types.append((types[-1] if types else base) if kind == "NSM" else kind)
    strong = base
    for k, kind in enumerate(types):
        strong = kind if kind in ("L", *_LEFTWARDS) else strong
        if kind == "EN" and strong == "AL":
            types[k] = "AN"
    types = ["R" if kind == "AL" else kind for kind in types]
    for k in range(1, len(types) - 1):
        around = types[k - 1]
        if around == types[k + 1] and (types[k], around) in (("ES", "EN"), ("CS", "EN"), ("CS", "AN")):
            types[k] = around
    types = _terminators_resolved(types)
    strong = base
    for k, kind in enumerate(types):
        strong = kind if kind in ("L", "R") else strong
        if kind == "EN" and strong == "L":
            types[k] = "L"
    return types


def _terminators_resolved(types: Sequence[str]) -> list[str]:
    """Rules W5 and W6: signs beside a number belong to it, others are neutral."""
    found: list[str] = []
    groups = [(kind, len(list(group))) for kind, group in groupby(types)]
    for k, (kind, count) in enumerate(groups):
        around = {groups[j][0] for j in (k - 1, k + 1) if 0 <= j < len(groups)}
        ends_number = kind == "ET" and "EN" in around
        found += ["EN" if ends_number else kind if kind in ("L", "R", *_NUMBERS) else "ON"] * count
    return found


def _with_brackets(symbols: Sequence[str], types: list[str], base: str) -> list[str]:
    """Rule N0: brackets run as what is in them, where that runs as the line does, or as what is before them."""
    for left, right in _pairs(symbols, types):
        inside = {_strong(kind) for kind in types[left + 1 : right]} & {"L", "R"}
        if inside:
            before = next((s for kind in reversed(types[:left]) if (s := _strong(kind)) in ("L", "R")), base)
            types[left] = types[right] = base if base in inside else before
    return types


def _pairs(symbols: Sequence[str], types: Sequence[str]) -> list[tuple[int, int]]:
    """Rule BD16: the places of brackets that belong together."""
    found: list[tuple[int, int]] = []
    opened: list[tuple[str, int]] = []
    for k, symbol in enumerate(symbols):
        if types[k] != "ON":
            continue
        if symbol in _BRACKETS:
            opened.append((_BRACKETS[symbol], k))
        elif any(closing == symbol for closing, _ in opened):
            while opened:
                closing, left = opened.pop()
                if closing == symbol:
                    found.append((left, k))
                    break
    return sorted(found)


def _strong(kind: str) -> str:
    return "R" if kind in _NUMBERS else kind


def _neutrals_resolved(types: Sequence[str], base: str) -> list[str]:
    """Rules N1 and N2: neutrals run as what is on both sides of them, or as the line."""
    found = [kind if kind in ("L", "R", *_NUMBERS) else "" for kind in types]
    for k, kind in enumerate(found):
        if not kind:
            before = _strong(found[k - 1]) if k else base
            after = next((_strong(later) for later in found[k + 1 :] if later), base)
            found[k] = before if before == after else base
    return found
