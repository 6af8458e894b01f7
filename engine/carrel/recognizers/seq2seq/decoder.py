"""A decoder that goes on token by token: the keys and values of what it has written are kept, those of the line given once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from carrel.backends import Network, Tensors
from carrel.models.manifest import Stack

CACHE_STEP = 32
"""Tokens by which the room for keys and values grows: OpenVINO compiles anew for each size."""
_MASKED = np.float32(-1e9)


@dataclass
class CachedDecoder:
    """One line's decoding.

    Parameters
    ----------
    network
        The decoder: what `carrel.models.tasks` says of the role ``decoder`` of a task ``seq2seq``.
    stack
        Its size.
    line
        What the encoder gave for the line: keys and values of every layer.
    beams
        Most beams of a step.
    """

    network: Network
    stack: Stack
    line: Tensors
    beams: int
    length: int = 0

    def __post_init__(self) -> None:
        self._cache = np.zeros(
            (2, self.stack.layers, self.beams, self.stack.heads, 0, self.stack.head_width), np.float32
        )

    def step(self, tokens: NDArray[np.int64], parents: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return logits of the next token, ``(beams, tokens)``: for each beam, given by its last token, and the beam of the step
        before that it goes on."""
        beams = len(tokens)
        if self.length == self._cache.shape[4]:
            room = np.zeros((*self._cache.shape[:4], CACHE_STEP, self.stack.head_width), np.float32)
            self._cache = np.concatenate([self._cache, room], axis=4)
        if self.length and (beams > len(parents) or not np.array_equal(parents, np.arange(beams))):
            self._cache[:, :, :beams, :, : self.length] = self._cache[:, :, parents, :, : self.length]
        mask = np.full(self._cache.shape[4], _MASKED)
        mask[: self.length] = 0.0
        inputs = {"token": tokens, "position": np.array([self.length]), "mask": mask, **self.line}
        for layer in range(self.stack.layers):
            inputs[f"key_{layer}"], inputs[f"value_{layer}"] = self._cache[:, layer, :beams]
        outputs = self.network.run(inputs)
        for layer in range(self.stack.layers):
            for which, name in enumerate(("key", "value")):
                self._cache[which, layer, :beams, :, self.length] = outputs[f"added_{name}_{layer}"][:, :, 0]
        self.length += 1
        return outputs["logits"]
