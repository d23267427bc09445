"""Masked: products of which a mask leaves blocks out are told so, and keep every bit."""

from __future__ import annotations

import math
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from modes import compiled, eagerly, threads
from reference import assert_rewrites, assert_same_run
from stages import graph_of

import graphc as ms
from graphc import Tensor, ops
from graphc.compiler import stage_texts
from graphc.ir import Graph
from graphc.passes.masked import masked
from graphc.trace import trace

ATTENTION = """
    graph f(%q: f32[2,40,8], %k: f32[2,40,8], %v: f32[2,40,8]) {
      %0: i64[2,40,40]  = iota(shape=(2, 40, 40), axis=2, dtype=graphc.int64)
      %1: i64[2,40,40]  = iota(shape=(2, 40, 40), axis=1, dtype=graphc.int64)
      %2: bool[2,40,40] = less_equal(%0, %1)
      %3: f32[2,40,40]  = matmul(%q, %k, transpose_a=False, transpose_b=True)
      %4: f32[2,40,40]  = broadcast_to(-inf, shape=(2, 40, 40))
      %5: f32[2,40,40]  = select(%2, %3, %4)
      %6: f32[2,40]     = max(%5, run=(2, 3))
      %7: f32[2,40,1]   = reshape(%6, shape=(2, 40, 1))
      %8: f32[2,40,40]  = broadcast_to(%7, shape=(2, 40, 40))
      %9: f32[2,40,40]  = sub(%5, %8)
      %10: f32[2,40,40] = exp(%9)
      %11: f32[2,40,8]  = matmul(%10, %v, transpose_a=False, transpose_b=False)
      return %11
    }"""


def test_scores_that_are_not_taken_and_weights_that_are_zero() -> None:
    after = ATTENTION.replace("matmul(%q, %k, ", "masked_matmul(%q, %k, where=2, ")
    assert_rewrites(masked, ATTENTION, after.replace("matmul(%10, %v, ", "masked_matmul(%10, %v, where=0, "))


def products(function: Callable[..., Any], *inputs: Tensor) -> list[int | None]:
    """What the pass says of the products of a function, in order."""
    graph = masked(trace(function, inputs, {}, "f").graph)
    return [node.attrs.get("where") for node in graph.nodes if "matmul" in node.op]


def attend(scores: Tensor, v: Tensor) -> Tensor:
    return ops.matmul(ops.softmax(scores, -1), v)


def floats(*shape: int, seed: int = 0) -> Tensor:
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


Q, K, V = (floats(2, 24, 8, seed=n) for n in range(3))
UPPER = Tensor(np.triu(np.ones((24, 24), bool), 1))
LOWER = Tensor(np.tril(np.ones((24, 24), np.float32)))
LENGTHS = Tensor(np.array([9, 24], np.int32))


def scores() -> Tensor:
    return ops.matmul(Q, K.swapaxes(1, 2)) / 3.0


def beyond(lengths: Tensor) -> Tensor:
    """Where the keys of a batch's entries are padding."""
    return ops.arange(24) >= lengths[:, None, None]


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda n: attend(scores().masked_fill(UPPER, -1e9), V), [2, 0]),
        (lambda n: attend(scores().masked_fill(LOWER == 0, -math.inf), V), [2, 0]),
        (lambda n: attend(ops.select(beyond(n), -1e4, scores()), V), [2, 0]),
        (lambda n: attend(scores() + beyond(n).astype(ms.float32) * -1e9, V), [None, 0]),
        (lambda n: ops.matmul(V.swapaxes(1, 2), ops.select(UPPER, scores(), 0.0)), [2, 1]),
        (lambda n: ops.scaled_dot_product_attention(Q, K, V, is_causal=True), [2, 0]),
        # which numbers are zero depends on numbers, or on chance
        (lambda n: ops.matmul(ops.relu(scores()), V), [None, None]),
        (lambda n: ops.matmul(ops.select(scores() > 0.5, scores(), 0.0), V), [None, None, None]),
        (lambda n: ops.matmul(ops.dropout(scores(), 0.5), V), [None, None]),
        (lambda n: attend(scores(), V), [None, None]),
        (lambda n: attend(scores().masked_fill(UPPER, -1.0), V), [2, None]),
    ],
)
def test_which_products_are_masked(function: Callable[[Tensor], Tensor], found: list[int | None]) -> None:
    assert products(function, LENGTHS) == found


def given(graph: Graph, odd: bool) -> list[np.ndarray]:
    """Inputs of an attention; with numbers that are not finite, and ones so small that products round to -0.0."""
    rng = np.random.default_rng(7)
    q, k, v = (rng.standard_normal(i.shape).astype(np.float32) for i in graph.inputs)
    if odd:
        v[0, -3, 1], k[1, 40, 2], v[1, -40, 0] = np.nan, np.inf, -np.inf
        v[0, :100, 3], v[0, 100:, 3] = -1e-45, 1.0
    return [q, k, v]


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("length", [129, 200, 257, 300])
def test_every_bit_is_that_of_the_whole_product(length: int, odd: bool) -> None:
    text = ATTENTION.replace("40,40]", f"{length},{length}]").replace("40, 40)", f"{length}, {length})")
    text = text.replace("40,", f"{length},").replace("40]", f"{length}]")
    graph = graph_of(dedent(text))
    inputs = given(graph, odd)
    for number in (1, 2):
        with threads(number):
            assert_same_run(compiled(masked(graph), inputs), eagerly(graph, inputs))


def test_kernels_are_told() -> None:
    text = dict(stage_texts(graph_of(dedent(ATTENTION))))["kernels"]
    assert text.count("masked acc") == text.count("masked a\n") == 1
