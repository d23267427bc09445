"""Index expressions against Python's integers: every form, its bounds, its steps, and what must become affine again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphc.dtype import int64
from graphc.index import Gathered, Ix, Quotient, Remainder, Var
from graphc.loop_builder import LoopBuilder
from graphc.schedule import ravel, unravel

Values = dict[Var, int]
Shape = tuple[int, ...]


def evaluate(ix: Ix, values: Values) -> int:
    """The expression as it is written, by Python's own arithmetic."""
    total = ix.const
    for atom, coefficient in ix.terms:
        if isinstance(atom, Var):
            total += coefficient * values[atom]
        else:
            assert isinstance(atom, (Quotient, Remainder))
            inner = evaluate(atom.of, values)
            total += coefficient * (inner // atom.by if isinstance(atom, Quotient) else inner % atom.by)
    return total


def places(variables: list[Var]) -> Iterator[Values]:
    for digits in product(*(range(v.extent) for v in variables)):
        yield dict(zip(variables, digits, strict=True))


VARIABLES = [Var("i", 5), Var("j", 4), Var("k", 6)]

Expression = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["i", "j", "k"]),
        st.integers(-9, 9),
        st.tuples(st.sampled_from("+-"), Expression, Expression),
        st.tuples(st.just("*"), Expression, st.integers(-6, 6)),
        st.tuples(st.sampled_from(["//", "%"]), Expression, st.integers(1, 8)),
    )
)


def build(tree: object, values: Values | None) -> object:
    """The expression as an `Ix`, or with `values` as an int: the same operators on both."""
    if isinstance(tree, str):
        var = VARIABLES["ijk".index(tree)]
        return Ix.of(var) if values is None else values[var]
    if isinstance(tree, int):
        return tree
    op, left, right = tree  # type: ignore[misc]
    x, y = build(left, values), build(right, values)
    return {
        "+": lambda: x + y, "-": lambda: x - y, "*": lambda: x * y, "//": lambda: x // y, "%": lambda: x % y,
    }[op]()  # type: ignore[operator]  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(Expression)
def test_expressions_mean_what_python_says(tree: object) -> None:
    ix = Ix.of(build(tree, None))  # type: ignore[arg-type]
    low, high = ix.bounds
    for values in places(VARIABLES):
        wanted = build(tree, values)
        assert evaluate(ix, values) == wanted, f"{tree} is {ix} at {values}"
        assert low <= wanted <= high, f"{tree} is {ix}, bounds {low} to {high}, at {values} {wanted}"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(Expression)
def test_coefficients_are_the_steps(tree: object) -> None:
    ix = Ix.of(build(tree, None))  # type: ignore[arg-type]
    for var in VARIABLES:
        step = ix.coefficient(var)
        if step is None:
            assert var in ix.variables
            continue
        if not step:
            assert var not in {a for a, _ in ix.terms}
        for values in places(VARIABLES):
            if values[var]:
                before = {**values, var: values[var] - 1}
                assert evaluate(ix, values) - evaluate(ix, before) == step


@settings(max_examples=150, deadline=None, derandomize=True)
@given(Expression, Expression)
def test_substitution(tree: object, inner: object) -> None:
    ix = Ix.of(build(tree, None))  # type: ignore[arg-type]
    new = Ix.of(build(inner, None))  # type: ignore[arg-type]
    moved = Var("m", 9)
    replaced = ix.substitute({VARIABLES[0]: new % 5, VARIABLES[1]: Ix.of(moved) // 3})
    for values in places([*VARIABLES, moved]):
        at = {**values, VARIABLES[0]: evaluate(new, values) % 5, VARIABLES[1]: values[moved] // 3}
        assert evaluate(replaced, values) == evaluate(ix, at)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(Expression, Expression)
def test_sums_do_not_depend_on_their_order(left: object, right: object) -> None:
    x, y = (Ix.of(build(t, None)) for t in (left, right))  # type: ignore[arg-type]
    assert x + y == y + x and hash(x + y) == hash(y + x) and str(x + y) == str(y + x)
    assert (x - x) == 0 and (x - x).constant == 0


# Forms


def test_text() -> None:
    i, j = Var("i", 6), Var("j", 3)
    assert str(Ix.of(i) * 4 + Ix.of(j) - 2) == "4*i+j-2"
    assert str(Ix.of(0)) == "0" and str(Ix.of(i) * 0 + 7) == "7"
    assert str((Ix.of(i) + 1) // 4) == "(i+1)//4" and str((Ix.of(i) + 1) % 4) == "(i+1)%4"


def test_constants() -> None:
    i = Ix.of(Var("i", 6))
    assert Ix.of(5).constant == 5 and i.constant is None and (i * 0).constant == 0
    assert Ix.of(5) == 5 and i != 5
    assert Ix.of(-7) // 2 == -4 and Ix.of(-7) % 2 == 1
    assert 3 + i == i + 3 and 3 - i == -(i - 3) and 2 * i == i + i


def test_ranges_decide_quotients_and_remainders() -> None:
    i = Ix.of(Var("i", 6))
    assert i // 6 == 0 and i % 6 == i and (i + 6) // 6 == 1 and (i + 6) % 6 == i
    assert (i - 6) // 6 == -1 and (i - 6) % 6 == i
    assert (i * 12 + 5) // 12 == i and (i * 12 + 5) % 12 == 5
    assert (i * 4 + Ix.of(Var("j", 4))) // 4 == i
    assert i // 1 == i and i % 1 == 0


def test_what_a_reshape_took_apart_comes_together() -> None:
    t = Ix.of(Var("t", 12))
    assert (t // 4) * 4 + t % 4 == t
    assert (t // 4 % 3) * 4 + t % 4 == t
    assert ((t // 2) % 2) * 2 + t % 2 == t % 4
    assert (t * 8 + 3) // 8 == t
    assert (t // 2) // 3 == t // 6
    assert t % 12 == t and (t % 6) % 3 == t % 3 and (t % 6) // 3 == (t // 3) % 2
    assert (t + 5) // 4 * 4 + (t + 5) % 4 == t + 5


@pytest.mark.parametrize("shape", [(12,), (3, 4), (2, 3, 2), (1, 12), (4, 1, 3), (2, 2, 3, 1)])
def test_ravel_undoes_unravel(shape: tuple[int, ...]) -> None:
    t = Var("t", prod(shape))
    index = unravel(Ix.of(t), shape)
    assert ravel(index, shape) == Ix.of(t)
    for position in range(t.extent):
        digits = tuple(evaluate(Ix.of(i), {t: position}) for i in index)
        assert all(0 <= d < n for d, n in zip(digits, shape, strict=True))
        assert evaluate(ravel(digits, shape), {}) == position


SHAPES_OF_48 = [(48,), (6, 8), (4, 12), (3, 16), (2, 24), (1, 48)]
SHAPES_OF_48 += [(3, 4, 4), (2, 3, 8), (4, 2, 6), (3, 1, 16), (2, 2, 3, 4)]
SHAPES_OF_48 += [shape[::-1] for shape in SHAPES_OF_48]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(*(st.sampled_from(SHAPES_OF_48) for _ in range(3)))
def test_reshapes_of_reshapes_are_affine_again(first: Shape, second: Shape, third: Shape) -> None:
    """The address of an element after any two reshapes is its row-major position."""
    variables = [Var(f"v{d}", n) for d, n in enumerate(third)]
    outer = ravel([Ix.of(v) for v in variables], third)
    middle = ravel(unravel(outer, second), second)
    address = ravel(unravel(middle, first), first)
    assert address == outer
    assert all(address.coefficient(v) is not None for v in variables)


def test_the_empty_shape() -> None:
    assert unravel(0, ()) == [] and ravel([], ()) == 0


# Indices that are data


def test_gathered_indices() -> None:
    b = LoopBuilder()
    i = Var("i", 4)
    value = b.given("x", int64, frozenset((i,)))
    at = Ix.of(Gathered(value, 10, "index"))
    assert (at * 3).bounds == (0, 27) and at.variables == {i}
    assert at.coefficient(i) is None and (at + Ix.of(i)).coefficient(i) is None
    assert at // 10 == 0 and at % 10 == at
    again = Ix.of(Gathered(value, 10, "index"))
    assert at == again and at - again == 0
    assert at != Ix.of(Gathered(value, 11, "index"))


def test_products_of_variables_are_refused() -> None:
    i, j = Ix.of(Var("i", 4)), Ix.of(Var("j", 4))
    with pytest.raises(TypeError, match="product of two variable expressions"):
        i * j  # type: ignore[operator]
    assert i * Ix.of(3) == i * 3  # type: ignore[operator]


def test_an_extent_of_nothing_has_bounds() -> None:
    assert Ix.of(Var("i", 0)).bounds == (0, 0)
