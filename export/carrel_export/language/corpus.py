"""Make a language model of the transcriptions of line packs: ``python -m carrel_export.language.corpus --help``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from carrel.decode.ngram import NgramModel, parse_ngrams
from carrel.models.folders import Model
from carrel.models.publish import publish
from carrel.review.training_lines import read_texts
from carrel_export.language.ngram import assemble, estimate, grams_of, prune, symbols_of, write_arpa
from carrel_export.messages import told
from carrel_export.sources.training_sources import read_sources

FILE_NAME = "ngram.bin"
LICENCE = "CC-BY-SA-4.0"
"""One source is share-alike, the others ask to be named."""


def perplexity(model: NgramModel, texts: Sequence[str]) -> float:
    """Per character, line ends counted as characters."""
    score = sum(model.score(text) for text in texts)
    return float(10.0 ** (-score / sum(len(text) + 1 for text in texts)))


def manifest_of(model: NgramModel, sources: dict[str, dict[str, str]], figures: dict[str, float]) -> dict[str, Any]:
    """Return the model folder's manifest, but for its files."""
    return {
        "task": "language",
        "name": "language-fr-en",
        "languages": sorted({source["lang"] for source in sources.values() if source.get("lang")}),
        "alphabet": model.symbols,
        "order": model.order,
        "licence": LICENCE,
        "training_sources": sources,
        "figures": figures,
    }


def readable(model: Model) -> None:
    """Refuse n-grams that the run time does not read."""
    parse_ngrams(model.read_file("ngram"), model.name)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Character n-gram model of the train split of line packs.")
    parser.add_argument("--packs", type=Path, required=True, help="folder with *.zip line packs")
    parser.add_argument("--sources", type=Path, required=True, help="JSON with licence and citation of each pack")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--order", type=int, default=7)
    parser.add_argument("--prune", type=float, default=0.6, help="log10 loss under which an n-gram is dropped")
    parser.add_argument("--arpa", type=Path, help="write the same model as ARPA, too")
    options = parser.parse_args(arguments)
    train, val = read_texts(options.packs, "train"), read_texts(options.packs, "val")
    lines = [line for texts in train.values() for line in texts]
    symbols = symbols_of(lines)
    grams = grams_of(lines, symbols, options.order)
    levels = prune(estimate(grams, symbols), grams, options.prune)
    content = assemble(levels, symbols).to_bytes()
    model = parse_ngrams(content, FILE_NAME)
    held_out = [line for texts in val.values() for line in texts]
    figures = {
        "ngrams": float(len(model.arcs)),
        "characters": float(sum(map(len, lines))),
        "prune": options.prune,
        "perplexity_val": round(perplexity(model, held_out), 4),
        **{f"perplexity_val_{name}": round(perplexity(model, texts), 4) for name, texts in val.items()},
    }
    manifest = manifest_of(model, read_sources(options.sources, list(train)), figures)
    with tempfile.TemporaryDirectory(prefix="carrel-export-") as folder:
        file = Path(folder) / FILE_NAME
        file.write_bytes(content)
        publish(options.out, manifest, {"ngram": file}, gate=readable)
    if options.arpa:
        with options.arpa.open("w", encoding="utf-8") as target:
            write_arpa(levels, symbols, target)
    print(json.dumps({"bytes": len(content), **figures}, indent=1), file=sys.stderr)


if __name__ == "__main__":
    with told():
        main()
