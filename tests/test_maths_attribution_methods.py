"""The table of attribution methods, and what it says of options that are wrong."""

import numpy as np
import pytest

from kerasviz_callbacks.maths.attribution import gradient, integrated_gradients
from kerasviz_callbacks.maths.attribution_methods import METHODS, attribution_method, check_options

CONTRACT = {  # name: what it needs, how channels are folded, its options
    "gradient": ("gradients", True, {}),
    "input_x_gradient": ("gradients", False, {}),
    "guided_backprop": ("guided gradients", True, {}),
    "smooth_grad": ("gradients", True, {"samples": 16, "noise": 0.15, "seed": 0}),
    "integrated_gradients": ("gradients", False, {"baseline": 0.0, "steps": None}),
    "occlusion": ("scores", None, {"patch": None, "stride": None, "baseline": 0.0}),
    "rise": ("scores", None, {"samples": 500, "cells": 7, "keep": 0.5, "baseline": 0.0, "seed": 0}),
}


def test_the_table_is_the_contract():
    assert {name: (m.needs, m.largest, m.options) for name, m in METHODS.items()} == CONTRACT
    assert all("https://arxiv.org/abs/" in method.paper for method in METHODS.values())
    assert METHODS["guided_backprop"].function is gradient
    assert attribution_method("integrated_gradients").function is integrated_gradients


@pytest.mark.parametrize("name", METHODS)
def test_a_method_can_be_run_by_what_its_entry_says(name):
    method, x = METHODS[name], np.array([[1.0, -2.0, 3.0]], np.float32)
    by_scores = method.needs == "scores"
    options = {**check_options(name, {}), **({"spatial": (1,)} if by_scores else {})}
    found = method.function((lambda x: x.sum(axis=1)) if by_scores else np.ones_like, x, **options)
    if name == "rise":  # a feature is worth itself and half of the others; 500 masks leave some noise
        np.testing.assert_allclose(found, x + (x.sum() - x) / 2, atol=0.6)
    else:
        attributed = name in ("input_x_gradient", "integrated_gradients", "occlusion")
        np.testing.assert_allclose(found, x if attributed else np.ones((1, 3)), rtol=1e-6)


@pytest.mark.parametrize("name", ["gradcam", "Gradient", None, 3, ["rise"]])
def test_an_unknown_method_is_answered_with_those_there_are(name):
    with pytest.raises(ValueError, match=r"method=.*'gradient', 'input_x_gradient', 'guided_backprop', 'smooth_grad'"):
        attribution_method(name)


@pytest.mark.parametrize("name", METHODS)
def test_its_own_usual_values_pass_and_what_is_given_wins(name):
    usual = METHODS[name].options
    assert check_options(name, usual) == check_options(name, {}) == usual
    if "seed" in usual:
        assert check_options(name, {"seed": 5}) == {**usual, "seed": 5}
        assert METHODS[name].options == usual


def test_an_unknown_option_is_answered_with_those_there_are():
    with pytest.raises(TypeError, match=r"step: not an option of method='integrated_gradients'; .* baseline, steps\."):
        check_options("integrated_gradients", {"step": 3})
    with pytest.raises(TypeError, match=r"steps: not an option of method='gradient'; it takes none\."):
        check_options("gradient", {"steps": 3})
    with pytest.raises(TypeError, match="spatial: not an option"):  # not the user's to say
        check_options("rise", {"spatial": (1,)})
    with pytest.raises(ValueError, match="expected one of 'gradient'"):
        check_options("saliency", {})


WRONG_TYPE = [
    ("smooth_grad", "samples", 2.0, "samples=2.0: expected a whole number, got float"),
    ("smooth_grad", "samples", True, "samples=True: expected a whole number, got bool"),
    ("integrated_gradients", "steps", "8", "steps='8': expected a whole number, got str"),
    ("smooth_grad", "samples", None, "samples=None: expected a whole number, got NoneType"),
    ("smooth_grad", "seed", 1.5, "seed=1.5: expected a whole number"),
    ("smooth_grad", "noise", "much", "noise='much': expected a number, got str"),
    ("rise", "keep", None, "keep=None: expected a number, got NoneType"),
    ("rise", "keep", True, "keep=True: expected a number, got bool"),
    ("occlusion", "patch", 2.5, "patch=2.5: expected a whole number, got float"),
    ("occlusion", "patch", (2, "3"), r"patch=\(2, '3'\): expected a whole number, got str"),
    ("occlusion", "stride", "2", "stride='2': expected a whole number, got str"),
    ("occlusion", "baseline", "black", "baseline: expected a number or an array of numbers, got 'black'"),
    ("rise", "baseline", None, "baseline: expected a number or an array of numbers, got None"),
    ("rise", "baseline", [True], "baseline: expected a number or an array of numbers, got an array of bool"),
    ("rise", "baseline", [[1], [1, 2]], "baseline: .*got rows of unequal length"),
]
OUT_OF_RANGE = [
    ("smooth_grad", "samples", 0, "samples=0: expected at least 1"),
    ("integrated_gradients", "steps", -4, "steps=-4: expected at least 1"),
    ("rise", "cells", 0, "cells=0: expected at least 1"),
    ("rise", "seed", -1, "seed=-1: expected at least 0"),
    ("smooth_grad", "noise", -0.1, "noise=-0.1: expected a finite number of at least 0"),
    ("smooth_grad", "noise", np.inf, "noise=inf: expected a finite number"),
    ("smooth_grad", "noise", np.nan, "noise=nan: expected a finite number"),
    ("rise", "keep", 0, "keep=0: expected a number between 0 and 1"),
    ("rise", "keep", 1.0, "keep=1.0: expected a number between 0 and 1"),
    ("rise", "keep", np.nan, "keep=nan: expected a number between 0 and 1"),
    ("occlusion", "patch", (3, 0), r"patch=\(3, 0\): expected at least 1"),
    ("occlusion", "patch", (), r"patch=\(\): expected a whole number, or one for each axis"),
    ("occlusion", "stride", 0, "stride=0: expected at least 1"),
    ("occlusion", "baseline", np.nan, "baseline: must be finite"),
    ("integrated_gradients", "baseline", [0.0, np.inf], "baseline: must be finite"),
]


@pytest.mark.parametrize(
    ("error", "method", "option", "value", "text"),
    [(TypeError, *case) for case in WRONG_TYPE] + [(ValueError, *case) for case in OUT_OF_RANGE],
)
def test_a_wrong_value_is_named_with_the_rule(error, method, option, value, text):
    with pytest.raises(error, match=text):
        check_options(method, {option: value})


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("smooth_grad", {"samples": np.int64(3), "noise": 0, "seed": np.uint8(9)}),
        ("smooth_grad", {"noise": np.float32(0.5)}),
        ("occlusion", {"patch": 3, "stride": (1, 2), "baseline": np.zeros((4, 4), np.float16)}),
        ("occlusion", {"patch": [3, np.int32(2)], "baseline": [0, 1]}),
        ("rise", {"keep": np.float64(0.1), "cells": 1, "baseline": -3}),
    ],
)
def test_numbers_of_numpy_and_lists_will_do(method, options):
    assert check_options(method, options).items() >= options.items()
