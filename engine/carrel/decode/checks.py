"""Checks of logits that no decoder can read: a wrong shape is the caller's mistake, NaN the model's."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from carrel.errors import ModelError, UsageError
from carrel.kernels.records import TOLERANCE


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
    if logits.dtype != np.float32 or logits.ndim != 2:
        raise UsageError(
            f"logits{_of(line)} are {logits.dtype} with shape {logits.shape}; "
            "a decoder reads float32 of shape (frames, classes)"
        )
    frames, classes = logits.shape
    if frames < 1 or classes < 2:
        raise UsageError(f"logits{_of(line)} have shape {logits.shape}; at least one frame and two classes are needed")
    if not 0 <= blank < classes:
        raise UsageError(f"blank is class {blank}, but the logits{_of(line)} have classes 0 to {classes - 1}")
    if not (temperature > 0.0 and math.isfinite(temperature)):
        raise UsageError(f"temperature is {temperature}; it must be a number above 0")


def check_values(logits: NDArray[np.float32], line: int | None = None) -> None:
    """Refuse what no sound network gives; -inf marks an impossible class and is none of it.

    Raises
    ------
    ModelError
        NaN, +inf, or a frame that is zero or -inf throughout.
    """
    where = _of(line)
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


def check_shares(probabilities: NDArray[np.float32], line: int | None = None) -> None:
    """Refuse frames that are no probabilities.

    Raises
    ------
    ModelError
        NaN or infinity.
    UsageError
        A value below 0, or a frame that does not sum to 1, give or take `TOLERANCE`.
    """
    sums = probabilities.sum(axis=1, dtype=np.float64)
    for frame in np.flatnonzero(~np.isfinite(sums)):
        raise ModelError(f"frame {frame}{_of(line)} of the probabilities holds {sums[frame]}: the model is damaged")
    wrong = (probabilities < 0.0).any(axis=1) | (abs(sums - 1.0) > TOLERANCE)
    for frame in np.flatnonzero(wrong):
        raise UsageError(
            f"frame {frame}{_of(line)} is not made of probabilities: they sum to {sums[frame]:.3g}, "
            f"the least is {probabilities[frame].min():.3g}; pass logits without normalized"
        )


def _of(line: int | None) -> str:
    return "" if line is None else f" of line {line}"
