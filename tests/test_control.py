"""Loops of functions, `Scan`, `ForiLoop` and `WhileLoop`: Python's loops, in both modes, with gradients and errors."""

from __future__ import annotations

import pytest

import graphc
from graphc import Tensor, ops


@pytest.mark.parametrize("mode", (graphc.PYNATIVE_MODE, graphc.GRAPH_MODE), ids=("eager", "graph"))
def test_loops_of_functions(mode: int) -> None:
    graphc.set_context(mode=mode)
    x = Tensor([1.0, 2.0])
    total, seen = ops.Scan()(lambda carry, item: (carry + item, carry * item), x, [x, x])
    assert total.asnumpy().tolist() == [3, 6]
    assert [s.asnumpy().tolist() for s in seen] == [[1, 4], [2, 8]]
    assert ops.Scan()(lambda carry, item: (carry + 1, item), 0, None, 3) == (3, [None] * 3)
    assert ops.ForiLoop()(1, 4, lambda i, value: value * i, 1) == 6
    assert ops.WhileLoop()(lambda pair: pair[0] < 3, lambda pair: (pair[0] + 1, pair[1] * 2), (0, 1)) == (3, 8)
    gradient = graphc.grad(lambda x: ops.ForiLoop()(0, 3, lambda i, value: value * x, x).sum())(x)
    assert gradient.asnumpy().tolist() == [4, 32]
    for wrong, error, text in (
        (lambda: ops.ForiLoop()(0, 2, lambda i, value: value.sum(), x), ValueError, r"given f32\[2\] and returned f32"),
        (lambda: ops.Scan()(lambda carry, item: carry, x, [x]), ValueError, "must return a pair"),
        (lambda: ops.Scan()(lambda carry, item: (carry, item), x, x), TypeError, "expected xs to be a list"),
        (lambda: ops.Scan()(lambda carry, item: (carry, item), x, None), ValueError, "expected a length"),
    ):
        with pytest.raises(error, match=text):
            wrong()


def test_what_no_one_reduces_passes_through_identity() -> None:
    """Programs have `reducer = ops.functional.identity` where there is one device, and call it with all gradients."""
    x = Tensor([1.0, 2.0])
    both, [one, none] = ops.functional.identity((x, [x * 2.0, None]))
    assert (both.asnumpy() == [1.0, 2.0]).all() and (one.asnumpy() == [2.0, 4.0]).all() and none is None
    assert (graphc.grad(lambda x: (ops.identity((x, x))[0] * x).sum())(x).asnumpy() == [2.0, 4.0]).all()
    assert graphc.jit(ops.identity)({"x": x})["x"].shape == (2,)
