"""Views of a line of numbers: what they show, and the mean of what is read in them."""

from __future__ import annotations

import numpy as np
import pytest

from carrel.forms.views import averaged, views_of


def test_views_show_the_whole_line_with_paper_beside_it() -> None:
    gray = np.full((64, 120), 220, np.uint8)
    gray[10:54, 0:5] = gray[10:54, 115:] = 30  # cut close
    for view in views_of(gray):
        assert view.dtype == np.uint8 and view.shape[0] == 64 and view.shape[1] > 120
        dark = np.flatnonzero((view < 100).any(axis=0))
        assert dark[0] >= 8 and dark[-1] < view.shape[1] - 8
        assert (view[:, :5] == 220).all()


def test_a_slant_to_the_right_becomes_upright() -> None:
    gray = np.full((60, 100), 220, np.uint8)
    for row in range(60):
        at = 40 + round(0.2 * (59 - row))
        gray[row, at : at + 4] = 30
    _, upright = views_of(gray)
    columns = [float(np.flatnonzero(row < 120).mean()) for row in upright]
    assert np.ptp(columns) < 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (200, 2)])
def test_views_of_odd_pictures(shape: tuple[int, int]) -> None:
    assert all(view.shape[0] == shape[0] for view in views_of(np.full(shape, 128, np.uint8)))


def test_the_mean_of_views_outvotes_one_of_them() -> None:
    plain = [(-0.9, "150"), (-1.0, "152")]
    wide = [(-0.2, "152"), (-3.0, "150")]
    empty: list[tuple[float, str]] = []
    scores = averaged([plain, wide, empty], [0.5, 0.5, 0.2])
    assert [text for _, text in scores] == ["152", "150"]
    assert scores[0][0] == pytest.approx(-0.6)
    assert averaged([empty], [1.0]) == []


def test_a_text_that_a_view_does_not_hold_is_worse_there_than_its_last() -> None:
    found = averaged([[(-1.0, "7")], [(-0.5, "7"), (-3.0, "1")]], [1.0, 1.0])
    assert found == [(-1.5, "7"), (-6.0, "1")]
