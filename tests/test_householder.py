"""Reflections that make matrices triangular: against NumPy's factors, in both modes, with gradients by differences."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import Tensor, grad, jit, ops
from graphc.ops import operations as P

_rng = np.random.default_rng(3)
TALL, WIDE = _rng.normal(size=(2, 5, 3)), _rng.normal(size=(3, 4))


@pytest.mark.parametrize("x", [TALL, WIDE, WIDE[:, :3], np.triu(WIDE), TALL[0] * [1, 0, 1]], ids=range(5))
def test_reflections_make_a_matrix_triangular_and_make_it_up_again(x: np.ndarray) -> None:
    rows, columns = x.shape[-2:]

    def parts(x: Tensor) -> tuple[Tensor, ...]:
        packed, tau = ops.geqrf(x)
        r = ops.triu(packed)
        return packed, tau, ops.ormqr(packed, tau, r)

    eager = [t.asnumpy() for t in parts(Tensor(x))]
    for one, other in zip(eager, jit(parts)(Tensor(x)), strict=True):
        np.testing.assert_array_equal(one, other.asnumpy())
    packed, tau, whole = eager
    np.testing.assert_allclose(whole, x, atol=1e-12)
    of_lapack = np.linalg.qr(x, "raw")
    np.testing.assert_allclose(packed, of_lapack[0].swapaxes(-1, -2), atol=1e-12)
    np.testing.assert_allclose(tau, of_lapack[1], atol=1e-12)
    assert tau.shape == (*x.shape[:-2], min(rows, columns)) and ((tau == 0) | (tau >= 1)).all()
    if rows >= columns:
        q = ops.orgqr(Tensor(packed), Tensor(tau)).asnumpy()
        np.testing.assert_allclose(q @ np.triu(packed)[..., :columns, :], x, atol=1e-12)
        np.testing.assert_allclose(q.swapaxes(-1, -2) @ q - np.eye(columns), 0, atol=1e-12)


def test_products_with_reflections_on_either_side() -> None:
    packed, tau = (t.asnumpy() for t in ops.geqrf(Tensor(TALL)))
    q = ops.ormqr(Tensor(packed), Tensor(tau), Tensor(np.broadcast_to(np.eye(5), (2, 5, 5)).copy())).asnumpy()
    other = _rng.normal(size=(2, 5, 4))
    for left in (True, False):
        for transpose in (True, False):
            x = other if left else other.swapaxes(1, 2)
            factor = q.swapaxes(1, 2) if transpose else q
            found = ops.ormqr(Tensor(packed), Tensor(tau), Tensor(x), left, transpose).asnumpy()
            np.testing.assert_allclose(found, factor @ x if left else x @ factor, atol=1e-12)
            same = P.Ormqr(left, transpose)(Tensor(packed), Tensor(tau), Tensor(x)).asnumpy()
            np.testing.assert_array_equal(found, same)
    assert P.Geqrf()(Tensor(TALL))[1].shape == (2, 3) and P.Orgqr()(Tensor(packed), Tensor(tau)).shape == (2, 5, 3)
    np.testing.assert_allclose(Tensor(packed).orgqr(Tensor(tau[..., :2])).asnumpy()[..., :2], q[..., :2], atol=1e-12)


def test_reflections_have_a_gradient() -> None:
    def inside(x: Tensor) -> Tensor:
        packed, tau = ops.geqrf(x)
        return (ops.triu(packed) * Tensor(TALL[0])).sum() + (ops.orgqr(packed, tau) * Tensor(TALL[1])).sum()

    x = TALL[0] + 1
    slope = grad(inside)(Tensor(x)).asnumpy()
    for i, j in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i, j] = 1e-6
        wanted = (inside(Tensor(x + step)).item() - inside(Tensor(x - step)).item()) / 2e-6
        assert slope[i, j] == pytest.approx(wanted, rel=1e-6, abs=1e-7)


def test_what_is_no_reflection() -> None:
    x = Tensor(TALL)
    for call, error, message in (
        (lambda: ops.geqrf(Tensor([1.0])), TypeError, r"geqrf: expected matrices of floats .*, got f32\[1\]"),
        (lambda: ops.orgqr(x, Tensor(np.ones((2, 4)))), ValueError, r"got f64\[2,5,3\] and f64\[2,4\]"),
        (lambda: ops.orgqr(Tensor(WIDE), Tensor(np.ones(3))), ValueError, "at least as many rows as columns"),
        (lambda: ops.ormqr(x, Tensor(np.ones((2, 3))), Tensor(WIDE)), ValueError, "as many rows as the rows of"),
    ):
        with pytest.raises(error, match=message):
            call()
