"""Derivatives that programs say themselves: `bprop` of a Cell, and functions that see or change gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor, nn, ops

X, Y = Tensor([1.0, -2.0, 3.0]), Tensor([0.5, 4.0, -1.0])


def in_both_modes(make: Callable[[], Any]) -> Any:
    """What `make()` returns, as arrays, which must be the same in both modes, and again in another call."""
    found = []
    for mode in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
        ms.set_context(mode=mode)
        try:
            found += [[g.asnumpy() for g in make()], [g.asnumpy() for g in make()]]
        finally:
            ms.set_context(mode=ms.PYNATIVE_MODE)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    return found[0]


class Straight(nn.Cell):
    """Rounds; its derivative is that of the identity."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.round(x)

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, ...]:
        return (dout,)


class Two(nn.Cell):
    """Two results of two inputs, whose derivatives are not those of what it computes."""

    def construct(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return x * y, x + y

    def bprop(self, x: Tensor, y: Tensor, out: Any, dout: Any) -> tuple[Tensor, Tensor]:
        return dout[0] * 10 + out[1], dout[1] * y


class Weighted(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.w = Parameter(Tensor([2.0, 2.0, 2.0]), "w")

    def construct(self, x: Tensor) -> Tensor:
        return x * self.w

    def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> Any:
        return (dout * 7,), {self.w: dout * x * 100}


def test_bprop_takes_the_place_of_the_derivative() -> None:
    (dx,) = in_both_modes(lambda: [ms.grad(lambda x: (Straight()(x) * x).sum())(X * 1.3)])
    x = (X * 1.3).asnumpy()
    np.testing.assert_array_equal(dx, x + np.round(x))


def test_bprop_of_several_results_runs_once_with_all_cotangents() -> None:
    def run() -> Any:
        return ms.grad(lambda x, y: [r * 3 for r in Two()(x, y)], (0, 1))(X, Y)

    dx, dy = in_both_modes(run)
    np.testing.assert_array_equal(dx, 30 + X.asnumpy() + Y.asnumpy())
    np.testing.assert_array_equal(dy, 3 * Y.asnumpy())

    dx, dy = in_both_modes(lambda: ms.grad(lambda x, y: Two()(x, y)[1], (0, 1))(X, Y))  # nobody uses the first
    np.testing.assert_array_equal(dx, X.asnumpy() + Y.asnumpy())
    np.testing.assert_array_equal(dy, Y.asnumpy())


class Mixed(nn.Cell):
    """Three results, one of integers, of two tensors and a number."""

    def construct(self, x: Tensor, y: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
        return x * y * scale, ops.argmax(x), ops.exp(y)

    def bprop(self, x: Tensor, y: Tensor, scale: float, out: Any, dout: Any) -> tuple[Any, ...]:
        product, _, power = out
        return dout[0] * y + product, dout[2] * power * scale + dout[1], None


def test_bprop_takes_and_returns_things_without_a_gradient() -> None:
    def total(x: Tensor, y: Tensor) -> Tensor:
        product, place, power = Mixed()(x, y, 2.0)
        return (product * 5).sum() + power.sum() + place

    dx, dy = in_both_modes(lambda: ms.grad(total, (0, 1))(Tensor([1.0, 2.0]), Tensor([0.0, 3.0])))
    assert dx.tolist() == [0, 5 * 3 + 12]
    np.testing.assert_allclose(dy, np.exp([0, 3]) * 2, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*traced anew")
@pytest.mark.parametrize("mode", [ms.PYNATIVE_MODE, ms.GRAPH_MODE])
def test_bprop_may_change_from_step_to_step(mode: int) -> None:
    class Reversed(nn.Cell):
        factor = 1.0

        def construct(self, x: Tensor) -> Tensor:
            return x

        def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor]:
            return (-self.factor * dout,)

    ms.set_context(mode=mode)
    net = nn.SequentialCell(nn.Dense(3, 2), Reversed())
    step = ms.value_and_grad(lambda x: net(x).sum(), None, net.trainable_params())
    for factor in (1.0, 1.0, 1.0, 0.25, 2.0, 2.0):
        net[1].factor = factor
        assert step(Tensor(np.ones((4, 3), np.float32)))[1][1].asnumpy().tolist() == [-4 * factor] * 2


def test_bprop_gives_gradients_of_parameters() -> None:
    net = Weighted()
    dx, dw = in_both_modes(
        lambda: (lambda g: (g[0], g[1][0]))(ms.grad(lambda x: net(x).sum(), 0, net.trainable_params())(X))
    )
    np.testing.assert_array_equal(dx, [7, 7, 7])
    np.testing.assert_array_equal(dw, 100 * X.asnumpy())


def test_bprop_is_differentiated_itself() -> None:
    class Cube(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            return x * x * x

        def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> Tensor:
            return dout * x * x * 3.0

    (second,) = in_both_modes(lambda: [ms.grad(lambda x: ms.grad(lambda v: Cube()(v).sum())(x).sum())(X)])
    np.testing.assert_allclose(second, 6 * X.asnumpy())


def test_training_through_bprop_is_the_same_in_both_modes() -> None:
    def run() -> Any:
        ms.set_seed(2)
        net = nn.SequentialCell(nn.Dense(3, 4, weight_init="ones"), Straight(), nn.Dense(4, 1, weight_init="ones"))
        optimizer = nn.SGD(net.trainable_params(), 0.001)
        step = nn.TrainOneStepCell(nn.WithLossCell(net, nn.MSELoss()), optimizer)
        for _ in range(3):
            step(X.reshape(1, 3), Tensor([[1.0]]))
        return list(net.trainable_params())

    weights = in_both_modes(run)
    assert not (weights[0] == 1).all()


def test_wrong_gradients_are_errors() -> None:
    class Short(Two):
        def bprop(self, x: Tensor, y: Tensor, out: Any, dout: Any) -> Any:
            return (dout[0],)

    class Wide(Straight):
        def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> Any:
            return ops.stack([dout, dout])

    class Forgetful(Weighted):
        def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> Any:
            return (dout,)

    net = Forgetful()
    assert ms.grad(net)(X).tolist() == [1, 1, 1]  # nobody asks for the gradient of w
    with pytest.raises(ValueError, match=r"Forgetful\.bprop: returns no gradient of w"):
        ms.grad(net, None, net.trainable_params())(X)
    with pytest.raises(ValueError, match=r"Short\.bprop: expected a gradient for each of 2 inputs, got 1"):
        ms.grad(lambda x, y: Short()(x, y)[0])(X, Y)
    with pytest.raises(ValueError, match=r"Wide\.bprop: the gradient of f32\[3\] must have its type"):
        ms.grad(lambda x: Wide()(x))(X)
    for wrong in (ops.InsertGradientOf, ops.HookBackward):
        with pytest.raises(TypeError, match="expected a function"):
            wrong(3)


def test_functions_of_gradients() -> None:
    clip = ops.InsertGradientOf(lambda g: ops.clamp(g, -1.0, 1.0))
    (dx,) = in_both_modes(lambda: [ms.grad(lambda x: (clip(x) * Y).sum())(X)])
    np.testing.assert_array_equal(dx, [0.5, 1, -1])

    swap = ops.HookBackward(lambda grads: (grads[1], grads[0] * 2))

    def swapped(x: Tensor, y: Tensor) -> Tensor:
        a, b = swap(x, y)
        return (a * 3 + b).sum()

    dx, dy = in_both_modes(lambda: ms.grad(swapped, (0, 1))(X, Y))
    np.testing.assert_array_equal((dx, dy), ([1] * 3, [6] * 3))
    seen = []
    look = ops.HookBackward(lambda grads: seen.append(grads[0].asnumpy()))
    for _ in range(3):
        ms.grad(lambda x: (look(x) * 4).sum())(X)
    assert [g.tolist() for g in seen] == [[4, 4, 4]] * 3


def test_hooks_on_the_backward_pass() -> None:
    net = nn.Dense(3, 2, weight_init="ones")
    calls: list[str] = []

    def halve(cell: nn.Cell, grad_output: Any) -> Any:
        assert cell is net and len(grad_output) == 1
        calls.append("before")
        return grad_output[0] / 2

    def negate(cell: nn.Cell, grad_input: Any, grad_output: Any) -> Any:
        calls.append("after")
        return (-grad_input[0] + grad_output[0].sum(),)

    first, second = net.register_backward_pre_hook(halve), net.register_backward_hook(negate)
    (dx,) = in_both_modes(lambda: [ms.grad(lambda x: net(x).sum())(X.reshape(1, 3))])
    np.testing.assert_array_equal(dx, [[0, 0, 0]])  # of each output 1/2: -(1/2 + 1/2) + 1
    assert calls[:4] == ["before", "after"] * 2
    first.remove()
    second.remove()
    assert ms.grad(lambda x: net(x).sum())(X.reshape(1, 3)).asnumpy().tolist() == [[2, 2, 2]]


def test_hooks_take_keyword_arguments_and_an_order() -> None:
    class Scaled(nn.Cell):
        def construct(self, x: Tensor, by: float = 1.0) -> Tensor:
            return x * by

    net, order = Scaled(), []
    net.register_forward_pre_hook(lambda cell, args: order.append("second"))
    net.register_forward_pre_hook(
        lambda cell, args, kwargs: order.append("first") or (args, {"by": kwargs["by"] + 1}), prepend=True,
        with_kwargs=True,
    )
    net.register_forward_hook(lambda cell, args, kwargs, out: out + kwargs["by"], with_kwargs=True)
    assert net(X, by=2.0).asnumpy().tolist() == [6, -3, 12] and order == ["first", "second"]


def test_hooks_on_tensors() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        before = y * 1
        y.register_hook(lambda g: g * 10)
        x.register_hook(lambda g: None)
        return (y * y).sum() + before.sum()

    (dx,) = in_both_modes(lambda: [ms.grad(function)(X)])
    np.testing.assert_array_equal(dx, 2 * (2 * 2 * X.asnumpy() * 10 + 1))
    removed = []

    def without(x: Tensor) -> Tensor:
        y = x * 3
        y.register_hook(removed.append).remove()
        return y.sum()

    assert ms.grad(without)(X).tolist() == [3, 3, 3] and removed == []
    assert X.register_hook(print) and X.tolist() == [1, -2, 3]  # outside of derivatives there is nothing to see
    with pytest.raises(TypeError, match="expected a function"):
        X.register_hook(3)


@pytest.mark.parametrize("mode", [ms.PYNATIVE_MODE, ms.GRAPH_MODE], ids=["eager", "graph"])
def test_hooks_on_parameters(mode: int) -> None:
    ms.set_context(mode=mode)
    net = nn.Dense(3, 1, has_bias=False)
    step = ms.value_and_grad(lambda x: net(x).sum(), None, net.trainable_params())
    x, seen = Tensor(np.ones((2, 3), np.float32)), list[tuple[int, ...]]()

    def gradient() -> list[float]:
        values: list[float] = step(x)[1][0][0].tolist()
        return values

    assert gradient() == [2, 2, 2]
    doubled = net.weight.register_hook(lambda g: g * 2)
    assert gradient() == gradient() == [4, 4, 4]
    net.weight.register_hook(lambda g: seen.append(g.shape))
    added = net.weight.register_hook(lambda g: g + 1)
    assert gradient() == [5, 5, 5] and seen[0] == (1, 3)
    doubled.remove()
    doubled.remove()
    assert gradient() == [3, 3, 3]
    added.remove()
    assert gradient() == [2, 2, 2]
    net.weight.register_hook(lambda g: g[0])
    with pytest.raises(ValueError, match=r"weight: a hook must return a gradient of type f32\[1,3\], got f32\[3\]"):
        gradient()


def test_bprop_of_nested_results() -> None:
    class Pair(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.w = Parameter(Tensor([3.0]), "w")

        def construct(self, x: Tensor) -> Any:
            return x * self.w, (x, {"third": x * 2})

        def bprop(self, x: Tensor, out: Any, dout: Any) -> Any:
            return (dout[0] + 10 * dout[1][0] + 100 * dout[1][1]["third"] + out[1][1]["third"],)

    def gradient() -> list[Tensor]:
        return [ms.grad(Pair())(X)]

    np.testing.assert_array_equal(in_both_modes(gradient)[0], 111 + 2 * X.asnumpy())


def test_bprop_must_return_tensors() -> None:
    class Wrong(Straight):
        def bprop(self, x: Tensor, out: Tensor, dout: Tensor) -> Any:
            return ("a",)

    with pytest.raises(TypeError, match=r"Wrong.bprop: the gradient of f32\[3\] must have its type, got str"):
        ms.grad(Wrong())(X)
