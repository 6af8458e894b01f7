"""How far a transcription is from the truth.

>>> from carrel.evaluate import character_errors, word_errors
>>> character_errors("carrel", "barrels"), word_errors("a small room", "a room")
(2, 1)
"""

from __future__ import annotations

from carrel.evaluate.distance import character_errors, word_errors

__all__ = ["character_errors", "word_errors"]
