"""Portions: which sums are cut, into what, how near they are then to the exact ones, and the same bits everywhere."""

from __future__ import annotations

import numpy as np
import pytest
from modes import compiled, eagerly, threads
from reference import assert_same_run
from stages import graph_of

from graphc import Tensor, ops
from graphc.ir import Graph, verify
from graphc.irtext import graph_text
from graphc.op import MOST_TERMS, infer_node
from graphc.passes.portions import portions


def after(graph: Graph) -> list[str]:
    """What the pass makes, a node in each line."""
    return [line.strip() for line in graph_text(verify(portions(graph), infer_node), comments=False).splitlines()[1:-2]]


def total(*shape: int, run: tuple[int, int], dtype: str = "f32") -> Graph:
    extents = ",".join(map(str, shape))
    left = ",".join(map(str, shape[: run[0]] + shape[run[1] :]))
    return graph_of(
        f"""
        graph f(%x: {dtype}[{extents}]) {{
          %0: {dtype}[{left}] = sum(%x, run={run})
          return %0
        }}"""
    )


def product(*batch: int, depth: int, a: bool = False, b: bool = False, dtype: str = "f32") -> Graph:
    """Of 3 rows and 5 columns."""
    left, right = ((depth, 3) if a else (3, depth)), ((5, depth) if b else (depth, 5))
    x, y, z = (",".join(map(str, (*batch, *matrix))) for matrix in (left, right, (3, 5)))
    return graph_of(
        f"""
        graph f(%x: {dtype}[{x}], %y: {dtype}[{y}]) {{
          %0: f32[{z}] = matmul(%x, %y, transpose_a={a}, transpose_b={b})
          return %0
        }}"""
    )


def test_a_sum_is_cut_into_portions_of_one_size() -> None:
    assert after(total(2, 1_000_000, 3, run=(1, 2))) == [
        "%0: f32[2,250,4000,3] = reshape(%x, shape=(2, 250, 4000, 3))",
        "%1: f32[2,250,3]      = sum(%0, run=(2, 3))",
        "%2: f32[2,3]          = sum(%1, run=(1, 2))",
    ]


def test_several_axes_are_one() -> None:
    assert after(total(64, 3, 40, 100, run=(0, 4))) == [
        "%0: f32[768000]   = reshape(%x, shape=(768000,))",
        "%1: f32[192,4000] = reshape(%0, shape=(192, 4000))",
        "%2: f32[192]      = sum(%1, run=(1, 2))",
        "%3: f32[]         = sum(%2, run=(0, 1))",
    ]


def test_what_is_left_over_is_a_portion_of_its_own() -> None:
    assert after(total(40_009, run=(0, 1))) == [  # a prime
        "%0: f32[36864]  = slice(%x, begin=(0,), shape=(36864,), step=(1,))",
        "%1: f32[9,4096] = reshape(%0, shape=(9, 4096))",
        "%2: f32[9]      = sum(%1, run=(1, 2))",
        "%3: f32[]       = sum(%2, run=(0, 1))",
        "%4: f32[3145]   = slice(%x, begin=(36864,), shape=(3145,), step=(1,))",
        "%5: f32[]       = sum(%4, run=(0, 1))",
        "%6: f32[]       = add(%3, %5)",
    ]


@pytest.mark.parametrize(
    "graph",
    [
        total(MOST_TERMS, run=(0, 1)), total(10**6, run=(0, 1), dtype="i32"),
        product(depth=MOST_TERMS, a=True), product(depth=4 * MOST_TERMS),
    ],
)  # fmt: skip
def test_short_sums_and_those_of_integers_stay(graph: Graph) -> None:
    assert portions(graph) is graph


def test_a_product_is_cut_along_what_it_sums() -> None:
    assert after(product(7, depth=8 * MOST_TERMS)) == [
        "%0: f32[7,3,32,4096] = reshape(%x, shape=(7, 3, 32, 4096))",
        "%1: f32[7,32,3,4096] = transpose(%0, perm=(0, 2, 1, 3))",
        "%2: f32[7,32,4096,5] = reshape(%y, shape=(7, 32, 4096, 5))",
        "%3: f32[7,32,3,5]    = matmul(%1, %2, transpose_a=False, transpose_b=False)",
        "%4: f32[7,3,5]       = sum(%3, run=(1, 2))",
    ]


SUMS = [
    *(total(n, run=(0, 1)) for n in (MOST_TERMS + 1, 40_009, 100_000, 3 * MOST_TERMS + 17)),
    total(3, MOST_TERMS + 7, 5, run=(1, 2)), total(17, 33, 65, 2, run=(0, 3)), total(70_001, 1, run=(0, 2)),
    total(5, 40_000, run=(1, 2)), total(20_001, 31, run=(0, 1)),
]  # fmt: skip
PRODUCTS = [
    *(product(depth=5 * MOST_TERMS, a=a, b=b) for a in (False, True) for b in (False, True)),
    *(product(depth=depth, a=True) for depth in (MOST_TERMS + 1, 2 * MOST_TERMS + 129, 32_771)),
    product(2, depth=70_001, b=True), product(2, 2, depth=3 * MOST_TERMS, a=True),
    product(depth=MOST_TERMS + 2, a=True, dtype="bf16"),
]  # fmt: skip


def arguments(graph: Graph) -> list[np.ndarray]:
    rng = np.random.default_rng(0,)
    return [rng.random(i.shape).astype(i.dtype.np) for i in graph.inputs]


@pytest.mark.parametrize("graph", SUMS + PRODUCTS, ids=lambda graph: str(graph.inputs[0].type))
def test_sums_are_right_and_the_same_in_both_modes(graph: Graph) -> None:
    x, *others = arguments(graph)
    node = graph.nodes[-1]
    if node.op == "sum":
        lo, hi = node.attrs["run"]
        wanted = x.astype(np.float64).sum(tuple(range(lo, hi)))
    else:
        left, right = x.astype(np.float64), others[0].astype(np.float64)
        left = left.swapaxes(-1, -2) if node.attrs["transpose_a"] else left
        wanted = left @ (right.swapaxes(-1, -2) if node.attrs["transpose_b"] else right)
    found = compiled(graph, [x, *others])
    np.testing.assert_allclose(found[0][0], wanted, rtol=1e-5)
    assert_same_run(eagerly(graph, [x, *others]), found)
    with threads(2):
        assert_same_run(compiled(graph, [x, *others]), found)


def test_millions_of_equal_terms_add_up() -> None:
    """Each chain of such a sum is off in one direction, by more with every term."""
    x = np.full((4000, 1000), 0.1, np.float32)
    exact = x.sum(dtype=np.float64)
    assert abs(float(ops.sum(Tensor(x))) / exact - 1) < 1e-5
    assert abs(float(Tensor(x).mean()) / (exact / x.size) - 1) < 1e-5
    columns = ops.sum(Tensor(x.reshape(-1, 4)), 0).asnumpy()
    np.testing.assert_allclose(columns, exact / 4, rtol=1e-5)
    ones = np.ones((x.size, 1), np.float32)
    np.testing.assert_allclose(ops.matmul(Tensor(x.reshape(1, -1)), Tensor(ones)).asnumpy(), exact, rtol=5e-5)
