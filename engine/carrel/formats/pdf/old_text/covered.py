"""Text below the picture of a page: the layer of programs that draw the scan over the words they have read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pikepdf
from pikepdf import Dictionary, Name

_Matrix = tuple[float, float, float, float, float, float]
_Box = tuple[float, float, float, float]
_Instruction = pikepdf.ContentStreamInstruction | pikepdf.ContentStreamInlineImage
_IDENTITY: _Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
_NOWHERE: _Box = (0.0, 0.0, 0.0, 0.0)
_SLACK = 0.01  # of the page's sides by which a scan may miss its edges
_LETS_THROUGH = (Name.SMask, Name.Mask, Name.ImageMask, Name.SMaskInData, Name.OC)
SHOWS = frozenset({"Tj", "TJ", "'", '"'})
_CLIPS = ("W", "W*")
_FIRST_CLIPPING_MODE = 4


@dataclass(frozen=True)
class _State:
    """The graphics state as far as it decides whether a picture hides what lies below: ``whole`` is without a clip that
    cuts the page, transparency and layers that may be switched off."""

    matrix: _Matrix = _IDENTITY
    whole: bool = True
    mode: int = 0
    path: _Box = _NOWHERE

    def covers(self, box: _Box) -> bool:
        """Tell whether the unit square, and so a picture, covers the page."""
        return self.whole and _holds(_extent(self.matrix), box)


def covered_text(instructions: Sequence[_Instruction], resources: pikepdf.Object | None, box: _Box) -> set[int]:
    """Return the indices of the operators that show text which an opaque picture of the whole page covers afterwards.

    Parameters
    ----------
    box
        Left, bottom, right and top of the page, in its own units. What lies beyond it counts as shown.
    """
    pictures = resources.get(Name.XObject) if isinstance(resources, Dictionary) else None
    state, saved = _State(), list[_State]()
    shown: list[int] = []
    covered: set[int] = set()
    layers = list[bool]()
    for index, item in enumerate(instructions):
        operator, operands = str(item.operator), list[object](item.operands)
        if operator == "q":
            saved.append(state)
        elif operator == "Q":
            state = saved.pop() if saved else state
        elif operator in ("BMC", "BDC"):
            layers.append(bool(operands) and operands[0] == Name.OC)
        elif operator == "EMC" and layers:
            layers.pop()
        elif operator in SHOWS and state.mode < _FIRST_CLIPPING_MODE:
            shown.append(index)
        elif operator == "Do" and state.covers(box) and not any(layers) and _is_opaque(pictures, operands):
            covered.update(shown)
        else:
            state = _after(state, operator, operands, box)
    return covered


def _after(state: _State, operator: str, operands: Sequence[object], box: _Box) -> _State:
    if operator == "cm":
        return replace(state, matrix=_times(_numbers(operands), state.matrix))
    if operator == "re":
        x, y, width, height, *_ = _numbers(operands)
        return replace(state, path=_extent(_times((width, 0, 0, height, x, y), state.matrix)))
    if operator == "Tr":
        return replace(state, mode=int(_numbers(operands)[0]))
    if operator == "gs" or (operator in _CLIPS and not _holds(state.path, box)):
        return replace(state, whole=False)
    return state


def _numbers(operands: Sequence[object]) -> _Matrix:
    """Six numbers, 0 for those that are missing or none."""
    values = [float(str(operand)) if _is_number(operand) else 0.0 for operand in operands][:6]
    a, b, c, d, e, f = values + [0.0] * (6 - len(values))
    return a, b, c, d, e, f


def _is_number(operand: object) -> bool:
    try:
        float(str(operand))
    except ValueError:
        return False
    return True


def _times(inner: _Matrix, outer: _Matrix) -> _Matrix:
    a, b, c, d, e, f = inner
    p, q, r, s, x, y = outer
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + x, e * q + f * s + y


def _extent(matrix: _Matrix) -> _Box:
    """What the unit square covers of the page where it is not turned askew; nothing where it is."""
    a, b, c, d, e, f = matrix
    if min(abs(a) + abs(d), abs(b) + abs(c)) > 1e-3 * (abs(a) + abs(b) + abs(c) + abs(d)):
        return _NOWHERE
    xs, ys = (e, e + a + c), (f, f + b + d)
    return min(xs), min(ys), max(xs), max(ys)


def _holds(outer: _Box, box: _Box) -> bool:
    slack = (_SLACK * (box[2] - box[0]), _SLACK * (box[3] - box[1]))
    low = all(outer[k] <= box[k] + slack[k] for k in (0, 1))
    return low and all(outer[k + 2] >= box[k + 2] - slack[k] for k in (0, 1))


def _is_opaque(pictures: pikepdf.Object | None, operands: Sequence[object]) -> bool:
    if not isinstance(pictures, Dictionary) or not operands:
        return False
    picture = pictures.get(str(operands[0]))
    if not isinstance(picture, pikepdf.Stream) or picture.get(Name.Subtype) != Name.Image:
        return False
    return not any(key in picture for key in _LETS_THROUGH)
