"""Files of words that a person brings: names, places, or text, whose words the search then knows."""

from __future__ import annotations

import re
from pathlib import Path

from carrel.errors import InputError

WORD = re.compile(r"(?:[^\W\d_][\u0300-\u036f]*)+")
MOST_LETTERS = 30
MOST_BYTES = 16 * 1024 * 1024


def read_text(file: Path) -> str:
    """Read a text file in UTF-8.

    Raises
    ------
    InputError
        It is missing, too large, or no text in UTF-8.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"{file}: larger than {MOST_BYTES // 2**20} MiB; give the names and words alone")
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check the name") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: no text in UTF-8; save it so") from error


def words_of_text(text: str) -> set[str]:
    """Return the words of a text: letters alone, at most `MOST_LETTERS`."""
    return {word for word in WORD.findall(text) if len(word) <= MOST_LETTERS}
