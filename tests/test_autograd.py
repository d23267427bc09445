"""Derivatives, in both modes: every form of `grad` and its kin, higher orders, and finite differences."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import each_of
from modes import mode as in_mode
from reference import assert_same

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, ParameterTuple, Tensor, jit, nn, ops
from graphc.autograd import Ran, Tape, sweep
from graphc.ops.elementwise import square
from graphc.state import state
from graphc.trace import trace

Array = np.ndarray


pytestmark = pytest.mark.usefixtures("each_mode")


def f64(*values: Any) -> Tensor:
    return Tensor(np.array(values, np.float64))


X, Y = f64(1.0, 2.0, 3.0), f64(0.5, -1.0, 2.0)


def product(x: Tensor, y: Tensor) -> Tensor:
    return (x * x * y).sum()


def equal(found: Any, *wanted: Any) -> None:
    """A tensor, or a tuple of tensors, with these values."""
    tensors = found if isinstance(found, tuple) else (found,)
    assert len(tensors) == len(wanted)
    for tensor, value in zip(tensors, wanted, strict=True):
        assert isinstance(tensor, Tensor)
        np.testing.assert_array_equal(tensor.asnumpy(), value)


# grad, value_and_grad: what is asked for and what comes back

DX, DY = [1.0, -4.0, 12.0], [1.0, 4.0, 9.0]


def test_positions() -> None:
    equal(ms.grad(product)(X, Y), DX)
    equal(ms.grad(product, 1)(X, Y), DY)
    equal(ms.grad(product, (0,))(X, Y), DX)
    equal(ms.grad(product, (0, 1))(X, Y), DX, DY)
    equal(ms.grad(product, (1, 0))(X, Y), DY, DX)
    equal(ms.grad(product, (0, 0))(X, Y), DX, DX)
    assert isinstance(ms.grad(product, 0)(X, Y), Tensor) and isinstance(ms.grad(product, (0,))(X, Y), Tensor)


def test_value_and_grad() -> None:
    value, slope = ms.value_and_grad(product)(X, Y)
    assert value.item() == 14.5
    equal(slope, DX)
    value, slopes = ms.value_and_grad(product, (0, 1))(X, Y)
    equal(slopes, DX, DY)


def test_weights() -> None:
    w, v = Parameter(np.array([2.0, 3.0, 4.0]), "w"), Parameter(np.array(1.0), "v")

    def f(x: Tensor) -> Tensor:
        return (x * w * w).sum() * v

    dw, dv, dx = [4.0, 12.0, 24.0], 70.0, [4.0, 9.0, 16.0]
    equal(ms.grad(f, None, w)(X), dw)
    for weights in ([w, v], (w, v), ParameterTuple([w, v])):
        found = ms.grad(f, None, weights)(X)
        assert isinstance(found, tuple)
        equal(found, dw, dv)
    found = ms.grad(f, 0, [w, v])(X)
    equal(found[0], dx)
    equal(found[1], dw, dv)
    found = ms.grad(f, (0,), w)(X)
    equal(found[0], dx)
    equal(found[1], dw)
    value, found = ms.value_and_grad(f, None, [w])(X)
    assert value.item() == 70.0
    equal(found, dw)
    assert ms.grad(f, 0, [])(X)[1] == ()


def test_unused_inputs_and_weights_have_zeros() -> None:
    w = Parameter(np.ones((2, 2)), "w")
    found = ms.grad(lambda x, y: (x * 2).sum(), (0, 1), w)(X, Y)
    equal(found[0], [2.0, 2.0, 2.0], [0.0, 0.0, 0.0])
    equal(found[1], np.zeros((2, 2)))
    equal(ms.grad(lambda x: Tensor(3.0, ms.float64))(X), [0.0, 0.0, 0.0])
    equal(ms.grad(lambda x: ops.floor(x).sum())(X), [0.0, 0.0, 0.0])


def test_aux() -> None:
    def f(x: Tensor, y: Tensor) -> tuple[Any, ...]:
        return product(x, y), x + y, "note"

    slope, aux = ms.grad(f, has_aux=True)(X, Y)
    equal(slope, DX)
    equal(aux[0], (X + Y).asnumpy())
    assert aux[1] == "note"
    (value, total, note), slope = ms.value_and_grad(f, has_aux=True)(X, Y)
    assert value.item() == 14.5 and note == "note"
    equal(total, [1.5, 1.0, 5.0])
    equal(slope, DX)


def test_several_outputs_are_differentiated_together() -> None:
    """Without aux, the cotangent of each is one: the gradient of their sum."""
    equal(ms.grad(lambda x: (x * 2, x * x))(X), [4.0, 6.0, 8.0])


def test_sens_of_one_number() -> None:
    """A loss of shape (1,), as BERT's of MindSpore's models, is scaled by what is a scalar, or the other way round."""
    for shape, sens in (
        ((1,), Tensor(2.0, ms.float32)), ((), Tensor([2.0], ms.float32)), ((1, 1), Tensor(2.0, ms.float16)),
    ):  # fmt: skip
        scaled = ops.GradOperation(sens_param=True)(lambda x, shape=shape: (x * x).sum().reshape(shape))
        equal(scaled(X, sens), 4.0 * X.asnumpy())
    with pytest.raises(ValueError, match=r"sens must have the type of the function's value, f64\[3\], got f32\[\]"):
        ops.GradOperation(sens_param=True)(lambda x: x * x)(X, Tensor(2.0, ms.float32))


def test_sens() -> None:
    equal(ms.grad(lambda x: x * x, sens_param=True)(X, Y), [1.0, -4.0, 12.0])
    value, slope = ms.value_and_grad(lambda x: x * x, sens_param=True)(X, Y)
    equal(value, [1.0, 4.0, 9.0])
    equal(slope, [1.0, -4.0, 12.0])
    equal(ms.grad(lambda x: (x * 2, x * x), sens_param=True)(X, (Y, X)), [3.0, 6.0, 22.0])


def test_vectors_have_cotangents_of_ones() -> None:
    equal(ms.grad(lambda x: x * x)(X), [2.0, 4.0, 6.0])


def test_keyword_arguments_and_other_values() -> None:
    def f(x: Tensor, power: int, *, scale: Any = 1.0, shift: Any = None) -> Tensor:
        return ((x**power) * scale + (0 if shift is None else shift)).sum()

    equal(ms.grad(f)(X, 2), [2.0, 4.0, 6.0])
    equal(ms.grad(f)(X, 3, scale=2.0), [6.0, 24.0, 54.0])
    equal(ms.grad(f)(X, 2, scale=Y, shift=X), [1.0, -4.0, 12.0])


def test_arrays_are_taken_as_tensors() -> None:
    equal(ms.grad(product, (0, 1))(X.asnumpy(), Y.asnumpy()), DX, DY)


def test_the_same_tensor_twice_has_two_gradients() -> None:
    equal(ms.grad(lambda a, b: (a * a * b).sum(), (0, 1))(X, X), [2.0, 8.0, 18.0], [1.0, 4.0, 9.0])


def test_a_gradient_function_can_be_called_again() -> None:
    g = ms.grad(product)
    equal(g(X, Y), DX)
    equal(g(Y, X), [1.0, -4.0, 12.0])
    equal(g(f64(1.0), f64(2.0)), [4.0])
    w = Parameter(np.array([1.0, 1.0, 1.0]), "w")
    by_weight = ms.grad(lambda x: (w * w * x).sum(), None, w)
    equal(by_weight(X), [2.0, 4.0, 6.0])
    w.set_data(Tensor([2.0, 2.0, 2.0]))
    equal(by_weight(X), [4.0, 8.0, 12.0])


def test_in_a_jitted_function() -> None:
    @jit
    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        slope = ms.grad(product)(x, y)
        return slope, x - slope * 0.1

    slope, moved = step(X, Y)
    equal(slope, DX)
    np.testing.assert_allclose(moved.asnumpy(), X.asnumpy() - 0.1 * np.array(DX))
    equal(ms.grad(jit(product))(X, Y), DX)
    equal(jit(ms.grad(jit(product)))(X, Y), DX)


def test_cells() -> None:
    net = nn.SequentialCell(nn.Dense(3, 2), nn.Tanh(), nn.Dense(2, 1))
    x = Tensor(np.ones((4, 3), np.float32))
    by_weight = ms.grad(net, None, net.trainable_params())(x)
    assert [g.shape for g in by_weight] == [p.shape for p in net.trainable_params()]
    assert ms.grad(net)(x).shape == (4, 3)
    assert ms.grad(net, (0,), net.trainable_params())(x)[0].shape == (4, 3)


def test_a_cell_that_differentiates_itself() -> None:
    class Physics(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Dense(3, 1)

        def construct(self, x: Tensor) -> Tensor:
            return ms.grad(lambda x: self.inner(x).sum())(x)

    net = Physics()
    x = Tensor(np.ones((2, 3), np.float32))
    equal(net(x), np.repeat(net.inner.weight.asnumpy(), 2, 0))
    outer = ms.grad(lambda x: (net(x) ** 2).sum(), None, [net.inner.weight])(x)
    equal(outer, net.inner.weight.asnumpy() * 4)


# GradOperation


def test_grad_operation() -> None:
    w = Parameter(np.array([2.0, 3.0, 4.0]), "w")

    def f(x: Tensor, y: Tensor) -> Tensor:
        return (x * y * w).sum()

    dx, dy, dw = [1.0, -3.0, 8.0], [2.0, 6.0, 12.0], [0.5, -2.0, 6.0]
    equal(ops.GradOperation()(f)(X, Y), dx)
    equal(ops.GradOperation(get_all=True)(f)(X, Y), dx, dy)
    equal(ops.GradOperation(get_by_list=True)(f, [w])(X, Y), dw)
    equal(ops.GradOperation(get_by_list=True)(f, ParameterTuple([w]))(X, Y), dw)
    inputs, weights = ops.GradOperation(get_all=True, get_by_list=True)(f, [w])(X, Y)
    equal(inputs, dx, dy)
    equal(weights, dw)
    equal(ops.GradOperation(sens_param=True)(f)(X, Y, Tensor(2.0, ms.float64)), [2.0, -6.0, 16.0])
    equal(ops.GradOperation(get_all=True, sens_param=True)(lambda x: x * x)(X, Y), [1.0, -4.0, 12.0])
    net = nn.Dense(3, 1)
    found = ops.GradOperation(get_by_list=True)(net)(Tensor(np.ones((1, 3), np.float32)))
    assert [g.shape for g in found] == [p.shape for p in net.trainable_params()]


def test_gradients_of_all_inputs_leave_out_what_has_none() -> None:
    labels = Tensor([2, 0], ms.int32)

    def loss(x: Tensor, labels: Tensor, scale: float, extra: Any) -> Tensor:
        return nn.CrossEntropyLoss(reduction="sum")(x * scale, labels) + extra[0].sum()

    x = Tensor(np.zeros((2, 4), np.float32))
    dx, dlabels, (dextra,) = ops.GradOperation(get_all=True)(loss)(x, labels, 4.0, (X.astype(ms.float32),))
    np.testing.assert_array_equal(dx.asnumpy(), 1 - 4 * np.eye(4)[[2, 0]])
    assert dlabels.dtype is ms.int32 and dlabels.tolist() == [0, 0] and dextra.tolist() == [1, 1, 1]


class Scaled(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = Parameter(np.array([2.0]), "a"), Parameter(np.array([3.0]), "b")

    def construct(self, x: Tensor) -> Tensor:
        return (self.a * x * self.b).sum()


def test_gradients_of_what_is_not_trained_are_zeros() -> None:
    net = Scaled()
    gradient = ms.value_and_grad(net, None, [net.a, net.b])
    for trained, wanted in ((True, 18.0), (False, 0.0), (True, 18.0)):
        net.a.requires_grad = trained
        _, (da, db) = gradient(X)
        assert da.tolist() == [wanted] and db.tolist() == [12.0]


def test_gradients_with_their_names() -> None:
    net = Scaled()
    of_input, of_weights = ms.grad(net, (0,), [net.a, net.b], return_ids=True)(X)
    assert [name for name, _ in (of_input, *of_weights)] == [0, "a", "b"]
    found = of_input, of_weights
    assert ms.get_grad(found, 0).tolist() == [6] * 3 and ops.get_grad(found, net.b).tolist() == [12]
    assert ms.get_grad(found, "a").tolist() == [18]
    name, gradient = ms.value_and_grad(net, None, net.b, return_ids=True)(X)[1]
    assert name == "b" and gradient.tolist() == [12]


def test_steps_with_named_gradients_update_the_weights() -> None:
    net = Scaled()
    optimizer = nn.SGD(net.trainable_params(), 0.5)
    gradient = ms.value_and_grad(net, None, optimizer.parameters, return_ids=True)
    optimizer(tuple(g for _, g in gradient(X)[1]))
    assert net.a.tolist() == [2 - 9] and net.b.tolist() == [3 - 6]


def test_values_of_any_form() -> None:
    def function(x: Tensor) -> Any:
        return {"a": x * 2, "rest": (x * x, [x[0], ops.argmax(x), None], 3)}

    equal(ms.grad(function)(X), 2 + 2 * X.asnumpy() + [1, 0, 0])
    value, gradient = ms.value_and_grad(lambda x: ((x, x * 2), x * 3))(X)
    equal(value[0], X.asnumpy(), 2 * X.asnumpy())
    equal(gradient, [6, 6, 6])
    ct = {"a": X * 0, "rest": (X * 0 + 1, [X[0] * 0, None, None], None)}
    equal(ms.grad(function, sens_param=True)(X, ct), 2 * X.asnumpy())
    equal(ms.grad(lambda x: ((x * x, x), x), has_aux=True)(X)[0], 2 * X.asnumpy() + 1)
    equal(ms.grad(lambda x, k: x * k, sens_param=True)(X, k=2.0, sens=Y), 2 * Y.asnumpy())


def test_grad_operation_checks_its_arguments() -> None:
    with pytest.raises(TypeError, match="get_all must be a bool, got 1"):
        ops.GradOperation(get_all=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs the Parameters"):
        ops.GradOperation(get_by_list=True)(product)


# vjp, jvp, jacrev, stop_gradient


def test_vjp() -> None:
    value, pull = ms.vjp(lambda x, y: x * x * y, X, Y)
    equal(value, [0.5, -4.0, 18.0])
    equal(pull(f64(1.0, 1.0, 1.0)), DX, DY)
    equal(pull(f64(2.0, 0.0, 1.0)), [2.0, 0.0, 12.0], [2.0, 0.0, 9.0])
    value, pull = ms.vjp(lambda x: (x * 2, x * x), X)
    equal(pull(Y, X), [3.0, 6.0, 22.0])
    value, pull, aux = ms.vjp(lambda x, y: (2 * x + y, y * y * y), X, Y, has_aux=True)
    equal(value, [2.5, 3.0, 8.0])
    equal(pull(f64(1.0, 1.0, 1.0)), [2.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    equal(aux, [0.125, -1.0, 8.0])


def test_a_value_and_its_derivatives_are_of_one_call() -> None:
    """So they are of the same random numbers, and what is assigned to is assigned to once."""
    ones, drop, norm = ops.ones(64), nn.Dropout(p=0.5).set_train(), nn.BatchNorm1d(3).set_train()
    value, pull = ms.vjp(drop, ones)
    equal(pull(ones)[0], value.asnumpy())
    equal(pull(ones)[0], value.asnumpy())
    value, tangent = ms.jvp(drop, ones, ones)
    equal(tangent, value.asnumpy())
    value, along = ops.linearize(drop, ones)
    equal(along(ones), value.asnumpy())
    jacobian = ms.jacrev(lambda x: drop(x).sum().expand_dims(0) * ops.ones(4))(ones).asnumpy()
    assert (jacobian == jacobian[0]).all()
    x = Tensor(np.arange(12, dtype=np.float32).reshape(4, 3))
    _, pull = ms.vjp(norm, x)
    pull(x)
    np.testing.assert_allclose(norm.moving_mean.asnumpy(), x.asnumpy().mean(0) * 0.1, rtol=1e-6)


def test_a_pullback_keeps_what_it_was_made_of() -> None:
    w, factor, x = Parameter(f64(2.0, 3.0, 4.0), name="w"), f64(1.0, 1.0, 1.0), X * 1.0
    value, pull = ms.vjp(lambda x: ops.tanh(x * w * factor), x, weights=w)
    by_x, by_w = pull(Y)
    (x_before,), w_before = [g.asnumpy() for g in by_x], by_w.asnumpy()
    w.set_data(f64(0.0, 0.0, 0.0))
    factor[0], x[1], value[2] = 5.0, 7.0, 9.0
    by_x, by_w = pull(Y)
    equal(by_x, x_before)
    equal(by_w, w_before)
    twice = ms.grad(lambda x: ms.vjp(lambda x: (x * x * x).sum(), x)[1](ops.ones((), ms.float64))[0].sum())
    equal(twice(X), 6 * X.asnumpy())


def test_sweeps_of_a_pullback_are_noted_in_one_go_when_they_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Solved(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            y, pull = ms.vjp(lambda x: ops.tanh(x * x), x)
            for _ in range(3):
                (y,) = pull(y + x)
            return y

    swept, calls = Ran.swept, list[None]()
    monkeypatch.setattr(Ran, "swept", lambda self, sens=None: calls.append(None) or swept(self, sens))
    net = Solved()
    with in_mode(PYNATIVE_MODE):
        first = net(X).asnumpy()
        for _ in range(20):
            equal(net(X), first)
    assert len(calls) < 10


def test_jvp() -> None:
    value, tangent = ms.jvp(lambda x: x * x * 3.0, X, Y)
    equal(value, [3.0, 12.0, 27.0])
    equal(tangent, [3.0, -12.0, 36.0])
    value, tangent = ms.jvp(lambda x, y: x * y, (X, Y), (Y, X))
    equal(tangent, [1.25, 5.0, 13.0])
    value, tangent, (twice, total) = ms.jvp(lambda x: (x * x, 2 * x, x.sum()), X, Y, has_aux=True)
    equal(value, [1.0, 4.0, 9.0])
    equal(tangent, [1.0, -4.0, 12.0])
    equal(twice, [2.0, 4.0, 6.0])
    equal(total, 6.0)


def test_jacrev() -> None:
    matrix = Tensor(np.arange(6.0).reshape(2, 3))
    equal(ms.jacrev(lambda x: ops.matmul(matrix, x))(X), matrix.asnumpy())
    equal(ms.jacrev(lambda x: x.sum())(X), [1.0, 1.0, 1.0])
    rows = ms.jacrev(lambda x, y: x * y, (0, 1))(X, Y)
    equal(rows, np.diag(Y.asnumpy()), np.diag(X.asnumpy()))
    jacobian = ms.jacrev(lambda x: ops.reshape(x * x, (3, 1)))(X)
    assert jacobian.shape == (3, 1, 3)
    jacobian, aux = ms.jacrev(lambda x: (x * 2, x.sum()), has_aux=True)(X)
    equal(jacobian, 2 * np.eye(3))
    equal(aux, 6.0)
    equal(ms.jacfwd(lambda x: (x * 2, x, x * x), has_aux=True)(X)[1], [1.0, 2.0, 3.0], [1.0, 4.0, 9.0])


def test_stop_gradient() -> None:
    equal(ms.grad(lambda x: (x * ops.stop_gradient(x * x)).sum())(X), [1.0, 4.0, 9.0])
    equal(ms.grad(lambda x: ops.stop_gradient(x).sum())(X), [0.0, 0.0, 0.0])
    w = Parameter(np.ones(3), "w")
    equal(ms.grad(lambda x: (ops.stop_gradient(w) * w * x).sum(), None, w)(X), [1.0, 2.0, 3.0])
    equal(ms.grad(lambda x: (ops.stop_gradient((x, [x]))[1][0] * x).sum())(X), [1.0, 2.0, 3.0])
    assert ops.stop_gradient((2.0, None)) == (2.0, None)


def test_no_grad() -> None:
    w = Parameter(np.full(3, 2.0, np.float32), "w")

    @ms._no_grad()
    def scale(x: Tensor) -> Tensor:
        return ops.softmax(x) * 0.0 + x * w

    def loss(x: Tensor) -> Tensor:
        with ms._no_grad():
            constant = x * w
        return (x * constant + scale(x) * w).sum()

    for _ in range(4):  # what ops note is noted at once from some call on
        value, (by_x, by_w) = ms.value_and_grad(loss, 0, w)(X)
        equal(value, 28.0 + 24.0)
        equal(by_x, [2.0, 4.0, 6.0])
        equal(by_w, [2.0, 4.0, 6.0])
    equal(ms.grad(lambda x: ms._no_grad()(ms.grad(lambda y: y * y * y))(x) * x)(X), [3.0, 12.0, 27.0])


def test_no_grad_around_assignments() -> None:
    w = Parameter(np.full(3, 2.0, np.float32), "w")

    def loss(x: Tensor) -> Tensor:
        before = x * w
        with ms._no_grad():
            ops.assign(w, w + 1.0)
            x[0] = 5.0
        return (before * x * w).sum()

    for _ in range(3):
        w.set_data(ops.full((3,), 2.0))
        x = Tensor(X.asnumpy())
        assert float(loss(x)) == 30.0 + 24.0 + 54.0
        w.set_data(ops.full((3,), 2.0))
        equal(ms.grad(loss)(Tensor(X.asnumpy())), [30.0, 12.0, 18.0])  # the x that is read last is a constant


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_gradients_of_a_tuple_have_its_form(mode: int) -> None:
    ms.set_context(mode=mode)

    def product(z: Any, w: Tensor) -> Tensor:
        return (z[0] * z[1][0] * z[1][1] * w).sum()

    z = ms.mutable((X, [Tensor([2.0, 2.0, 2.0]), X]))
    value, (by_z, by_w, again) = ms.value_and_grad(product, (0, 1, 0))(z, Y)
    equal(value, 2 * (X * X * Y).sum().asnumpy())
    assert type(by_z) is tuple and type(by_z[1]) is list
    equal(by_z[0], (2 * X * Y).asnumpy())
    equal(by_z[1][0], (X * X * Y).asnumpy())
    equal(by_z[1][1], (2 * X * Y).asnumpy())
    equal(by_w, (2 * X * X).asnumpy())
    equal(again[1][1], (2 * X * Y).asnumpy())
    for wrong in ((X, [Tensor([1, 2, 3]), X]), (X, [2.0, X])):
        with pytest.raises(TypeError, match="argument 0 must be a float Tensor, got"):
            ms.grad(product)(wrong, Y)


# Higher orders


def test_second_and_third_derivatives() -> None:
    def cube(x: Tensor) -> Tensor:
        return (x * x * x).sum()

    first, second, third = ms.grad(cube), ms.grad(ms.grad(cube)), ms.grad(ms.grad(ms.grad(cube)))
    equal(first(X), [3.0, 12.0, 27.0])
    equal(second(X), [6.0, 12.0, 18.0])
    equal(third(X), [6.0, 6.0, 6.0])
    equal(jit(third)(X), [6.0, 6.0, 6.0])


def test_mixed_second_derivatives() -> None:
    def f(x: Tensor, y: Tensor) -> Tensor:
        return (x * x * x * y * y).sum()

    equal(ms.grad(lambda x, y: ms.grad(f, 1)(x, y).sum(), 0)(X, Y), [3.0, -24.0, 108.0])
    equal(ms.grad(lambda x, y: ms.grad(f, 0)(x, y).sum(), 1)(X, Y), [3.0, -24.0, 108.0])


def test_hessian_of_a_network() -> None:
    rng = np.random.default_rng(0)
    w, v = Tensor(rng.normal(size=(3, 4))), Tensor(rng.normal(size=(4,)))

    def f(x: Tensor) -> Tensor:
        return (ops.tanh(ops.matmul(x, w)) * v).sum()

    def slope(x: Array) -> Array:
        return np.asarray((w.asnumpy() * (v.asnumpy() * (1 - np.tanh(x @ w.asnumpy()) ** 2))).sum(1))

    x = rng.normal(size=3)
    hessian = ms.jacrev(ms.grad(f))(Tensor(x)).asnumpy()
    wanted = np.stack([(slope(x + e) - slope(x - e)) / 2e-6 for e in np.eye(3) * 1e-6])
    np.testing.assert_allclose(hessian, wanted, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-12)


def test_third_derivative_of_transcendentals() -> None:
    found = ms.grad(ms.grad(ms.grad(lambda x: (ops.sin(x) * ops.exp(x)).sum())))(X).asnumpy()
    x = X.asnumpy()
    np.testing.assert_allclose(found, 2 * np.exp(x) * (np.cos(x) - np.sin(x)), rtol=1e-12)


def test_gradients_inside_the_loss() -> None:
    """A gradient penalty: the derivative by weights of the norm of the derivative by inputs."""
    w = Parameter(np.array([0.5, -1.0, 2.0]), "w")

    def energy(x: Tensor) -> Tensor:
        return ops.exp(x * w).sum()

    def penalty(x: Tensor) -> Tensor:
        return (ms.grad(energy)(x) ** 2).sum()

    found = ms.grad(penalty, None, w)(X)
    x, v = X.asnumpy(), w.asnumpy()
    np.testing.assert_allclose(found.asnumpy(), np.exp(2 * x * v) * (2 * v + 2 * v * v * x), rtol=1e-12)


# Values that change while they are differentiated


def test_assignment_to_elements() -> None:
    def f(x: Tensor) -> Tensor:
        y = x * 2
        z = y * y
        y[0] = x[1] * 10
        return (y * x).sum() + z.sum()

    x = X.asnumpy()
    equal(ms.grad(f)(X), [10 * x[1] + 8 * x[0], 10 * x[0] + 4 * x[1] + 8 * x[1], 4 * x[2] + 8 * x[2]])


def test_assignment_to_elements_of_the_argument() -> None:
    def f(x: Tensor) -> Tensor:
        y = x * x
        x[1] = 0.0
        return (y + x * 5).sum()

    equal(ms.grad(f)(X), [7.0, 4.0, 11.0])


def test_a_parameter_that_is_assigned_to() -> None:
    """The gradient is that of the values that were read."""
    w = Parameter(np.array([2.0, 3.0, 4.0]), "w")

    def f(x: Tensor) -> Tensor:
        y = (x * w).sum()
        ops.assign(w, w * 0 + 100.0)
        return y

    equal(ms.grad(f)(X), [2.0, 3.0, 4.0])
    equal(w, [100.0, 100.0, 100.0])
    w.set_data(Tensor(np.array([2.0, 3.0, 4.0])))
    equal(ms.grad(lambda x: f(x * x), None, w)(X), [1.0, 4.0, 9.0])


def test_a_parameter_assigned_before_it_is_read() -> None:
    w = Parameter(np.array([2.0, 3.0, 4.0]), "w")

    def f(x: Tensor) -> Tensor:
        ops.assign(w, Y)
        return (x * w).sum()

    equal(ms.grad(f)(X), Y.asnumpy())


# Bad arguments


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: ms.grad(3), TypeError, "grad: fn must be callable, got int"),
        (lambda: ms.grad(product, None), ValueError, "grad_position and weights can not be None at the same time"),
        (lambda: ms.grad(product, -1), TypeError, "grad_position must be an int >= 0 or a tuple of them, got -1"),
        (lambda: ms.grad(product, (0, "1")), TypeError, "grad_position must be an int >= 0 or a tuple"),
        (lambda: ms.grad(product, True), TypeError, "grad_position must be an int >= 0 or a tuple of them, got True"),
        (lambda: ms.grad(product, 0, [X]), TypeError, "weights must be Parameters, got Tensor"),
        (lambda: ms.grad(product, 2)(X, Y), ValueError, "position 2 out of range for 2 arguments; test_autograd"),
        (lambda: ms.grad(product, 0)(1.0, Y), TypeError, "argument 0 must be a float Tensor, got float; test_autograd"),
        (lambda: ms.grad(product, 0)(Tensor([1]), Y), TypeError, r"argument 0 must be a float Tensor, got i64\[1\]"),
        (lambda: ms.grad(lambda x: 3.0)(X), TypeError, "must return float Tensors to differentiate, got float"),
        (lambda: ms.grad(lambda x: x > 0)(X), TypeError, r"must return float Tensors to differentiate, got bool\[3\]"),
        (lambda: ms.grad(lambda x: None)(X), TypeError, "must return float Tensors to differentiate, got NoneType"),
        (lambda: ms.grad(lambda x: (x, "a"))(X), TypeError, "must return float Tensors to differentiate, got str"),
        (lambda: ms.grad(lambda x: x, sens_param=True)(X, f64(1.0)), ValueError, r"expected|the type of .* f64\[3\]"),
        (lambda: ms.grad(lambda x: x, sens_param=True)(X, 1.0), ValueError, r"f64\[3\], got float"),
        (lambda: ms.get_grad(ms.grad(product, return_ids=True)(X, Y), 1), RuntimeError, "no gradient of 1; were"),
        (lambda: ms.get_grad(ms.grad(product)(X, Y), 1.5), TypeError, "identifier must be an int, a Parameter or its"),
        (lambda: ms.jvp(lambda x: x, (X, Y), X), ValueError, "jvp: 2 inputs and 1 directions"),
    ],
)  # fmt: skip
def test_bad_arguments(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_an_error_within_closes_the_tape() -> None:
    def broken(x: Tensor) -> Tensor:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ms.grad(broken)(X)
    assert state.now.tapes == () and state.now.trace is None
    equal(ms.grad(product)(X, Y), DX)


# The tape


def test_tape_and_sweep() -> None:
    x = X * 1
    with Tape() as tape:
        y = square(x)
        z = y * x + y
    before = len(tape.entries)
    square(z)
    assert len(tape.entries) == before
    (slope,) = sweep(tape, [z], [f64(1.0, 1.0, 1.0)], [x])
    equal(slope, [5.0, 16.0, 33.0])
    equal(sweep(tape, [z, y], [X, Y], [y])[0], (X * (x + 1) + Y).asnumpy())
    equal(sweep(tape, [z], [X], [Y])[0], [0.0, 0.0, 0.0])


def test_tapes_of_several_threads_do_not_mix() -> None:
    found: list[Any] = []

    def work(scale: float) -> None:
        slopes = {float(ms.grad(lambda x: (x * scale).sum())(X)[0]) for _ in range(60)}
        found.append((scale, slopes))

    workers = [threading.Thread(target=work, args=(float(k),)) for k in range(1, 4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(found) == [(1.0, {1.0}), (2.0, {2.0}), (3.0, {3.0})]


# Against finite differences


def differences(function: Callable[..., Tensor], args: list[Array], position: int, step: float = 1e-6) -> Array:
    slope = np.zeros_like(args[position])
    for index in np.ndindex(slope.shape):
        ends = []
        for sign in (1, -1):
            moved = [a.copy() for a in args]
            moved[position][index] += sign * step
            ends.append(function(*map(Tensor, moved)).item())
        slope[index] = (ends[0] - ends[1]) / (2 * step)
    return slope


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = ops.softmax(ops.matmul(q, k.swapaxes(-1, -2)) / 2.0)
    return (ops.matmul(weights, v) ** 2).sum()


def convolution(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    y = ops.conv2d(x, w, b, stride=2, padding=1, pad_mode="pad")
    return (ops.max_pool2d(ops.gelu(y), 2, 1) * 1.5).sum() + ops.avg_pool2d(y * y, 2, 1).mean()


def normalised(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    mean, var = x.mean(-1, keep_dims=True), x.var(-1, keepdims=True)
    own = (x - mean) / ops.sqrt(var + 1e-5) * gamma + beta
    return (own**3).sum() + (ops.layer_norm(x, (5,), gamma, beta) ** 2 * own).sum()


def indexed(x: Tensor, y: Tensor) -> Tensor:
    picked = x[[2, 0, 2], 1:] * y[None, :2]
    return (picked * picked).sum() + (x[::2, ::-1] * 3).sum() + ops.gather(x, Tensor([1, 1]), 0).prod()


def shaped(x: Tensor, y: Tensor) -> Tensor:
    joined = ops.concat((x, ops.tile(y[None], (2, 1))), 0)
    padded = ops.pad(joined, (1, 2), value=0.5)
    return (ops.cumsum(padded, 1) * ops.flip(padded, (0,)).T.reshape(padded.shape)).sum()


def reduced(x: Tensor, y: Tensor) -> Tensor:
    return ops.logsumexp(x, 1).sum() * x.max() + (x.prod(0) * y).sum() + x.min(axis=1).mean() + ops.norm(y) * x.std()


def chosen(x: Tensor, y: Tensor) -> Tensor:
    larger = ops.where(x > 0.1, x * x, ops.exp(x))
    return (larger * ops.maximum(x, y)).sum() + ops.clip(x, -0.5, 0.5).sum() + ops.sort(x)[0][0].sum()


def losses(x: Tensor, y: Tensor) -> Tensor:
    target = Tensor(np.array([0, 2, 1, 1]))
    return ops.cross_entropy(x, target, label_smoothing=0.1) + ops.huber_loss(x[0], y) + ops.l1_loss(x[1], y) * 2


FUNCTIONS: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "attention": (attention, ((2, 3, 4), (2, 5, 4), (2, 5, 3))),
    "convolution": (convolution, ((2, 2, 5, 5), (3, 2, 3, 3), (3,))),
    "normalised": (normalised, ((3, 5), (5,), (5,))), "indexed": (indexed, ((3, 3), (3,))),
    "shaped": (shaped, ((2, 3), (3,))), "reduced": (reduced, ((4, 3), (3,))), "chosen": (chosen, ((4, 3), (3,))),
    "losses": (losses, ((4, 3), (3,))),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_finite_differences(name: str, each_mode: int) -> None:
    function, shapes = FUNCTIONS[name]
    rng = np.random.default_rng(7)
    args = [rng.normal(size=shape) for shape in shapes]
    positions = tuple(range(len(args)))
    found = ms.grad(function, positions)(*map(Tensor, args))
    for position, slope in enumerate(found):
        with in_mode(PYNATIVE_MODE):
            wanted = differences(function, args, position)
        np.testing.assert_allclose(slope.asnumpy(), wanted, rtol=1e-5, atol=2e-7)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_modes_give_the_same_bits(name: str) -> None:
    function, shapes = FUNCTIONS[name]
    rng = np.random.default_rng(8)
    args = [Tensor(rng.normal(size=shape).astype(np.float32)) for shape in shapes]
    step = ms.value_and_grad(function, tuple(range(len(args))))
    results = []
    for value in (PYNATIVE_MODE, GRAPH_MODE):
        with in_mode(value):
            loss, slopes = step(*args)
            results.append([loss.asnumpy(), *(s.asnumpy() for s in each_of(slopes))])
    for a, b in zip(*results, strict=True):
        assert_same(a, b)


def test_jacfwd_is_the_jacobian() -> None:
    x = Tensor([1.0, 2.0])
    found = ms.jacfwd(lambda v: ops.stack([v[0] * v[1], v[1] * v[1], v[0]]))(x)
    assert found.asnumpy().tolist() == [[2, 1], [0, 4], [1, 0]]


def test_slices_between_each_other_give_one_woven_gradient() -> None:
    """Every second element of both axes: four slices fill the whole. Three do not, and are added up."""
    x = f64(*np.arange(30.0).reshape(5, 6))
    factors = [[2.0, 3.0], [5.0, 7.0]]

    def phases(x: Tensor, count: int) -> Tensor:
        return sum(
            ((x[i::2, j::2] ** 2 * factors[i][j]).sum() for i, j in [(1, 1), (0, 0), (1, 0), (0, 1)][:count]), f64(0.0)
        ).sum()

    wanted = 2 * x.asnumpy() * np.tile(factors, (3, 3))[:5]
    equal(ms.grad(phases)(x, 4), wanted)
    wanted[::2, 1::2] = 0
    equal(ms.grad(phases)(x, 3), wanted)
    ops_of = [node.op for node in trace(ms.grad(phases), (x, 4), {}, "phases").graph.nodes]
    assert ops_of.count("weave") == 1 and "pad" not in ops_of


def test_slices_of_every_second_element_give_one_woven_gradient() -> None:
    x = f64(1.0, 2.0, 3.0, 4.0, 5.0)
    halves = ms.grad(lambda x: (x[::2] ** 2).sum() + (3 * x[1::2]).sum())
    equal(halves(x), [2.0, 3.0, 6.0, 3.0, 10.0])
    assert [node.op for node in trace(halves, (x,), {}, "halves").graph.nodes].count("weave") == 1


def test_derivatives_of_every_order_along_a_curve(each_mode: int) -> None:
    def function(x: Tensor) -> Tensor:
        return ops.exp(ops.sin(x))

    x = np.array([[1, 2], [3, 4]])
    s, c = np.sin(x), np.cos(x)
    wanted = [c, c * c - s, c**3 - 3 * s * c - c] * np.exp(s)  # of the orders 1, 2 and 3
    series = np.zeros((3, 2, 2))
    series[0] = 1
    value, found = ops.jet(function, Tensor(x, ms.int32), Tensor(series, ms.int32))
    np.testing.assert_allclose(value.asnumpy(), np.exp(s), rtol=1e-6)
    np.testing.assert_allclose(found.asnumpy(), wanted, rtol=1e-4, atol=1e-5)
    value, third = ops.derivative(function, Tensor(x, ms.float64), 3)
    np.testing.assert_allclose(third.asnumpy(), wanted[2], rtol=1e-12)
    # x = 2 + 3 t + 2 t^2, y = 5 - t: x y and x^2
    curve = (Tensor([3.0, 4.0], ms.float64), Tensor([-1.0, 0.0], ms.float64))
    point = (Tensor(2.0, ms.float64), Tensor(5.0, ms.float64))
    (product, square), (of_product, of_square) = ops.jet(lambda x, y: (x * y, x * x), point, curve)
    assert (product.item(), square.item()) == (10.0, 4.0)
    np.testing.assert_allclose(of_product.asnumpy(), [3 * 5 - 2, 4 * 5 - 2 * 3])
    np.testing.assert_allclose(of_square.asnumpy(), [2 * 2 * 3, 2 * 3 * 3 + 2 * 2 * 4])


def test_curves_that_do_not_fit() -> None:
    x = Tensor([1.0, 2.0])
    for primals, series, error, message in (
        (x, (x,), TypeError, "must be both a Tensor"), ((x, x), (x,), ValueError, "got 2 primals and 1 series"),
        (x, Tensor([1.0, 2.0, 3.0]), ValueError, r"primals f32\[2\] have series f32\[3\]"),
        (x, Tensor([1, 2]), TypeError, r"primals f32\[2\] have series i64\[1,2\]"),
        ((x, x), (x, Tensor(np.ones((2, 2), "f"))), ValueError, r"have \[1, 2\] orders"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            ops.jet(ops.sin, primals, series)
    with pytest.raises(ValueError, match="order must be an int >= 1, got 0"):
        ops.derivative(ops.sin, x, 0)
