"""Tokens as text: a table says which bytes each stands for, so that no tokenizer is needed."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from carrel.errors import ModelError
from carrel.models.folders import Model
from carrel.models.manifest import MAX_TOKENS

TOKENS = "tokens"
"""Key of the table among a model's files: a JSON list with a text for each token, a character of U+0000 to U+00FF for each
byte of its UTF-8; of tokens that write nothing, an empty one."""
MAX_TOKEN_BYTES = 256


@dataclass(frozen=True, slots=True)
class Written:
    """A character and its probability: the least of the tokens that it is made of."""

    text: str
    probability: float


def read_tokens(model: Model, count: int) -> tuple[bytes, ...]:
    """Return what each of ``count`` tokens stands for.

    Raises
    ------
    ModelError
        The table is missing or damaged, or holds another number of tokens.
    """
    try:
        table = msgspec.json.decode(model.read_file(TOKENS), type=list[str])
        found = tuple(entry.encode("latin-1") for entry in table)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise ModelError(f"{model.folder}: its table of tokens is damaged; export the model again") from None
    if len(found) != count or count > MAX_TOKENS or max(map(len, found)) > MAX_TOKEN_BYTES:
        raise ModelError(f"{model.folder}: its table of tokens does not fit its manifest; export the model again")
    return found


def written(tokens: Sequence[int], probabilities: Sequence[float], table: Sequence[bytes]) -> list[Written]:
    """Return the characters that tokens stand for; bytes that are no UTF-8 become U+FFFD, control characters spaces."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    found: list[Written] = []
    least = 1.0
    pieces = [(bytes([byte]), p) for token, p in zip(tokens, probabilities, strict=False) for byte in table[token]]
    for place, (piece, probability) in enumerate(pieces):
        least = min(least, probability)
        text = decoder.decode(piece, final=place == len(pieces) - 1)
        found += [Written(character, least) for character in text]
        least = least if not text else 1.0
    return found


def cleaned(characters: Sequence[Written]) -> list[Written]:
    """Return characters as Carrel writes lines: no white space at either end, single spaces, marks joined to their letters."""
    found: list[Written] = []
    for character in characters:
        text = " " if not character.text.isprintable() or character.text.isspace() else character.text
        if text == " " and (not found or found[-1].text == " "):
            continue
        if unicodedata.combining(text) and found and found[-1].text != " ":
            least = min(found[-1].probability, character.probability)
            found[-1] = Written(unicodedata.normalize("NFC", found[-1].text + text), least)
        else:
            found.append(Written(text, character.probability))
    return found[:-1] if found and found[-1].text == " " else found


def text_of(characters: Sequence[Written]) -> str:
    """Return characters as one text."""
    return "".join(character.text for character in characters)
