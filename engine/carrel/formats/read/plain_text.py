"""Text files of people: UTF-8, or UTF-16 and UTF-32 where a byte order mark says so, and nothing that is guessed."""

from __future__ import annotations

import codecs

from carrel.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode_text(data: bytes) -> str:
    """Return the text of a file, without its byte order mark.

    Raises
    ------
    InputError
        It is in another encoding, or damaged: what was decoded wrongly would count as errors of reading.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    try:
        text = data.removeprefix(codecs.BOM_UTF8).decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise InputError(f"damaged {encoding.upper()} at byte {error.start}; save it again as UTF-8") from error
        raise InputError(
            f"not UTF-8 (byte {error.start} is 0x{data[error.start]:02x}), and no byte order mark says what else;"
            " if it is Windows-1252, convert it: iconv -f CP1252 -t UTF-8"
        ) from error
    if "\0" in text:
        raise InputError("holds zero bytes, as UTF-16 without a byte order mark does; save it as UTF-8")
    return text
