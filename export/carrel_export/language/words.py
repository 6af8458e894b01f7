"""Words that a language model knows, counted in line packs and corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from carrel.decode.word_files import MOST_LETTERS, WORD

LEAST_COUNT = 3
"""Of a word in the corpora; rarer ones are mostly misprints."""


def known_words(lines: Iterable[str], paragraphs: Iterable[str]) -> set[str]:
    """Return all words of the packs' lines, and those of the corpora that occur three times; small ones capitalized, too."""
    found = {word for line in lines for word in WORD.findall(line)}
    counts: Counter[str] = Counter()
    for paragraph in paragraphs:
        counts.update(WORD.findall(paragraph))
    found.update(word for word, count in counts.items() if count >= LEAST_COUNT)
    found = {word for word in found if len(word) <= MOST_LETTERS}
    return found | {word.capitalize() for word in found if word.islower()}
