"""Assignments, in both modes: what those to Parameters return, and where those to elements of elements go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc
from graphc import Parameter, Tensor, autograd, nn, ops


@pytest.mark.parametrize("mode", [graphc.GRAPH_MODE, graphc.PYNATIVE_MODE])
def test_assignments_return_what_the_parameter_holds_then(mode: int) -> None:
    graphc.set_context(mode=mode)

    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.p = Parameter(Tensor([1.0, 2.0]), "p")
            self.q = Parameter(Tensor([4.0, 4.0]), "q")

        def construct(self, x: Tensor) -> tuple[Tensor, ...]:
            first = ops.assign(self.p, self.q)
            second = ops.assign_add(self.p, x)
            ops.assign(self.q, x)
            return first, second, self.p.value(), ops.assign_sub(self.p, x), ops.scatter_update(self.p, [1], [9.0])

    net = Net()
    results = net(Tensor([1.0, 2.0]))
    ops.assign(net.p, Tensor([0.0, 0.0]))
    assert [r.asnumpy().tolist() for r in results] == [[4, 4], [5, 6], [5, 6], [4, 4], [4, 9]]
    assert not any(isinstance(r, Parameter) for r in results)
    assert nn.ParameterUpdate(net.p)(Tensor([3.0, 5.0])).asnumpy().tolist() == [3, 5]
    given = Tensor([7, 8])
    kept = ops.assign(net.p, given)
    assert kept.dtype is graphc.float32 and kept.asnumpy().tolist() == [7, 8]
    before = net.p.value()
    net.p.set_data(Tensor([0.0, 1.0]))
    assert before.asnumpy().tolist() == [7, 8]


def write(x: Tensor, y: Tensor) -> None:
    x[...] = y


WHOLE = {"[...] =": write, "copy_": Tensor.copy_, "fill_": lambda x, y: x.fill_(y), "assign": ops.assign}


@pytest.mark.parametrize("name", WHOLE)
def test_what_a_tensor_was_made_to_hold_stays_what_it_is(name: str) -> None:
    make_hold = WHOLE[name]

    def product(w: Tensor, y: Tensor) -> Tensor:
        x = w * 1.0
        make_hold(x, y * 3.0 if y is w else y)
        return (x * y).sum()

    w = Tensor(2.0) if name == "fill_" else Tensor([2.0, 1.0])
    for differentiated in (graphc.grad(lambda w: product(w, w)), graphc.jit(graphc.grad(lambda w: product(w, w)))):
        assert np.ravel(differentiated(w).asnumpy()).tolist() == [12.0, 6.0][: w.size]
    for differentiated in (graphc.grad(product, (0, 1)), graphc.jit(graphc.grad(product, (0, 1)))):
        by_w, by_y = differentiated(w * 5.0, w)  # what x was before has no part in it
        assert not by_w.any() and np.array_equal(by_y.asnumpy(), (w * 2.0).asnumpy())
    p, x = Parameter(w, "p"), w * 0.0
    make_hold(x, p)
    ops.assign_add(p, p)
    assert np.array_equal(x.asnumpy(), w.asnumpy()), "a later assignment to what it was copied from changes it"


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "fill_"])
def test_derivatives_go_through_parts_that_are_changed_in_place(name: str) -> None:
    make_hold = WHOLE[name]

    def function(x: Tensor, y: Tensor) -> Tensor:
        x = x * 1.0
        make_hold(x[0], y * 2.0)
        x[1].mul_(y)
        return (x * x).sum()

    x, y = Tensor([[1.0, 2.0], [4.0, 5.0]]), Tensor([3.0, 7.0])
    for differentiated in (graphc.grad(function, (0, 1)), graphc.jit(graphc.grad(function, (0, 1)))):
        by_x, by_y = differentiated(x, y)
        assert by_x.tolist() == [[0, 0], [2 * 4 * 9, 2 * 5 * 49]]
        assert by_y.tolist() == [8 * 3 + 2 * 16 * 3, 8 * 7 + 2 * 25 * 7]


@pytest.mark.parametrize("mode", [graphc.GRAPH_MODE, graphc.PYNATIVE_MODE])
def test_an_argument_that_is_part_of_a_tensor_is_changed_there(mode: int) -> None:
    graphc.set_context(mode=mode)

    class Adding(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            x.add_(1.0)
            return x * 2.0

    for call in (Adding(), graphc.jit(lambda x: x.add_(1.0) * 2.0)):
        for kind in (Tensor, Parameter):
            x = kind([[1.0, 2.0], [3.0, 4.0]])
            assert call(x[1]).tolist() == [8, 10] and x.tolist() == [[1, 2], [4, 5]]


def test_an_argument_that_is_changed_and_returned_is_the_result() -> None:
    for function in (lambda x: (x + 1.0, x.add_(1.0)), graphc.jit(lambda x: (x + 1.0, x.add_(1.0)))):
        x = Tensor([1.0, 2.0])
        other, same = function(x)
        assert same is x and other is not x
        same.mul_(2.0)
        assert x.tolist() == [4, 6] and other.tolist() == [2, 3]


def test_a_graph_does_not_take_one_tensor_for_two() -> None:
    outside = Tensor([1.0, 2.0])

    @graphc.jit
    def both(x: Tensor, y: Tensor) -> Tensor:
        x.mul_(10.0)
        return x + y

    assert both(Tensor([1.0, 2.0]), Tensor([1.0, 2.0])).tolist() == [11, 22]
    x = Tensor([1.0, 2.0])
    with pytest.warns(UserWarning, match="both changes x in place, which has elements in common with another tensor"):
        assert both(x, x).tolist() == [20, 40]
    rows = Tensor([[1.0, 2.0], [3.0, 4.0]])
    assert both(rows[0], rows).tolist() == [[20, 40], [13, 24]] and rows.tolist() == [[10, 20], [3, 4]]
    with pytest.warns(UserWarning, match="in place"):
        assert graphc.jit(lambda x: x.mul_(10.0) + outside)(outside).tolist() == [20, 40]
    with pytest.raises(TypeError, match="in place"):
        graphc.jit(lambda x, y: x.add_(y), fullgraph=True)(x, x)


def set_first(x: Tensor, value: Any) -> Tensor:
    x[0] = value
    return x


PUT: dict[str, Any] = {
    "x[0] =": lambda x: set_first(x, 0.1), "x[0:1] = [...]": lambda x: set_first(x, [0.1]),
    "x[mask] =": lambda x: x.masked_fill_(x != 0, 0.1), "fill_": lambda x: x.fill_(0.1),
    "masked_fill": lambda x: x.masked_fill(x != 0, 0.1), "index_fill": lambda x: x.index_fill(0, Tensor([0]), 0.1),
    "scatter_": lambda x: x.scatter_(0, Tensor([[0]]), 0.1), "fill_diagonal": lambda x: x.fill_diagonal(0.1),
    "index_put": lambda x: ops.index_put(x, (Tensor([0]),), [0.1]),
}  # fmt: skip


@pytest.mark.parametrize("name", PUT)
def test_numbers_among_elements_of_64_bits_are_not_float32_first(name: str) -> None:
    for function in (PUT[name], graphc.jit(PUT[name])):
        assert function(Tensor(np.ones((1, 1))) * 1.0).tolist() == [[0.1]]
        assert function(Tensor(np.ones((1, 1), complex)) * 1.0).tolist() == [[0.1]]
    whole = Tensor([0])
    whole[0] = 2.7
    assert whole.tolist() == [2]


def chained(x: Any) -> Any:
    x[0][1] = 5
    x[1][2] += 3
    x[..., 1:][2][0] *= 2
    x[1:, None][1][0][::2] = 7
    return x


def through_names(x: Any) -> Any:
    row = x[1]
    row[:2] = 8
    row[0:1][0] = 9
    part = x[:, 1:]
    x[2] = 4
    part[2][1] = 6
    for row in x:
        row[3] = 1
    return x


def copies(x: Any) -> Any:
    chosen = x[[0, 1]]
    chosen[0] = 5
    chosen[x[:2] < 3] = 7
    other = x * 1
    other[0][0] = 3
    return x


@pytest.mark.parametrize("mode", [graphc.GRAPH_MODE, graphc.PYNATIVE_MODE])
@pytest.mark.parametrize("change", [chained, through_names, copies])
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2)])
def test_elements_of_elements_are_assigned_as_numpy_does(change: Any, shape: tuple[int, ...], mode: int) -> None:
    graphc.set_context(mode=mode)
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    expected = change(array.copy())

    class Net(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            return change(x + 0)

    np.testing.assert_array_equal(Net()(Tensor(array)).asnumpy(), expected)
    given = Tensor(array)
    np.testing.assert_array_equal(graphc.jit(change)(given).asnumpy(), expected)
    np.testing.assert_array_equal(given.asnumpy(), expected)
    parameter = Parameter(array, "p")
    change(parameter)
    np.testing.assert_array_equal(parameter.asnumpy(), expected)


def test_what_was_taken_may_outlive_what_it_was_taken_from() -> None:
    row = Tensor([[1.0, 2.0], [3.0, 4.0]])[0]
    row[0] = 5.0
    assert row.tolist() == [5, 2]
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    x[1].add_(1.0)
    assert x.tolist() == [[1, 2], [4, 5]]


def test_derivatives_follow_elements_of_elements() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 1
        y[0][1] = y[1][0] * 3
        return (y * y).sum()

    x = Tensor([[1.0, 2.0], [4.0, 5.0]])
    for differentiated in (function, graphc.jit(function)):
        assert graphc.grad(differentiated)(x).tolist() == [[2, 0], [2 * 12 * 3 + 8, 10]]


@pytest.mark.parametrize("synchronize", (True, False))
def test_a_tape_is_not_gone_through_for_each_element_that_is_set(synchronize: bool, monkeypatch: Any) -> None:
    """Loss functions of detectors fill tensors row by row, on a tape of a whole network."""
    made = []
    before = autograd.Entry.__new__
    monkeypatch.setattr(autograd.Entry, "__new__", lambda cls, *fields: (made.append(1), before(cls, *fields))[1])

    def filled(x: Tensor, rows: int) -> Tensor:
        y = ops.zeros((rows, 3), graphc.float32)
        for i in range(rows):
            y[i] = x * (i + 1.0)
        return (y * y).sum()

    counts = []
    graphc.set_context(mode=graphc.PYNATIVE_MODE, pynative_synchronize=synchronize)
    for rows in (20, 40):
        made.clear()
        gradient = graphc.grad(filled)(Tensor([1.0, 2.0, 3.0]), rows)
        counts.append(len(made))
        expected = 2.0 * sum((i + 1.0) ** 2 for i in range(rows))
        assert gradient.asnumpy().tolist() == [expected, 2 * expected, 3 * expected]
    assert counts[1] < 3 * counts[0]
