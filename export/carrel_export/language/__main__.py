"""The command that makes a language model of line packs and corpora: ``python -m carrel_export.language --help``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from carrel.decode.lexicon import word_list
from carrel.decode.model import LanguageModel
from carrel.loading import HANDWRITING_MODEL
from carrel.models.folders import shipped_model
from carrel.models.manifest import Recognition
from carrel.review.training_lines import read_texts
from carrel_export.language.counts import total_of
from carrel_export.language.publish import perplexity, publish, text_sources
from carrel_export.language.recipe import WEIGHTS, counts_of, models_of, texts_of, words_of
from carrel_export.messages import told
from carrel_export.sources.training_sources import read_sources


def main(arguments: Sequence[str] | None = None) -> None:
    """Write one model folder for each size."""
    parser = argparse.ArgumentParser(
        prog="carrel_export.language", description="Character n-gram model of line packs' train split and of corpora."
    )
    parser.add_argument("--packs", type=Path, required=True, help="folder with *.zip line packs")
    parser.add_argument("--corpora", type=Path, required=True, help="folder with *.txt.xz, one paragraph a line")
    parser.add_argument("--sources", type=Path, required=True, help="JSON with licence and citation of each pack")
    parser.add_argument(
        "--out", type=Path, required=True, help="model folder to write; -SIZE is added for several sizes"
    )
    parser.add_argument("--ngrams", type=int, nargs="+", default=[2_000_000], help="sizes, in n-grams")
    parser.add_argument("--weights", type=float, nargs=3, default=list(WEIGHTS.values()), metavar=tuple(WEIGHTS))
    parser.add_argument("--without", metavar="PACK", help="leave the text of one pack out")
    parser.add_argument("--counts", type=Path, help="file that keeps the counts of the corpora for the next run")
    options = parser.parse_args(arguments)
    train, val = read_texts(options.packs, "train"), read_texts(options.packs, "val")
    alphabet = "".join(shipped_model(HANDWRITING_MODEL, "recognition").manifest_as(Recognition).symbols)
    texts = texts_of(train, options.corpora, alphabet, options.without)
    counts = counts_of(texts, options.counts)
    weights = dict(zip(WEIGHTS, options.weights, strict=True))
    corpora = json.loads((options.corpora / "sources.json").read_text("utf-8"))
    packs = read_sources(options.sources, [name for name in train if name != options.without])
    words = words_of(texts)
    sources = packs | text_sources(corpora)
    for size, model in zip(options.ngrams, models_of(counts, texts.symbols, weights, options.ngrams), strict=True):
        every = [line for lines in val.values() for line in lines]
        figures = {
            "ngrams": len(model.arcs),
            "words": len(words),
            "characters": total_of(counts["packs"]) + total_of(counts["corpora"]),
            **{f"weight_{kind}": weight for kind, weight in weights.items()},
            "perplexity_val": round(perplexity(model, every), 4),
            **{f"perplexity_val_{name}": round(perplexity(model, lines), 4) for name, lines in val.items()},
        }
        folder = options.out.with_name(f"{options.out.name}-{size}") if len(options.ngrams) > 1 else options.out
        publish(LanguageModel(model, word_list(words)), folder, sources, figures)
        print(json.dumps({"folder": str(folder), **figures}, indent=1), file=sys.stderr)


if __name__ == "__main__":
    with told():
        main()
