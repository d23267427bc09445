"""Fits every polynomial of graphc.runtime.vecmath and writes graphc/runtime's table module.

    python benchmarks/fit_vecmath.py > runtime/vecmath_tables.py

Each `Fit` below says what is approximated, on which interval, to which degree, and by what the error is weighed. The
polynomial is the minimax one, found by the Remez exchange in 60-digit arithmetic and then rounded to the coefficient's
format; the error written into the table is that of the rounded polynomial. Needs `mpmath`; takes about a minute.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import mpmath  # type: ignore[import-untyped]
from mpmath import mpf

mpmath.mp.dps = 60

Real = Callable[[mpf], mpf]


class Fit(NamedTuple):
    """P(t) of `degree` near `target` on `interval`; the maximum of |weight * (P - target)| is made least."""

    table: str
    accuracy: str  # the element type whose results it serves
    coefficients: str  # the type its coefficients are rounded to
    degree: int
    interval: tuple[float, float]
    target: Real
    weight: Real
    formula: str


def chebyshev_points(count: int, lo: mpf, hi: mpf) -> list[mpf]:
    """`count` points of [lo, hi], denser towards its ends and not including them."""
    angle = (mpmath.cos(mpmath.pi * (2 * k + 1) / (2 * count)) for k in reversed(range(count)))
    return [(lo + hi) / 2 + (hi - lo) / 2 * c for c in angle]


def evaluate(coefficients: list[mpf], t: mpf) -> mpf:
    value = mpf(0)
    for c in reversed(coefficients):
        value = value * t + c
    return value


def minimax(fit: Fit) -> list[mpf]:
    """The Remez exchange: solve for an error that alternates on degree + 2 points, move them to its extrema, repeat."""
    lo, hi = (mpf(end) for end in fit.interval)
    count = fit.degree + 2
    grid = chebyshev_points(40 * count, lo, hi)
    target, weight = [fit.target(t) for t in grid], [fit.weight(t) for t in grid]
    picked = [40 * k + 20 for k in range(count)]
    for _ in range(30):
        rows = mpmath.matrix(count, count)
        for row, at in enumerate(picked):
            for k in range(count - 1):
                rows[row, k] = grid[at] ** k
            rows[row, count - 1] = (-1) ** row / weight[at]
        solution = mpmath.lu_solve(rows, mpmath.matrix([target[at] for at in picked]))
        coefficients = list(solution)[:-1]
        error = [w * (evaluate(coefficients, t) - g) for t, g, w in zip(grid, target, weight, strict=True)]
        level = abs(solution[count - 1])
        picked = alternating_extrema(error, count)
        if max(abs(e) for e in error) < level * mpf("1.001"):
            break
    return coefficients


def alternating_extrema(error: list[mpf], count: int) -> list[int]:
    """Where the error is largest in each run of one sign: the `count` neighbouring runs with the largest errors."""
    peaks: list[int] = []
    for at, e in enumerate(error):
        if peaks and (e > 0) == (error[peaks[-1]] > 0):
            if abs(e) > abs(error[peaks[-1]]):
                peaks[-1] = at
        else:
            peaks.append(at)
    while len(peaks) > count:
        peaks.pop(0 if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else -1)
    if len(peaks) < count:
        raise ArithmeticError(f"the error alternates {len(peaks)} times, expected {count}: raise mpmath.mp.dps")
    return peaks


def rounded(value: mpf, element: str) -> float:
    return struct.unpack("<f", struct.pack("<f", float(value)))[0] if element == "float" else float(value)


def worst_error(fit: Fit, coefficients: list[float]) -> float:
    lo, hi = (mpf(end) for end in fit.interval)
    exact = [mpf(c) for c in coefficients]
    points = chebyshev_points(50 * (fit.degree + 2), lo, hi)
    return float(max(abs(fit.weight(t) * (evaluate(exact, t) - fit.target(t))) for t in points))


# What is fitted. `root` turns a function of x into one of z = x * x, for the odd and even ones.


def root(function: Real) -> Real:
    return lambda z: function(mpmath.sqrt(z))


def one(_: mpf) -> mpf:
    return mpf(1)


def lgamma_remainder(w: mpf) -> mpf:
    """P(w) of lgamma(x) = (x - 1/2) log x - x + log(2 pi) / 2 + P(1 / x^2) / x."""
    x = 1 / mpmath.sqrt(w)
    return x * (mpmath.loggamma(x) - (x - 0.5) * mpmath.log(x) + x - mpmath.log(2 * mpmath.pi) / 2)


def scaled_erfc(t: mpf) -> mpf:
    """(1 + 2 x) exp(x^2) erfc(x), a slowly varying function, of t = (x - 3) / (x + 3)."""
    x = 3 * (1 + t) / (1 - t)
    return (1 + 2 * x) * mpmath.exp(x * x) * mpmath.erfc(x)


@cache
def erfinv_ratio(w: mpf) -> mpf:
    """erfinv(x) / x as a function of w = -log(1 - x^2), by Halley's iteration on erfc."""
    x = mpmath.sqrt(-mpmath.expm1(-w))
    complement = mpmath.exp(-w) / (1 + x)
    y = mpmath.sqrt(-mpmath.log(complement)) if w > 1 else x * mpf("0.886")
    while True:
        step = (mpmath.erfc(y) - complement) * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(y * y)
        step /= 1 - y * step
        y += step
        if abs(step) < mpf(10) ** -45 * y:
            return y / x


HALF_LN2 = 0.34658
SQRT_HALF_S = 0.1716  # s = f / (2 + f) where 1 + f is sqrt(2)
TAN_PI_8 = 0.41422

expm1_tail: Real = lambda r: (mpmath.expm1(r) - r) / r**2  # noqa: E731
exp2_tail: Real = lambda r: (mpmath.power(2, r) - 1) / r  # noqa: E731
atanh_tail: Real = root(lambda s: (2 * mpmath.atanh(s) / s - 2) / s**2)
sin_tail: Real = root(lambda r: (mpmath.sin(r) / r - 1) / r**2)
cos_tail: Real = root(lambda r: (mpmath.cos(r) - 1 + r**2 / 2) / r**4)
atan_tail: Real = root(lambda r: (mpmath.atan(r) / r - 1) / r**2)
asin_tail: Real = root(lambda r: (mpmath.asin(r) / r - 1) / r**2)
sinh_tail: Real = root(lambda r: (mpmath.sinh(r) / r - 1) / r**2)
erf_tail: Real = root(lambda x: mpmath.erf(x) / x - 1)


def on_root(function: Real) -> Real:
    """The weight that makes the error of x * (1 + z * P(z)) relative to `function`."""
    return root(lambda x: x**3 / function(x))


EXP_FIT = (expm1_tail, lambda r: r**2 / abs(mpmath.expm1(r)), "exp(r) - 1 = r + r^2 P(r)")
EXP2_FIT = (exp2_tail, lambda r: r / mpmath.power(2, r), "2^r = 1 + r P(r)")
ATANH_FIT = (
    atanh_tail, on_root(lambda s: 2 * mpmath.atanh(s)), "log(1 + f) = s (2 + z P(z)), s = f / (2 + f), z = s^2"
)
SIN_FIT = (sin_tail, on_root(mpmath.sin), "sin(r) = r + r z P(z), z = r^2")
COS_FIT = (cos_tail, root(lambda r: r**4 / mpmath.cos(r)), "cos(r) = 1 - z / 2 + z^2 P(z), z = r^2")
ATAN_FIT = (atan_tail, on_root(mpmath.atan), "atan(r) = r + r z P(z), z = r^2")
ASIN_FIT = (asin_tail, on_root(mpmath.asin), "asin(r) = r + r z P(z), z = r^2")
SINH_FIT = (sinh_tail, on_root(mpmath.sinh), "sinh(r) = r + r z P(z), z = r^2")
ERF_FIT = (erf_tail, root(lambda x: x / mpmath.erf(x)), "erf(x) = x + x P(z), z = x^2")
ERFC_FIT = (scaled_erfc, one, "(1 + 2 x) exp(x^2) erfc(x) = P(t), t = (x - 3) / (x + 3)")
LGAMMA_FIT = (lambda u: mpmath.loggamma(2 + u) / u, lambda u: u / mpmath.loggamma(2 + u), "lgamma(2 + u) = u P(u)")
STIRLING_FIT = (
    lgamma_remainder, root(lambda v: v / mpmath.loggamma(1 / v)),
    "lgamma(x) = (x - 1/2) log x - x + log(2 pi) / 2 + P(1 / x^2) / x",
)
DIGAMMA_ROOT = mpmath.findroot(mpmath.digamma, 1.46)
DIGAMMA_FIT = (
    lambda u: mpmath.digamma(1.5 + u) / (1.5 + u - DIGAMMA_ROOT),
    lambda u: (1.5 + u - DIGAMMA_ROOT) / mpmath.digamma(1.5 + u),
    "digamma(x) = (x - root) P(x - 3/2)",
)
DIGAMMA_TAIL_FIT = (
    root(lambda v: (-mpmath.log(v) - v / 2 - mpmath.digamma(1 / v)) / v**2),
    root(lambda v: v**2 / mpmath.digamma(1 / v)),
    "digamma(x) = log x - 1 / (2 x) - z P(z), z = 1 / x^2",
)
TAIL_FIT = (
    lambda u: erfinv_ratio((u + 4) ** 2), lambda u: 1 / erfinv_ratio((u + 4) ** 2),
    "erfinv(x) = x P(sqrt(w) - 4), w = -log(1 - x^2)",
)

# "wide" tables have double coefficients and serve float results that are computed in double.
FITS = [
    Fit("EXP", "float", "float", 4, (-HALF_LN2, HALF_LN2), *EXP_FIT),
    Fit("EXP", "wide", "double", 5, (-HALF_LN2, HALF_LN2), *EXP_FIT),
    Fit("EXP", "double", "double", 10, (-HALF_LN2, HALF_LN2), *EXP_FIT),
    Fit("EXP2", "float", "float", 6, (-0.5, 0.5), *EXP2_FIT),
    Fit("EXP2", "wide", "double", 6, (-0.5, 0.5), *EXP2_FIT),
    Fit("EXP2", "double", "double", 11, (-0.5, 0.5), *EXP2_FIT),
    Fit(
        "LOG", "float", "float", 8, (-1 / 3, 1 / 3),
        lambda f: (mpmath.log1p(f) - f + f * f / 2) / f**3, lambda f: f**3 / mpmath.log1p(f),
        "log(1 + f) = f - f^2 / 2 + f^3 P(f)",
    ),
    Fit("ATANH", "wide", "double", 3, (1e-9, SQRT_HALF_S**2), *ATANH_FIT),
    Fit("ATANH", "double", "double", 6, (1e-9, SQRT_HALF_S**2), *ATANH_FIT),
    Fit(
        "ATANH_TAIL", "double", "double", 7, (1e-9, SQRT_HALF_S**2),
        root(lambda s: (mpmath.atanh(s) / s - 1 - s**2 / 3) / s**4), lambda z: z**2,
        "atanh(s) = s + s (z / 3 + z^2 P(z)), z = s^2",
    ),
    *(
        Fit(
            "LOG1P_UNIT", accuracy, accuracy, degree, (0, 1), lambda t: (mpmath.log1p(t) - t) / t**2,
            lambda t: t**2 / mpmath.log1p(t), "log(1 + t) = t + t^2 P(t)",
        )
        for accuracy, degree in (("float", 9), ("double", 21))
    ),
    Fit("SINH", "wide", "double", 3, (0, 1), *SINH_FIT),
    Fit("SINH", "double", "double", 6, (0, 1), *SINH_FIT),
    Fit("SIN", "wide", "double", 3, (0, 0.81**2), *SIN_FIT),
    Fit("SIN", "double", "double", 5, (0, 0.7855**2), *SIN_FIT),
    Fit("COS", "wide", "double", 3, (0, 0.81**2), *COS_FIT),
    Fit("COS", "double", "double", 5, (0, 0.7855**2), *COS_FIT),
    Fit("ATAN", "wide", "double", 5, (0, TAN_PI_8**2), *ATAN_FIT),
    Fit("ATAN", "double", "double", 10, (0, TAN_PI_8**2), *ATAN_FIT),
    Fit("ASIN", "wide", "double", 5, (0, 0.25), *ASIN_FIT),
    Fit("ASIN", "double", "double", 12, (0, 0.25), *ASIN_FIT),
    Fit("ERF", "float", "float", 6, (0, 1), *ERF_FIT),
    Fit("ERF", "double", "double", 12, (0, 1), *ERF_FIT),
    Fit(
        "ERFC_NEAR", "float", "float", 12, (1 - 2.46, 3.93 - 2.46), lambda u: mpmath.erfc(u + mpf("2.46")), one,
        "erfc(x) = P(x - 2.46), absolute error",
    ),
    Fit("ERFC", "wide", "double", 11, (-1, (10.3 - 3) / (10.3 + 3)), *ERFC_FIT),
    Fit("ERFC", "double", "double", 23, (-1, (28 - 3) / (28 + 3)), *ERFC_FIT),
    Fit(
        "ERFINV_CENTRE", "double", "double", 10, (1e-12, 5), erfinv_ratio, lambda w: 1 / erfinv_ratio(w),
        "erfinv(x) = x P(w), w = -log(1 - x^2)",
    ),
    Fit("ERFINV_TAIL", "wide", "double", 10, (5**0.5 - 4, 16.7**0.5 - 4), *TAIL_FIT),
    Fit("ERFINV_TAIL", "double", "double", 12, (5**0.5 - 4, 37**0.5 - 4), *TAIL_FIT),
    Fit("LGAMMA", "wide", "double", 11, (-0.75, 0.25), *LGAMMA_FIT),
    Fit("LGAMMA", "double", "double", 21, (-0.75, 0.25), *LGAMMA_FIT),
    Fit("STIRLING", "wide", "double", 2, (1e-12, 1 / 7.25**2), *STIRLING_FIT),
    Fit("STIRLING", "double", "double", 6, (1e-12, 1 / 7.25**2), *STIRLING_FIT),
    Fit("DIGAMMA", "wide", "double", 14, (-0.5, 0.5), *DIGAMMA_FIT),
    Fit("DIGAMMA", "double", "double", 22, (-0.5, 0.5), *DIGAMMA_FIT),
    Fit("DIGAMMA_TAIL", "wide", "double", 2, (1e-12, 1 / 64), *DIGAMMA_TAIL_FIT),
    Fit("DIGAMMA_TAIL", "double", "double", 6, (1e-12, 1 / 64), *DIGAMMA_TAIL_FIT),
]


def parts(value: mpf, element: str, count: int) -> tuple[float, ...]:
    """`value` as an unevaluated sum of `count` floats, the largest first."""
    found: list[float] = []
    for _ in range(count):
        found.append(rounded(value - sum(map(mpf, found)), element))
    return tuple(found)


def print_tuple(name: str, values: tuple[float, ...], indent: str = "") -> None:
    text = f"{indent}{name}({', '.join(map(repr, values))})"
    if len(text) <= 118:
        print(text + ("," if indent else ""))
        return
    print(f"{indent}{name}(")
    for value in values:
        print(f"{indent}    {value!r},")
    print(f"{indent})" + ("," if indent else ""))


def print_constants() -> None:
    print("# Constants as unevaluated sums: the nearest number of the format, then what is left.")
    for name, value, count in (
        ("LN2", mpmath.log(2), 2),
        ("LOG2_E", 1 / mpmath.log(2), 2),
        ("LOG10_E", 1 / mpmath.log(10), 2),
        ("LOG10_2", mpmath.log(2, 10), 2),
        ("HALF_PI", mpmath.pi / 2, 2),
        ("DIGAMMA_ROOT", DIGAMMA_ROOT, 2),
    ):
        print(f"{name} = {{")
        for element in ("float", "double"):
            print_tuple(f'"{element}": ', parts(value, element, count), "    ")
        print("}")
    print("\n# floor(2 / pi * 2**1280), for the reduction of large angles.")
    with mpmath.workdps(420):
        digits = f"{int(mpmath.floor(2 / mpmath.pi * mpf(2) ** 1280)):x}"
    print("TWO_OVER_PI = int(")
    for at in range(0, len(digits), 100):
        print(f'    "{digits[at : at + 100]}"')
    print('    , 16\n)\nTWO_OVER_PI_BITS = 1280\n')
    print("# (j, hi, lo): 2**j is congruent to hi + lo modulo 2 pi; for these j, |hi| is under 0.41.")
    print("POWERS_MOD_TWO_PI = (")
    for power in (20, 44, 67, 88):
        turn = 2 * mpmath.pi
        residue = mpf(2) ** power - turn * mpmath.nint(mpf(2) ** power / turn)
        print_tuple("", (power, *parts(residue, "double", 2)), "    ")
    print(")")


HEADER = '''\
"""Coefficients of graphc.runtime.vecmath. Written by benchmarks/fit_vecmath.py; edit that instead.

A table is chosen by the accuracy wanted: "float" and "double" results computed in their own format, "wide" for float
results computed in double. Coefficients run from the constant term up; `worst` is the largest error of the rounded
polynomial relative to the function, unless it says otherwise.
"""
'''


def main() -> None:
    print(HEADER)
    print_constants()
    table = ""
    for fit in FITS:
        if fit.table != table:
            print(("}\n" if table else "") + f"\n# {fit.formula}\n{fit.table} = {{")
            table = fit.table
        coefficients = [rounded(c, fit.coefficients) for c in minimax(fit)]
        lo, hi = fit.interval
        worst = mpmath.log(worst_error(fit, coefficients), 2)
        print(f"    # degree {fit.degree} on [{lo:.5g}, {hi:.5g}], worst 2^{float(worst):.1f}")
        print_tuple(f'"{fit.accuracy}": ', tuple(coefficients), "    ")
        print(f"{fit.table}: done", file=sys.stderr)
    print("}")


if __name__ == "__main__":
    main()
