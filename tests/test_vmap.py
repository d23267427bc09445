"""`vmap` against loops in NumPy: axes, nesting, gradients of samples, both modes, errors."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import op_samples
import op_samples_nn
import pytest
from modes import mode

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, Tensor, nn, ops
from graphc.op import TABLE
from graphc.ops.batch_rules import RULES
from graphc.trace import TraceError

X = np.arange(12, dtype=np.float32).reshape(3, 4)
V = np.array([1.0, -1.0, 2.0, 0.5], np.float32)


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_axes(each: int) -> None:
    x, v = Tensor(X), Tensor(V)
    with mode(each):
        np.testing.assert_array_equal(ms.vmap(lambda a, b: (a * b).sum(), (0, None))(x, v).asnumpy(), X @ V)
        np.testing.assert_array_equal(ms.vmap(lambda a: a * 2, 1, 1)(x).asnumpy(), X * 2)
        np.testing.assert_array_equal(ms.vmap(lambda a: a * 2, -1)(x).asnumpy(), X.T * 2)
        total, (least, most) = ms.vmap(lambda p: (p[0].sum(), (p[0].min(), p[1].max())), ((0, 1),))((x, Tensor(X.T)))
        np.testing.assert_array_equal(total.asnumpy(), X.sum(1))
        np.testing.assert_array_equal(least.asnumpy(), X.min(1))
        np.testing.assert_array_equal(most.asnumpy(), X.max(1))
        same = ms.vmap(lambda a: a)(x)
        same[0] = 7.0
        np.testing.assert_array_equal(x.asnumpy(), X)
        outer = ms.vmap(ms.vmap(lambda a, b: a * b, (None, 0)), (0, None))(v, v)
        np.testing.assert_array_equal(outer.asnumpy(), np.outer(V, V))


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_gradients_of_samples(each: int) -> None:
    net = nn.Dense(4, 1)
    with mode(each):
        per_sample = ms.vmap(ms.grad(lambda x: (net(x.expand_dims(0)) ** 2).sum()))(Tensor(X)).asnumpy()
        together = ms.grad(lambda x: (net(x) ** 2).sum())(Tensor(X)).asnumpy()
        compiled = ms.jit(ms.vmap(lambda x: ops.tanh(x).sum()))(Tensor(X)).asnumpy()
    np.testing.assert_allclose(per_sample, together, rtol=1e-6)
    np.testing.assert_allclose(compiled, np.tanh(X).sum(1), rtol=1e-6)


def test_what_does_not_fit_is_said() -> None:
    x = Tensor(X)
    for call, text in (
        (lambda: ms.vmap(ops.add)(x, Tensor(V)), "must have one extent, got 3, 4"),
        (lambda: ms.vmap(ops.add, (0,))(x, x), "in_axes has 1 entries for 2 arguments"),
        (lambda: ms.vmap(ops.relu, 2)(x), r"axis 2 is out of range for f32\[3,4\]"),
        (lambda: ms.vmap(ops.relu, (None,))(x), "got none"),
        (lambda: ms.vmap(lambda a: (a, a), out_axes=(0,))(x), "out_axes has 1 entries for 2 results"),
    ):
        with pytest.raises(ValueError, match=text):
            call()
    with pytest.raises(TypeError, match="expected a Tensor and an axis, got float"):
        ms.vmap(ops.add)(x, 1.0)
    with pytest.raises(TypeError, match="fn must return Tensors, got int"):
        ms.vmap(lambda a: 1)(x)


def test_vmap_is_under_ops_as_well() -> None:
    assert ops.vmap(ops.square)(Tensor([1.0, 2.0])).tolist() == [1, 4]


SAMPLES = {**op_samples.SAMPLES, **op_samples_nn.SAMPLES}
BATCHED = sorted({name for name, op in TABLE.items() if "elementwise" in op.traits} & set(SAMPLES) | set(RULES))


def other(x: np.ndarray) -> np.ndarray:
    """Operands like these: halves keep domains and matrices' kinds, turned integers their range."""
    return x * x.dtype.type(0.5) if x.dtype.kind in "fc" else np.roll(x, 1)


@pytest.mark.parametrize("name", BATCHED)
def test_an_op_on_a_batch_is_that_on_each_sample(name: str) -> None:
    op = TABLE[name]
    wide = sorted((s for s in SAMPLES[name] if s.operands), key=lambda s: -max(o.ndim for o in s.operands))
    for sample in wide[:2]:
        ones = [[Tensor(o) for o in sample.operands], [Tensor(other(o)) for o in sample.operands]]
        for mapped in itertools.product((True, False), repeat=min(len(sample.operands), 3)):
            mapped += (mapped[-1],) * (len(sample.operands) - len(mapped))
            if any(mapped):
                given = [[x if m else first for x, first, m in zip(one, ones[0], mapped, strict=True)] for one in ones]
                wanted = [op(*operands, **sample.attrs).asnumpy() for operands in given]
                batch = [ops.stack(both) if m else both[0] for both, m in zip(zip(*given), mapped)]
                axes = tuple(0 if m else None for m in mapped)
                got = ms.vmap(functools.partial(op, **sample.attrs), axes)(*batch).asnumpy()
                np.testing.assert_allclose(got, np.stack(wanted), rtol=1e-6, atol=1e-6, err_msg=str(sample))


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_one_call_serves_all_samples(each: int) -> None:
    net, calls = nn.SequentialCell(nn.Dense(4, 8), nn.Tanh(), nn.Dense(8, 1)), itertools.count()

    def energy(x: Tensor) -> Tensor:
        next(calls)
        return net(x.expand_dims(0))[0, 0]

    x = Tensor(np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32))
    with mode(each):
        hessians = ms.vmap(ms.jacfwd(ms.jacrev(energy)))
        run = ms.jit(hessians) if each == GRAPH_MODE else hessians
        found = run(x).asnumpy()
        assert next(calls) < 20
        one = ms.jacfwd(ms.jacrev(energy))(x[7]).asnumpy()

        def loss(x: Tensor) -> Tensor:
            return (hessians(x).diagonal(axis1=1, axis2=2).sum(1) ** 2).mean()

        value, gradients = ms.value_and_grad(loss, None, net.trainable_params())(x)
        looped = sum(float(ms.jacfwd(ms.jacrev(energy))(x[i]).diagonal().sum()) ** 2 for i in range(50)) / 50
    np.testing.assert_allclose(found[7], one, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(float(value), looped, rtol=1e-5)
    assert all(np.abs(g.asnumpy()).max() > 0 for g in gradients[:3])


def test_what_differs_from_sample_to_sample_is_called_for_each() -> None:
    x, total = Tensor(X), Parameter(Tensor(0.0, ms.float32), name="total")
    signed = ms.vmap(lambda a: a if a.sum() > 10 else -a)(x).asnumpy()
    np.testing.assert_array_equal(signed, np.where(X.sum(1, keepdims=True) > 10, X, -X))

    def adding(a: Tensor) -> Tensor:
        ops.assign(total, total + a.sum())
        return total * 1

    np.testing.assert_array_equal(ms.vmap(adding)(x).asnumpy(), np.cumsum(X.sum(1)))
    drawn = ms.vmap(lambda a: a + ops.rand(4))(x).asnumpy() - X
    assert len(np.unique(drawn.round(4))) > 8


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_gradients_go_through_loops_and_derivatives_of_their_own(each: int) -> None:
    lstm, ten_times = nn.LSTM(4, 3, batch_first=True), ops.InsertGradientOf(lambda ct: ct * 10.0)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 1, 5, 4)).astype(np.float32))
    for of_one in (lambda x: lstm(x)[0], lambda x: ten_times(x) * x):
        with mode(each):
            together = ms.grad(lambda x, f=of_one: (ms.vmap(f)(x) ** 2).sum())(x)
            apart = ms.grad(lambda x, f=of_one: sum((f(x[i]) ** 2).sum() for i in range(2)))(x)
        np.testing.assert_allclose(together.asnumpy(), apart.asnumpy(), rtol=1e-5, atol=1e-6)


def test_elements_that_are_set_within() -> None:
    outside = Tensor(np.zeros(4, np.float32))

    def setting(x: Tensor) -> Tensor:
        own = Tensor(np.ones(4, np.float32))
        own[1:] = x[0]
        return own * x

    wanted = np.concatenate([X[:, :1], X[:, :1] * X[:, 1:]], 1)
    np.testing.assert_array_equal(ms.vmap(setting)(Tensor(X)).asnumpy(), wanted)

    def counting(x: Tensor) -> Tensor:
        outside[0] = outside[0] + 1.0
        return x if x.sum() > 10 else -x

    ms.vmap(counting)(Tensor(X))
    assert outside.tolist() == [3, 0, 0, 0]  # once for each sample, as it asks for a value


def test_a_side_effect_of_what_is_called_once_is_an_error() -> None:
    kept: list[Tensor] = []
    with pytest.raises(TraceError, match=r"kept had 0 items|keeps a traced tensor"):
        ms.vmap(lambda a: kept.append(a) or a * 2)(Tensor(X))


def test_positions_of_each_sample_are_checked() -> None:
    table, rows = Tensor(X), Tensor([[0, 1], [2, 3]], ms.int32)
    with pytest.raises(IndexError, match="3"):
        ms.vmap(lambda t, i: ops.tensor_scatter_update(t, i.expand_dims(1), t[:2]), (None, 0))(table, rows).asnumpy()
