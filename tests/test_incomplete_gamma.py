"""The incomplete gamma functions and Hurwitz's zeta function against other forms of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from modes import in_both_modes

import graphc as ms
from graphc import Tensor, ops
from graphc.ops import operations as P


@pytest.mark.parametrize("count", [1, 2, 5, 12, 40])
def test_igamma_of_whole_numbers_is_a_sum_of_probabilities(count: int) -> None:
    x = np.array([1e-3, 0.2, 0.99, 1.0, 3.5, 11.0, 45.0, 90.0])
    above = np.exp(-x) * np.array([math.fsum(v**k / math.factorial(k) for k in range(count)) for v in x])
    a = np.full(x.shape, float(count))
    np.testing.assert_allclose(ops.igammac(Tensor(a), Tensor(x)).asnumpy(), above, rtol=1e-13)
    for found, wanted in in_both_modes(lambda a, x: ops.igamma(a, x), [a, x], 1 - above):
        np.testing.assert_allclose(found.asnumpy(), wanted, rtol=1e-9, atol=1e-15)
    small = count < 20 and x < 1  # where 1 less the sum says little: the rest of the sum
    below = np.exp(-x) * np.array([math.fsum(v**k / math.factorial(k) for k in range(count, count + 40)) for v in x])
    np.testing.assert_allclose(ops.igamma(Tensor(a), Tensor(x)).asnumpy()[small], below[small], rtol=1e-13)


def test_igamma_of_a_half_is_the_error_function() -> None:
    x = np.array([1e-12, 1e-3, 0.5, 0.999, 1.0, 2.0, 7.0, 30.0])
    half = Tensor(np.full(x.shape, 0.5))
    wanted = [[f(math.sqrt(v)) for v in x] for f in (math.erf, math.erfc)]
    np.testing.assert_allclose(ops.igamma(half, Tensor(x)).asnumpy(), wanted[0], rtol=1e-14)
    np.testing.assert_allclose(ops.igammac(half, Tensor(x)).asnumpy(), wanted[1], rtol=1e-13)


def test_igamma_of_great_and_of_tiny_numbers() -> None:
    for a in (1e4, 1e8, 1e12):  # half of it lies below a - 1/3
        more = ops.igamma(Tensor(a, ms.float64), a).item() - 0.5
        assert more == pytest.approx(1 / (3 * math.sqrt(2 * math.pi * a)), 1e-3)
    # near a = 0 the upper one is a times the exponential integral: DLMF 6.6.2
    x, tiny = 0.25, 1e-200
    terms = (-((-x) ** k) / k / math.factorial(k) for k in range(1, 20))
    wanted = tiny * (-0.5772156649015329 - math.log(x) + math.fsum(terms))
    assert ops.igammac(Tensor(tiny, ms.float64), x).item() == pytest.approx(wanted, 1e-13)


def test_igamma_takes_operands_of_several_kinds() -> None:
    a, x = Tensor([[0.5], [2.0]]), Tensor([0.3, 1.0, 4.0])
    assert ops.igamma(a, x).shape == (2, 3)
    np.testing.assert_array_equal(P.Igamma()(a, x).asnumpy(), a.igamma(x).asnumpy())
    np.testing.assert_array_equal(P.Igammac()(a, x).asnumpy(), a.igammac(x).asnumpy())
    assert ops.igamma(Tensor([2]), Tensor([1])).dtype == ms.float32
    half = ops.igamma(a.astype(ms.float16), x.astype(ms.float16))
    assert half.dtype == ms.float16
    found = ops.igamma(Tensor([-1.0, 0.0, 1.0, 1.0, 2.0, np.inf]), Tensor([1.0, 1.0, -1.0, 0.0, np.inf, 1.0])).asnumpy()
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, 0, 1, 0])
    slope = ms.grad(lambda a, x: ops.igammac(a, x).sum(), (0, 1))(Tensor([2.5, 0.5]), Tensor([3.0, 0.2]))
    np.testing.assert_allclose(slope[0].asnumpy(), [0.22754855, 0.82016134], 1e-6)  # as MindSpore 2.10
    np.testing.assert_allclose(slope[1].asnumpy(), [-0.19460854, -1.0328832], 1e-6)


def test_zeta_is_what_it_is_known_to_be() -> None:
    x = np.array([2.0, 4.0, 3.0, 2.0, 6.0])
    q = np.array([1.0, 1.0, 1.0, 0.5, 3.0])
    wanted = [math.pi**2 / 6, math.pi**4 / 90, 1.2020569031595942, math.pi**2 / 2, math.pi**6 / 945 - 1 - 2.0**-6]
    for found, array in in_both_modes(lambda x, q: ops.zeta(x, q), [x, q], np.array(wanted)):
        np.testing.assert_allclose(found.asnumpy(), array, rtol=4e-15, atol=3e-16)
    many = np.linspace(0.1, 40, 97)
    for n in (1, 2, 3):  # DLMF 25.11.12
        polygamma = ops.polygamma(n, Tensor(many)).asnumpy() * (-1) ** (n + 1) / math.factorial(n)
        np.testing.assert_allclose(ops.zeta(Tensor(np.float64(n + 1)), Tensor(many)).asnumpy(), polygamma, rtol=1e-14)
    step = ops.zeta(Tensor(many + 1.01), Tensor(many)) - ops.zeta(Tensor(many + 1.01), Tensor(many + 1))
    np.testing.assert_allclose(step.asnumpy(), many ** -(many + 1.01), rtol=1e-10)
    assert P.Zeta()(Tensor([2.0]), Tensor([1.0])).item() == pytest.approx(1.644934)
    np.testing.assert_array_equal(ops.zeta(Tensor([1.0, 0.5, 2.0, 2.0]), Tensor([1.0, 1.0, -1.0, -0.5])).asnumpy(),
                                  [np.inf, np.nan, np.inf, np.nan])
    slopes = ms.grad(lambda x, q: ops.zeta(x, q), (0, 1))(Tensor(2.5), Tensor(3.0))
    assert slopes[1].item() == pytest.approx(-0.0958638, 1e-5)  # as MindSpore 2.10
    h = 1e-4
    ends = [ops.zeta(Tensor(2.5 + d, ms.float64), 3.0).item() for d in (h, -h)]
    assert slopes[0].item() == pytest.approx((ends[0] - ends[1]) / (2 * h), 1e-5)


def test_the_float_next_to_another() -> None:
    x = Tensor([1.0, 0.0, -2.0, 3.0])
    found = ops.nextafter(x, Tensor([2.0, -1.0, 0.0, 3.0]))
    np.testing.assert_array_equal(found.asnumpy(), np.nextafter(x.asnumpy(), np.array([2, -1, 0, 3], "f")))
    np.testing.assert_array_equal(P.NextAfter()(x, x).asnumpy(), x.nextafter(x).asnumpy())
    for wrong in (x.astype(ms.float16), x.astype(ms.int32)):
        with pytest.raises(TypeError, match=r"nextafter: expected float32 or float64, got (float16|int32)"):
            ops.nextafter(wrong, wrong)
