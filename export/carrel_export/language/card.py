"""The card of a language model: what it is made of, whose texts, under which licences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from carrel_export.language.recipe import ORDER, WEIGHTS

LANGUAGES = {"de": "German", "en": "English", "fr": "French"}
TEMPLATE = """# Language model for handwriting: {languages}

Characters in sequences of up to {order}: {ngrams:,} n-grams, pruned from interpolated modified Kneser-Ney estimates, and
{words:,} words that are known. It weighs what a network sees on a line of handwriting; it writes nothing by itself.

Learned from {characters:,} characters: the transcriptions that handwriting is trained on (weight {packs}), the registers
among them once more ({registers}), and letters, diaries, reports and prose of the 17th to 20th century ({corpora}), wrapped
into lines as long as those of the transcriptions. Spelling is that of the sources. German is about a tenth of the text.

It knows the documents of its sources; lines of other archives gain less. Names of people and places that are rare in
its texts are read as the network sees them, or as a more usual word: give a collection's own names.

Perplexity per character on `val` lines, whose documents are those of the training text: {perplexity:.2f}.
`docs/language-model.md` has figures on lines of documents that it does not know.

Licence: {licence}, as some of the sources are share-alike.

## Sources

{sources}
"""


def card_of(sources: Mapping[str, Mapping[str, str]], figures: Mapping[str, float], licence: str) -> str:
    """Return the text of the card; ``figures`` are those of the manifest."""
    languages = sorted({LANGUAGES.get(source.get("lang", ""), source.get("lang", "")) for source in sources.values()})
    weights = {kind: f"{figures[f'weight_{kind}']:g}" for kind in WEIGHTS}
    return TEMPLATE.format(
        languages=", ".join(filter(None, languages)),
        order=ORDER,
        ngrams=int(figures["ngrams"]),
        words=int(figures["words"]),
        characters=int(figures["characters"]),
        perplexity=figures["perplexity_val"],
        licence=licence,
        sources=_listed(sources),
        **weights,
    )


def _listed(sources: Mapping[str, Mapping[str, str]]) -> str:
    """One line a source, by licence."""
    by_licence: dict[str, list[str]] = defaultdict(list)
    for source in sources.values():
        by_licence[source["lic"]].append(f"- {source['cite']} ({source.get('lang', '')}), {source.get('url', '')}")
    return "\n\n".join(f"### {licence}\n\n" + "\n".join(lines) for licence, lines in sorted(by_licence.items()))
