"""Functions of matrix products, convolution, pooling, resizing, activations, norms, losses: values, slopes, errors.

Each `Case` is checked three ways: its value in float64 against a NumPy formula, its derivative against differences of
itself, and its float32 result in PYNATIVE_MODE against that of a graph, to the bit.
"""
# ruff: noqa: E501 (a case is a row: one line each)

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from modes import each_of

import graphc
from graphc import Parameter, Tensor
from graphc.compiler import stage_texts
from graphc.gradients import grad
from graphc.jit import jit
from graphc.ops import adaptive_pool, composite, conv, linalg, loss, patches, pool, random, resize, sample
from graphc.ops.normalisation import moments
from graphc.trace import trace

_rng = np.random.default_rng(5)


def N(*shape: int) -> np.ndarray:  # noqa: N802 (normal numbers, as short as they are frequent)
    return _rng.normal(size=shape)


def apart(*shape: int) -> np.ndarray:
    """Numbers no two of which are near, nor near 0."""
    count = int(np.prod(shape))
    return (_rng.permutation(count).reshape(shape) - count / 2 + 0.3) * 0.25


@dataclass
class Case:
    """A function, what it should compute, and operands for it (floats in float64)."""

    name: str
    function: Callable[..., Any]
    wanted: Callable[..., Any]
    operands: tuple[np.ndarray, ...]


CASES: list[Case] = []


def case(name: str, function: Callable[..., Any], wanted: Callable[..., Any], *operands: np.ndarray) -> None:
    CASES.append(Case(name, function, wanted, operands))


# References


def softmax(x: np.ndarray, axis: Any = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


erf = np.vectorize(math.erf, otypes=[float])


def standardized(x: np.ndarray, axes: tuple[int, ...], eps: float = 1e-5) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def column(v: np.ndarray, ndim: int) -> np.ndarray:
    return v.reshape(-1, *(1,) * (ndim - 2))


def padded(x: np.ndarray, pairs: Any, value: float = 0.0) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), *pairs), constant_values=value)


def naive_conv(
    x: np.ndarray, w: np.ndarray, stride: Any, dilation: Any, groups: int, pairs: Any
) -> np.ndarray:
    """Only what lies on the input is summed: beside an infinite weight a zero of padding would be NaN."""
    there, x, kernel = padded(np.ones(x.shape, bool), pairs, False), padded(x, pairs), w.shape[2:]
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], kernel, stride, dilation)]
    result = np.zeros((x.shape[0], w.shape[0], *out))
    depth, width = w.shape[1], w.shape[0] // groups
    for n, co, *o in np.ndindex(*result.shape):
        first = co // width * depth
        window = tuple(slice(i * s, i * s + d * (k - 1) + 1, d) for i, s, d, k in zip(o, stride, dilation, kernel))
        seen = (n, slice(first, first + depth), *window)
        result[(n, co, *o)] = np.sum(x[seen] * w[co], where=there[seen])
    return result


def naive_slopes(
    x: np.ndarray, w: np.ndarray, ct: np.ndarray, stride: Any, dilation: Any, groups: int, pairs: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Of `naive_conv`, to the input and to the weights: one product for each tap of each window that meets an element."""
    dx, dw, depth = np.zeros(x.shape), np.zeros(w.shape), w.shape[1]
    for co, *o in np.ndindex(*ct.shape[1:]):
        channels = slice(co // (w.shape[0] // groups) * depth, (co // (w.shape[0] // groups) + 1) * depth)
        for tap in np.ndindex(*w.shape[2:]):
            at = [i * s + k * d - lo for i, s, k, d, (lo, _) in zip(o, stride, tap, dilation, pairs)]
            if all(0 <= i < n for i, n in zip(at, x.shape[2:])):
                here = ct[(slice(None), co, *o)][:, None]
                dx[(slice(None), channels, *at)] += here * w[(co, slice(None), *tap)]
                dw[(co, slice(None), *tap)] += (here * x[(slice(None), channels, *at)]).sum(0)
    return dx, dw


def naive_pool(x: np.ndarray, kernel: Any, stride: Any, pairs: Any, reduce: Callable[..., Any], fill: float) -> np.ndarray:
    x = padded(x, pairs, fill)
    out = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride)]
    result = np.zeros((*x.shape[:2], *out))
    for n, c, *o in np.ndindex(*result.shape):
        result[(n, c, *o)] = reduce(x[(n, c, *(slice(i * s, i * s + k) for i, s, k in zip(o, stride, kernel)))])
    return result


def naive_adaptive(x: np.ndarray, sizes: tuple[int, ...], reduce: Callable[..., Any]) -> np.ndarray:
    result = np.zeros((*x.shape[:2], *sizes))
    for n, c, *o in np.ndindex(*result.shape):
        window = (slice(i * s // k, -(-(i + 1) * s // k)) for i, s, k in zip(o, x.shape[2:], sizes))
        result[(n, c, *o)] = reduce(x[(n, c, *window)])
    return result


def adjoint_of_conv(y: np.ndarray, w: np.ndarray, size: Any, stride: Any, dilation: Any, groups: int, pairs: Any) -> np.ndarray:
    """The transposed convolution by its definition: <conv(e), y> for every unit image e."""
    result = np.zeros((y.shape[0], w.shape[1] * groups, *size))
    for index in np.ndindex(*result.shape[1:]):
        unit = np.zeros((1, *result.shape[1:]))
        unit[(0, *index)] = 1
        seen = naive_conv(unit, w, stride, dilation, groups, pairs)
        result[(slice(None), *index)] = (y * seen).sum(tuple(range(1, y.ndim)))
    return result


def nll(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    return -np.take_along_axis(np.moveaxis(p, 1, -1), target[..., None], -1)[..., 0]


# Matrix products

for left, right in [((3, 4), (4, 5)), ((4,), (4,)), ((4,), (4, 5)), ((3, 4), (4,)), ((2, 3, 4), (4, 5)),
                    ((2, 1, 3, 4), (2, 4, 5)), ((3, 4), (2, 4, 5)), ((2, 3, 4), (4,))]:  # fmt: skip
    case(f"matmul {left} {right}", linalg.matmul, np.matmul, N(*left), N(*right))
case("dense", linalg.dense, lambda x, w, b: x @ w.T + b, N(2, 3, 4), N(5, 4), N(5))
case("dot", linalg.dot, np.dot, N(2, 3), N(4, 3, 2))
case("inner", linalg.inner, np.inner, N(2, 3, 4), N(5, 4))
case("outer", linalg.outer, np.outer, N(3), N(4))
case("mm", linalg.mm, np.matmul, N(2, 3), N(3, 2))
case("mv", linalg.mv, np.matmul, N(2, 3), N(3))
case("bmm", linalg.bmm, np.matmul, N(2, 2, 3), N(2, 3, 2))
case("addmm", lambda a, x, y: linalg.addmm(a, x, y, beta=2, alpha=3), lambda a, x, y: 2 * a + 3 * (x @ y), N(2, 2), N(2, 3), N(3, 2))
case("baddbmm", linalg.baddbmm, lambda a, x, y: a + x @ y, N(2, 2, 2), N(2, 2, 3), N(2, 3, 2))
case("addmv", linalg.addmv, lambda a, x, y: a + x @ y, N(2), N(2, 3), N(3))
case("addr", linalg.addr, lambda a, x, y: a + np.outer(x, y), N(2, 3), N(2), N(3))
case("tensor_dot pairs", lambda x, y: linalg.tensor_dot(x, y, ((2, 0), (0, 2))), lambda x, y: np.tensordot(x, y, ((2, 0), (0, 2))), N(2, 3, 4), N(4, 5, 2))
case("tensor_dot int", lambda x, y: linalg.tensor_dot(x, y, 1), lambda x, y: np.tensordot(x, y, 1), N(2, 3), N(3, 4))
for equation, shapes in [
    ("ij,jk->ik", [(2, 3), (3, 4)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 2)]), ("ii->i", [(3, 3)]), ("ii", [(3, 3)]),
    ("ij->ji", [(2, 3)]), ("ij->", [(2, 3)]), ("i,i->i", [(3,), (3,)]), ("i,j->ij", [(3,), (4,)]),
    ("...ij,...jk->...ik", [(2, 3, 4), (2, 2, 4, 2)]), ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)]),
    ("iij,j->i", [(3, 3, 4), (4,)]), ("ij,ij", [(2, 3), (2, 3)]), ("a...b->...", [(2, 3, 4)]), ("ij,k->k", [(2, 3), (4,)]),
    ("bn,anm,bm->ba", [(2, 3), (2, 3, 2), (2, 2)]), ("ba,b", [(2, 3), (2,)]),
]:  # fmt: skip
    case(f"einsum {equation}", lambda *o, e=equation: linalg.einsum(e, *o), lambda *o, e=equation: np.einsum(e, *o), *(N(*s) for s in shapes))

# Convolution

for stride, dilation, groups, kernel, around in [
    ((1, 1), (1, 1), 1, (3, 2), ((0, 0), (0, 0))), ((2, 1), (1, 1), 1, (2, 2), ((1, 1), (0, 0))),
    ((1, 1), (2, 2), 2, (2, 2), ((1, 0), (2, 1))), ((3, 2), (1, 1), 4, (2, 3), ((1, 1), (1, 1))),
]:  # fmt: skip
    flat = tuple(p for pair in around for p in pair)
    x, w = N(2, 4, 5, 4), N(4, 4 // groups, *kernel)
    case(
        f"conv2d {stride} {dilation} {groups} {kernel} {flat}",
        lambda x, w, b, s=stride, d=dilation, g=groups, p=flat: conv.conv2d(x, w, b, s, "pad", p, d, g),
        lambda x, w, b, s=stride, d=dilation, g=groups, p=around: naive_conv(x, w, s, d, g, p) + b.reshape(-1, 1, 1),
        x, w, N(4),
    )  # fmt: skip
    y = naive_conv(x, w, stride, dilation, groups, around)
    rest = tuple(
        n - ((m - 1) * s + d * (k - 1) + 1 - sum(p))
        for n, m, s, d, k, p in zip((5, 4), y.shape[2:], stride, dilation, kernel, around)
    )
    case(
        f"conv_transpose {stride} {dilation} {groups} {kernel} {flat}",
        lambda y, w, s=stride, d=dilation, g=groups, p=flat, r=rest: conv.conv_transpose(y, w, None, s, "pad", p, r, d, g),
        lambda y, w, s=stride, d=dilation, g=groups, p=around: adjoint_of_conv(y, w, (5, 4), s, d, g, p),
        y, w,
    )  # fmt: skip
case("conv1d", lambda x, w: conv.conv1d(x, w, stride=2), lambda x, w: naive_conv(x, w, (2,), (1,), 1, ((0, 0),)), N(2, 2, 7), N(3, 2, 3))
case("conv3d", conv.conv3d, lambda x, w: naive_conv(x, w, (1,) * 3, (1,) * 3, 1, ((0, 0),) * 3), N(1, 2, 3, 3, 2), N(2, 2, 2, 2, 2))
case("conv same", lambda x, w: conv.conv2d(x, w, stride=2, pad_mode="same"), lambda x, w: naive_conv(x, w, (2, 2), (1, 1), 1, ((0, 1), (1, 1))), N(1, 2, 6, 5), N(2, 2, 3, 3))
case("conv_transpose valid", lambda x, w: conv.conv_transpose(x, w, stride=3), lambda x, w: adjoint_of_conv(x, w, (6, 6), (3, 3), (1, 1), 1, ((0, 0),) * 2), N(1, 2, 2, 2), N(2, 1, 2, 2))
case("conv_transpose same", lambda x, w: conv.conv_transpose(x, w, stride=2, pad_mode="same"), lambda x, w: adjoint_of_conv(x, w, (6,), (2,), (1,), 1, ((0, 1),)), N(1, 2, 3), N(2, 1, 3))

# Pooling

NONE = ((0, 0), (0, 0))
case("max_pool2d", lambda x: pool.max_pool2d(x, 2), lambda x: naive_pool(x, (2, 2), (2, 2), NONE, np.max, 0), apart(2, 2, 4, 5))
case("max_pool2d padded", lambda x: pool.max_pool2d(x, 3, 2, 1), lambda x: naive_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)), np.max, -9e9), apart(1, 2, 5, 4))
case("max_pool2d ceil", lambda x: pool.max_pool2d(x, 2, ceil_mode=True), lambda x: naive_pool(x, (2, 2), (2, 2), ((0, 1), (0, 0)), np.max, -9e9), apart(1, 2, 5, 4))
case("max_pool2d same", lambda x: pool.max_pool2d(x, 2, 2, pad_mode="same"), lambda x: naive_pool(x, (2, 2), (2, 2), ((0, 1), (0, 0)), np.max, -9e9), apart(1, 2, 5, 4))
case("max_pool2d one image", lambda x: pool.max_pool2d(x, 2), lambda x: naive_pool(x[None], (2, 2), (2, 2), NONE, np.max, 0)[0], apart(2, 4, 4))
case("max_pool1d", lambda x: pool.max_pool1d(x, 3, 1), lambda x: naive_pool(x, (3,), (1,), ((0, 0),), np.max, 0), apart(1, 2, 6))
case("max_pool3d", lambda x: pool.max_pool3d(x, 2), lambda x: naive_pool(x, (2,) * 3, (2,) * 3, ((0, 0),) * 3, np.max, 0), apart(1, 1, 4, 2, 3))
case("avg_pool2d", lambda x: pool.avg_pool2d(x, 3, 2, 1), lambda x: naive_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)), np.mean, 0), N(1, 2, 5, 4))
case("avg_pool2d without padding", lambda x: pool.avg_pool2d(x, 3, 2, 1, count_include_pad=False), lambda x: naive_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)), np.nanmean, np.nan), N(1, 2, 5, 4))
case("avg_pool2d ceil", lambda x: pool.avg_pool2d(x, 2, 2, ceil_mode=True), lambda x: naive_pool(x, (2, 2), (2, 2), ((0, 1), (0, 0)), np.nanmean, np.nan), N(1, 2, 5, 4))
case("avg_pool2d same", lambda x: pool.avg_pool2d(x, 2, 2, pad_mode="same"), lambda x: naive_pool(x, (2, 2), (2, 2), ((0, 1), (0, 0)), np.nanmean, np.nan), N(1, 2, 5, 4))
case("avg_pool2d divisor", lambda x: pool.avg_pool2d(x, 2, 1, divisor_override=3), lambda x: naive_pool(x, (2, 2), (1, 1), NONE, np.sum, 0) / 3, N(1, 1, 3, 3))
case("avg_pool1d", lambda x: pool.avg_pool1d(x, 2, 2), lambda x: naive_pool(x, (2,), (2,), ((0, 0),), np.mean, 0), N(1, 2, 6))
for sizes in [(1, 1), (2, 3), (3, 4)]:
    case(f"adaptive_avg_pool2d {sizes}", lambda x, s=sizes: adaptive_pool.adaptive_avg_pool2d(x, s), lambda x, s=sizes: naive_adaptive(x, s, np.mean), N(1, 2, 4, 6))
    case(f"adaptive_max_pool2d {sizes}", lambda x, s=sizes: adaptive_pool.adaptive_max_pool2d(x, s), lambda x, s=sizes: naive_adaptive(x, s, np.max), apart(1, 2, 4, 6))

# Activations

ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "softmax": (composite.softmax, softmax),
    "softmax over two axes": (lambda x: composite.softmax(x, (0, 1)), lambda x: softmax(x, (0, 1))),
    "softmin": (composite.softmin, lambda x: softmax(-x)),
    "log_softmax": (lambda x: composite.log_softmax(x, 0), lambda x: np.log(softmax(x, 0))),
    "relu6": (composite.relu6, lambda x: np.clip(x, 0, 6)),
    "hardtanh": (composite.hardtanh, lambda x: np.clip(x, -1, 1)),
    "hardsigmoid": (composite.hardsigmoid, lambda x: np.clip(x + 3, 0, 6) / 6),
    "hardswish": (composite.hardswish, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "silu": (composite.silu, lambda x: x * sigmoid(x)),
    "gelu": (composite.gelu, lambda x: x * (1 + erf(x / 2**0.5)) / 2),
    "gelu tanh": (
        lambda x: composite.gelu(x, "tanh"),
        lambda x: x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
    ),
    "fast_gelu": (composite.fast_gelu, lambda x: x * sigmoid(1.702 * x)),
    "mish": (composite.mish, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "softplus": (composite.softplus, lambda x: np.log1p(np.exp(x))),
    "softplus beta": (lambda x: composite.softplus(x, 2, 3), lambda x: np.where(2 * x > 3, x, np.log1p(np.exp(2 * x)) / 2)),
    "logsigmoid": (composite.logsigmoid, lambda x: np.log(sigmoid(x))),
    "softsign": (composite.softsign, lambda x: x / (1 + abs(x))),
    "leaky_relu": (composite.leaky_relu, lambda x: np.where(x > 0, x, 0.2 * x)),
    "elu": (composite.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    "celu": (lambda x: composite.celu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * (np.exp(x / 0.7) - 1))),
    "selu": (composite.selu, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))),
    "glu": (composite.glu, lambda x: x[:, :3] * sigmoid(x[:, 3:])),
    "threshold": (lambda x: composite.threshold(x, 0.4, 2.0), lambda x: np.where(x > 0.4, x, 2.0)),
    "hardshrink": (composite.hardshrink, lambda x: np.where(abs(x) > 0.5, x, 0)),
    "softshrink": (composite.softshrink, lambda x: np.sign(x) * np.maximum(abs(x) - 0.5, 0)),
    "tanhshrink": (composite.tanhshrink, lambda x: x - np.tanh(x)),
}
for key, (function, wanted) in ACTIVATIONS.items():
    case(key, function, wanted, apart(4, 6) * 2.2)
case("prelu", composite.prelu, lambda x, w: np.where(x > 0, x, x * column(w, 3)), apart(2, 3, 2), N(3))
case("prelu of one weight", composite.prelu, lambda x, w: np.where(x > 0, x, x * w), apart(2, 3, 2), N(1))

# Norms, similarity, attention, images

case("layer_norm", lambda x, w, b: composite.layer_norm(x, (3, 4), w, b), lambda x, w, b: standardized(x, (1, 2)) * w + b, N(2, 3, 4), N(3, 4), N(3, 4))
case("rms_norm", lambda x, w: composite.rms_norm(x, w)[0], lambda x, w: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * w, N(3, 4), N(4))
case("group_norm", lambda x, w, b: composite.group_norm(x, 2, w, b), lambda x, w, b: standardized(x.reshape(2, 2, 2, 3), (2, 3)).reshape(x.shape) * column(w, 3) + column(b, 3), N(2, 4, 3), N(4), N(4))
case("instance_norm", composite.instance_norm, lambda x, w, b: standardized(x, (2, 3)) * column(w, 4) + column(b, 4), N(2, 3, 2, 3), N(3), N(3))
case("batch_norm in training", lambda x, w, b: composite.batch_norm(x, None, None, w, b, True), lambda x, w, b: standardized(x, (0, 2, 3)) * column(w, 4) + column(b, 4), N(3, 2, 2, 3), N(2), N(2))
case("batch_norm", lambda x, m, v: composite.batch_norm(x, m, v), lambda x, m, v: (x - m) / np.sqrt(v + 1e-5), N(3, 2), N(2), abs(N(2)) + 0.1)
case("l2_normalize", lambda x: composite.l2_normalize(x, 1), lambda x: x / np.sqrt((x * x).sum(1, keepdims=True)), N(2, 3))
case("lrn", lambda x: composite.lrn(x, 1, 1.0, 0.5, 0.75), lambda x: x / (1 + 0.5 * np.stack([(x[:, max(c - 1, 0) : c + 2] ** 2).sum(1) for c in range(4)], 1)) ** 0.75, N(1, 4, 2, 2))
case("cosine_similarity", composite.cosine_similarity, lambda x, y: (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1), N(2, 3), N(2, 3))
case("cdist", composite.cdist, lambda x, y: np.linalg.norm(x[:, None] - y[None], axis=-1), N(2, 3), N(4, 3))
case("embedding", lambda w: composite.embedding(Tensor([[0, 3], [3, 1]]), w), lambda w: w[[[0, 3], [3, 1]]], N(4, 3))


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: Any = 0.0) -> np.ndarray:
    return softmax(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]) + mask) @ v


LOWER = np.where(np.tri(3, 4) > 0, 0, -np.inf)
case("attention", composite.scaled_dot_product_attention, attention, N(2, 3, 4), N(2, 4, 4), N(2, 4, 2))
case("attention causal", lambda q, k, v: composite.scaled_dot_product_attention(q, k, v, is_causal=True), lambda q, k, v: attention(q, k, v, LOWER), N(2, 3, 4), N(2, 4, 4), N(2, 4, 2))
case("attention masked", lambda q, k, v: composite.scaled_dot_product_attention(q, k, v, Tensor(LOWER == 0)), lambda q, k, v: attention(q, k, v, LOWER), N(2, 3, 4), N(2, 4, 4), N(2, 4, 2))
case("pixel_shuffle", lambda x: composite.pixel_shuffle(x, 2), lambda x: x.reshape(1, 2, 2, 2, 2, 3).transpose(0, 1, 4, 2, 5, 3).reshape(1, 2, 4, 6), N(1, 8, 2, 3))
case("unfold", lambda x: patches.unfold(x, 2, stride=2), lambda x: x.reshape(1, 2, 2, 2, 2, 2).transpose(0, 1, 3, 5, 2, 4).reshape(1, 8, 4), N(1, 2, 4, 4))
case("interpolate nearest", lambda x: resize.interpolate(x, (4, 6)), lambda x: x.repeat(2, 2).repeat(2, 3), N(1, 2, 2, 3))
case("interpolate linear", lambda x: resize.interpolate(x, 5, mode="linear", align_corners=True), lambda x: np.interp(np.linspace(0, 2, 5), range(3), x[0, 0])[None, None], N(1, 1, 3))
case("interpolate bilinear", lambda x: resize.interpolate(x, scale_factor=2, mode="bilinear"), lambda x: np.interp(np.arange(6) / 2 - 0.25, range(3), x[0, 0, 0]) * np.ones((1, 1, 2, 1)), N(1, 1, 1, 3))
case("interpolate area", lambda x: resize.interpolate(x, 2, mode="area"), lambda x: naive_adaptive(x, (2,), np.mean), N(1, 2, 3))



def placed(at: np.ndarray, extent: int, padding_mode: str, align_corners: bool) -> np.ndarray:
    """Where along an axis of elements 0 to extent - 1 a grid's positions are."""
    p = (at + 1) / 2 * (extent - 1) if align_corners else (at + 1) / 2 * extent - 0.5
    if padding_mode == "zeros":
        return p
    if padding_mode == "reflection":
        edge, span = (0, extent - 1) if align_corners else (-0.5, extent)
        p = edge + abs((p - edge + span) % (2 * span) - span)
    return np.clip(p, 0, extent - 1)


def sampled(x: np.ndarray, grid: np.ndarray, mode: str, padding_mode: str, align_corners: bool) -> np.ndarray:
    """By the weight of every element at every position: the tent function's, or 1 for the nearest."""
    def weights(p: np.ndarray, n: int) -> np.ndarray:
        return np.rint(p)[..., None] == np.arange(n) if mode == "nearest" else np.maximum(0, 1 - abs(p[..., None] - np.arange(n)))

    count = x.ndim - 2
    shares = [weights(placed(grid[..., count - 1 - d], n, padding_mode, align_corners), n) for d, n in enumerate(x.shape[2:])]
    if count == 3:
        return np.einsum("ncdhw,nkijd,nkijh,nkijw->nckij", x, *shares)
    return np.einsum("nchw,nijh,nijw->ncij", x, *shares)


for options in itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection"), (False, True)):
    case(f"grid_sample of volumes {options}", lambda x, grid, o=options: sample.grid_sample(x, grid, *o), lambda x, grid, o=options: sampled(x, grid, *o), N(2, 2, 2, 3, 4), 1.2 * N(2, 2, 3, 2, 3))
    case(f"grid_sample {options}", lambda x, grid, o=options: sample.grid_sample(x, grid, *o), lambda x, grid, o=options: sampled(x, grid, *o), N(2, 2, 3, 4), 1.2 * N(2, 2, 3, 2))

# Losses

LABELS = np.array([2, 0, 1, 2])
PLANE = np.array([[1, 0], [2, 2]])
P = softmax(N(4, 3))
WEIGHTS = np.array([0.5, 1.0, 2.0])
for reduction in ("none", "mean", "sum"):
    reduced = {"none": lambda x: x, "mean": np.mean, "sum": np.sum}[reduction]
    r: dict[str, Any] = {"reduction": reduction}
    case(f"cross_entropy {reduction}", lambda x, r=r: loss.cross_entropy(x, Tensor(LABELS), **r), lambda x, f=reduced: f(nll(np.log(softmax(x)), LABELS)), N(4, 3))
    case(f"cross_entropy of images {reduction}", lambda x, r=r: loss.cross_entropy(x, Tensor(PLANE), **r), lambda x, f=reduced: f(nll(np.log(softmax(x, 1)), PLANE)), N(2, 3, 2))
    case(f"nll_loss {reduction}", lambda x, r=r: loss.nll_loss(x, Tensor(LABELS), **r), lambda x, f=reduced: f(nll(x, LABELS)), N(4, 3))
    case(f"mse_loss {reduction}", lambda x, y, r=r: loss.mse_loss(x, y, **r), lambda x, y, f=reduced: f((x - y) ** 2), N(3, 2), N(3, 2))
    case(f"l1_loss {reduction}", lambda x, y, r=r: loss.l1_loss(x, y, **r), lambda x, y, f=reduced: f(abs(x - y)), N(3, 2), N(3, 2))
WEIGHT = np.array([0.5, 2.0, 1.0])
SMOOTHED = 0.9 * np.eye(3)[LABELS] + 0.1 / 3
case("cross_entropy weighted", lambda x: loss.cross_entropy(x, Tensor(LABELS), Tensor(WEIGHT)), lambda x: (nll(np.log(softmax(x)), LABELS) * WEIGHT[LABELS]).sum() / WEIGHT[LABELS].sum(), N(4, 3))
case("cross_entropy smoothed", lambda x: loss.cross_entropy(x, Tensor(LABELS), label_smoothing=0.1), lambda x: -(SMOOTHED * np.log(softmax(x))).sum(1).mean(), N(4, 3))
case("cross_entropy ignoring", lambda x: loss.cross_entropy(x, Tensor(LABELS), ignore_index=2), lambda x: nll(np.log(softmax(x)), LABELS)[1:3].mean(), N(4, 3))
case("cross_entropy of probabilities", lambda x: loss.cross_entropy(x, Tensor(P)), lambda x: -(P * np.log(softmax(x))).sum(1).mean(), N(4, 3))
case("cross_entropy of one sample", lambda x: loss.cross_entropy(x, Tensor(1)), lambda x: -np.log(softmax(x))[1], N(3))
case("softmax_cross_entropy_with_logits", lambda x: loss.softmax_cross_entropy_with_logits(x, Tensor(P)), lambda x: -(P * np.log(softmax(x))).sum(1), N(4, 3))
case("smooth_l1_loss", lambda x, y: loss.smooth_l1_loss(x, y, 0.5), lambda x, y: np.where(abs(x - y) < 0.5, (x - y) ** 2, abs(x - y) - 0.25), N(3, 4), N(3, 4))
case("huber_loss", lambda x, y: loss.huber_loss(x, y, "sum", 0.7), lambda x, y: np.where(abs(x - y) <= 0.7, (x - y) ** 2 / 2, 0.7 * (abs(x - y) - 0.35)).sum(), N(3, 4), N(3, 4))
case("binary_cross_entropy", lambda p, y, w: loss.binary_cross_entropy(p, y, w), lambda p, y, w: -(w * (y * np.log(p) + (1 - y) * np.log(1 - p))).mean(), sigmoid(N(3, 2)), sigmoid(N(3, 2)), abs(N(3, 2)))
case("binary_cross_entropy_with_logits", lambda x, y, w, v: loss.binary_cross_entropy_with_logits(x, y, w, v, "sum"), lambda x, y, w, v: -(w * (v * y * np.log(sigmoid(x)) + (1 - y) * np.log(1 - sigmoid(x)))).sum(), N(3, 2), sigmoid(N(3, 2)), abs(N(3, 2)), abs(N(2)))
case("kl_div", lambda q, p: loss.kl_div(q, p, "batchmean"), lambda q, p: (p * (np.log(p) - q)).sum() / 4, np.log(softmax(N(4, 3))), P)
case("gaussian_nll_loss", lambda x, y, v: loss.gaussian_nll_loss(x, y, v, full=True), lambda x, y, v: ((np.log(v) + (x - y) ** 2 / v + np.log(2 * np.pi)) / 2).mean(), N(3), N(3), abs(N(3)) + 0.1)
SIGNS = np.array([1, -1, 1, -1])
case("cosine_embedding_loss", lambda x, y: loss.cosine_embedding_loss(x, y, Tensor(SIGNS), -0.9, "none"), lambda x, y: np.where(SIGNS > 0, 1 - (c := (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)), np.maximum(0, c + 0.9)), N(4, 3), N(4, 3))
case("margin_ranking_loss", lambda x, y: loss.margin_ranking_loss(x, y, Tensor(SIGNS), 0.1), lambda x, y: np.maximum(0, -SIGNS * (x - y) + 0.1).mean(), N(4), N(4))
case("hinge_embedding_loss", lambda x: loss.hinge_embedding_loss(x, Tensor(SIGNS)), lambda x: np.where(SIGNS > 0, x, np.maximum(0, 1 - x)).mean(), N(4))
case("soft_margin_loss", lambda x: loss.soft_margin_loss(x, Tensor(SIGNS)), lambda x: np.log1p(np.exp(-SIGNS * x)).mean(), N(4))
case("triplet_margin_loss swapped", lambda a, p, n: loss.triplet_margin_loss(a, p, n, swap=True), lambda a, p, n: np.maximum(0, np.linalg.norm(a - p + 1e-6, axis=1) - np.minimum(np.linalg.norm(a - n + 1e-6, axis=1), np.linalg.norm(p - n + 1e-6, axis=1)) + 1).mean(), N(4, 3), N(4, 3), N(4, 3))
case("cross_entropy of smoothed probabilities", lambda x: loss.cross_entropy(x, Tensor(P), Tensor(WEIGHTS), label_smoothing=0.2), lambda x: -((P * 0.8 + 0.2 / 3) * WEIGHTS * np.log(softmax(x))).sum(1).mean(), N(4, 3))
case("multi_margin_loss weighted", lambda x: loss.multi_margin_loss(x, Tensor(LABELS), 2, 0.5, Tensor(WEIGHTS)), lambda x: (np.maximum(0, x - x[range(4), LABELS][:, None] + 0.5) ** 2 * (LABELS[:, None] != range(3)) * WEIGHTS[LABELS][:, None]).sum() / 12, N(4, 3))
case("triplet_margin_loss", loss.triplet_margin_loss, lambda a, p, n: np.maximum(0, np.linalg.norm(a - p + 1e-6, axis=1) - np.linalg.norm(a - n + 1e-6, axis=1) + 1).mean(), N(4, 3), N(4, 3), N(4, 3))


# Every case


@pytest.mark.parametrize("sample", CASES, ids=lambda c: c.name)
def test_value_and_slope(sample: Case) -> None:
    operands = [np.asarray(o) for o in sample.operands]
    function = jit(sample.function)
    value = function(*map(Tensor, operands))
    with np.errstate(all="ignore"):
        wanted = np.asarray(sample.wanted(*operands))
    assert value.dtype is graphc.float64 and value.shape == wanted.shape
    np.testing.assert_allclose(value.asnumpy(), wanted, rtol=1e-10, atol=1e-11)

    rng = np.random.default_rng(1)
    mix = Tensor(rng.normal(size=wanted.shape))
    scalar = jit(lambda *o: (sample.function(*o) * mix).sum())
    positions = tuple(k for k, o in enumerate(operands) if o.dtype.kind == "f")
    slopes = each_of(jit(grad(scalar, positions))(*map(Tensor, operands)))
    directions = [rng.normal(size=o.shape) for o in operands]
    step = 1e-6
    ahead, behind = (
        scalar(*(Tensor(o + sign * step * d) for o, d in zip(operands, directions))).item() for sign in (1, -1)
    )
    slope = sum(float(np.sum(s.asnumpy() * directions[k])) for k, s in zip(positions, slopes))
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=2e-6, abs=2e-7)


@pytest.mark.parametrize("sample", CASES, ids=lambda c: c.name)
def test_both_modes_give_the_same_bits(sample: Case) -> None:
    operands = [Tensor(np.asarray(o, np.float32)) for o in sample.operands]
    eager, graph = sample.function(*operands), jit(sample.function)(*operands)
    np.testing.assert_array_equal(eager.asnumpy(), graph.asnumpy())


# What formulas do not show


def test_softmax_does_not_overflow() -> None:
    x = Tensor(np.array([[1e4, 0, -1e4], [-np.inf, 0, 0]], np.float32))
    np.testing.assert_array_equal(composite.softmax(x).asnumpy(), np.array([[1, 0, 0], [0, 0.5, 0.5]], np.float32))
    np.testing.assert_array_equal(composite.log_softmax(x).asnumpy()[0], np.array([0, -1e4, -2e4], np.float32))


@pytest.mark.parametrize("function", [composite.elu, composite.selu, composite.celu, composite.softplus])
def test_exponential_of_the_unused_side_gives_no_nan(function: Callable[..., Tensor]) -> None:
    slope = grad(lambda x: function(x).sum())(Tensor(np.array([1000.0, 0.0, -1000.0])))
    assert np.isfinite(slope.asnumpy()).all()


def test_binary_cross_entropy_corrects_probabilities_that_are_all_wrong() -> None:
    p, y = Tensor(np.array([0.0, 1.0, 1e-14, 0.25])), Tensor(np.array([1.0, 0.0, 1.0, 1.0]))
    slope = grad(lambda p: loss.binary_cross_entropy(p, y, reduction="sum"))(p)
    np.testing.assert_allclose(slope, [-1e12, 1e12, -1e12, -4])
    np.testing.assert_allclose(loss.binary_cross_entropy(p, y, reduction="none")[:3], -np.log(1e-12), rtol=1e-6)


def test_binary_cross_entropy_with_logits_is_exact_far_out_and_smooth_at_zero() -> None:
    x, y = Tensor(np.array([0.0, 200.0, -200.0])), Tensor(np.array([0.25, 1.0, 0.0]))
    value, slope = (
        f(x, y).asnumpy()
        for f in (
            lambda x, y: loss.binary_cross_entropy_with_logits(x, y, reduction="none"),
            grad(lambda x, y: loss.binary_cross_entropy_with_logits(x, y, reduction="sum")),
        )
    )
    np.testing.assert_allclose(value, [np.log(2), np.exp(-200), np.exp(-200)], rtol=1e-12)
    np.testing.assert_allclose(slope, [0.25, 0, 0], atol=1e-15)


@pytest.mark.parametrize("by_label", [True, False])
def test_cross_entropy_of_images_leaves_the_classes_where_they_lie(by_label: bool) -> None:
    """Nothing of it is stored with the classes last: neighbouring pixels are neighbours in every kernel."""
    target = Tensor(np.zeros((2, 6, 6), np.int32)) if by_label else Tensor(np.full((2, 5, 6, 6), 0.2, np.float32))
    graph = trace(grad(lambda x: loss.cross_entropy(x, target)), (Tensor(apart(2, 5, 6, 6).astype(np.float32)),), {}, "f").graph
    schedule = dict(stage_texts(graph))["schedule"]
    assert "[2,5,6,6] rows" in schedule and "[2,6,6,5]" not in schedule


def test_cross_entropy_is_nll_loss_of_log_softmax_to_the_bit() -> None:
    x, t = Tensor(N(20, 7).astype(np.float32)), Tensor(_rng.integers(0, 7, 20))
    direct, apart_ = loss.cross_entropy(x, t, reduction="none"), loss.nll_loss(composite.log_softmax(x), t, reduction="none")
    np.testing.assert_array_equal(direct.asnumpy(), apart_.asnumpy())


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "graph"])
def test_label_out_of_range_raises_and_ignored_ones_do_not(wrap: Any) -> None:
    x = Tensor(np.zeros((3, 4), np.float32))
    function = wrap(loss.cross_entropy)
    assert function(x, Tensor([1, -100, 3])).item() == pytest.approx(math.log(4))
    for bad in (4, -1):
        with pytest.raises(IndexError, match=f"{bad} at position 1"):
            function(x, Tensor([1, bad, 3]))


def test_max_pool_slope_goes_to_the_first_maximum_and_nan_wins() -> None:
    x = Tensor(np.array([[[[1.0, 1.0], [1.0, 0.0]]]]))
    slope = grad(lambda x: pool.max_pool2d(x, 2).sum())(x)
    np.testing.assert_array_equal(slope.asnumpy(), [[[[1, 0], [0, 0]]]])
    x = Tensor(np.array([[[1.0, np.nan, 7.0, 2.0]]]))
    values, places = pool.max_pool1d(x, 2, 1, return_indices=True)
    np.testing.assert_array_equal(values.asnumpy(), [[[np.nan, np.nan, 7]]])
    np.testing.assert_array_equal(places.asnumpy(), [[[1, 1, 2]]])


@pytest.mark.parametrize("pooling", [
    lambda x: pool.max_pool2d(x, 3, 2, 1, return_indices=True), lambda x: pool.max_pool2d(x, 2, dilation=2, return_indices=True),
    lambda x: adaptive_pool.adaptive_max_pool2d(x, 2, True), lambda x: adaptive_pool.adaptive_max_pool2d(x, (4, 3), True),
])  # fmt: skip
def test_pooled_indices_point_at_the_maxima(pooling: Any) -> None:
    x = apart(2, 3, 6, 6)
    values, places = pooling(Tensor(x))
    assert places.dtype is graphc.int64
    flat = np.take_along_axis(x.reshape(2, 3, -1), places.asnumpy().reshape(2, 3, -1), -1)
    np.testing.assert_array_equal(flat.reshape(values.shape), values.asnumpy())


def test_batch_norm_updates_running_statistics_as_documented() -> None:
    x = N(4, 2, 3).astype(np.float32)
    wanted = (0.9 * 1.0 + 0.1 * x.mean((0, 2)), 0.9 * 2.0 + 0.1 * x.var((0, 2), ddof=1))
    for wrap, kind in itertools.product((lambda f: f, jit), (Parameter, Tensor)):
        normalize = wrap(lambda x, m, v: composite.batch_norm(x, m, v, training=True))
        for _ in range(4):  # in the end by code that is known
            mean, var = kind(np.full(2, 1, np.float32)), kind(np.full(2, 2, np.float32))
            normalize(Tensor(x), mean, var)
            np.testing.assert_allclose(mean.asnumpy(), wanted[0], rtol=1e-6)
            np.testing.assert_allclose(var.asnumpy(), wanted[1], rtol=1e-6)


def test_moments_slope_is_right_although_the_mean_is_taken_as_a_constant() -> None:
    def total(x: Tensor) -> Tensor:
        mean, var = moments(x, (0,))
        return (mean * 3.0 + var * var).sum()

    x = N(5)
    slope = grad(total)(Tensor(x)).asnumpy()
    np.testing.assert_allclose(slope, 3 / 5 + 2 * x.var() * 2 * (x - x.mean()) / 5, rtol=1e-12)
    curvature = grad(lambda x: (grad(total)(x) * Tensor(np.eye(5)[0])).sum())(Tensor(x)).asnumpy()
    center = x - x.mean()
    wanted = 8 / 25 * center[0] * center + 4 * x.var() / 5 * (np.eye(5)[0] - 1 / 5)
    np.testing.assert_allclose(curvature, wanted, rtol=1e-10)


def test_embedding_padding_takes_no_part_in_differentiation() -> None:
    index = Tensor([0, 2, 2, 1])
    slope = grad(lambda w: composite.embedding(index, w, padding_idx=2).sum())(Tensor(np.ones((3, 2))))
    np.testing.assert_array_equal(slope.asnumpy(), [[1, 1], [1, 1], [0, 0]])


# Errors: what, got, expected, where

X = Tensor(np.zeros((2, 3, 8, 8), np.float32))


@pytest.mark.parametrize("call, kind, text", [
    (lambda: linalg.matmul(Tensor(np.zeros((32, 784))), Tensor(np.zeros((100, 128)))), ValueError,
     r"matmul: inner dimensions differ, f64\[32,784\] @ f64\[100,128\] \(784 and 100\)"),
    (lambda: linalg.matmul(Tensor(1.0), X), ValueError, "at least one dimension"),
    (lambda: linalg.matmul(Tensor([[True]]), Tensor([[True]])), TypeError, "one number type"),
    (lambda: linalg.dense(Tensor(np.zeros((2, 5))), Tensor(np.zeros((4, 3)))), ValueError, "5 features.*takes 3"),
    (lambda: linalg.mm(X, X), ValueError, "mm: expected tensors of 2 dimensions"),
    (lambda: linalg.einsum("ij,jk", X), ValueError, "does not name 1 operands"),
    (lambda: linalg.einsum("ij,jk", Tensor(np.zeros((2, 3))), Tensor(np.zeros((4, 2)))), ValueError, "j is 3 and 4"),
    (lambda: linalg.einsum("ij->ik", Tensor(np.zeros((2, 3)))), ValueError, "one that no operand has"),
    (lambda: linalg.tensor_dot(X, X, ((1,), (2,))), ValueError, "differ in extent"),
    (lambda: conv.conv2d(X, Tensor(np.zeros((4, 2, 3, 3), np.float32))), ValueError, "channels do not agree"),
    (lambda: conv.conv2d(X, Tensor(np.zeros((4, 3, 9, 9), np.float32))), ValueError, "larger than the"),
    (lambda: conv.conv2d(X, Tensor(np.zeros((4, 3, 3, 3), np.float32)), pad_mode="xx"), ValueError,
     r"For 'Conv2D', the 'pad_mode' must be str and must be in '\['valid', 'same', 'pad'\]', but got 'xx'."),
    (lambda: conv.conv2d(X, Tensor(np.zeros((4, 3, 3, 3), np.float32)), padding=1), ValueError, "padding must be 0"),
    (lambda: conv.conv2d(X, Tensor(np.zeros((4, 3, 3, 3), np.float32)), stride=0), ValueError, "stride must be"),
    (lambda: conv.conv2d(X, Tensor(np.zeros((4, 3, 3, 3), np.float32)), Tensor(np.zeros(3, np.float32))), ValueError, "bias"),
    (lambda: conv.conv1d(X, X), ValueError, "3 dimensions"),
    (lambda: conv.conv_transpose(X, Tensor(np.zeros((3, 1, 2, 2), np.float32)), output_padding=1), ValueError, "output_padding"),
    (lambda: pool.max_pool2d(X, 9), ValueError, "larger than the input"),
    (lambda: pool.max_pool2d(X, 2, padding=2), ValueError, "padding must be smaller"),
    (lambda: pool.avg_pool2d(X, 2, divisor_override=-1), ValueError, "divisor_override"),
    (lambda: adaptive_pool.adaptive_avg_pool2d(X, (2, 2, 2)), ValueError, "output_size"),
    (lambda: composite.gelu(X, "erf"), ValueError, "approximate"),
    (lambda: composite.layer_norm(X, 7), ValueError, "layer_norm: expected last extents"),
    (lambda: composite.group_norm(X, 2), ValueError, "3 channels do not divide into 2"),
    (lambda: composite.batch_norm(Tensor(np.zeros((1, 3))), None, None, training=True), ValueError, "more than one value"),
    (lambda: composite.batch_norm(X, None, None), ValueError, "running statistics"),
    (lambda: composite.batch_norm(X, np.zeros(3), None, training=True), TypeError, "expected a Parameter or Tensor"),
    (lambda: composite.pixel_shuffle(X, 2), ValueError, "multiple of 2"),
    (lambda: loss.cross_entropy(X, Tensor(np.zeros(2, int))), ValueError, "expected labels of shape"),
    (lambda: loss.cross_entropy(X[0, 0], Tensor(np.zeros(8, int)), reduction="avg"), ValueError, "reduction must be"),
    (lambda: loss.cross_entropy(X[0, 0], Tensor(np.zeros(8, int)), label_smoothing=2), ValueError, "label_smoothing"),
    (lambda: loss.nll_loss(X[0, 0], Tensor(np.zeros(8))), TypeError, "integer labels"),
    (lambda: resize.interpolate(X), ValueError, "either size or scale_factor"),
    (lambda: resize.interpolate(X, 3, mode="linear"), ValueError, "mode must be one of"),
    (lambda: resize.interpolate(X, 3, align_corners=True), ValueError, "align_corners does not go"),
    (lambda: random.dropout(X, 1.5), ValueError, r"p must be a number in \[0, 1\]"),
    (lambda: random.randint(3, 3, (2,)), ValueError, "expected low < high"),
    (lambda: random.rand(2, dtype=graphc.int32), ValueError, "dtype must be a float"),
    (lambda: random.multinomial(Tensor([1.0, 1.0]), 3, False), ValueError, "cannot draw 3 of 2"),
    (lambda: random.rand(2, seed=-1), ValueError, "seed must be"),
])  # fmt: skip
def test_errors_say_what_and_where(call: Any, kind: type, text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        call()
    assert "test_ops_nn.py:" in str(caught.value)


# Random numbers


@pytest.fixture
def seeded() -> None:
    graphc.random.set_seed(11)


def draw(function: Callable[..., Tensor], mode: str) -> list[np.ndarray]:
    graphc.random.set_seed(11)
    both = lambda: (function(), function())  # noqa: E731
    return [t.asnumpy() for t in (jit(both) if mode == "graph" else both)()]


DRAWS: dict[str, Callable[[], Tensor]] = {
    "rand": lambda: random.rand(3, 5),
    "rand float64": lambda: random.rand(3, 5, dtype=graphc.float64),
    "randn": lambda: random.randn((4, 4)),
    "randint": lambda: random.randint(-3, 4, (20,)),
    "randperm": lambda: random.randperm(30),
    "uniform of int32": lambda: random.uniform((3, 2), Tensor([0, 5]), Tensor([2, 9]), dtype=graphc.int32),
    "normal": lambda: random.normal((3,), 1.0, 2.0),
    "bernoulli": lambda: random.bernoulli(Tensor(np.zeros(50)), 0.3),
    "dropout": lambda: random.dropout(Tensor(np.ones(40, np.float32)), 0.4),
    "dropout2d": lambda: random.dropout2d(Tensor(np.ones((2, 9, 2, 2), np.float32)), 0.4),
    "multinomial": lambda: random.multinomial(Tensor([1.0, 2.0, 3.0]), 20),
    "multinomial without replacement": lambda: random.multinomial(Tensor([1.0, 2.0, 3.0, 4.0]), 4, False),
    "truncated_normal": lambda: random.truncated_normal((9,)),
    "laplace": lambda: random.laplace((9,), 0.0, 2.0),
    "gumbel_softmax": lambda: random.gumbel_softmax(Tensor([[1.0, 2.0, 3.0]])),
    "own seed": lambda: random.rand(5, seed=3),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_differ_from_call_to_call_and_agree_between_modes(name: str) -> None:
    eager, graph = draw(DRAWS[name], "eager"), draw(DRAWS[name], "graph")
    assert not np.array_equal(eager[0], eager[1])
    for a, b in zip(eager, graph):
        np.testing.assert_array_equal(a, b)


def test_a_compiled_step_continues_the_stream(seeded: None) -> None:
    step = jit(lambda: random.rand(4))
    first, second = step().asnumpy(), step().asnumpy()
    graphc.random.set_seed(11)
    np.testing.assert_array_equal(random.rand(4).asnumpy(), first)
    np.testing.assert_array_equal(random.rand(4).asnumpy(), second)
    saved = graphc.random.get_rng_state()
    third = step().asnumpy()
    graphc.random.set_rng_state(saved)
    np.testing.assert_array_equal(random.rand(4).asnumpy(), third)
    assert graphc.random.get_seed() == 11


def test_seed_cannot_be_set_in_a_graph() -> None:
    with pytest.raises(RuntimeError, match="set_seed"):
        jit(lambda: graphc.random.set_seed(1) or random.rand(2))()


MARGINS = [  # channels, features, groups, spatial extents, kernel, stride, dilation, padding
    (2, 3, 1, (19,), (3,), (1,), (1,), ((1, 1),)),
    (2, 2, 2, (35,), (3,), (2,), (2,), ((4, 3),)),
    (3, 2, 1, (5, 18), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    (2, 18, 1, (5, 5), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    (20, 17, 1, (4, 4), (3, 3), (2, 2), (1, 1), ((1, 1), (1, 1))),
    (4, 4, 4, (4, 17), (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1))),
    (2, 3, 1, (6, 20), (5, 3), (2, 2), (1, 1), ((2, 2), (2, 0))),
    (2, 2, 1, (3, 4, 5), (2, 3, 3), (1, 2, 1), (1, 1, 2), ((1, 0), (1, 1), (2, 2))),
]


@pytest.mark.parametrize("batch", [1, 3, 16, 20])
@pytest.mark.parametrize("geometry", MARGINS, ids=str)
def test_margins_are_no_zeros(geometry: Any, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Infinite and NaN weights and cotangents beside the padding: in both modes, in every layout, one meaning."""
    c, f, groups, extents, kernel, stride, dilation, pairs = geometry
    rng = np.random.default_rng(batch)
    x, w = (rng.normal(size=shape).astype(np.float32) for shape in ((batch, c, *extents), (f, c // groups, *kernel)))
    first, last = (0, 0, *(0 for _ in kernel)), (-1, -1, *(-1 for _ in kernel))
    w[first], w[last] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        y = naive_conv(x, w, stride, dilation, groups, pairs)
    ct = rng.normal(size=y.shape).astype(np.float32)
    ct[first], ct[last] = -np.inf, np.nan
    function = getattr(conv, f"conv{len(extents)}d")
    flat = tuple(p for pair in pairs for p in pair)

    def forward(x: Tensor, w: Tensor) -> Tensor:
        return function(x, w, None, stride, "pad", flat, dilation, groups)

    def transposed(ct: Tensor, w: Tensor) -> Tensor:
        return conv.conv_transpose(ct, w, None, stride, "pad", flat, rest, dilation, groups)

    geometries = zip(extents, y.shape[2:], stride, dilation, kernel, pairs)
    rest = tuple(n - ((m - 1) * s + d * (k - 1) + 1 - sum(p)) for n, m, s, d, k, p in geometries)
    slopes = grad(lambda x, w, ct: (forward(x, w) * ct).sum(), (0, 1))
    operands = Tensor(x), Tensor(w), Tensor(ct)
    with np.errstate(invalid="ignore"):
        dx, dw = naive_slopes(x, w, ct, stride, dilation, groups, pairs)
    wanted = [y, dx, dw, dx]
    graphc.set_context(pynative_synchronize=True)
    eager = [forward(*operands[:2]), *slopes(*operands), transposed(operands[2], operands[1])]
    compiled = [jit(forward)(*operands[:2]), *jit(slopes)(*operands), jit(transposed)(operands[2], operands[1])]
    monkeypatch.setattr("graphc.passes.batch.COPIED", 0)  # in the lanes, from 16 images on
    together = jit(lambda x, w, ct: (forward(x, w), *slopes(x, w, ct), transposed(ct, w)))(*operands)
    for want, one, *others in zip(wanted, eager, compiled, together):
        np.testing.assert_allclose(one.asnumpy(), want, rtol=1e-5, atol=1e-5)
        for other in others:
            np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())


def test_zeros_padded_by_hand_are_multiplied() -> None:
    x, w = np.ones((1, 1, 3, 3), np.float32), np.full((1, 1, 3, 3), np.inf, np.float32)
    for batch in (1, 16):
        images = Tensor(np.repeat(x, batch, 0))

        def by_hand(x: Tensor, w: Tensor) -> Tensor:
            return conv.conv2d(graphc.ops.pad(x, (1, 1, 1, 1)), w)

        for function in (by_hand, jit(by_hand)):
            y = function(images, Tensor(w)).asnumpy()
            assert np.isnan(y[:, :, 0]).all() and np.isposinf(y[:, :, 1, 1]).all()


def moments_of(x: np.ndarray) -> tuple[float, float, float]:
    return float(x.mean()), float(x.var()), float(((x - x.mean()) ** 4).mean() / x.var() ** 2)


def test_distributions(seeded: None) -> None:
    n = 100_000
    expected = {  # mean, variance, kurtosis
        "rand": (random.rand(n), 1 / 2, 1 / 12, 9 / 5),
        "randn": (random.randn(n), 0, 1, 3),
        "normal": (random.normal((n,), 2.0, 3.0), 2, 9, 3),
        "truncated": (random.truncated_normal((n,)), 0, 0.7737, 2.366),
        "laplace": (random.standard_laplace((n,)), 0, 2, 6),
        "randint": (random.randint(0, 10, (n,)), 4.5, 8.25, 1.776),
        "bernoulli": (random.bernoulli(Tensor(np.zeros(n, np.float32)), 0.25), 0.25, 0.1875, 2.333),
    }
    for name, (tensor, mean, var, kurtosis) in expected.items():
        got = moments_of(tensor.asnumpy().astype(np.float64))
        assert got == pytest.approx((mean, var, kurtosis), rel=0.05, abs=0.02), name
    u = random.rand(n).asnumpy()
    assert u.min() >= 0 and u.max() < 1 and np.array_equal(u * 2**24, np.floor(u * 2**24))
    t = random.truncated_normal((n,), 1.0, 2.0, -1.0, 0.5).asnumpy()
    assert t.min() >= -1 and t.max() <= 2
    counts = np.bincount(random.multinomial(Tensor([1.0, 0.0, 3.0]), n).asnumpy(), minlength=3) / n
    np.testing.assert_allclose(counts, [0.25, 0, 0.75], atol=2e-3)
    assert sorted(random.randperm(1000).asnumpy()) == list(range(1000))
    np.testing.assert_array_equal(random.multinomial(Tensor([1.0, 0.0, 3.0]), 2, False).asnumpy() == 1, [False, False])


def test_dropout_scales_what_it_keeps_and_its_slope_has_the_same_mask(seeded: None) -> None:
    x = Tensor(np.full(10_000, 2.0, np.float32))
    y = random.dropout(x, 0.25).asnumpy()
    assert set(np.unique(y)) == {0.0, np.float32(2 * (1 / 0.75))}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.02)
    graphc.random.set_seed(11)
    slope = grad(lambda x: random.dropout(x, 0.25).sum())(x).asnumpy()
    np.testing.assert_array_equal(slope != 0, y != 0)
    assert random.dropout(x, 0.25, training=False) is x
    np.testing.assert_array_equal(random.dropout(x, 1.0).asnumpy(), np.zeros(10_000))
    channels = random.dropout2d(Tensor(np.ones((8, 16, 3, 3), np.float32)), 0.5).asnumpy()
    assert np.array_equal(channels.min((2, 3)), channels.max((2, 3))) and len(np.unique(channels)) == 2
