"""The folder of a language model: n-grams and manifest."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from carrel.decode.ngram import NgramModel, parse_ngrams
from carrel.loading import LANGUAGE_MODEL
from carrel.models import publish as folders
from carrel.models.folders import Model

FILE_NAME = "ngram.bin"
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


def publish(model: NgramModel, folder: Path, sources: Sources, figures: Mapping[str, float]) -> Model:
    """Make the model folder; see `carrel.models.publish.publish`."""
    manifest = {
        "task": "language",
        "name": LANGUAGE_MODEL,
        "languages": sorted({source["lang"] for source in sources.values() if source.get("lang")}),
        "alphabet": model.symbols,
        "order": model.order,
        "licence": LICENCE,
        "training_sources": sources,
        "figures": figures,
    }
    with tempfile.TemporaryDirectory(prefix="carrel-export-") as made:
        file = Path(made) / FILE_NAME
        file.write_bytes(model.to_bytes())
        return folders.publish(folder, manifest, {"ngram": file}, gate=readable)


def readable(model: Model) -> None:
    """Refuse n-grams that the run time does not read."""
    parse_ngrams(model.read_file("ngram"), model.name)
