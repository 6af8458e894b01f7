"""Points find their way from the prepared page to the scan, and back."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from carrel.geometry import CURVE_STEP_PX, Affine, Curl, Geometry, Perspective, Step
from carrel.layout.types import FoundLine, FoundRegion

PAGE_PX = 4000.0
points_of_page = st.lists(st.tuples(st.floats(0, PAGE_PX), st.floats(0, PAGE_PX)), min_size=1, max_size=12).map(
    np.array
)


@st.composite
def affines(draw: st.DrawFn) -> Affine:
    angle, scale = draw(st.floats(-3.2, 3.2)), draw(st.floats(0.5, 2.0))
    shift = draw(st.tuples(st.floats(-PAGE_PX, PAGE_PX), st.floats(-PAGE_PX, PAGE_PX)))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return Affine([[cos, -sin, shift[0]], [sin, cos, shift[1]]])


@st.composite
def perspectives(draw: st.DrawFn) -> Perspective:
    """Views under which the page, and what other steps make of it, stays well before the horizon."""
    tilt = st.floats(-2e-5, 2e-5)
    return Perspective([[1.0, 0.02, 30.0], [-0.03, 0.97, -20.0], [draw(tilt), draw(tilt), 1.0]])


@st.composite
def curls(draw: st.DrawFn) -> Curl:
    """A page that is waved across and sags down."""
    cell_px, height_px = draw(st.floats(32, 128)), draw(st.floats(0, 40))
    across, down = draw(st.floats(0.1, 3.0)), draw(st.floats(0.1, 3.0))
    rows, columns = np.mgrid[: int(PAGE_PX / cell_px) + 1, : int(PAGE_PX / cell_px) + 1] * cell_px / PAGE_PX
    return Curl(
        np.stack([0.3 * height_px * np.sin(down * rows), height_px * np.cos(across * columns)], axis=2), cell_px
    )


geometries = st.lists(st.one_of(affines(), perspectives(), curls()), max_size=3).map(lambda s: Geometry(tuple(s)))


@settings(max_examples=80, deadline=None)
@given(st.one_of(affines(), perspectives(), curls()), points_of_page)
def test_each_step_is_reverted(step: Step, points: NDArray[np.float64]) -> None:
    assert np.abs(step.revert(step.apply(points)) - points).max() < 0.01
    assert step.apply(points).shape == points.shape


@settings(max_examples=80, deadline=None)
@given(geometries, points_of_page)
def test_the_inverse_of_a_chain_is_within_a_hundredth_of_a_pixel(
    geometry: Geometry, points: NDArray[np.float64]
) -> None:
    mapped = geometry.to_scan(points)
    if np.isfinite(mapped).all() and np.abs(mapped).max() < 10 * PAGE_PX:
        assert np.abs(geometry.to_page(mapped) - points).max() < 0.01


@settings(max_examples=40, deadline=None)
@given(geometries, geometries, points_of_page)
def test_then_goes_through_one_and_on_through_the_other(
    first: Geometry, second: Geometry, points: NDArray[np.float64]
) -> None:
    assert np.array_equal(first.then(second).to_scan(points), second.to_scan(first.to_scan(points)))


def test_no_step_is_the_identity() -> None:
    assert np.array_equal(Geometry().to_scan([(1.5, 2.0)]), [(1.5, 2.0)])
    assert np.array_equal(Geometry().to_scan(np.zeros((0, 2))), np.zeros((0, 2)))


def test_the_displacement_holds_at_corners_is_linear_between_and_stays_outside() -> None:
    field = np.zeros((2, 3, 2))
    field[0, 1] = (4.0, 8.0)
    curl = Curl(field, 100.0)
    assert np.allclose(curl.apply(np.array([(100.0, 0.0), (50.0, 0.0), (100.0, 25.0), (100.0, -90.0)])),
                       [(104.0, 8.0), (52.0, 4.0), (103.0, 31.0), (104.0, -82.0)])  # fmt: skip
    assert np.allclose(curl.apply(np.array([(500.0, 500.0)])), [(500.0, 500.0)])


def test_straight_curves_bend_with_the_page_and_stay_short_where_nothing_bends() -> None:
    columns = np.linspace(0, 3, 40)
    curl = Curl(np.stack([np.zeros((5, 40)), np.tile(20 * np.sin(columns), (5, 1))], axis=2), 64.0)
    straight = np.array([(0.0, 100.0), (2000.0, 100.0)])
    bent = Geometry((curl,)).curve_to_scan(straight)
    assert len(bent) == 1 + 2000 / CURVE_STEP_PX
    assert np.ptp(bent[:, 1]) > 19
    assert np.array_equal(bent[[0, -1]], Geometry((curl,)).to_scan(straight))
    closed = Geometry((curl,)).curve_to_scan(np.array([(0.0, 0.0), (160.0, 0.0), (160.0, 160.0)]), closed=True)
    assert len(closed) == 10 + 10 + 15
    turned = Geometry((Affine([[0, -1, 5], [1, 0, 7]]), Perspective(np.eye(3))))
    assert len(turned.curve_to_scan(straight)) == 2


def test_regions_are_carried_to_the_scan_with_their_x_height() -> None:
    points = np.array([(0, 10), (50, 12), (100, 10)], np.float32)
    region = FoundRegion("MainZone", points, (FoundLine(points, points, 8.0),))
    moved = region.on_scan(Geometry((Affine([[0, -2, 5], [2, 0, 7]]),)))
    assert moved.lines[0].baseline.tolist() == moved.polygon.tolist() == [[-15, 7], [-19, 107], [-15, 207]]
    assert moved.lines[0].baseline.dtype == np.float32 and moved.lines[0].x_height_px == pytest.approx(16.0)


@pytest.mark.parametrize(
    ("kind", "given_"),
    [
        (Affine, np.eye(3)),
        (Affine, [[1, 0, np.nan], [0, 1, 0]]),
        (Affine, [[1, 1, 0], [1, 1, 0]]),
        (Perspective, np.eye(2, 3)),
        (Perspective, np.zeros((3, 3))),
        (Perspective, np.full((3, 3), np.inf)),
    ],
)
def test_maps_that_cannot_be_reverted_are_refused(kind: type[Affine | Perspective], given_: ArrayLike) -> None:
    with pytest.raises(ValueError, match=r"expected a(n affine map| perspective| finite matrix)"):
        kind(given_)


@pytest.mark.parametrize(
    ("field", "cell_px", "said"),
    [
        (np.zeros((1, 5, 2)), 8.0, "shape"),
        (np.zeros((5, 5)), 8.0, "shape"),
        (np.full((2, 2, 2), np.nan), 8.0, "finite"),
        (np.zeros((2, 2, 2)), 0.0, "cells"),
        (np.arange(8.0).reshape(2, 2, 2), 6.0, "folds"),
    ],
)
def test_displacements_that_fold_the_page_are_refused(field: NDArray[np.float64], cell_px: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Curl(field, cell_px)


def test_a_geometry_is_carried_between_processes() -> None:
    geometry = Geometry((Affine(np.eye(2, 3)), Curl(np.zeros((2, 2, 2)), 4.0)))
    again: Geometry = pickle.loads(pickle.dumps(geometry))
    assert np.array_equal(again.to_scan([(3.0, 4.0)]), [(3.0, 4.0)])
