"""Refuses logits that no decoder can read: a wrong shape is the caller's mistake, NaN the model's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from carrel.errors import ModelError, UsageError


def check_line(logits: NDArray[np.float32], blank: int, temperature: float = 1.0, line: int | None = None) -> None:
    """Refuse logits of one line that cannot be decoded: `check_shape` and `check_values`."""
    check_shape(logits, blank, temperature, line)
    check_values(logits, line)


def check_shape(logits: NDArray[np.float32], blank: int, temperature: float = 1.0, line: int | None = None) -> None:
    """Refuse logits of a wrong type or shape, and settings that do not fit them.

    Parameters
    ----------
    logits
        float32 ``(t, c)``.
    blank
        Class index of the blank, in [0, c).
    temperature
        Above 0, finite.
    line
        Number of the line in its batch, for the message.

    Raises
    ------
    UsageError
        Wrong type, shape, blank or temperature.
    """
    where = "" if line is None else f" of line {line}"
    if logits.dtype != np.float32 or logits.ndim != 2:
        raise UsageError(
            f"logits{where} are {logits.dtype} with shape {logits.shape}; "
            "a decoder reads float32 of shape (frames, classes)"
        )
    frames, classes = logits.shape
    if frames < 1 or classes < 2:
        raise UsageError(f"logits{where} have shape {logits.shape}; at least one frame and two classes are needed")
    if not 0 <= blank < classes:
        raise UsageError(f"blank is class {blank}, but the logits{where} have classes 0 to {classes - 1}")
    if not (temperature > 0.0 and math.isfinite(temperature)):
        raise UsageError(f"temperature is {temperature}; it must be a number above 0")


def check_values(logits: NDArray[np.float32], line: int | None = None) -> None:
    """Refuse what no sound network gives; -inf marks an impossible class and is none of it.

    Raises
    ------
    ModelError
        NaN, +inf, or a frame that is zero or -inf throughout.
    """
    where = "" if line is None else f" of line {line}"
    # one pass each: NaN and +inf reach the row maximum, a row of zeros or -inf has no other maximum
    largest = logits.max(axis=1)
    if not np.isfinite(largest).all():
        frame = int(np.flatnonzero(~np.isfinite(largest))[0])
        raise ModelError(
            f"frame {frame}{where} of the network's output holds {largest[frame]}: "
            "the model is damaged or its input was not scaled as its manifest says"
        )
    for frame in np.flatnonzero(largest == 0.0):
        if not logits[frame].any():
            raise ModelError(
                f"frame {frame}{where} of the network's output is zero throughout: "
                "the model is damaged, or frames after the line's end were passed as part of it"
            )
