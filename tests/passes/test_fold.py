"""Constant folding: exact ops of scalars, computed at compile time to the bit."""

from __future__ import annotations

from graphs import Made, graphs
from hypothesis import given, settings
from reference import assert_rewrites, assert_same_graphs

from graphc.ir import verify
from graphc.op import TABLE, infer_node
from graphc.passes.fold import fold


def folds(line: str, literal: str) -> None:
    name, type_ = line.split(" = ")[0].split(": ")
    assert name == "%0"
    head = f"graph f(%x: {type_}) {{"
    assert_rewrites(fold, f"{head}\n  {line}\n  return %0, %x\n}}", f"{head}\n  return {literal}, %x\n}}")


def stays(line: str) -> None:
    text = f"graph f() {{\n  {line}\n  return %0\n}}"
    assert_rewrites(fold, text, text)


def test_arithmetic() -> None:
    folds("%0: f32[] = add(2.0, 3.0)", "5.0")
    folds("%0: f32[] = div(1.0, 3.0)", "0.3333333432674408")
    folds("%0: f64[] = div(1.0:f64, 3.0:f64)", "0.3333333333333333:f64")
    folds("%0: f32[] = div(1.0, -0.0)", "-inf")
    folds("%0: f32[] = sub(inf, inf)", "nan")
    folds("%0: f32[] = mul(-0.0, 5.0)", "-0.0")
    folds("%0: f32[] = sqrt(2.0)", "1.4142135381698608")
    folds("%0: i32[] = add(2147483647:i32, 1:i32)", "-2147483648:i32")
    folds("%0: u8[] = sub(3:u8, 4:u8)", "255:u8")
    folds("%0: i64[] = floor_div(-7, 2)", "-4")
    folds("%0: i64[] = floor_div(7, 0)", "0")
    folds("%0: bool[] = logical_and(True, False)", "False")


def test_comparisons_choices_and_casts() -> None:
    folds("%0: bool[] = less(nan, 1.0)", "False")
    folds("%0: bool[] = not_equal(nan, nan)", "True")
    folds("%0: f32[] = select(False, 1.0, 2.0)", "2.0")
    folds("%0: i32[] = cast(-2.7, dtype=graphc.int32)", "-2:i32")
    folds("%0: u8[] = cast(300.0, dtype=graphc.uint8)", "255:u8")
    folds("%0: i64[] = cast(nan, dtype=graphc.int64)", "0")
    folds("%0: f32[] = cast(16777217, dtype=graphc.float32)", "16777216.0")
    folds("%0: f32[] = reshape(2.5, shape=())", "2.5")


def test_chains_fold_in_one_run() -> None:
    assert_rewrites(
        fold,
        """
        graph f(%x: f32[3]) {
          %0: f32[] = add(2.0, 3.0)
          %1: f32[] = mul(%0, %0)
          %2: f32[3] = broadcast_to(%1, shape=(3,))
          %3: f32[3] = mul(%x, %2)
          return %3
        }""",
        """
        graph f(%x: f32[3]) {
          %0: f32[3] = broadcast_to(25.0, shape=(3,))
          %1: f32[3] = mul(%x, %0)
          return %1
        }""",
    )


def test_what_is_not_exact_not_scalar_or_not_known_stays() -> None:
    stays("%0: f32[] = exp(1.0)")
    stays("%0: f32[] = pow(2.0, 0.5)")
    stays("%0: f32[3] = broadcast_to(1.0, shape=(3,))")
    stays("%0: i64[1] = iota(shape=(1,), axis=0, dtype=graphc.int64)")
    text = "graph f(%x: f32[]) {\n  %0: f32[] = add(%x, 1.0)\n  return %0\n}"
    assert_rewrites(fold, text, text)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_mean_the_same(made: Made) -> None:
    changed = verify(fold(made.graph), infer_node)
    assert_same_graphs(changed, made.graph, seeds=(made.seed,))
    for node in changed.nodes:
        known = node.operands and not node.shape and all(o.op == "constant" for o in node.operands)
        known = known and not node.dtype.is_complex  # which `pairs` has taken away before
        assert not known or not TABLE[node.op].exact or "checks" in TABLE[node.op].traits
