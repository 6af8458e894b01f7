"""Tokens write what the real tokenizers write, of all three kinds; a tokenizer that is not whole is refused."""

# pyright: reportMissingImports=false
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the export extra (torch) is not installed")
tokenizers: Any = pytest.importorskip("tokenizers", reason="tokenizers, which are compared with, is not installed")
transformers: Any = pytest.importorskip("transformers", reason="transformers, which is compared with, is not installed")

from carrel.recognizers.seq2seq.tokens import written  # noqa: E402
from carrel_export.seq2seq.entries import Problems  # noqa: E402
from carrel_export.seq2seq.tokens import read_tokens, table  # noqa: E402

PIECES = [
    "le",
    "la",
    "den",
    "Sommer",
    "Haus",
    "été",
    "naïve",
    "façon",
    "Straße",
    "über",
    "1847",
    "£",
    "½",
    "—",
    "«",
    "œuvre",
    "»",
    "N°",
    "the",
    "keeper's",
    ".",
    ",",
    ";",
    ":",
    "🖋",
    "漢字",
    "ſs",
    "ij",
]
TEXTS = 1000


def _corpus() -> list[str]:
    rng = np.random.default_rng(6)
    return [(" " * int(rng.integers(1, 3))).join(rng.choice(PIECES, rng.integers(1, 9))) for _ in range(TEXTS)]


def _byte_pairs(folder: Path) -> Any:
    trained = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained.train_from_iterator(_corpus(), vocab_size=340, special_tokens=special, show_progress=False)
    trained.save_model(str(folder))
    return transformers.RobertaTokenizer(vocab=str(folder / "vocab.json"), merges=str(folder / "merges.txt"))


def _sentence_pieces(folder: Path) -> Any:
    trainer: Any = pytest.importorskip(
        "sentencepiece", reason="sentencepiece, which is compared with, is not installed"
    )
    trainer.SentencePieceTrainer.train(
        sentence_iterator=iter(_corpus()),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=150,
        character_coverage=1.0,
        hard_vocab_limit=False,
        minloglevel=2,
        num_threads=1,
    )
    (folder / "sentencepiece.bpe.vocab").unlink()
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "XLMRobertaTokenizer"}), "utf-8")
    return transformers.AutoTokenizer.from_pretrained(folder)


def _saved(make: Callable[[Path], Any], folder: Path) -> Any:
    """The same tokenizer in one file."""
    tokenizer = make(folder)
    for file in folder.iterdir():
        file.unlink()
    tokenizer.save_pretrained(folder)
    assert (folder / "tokenizer.json").is_file() and not (folder / "vocab.json").exists()
    return tokenizer


def _pairs_in_one(folder: Path) -> Any:
    return _saved(_byte_pairs, folder)


def _pieces_in_one(folder: Path) -> Any:
    return _saved(_sentence_pieces, folder)


@pytest.mark.parametrize("make", [_byte_pairs, _sentence_pieces, _pairs_in_one, _pieces_in_one])
def test_tokens_write_what_the_tokenizer_writes(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    tokenizer = make(tmp_path)
    problems = Problems()
    found = read_tokens(tmp_path, len(tokenizer) + 3, problems)
    assert problems.found == []
    rng = np.random.default_rng(7)
    for text in _corpus():
        numbers = tokenizer(text)["input_ids"]
        if rng.random() < 0.2:  # tokens as a decoder may write them, halves of characters among them
            numbers = rng.permutation(numbers).tolist()
        told = tokenizer.decode(numbers, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        ours = "".join(c.text for c in written(numbers, [1.0] * len(numbers), found))
        assert ours.strip(" ") == told.strip(" ")
    assert [entry.encode("latin-1") for entry in json.loads(table(found))] == found


def test_tokenizers_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    for contents, said in (
        (b"\x0a\xff\xff", "no whole sentencepiece model"),
        (b"\x0b", "wire type 3"),
    ):
        (tmp_path / "sentencepiece.bpe.model").write_bytes(contents)
        problems = Problems()
        read_tokens(tmp_path, 9, problems)
        assert any(said in problem for problem in problems.found)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordPiece", "vocab": {}}}), "utf-8")
    problems = Problems()
    read_tokens(tmp_path, 9, problems)
    assert any("of the kind 'WordPiece'" in problem for problem in problems.found)


def test_a_tokenizer_that_does_not_fit_the_decoder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({"<s>": 0, "a": 1, "b": 30}), "utf-8")
    problems = Problems()
    read_tokens(tmp_path, 20, problems)
    assert [problem.split(",")[0] for problem in problems.found] == [
        "its tokenizer has a token 30",
        "its tokenizer has 3 tokens",
    ]
