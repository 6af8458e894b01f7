"""The folder of a language model: n-grams, words, manifest and card."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from carrel.decode.model import LanguageModel
from carrel.decode.ngram import NgramModel
from carrel.loading import LANGUAGE_MODEL, LEXICON, NGRAMS, load_language
from carrel.models import publish as folders
from carrel.models.folders import Model
from carrel_export.language.card import card_of

NGRAM_FILE, LEXICON_FILE = "ngram.bin", "lexicon.bin"
LONGEST_NAME = 120
"""Characters of a source's name."""
LICENCE = "CC-BY-SA-4.0"
"""Some sources are share-alike, others ask to be named."""
Sources = Mapping[str, Mapping[str, str]]


def perplexity(model: NgramModel, texts: Sequence[str]) -> float:
    """Return the perplexity per character, line ends counted as characters."""
    score = sum(model.score(text) for text in texts)
    return float(10.0 ** (-score / sum(len(text) + 1 for text in texts)))


def text_sources(corpora: Sequence[Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return what the manifest says of corpora, by title."""
    return {
        text["title"][:LONGEST_NAME]: {
            "cite": text["title"],
            "lic": text["licence"],
            "lang": text["language"],
            "century": text["century"],
            "url": text["url"],
        }
        for text in sorted(corpora, key=lambda text: (text["language"], text["title"]))
    }


def publish(known: LanguageModel, folder: Path, sources: Sources, figures: Mapping[str, float]) -> Model:
    """Make the model folder; see `carrel.models.publish.publish`."""
    manifest = {
        "task": "language",
        "name": LANGUAGE_MODEL,
        "languages": sorted({source["lang"] for source in sources.values() if source.get("lang")}),
        "alphabet": known.ngrams.symbols,
        "order": known.ngrams.order,
        "licence": LICENCE,
        "training_sources": sources,
        "figures": figures,
    }
    with tempfile.TemporaryDirectory(prefix="carrel-export-") as made:
        files = {NGRAMS: Path(made) / NGRAM_FILE}
        files[NGRAMS].write_bytes(known.ngrams.to_bytes())
        if known.words:
            files[LEXICON] = Path(made) / LEXICON_FILE
            files[LEXICON].write_bytes(known.words.to_bytes())
        return folders.publish(folder, manifest, files, gate=readable, card=card_of(sources, figures, LICENCE))


def readable(model: Model) -> None:
    """Refuse what the run time does not read."""
    load_language(model)
