"""Ops by themselves: which kernels are compiled for them, and that filled operands leave every bit as it is."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from modes import mode
from reference import assert_same

from graphc import GRAPH_MODE, Parameter, Tensor, alone, jit, nn, op_by_op, ops, value_and_grad
from graphc.alone import Call
from graphc.dtype import float32
from graphc.ir import Graph, TensorType, input_node
from graphc.jit import Compiled
from graphc.op import TABLE
from graphc.op_by_op import run_op_by_op


@pytest.fixture(autouse=True)
def no_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(alone, "_kernels", {})
    monkeypatch.setattr(alone, "_came", {})
    yield


def both(name: str, arrays: list[np.ndarray], **attrs: Any) -> tuple[np.ndarray, np.ndarray]:
    """The result with operands filled up, and of a kernel of their own shapes."""
    operands = tuple(map(Tensor, arrays))
    call = Call.of(TABLE[name], tuple(o.spec for o in operands), attrs)
    other = alone.substitute(call)
    assert other is not None
    type_ = TABLE[name].infer(*call.types, **attrs)
    found = alone.Filling(other).run(operands, type_)
    assert found.spec == type_
    return found.asnumpy(), alone._kernel(call)(operands)[0].asnumpy()


EDGES = np.array([-0.0, 0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45])


def values(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, edges: float = 0.0) -> np.ndarray:
    if np.dtype(dtype).kind != "f":
        return rng.integers(-9, 10, shape).astype(dtype)
    array = rng.normal(size=shape)
    return np.where(rng.random(shape) < edges, rng.choice(EDGES, shape), array).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
def test_reductions(name: str, dtype: str) -> None:
    rng = np.random.default_rng(5)
    for shape in ((1,), (3,), (17,), (33,), (130,), (5, 31), (3, 7, 2), (2, 40, 3)):
        for lo in range(len(shape)):
            assert_same(*both(name, [values(rng, shape, dtype, 0.02)], run=(lo, lo + 1)))
    for zero in (-0.0, 0.0):
        assert_same(*both(name, [np.full((2, 5), zero).astype(dtype)], run=(1, 2)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_products(dtype: str, transpose_a: bool, transpose_b: bool) -> None:
    rng = np.random.default_rng(6)
    plain, batched = ((1, 1, 1), (3, 7, 2), (17, 33, 5), (1, 65, 40)), (((3,), 5, 3, 9), ((2, 5), 4, 6, 1))
    for batch, m, k, n in (*(((), *sizes) for sizes in plain), *batched):
        x = values(rng, (*batch, k, m) if transpose_a else (*batch, m, k), dtype)
        y = values(rng, (*batch, n, k) if transpose_b else (*batch, k, n), dtype)
        assert_same(*both("matmul", [x, y], transpose_a=transpose_a, transpose_b=transpose_b))


def test_products_of_zeros_and_of_what_is_no_number() -> None:
    zeros = np.full((2, 3), -0.0, np.float32)
    assert_same(*both("matmul", [zeros, np.ones((3, 2), np.float32)], transpose_a=False, transpose_b=False))
    tiny = np.full((2, 3), -1e-30, np.float32)
    assert_same(*both("matmul", [tiny, np.full((3, 2), 1e-30, np.float32)], transpose_a=False, transpose_b=False))
    odd = values(np.random.default_rng(0), (5, 9), "float32", 0.2)
    assert_same(*both("matmul", [odd, odd], transpose_a=False, transpose_b=True))


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "erf", "log", "atan2", "pow"])
def test_element_by_element(name: str) -> None:
    rng = np.random.default_rng(7)
    for shape in ((1,), (7,), (3, 11), (2, 3, 29)):
        count = 2 if name in ("atan2", "pow") else 1
        assert_same(*both(name, [values(rng, shape, "float32", 0.1) for _ in range(count)]))


def test_a_few_results_of_many_elements_come_from_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).permutation(20_000).astype(np.float32)
    monkeypatch.setattr(TABLE["leading"], "meaning", None)  # of NumPy, which would sort all of them
    assert ops.topk(Tensor(x), 3)[0].tolist() == [19999.0, 19998.0, 19997.0]


def test_a_room_is_filled_anew_for_each_operand() -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 3, 5), (2, 7, 5), (1, 3, 5)):
        for _ in range(2):
            x, y = rng.normal(size=shape).astype(np.float32), rng.normal(size=(*shape[:-2], 5, 2)).astype(np.float32)
            np.testing.assert_allclose(ops.matmul(Tensor(x), Tensor(y)).asnumpy(), x @ y, rtol=1e-5, atol=1e-6)
    kept = ops.exp(Tensor([0.0, 1.0, 2.0]))
    ops.exp(Tensor([3.0, 4.0, 5.0]))
    np.testing.assert_allclose(kept.asnumpy(), np.exp([0.0, 1.0, 2.0]), rtol=1e-6)


def test_shapes_that_come_once_share_few_kernels() -> None:
    for length in range(1, 101):
        x = Tensor(np.ones((2, length), np.float32))
        ops.exp(x)
        ops.matmul(x, ops.transpose(x, (1, 0)))
    assert 0 < len(alone._kernels) <= 12
    assert all({1, 4} >= {*t.shape} - {16, 32, 64, 128, 256} for call in alone._kernels for t in call.types)


def test_a_call_that_comes_often_gets_a_kernel_of_its_own_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "OFTEN", 3)
    x = Tensor(np.linspace(-1, 1, 11, dtype=np.float32))
    found = [ops.tanh(x).asnumpy().tobytes() for _ in range(4)]
    assert len({*found}) == 1
    assert [[t.shape for t in call.types] for call in alone._kernels] == [[(16,)], [(11,)]]


def test_ops_that_cannot_be_filled_up_have_kernels_of_their_own_shapes() -> None:
    x = Tensor(np.ones((2, 3, 5, 5), np.float32))
    ops.max_pool2d(x, 2)
    assert [call.types[0].shape for call in alone._kernels if call.op.name == "max_pool"] == [(2, 3, 5, 5)]
    assert ops.exp(Tensor(np.ones((0, 3), np.float32))).shape == (0, 3)
    assert ops.exp(Tensor(np.float32(2.0))).shape == ()


# Functions of many signatures


def compiled(f: Any) -> list[tuple[int, ...]]:
    return [entry.traced.graph.inputs[0].shape for entry in f.cache.values() if "executable" in vars(entry)]


@pytest.mark.filterwarnings("ignore:.*traced anew")
def test_of_many_signatures_one_that_comes_seldom_is_not_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    f = jit(lambda x: ops.softmax(x * 2.0, -1))
    arrays = [np.linspace(-1, 1, n, dtype=np.float32) for n in (3, 4, 5, 6, 7, 8)]
    wanted = [jit(lambda x: ops.softmax(x * 2.0, -1))(Tensor(a)).asnumpy() for a in arrays]
    few, more = [(3,), (4,)], [(3,), (4,), (5,), (6,)]
    inf = float("inf")
    for seconds, found in ((inf, few), (inf, more), (inf, more), (0.0, [*more, (7,), (8,)])):
        monkeypatch.setattr(op_by_op, "COMPILE", seconds)  # how long one of many runs op by op
        for array, value in zip(arrays, wanted, strict=True):
            np.testing.assert_array_equal(f(Tensor(array)).asnumpy(), value)
        assert compiled(f) == found


@pytest.mark.filterwarnings("ignore:.*traced anew")
def test_a_signature_that_comes_again_and_again_in_a_row_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op_by_op, "COMPILE", float("inf"))
    f = jit(lambda x: ops.softmax(x * 2.0, -1))
    for n in range(3, 9):
        f(Tensor(np.ones(n, np.float32)))
    for n, times in ((8, 1), (9, 2), (8, 1), (9, 2)):
        for _ in range(times):
            f(Tensor(np.ones(n, np.float32)))
    assert compiled(f) == [(3,), (4,)]
    f(Tensor(np.ones(9, np.float32)))
    assert compiled(f) == [(3,), (4,), (9,)]


@pytest.mark.filterwarnings("ignore:.*traced anew")
def test_what_runs_in_a_graph_op_by_op_has_no_kernels_of_its_own_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "OFTEN", 3)
    monkeypatch.setattr(op_by_op, "COMPILE", float("inf"))
    f = jit(lambda x: ops.exp(x) * 2.0)
    for n in [*range(11, 20)] * 4:
        f(Tensor(np.ones(n, np.float32)))
    assert {call.types[0].shape for call in alone._kernels} == {(16,), (32,)}


@pytest.mark.filterwarnings("ignore:.*traced anew")
@pytest.mark.parametrize("whole", [True, False], ids=["jit", "gradients, then optimizer"])
def test_a_step_that_comes_once_trains_to_the_same_bits(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def trained(lengths: list[int]) -> tuple[list[bytes], list[float]]:
        net = nn.SequentialCell(nn.Dense(3, 5), nn.Tanh(), nn.Dense(5, 2))
        for number, parameter in enumerate(net.trainable_params()):
            parameter.set_data(Tensor(np.random.default_rng(number).normal(size=parameter.shape).astype(np.float32)))
        optimizer = nn.Adam(net.trainable_params(), 0.1)

        def loss(x: Tensor) -> Tensor:
            return ops.mean(ops.square(net(x)))

        gradient = value_and_grad(loss, None, optimizer.parameters)

        def step(x: Tensor) -> Tensor:
            value, gradients = gradient(x)
            optimizer(gradients)
            return value

        run = jit(step) if whole else step
        with mode(GRAPH_MODE):
            losses = [float(run(Tensor(np.full((n, 3), 0.5, np.float32)))) for n in lengths]
        return [p.asnumpy().tobytes() for p in net.trainable_params()], losses

    lengths = [2, 3, 4, 5, 6, 7, 5, 7, 8, 7, 7, 7, 8]
    before: list[Any] = []
    jit_module = importlib.import_module("graphc.jit")
    monkeypatch.setattr(jit_module, "run_op_by_op", lambda *args: before.append(args) or run_op_by_op(*args))
    found = trained(lengths)
    assert len(before) >= 5
    monkeypatch.setattr(Compiled, "runs_op_by_op", False)
    assert trained(lengths) == found


def test_results_of_a_run_op_by_op_are_nobody_elses() -> None:
    weight = Parameter(np.ones(3, np.float32), name="w")
    f = jit(lambda x: (x, ops.reshape(x, (-1, 1)), weight.value()))
    for n in (2, 3, 4, 5):
        array = np.arange(n, dtype=np.float32)
        same, column, w = f(array)
        array[:] = -1.0
        weight.set_data(Tensor(np.full(3, float(n), np.float32)))
        assert same.asnumpy().tolist() == column.asnumpy().ravel().tolist() == list(range(n))
        weight.set_data(Tensor(np.ones(3, np.float32)))
        assert w.asnumpy().tolist() == [1.0, 1.0, 1.0]


def test_inputs_are_read_before_one_is_written_in_a_run_op_by_op() -> None:
    a, b = (input_node(name, TensorType((2,), float32)) for name in "ab")
    held = [Parameter(np.full(2, value, np.float32), name=name) for value, name in ((1.0, "a"), (2.0, "b"))]
    assert run_op_by_op(Graph("swap", (a, b), (), ((a, b), (b, a))), held) == []
    assert [p.asnumpy().tolist() for p in held] == [[2.0, 2.0], [1.0, 1.0]]


def test_an_index_out_of_range_in_a_run_op_by_op_changes_nothing() -> None:
    table = Parameter(np.zeros((4, 2), np.float32), name="table")

    @jit
    def f(i: Tensor) -> Tensor:
        row = ops.gather(table, i, 0)
        ops.assign(table, table + 1.0)
        return row

    for n in (1, 2, 3):
        f(Tensor(np.zeros(n, np.int32)))
    with pytest.raises(IndexError, match="9"):
        f(Tensor(np.array([0, 9, 1, 1], np.int32)))
    assert table.asnumpy().max() == 3.0
