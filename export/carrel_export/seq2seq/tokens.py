"""Tokenizers of three kinds -> the bytes that each token stands for, without a tokenizer's library.

Byte-level pairs (``vocab.json``, beside ``merges.txt``, which only encoding needs: each byte is a letter, by the map of GPT-2), sentencepiece
(a protocol buffer of pieces, in which U+2581 is a space), and ``tokenizer.json``, which holds either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from carrel_export.seq2seq.entries import Problems, read_json

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")
SENTENCEPIECE = ("sentencepiece.bpe.model", "spiece.model", "tokenizer.model", "spm.model")
USUAL_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
FAIRSEQ = USUAL_SPECIAL[:4]
"""The first tokens of XLM-RoBERTa's, which go before the pieces of its file; these begin at its fourth."""
FAIRSEQ_CLASSES = ("XLMRoberta", "Camembert", "Barthez")
PLAIN_CLASSES = ("T5", "Llama", "Albert", "PreTrained", "")
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE_PIECE = 1, 2, 3, 4, 5, 6
"""Kinds of pieces."""


def read_tokens(folder: Path, count: int, problems: Problems) -> list[bytes]:
    """Return what each of ``count`` tokens writes, nothing where it writes nothing; what is wrong is noted."""
    there = [name for name in SENTENCEPIECE if (folder / name).is_file()]
    special = _special(folder, problems)
    if (folder / "tokenizer.json").is_file():
        found = _of_tokenizer_json(read_json(folder / "tokenizer.json", problems), special, problems)
    elif there:
        found = _of_sentencepiece(folder / there[0], special, folder, problems)
    elif (folder / "vocab.json").is_file():
        vocabulary = _numbers("vocab.json", read_json(folder / "vocab.json", problems), problems)
        found = {number: _of_letters(token) for token, number in vocabulary.items()}
        found |= {number: b"" for token, number in vocabulary.items() if token in special}
    else:
        problems.note("no tokenizer (tokenizer.json, vocab.json or sentencepiece.bpe.model)")
        return []
    found = {**found, **_added(folder, special, problems)}
    broken = [number for number, written in found.items() if written is None]
    if broken:
        problems.note(f"its tokenizer holds {len(broken):,} tokens that are no text in bytes, as token {broken[0]}")
    beyond = [number for number in found if number >= count]
    if beyond:
        problems.note(f"its tokenizer has a token {max(beyond):,}, the decoder only {count:,} tokens")
    if len(found) < count // 2:
        problems.note(f"its tokenizer has {len(found):,} tokens, the decoder {count:,}")
    return [found.get(number) or b"" for number in range(count)]


def table(tokens: Iterable[bytes]) -> bytes:
    """Return the table of tokens as a model folder holds it; see `carrel.recognizers.seq2seq.tokens`."""
    return json.dumps([token.decode("latin-1") for token in tokens], ensure_ascii=False).encode()


def letters_of_bytes() -> dict[str, int]:
    """Return the map of GPT-2: a visible letter for each byte."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + k): byte for k, byte in enumerate(others)}


_LETTERS = letters_of_bytes()


def _of_letters(token: str) -> bytes | None:
    """The bytes of a byte-level token; None where it holds other letters."""
    found = [_LETTERS.get(letter) for letter in token]
    return None if None in found else bytes(byte for byte in found if byte is not None)


def _of_piece(piece: str) -> bytes:
    """The bytes of a piece, which may be one byte by its number."""
    byte = BYTE.match(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace(SPACE, " ").encode()


def _numbers(where: str, entries: Mapping[str, Any], problems: Problems) -> dict[str, int]:
    """Tokens with their numbers."""
    found = {token: n for token, n in entries.items() if isinstance(n, int) and not isinstance(n, bool) and n >= 0}
    if len(found) < len(entries) or len(set(found.values())) < len(found) or not _is_text(found):
        problems.note(f"{where}: holds entries that are no tokens with numbers of their own")
        return {}
    return found


def _is_text(tokens: Iterable[str]) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for token in tokens for letter in token)


def _special(folder: Path, problems: Problems) -> set[str]:
    """Tokens that write nothing."""
    found: set[str] = set(USUAL_SPECIAL)
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        entries = read_json(folder / name, problems, is_needed=False)
        for key, value in entries.items():
            if key.endswith("_token"):
                text = value.get("content") if isinstance(value, dict) else value
                found |= {text} if isinstance(text, str) else set()
    return found


def _added(folder: Path, special: set[str], problems: Problems) -> dict[int, bytes | None]:
    """Tokens that were added to a tokenizer of files."""
    name = "added_tokens.json"
    entries = _numbers(name, read_json(folder / name, problems, is_needed=False), problems)
    return {number: b"" if token in special else token.encode() for token, number in entries.items()}


def _of_tokenizer_json(whole: Mapping[str, Any], special: set[str], problems: Problems) -> dict[int, bytes | None]:
    model = whole.get("model")
    model = model if isinstance(model, dict) else {}
    kind, decoder = model.get("type"), json.dumps(whole.get("decoder"))
    is_bytes, is_pieces = '"ByteLevel"' in decoder, '"Metaspace"' in decoder or SPACE in decoder or "\\u2581" in decoder
    entries = model.get("vocab")
    found: dict[int, bytes | None] = {}
    if kind in ("Unigram", None) and isinstance(entries, list):
        pieces = [e[0] for e in entries if isinstance(e, list) and e and isinstance(e[0], str)]
        if not is_pieces or len(pieces) < len(entries) or not _is_text(pieces):
            problems.note("tokenizer.json: pieces that are no texts, or without the mark of spaces")
            return {}
        found = {number: _of_piece(piece) for number, piece in enumerate(pieces)}
    elif kind == "BPE" and isinstance(entries, dict) and (is_bytes or is_pieces):
        vocabulary = _numbers("tokenizer.json", entries, problems)
        write = _of_letters if is_bytes else _of_piece
        found = {number: write(token) for token, number in vocabulary.items() if token not in special}
    else:
        problems.note(f"tokenizer.json: a tokenizer of the kind {kind!r}, decoded by {decoder[:60]}, is not known")
        return {}
    for entry in whole.get("added_tokens") or ():
        if (
            not isinstance(entry, dict)
            or not isinstance(entry.get("id"), int)
            or not isinstance(entry.get("content"), str)
        ):
            problems.note("tokenizer.json: holds an added token without id and content")
            continue
        is_special = entry.get("special") or entry["content"] in special
        found[entry["id"]] = b"" if is_special else entry["content"].encode()
    return found


def _of_sentencepiece(path: Path, special: set[str], folder: Path, problems: Problems) -> dict[int, bytes | None]:
    try:
        pieces = list(_pieces(path.read_bytes()))
    except (ValueError, IndexError) as error:
        problems.note(f"{path.name}: no whole sentencepiece model ({error})")
        return {}
    written = [
        b"" if kind in (UNKNOWN, CONTROL, UNUSED) or text in special else _of_piece(text) for text, kind in pieces
    ]
    name = read_json(folder / "tokenizer_config.json", problems, is_needed=False).get("tokenizer_class", "")
    name = name if isinstance(name, str) else ""
    if name.startswith(FAIRSEQ_CLASSES) or (not name and path.name == SENTENCEPIECE[0]):
        shifted = [b""] * len(FAIRSEQ) + written[3:]
        return dict(enumerate([*shifted, b""]))  # the last is the mask
    if not name.startswith(PLAIN_CLASSES[:-1]) and name:
        problems.note(f"tokenizer_config.json: how {name!r} numbers its pieces is not known")
    return dict(enumerate(written))


def _pieces(contents: bytes) -> Iterable[tuple[str, int]]:
    """Text and kind of each piece of a sentencepiece model: its field 1."""
    for number, value in _fields(contents):
        if number == 1 and isinstance(value, bytes):
            piece = dict(_fields(value))
            text, kind = piece.get(1, b""), piece.get(3, NORMAL)
            if not isinstance(text, bytes) or not isinstance(kind, int):
                raise ValueError("a piece without a text")
            yield text.decode("utf-8"), kind


def _fields(message: bytes) -> Iterable[tuple[int, int | bytes]]:
    """Fields of a protocol buffer: whole numbers and bytes; without those of fixed length."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
        elif wire == 2:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("ends in the middle of a field")
            yield number, message[at : at + length]
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
