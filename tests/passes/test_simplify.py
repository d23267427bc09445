"""Simplification: what goes, what must stay, and that every value is the same to the bit."""

from __future__ import annotations

import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from reference import assert_rewrites, assert_same_graphs

from graphc.ir import verify
from graphc.irtext import parse
from graphc.op import infer_node
from graphc.passes.simplify import simplify


def simplified(*lines: str, inputs: str = "%x: f32[2,3]", result: str = "%x") -> None:
    """The body's last value is simplified to `result`, which is an input or a literal."""
    body = "\n".join(f"  {line}" for line in lines)
    last = lines[-1].split(":")[0]
    assert_rewrites(
        simplify, f"graph f({inputs}) {{\n{body}\n  return {last}\n}}", f"graph f({inputs}) {{\n  return {result}\n}}"
    )


def kept(*lines: str, inputs: str = "%x: f32[2,3]") -> None:
    body = "\n".join(f"  {line}" for line in lines)
    text = f"graph f({inputs}) {{\n{body}\n  return {lines[-1].split(':')[0]}\n}}"
    graph = verify(parse(text), infer_node)
    again = simplify(graph)
    assert str(again) == str(graph)


def test_identities() -> None:
    simplified("%0: f32[2,3] = identity(%x)")
    simplified("%0: f32[2,3] = stop_gradient(%x)")
    simplified("%0: f32[2,3] = cast(%x, dtype=graphc.float32)")
    simplified("%0: f32[2,3] = reshape(%x, shape=(2, 3))")
    simplified("%0: f32[2,3] = broadcast_to(%x, shape=(2, 3))")
    simplified("%0: f32[2,3] = transpose(%x, perm=(0, 1))")


def test_views_of_views() -> None:
    simplified("%0: f32[6] = reshape(%x, shape=(6,))", "%1: f32[2,3] = reshape(%0, shape=(2, 3))")
    simplified("%0: f32[3,2] = transpose(%x, perm=(1, 0))", "%1: f32[2,3] = transpose(%0, perm=(1, 0))")
    assert_rewrites(
        simplify,
        """
        graph f(%x: f32[2,3,4]) {
          %0: f32[3,2,4] = transpose(%x, perm=(1, 0, 2))
          %1: f32[4,3,2] = transpose(%0, perm=(2, 0, 1))
          %2: f32[24] = reshape(%1, shape=(24,))
          %3: f32[6,4] = reshape(%2, shape=(6, 4))
          return %3
        }""",
        """
        graph f(%x: f32[2,3,4]) {
          %0: f32[4,3,2] = transpose(%x, perm=(2, 1, 0))
          %1: f32[6,4]   = reshape(%0, shape=(6, 4))
          return %1
        }""",
    )
    assert_rewrites(
        simplify,
        """
        graph f(%x: f32[1,1,3]) {
          %0: f32[1,2,3] = broadcast_to(%x, shape=(1, 2, 3))
          %1: f32[4,2,3] = broadcast_to(%0, shape=(4, 2, 3))
          return %1
        }""",
        """
        graph f(%x: f32[1,1,3]) {
          %0: f32[4,2,3] = broadcast_to(%x, shape=(4, 2, 3))
          return %0
        }""",
    )


def test_concatenations_of_reshapes() -> None:
    """What is stacked lies as what is concatenated, so the two become one node."""
    inputs = "%x: f32[2,3], %y: f32[4,3]"
    assert_rewrites(
        simplify,
        f"""
        graph f({inputs}) {{
          %0: f32[2,3,1] = reshape(%x, shape=(2, 3, 1))
          %1: f32[4,3,1] = reshape(%y, shape=(4, 3, 1))
          %2: f32[6,3,1] = concat(%0, %1, axis=0)
          return %2
        }}""",
        f"""
        graph f({inputs}) {{
          %0: f32[6,3]   = concat(%x, %y, axis=0)
          %1: f32[6,3,1] = reshape(%0, shape=(6, 3, 1))
          return %1
        }}""",
    )
    other = "%x: f32[2,3], %y: f32[6]"
    kept("%0: f32[3,2] = reshape(%x, shape=(3, 2))", "%1: f32[3,2] = reshape(%y, shape=(3, 2))",
         "%2: f32[6,2] = concat(%0, %1, axis=0)", inputs=other)  # fmt: skip
    kept("%0: f32[3,2] = reshape(%x, shape=(3, 2))", "%1: f32[3,4] = concat(%0, %0, axis=1)")


def test_broadcasts_of_other_ranks_stay() -> None:
    kept(
        "%0: f32[2,3] = broadcast_to(%x, shape=(2, 3))",
        "%1: f32[1,2,3] = reshape(%0, shape=(1, 2, 3))",
        "%2: f32[4,2,3] = broadcast_to(%1, shape=(4, 2, 3))",
        inputs="%x: f32[3]",
    )


WIDE = "%0: f32[2,3] = broadcast_to({}, shape=(2, 3))"


@pytest.mark.parametrize(
    "number, op",
    [("1.0", "mul(%x, %0)"), ("1.0", "mul(%0, %x)"), ("1.0", "div(%x, %0)"), ("-0.0", "add(%x, %0)"),
     ("-0.0", "add(%0, %x)"), ("0.0", "sub(%x, %0)")],
)  # fmt: skip
def test_neutral_elements(number: str, op: str) -> None:
    simplified(WIDE.format(number), f"%1: f32[2,3] = {op}")


@pytest.mark.parametrize(
    "number, op",
    [("0.0", "add(%x, %0)"), ("0.0", "add(%0, %x)"), ("-0.0", "sub(%x, %0)"), ("0.0", "sub(%0, %x)"),
     ("0.0", "mul(%x, %0)"), ("1.0", "div(%0, %x)"), ("2.0", "mul(%x, %0)"), ("1.0", "add(%x, %0)"),
     ("nan", "mul(%x, %0)"), ("-1.0", "mul(%x, %0)")],
)  # fmt: skip
def test_what_would_change_a_float_stays(number: str, op: str) -> None:
    """x + 0.0 turns -0.0 into 0.0; x * 0.0 is NaN where x is."""
    kept(WIDE.format(number), f"%1: f32[2,3] = {op}")


@pytest.mark.parametrize("op", ["add(%x, {0})", "add({0}, %x)", "sub(%x, {0})", "mul(%x, {1})", "mul({1}, %x)"])
def test_neutral_integers(op: str) -> None:
    for dtype in ("i32", "i64", "u8"):
        text = op.format(*("0", "1") if dtype == "i64" else (f"0:{dtype}", f"1:{dtype}"))
        simplified(f"%0: {dtype}[] = {text}", inputs=f"%x: {dtype}[]")


def test_neutral_bools() -> None:
    simplified("%0: bool[] = mul(%x, True)", inputs="%x: bool[]")
    simplified("%0: bool[] = add(False, %x)", inputs="%x: bool[]")
    kept("%0: bool[] = add(True, %x)", inputs="%x: bool[]")


def test_double_negation() -> None:
    simplified("%0: f32[2,3] = neg(%x)", "%1: f32[2,3] = neg(%0)")
    simplified("%0: bool[4] = logical_not(%x)", "%1: bool[4] = logical_not(%0)", inputs="%x: bool[4]")
    kept("%0: f32[2,3] = neg(%x)", "%1: f32[2,3] = abs(%0)", "%2: f32[2,3] = neg(%1)")


@pytest.mark.parametrize(
    "dtype, first, second, total",
    [("i64", "3", "4", "7"), ("i32", "2147483647:i32", "1:i32", "-2147483648:i32"), ("u8", "200:u8", "100:u8", "44:u8"),
     ("i64", "9223372036854775807", "2", "-9223372036854775807"), ("i32", "-5:i32", "5:i32", None)],
)  # fmt: skip
def test_integer_sums_wrap(dtype: str, first: str, second: str, total: str | None) -> None:
    head = f"graph f(%x: {dtype}[]) {{"
    before = f"{head}\n  %0: {dtype}[] = add(%x, {first})\n  %1: {dtype}[] = add(%0, {second})\n  return %1\n}}"
    after = f"{head}\n  %0: {dtype}[] = add(%x, {total})\n  return %0\n}}"
    assert_rewrites(simplify, before, after if total else f"{head}\n  %0: {dtype}[] = add(%x, 0:i32)\n  return %0\n}}")


def test_float_sums_are_not_reassociated() -> None:
    kept("%0: f32[] = add(%x, 1.0)", "%1: f32[] = add(%0, 2.0)", inputs="%x: f32[]")


def test_what_was_rounded_before_is_not_rounded_again() -> None:
    assert_rewrites(
        simplify,
        """
        graph f(%x: f32[2,3]) {
          %0: bf16[2,3] = cast(%x, dtype=graphc.bfloat16)
          %1: f32[2,3]  = cast(%0, dtype=graphc.float32)
          %2: bf16[2,3] = cast(%1, dtype=graphc.bfloat16)
          return %2
        }
        """,
        """
        graph f(%x: f32[2,3]) {
          %0: bf16[2,3] = cast(%x, dtype=graphc.bfloat16)
          return %0
        }
        """,
    )
    again = "%0: f32[2,3] = cast(%x, dtype=graphc.float32)", "%1: bf16[2,3] = cast(%0, dtype=graphc.bfloat16)"
    kept(*again, inputs="%x: bf16[2,3]")  # which makes another NaN of some


def test_casts_that_lose_something_stay() -> None:
    kept("%0: i32[2,3] = cast(%x, dtype=graphc.int32)", "%1: f32[2,3] = cast(%0, dtype=graphc.float32)")


def test_a_rule_never_runs_on_a_node_of_another_op() -> None:
    """`(1 + x) * 1` is `1 + x`, on which the rules of `mul` have nothing to say."""
    assert_rewrites(
        simplify,
        """
        graph f(%x: f32[]) {
          %0: f32[] = add(1.0, %x)
          %1: f32[] = mul(%0, 1.0)
          %2: f32[] = sub(-0.0, %x)
          %3: f32[] = add(%2, -0.0)
          %4: i32[] = cast(%x, dtype=graphc.int32)
          %5: f32[] = cast(%4, dtype=graphc.float32)
          %6: f32[] = reshape(%5, shape=())
          return %1, %3, %6
        }""",
        """
        graph f(%x: f32[]) {
          %0: f32[] = add(1.0, %x)
          %1: f32[] = sub(-0.0, %x)
          %2: i32[] = cast(%x, dtype=graphc.int32)
          %3: f32[] = cast(%2, dtype=graphc.float32)
          return %0, %1, %3
        }""",
    )


POOL = "kernel=(3,), stride=(2,), padding=((1, 0),), dilation=(1,)"


@pytest.mark.parametrize("compare", ["greater({x}, {number})", "less_equal({number}, {x})", "not_equal({x}, {number})"])
def test_a_mask_of_what_was_pooled_asks_the_maxima(compare: str) -> None:
    """Windows that overlap, a margin, and (of some seeds) infinities, NaN and both zeros."""
    made = {"x": f"max_pool(%x, {POOL})", "number": "broadcast_to(0.5, shape=(2, 1, 4))"}
    first, second = sorted(made, key=compare.index)
    assert_rewrites(
        simplify,
        f"""
        graph f(%x: f32[2,1,9], %ct: f32[2,1,4]) {{
          %0: i32[2,1,4]  = max_pool_index(%x, {POOL})
          %1: f32[2,1,9]  = max_pool_grad(%ct, %0, size=(9,), {POOL})
          %2: f32[2,1,9]  = broadcast_to(0.5, shape=(2, 1, 9))
          %3: bool[2,1,9] = {compare.format(x="%x", number="%2")}
          %4: f32[2,1,9]  = broadcast_to(0.0, shape=(2, 1, 9))
          %5: f32[2,1,9]  = select(%3, %1, %4)
          return %5
        }}""",
        f"""
        graph f(%x: f32[2,1,9], %ct: f32[2,1,4]) {{
          %0: f32[2,1,4]  = {made[first]}
          %1: f32[2,1,4]  = {made[second]}
          %2: bool[2,1,4] = {compare.format(**{first: "%0", second: "%1"})}
          %3: f32[2,1,4]  = broadcast_to(0.0, shape=(2, 1, 4))
          %4: f32[2,1,4]  = select(%2, %ct, %3)
          %5: i32[2,1,4]  = max_pool_index(%x, {POOL})
          %6: f32[2,1,9]  = max_pool_grad(%4, %5, size=(9,), {POOL})
          return %6
        }}""",
    )


def test_other_masks_of_what_was_pooled_stay() -> None:
    """They ask something else, put in something else, or the gradient is of other windows."""
    lines = [
        f"%0: i32[2,1,4] = max_pool_index(%x, {POOL})",
        f"%1: f32[2,1,9] = max_pool_grad(%ct, %0, size=(9,), {POOL})",
        "%2: f32[2,1,9] = broadcast_to(0.0, shape=(2, 1, 9))",
        "%3: bool[2,1,9] = greater(%x, %2)",
        "%4: f32[2,1,9] = select(%3, %1, %2)",
    ]
    for number, line in [
        (3, "%3: bool[2,1,9] = greater(%y, %2)"),
        (3, "%3: bool[2,1,9] = greater(%x, %y)"),
        (2, "%2: f32[2,1,9] = broadcast_to(-0.0, shape=(2, 1, 9))"),
        (4, "%4: f32[2,1,9] = select(%3, %2, %1)"),
        (0, f"%0: i32[2,1,4] = max_pool_index(%x, {POOL.replace('(1, 0)', '(0, 1)')})"),
    ]:
        kept(*lines[:number], line, *lines[number + 1 :], inputs="%x: f32[2,1,9], %y: f32[2,1,9], %ct: f32[2,1,4]")


def test_views_of_all_that_is_woven_come_after_it() -> None:
    """Uneven phases of five rows, turned and transposed: places are those in what is not turned."""
    assert_rewrites(
        simplify,
        """
        graph f(%x: f32[4,3], %y: f32[4,2]) {
          %0: f32[3,4] = transpose(%x, perm=(1, 0))
          %1: f32[3,4] = flip(%0, axes=(0,))
          %2: f32[2,4] = transpose(%y, perm=(1, 0))
          %3: f32[2,4] = flip(%2, axes=(0,))
          %4: f32[5,4] = weave(%1, %3, begins=((0, 0), (1, 0)), step=(2, 1), shape=(5, 4))
          return %4
        }""",
        """
        graph f(%x: f32[4,3], %y: f32[4,2]) {
          %0: f32[4,5] = weave(%x, %y, begins=((0, 0), (0, 1)), step=(1, 2), shape=(4, 5))
          %1: f32[5,4] = transpose(%0, perm=(1, 0))
          %2: f32[5,4] = flip(%1, axes=(0,))
          return %2
        }""",
    )
    kept(
        "%0: f32[2,3] = flip(%x, axes=(1,))",
        "%1: f32[2,3] = flip(%y, axes=(0, 1))",
        "%2: f32[4,3] = weave(%0, %1, begins=((0, 0), (1, 0)), step=(2, 1), shape=(4, 3))",
        inputs="%x: f32[2,3], %y: f32[2,3]",
    )


def test_chains_collapse_in_one_run() -> None:
    simplified(
        "%0: f32[2,3] = identity(%x)",
        "%1: f32[2,3] = neg(%0)",
        "%2: f32[2,3] = stop_gradient(%1)",
        "%3: f32[2,3] = neg(%2)",
        WIDE.format("1.0").replace("%0", "%4"),
        "%5: f32[2,3] = mul(%3, %4)",
        "%6: f32[3,2] = transpose(%5, perm=(1, 0))",
        "%7: f32[2,3] = transpose(%6, perm=(1, 0))",
    )


def test_updates_are_simplified_too() -> None:
    assert_rewrites(
        simplify,
        "graph f(%x: f32[3]; %w: f32[3]) {\n  %0: f32[3] = identity(%x)\n  update %w <- %0\n  return\n}",
        "graph f(%x: f32[3]; %w: f32[3]) {\n  update %w <- %x\n  return\n}",
    )


@settings(max_examples=80, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_mean_the_same(made: Made) -> None:
    changed = verify(simplify(made.graph), infer_node)
    assert_same_graphs(changed, made.graph, seeds=(made.seed,))
    assert len(changed.nodes) <= len(made.graph.nodes)
    assert str(simplify(changed)) == str(changed)
