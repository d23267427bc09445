"""Rows that an update leaves as they are: the bits of every row, whatever the rate, in place or not."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor, nn, ops
from graphc.compiler import stage_texts
from graphc.trace import trace

ROWS, WIDTH = 83, 17  # of neither a whole number of sixteens


class Table(nn.Cell):
    """An embedding and its update."""

    def __init__(self, dtype: type = np.float32) -> None:
        super().__init__()
        rng = np.random.default_rng(0)
        values = rng.standard_normal((ROWS, WIDTH)).astype(dtype)
        values[5:40, ::3], values[50, 2] = -0.0, np.nan
        self.table = Parameter(Tensor(values), name="table")
        self.rate = Parameter(Tensor(np.array(0.5, dtype)), name="rate", requires_grad=False)

    def construct(self, positions: Tensor) -> Tensor:
        loss = ms.value_and_grad(lambda p: ops.sum(ops.gather(self.table, p, 0) ** 2), None, [self.table])
        value, (gradient,) = loss(positions)
        self.table.set_data(self.table - gradient * self.rate)
        return value


def updated(mode: int, positions: list[int], rate: float, dtype: type = np.float32) -> np.ndarray:
    ms.set_context(mode=mode)
    net = Table(dtype)
    net.rate.set_data(Tensor(np.array(rate, dtype)))
    step = ms.jit(net) if mode == ms.GRAPH_MODE else net
    for _ in range(2):
        step(Tensor(np.array(positions, np.int32)))
    return net.table.asnumpy()


def expected(positions: list[int], rate: float, dtype: type = np.float32) -> np.ndarray:
    table = Table(dtype).table.asnumpy().copy()
    for _ in range(2):
        gradient = np.zeros_like(table)
        np.add.at(gradient, positions, 2 * table[positions])
        with np.errstate(invalid="ignore", over="ignore"):
            table = table - gradient * dtype(rate)
    return table


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.5, 0.0, -0.5, np.inf, np.nan, 1e-30])
@pytest.mark.parametrize("positions", [[82], [0, 16, 16, 79], [15, 31, 47, 50]])
def test_every_row_has_the_bits_of_the_difference(positions: list[int], rate: float, dtype: type) -> None:
    unsigned = np.uint32 if dtype is np.float32 else np.uint64
    for mode in (ms.GRAPH_MODE, ms.PYNATIVE_MODE):
        found, wanted = updated(mode, positions, rate, dtype), expected(positions, rate, dtype)
        numbers = ~np.isnan(wanted)
        assert (np.isnan(found) == ~numbers).all()
        assert (found.view(unsigned)[numbers] == wanted.view(unsigned)[numbers]).all()


def test_a_difference_that_is_not_in_place_has_every_row() -> None:
    net = Table()

    @ms.jit
    def difference(positions: Tensor) -> Tensor:
        gradient = ms.grad(lambda table: ops.sum(ops.gather(table, positions, 0) ** 2))(net.table)
        return net.table - gradient * net.rate

    before = net.table.asnumpy().copy()
    found = difference(Tensor(np.array([3, 70], np.int32))).asnumpy()
    wanted = before.copy()
    wanted[[3, 70]] -= 2 * before[[3, 70]] * np.float32(0.5)
    assert np.array_equal(found, wanted, equal_nan=True)
    assert np.array_equal(net.table.asnumpy(), before, equal_nan=True)


def test_what_other_updates_change_in_every_row_is_written_everywhere() -> None:
    """A decay takes something from every row: there is no test of sixteen rows in its kernel."""
    net = Table()

    def step(decay: float) -> str:
        def update(positions: Tensor) -> None:
            gradient = ms.grad(lambda table: ops.sum(ops.gather(table, positions, 0) ** 2))(net.table)
            net.table.set_data(net.table - (gradient + decay * net.table if decay else gradient) * net.rate)

        graph = trace(update, (Tensor(np.array([3, 70], np.int32)),), {}, "update").graph
        return dict(stage_texts(graph))["llvm"]

    assert "vector.reduce.and" in step(0.0) and "vector.reduce.and" not in step(0.1)
