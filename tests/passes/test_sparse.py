"""Gradients of tables of which few rows were looked up: made where they are read, to the last bit."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest
from modes import compiled, eagerly, threads
from reference import assert_same_run
from stages import graph_of, prepared, scheduled

from graphc.ir import Graph
from graphc.passes.sparse import sparse


def added(rows: int, columns: int, positions: str, zero: str = "0.0", dtype: str = "f32") -> str:
    """Rows added to a scalar at positions."""
    count = positions[positions.index("[") + 1 : -1]
    return dedent(
        f"""
        graph f(%i: {positions}, %u: {dtype}[{count},{columns}]) {{
          %0: {dtype}[{rows},{columns}] = broadcast_to({zero}, shape=({rows}, {columns}))
          %1: {dtype}[{rows},{columns}] = scatter_add(%0, %i, %u)
          return %1
        }}"""
    )


def test_rows_added_to_zeros_are_made_where_they_are_read() -> None:
    expected = """
        graph f(%i: i64[5], %u: f32[5,16]) {
          %0: f32[5,16]  = broadcast_to(0.0, shape=(5, 16))
          %1: i32[20]    = first_places(%i, extent=20, name='scatter_add')
          %2: i32[5]     = gather(%1, %i, axis=0, batch_dims=0)
          %3: f32[5,16]  = scatter_add(%0, %2, %u)
          %4: f32[20,16] = rows_or_zero(%3, %1)
          return %4
        }"""
    assert str(sparse(graph_of(added(20, 16, "i64[5]")))) == dedent(expected).strip()


@pytest.mark.parametrize(
    ("text", "few"),
    [
        (added(20, 16, "i64[5]"), True),
        (added(20, 16, "i32[2,2]"), True),
        (added(20, 16, "i64[5]", zero="0.0:f64", dtype="f64"), True),
        (added(19, 16, "i64[5]"), False),  # more than a quarter
        (added(20, 15, "i64[5]"), False),  # short rows
        (added(20, 16, "i64[0]"), False),
        (added(20, 16, "i64[5]", zero="-0.0"), False),
        (added(20, 16, "i64[5]", zero="1.0"), False),
        (added(20, 16, "i64[5]", zero="0:i32", dtype="i32"), False),
    ],
)
def test_where_rows_are_few(text: str, few: bool) -> None:
    assert any(node.op == "rows_or_zero" for node in sparse(graph_of(text)).nodes) == few


def updated_table(rows: int, columns: int, count: int) -> Graph:
    """A step of momentum on a table."""
    shape = f"f32[{rows},{columns}]"
    return graph_of(
        f"""
        graph f(%i: i32[{count}], %u: f32[{count},{columns}]; %w: {shape}, %m: {shape}) {{
          %0: {shape} = broadcast_to(0.0, shape=({rows}, {columns}))
          %1: {shape} = scatter_add(%0, %i, %u)
          %2: {shape} = broadcast_to(0.9, shape=({rows}, {columns}))
          %3: {shape} = mul(%m, %2)
          %4: {shape} = add(%3, %1)
          %5: {shape} = sub(%w, %4)
          update %w <- %5
          update %m <- %4
        }}"""
    )


@pytest.mark.parametrize("columns", [16, 17, 33, 64])
@pytest.mark.parametrize("count", [1, 7, 33])
def test_a_table_is_updated_to_the_same_bits(columns: int, count: int) -> None:
    graph, rng = updated_table(140, columns, count), np.random.default_rng(count)
    inputs = [rng.standard_normal(i.shape).astype(i.dtype.np) for i in graph.inputs]
    inputs[0] = rng.integers(0, 9, count).astype(np.int32)  # many the same
    inputs[1][0, :3] = -0.0, np.inf, np.nan
    for number in (1, 2):
        with threads(number):
            assert_same_run(eagerly(graph, inputs), compiled(graph, inputs))


def test_the_gradient_of_a_table_is_never_stored() -> None:
    graph = prepared(updated_table(4000, 16, 8))
    stored = [node for group in scheduled(graph).groups for node in group.stores]
    large = [node for node in stored if node.shape == (4000, 16)]
    assert {value for _, value in graph.updates} == {*large}


def test_a_wrong_position_leaves_the_table_as_it_was() -> None:
    from modes import Compiled

    graph = updated_table(140, 16, 3)
    table = np.ones((140, 16), np.float32)
    made = Compiled(graph, [np.zeros(3, np.int32), np.ones((3, 16), np.float32), table, table])
    with pytest.raises(IndexError, match=r"scatter_add: index 140 at position 1 is out of range \[0, 140\)"):
        made([np.array([0, 140, 1], np.int32), np.ones((3, 16), np.float32), table, table])
    assert all(np.array_equal(p.asnumpy(), table) for p in made.bound.values())
