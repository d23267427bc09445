"""Outputs and updates become nodes of their own."""

from __future__ import annotations

from graphs import Made, graphs
from hypothesis import given, settings
from reference import assert_rewrites, assert_same_graphs

from graphc.ir import LEAVES, verify
from graphc.op import infer_node
from graphc.passes.own_outputs import own_outputs


def test_inputs_constants_and_repetitions_are_copied() -> None:
    assert_rewrites(
        own_outputs,
        """
        graph f(%x: f32[3], %v: f32[3]; %w: f32[3]) {
          %0: f32[3] = tanh(%x)
          update %w <- %v
          return %0, %0, %x, 2.0
        }""",
        """
        graph f(%x: f32[3], %v: f32[3]; %w: f32[3]) {
          %0: f32[3] = tanh(%x)
          %1: f32[3] = copy(%0)
          %2: f32[3] = copy(%x)
          %3: f32[]  = copy(2.0)
          %4: f32[3] = copy(%v)
          update %w <- %4
          return %0, %1, %2, %3
        }""",
    )


def test_an_update_that_is_also_an_output() -> None:
    """The update keeps the node, so that it can be written in place; the output is the copy."""
    assert_rewrites(
        own_outputs,
        """
        graph f(%x: f32[3]; %w: f32[3]) {
          %0: f32[3] = add(%w, %x)
          update %w <- %0
          return %0
        }""",
        """
        graph f(%x: f32[3]; %w: f32[3]) {
          %0: f32[3] = add(%w, %x)
          %1: f32[3] = copy(%0)
          update %w <- %0
          return %1
        }""",
    )


def test_a_swap_of_two_parameters() -> None:
    assert_rewrites(
        own_outputs,
        "graph f(; %p: f32[3], %q: f32[3]) {\n  update %p <- %q\n  update %q <- %p\n  return\n}",
        """
        graph f(; %p: f32[3], %q: f32[3]) {
          %0: f32[3] = copy(%q)
          %1: f32[3] = copy(%p)
          update %p <- %0
          update %q <- %1
          return
        }""",
    )


def test_one_value_for_two_parameters() -> None:
    assert_rewrites(
        own_outputs,
        """
        graph f(%x: f32[3]; %p: f32[3], %q: f32[3]) {
          %0: f32[3] = tanh(%x)
          update %p <- %0
          update %q <- %0
          return
        }""",
        """
        graph f(%x: f32[3]; %p: f32[3], %q: f32[3]) {
          %0: f32[3] = tanh(%x)
          %1: f32[3] = copy(%0)
          update %p <- %0
          update %q <- %1
          return
        }""",
    )


def test_constants_that_hand_made_kernels_read() -> None:
    assert_rewrites(
        own_outputs,
        """
        graph f(%x: f32[3]) {
          %0: f32[3] = scatter_add(%x, 1, 2.0)
          %1: f32[3] = broadcast_to(2.0, shape=(3,))
          %2: f32[3] = add(%0, %1)
          return %2
        }""",
        """
        graph f(%x: f32[3]) {
          %0: i64[]  = copy(1)
          %1: f32[]  = copy(2.0)
          %2: f32[3] = scatter_add(%x, %0, %1)
          %3: f32[3] = broadcast_to(2.0, shape=(3,))
          %4: f32[3] = add(%2, %3)
          return %4
        }""",
    )


def test_the_copy_keeps_its_place() -> None:
    assert_rewrites(
        own_outputs,
        "graph f(%x: f32[3]) {\n  %0: f32[3] = tanh(%x)  # net.act train.py:3\n  return %0, %0\n}",
        """
        graph f(%x: f32[3]) {
          %0: f32[3] = tanh(%x)  # net.act train.py:3
          %1: f32[3] = copy(%0)  # net.act train.py:3
          return %0, %1
        }""",
    )


@settings(max_examples=80, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_mean_the_same(made: Made) -> None:
    changed = verify(own_outputs(made.graph), infer_node)
    assert_same_graphs(changed, made.graph, seeds=(made.seed,))
    ends = [*changed.outputs, *(value for _, value in changed.updates)]
    assert len(set(ends)) == len(ends) and all(n.op not in LEAVES for n in ends)
