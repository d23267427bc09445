"""Bessel functions: values of tables, where there are none, and the names by which programs call them."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import Tensor, grad, jit, ops
from graphc.dtype import float32, float64

X = np.array([0.5, 3.0, 20.0])
VALUES = {
    "j0": (0.9384698072408129, -0.26005195490193345, 0.16702466434058316),
    "j1": (0.2422684576748739, 0.3390589585259365, 0.06683312417585005),
    "y0": (-0.44451873350670656, 0.3768500100127904, 0.06264059680938383),
    "y1": (-1.471472392670243, 0.3246744247918, -0.1655116143625213),
    "i0": (1.0634833707413236, 4.8807925858650245, 43558282.559553534),
    "i1": (0.2578943053908963, 3.9533702174026093, 42454973.38512777),
    "k0": (0.9244190712276659, 0.03473950438627925, 5.741237815336525e-10),
    "k1": (1.656441120003301, 0.040156431128194184, 5.883057969557038e-10),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str) -> None:
    function = getattr(ops, f"bessel_{name}")
    found = function(Tensor(X))
    assert found.dtype is float64
    np.testing.assert_allclose(found.asnumpy(), VALUES[name], rtol=1e-15, atol=1e-15)
    np.testing.assert_array_equal(jit(function)(Tensor(X)).asnumpy(), found.asnumpy())
    np.testing.assert_array_equal(getattr(ops, f"Bessel{name.upper()}")()(Tensor(X)).asnumpy(), found.asnumpy())
    assert function(Tensor([1, 2])).dtype is float32


def test_scaled() -> None:
    x = Tensor(X)
    for order in "01":
        i, k = getattr(ops, f"bessel_i{order}")(x), getattr(ops, f"bessel_k{order}")(x)
        np.testing.assert_allclose(getattr(ops, f"bessel_i{order}e")(x).asnumpy(), i.asnumpy() * np.exp(-X), rtol=1e-14)
        np.testing.assert_allclose(getattr(ops, f"bessel_k{order}e")(x).asnumpy(), k.asnumpy() * np.exp(X), rtol=1e-14)


def test_signs_and_poles() -> None:
    x = Tensor([-2.0, 0.0])
    for name in ("k0", "k1", "k0e", "k1e", "y0", "y1"):
        below, pole = getattr(ops, f"bessel_{name}")(x).tolist()
        assert np.isnan(below) and pole == (np.inf if name[0] == "k" else -np.inf)
    for name in ("j1", "i1", "i1e"):
        assert getattr(ops, f"bessel_{name}")(-x).tolist() == (-getattr(ops, f"bessel_{name}")(x)).tolist()
    assert grad(ops.bessel_j1)(Tensor(0.0)).item() == grad(ops.bessel_i1)(Tensor(0.0)).item() == 0.5
