"""Relative addresses: buffers begin where they are used first, and kernels at different places become one."""

from __future__ import annotations

from collections.abc import Hashable
from textwrap import dedent

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from modes import compiled, eagerly
from reference import assert_same, assert_same_run, input_arrays
from stages import graph_of
from unrolled import Unrolled

import graphc.compiler
from graphc import Tensor
from graphc.compiler import compile_program, stage_texts
from graphc.loops import structure
from graphc.schedule import Twin
from graphc.trace import trace

ROWS = """
    graph f(%x: f32[4,8]; %w: f32[8,3]) {
      %0: f32[1,8] = slice(%x, begin=(1, 0), shape=(1, 8), step=(1, 1))
      %1: f32[1,8] = tanh(%0)
      %2: f32[1,8] = slice(%x, begin=(3, 0), shape=(1, 8), step=(1, 1))
      %3: f32[1,8] = tanh(%2)
      %4: f32[1,8] = slice(%x, begin=(0, 0), shape=(1, 8), step=(1, 1))
      %5: f32[1,3] = matmul(%4, %w, transpose_a=False, transpose_b=False)
      %6: f32[1,3] = matmul(%0, %w, transpose_a=False, transpose_b=False)
      return %1, %3, %5, %6
    }"""


def test_buffers_begin_where_they_are_used_first() -> None:
    text = dict(stage_texts(graph_of(ROWS)))["kernels"]
    assert text.startswith(
        dedent(
            """\
            kernel slice_tanh(x+8: f32[24], 1: f32[8]) {
              for i2 in 0..8 vector {
                1[i2] = tanh(x+8[i2])
              }
            }
            kernel slice_tanh(x+24: f32[8], 3: f32[8]) {"""
        )
    )


def test_kernels_at_different_places_are_one() -> None:
    graph = graph_of(ROWS)
    program = compile_program(graph)
    names = [code.name for code in program.codes]
    assert names[0] == names[1] and names[2] == names[3] and len({*names}) == 2
    assert [home.beyond for homes in program.homes for home in homes if home.kind == "input" and home.at == 0] == [
        32, 96, 0, 32
    ]  # fmt: skip
    for seed in (0, 1):
        arrays = input_arrays(graph, seed)
        assert_same_run(compiled(graph, arrays), eagerly(graph, arrays))


def test_what_differs_in_anything_but_places_is_not_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphc.compiler, "alike", lambda schedule: {g: Twin(g, {}) for g in schedule.groups})

    def told(text: str) -> list[Hashable]:
        program = compile_program(graph_of(text))
        return [structure(kernel) for group in program.schedule.groups if (kernel := program.kernel(group))]

    same = told(ROWS)
    assert same[0] == same[1] and same[0] != same[2] and None not in same
    other = told(ROWS.replace("tanh(%2)", "exp(%2)"))
    assert other[0] != other[1]


def test_a_step_of_a_recurrent_network_is_compiled_once() -> None:
    net = Unrolled("GRU", 3, 5)
    graph = trace(net, (Tensor(np.zeros((9, 2, 3), np.float32)),), {}, "net").graph
    program = compile_program(graph)
    steps = [code.name for code in program.codes if "matmul" in code.name and code.units]
    assert len(steps) >= 9 and len({*steps}) <= 4, "the first step has no state, and the input is another product"


def test_arguments_and_results_of_slices_in_every_call() -> None:
    """Addresses beyond the beginning of a buffer follow it from call to call."""
    from graphc import jit, ops

    step = jit(lambda x: (ops.tanh(x[2:]), ops.concat([ops.exp(x[:1]), ops.sin(x[1:])], 0)))
    for seed in range(3):
        x = np.random.default_rng(seed).normal(size=(5, 7)).astype(np.float32)
        first, second = step(Tensor(x))
        assert_same(first.asnumpy(), ops.tanh(Tensor(x[2:])).asnumpy())
        assert_same(second.asnumpy()[1:], ops.sin(Tensor(x[1:])).asnumpy())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs(most=12))
def test_random_graphs_mean_the_same(made: Made) -> None:
    arrays = input_arrays(made.graph, made.seed)
    assert_same_run(compiled(made.graph, arrays), eagerly(made.graph, arrays))
