"""Line images to text: one Protocol, one module a recognizer."""

from __future__ import annotations

from carrel.recognizers.types import CharacterSpan, Recognition, Recognizer, WordSpan

__all__ = ["CharacterSpan", "Recognition", "Recognizer", "WordSpan"]
