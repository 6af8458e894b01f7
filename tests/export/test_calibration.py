"""Fitting the search: the descent over its settings, and the bias of the classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from carrel_export.handwriting.calibration import FIRST, class_bias, descend, platt, priors


def test_descent_ends_near_the_lowest_cost() -> None:
    lowest = {
        "temperature": 1.3,
        "language_weight": 0.5,
        "length_bonus": 1.2,
        "prior_weight": 0.0,
        "blank_bias": -0.2,
    }
    tried: list[Mapping[str, float]] = []

    def cost(settings: Mapping[str, float]) -> int:
        tried.append(settings)
        return round(1e4 * sum((settings[name] - lowest[name]) ** 2 for name in lowest))

    found = descend(cost)
    assert all(found[name] == pytest.approx(lowest[name], abs=0.15) for name in lowest)
    assert tried[0] == FIRST
    assert all(settings["prior_weight"] >= 0 for settings in tried)


def test_rare_classes_gain() -> None:
    rng = np.random.default_rng(1)
    logits = [rng.normal(0, 1, (50, 4)).astype(np.float32) + np.array([3, 1, 0, -2], np.float32) for _ in range(8)]
    prior = priors(logits)
    assert prior.sum() == pytest.approx(1.0)
    assert (np.diff(prior) < 0).all()
    settings = {"temperature": 2.0, "prior_weight": 0.5, "blank_bias": 0.25}
    bias = class_bias(prior, settings)
    assert bias[0] == 0.5
    assert (np.diff(bias[1:]) > 0).all()
    assert np.allclose(bias[1:], np.log(prior[0] / prior[1:]), atol=1e-3)


def test_confidences_are_scaled_to_the_shares_that_are_right() -> None:
    confidences = np.random.default_rng(2).uniform(0.05, 0.95, 400)
    odds = np.log(confidences / (1 - confidences))
    right = 1 / (1 + np.exp(-(0.7 * odds - 0.4)))
    assert platt(list(confidences), list(right)) == pytest.approx((0.7, -0.4), abs=1e-3)


def test_a_few_lines_that_tell_right_from_wrong_are_no_overflow() -> None:
    slope, _ = platt([0.2, 0.3, 0.98, 0.99, 0.999], [0.0, 0.0, 1.0, 1.0, 1.0])
    assert np.isfinite(slope) and slope > 0
