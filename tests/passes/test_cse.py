"""Common-subexpression elimination."""

from __future__ import annotations

from textwrap import dedent

from graphs import Made, graphs
from hypothesis import given, settings
from reference import assert_rewrites, assert_same_graphs

from graphc.ir import verify
from graphc.irtext import parse
from graphc.op import infer_node
from graphc.passes.cse import cse


def test_equal_computations_become_one() -> None:
    assert_rewrites(
        cse,
        """
        graph f(%x: f32[2,3]) {
          %0: f32[2,3] = tanh(%x)
          %1: f32[2,3] = tanh(%x)
          %2: f32[2,3] = add(%0, %1)
          %3: f32[2,3] = add(%1, %0)
          %4: f32[2,3] = mul(%2, %3)
          return %4, %1
        }""",
        """
        graph f(%x: f32[2,3]) {
          %0: f32[2,3] = tanh(%x)
          %1: f32[2,3] = add(%0, %0)
          %2: f32[2,3] = mul(%1, %1)
          return %2, %0
        }""",
    )


def test_what_differs_stays_apart() -> None:
    text = """
        graph f(%x: f32[2,2], %y: f32[2,2]) {
          %0: f32[2,2] = sub(%x, %y)
          %1: f32[2,2] = sub(%y, %x)
          %2: f32[2,2] = transpose(%0, perm=(1, 0))
          %3: f32[2,2] = transpose(%0, perm=(0, 1))
          %4: f32[2,2] = broadcast_to(0.0, shape=(2, 2))
          %5: f32[2,2] = broadcast_to(-0.0, shape=(2, 2))
          %6: i32[2,2] = broadcast_to(1:i32, shape=(2, 2))
          %7: i64[2,2] = broadcast_to(1, shape=(2, 2))
          %8: bool[2,2] = broadcast_to(True, shape=(2, 2))
          return %0, %1, %2, %3, %4, %5, %6, %7, %8
        }"""
    assert_rewrites(cse, text, str(parse(dedent(text))))


def test_equal_constants_and_nans_are_one() -> None:
    assert_rewrites(
        cse,
        """
        graph f(%x: f32[]) {
          %0: f32[] = mul(%x, nan)
          %1: f32[] = mul(%x, nan)
          %2: f32[] = add(%0, %1)
          return %2
        }""",
        """
        graph f(%x: f32[]) {
          %0: f32[] = mul(%x, nan)
          %1: f32[] = add(%0, %0)
          return %1
        }""",
    )


def test_inputs_of_one_type_are_never_merged() -> None:
    text = "graph f(%x: f32[], %y: f32[]) {\n  %0: f32[] = sub(%x, %y)\n  return %0\n}"
    assert_rewrites(cse, text, text)


def test_random_numbers_of_one_state_are_one() -> None:
    """They are a function of the state: the same state gives the same numbers."""
    assert_rewrites(
        cse,
        """
        graph f(; %state: i64[2]) {
          %0: i64[3] = random_bits(%state, shape=(3,))
          %1: i64[3] = random_bits(%state, shape=(3,))
          return %0, %1
        }""",
        """
        graph f(; %state: i64[2]) {
          %0: i64[3] = random_bits(%state, shape=(3,))
          return %0, %0
        }""",
    )


def test_the_first_of_equals_keeps_its_place() -> None:
    assert_rewrites(
        cse,
        """
        graph f(%x: f32[]) {
          %0: f32[] = tanh(%x)  # net.a one.py:1
          %1: f32[] = tanh(%x)  # net.b two.py:2
          %2: f32[] = mul(%0, %1)  # vjp of %1
          return %2
        }""",
        """
        graph f(%x: f32[]) {
          %0: f32[] = tanh(%x)     # net.a one.py:1
          %1: f32[] = mul(%0, %0)  # vjp of %0
          return %1
        }""",
    )


@settings(max_examples=80, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_mean_the_same(made: Made) -> None:
    changed = verify(cse(made.graph), infer_node)
    assert_same_graphs(changed, made.graph, seeds=(made.seed,))
    keys = [n.key for n in changed.nodes]
    assert len(set(keys)) == len(keys)
