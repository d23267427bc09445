"""The functions of `graphc.ops`, the methods of Tensor and the older classes: NumPy's result, in both modes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import in_both_modes

from graphc import mint, ops, set_seed
from graphc import numpy as mnp
from graphc.dtype import bool_, float32, float64, int32, int64, uint8
from graphc.gradients import grad
from graphc.jit import jit
from graphc.ops import operations as P
from graphc.parameter import Parameter
from graphc.tensor import Tensor, TracedValueError
from graphc.trace import trace

_rng = np.random.default_rng(3)
A = _rng.normal(size=(3, 4, 5)).astype(np.float32)
B = _rng.normal(size=(4, 1)).astype(np.float32)
V = _rng.normal(size=7).astype(np.float32)
M = _rng.normal(size=(4, 6)).astype(np.float32)
N = _rng.integers(-9, 10, (3, 4))
K = _rng.integers(0, 3, (2, 4))
INF = float("inf")


def check(function: Callable[..., Any], wanted: Any, *arrays: Any, exact: bool = True) -> None:
    """`function` of tensors gives `wanted`, in eager mode and compiled, with the same bits."""
    for one, array in in_both_modes(function, arrays, wanted):
        if exact:
            np.testing.assert_array_equal(one.asnumpy(), array)
        else:
            np.testing.assert_allclose(one.asnumpy(), array, rtol=2e-6, atol=2e-6)


# Shapes

SHAPES: list[tuple[str, Callable[..., Any], Callable[..., Any], Any]] = [
    ("reshape", lambda x: ops.reshape(x, (5, -1)), lambda x: x.reshape(5, -1), A),
    ("reshape of a scalar", lambda x: ops.reshape(x, ()), lambda x: x.reshape(()), V[:1]),
    ("squeeze", lambda x: ops.squeeze(x), lambda x: x.squeeze(), A[:, :1, None]),
    ("squeeze one", lambda x: ops.squeeze(x, 1), lambda x: x.squeeze(1), A[:, :1, None]),
    ("expand_dims", lambda x: ops.expand_dims(x, -2), lambda x: np.expand_dims(x, -2), A),
    ("flatten", lambda x: ops.flatten(x), lambda x: x.reshape(3, 20), A),
    ("flatten all", lambda x: ops.flatten(x, start_dim=0), lambda x: x.reshape(-1), A),
    ("flatten F", lambda x: ops.flatten(x, "F", start_dim=0), lambda x: x.flatten("F"), A),
    ("flatten vector", lambda x: ops.flatten(x), lambda x: x, V),
    ("transpose", lambda x: ops.transpose(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1), A),
    ("swapaxes", lambda x: ops.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1), A),
    ("moveaxis", lambda x: ops.moveaxis(x, (0, 2), (2, 1)), lambda x: np.moveaxis(x, (0, 2), (2, 1)), A),
    ("t", lambda x: ops.t(x), lambda x: x.T, M),
    ("broadcast_to", lambda x: ops.broadcast_to(x, (2, -1, 3)), lambda x: np.broadcast_to(x, (2, 4, 3)), B),
    ("tile", lambda x: ops.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3)), M),
    ("tile short", lambda x: ops.tile(x, (2,)), lambda x: np.tile(x, 2), M),
    ("repeat_elements", lambda x: ops.repeat_elements(x, 3, 1), lambda x: x.repeat(3, 1), M),
    ("repeat_interleave", lambda x: ops.repeat_interleave(x, 2), lambda x: x.repeat(2), M),
    (
        "repeat_interleave list",
        lambda x: ops.repeat_interleave(x, [2, 0, 1, 3], 0),
        lambda x: x.repeat([2, 0, 1, 3], 0),
        M,
    ),
    ("concat", lambda x: ops.concat((x, x[:, :1]), -1), lambda x: np.concatenate((x, x[:, :1]), -1), M),
    ("stack", lambda x: ops.stack([x, x * 2], 1), lambda x: np.stack([x, x * 2], 1), M),
    ("split", lambda x: ops.split(x, 4, 1), lambda x: (x[:, :4], x[:, 4:]), M),
    ("split sizes", lambda x: ops.split(x, [1, 3], 0), lambda x: (x[:1], x[1:]), M),
    ("chunk", lambda x: ops.chunk(x, 4, 1), lambda x: (x[:, :2], x[:, 2:4], x[:, 4:]), M),
    ("tensor_split", lambda x: ops.tensor_split(x, 4, 1), lambda x: tuple(np.array_split(x, 4, 1)), M),
    ("tensor_split at", lambda x: ops.tensor_split(x, (2, 3), 1), lambda x: tuple(np.array_split(x, (2, 3), 1)), M),
    ("unstack", lambda x: ops.unstack(x, 1), lambda x: tuple(x[:, i] for i in range(6)), M),
    ("slice", lambda x: ops.slice(x, (1, 2), (2, -1)), lambda x: x[1:3, 2:], M),
    ("narrow", lambda x: ops.narrow(x, 1, -3, 2), lambda x: x[:, 3:5], M),
    ("pad", lambda x: ops.pad(x, (1, 2, 0, 3), value=7), lambda x: np.pad(x, ((0, 3), (1, 2)), constant_values=7), M),
    (
        "pad -inf",
        lambda x: ops.pad(x, (1, 0), value=-INF),
        lambda x: np.pad(x, ((0, 0), (1, 0)), constant_values=-INF),
        M,
    ),
    ("pad cut", lambda x: ops.pad(x, (-1, 2)), lambda x: np.pad(x[:, 1:], ((0, 0), (0, 2))), M),
    ("pad reflect", lambda x: ops.pad(x, (3, 2), "reflect"), lambda x: np.pad(x, ((0, 0), (3, 2)), "reflect"), M),
    (
        "pad replicate",
        lambda x: ops.pad(x, (1, 2, 1, 1), "replicate"),
        lambda x: np.pad(x, ((1, 1), (1, 2)), "edge"),
        M,
    ),
    ("pad circular", lambda x: ops.pad(x, (6, 2), "circular"), lambda x: np.pad(x, ((0, 0), (6, 2)), "wrap"), M),
    ("flip", lambda x: ops.flip(x, (0, -1)), lambda x: np.flip(x, (0, -1)), A),
    ("roll", lambda x: ops.roll(x, (1, -2), (0, 1)), lambda x: np.roll(x, (1, -2), (0, 1)), M),
    ("roll flat", lambda x: ops.roll(x, 9), lambda x: np.roll(x, 9), V),
    ("diag", lambda x: ops.diag(x), lambda x: np.diag(x), V),
    ("diag of a matrix", lambda x: ops.diag(x), lambda x: np.diag(x.ravel()).reshape(x.shape * 2), M),
    ("diagonal", lambda x: ops.diagonal(x, 1, 2, 0), lambda x: np.diagonal(x, 1, 2, 0), A),
    ("diagonal below", lambda x: ops.diagonal(x, -2), lambda x: np.diagonal(x, -2), M),
    ("tril", lambda x: ops.tril(x, 1), lambda x: np.tril(x, 1), A),
    ("triu", lambda x: ops.triu(x, -1), lambda x: np.triu(x, -1), A),
    ("meshgrid", lambda x: ops.meshgrid(x, x[:3]), lambda x: tuple(np.meshgrid(x, x[:3])), V),
    (
        "meshgrid ij",
        lambda x: ops.meshgrid(x, x[:3], indexing="ij"),
        lambda x: tuple(np.meshgrid(x, x[:3], indexing="ij")),
        V,
    ),
]


@pytest.mark.parametrize("name, function, meaning, array", SHAPES, ids=[row[0] for row in SHAPES])
def test_shapes(name: str, function: Any, meaning: Any, array: np.ndarray) -> None:
    check(function, meaning(array), array)


# Reductions

REDUCTIONS: list[tuple[str, Callable[..., Any], Callable[..., Any], Any]] = [
    ("sum", lambda x: ops.sum(x), lambda x: x.sum(), A),
    ("sum apart", lambda x: ops.sum(x, (0, -1), True), lambda x: x.sum((0, 2), keepdims=True), A),
    ("sum over a range", lambda x: ops.sum(x, range(1, 3)), lambda x: x.sum((1, 2)), A),
    ("sum over an array", lambda x: ops.sum(x, np.array([0, -1])), lambda x: x.sum((0, 2)), A),
    ("sum of bools", lambda x: ops.sum(x > 0, 1), lambda x: (x > 0).sum(1), A),
    ("sum of a scalar", lambda x: ops.sum(x[0]), lambda x: x[0], V),
    ("mean", lambda x: ops.mean(x, 1, True), lambda x: x.mean(1, keepdims=True), A),
    ("mean of integers", lambda x: ops.mean(x), lambda x: x.mean(), N),
    ("prod", lambda x: ops.prod(x, 2), lambda x: x.prod(2), A),
    ("var", lambda x: ops.var(x, 0, 1), lambda x: x.var(0, ddof=1), A),
    ("std", lambda x: ops.std(x, (1, 2), keepdims=True), lambda x: x.std((1, 2), keepdims=True), A),
    ("amax", lambda x: ops.amax(x, (0, 2)), lambda x: x.max((0, 2)), A),
    ("amin", lambda x: ops.amin(x, 1, True, initial=-0.5), lambda x: x.min(1, keepdims=True, initial=-0.5), A),
    ("amax where", lambda x: ops.amax(x, 1, initial=-9, where=x < 0), lambda x: x.max(1, initial=-9, where=x < 0), A),
    ("max", lambda x: ops.max(x), lambda x: (x.max(), np.int64(0)), A),
    ("max pair", lambda x: ops.max(x, 1), lambda x: (x.max(1), x.argmax(1)), A),
    ("min pair", lambda x: ops.min(x, -1, True), lambda x: (x.min(-1, keepdims=True), x.argmin(-1, keepdims=True)), A),
    ("argmax", lambda x: ops.argmax(x), lambda x: x.argmax(), A),
    ("argmax along", lambda x: ops.argmax(x, 1, True), lambda x: x.argmax(1, keepdims=True), A),
    ("argmin", lambda x: ops.argmin(x, 0), lambda x: x.argmin(0), A),
    ("any", lambda x: ops.any(x > 1, (0, 2)), lambda x: (x > 1).any((0, 2)), A),
    ("all", lambda x: ops.all(x, 1, True), lambda x: x.all(1, keepdims=True), N),
    ("logsumexp", lambda x: ops.logsumexp(x, (0, 2)), lambda x: np.log(np.exp(x).sum((0, 2))), A),
    ("logsumexp of -inf", lambda x: ops.logsumexp(x, 0), lambda x: -INF, np.full(3, -INF, "float32")),
    (
        "logsumexp large",
        lambda x: ops.logsumexp(x, 0, True),
        lambda x: [1000 + math.log(3)],
        np.full(3, 1000, "float32"),
    ),
    ("count_nonzero", lambda x: ops.count_nonzero(x, 1), lambda x: np.count_nonzero(x, 1), N),
    ("norm", lambda x: ops.norm(x), lambda x: np.linalg.norm(x.reshape(-1)), A),
    ("norm 1", lambda x: ops.norm(x, 1, 2), lambda x: np.linalg.norm(x, 1, 2), A),
    ("norm 3", lambda x: ops.norm(x, 3, 0, True), lambda x: np.linalg.norm(x, 3, 0, True), A),
    ("norm inf", lambda x: ops.norm(x, INF, 1), lambda x: np.linalg.norm(x, INF, 1), A),
    ("norm of matrices", lambda x: ops.norm(x, 1, (0, 2)), lambda x: np.linalg.norm(x, 1, (0, 2)), A),
    ("norm of rows", lambda x: ops.norm(x, -INF, (2, 0)), lambda x: np.linalg.norm(x, -INF, (2, 0)), A),
    ("norm fro", lambda x: ops.norm(x, "fro", (0, 1)), lambda x: np.linalg.norm(x, "fro", (0, 1)), A),
    ("median", lambda x: ops.median(x, 1)[0], lambda x: np.sort(x, 1)[:, 1], A),
    ("cumsum", lambda x: ops.cumsum(x, 1), lambda x: x.cumsum(1, dtype="float32"), A),
    ("cumsum of int32", lambda x: ops.cumsum(x, 0), lambda x: x.cumsum(0), N.astype("int32")),
    ("cumprod", lambda x: ops.cumprod(x, -1), lambda x: x.cumprod(-1), A),
    ("sort", lambda x: ops.sort(x, 1)[0], lambda x: np.sort(x, 1), A),
    ("argsort", lambda x: ops.argsort(x, 0, True), lambda x: np.argsort(-x, 0, kind="stable"), A),
    ("topk", lambda x: ops.topk(x, 2, 1), lambda x: (-np.sort(-x, 1)[:, :2], np.argsort(-x, 1)[:, :2]), A),
    ("topk smallest", lambda x: ops.topk(x, 3, largest=False)[0], lambda x: np.sort(x)[..., :3], A),
    ("searchsorted", lambda x: ops.searchsorted(ops.sort(x)[0], x), lambda x: np.searchsorted(np.sort(x), x), V),
]


@pytest.mark.parametrize("name, function, meaning, array", REDUCTIONS, ids=[row[0] for row in REDUCTIONS])
def test_reductions(name: str, function: Any, meaning: Any, array: np.ndarray) -> None:
    check(function, meaning(array), array, exact=False)


# Elementwise functions of several ops

ELEMENTWISE: list[tuple[str, Callable[..., Any], Callable[..., Any], Any]] = [
    ("div trunc", lambda x: ops.div(x, -4, rounding_mode="trunc"), lambda x: np.trunc(x / -4).astype(int), N),
    ("div floor", lambda x: ops.div(x, 0.7, rounding_mode="floor"), lambda x: x // np.float32(0.7), V),
    ("round", lambda x: ops.round(x, decimals=2), lambda x: x.round(2), V),
    ("round tens", lambda x: ops.round(x * 100, decimals=-1), lambda x: (x * 100).round(-1), V),
    ("clamp", lambda x: ops.clamp(x, -0.5, 0.5), lambda x: x.clip(-0.5, 0.5), V),
    ("clip", lambda x: ops.clip(x, max=0.5), lambda x: x.clip(max=0.5), V),
    ("lerp", lambda x: ops.lerp(x, x * 2, 0.25), lambda x: x * 1.25, V),
    ("addcmul", lambda x: ops.addcmul(x, x, x, 3), lambda x: x + 3 * x * x, V),
    ("addcdiv", lambda x: ops.addcdiv(x, x, x + 9, 3), lambda x: x + 3 * x / (x + 9), V),
    ("addn", lambda x: ops.addn([x, x, x]), lambda x: x + x + x, V),
    ("hypot", lambda x: ops.hypot(x, 1.0), lambda x: np.hypot(x, 1), V),
    ("logaddexp", lambda x: ops.logaddexp(x, 1.0), lambda x: np.logaddexp(x, 1), V),
    ("logaddexp -inf", lambda x: ops.logaddexp(x, -INF), lambda x: x, np.array([-INF, 0, INF], "float32")),
    ("xlogy", lambda x: ops.xlogy(x, x), lambda x: [0, 0, np.log(4.0)], np.array([0, 1, 2], "float32")),
    ("logit", lambda x: ops.logit(x, 0.1), lambda x: np.log(1 / 9) * np.array([1, -1]), np.array([0, 1], "float32")),
    ("sinc", lambda x: ops.sinc(x), lambda x: np.sinc(x), np.array([0, 0.5, 1.5], "float32")),
    ("nan_to_num", lambda x: ops.nan_to_num(x, 5), np.nan_to_num, np.array([1, INF, -INF], "float32")),
    ("heaviside", lambda x: ops.heaviside(x, 0.25), lambda x: np.heaviside(x, 0.25), np.array([-1, 0, 2], "float32")),
    ("isclose", lambda x: ops.isclose(x, x + 1e-7), lambda x: np.isclose(x, x + np.float32(1e-7)), V),
    ("signbit", lambda x: ops.signbit(x), np.signbit, np.array([-0.0, 0.0, -1, 1], "float32")),
    ("pow 2", lambda x: x**2, lambda x: x * x, V),
    ("pow 3", lambda x: x**3, lambda x: x * x * x, V),
    ("pow 0.5", lambda x: abs(x) ** 0.5, lambda x: np.sqrt(np.abs(x)), V),
    ("rpow", lambda x: 2.0**x, lambda x: np.power(np.float32(2), x), V),
    ("pow of integers", lambda x: x**5, lambda x: x**5, N),
]


@pytest.mark.parametrize("name, function, meaning, array", ELEMENTWISE, ids=[row[0] for row in ELEMENTWISE])
def test_elementwise(name: str, function: Any, meaning: Any, array: np.ndarray) -> None:
    check(function, meaning(array), array, exact=False)


def test_eager_and_compiled_maxima_agree_on_zeros() -> None:
    zeros = np.array([0.0, -0.0, 0.0, -0.0], np.float32)
    for function in (lambda x: ops.maximum(x, 0.0), lambda x: ops.minimum(0.0, x), lambda x: ops.relu(x)):
        eager, compiled = function(Tensor(zeros)).asnumpy(), jit(function)(Tensor(zeros)).asnumpy()
        np.testing.assert_array_equal(np.signbit(eager), np.signbit(compiled))


# Promotion


@pytest.mark.parametrize(
    "function, dtype",
    [
        (lambda t: t[float32] * 2.5, float32),
        (lambda t: t[float64] * 2.5, float64),
        (lambda t: 1 + t[float32], float32),
        (lambda t: t[int32] + 1, int32),
        (lambda t: t[int64] + 1.5, float32),
        (lambda t: t[int32] + 2**40, int64),
        (lambda t: t[uint8] + 1, uint8),
        (lambda t: t[uint8] + 300, int64),
        (lambda t: t[uint8] - t[int32], int32),
        (lambda t: t[bool_] + 1, int64),
        (lambda t: t[bool_] * 0.5, float32),
        (lambda t: t[bool_] + t[bool_], bool_),
        (lambda t: t[float32] + t[int64], float32),
        (lambda t: t[float32] + t[float64], float64),
        (lambda t: t[int32] / t[int32], float32),
        (lambda t: t[int64] // 2, int64),
        (lambda t: ops.exp(t[int64]), float32),
        (lambda t: t[float32] * np.float64(2), float32),
        (lambda t: np.ones(1, np.float64) * t[float32], float64),
        (lambda t: t[float32] > 0, bool_),
        (lambda t: t[int64] == 1.5, bool_),
        (lambda t: ops.where(t[bool_], 1, 0.5), float32),
        (lambda t: t[int32].sum(), int64),
        (lambda t: t[bool_].sum(), int64),
        (lambda t: t[int32].mean(), float32),
        (lambda t: ~t[int32], bool_),
        (lambda t: t[int64] & t[uint8], int64),
        (lambda t: t[bool_] & True, bool_),
    ],
)
def test_promotion(function: Any, dtype: Any) -> None:
    tensors = {d: Tensor(np.ones(1, d.np)) for d in (float32, float64, int32, int64, uint8, bool_)}
    assert function(tensors).dtype is dtype


def test_a_number_keeps_its_precision_beside_float64() -> None:
    assert (Tensor(np.zeros(1)) + 0.1).item() == 0.1


# Gathering and scattering

GATHERS: list[tuple[str, Callable[..., Any], Callable[..., Any]]] = [
    ("gather", lambda x, i: ops.gather(x, i, 1), lambda x, i: x[:, i]),
    ("gather batch", lambda x, i: ops.gather(x[:2], i, 1, 1), lambda x, i: np.stack([x[b][i[b]] for b in range(2)])),
    ("take", lambda x, i: ops.take(x, i), lambda x, i: x.reshape(-1)[i]),
    ("take wrap", lambda x, i: ops.take(x, i - 7, 1, "wrap"), lambda x, i: x.take(i - 7, 1, mode="wrap")),
    ("take clip", lambda x, i: ops.take(x, i * 9, 1, "clip"), lambda x, i: x.take(i * 9, 1, mode="clip")),
    ("gather_nd", lambda x, i: ops.gather_nd(x, i[:, :2]), lambda x, i: x[i[:, 0], i[:, 1]]),
    ("index_select", lambda x, i: ops.index_select(x, 2, i[0]), lambda x, i: x[:, :, i[0]]),
    ("masked_fill", lambda x, i: ops.masked_fill(x, x > 0, 7), lambda x, i: np.where(x > 0, 7, x)),
    ("one_hot", lambda x, i: ops.one_hot(i, 4, 2.0, -1.0), lambda x, i: np.where(np.eye(4)[i] > 0, 2, -1)),
    ("one_hot beyond", lambda x, i: ops.one_hot(i - 1, 3, 2, 1), lambda x, i: np.eye(5, dtype=int)[i, 1:4] + 1),
    ("one_hot first", lambda x, i: ops.one_hot(i, 3, axis=0), lambda x, i: np.moveaxis(np.eye(3)[i], -1, 0)),
]


@pytest.mark.parametrize("name, function, meaning", GATHERS, ids=[row[0] for row in GATHERS])
def test_gathers(name: str, function: Any, meaning: Any) -> None:
    check(function, meaning(A, K), A, K)


def test_gather_elements_and_scatters() -> None:
    index = np.array([[0, 2, 1, 0, -1, 3]])
    check(lambda x, i: ops.gather_elements(x, 0, i), np.take_along_axis(M, index % 4, 0), M, index)
    wanted = M.copy()
    np.put_along_axis(wanted, index % 4, 5, 0)
    check(lambda x, i: ops.tensor_scatter_elements(x, i, ops.full(i.shape, 5.0)), wanted, M, index)
    added = M.copy()
    np.add.at(added, (index % 4, np.arange(6)), 1)
    check(lambda x, i: ops.tensor_scatter_elements(x, i, ops.ones(i.shape), reduction="add"), added, M, index)
    rows = np.array([[1], [3], [1]])
    add_rows = M.copy()
    np.add.at(add_rows, rows[:, 0], M[:3])
    check(lambda x, i: ops.tensor_scatter_add(x, i, x[:3]), add_rows, M, rows)
    pairs = np.array([[1, 2], [3, -1], [1, 2]])
    set_pairs = M.copy()
    set_pairs[pairs[:, 0], pairs[:, 1]] = [1, 2, 3]
    check(lambda x, i: ops.tensor_scatter_update(x, i, Tensor([1.0, 2.0, 3.0])), set_pairs, M, pairs)
    check(lambda i: ops.scatter_nd(i, ops.ones(3), (5,)), [0, 2, 0, 1, 0], rows)
    columns = M.copy()
    np.add.at(columns.T, [0, 0, 5], np.ones((3, 4)))
    check(lambda x: ops.index_add(x, Tensor([0, 0, 5]), ops.ones((4, 3)), 1), columns, M)
    filled = M.copy()
    filled[:, [1, 2]] = 9
    check(lambda x: ops.index_fill(x, 1, Tensor([1, 2]), 9), filled, M)
    check(
        lambda x: ops.unsorted_segment_sum(x, Tensor([1, 0, 1, 4]), 5),
        np.stack([M[1], M[0] + M[2], 0 * M[0], 0 * M[0], M[3]]),
        M,
    )
    turned = np.stack([M[0], M[1][[1, 0, 2, 3, 4, 5]], M[2][::-1], M[3]])
    check(lambda x: ops.reverse_sequence(x, Tensor([1, 2, 6, 0]), 1), turned, M)


@pytest.mark.parametrize("pairs", [[[4, 0]], [[0, 6]], [[0, -7]]])
def test_each_position_of_several_is_checked_against_its_own_axis(pairs: Any) -> None:
    update = ops.tensor_scatter_update
    for run in (update, jit(update)):
        with pytest.raises(IndexError, match="out of range"):
            run(Tensor(M), Tensor(pairs), Tensor([1.0]))

def test_positions_have_mindspores_dtypes() -> None:
    """int32 where it sorts or looks for the smallest, int64 elsewhere; in both modes."""
    x = Tensor(A)
    calls: list[tuple[Any, Any]] = [
        (lambda x: ops.argmin(x, 1), int32), (lambda x: ops.argmin(x), int32), (lambda x: x.argmin(axis=0), int32),
        (lambda x: ops.argsort(x), int32), (lambda x: x.argsort(0, True), int32),
        (lambda x: x.argsort(dim=1, stable=True), int32), (lambda x: ops.argsort(x.sum()), int32),
        (lambda x: ops.sort(x, 0)[1], int32), (lambda x: x.sort(dim=1, descending=True)[1], int32),
        (lambda x: ops.sort(x.sum())[1], int32), (lambda x: ops.topk(x, 2)[1], int32),
        (lambda x: x.topk(2, dim=0, largest=False)[1], int32), (lambda x: ops.top_k(x, 2)[1], int32),
        (lambda x: ops.cummin(x, 0)[1], int32), (lambda x: ops.cummax(x, 0)[1], int64),
        (lambda x: ops.argmax(x, 1), int64), (lambda x: ops.max(x, 1)[1], int64), (lambda x: ops.min(x, 1)[1], int64),
        (lambda x: ops.median(x, 1)[1], int64), (lambda x: ops.argmin_with_value(x, 1)[0], int64),
    ]  # fmt: skip
    for call, dtype in calls:
        assert call(x).dtype is dtype
        assert jit(call)(x).dtype is dtype
    assert ops.cumsum(Tensor(N.astype("int32")), 0).dtype is int32
    assert ops.cumsum(Tensor(N > 0), 0).dtype is int64
    assert ops.cumprod(Tensor(N.astype("int32")), 0).dtype is int64


@pytest.mark.parametrize("function, better", [(ops.cummax, np.fmax), (ops.cummin, np.fmin)])
def test_cumulative_extremes(function: Any, better: Any) -> None:
    for axis in (0, 1, -1):
        check(lambda x, axis=axis: function(x, axis)[0], better.accumulate(A, axis), A)
    ties = np.array([1.0, 1.0, 0.0, 2.0, 1.0, 0.0, 2.0, math.nan, 5.0, -5.0], np.float32)
    wanted = [0, 1, 1, 3, 3, 3, 6, 7, 7, 7] if function is ops.cummax else [0, 1, 2, 2, 2, 5, 5, 7, 7, 7]
    check(lambda x: function(x, 0), (ties[wanted], wanted), ties)
    slope = grad(lambda x: function(x, 0)[0].sum())(Tensor(ties[:5])).asnumpy()
    np.testing.assert_array_equal(slope, np.bincount(wanted[:5], minlength=5))
    with pytest.raises(ValueError, match="cum"):
        function(Tensor(A), 3)


def test_gamma_functions() -> None:
    x = np.array([0.5, 1.0, 3.0, 20.0], np.float32)
    check(ops.lgamma, [math.lgamma(v) for v in x], x, exact=False)
    euler = 0.5772156649015329
    check(ops.digamma, [-euler - 2 * math.log(2), -euler, 1.5 - euler, 2.970523992242149], x, exact=False)
    check(lambda x: ops.polygamma(1, x), [math.pi**2 / 2, math.pi**2 / 6, math.pi**2 / 6 - 1.25, 0.0512708229], x,
          exact=False)
    check(lambda x: ops.polygamma(0, x), ops.digamma(Tensor(x)).asnumpy(), x)
    np.testing.assert_array_equal(ops.polygamma(Tensor(2), Tensor(x)).asnumpy(), ops.polygamma(2, Tensor(x)).asnumpy())
    np.testing.assert_array_equal(Tensor(x).lgamma().asnumpy(), ops.Lgamma()(Tensor(x)).asnumpy())
    np.testing.assert_array_equal(grad(ops.lgamma)(Tensor(x)).asnumpy(), ops.digamma(Tensor(x)).asnumpy())
    np.testing.assert_array_equal(grad(ops.digamma)(Tensor(x)).asnumpy(), ops.polygamma(1, Tensor(x)).asnumpy())
    assert ops.lgamma(Tensor([1, 2])).dtype is float32
    for order, error in ((-1, ValueError), (1.5, TypeError)):
        with pytest.raises(error, match="polygamma: n must"):
            ops.polygamma(order, Tensor(x))


def test_results_whose_shape_depends_on_values() -> None:
    x = np.array([[3, 0, 1], [3, 3, 0]])
    np.testing.assert_array_equal(ops.nonzero(Tensor(x)).asnumpy(), np.argwhere(x))
    for got, wanted in zip(ops.nonzero(Tensor(x), as_tuple=True), np.nonzero(x), strict=True):
        np.testing.assert_array_equal(got.asnumpy(), wanted)
    values, which = ops.unique(Tensor(x))
    np.testing.assert_array_equal(values.asnumpy(), [3, 0, 1])
    np.testing.assert_array_equal(values.asnumpy()[which.asnumpy()], x)
    np.testing.assert_array_equal(ops.masked_select(Tensor(x), Tensor(x > 0)).asnumpy(), x[x > 0])
    slope = grad(lambda t: (ops.masked_select(t, t > 0) * 2.0).sum())(Tensor(M))
    np.testing.assert_array_equal(slope.asnumpy(), np.where(M > 0, 2, 0))
    numbers, weights = np.array([1, 1, 3]), np.array([0.5, 0.25, 1.0], np.float32)
    counts = ops.bincount(Tensor(numbers))
    assert counts.dtype is float32 and counts.asnumpy().tolist() == [0, 2, 0, 1]
    assert Tensor(numbers).bincount(minlength=6).asnumpy().tolist() == [0, 2, 0, 1, 0, 0]
    assert ops.bincount(Tensor(numbers), Tensor(weights)).asnumpy().tolist() == [0, 0.75, 0, 1]
    for bad in (Tensor(x), Tensor(weights), Tensor([-1])):
        with pytest.raises(ValueError, match="bincount: expected"):
            ops.bincount(bad)
    for function in (ops.nonzero, ops.unique, lambda t: ops.masked_select(t, t > 0), lambda t: ops.bincount(t[0])):
        with pytest.raises(TracedValueError, match="shape depends on the values"):
            jit(function, fullgraph=True)(Tensor(x))


# Creation


def test_creation() -> None:
    check(lambda: ops.zeros((2, 3)), np.zeros((2, 3)))
    check(lambda: ops.ones(4, int32), np.ones(4))
    check(lambda: ops.full((2,), True), [True, True])
    check(lambda: ops.fill(int64, (2, 2), 7), np.full((2, 2), 7))
    check(lambda x: ops.full_like(x, 2, dtype=float64), np.full(A.shape, 2), A)
    check(lambda x: ops.ones_like(x) + ops.zeros_like(x), np.ones(A.shape), A)
    for args in ((5,), (2, 9, 3), (9, 2, -2), (0, 1, 0.25), (3, 3), (1.5, -2.0, -0.5)):
        check(lambda args=args: ops.arange(*args), np.arange(*args))
    check(lambda: ops.linspace(0, 1, 7), np.linspace(0, 1, 7, dtype=np.float32))
    check(lambda: ops.eye(3, 5, int32), np.eye(3, 5))
    assert ops.full((1,), 2).dtype is int64 and ops.full((1,), 2.0).dtype is float32
    assert ops.arange(3).dtype is int64 and ops.arange(3.0).dtype is float32
    assert ops.scalar_to_tensor(3).dtype is float32 and ops.tuple_to_array((1, 2)).dtype is int32
    assert ops.tuple_to_array(range(3)).tolist() == [0, 1, 2] and ops.tuple_to_array(range(3)).dtype is int32


# Gradients of what has a choice in it


def test_gradients() -> None:
    x = Tensor([-1.0, -0.5, 0.0, 0.5, 2.0])
    np.testing.assert_array_equal(grad(lambda x: ops.clamp(x, -0.5, 0.5).sum())(x).asnumpy(), [0, 1, 1, 1, 0])
    pair = Tensor([[1.0, 3.0, 3.0]])
    np.testing.assert_array_equal(grad(lambda x: ops.max(x, 1)[0].sum())(pair).asnumpy(), [[0, 1, 0]])
    np.testing.assert_array_equal(grad(lambda x: ops.amax(x, 1).sum())(pair).asnumpy(), [[0, 0.5, 0.5]])
    np.testing.assert_array_equal(grad(lambda x: ops.norm(x))(Tensor([0.0, 0.0])).asnumpy(), [0, 0])
    np.testing.assert_array_equal(grad(lambda x: ops.sort(x)[0][0] * 3)(Tensor([2.0, 1.0])).asnumpy(), [0, 3])
    np.testing.assert_array_equal(grad(lambda x: (x * ops.stop_gradient(x)).sum())(x).asnumpy(), x.asnumpy())
    deep = grad(lambda x: grad(lambda y: (y**3).sum())(x).sum())(x)
    np.testing.assert_allclose(deep.asnumpy(), 6 * x.asnumpy(), rtol=1e-6)
    slope = grad(lambda x: ops.logsumexp(x, 0))(Tensor([-INF, 0.0, 0.0]))
    np.testing.assert_array_equal(slope.asnumpy(), [0, 0.5, 0.5])


# Methods of Tensor


@pytest.mark.parametrize(
    "root",
    [lambda x: ops.norm(x), lambda x: ops.norm(x, 3, 0), lambda x: ops.norm(x, 1.5, 0), lambda x: ops.std(x, 0),
     lambda x: ops.std(x, 0, 1), lambda x: ops.std_mean(x, 0)[0]],
)  # fmt: skip
def test_roots_of_nothing_have_no_slope(root: Any) -> None:
    for function in (grad(root), jit(grad(root))):
        assert function(Tensor([0.0, 0.0, 0.0])).tolist() == [0, 0, 0]


def test_differences_end_where_no_elements_are_left() -> None:
    assert ops.diff(ops.ones((4, 2)), 3, 1).shape == ops.diff(ops.ones((4, 2)), 9, 1).shape == (4, 0)
    assert ops.diff(Tensor([True, False, False])).tolist() == [True, False]
    assert grad(lambda x: ops.diff(x, 2).sum())(Tensor([1.0])).tolist() == [0]


def test_distances_of_integers_and_bools_do_not_wrap() -> None:
    small, other = Tensor([100, 16], uint8), Tensor([0, 3], uint8)
    np.testing.assert_allclose(ops.hypot(small, other), np.hypot([100, 16], [0, 3]), rtol=1e-6)
    assert ops.isclose(Tensor([3, 250], uint8), Tensor([5, 1], uint8), atol=2.0).tolist() == [True, False]
    assert ops.isclose(Tensor([1.0, 0.5]), Tensor([True, True])).tolist() == [True, False]
    assert ops.hypot(Tensor([True]), Tensor([0.0])).tolist() == [1]


def test_methods() -> None:
    x = Tensor(A)
    np.testing.assert_array_equal(x.T.asnumpy(), A.T)
    np.testing.assert_array_equal(x.transpose(0, 2, 1).asnumpy(), x.mT.asnumpy())
    np.testing.assert_array_equal(x.view(-1, 5).asnumpy(), A.reshape(-1, 5))
    np.testing.assert_array_equal(x.reshape(5, 12).asnumpy(), A.reshape(5, 12))
    np.testing.assert_array_equal(x.flatten().asnumpy(), A.ravel())
    np.testing.assert_array_equal(x.repeat(2, 1, 1).asnumpy(), np.tile(A, (2, 1, 1)))
    np.testing.assert_array_equal(x.expand_as(ops.ones((2, 3, 4, 5))).asnumpy(), np.broadcast_to(A, (2, 3, 4, 5)))
    assert x.astype("int32").dtype is int32 and x.to(float64).dtype is float64 and x.long().dtype is int64
    assert x.bool().dtype is bool_ and x.type_as(Tensor(N)).dtype is int64
    for exchanged in (x.transpose(0, 2), x.transpose(-3, -1), x.transpose(dim0=0, dim1=2)):
        np.testing.assert_array_equal(exchanged.asnumpy(), A.swapaxes(0, 2))
    assert x[0].transpose(0, 1).shape == (5, 4) and x[0].permute(0, 1).shape == x[0].transpose((0, 1)).shape == (4, 5)
    np.testing.assert_allclose(x.cumsum().asnumpy(), A.ravel().cumsum(), rtol=1e-6)
    assert x.cumsum(1, float64).dtype is float64 and x.new_empty((2, 3), dtype=int32).spec.shape == (2, 3)
    assert x.numel() == 60 and x.dim() == x.ndimension() == 3
    assert x.new_zeros((2,)).dtype is float32 and x.new_full((2,), 1, dtype=int32).dtype is int32
    for got in (
        x.sum(1, keepdims=True),
        x.sum(dim=1, keepdim=True),
        x.sum(1, True),
        x.sum(axis=1, dtype=float32, keepdims=True),
    ):
        np.testing.assert_allclose(got.asnumpy(), A.sum(1, keepdims=True), rtol=1e-6, atol=1e-6)
    for got in (x.max(axis=0), x.max(0, keepdims=False), x.max((0,)), x.max(0, initial=-9.0)):
        np.testing.assert_array_equal(got.asnumpy(), A.max(0))
    assert x.max().shape == x.max(None, False).shape == () and x.min(None, True).shape == (1,) * A.ndim
    for values, places in (x.max(dim=0), x.max(0, return_indices=True), x.max(0), x.max(0, False), x.max(-3)):
        np.testing.assert_array_equal(values.asnumpy(), A.max(0))
        np.testing.assert_array_equal(places.asnumpy(), A.argmax(0))
    for values, places in (x.min(1, True), x.min(1, keepdim=True), x.min(dim=1, keepdim=True)):
        np.testing.assert_array_equal(values.asnumpy(), A.min(1, keepdims=True))
        np.testing.assert_array_equal(places.asnumpy(), np.expand_dims(A.argmin(1), 1))
    for (values, places), (wanted, where) in (
        (x.argmax_with_value(1), (A.max(1), A.argmax(1))), (x.argmin_with_value(axis=0), (A.min(0), A.argmin(0)))
    ):
        np.testing.assert_array_equal(values.asnumpy(), wanted)
        np.testing.assert_array_equal(places.asnumpy(), where)
    value, place = ops.max(x, keepdims=True)
    assert value.shape == place.shape == () and value.item() == A.max() and place.item() == 0
    with pytest.raises(TypeError, match="max: expected an axis and whether to keep it, got 3 arguments"):
        x.max(0, True, 1)
    np.testing.assert_allclose(x.std(ddof=1).asnumpy(), A.std(ddof=1), rtol=1e-6)
    np.testing.assert_array_equal(x.where(x > 0, 0.0).asnumpy(), np.where(A > 0, A, 0))
    np.testing.assert_array_equal(x.gather(Tensor([1, 0]), 1).asnumpy(), A[:, [1, 0]])
    np.testing.assert_array_equal((x**2).asnumpy(), A * A)
    with pytest.raises(TypeError, match="unexpected arguments axes"):
        x.sum(axes=1)


# The older classes


def test_classes() -> None:
    x = Tensor(A)
    np.testing.assert_array_equal(P.ReduceMax(keep_dims=True)(x, 1).asnumpy(), A.max(1, keepdims=True))
    assert P.ReduceSum(skip_mode=True)(x, ()).shape == A.shape and P.ReduceSum()(x).shape == ()
    assert P.ReduceSum()(Tensor(N.astype("int32"))).dtype is int32
    np.testing.assert_array_equal(P.Concat(axis=1)((x, x)).asnumpy(), np.concatenate((A, A), 1))
    np.testing.assert_array_equal(P.Transpose()(x, (1, 0, 2)).asnumpy(), A.transpose(1, 0, 2))
    np.testing.assert_array_equal(P.Pad(((0, 0), (1, 0), (0, 2)))(x).asnumpy(), np.pad(A, ((0, 0), (1, 0), (0, 2))))
    place, value = P.ArgMaxWithValue(axis=1)(x)
    assert place.dtype is int64
    np.testing.assert_array_equal(value.asnumpy(), A.max(1))
    np.testing.assert_array_equal(
        P.StridedSlice()(x, (0, 3, 1), (3, 0, 5), (2, -1, 2)).asnumpy(), A[0:3:2, 3:0:-1, 1:5:2]
    )
    shrunk = P.StridedSlice(begin_mask=1, shrink_axis_mask=2, ellipsis_mask=4)(x, (2, 1, 0), (2, 2, 0), (1, 1, 1))
    np.testing.assert_array_equal(shrunk.asnumpy(), A[:2, 1, ...])
    np.testing.assert_array_equal(P.CumSum(exclusive=True)(Tensor([1.0, 2.0, 3.0]), 0).asnumpy(), [0, 1, 3])
    np.testing.assert_array_equal(P.CumSum(True, True)(Tensor([1.0, 2.0, 3.0]), 0).asnumpy(), [5, 3, 0])
    np.testing.assert_allclose(
        P.MatMul(transpose_b=True)(Tensor(M), Tensor(M)).asnumpy(), M @ M.T, rtol=1e-5, atol=1e-6
    )
    assert [p.shape for p in P.Split(1, 2)(x)] == [(3, 2, 5)] * 2
    kept, mask = P.Dropout(keep_prob=0.25)(x)
    np.testing.assert_array_equal(kept.asnumpy(), A * 4 * mask.asnumpy())
    assert P.MaxPool3D(2, 2)(ops.ones((1, 1, 4, 4, 4))).shape == (1, 1, 2, 2, 2)
    np.testing.assert_array_equal(P.FloatStatus()(Tensor([1.0, INF])).asnumpy(), [1])
    p = Parameter(np.zeros(3, np.float32), name="p")
    P.ScatterNdUpdate()(p, Tensor([[1]]), Tensor([5.0]))
    P.AssignAdd()(p, Tensor([1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(p.asnumpy(), [1, 6, 1])
    with pytest.raises(TypeError, match="Pad: missing a required argument: 'paddings'"):
        P.Pad()
    with pytest.raises(ValueError, match="data_format must be 'NCHW', got 'NHWC'"):
        P.MaxPool(data_format="NHWC")(ops.ones((1, 1, 2, 2)))


@pytest.mark.parametrize(
    "primitive, text",
    [
        (P.Add(), "Prim[Add]"),
        (P.ReduceSum(), "Prim[ReduceSum]<keep_dims=False, skip_mode=False>"),
        (P.Softmax(1), "Prim[Softmax]<axis=1>"),
        (
            P.Conv2D(2, 3),
            "Prim[Conv2D]<out_channel=2, kernel_size=3, mode=1, pad_mode=valid, pad=0, stride=1, dilation=1, group=1, "
            "data_format=NCHW>",
        ),
    ],
)
def test_classes_print(primitive: Any, text: str) -> None:
    assert repr(primitive) == text


def test_every_class_has_its_function() -> None:
    from graphc.ops import primitives, primitives_arrays, primitives_complex, primitives_numbers
    from graphc.ops.primitive_classes import PRIMITIVES

    for name in PRIMITIVES:
        assert getattr(ops, name).__name__ == name
    for table in (primitives, primitives_arrays, primitives_complex, primitives_numbers):
        assert all(callable(getattr(ops, function)) for function in table._PLAIN.values())
    with pytest.raises(AttributeError, match="no attribute 'NPUAllocFloatStatus'"):
        ops.NPUAllocFloatStatus  # noqa: B018


# Names of arguments


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("add", "input other"),
        ("exp", "input"),
        ("sqrt", "x"),
        ("where", "condition input other"),
        ("pow", "input exponent"),
        ("sum", "input dim keepdim dtype"),
        ("mean", "x axis keep_dims"),
        ("max", "input axis keepdims initial where"),
        ("concat", "tensors axis"),
        ("transpose", "input dims"),
        ("split", "tensor split_size_or_sections axis"),
        ("one_hot", "indices depth on_value off_value axis"),
        ("gather", "input_params input_indices axis batch_dims"),
        ("pad", "input_x padding mode value"),
        ("topk", "input k dim largest sorted"),
        ("zeros", "size dtype"),
        ("reshape", "input shape"),
        ("broadcast_to", "input shape"),
        ("tile", "input dims"),
        ("cast", "input dtype"),
        ("norm", "A ord dim keepdim dtype"),
        ("clip_by_global_norm", "x clip_norm use_norm"),
    ],
)
def test_argument_names_are_mindspores(name: str, arguments: str) -> None:
    parameters = inspect.signature(getattr(ops, name)).parameters
    assert list(parameters) == arguments.split()
    assert all(p.kind is not p.VAR_POSITIONAL for p in parameters.values())


def test_arguments_by_name() -> None:
    np.testing.assert_array_equal(ops.add(input=Tensor([1.0]), other=2).asnumpy(), [3])
    with pytest.raises(TypeError, match=r"add: missing a required argument: .other.; test_ops\.py"):
        ops.add(Tensor([1.0]))


# What is around ops


def test_maps_and_dispatch() -> None:
    double = ops.MultitypeFuncGraph("double")

    @double.register("Tensor", "Number")
    def _tensor(x: Tensor, factor: float) -> Tensor:
        return x * factor

    @double.register("Number", "Number")
    def _number(x: float, factor: float) -> float:
        return x * factor

    nested = ops.HyperMap(double)((Tensor([1.0]), (2, Tensor([3.0]))), (2.0, (3.0, 4.0)))
    assert nested[0].item() == 2 and nested[1][0] == 6 and nested[1][1].item() == 12
    assert ops.Map()(lambda a, b: a + b, (1, (2,)), (3, (4,))) == (4, (2, 4))
    assert ops.HyperMap()(ops.partial(lambda s, x: s * x, 2), [1, 2]) == [2, 4]
    with pytest.raises(TypeError, match=r"double: no implementation is registered for \(str, float\)"):
        double("a", 1.0)
    with pytest.raises(ValueError, match="structure"):
        ops.HyperMap(double)((1, 2), (1.0,))


def test_clipping() -> None:
    tensors = (Tensor([3.0, 0.0]), Tensor([[0.0, 4.0]]))
    for got, wanted in zip(ops.clip_by_global_norm(tensors, 1.0), ([0.6, 0], [[0, 0.8]]), strict=True):
        np.testing.assert_allclose(got.asnumpy(), wanted, rtol=1e-6)
    for got, kept in zip(ops.clip_by_global_norm(tensors, 9.0), tensors, strict=True):
        np.testing.assert_array_equal(got.asnumpy(), kept.asnumpy())
    np.testing.assert_allclose(ops.clip_by_norm(Tensor([3.0, 4.0]), 1.0).asnumpy(), [0.6, 0.8], rtol=1e-6)
    assert [t.asnumpy().tolist() for t in ops.clip_by_value(tensors, 1, 3)] == [[3, 1], [[1, 3]]]


def test_assignment() -> None:
    p = Parameter(np.ones(2, np.float32), name="p")
    ops.assign_add(p, 2.0)
    ops.assign_sub(p, Tensor([1.0, 0.0]))
    np.testing.assert_array_equal(p.asnumpy(), [2, 3])
    with pytest.raises(TypeError, match="expected a Parameter or Tensor"):
        ops.assign([1.0, 2.0], Tensor([2.0, 3.0]))
    with pytest.raises(ValueError, match="shapes differ"):
        ops.assign(p, Tensor([1.0]))
    np.testing.assert_array_equal(p.asnumpy(), [2, 3])
    t = Tensor([1, 2])
    before = t + 0
    assert ops.assign_add(t, p).tolist() == t.tolist() == [3.0, 5.0] and t.dtype is before.dtype
    assert before.tolist() == [1, 2]
    with pytest.raises(ValueError, match="the Tensor is i64"):
        ops.assign(t, Tensor([1.0]))


def test_print(capsys: pytest.CaptureFixture[str]) -> None:
    ops.Print()("x and 2:", Tensor([[1], [1]], int32), 2)
    assert capsys.readouterr().out == "x and 2:\nTensor(shape=[2, 1], dtype=Int32, value=\n[[1],\n [1]])\n2\n"


def printing(x: Tensor) -> Tensor:
    ops.print_("x:", x)
    return x * 2.0


def test_print_in_graph_mode_prints_in_every_call(capsys: pytest.CaptureFixture[str]) -> None:
    function, x = jit(printing), Tensor([1.0])
    with pytest.warns(UserWarning, match=r"printing runs op by op.*a graph cannot print.*test_ops\.py"):
        assert function(x) == Tensor([2.0])
    function(x)
    assert capsys.readouterr().out == 2 * f"x:\n{x!r}\n"
    with pytest.raises(TypeError, match="a graph cannot print"):
        jit(printing, fullgraph=True)(x)


# Errors


@pytest.mark.parametrize(
    "call, error, text",
    [
        (
            lambda: ops.add(Tensor([1.0, 2.0]), Tensor([1.0, 2.0, 3.0])),
            ValueError,
            r"add: shapes do not broadcast, f32\[2\] and f32\[3\] \(axis -1: 2 and 3\)",
        ),
        (lambda: ops.add("a", Tensor(1)), TypeError, "add: expected a Tensor or a number, got str 'a'"),
        (lambda: ops.sub(Tensor(True), Tensor(True)), TypeError, "sub: expected numbers"),
        (lambda: ops.bitwise_and(Tensor(1.0), 1), TypeError, "bitwise_and: expected integers or bools"),
        (lambda: ops.reshape(Tensor(A), (7, -1)), ValueError, r"reshape: f32\[3,4,5\] has 60 elements"),
        (lambda: ops.reshape(Tensor(A), (7, 2)), ValueError, r"shape \(7, 2\) has 14"),
        (lambda: ops.transpose(Tensor(A), (0, 1)), ValueError, "no order of the 3 dimensions"),
        (lambda: mnp.squeeze(Tensor(A), 0), ValueError, "has extent 3, not 1"),
        (lambda: ops.concat([]), TypeError, "at least one Tensor"),
        (lambda: ops.concat([Tensor(A), Tensor(M)]), ValueError, "one number of dimensions"),
        (lambda: ops.stack([Tensor(V), Tensor(M)]), ValueError, "one shape"),
        (lambda: ops.split(Tensor(V), [3, 3]), ValueError, "do not add up"),
        (lambda: ops.sum(Tensor(A), 3), ValueError, "axis 3 is out of range for 3 dimensions"),
        (lambda: ops.sum(Tensor(A), (0, -3)), ValueError, "named twice"),
        (lambda: ops.sum(Tensor(A), 1.0), TypeError, "must be an int"),
        (lambda: ops.amax(ops.zeros((0, 3)), 0), ValueError, "no elements to choose from"),
        (lambda: ops.amax(Tensor(V), where=Tensor(V > 0)), ValueError, "where needs initial"),
        (lambda: ops.norm(Tensor(M), 3, (0, 1)), ValueError, "ord 3 is not available"),
        (lambda: ops.pad(Tensor(V), (1, 2, 3)), ValueError, "pairs"),
        (lambda: ops.pad(Tensor(V), (7, 0), "reflect"), ValueError, "does not fit"),
        (lambda: ops.pad(Tensor(V), (1, 1), "mirror"), ValueError, "mode must be"),
        (lambda: ops.topk(Tensor(V), 8), ValueError, "k must be an int from 0 to 7"),
        (lambda: ops.one_hot(Tensor([0.5]), 3), TypeError, "expected integer positions"),
        (
            lambda: mint.nn.functional.one_hot(Tensor([0, 3]), 3),
            IndexError,
            r"one_hot: index 3 at position 1 is out of range \[0, 3\)",
        ),
        (lambda: ops.gather(Tensor(V), Tensor([-8]), 0), IndexError, r"gather: index -8 at position 0 is out of range"),
        (lambda: ops.arange(0, 5, 0), ValueError, "step 0 does not lead"),
        (lambda: ops.zeros((2, -1)), ValueError, "extents must be >= 0"),
        (lambda: ops.full((2,), 300, dtype=uint8), ValueError, "the number 300 does not fit uint8"),
        (lambda: Tensor([1]) + 2**70, ValueError, "does not fit int64"),
        (lambda: ops.cast(Tensor(V), "uint64"), TypeError, "expected one of float32"),
        (lambda: ops.clamp(Tensor(V)), ValueError, "at least one of min and max"),
        (lambda: ops.div(Tensor(V), 2, rounding_mode="up"), ValueError, "rounding_mode must be"),
        (lambda: Tensor(N) ** -1, ValueError, "negative power"),
        (lambda: ops.relu(Tensor(V), inplace=True), ValueError, "inplace must be False"),
    ],
)
def test_errors_say_what_got_expected_where(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        call()
    assert "test_ops.py:" in str(caught.value)


def test_einsum_by_lists_of_dimensions() -> None:
    x, y = Tensor(np.arange(6.0).reshape(2, 3)), Tensor(np.arange(12.0).reshape(3, 4))
    for given, formula in (
        ((x, [0, 1], y, [1, 2], [0, 2]), "ij,jk->ik"), ((x, [0, 1], y, [1, 2]), "ij,jk"),
        ((x, [3, 1], [1, 3]), "ij->ji"), ((x, [..., 0], y, [0, 51], [..., 51]), "...i,ij->...j"),
    ):  # fmt: skip
        wanted = np.einsum(formula, *(t.asnumpy() for t in given[::2] if isinstance(t, Tensor)))
        np.testing.assert_allclose(ops.einsum(*given).asnumpy(), wanted)
    for wrong in ((x, [0, 52]), (x, ["a", "b"]), (x, 3)):
        with pytest.raises(ValueError, match="numbers from 0 to 51"):
            ops.einsum(*wrong)


def test_scatter_in_place_that_adds_or_multiplies() -> None:
    index, source = Tensor([[1, 0], [1, 0]]), Tensor([[4.0, 3.0], [2.0, 1.0]])
    for reduce, wanted in ((None, [[3, 4], [1, 2]]), ("add", [[4, 6], [4, 6]]), ("multiply", [[3, 8], [3, 8]])):
        x = Tensor([[1.0, 2.0], [3.0, 4.0]])
        x.scatter_(1, index, source, reduce=reduce)
        np.testing.assert_array_equal(x.asnumpy(), wanted)
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    x.scatter_(0, Tensor([[0], [1]]), 3, reduce="multiply")
    np.testing.assert_array_equal(x.asnumpy(), [[3, 2], [9, 4]])
    with pytest.raises(ValueError, match="reduce must be"):
        x.scatter_(0, Tensor([[0]]), 3.0, reduce="max")


def test_unique_with_arguments_is_in_order() -> None:
    x = Tensor([5, 1, 2, 5])
    assert [t.tolist() for t in x.unique()] == [[5, 1, 2], [0, 1, 2, 0]]
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert values.tolist() == [1, 2, 5] and inverse.tolist() == [2, 0, 1, 2] and counts.tolist() == [1, 1, 2]
    assert x.unique(sorted=True).tolist() == [1, 2, 5]


def test_equal_parts_of_nothing() -> None:
    assert [part.shape for part in P.Split(0, 2)(ops.zeros((0, 3)))] == [(0, 3)] * 2
    assert ops.glu(ops.zeros((0, 3)), 0).shape == (0, 3)


def test_split_v_with_a_size_left_open() -> None:
    parts = P.SplitV([1, -1], 1, 2)(Tensor(np.arange(6).reshape(2, 3)))
    assert [p.tolist() for p in parts] == [[[0], [3]], [[1, 2], [4, 5]]]


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "float16", "uint8"])
@pytest.mark.parametrize(("count", "axis"), [(2, -1), (3, 0), (1500, -1)])
def test_so_many_of_the_greatest(dtype: str, count: int, axis: int) -> None:
    x = np.random.default_rng(0).permutation(4 * 2000).reshape(4, 2000).astype(dtype)
    for largest in (True, False):
        values, places = ops.topk(Tensor(x), count, axis, largest)
        rank = -x.astype(np.float64) if largest else x
        order = np.take(np.argsort(rank, axis, kind="stable"), range(count), axis)
        np.testing.assert_array_equal(places.asnumpy(), order)
        np.testing.assert_array_equal(values.asnumpy(), np.take_along_axis(x, order, axis))


def test_the_gradient_of_running_products_takes_as_many_numbers_as_they_are():
    x = Tensor(np.array([[2, 0, 3, 0.5, 4, 0, 1]] * 3, np.float32))
    slope = grad(lambda x: ops.cumprod(x, 1).sum())
    graph = trace(slope, (x,), {}, "slope").graph
    assert all(node.type.size <= x.size for node in graph.nodes)
    np.testing.assert_array_equal(slope(x).asnumpy()[0], [1, 2 * (1 + 3 + 1.5 + 6), 0, 0, 0, 0, 0])


def test_functions_that_change_a_tensor_are_its_methods() -> None:
    x = Tensor([0.2, -3.0, 7.0])
    same = ops.clamp_(x, 0.0, 1.0)
    assert same is x and x.tolist() == pytest.approx([0.2, 0.0, 1.0])
    np.testing.assert_array_equal(ops.tanh_(Tensor([0.5])).asnumpy(), Tensor([0.5]).tanh().asnumpy())
    np.testing.assert_array_equal(ops.erfinv_(Tensor([0.5])).asnumpy(), Tensor([0.5]).erfinv().asnumpy())
    assert ops.put_(Tensor([1.0, 2.0]), Tensor([1]), Tensor([5.0])).tolist() == [1.0, 5.0]
    assert ops.zero_(x).tolist() == x.tolist() == [0.0] * 3
    for draw in (ops.uniform_, ops.normal_, ops.bernoulli_, ops.exponential_, ops.random_):
        set_seed(5)
        drawn = draw(Tensor(np.zeros(9, np.float32))).asnumpy()
        set_seed(5)
        method = getattr(Tensor(np.zeros(9, np.float32)), draw.__name__)().asnumpy()
        np.testing.assert_array_equal(drawn, method)


def test_functions_under_other_names() -> None:
    x = Tensor([0.5, -2.0])
    np.testing.assert_array_equal(ops.i0(x).asnumpy(), ops.bessel_i0(x).asnumpy())
    np.testing.assert_array_equal(x.i0().asnumpy(), ops.bessel_i0(x).asnumpy())
    assert ops.function.array_func.scalar_to_array(2.5).item() == 2.5
    assert ops.conv_transpose2d is mint.functional.conv_transpose2d
    draws = ops.poisson((4, 1), Tensor([5.0, 10.0]), seed=5)
    assert draws.shape == (4, 2) and draws.dtype == float32 and (draws.asnumpy() % 1 == 0).all()
    image, weight = Tensor(np.ones((1, 2, 3, 3, 3), "f")), Tensor(np.ones((2, 1, 2, 2, 2), "f"))
    layer = P.Conv3DTranspose(2, 1, (2, 2, 2), stride=2)
    np.testing.assert_array_equal(
        ops.conv3d_transpose(image, weight, stride=2).asnumpy(), layer(image, weight).asnumpy()
    )
    with pytest.raises(ValueError, match="conv3d_transpose: expected"):
        ops.conv3d_transpose(Tensor(np.ones((1, 2, 3, 3), "f")), weight)
