"""Contents of a language model folder, and its binding to a network's classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from carrel.decode.lexicon import Lexicon, WordList, word_lexicon
from carrel.decode.ngram import Language, NgramModel


@dataclass(frozen=True, slots=True, eq=False)
class LanguageModel:
    """N-grams of characters, and words that are known; without words, none is unknown."""

    ngrams: NgramModel
    words: WordList | None = None

    def bound(self, symbols: Sequence[str], blank: int = 0) -> tuple[Language, Lexicon | None]:
        """Bind it to the classes other than the blank, in order; one may stand for several characters or for none."""
        alphabet = "".join(symbol if len(symbol) == 1 else "\0" for symbol in symbols)  # the model knows single ones
        words = word_lexicon(self.words, alphabet, blank) if self.words else None
        return Language(self.ngrams, alphabet, blank), words

    def with_words(self, words: Iterable[str]) -> LanguageModel:
        """Return the model with more words that are known, such as the names of a collection."""
        return replace(self, words=self.words.with_words(words)) if self.words else self
