"""What the ops of the table are on complex operands: ops on their real and imaginary parts.

    mul(x, y)    complex(a*c - b*d, a*d + b*c)    where x = a + bi and y = c + di
    sum(x)       complex(sum(a), sum(b))
    exp(x)       complex(exp(a) * cos(b), exp(a) * sin(b))

`graphc.dispatch` asks for the rule wherever an op that computes meets a complex operand. So what is written with ops
(`ops.mean`, `ops.einsum`, `nn.Dense`) takes complex numbers as well, derivatives are those of real functions, and
neither passes nor kernels know of them. What only moves elements needs no rule. A real operand has no imaginary part,
not one that is zero: a product with it takes two multiplications. An op without a rule is an error that names it.

Formulas avoid overflow of what is squared, and losses near 0: see Kahan, "Branch cuts for complex elementary
functions", 1987, whose cuts and signs of zero these functions have where the parts are finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from graphc.dispatch import set_in_parts
from graphc.op import TABLE, Op
from graphc.ops import elementwise as real
from graphc.ops.coerce import full_like
from graphc.ops.complex_parts import complex_, imag_, real_
from graphc.ops.conv import conv, conv_grad_weight
from graphc.ops.elementwise import add, div, mul, neg, select, square, stop_gradient, sub
from graphc.ops.linalg import matmul_
from graphc.ops.shape import reshape
from graphc.ops.views import concat_, take_range
from graphc.place import located
from graphc.tensor import Tensor

Rule = Callable[..., Tensor]


def in_parts(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any]) -> Tensor:
    """The result of an op of which an operand is complex.

    Raises:
        TypeError: complex numbers have no such function.
    """
    rule = RULES.get(op.name)
    if rule is None:
        got = " and ".join(str(o.spec) for o in operands)
        raise located(TypeError(f"{op.name}: expected real numbers, got {got}"))
    return rule(*operands, **attrs)


def of_parts(x: Tensor) -> Tensor:
    """The complex numbers `[...]` of the parts that lie side by side in `[..., 2]`."""
    re, im = (reshape(take_range(x, x.ndim - 1, part, 1), x.shape[:-1]) for part in (0, 1))
    return complex_(re, im)


def to_parts(x: Tensor) -> Tensor:
    """The real and imaginary parts of complex numbers `[...]` side by side, `[..., 2]`."""
    shape = (*x.shape, 1)
    return concat_(reshape(real_(x), shape), reshape(imag_(x), shape), axis=x.ndim)


set_in_parts(in_parts, of_parts)


def parts(x: Tensor) -> tuple[Tensor, Tensor | None]:
    """The real and the imaginary part; of a real tensor itself and None."""
    return (real_(x), imag_(x)) if x.dtype.is_complex else (x, None)


def pair(x: Tensor) -> tuple[Tensor, Tensor]:
    """The real and the imaginary part; of a real tensor itself and zeros."""
    re, im = parts(x)
    return re, full_like(re, 0) if im is None else im


# Linear and bilinear ops


def _each(op: Op, places: tuple[int, ...]) -> Rule:
    """Of an op that is linear in the operands at these places: each part by itself."""

    def rule(*operands: Tensor, **attrs: Any) -> Tensor:
        halves = {place: pair(operands[place]) for place in places}
        re, im = (
            op(*(halves[n][k] if n in halves else o for n, o in enumerate(operands)), **attrs) for k in (0, 1)
        )
        return complex_(re, im)

    return rule


def _product(op: Op) -> Rule:
    """Of an op that is linear in each of two operands."""

    def rule(x: Tensor, y: Tensor, **attrs: Any) -> Tensor:
        of = partial(op, **attrs)
        (a, b), (c, d) = parts(x), parts(y)
        if b is None or d is None:
            return complex_(of(a, c), of(a, d) if d is not None else of(b, c))
        return complex_(sub(of(a, c), of(b, d)), add(of(a, d), of(b, c)))

    return rule


def _sum(x: Tensor, y: Tensor) -> Tensor:
    (a, b), (c, d) = parts(x), parts(y)
    return complex_(add(a, c), d if b is None else b if d is None else add(b, d))


def _difference(x: Tensor, y: Tensor) -> Tensor:
    (a, b), (c, d) = parts(x), parts(y)
    return complex_(sub(a, c), neg(d) if b is None and d is not None else b if d is None else sub(b, d))


def times_i(x: Tensor, sign: int = 1) -> Tensor:
    """A complex number times i, or -i."""
    a, b = pair(x)
    return complex_(neg(b), a) if sign > 0 else complex_(b, neg(a))


# Division, size and direction


def _quotient(x: Tensor, y: Tensor) -> Tensor:
    """What is squared is divided by the larger part of `y` first (R. L. Smith, "Algorithm 116", 1962)."""
    (c, d), (a, b) = parts(y), parts(x)
    if d is None:
        assert b is not None
        return complex_(div(a, c), div(b, c))
    b = full_like(a, 0) if b is None else b
    right = real.greater_equal(real.abs_(c), real.abs_(d))
    larger, smaller = select(right, c, d), select(right, d, c)
    ratio = div(smaller, larger)
    below = add(larger, mul(smaller, ratio))
    along, across = select(right, a, b), select(right, b, a)
    im = div(sub(across, mul(along, ratio)), below)
    return complex_(div(add(along, mul(across, ratio)), below), select(right, im, neg(im)))


def _reciprocal(x: Tensor) -> Tensor:
    return _quotient(full_like(real_(x), 1), x)


def _square(x: Tensor) -> Tensor:
    a, b = pair(x)
    return complex_(mul(sub(a, b), add(a, b)), mul(mul(a, b), 2))


def size(x: Tensor) -> Tensor:
    """The absolute value; its derivative at 0 is 0."""
    a, b = pair(x)
    scale = stop_gradient(real.maximum(real.abs_(a), real.abs_(b)))
    usable = real.logical_and(real.greater(scale, 0), real.isfinite(scale))
    scale = select(usable, scale, 1)
    squares = add(square(div(a, scale)), square(div(b, scale)))
    zero = real.equal(squares, 0)
    return select(zero, 0, mul(scale, real.sqrt(select(zero, 1, squares))))


def direction(x: Tensor) -> Tensor:
    """The angle from the positive real axis, in [-pi, pi]."""
    a, b = pair(x)
    return real.atan2(b, a)


def _sign(x: Tensor) -> Tensor:
    """The number of size 1 in the same direction; 0 for 0, and its derivative there."""
    of = size(x)
    zero = real.equal(of, 0)
    return select(zero, full_like(x, 0), _quotient(x, select(zero, 1, of)))


# Functions


def _exp(x: Tensor) -> Tensor:
    a, b = pair(x)
    return polar(real.exp(a), b)


def polar(length: Tensor, angle: Tensor) -> Tensor:
    """The complex number of a size and a direction."""
    return complex_(mul(length, real.cos(angle)), mul(length, real.sin(angle)))


def _expm1(x: Tensor) -> Tensor:
    a, b = pair(x)
    re = sub(mul(real.expm1(a), real.cos(b)), mul(square(real.sin(mul(b, 0.5))), 2))
    return complex_(re, mul(real.exp(a), real.sin(b)))


def _log(x: Tensor) -> Tensor:
    return complex_(real.log(size(x)), direction(x))


def _log1p(x: Tensor) -> Tensor:
    """`|1 + x|` is the square root of 1 + a(2 + a) + b^2; that sum overflows where `log` is as good."""
    a, b = pair(x)
    large = real.greater(real.maximum(real.abs_(a), real.abs_(b)), 0.5)
    small = complex_(select(large, 0, a), select(large, 0, b))
    c, d = pair(small)
    near = mul(real.log1p(add(mul(c, add(c, 2)), square(d))), 0.5)
    far = real.log(size(complex_(add(select(large, a, 1), 1), select(large, b, 1))))
    return complex_(select(large, far, near), real.atan2(b, add(a, 1)))


def _logarithm(base: float) -> Rule:
    return lambda x: _quotient(_log(x), full_like(real_(x), math.log(base)))


def _exp2(x: Tensor) -> Tensor:
    return _exp(mul(x, math.log(2)))


def _sqrt(x: Tensor) -> Tensor:
    """The root whose real part is not negative; its derivative at 0 is 0."""
    a, b = pair(x)
    of = size(x)
    zero, right = real.equal(of, 0), real.greater_equal(a, 0)
    below = real.logical_or(real.less(b, 0), real.equal(real.reciprocal(b), -math.inf))  # -0.0 too
    larger = real.sqrt(mul(add(select(zero, 1, of), select(right, a, neg(a))), 0.5))
    smaller = div(b, mul(larger, 2))
    re = select(right, larger, select(below, neg(smaller), smaller))
    im = select(right, smaller, select(below, neg(larger), larger))
    return complex_(select(zero, 0, re), select(zero, b, im))


def _sinh(x: Tensor) -> Tensor:
    a, b = pair(x)
    return complex_(mul(real.sinh(a), real.cos(b)), mul(real.cosh(a), real.sin(b)))


def _cosh(x: Tensor) -> Tensor:
    a, b = pair(x)
    return complex_(mul(real.cosh(a), real.cos(b)), mul(real.sinh(a), real.sin(b)))


FLAT = 40.0
"""From this real part on the hyperbolic tangent is 1 to the last bit, and its squares still finite."""


def _tanh(x: Tensor) -> Tensor:
    """Kahan's formula by the tangent of the imaginary part."""
    a, b = pair(x)
    a = real.minimum(real.maximum(a, -FLAT), FLAT)
    t, s = real.tan(b), real.sinh(a)
    beta, s2 = add(square(t), 1), square(s)
    below = add(mul(beta, s2), 1)
    return complex_(div(mul(mul(beta, s), real.sqrt(add(s2, 1))), below), div(t, below))


def _turned(rule: Rule) -> Rule:
    """The function of the circle that is one of the hyperbola: `sin(x) = -i * sinh(i * x)`."""
    return lambda x: times_i(rule(times_i(x)), -1)


def _cos(x: Tensor) -> Tensor:
    return _cosh(times_i(x))


def _asinh(x: Tensor) -> Tensor:
    """`log(x + sqrt(x^2 + 1))`, for the side on which that does not cancel."""
    left = real.less(real_(x), 0)
    y = select(left, neg(x), x)
    squared = square(y)
    found = _log1p(add(y, div(squared, add(real.sqrt(add(squared, 1)), 1))))
    return select(left, neg(found), found)


def _acosh(x: Tensor) -> Tensor:
    return _log(add(x, mul(_sqrt(add(x, 1)), _sqrt(sub(x, 1)))))


def _atanh(x: Tensor) -> Tensor:
    return mul(sub(_log1p(x), _log1p(neg(x))), 0.5)


def _acos(x: Tensor) -> Tensor:
    return sub(math.pi / 2, _turned(_asinh)(x))


def _sigmoid(x: Tensor) -> Tensor:
    return mul(add(_tanh(mul(x, 0.5)), 1), 0.5)


def _power(x: Tensor, y: Tensor) -> Tensor:
    """`exp(y * log(x))`; of 0 it is 0, but 1 to the power 0."""
    of, one = size(x), full_like(size(y), 1)
    zero = real.equal(of, 0)
    safe = select(zero, one, x)
    a, b = pair(safe)
    logarithm = complex_(real.log(size(safe)), real.atan2(b, a))
    return select(zero, select(real.equal(size(y), 0), one, 0), _exp(mul(y, logarithm)))


# Comparisons and kinds of numbers


def _equal(x: Tensor, y: Tensor) -> Tensor:
    (a, b), (c, d) = pair(x), pair(y)
    return real.logical_and(real.equal(a, c), real.equal(b, d))


def _not_equal(x: Tensor, y: Tensor) -> Tensor:
    return real.logical_not(_equal(x, y))


def _of_either(test: Op) -> Rule:
    return lambda x: real.logical_or(test(real_(x)), test(imag_(x)))


def _finite(x: Tensor) -> Tensor:
    return real.logical_and(real.isfinite(real_(x)), real.isfinite(imag_(x)))


def _of_truth(op: Op) -> Rule:
    """Of an op on bools: what is not 0 is true."""
    return lambda *operands: op(*(_not_equal(x, full_like(real_(x), 0)) if x.dtype.is_complex else x for x in operands))


# Reductions


def _prod(x: Tensor, *, run: tuple[int, int]) -> Tensor:
    """The product over axes: of the two halves of them, again and again; one that is left over comes last."""
    lo, hi = run
    count = math.prod(x.shape[lo:hi])
    rows = reshape(x, (*x.shape[:lo], count, *x.shape[hi:]))
    if not count:
        return full_like(reshape(rows, (*x.shape[:lo], *x.shape[hi:])), 1)
    rest: Tensor | None = None
    while count > 1:
        half = count // 2
        if count % 2:
            last = take_range(rows, lo, count - 1, 1)
            rest = last if rest is None else mul(last, rest)
        rows, count = mul(take_range(rows, lo, 0, half), take_range(rows, lo, half, half)), half
    return reshape(rows if rest is None else mul(rows, rest), (*x.shape[:lo], *x.shape[hi:]))


LINEAR = {
    "neg": (0,), "sum": (0,), "cumsum": (0,), "sum_pool": (0,), "sum_pool_grad": (0,), "gather": (0,),
    "gather_elements": (0,), "scatter_add": (0, 2), "scatter_set": (0, 2), "scatter_elements_add": (0, 2),
    "scatter_elements_set": (0, 2), "select": (1, 2),
}  # fmt: skip
"""Ops that are linear, and in which of their operands."""

RULES: dict[str, Rule] = {
    **{name: _each(TABLE[name], places) for name, places in LINEAR.items()},
    **{op.name: _product(op) for op in (mul, matmul_, conv, conv_grad_weight)},
    "add": _sum, "sub": _difference, "div": _quotient, "reciprocal": _reciprocal, "square": _square, "abs": size,
    "sign": _sign, "pow": _power, "sqrt": _sqrt, "rsqrt": lambda x: _reciprocal(_sqrt(x)),
    "exp": _exp, "exp2": _exp2, "expm1": _expm1, "log": _log, "log1p": _log1p, "log2": _logarithm(2),
    "log10": _logarithm(10), "sin": _turned(_sinh), "cos": _cos, "tan": _turned(_tanh), "sinh": _sinh, "cosh": _cosh,
    "tanh": _tanh, "asinh": _asinh, "acosh": _acosh, "atanh": _atanh, "asin": _turned(_asinh), "acos": _acos,
    "atan": _turned(_atanh), "sigmoid": _sigmoid,
    "equal": _equal, "not_equal": _not_equal, "isnan": _of_either(real.isnan), "isinf": _of_either(real.isinf),
    "isfinite": _finite, "prod": _prod,
    **{op.name: _of_truth(op) for op in (real.logical_and, real.logical_or, real.logical_xor, real.logical_not)},
}  # fmt: skip
