"""Language models made of line packs and corpora: lines wrapped, n-grams counted in chunks, mixed, pruned, published."""

from __future__ import annotations

import json
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest

from carrel.decode.lexicon import word_list
from carrel.errors import InputError
from carrel.loading import load_language
from carrel.models.folders import open_model
from carrel_export.language.__main__ import main
from carrel_export.language.counts import count_ngrams, mask_of, symbols_of
from carrel_export.language.kneser_ney import estimate, score_of
from carrel_export.language.mix import Part, gains_of, mix, prune_to
from carrel_export.language.texts import read_paragraphs, wrap
from carrel_export.language.words import known_words

LETTERS = [
    "my dear sir, i have the honour",
    "to accept your invitation",
    "the pall bearers at the",
    "funeral of the",
] * 4
PROSE = ["it was the best of times, it was the worst of times", "my dear, the times are bad and the times are good"] * 6


def test_lines_break_at_spaces_and_lose_nothing() -> None:
    lines = list(wrap(PROSE, [5, 12, 30], seed=1))
    assert " ".join(lines) == " ".join(PROSE)
    assert max(map(len, lines)) <= 30
    assert all(line == line.strip() and line for line in lines)
    assert list(wrap(["unbreakable"], [3])) == ["unbreakable"]


@pytest.mark.parametrize("chunk", [1, 40, 10_000])
def test_counts_do_not_depend_on_chunks(chunk: int) -> None:
    symbols = symbols_of(LETTERS)
    text = "\n" + "\n".join(LETTERS) + "\n"
    for n, counts in enumerate(count_ngrams(LETTERS, symbols, 4, chunk), 1):
        grams = [text[i : i + n] for i in range(len(text) - n + 1)]
        sound = [g for g in grams if "\n" not in g[1:-1]] if n > 1 else list(text[1:])
        expected = {g: sound.count(g) for g in sound}
        found = {
            "".join(symbols[b] for b in int(key).to_bytes(n, "big")): int(count)
            for key, count in zip(counts.keys, counts.counts, strict=True)
        }
        assert found == expected


def parts(weight: float) -> tuple[list[Part], str]:
    symbols = symbols_of(LETTERS + PROSE)
    made = [(count_ngrams(lines, symbols, 3), share) for lines, share in ((LETTERS, weight), (PROSE, 1 - weight))]
    return [Part(counts, estimate(counts, symbols), share) for counts, share in made], symbols


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_mixture_is_the_mean_of_its_parts_and_adds_up_to_one(weight: float) -> None:
    mixed, symbols = parts(weight)
    levels = mix(mixed)
    every = np.arange(len(symbols), dtype=np.uint64)
    for context in ("th", "my", "\ni", "zz"[:0]):
        shifted = every
        for place, symbol in enumerate(reversed(context), 1):
            shifted = shifted | np.uint64(symbols.index(symbol) << (8 * place))
        found = 10.0 ** score_of(levels[: len(context) + 1], shifted)
        assert found.sum() == pytest.approx(1.0, abs=1e-6)
    trigrams = levels[2].keys
    mean = sum(part.weight * 10.0 ** score_of(part.levels, trigrams) for part in mixed)
    assert 10.0 ** levels[2].scores == pytest.approx(mean)


def test_pruning_keeps_what_gains_most_and_what_leads_to_it() -> None:
    mixed, _ = parts(0.5)
    levels = mix(mixed)
    for size in (60, 120):
        kept = prune_to(levels, gains_of(levels, mixed), size)
        assert size * 0.9 <= sum(len(level.keys) for level in kept) <= size + 5
        for longer, shorter in zip(kept[:0:-1], kept[-2::-1], strict=True):
            assert np.isin(longer.keys >> np.uint64(8), shorter.keys).all()
        assert (kept[2].keys & mask_of(1)).max() < 256


def test_words_count_in_corpora_three_times_and_in_packs_once() -> None:
    words = known_words(["le Roi dit"], ["a bb, bb-bb ccc 12 ccc", "e\u0303t ccc's"])
    assert words == {"le", "Le", "Roi", "dit", "Dit", "bb", "Bb", "ccc", "Ccc"}


def write_texts(folder: Path) -> list[str]:
    """Packs of two sources, a corpus and the lists of sources in a folder; the arguments that name them."""
    for name, lines in (("letters", LETTERS), ("bronod", ["12 mars ... bail", "13 dud ... vente"] * 3)):
        rows = [
            {"image": f"{i}.webp", "text": text, "page": "p", "split": "val" if i % 4 == 3 else "train"}
            for i, text in enumerate(lines)
        ]
        (folder / "lines").mkdir(exist_ok=True)
        with zipfile.ZipFile(folder / "lines" / f"{name}.zip", "w") as pack:
            pack.writestr("lines.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    (folder / "text").mkdir()
    with lzma.open(folder / "text" / "prose.txt.xz", "wt", encoding="utf-8") as corpus:
        corpus.write("\n".join(PROSE) + "\n")
    source = {"title": "A tale", "licence": "public domain", "language": "en", "century": "19", "url": "none"}
    (folder / "text" / "sources.json").write_text(json.dumps([source]), "utf-8")
    packs = {name: {"cite": f"The {name}", "lic": "CC-BY 4.0", "lang": "fr"} for name in ("letters", "bronod")}
    (folder / "sources.json").write_text(json.dumps(packs), "utf-8")
    names = {"--packs": "lines", "--corpora": "text", "--sources": "sources.json", "--counts": "counts.npz"}
    return [part for option, name in names.items() for part in (option, str(folder / name))]


def test_a_model_is_made_of_packs_and_corpora_and_read_back(tmp_path: Path) -> None:
    arguments = write_texts(tmp_path)
    main([*arguments, "--out", str(tmp_path / "model"), "--ngrams", "500"])
    model = open_model(tmp_path / "model", "language")
    known = load_language(model)
    assert 450 <= len(known.ngrams.arcs) <= 520  # several gain the same
    assert known.ngrams.score("my dear sir") > known.ngrams.score("ym raed ris") + 3
    assert {*"@ßãìò"} <= set(known.ngrams.symbols)
    assert known.words is not None
    assert known.words.holds("honour")
    assert set(model.manifest.training_sources) == {"letters", "bronod", "A tale"}
    card = (tmp_path / "model" / "card.md").read_text("utf-8")
    assert "The letters" in card
    assert "A tale" in card
    # counts of the corpora are used again; one source is left out
    main([*arguments, "--out", str(tmp_path / "less"), "--ngrams", "300", "400", "--without", "letters"])
    less = load_language(open_model(tmp_path / "less-400", "language"))
    assert less.ngrams.symbols == known.ngrams.symbols
    assert less.ngrams.score("the honour to accept") < known.ngrams.score("the honour to accept")
    assert "letters" not in open_model(tmp_path / "less-300", "language").manifest.training_sources


def test_no_corpora_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no corpora"):
        list(read_paragraphs(tmp_path))


def test_own_words_are_added_to_a_model(tmp_path: Path) -> None:
    arguments = write_texts(tmp_path)
    main([*arguments, "--out", str(tmp_path / "model"), "--ngrams", "300"])
    known = load_language(open_model(tmp_path / "model", "language")).with_words(["Zwingli"])
    assert known.words is not None
    assert known.words.holds("Zwingli")
    assert known.words.holds("honour")
    assert not word_list(["Zwinglis"]).holds("Zwingli")


def test_orders_whose_keys_would_overflow_are_refused() -> None:
    assert len(count_ngrams(LETTERS, symbols_of("abc"), 8)) == 8
    with pytest.raises(ValueError, match="order 9: at most 8"):
        count_ngrams(LETTERS, symbols_of("abc"), 9)
