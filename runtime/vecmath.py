"""The transcendental functions of graphc, written into a kernel as explicit IEEE arithmetic.

    y = FUNCTIONS["tanh"](b, x)  # or vecmath.tanh(b, x); x a float or double, scalar or vector, and y like it

Branch-free: polynomials, bit operations and selects, so that the bits of a result depend on the operand alone, never on
the lane count, the machine or its C library (which is called only for fma, on processors without it). Within 2 ulp of
the true value for exp and log and 4 for the others; special values are NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.runtime import vecmath_exp, vecmath_special, vecmath_trig
from graphc.runtime.lanes import FORMATS, Lanes
from graphc.runtime.llvmtext import Builder, Val
from graphc.runtime.vecint import int_floor_div as int_floor_div
from graphc.runtime.vecint import int_mod as int_mod
from graphc.runtime.vecint import philox4x32 as philox4x32
from graphc.runtime.vecint import saturating_fptosi as saturating_fptosi
from graphc.runtime.vecint import shift_left as shift_left
from graphc.runtime.vecint import shift_right as shift_right

Function = Callable[..., Val]


def _on_values(body: Callable[..., Lanes], operands: int = 1) -> Function:
    """`body`, a function of `Lanes`, as one of a builder and as many values as it has operands."""

    def function(b: Builder, *values: Val) -> Val:
        types = [v.type for v in values]
        if len(types) != operands or len(set(types)) > 1 or values[0].element not in FORMATS:
            raise TypeError(
                f"{body.__name__}: expected {operands} float or double operand{'s' * (operands > 1)} of one type, "
                f"got ({', '.join(types)})"
            )
        return body(*(Lanes(b, v) for v in values)).val

    function.__name__, function.__doc__ = body.__name__, body.__doc__
    return function


def _rounding(name: str, intrinsic: str, doc: str) -> Callable[[Lanes], Lanes]:
    def function(x: Lanes) -> Lanes:
        return x.rounded(intrinsic)

    function.__name__, function.__doc__ = name, doc
    return function


exp = _on_values(vecmath_exp.exp)
exp2 = _on_values(vecmath_exp.exp2)
expm1 = _on_values(vecmath_exp.expm1)
log = _on_values(vecmath_exp.log)
log2 = _on_values(vecmath_exp.log2)
log10 = _on_values(vecmath_exp.log10)
log1p = _on_values(vecmath_exp.log1p)
sin = _on_values(vecmath_trig.sin)
cos = _on_values(vecmath_trig.cos)
tan = _on_values(vecmath_trig.tan)
asin = _on_values(vecmath_trig.asin)
acos = _on_values(vecmath_trig.acos)
atan = _on_values(vecmath_trig.atan)
atan2 = _on_values(vecmath_trig.atan2, operands=2)
sinh = _on_values(vecmath_exp.sinh)
cosh = _on_values(vecmath_exp.cosh)
tanh = _on_values(vecmath_exp.tanh)
asinh = _on_values(vecmath_exp.asinh)
acosh = _on_values(vecmath_exp.acosh)
atanh = _on_values(vecmath_exp.atanh)
sigmoid = _on_values(vecmath_exp.sigmoid)
softplus = _on_values(vecmath_exp.softplus)
erf = _on_values(vecmath_special.erf)
erfc = _on_values(vecmath_special.erfc)
erfinv = _on_values(vecmath_special.erfinv)
lgamma = _on_values(vecmath_special.lgamma)
digamma = _on_values(vecmath_special.digamma)
pow = _on_values(vecmath_exp.pow, operands=2)
sqrt = _on_values(vecmath_exp.sqrt)
rsqrt = _on_values(vecmath_exp.rsqrt)
cbrt = _on_values(vecmath_exp.cbrt)
floor = _on_values(_rounding("floor", "floor", "The largest integer not above x."))
ceil = _on_values(_rounding("ceil", "ceil", "The smallest integer not below x."))
trunc = _on_values(_rounding("trunc", "trunc", "x without its fraction."))
round = _on_values(_rounding("round", "roundeven", "The nearest integer, ties to the even one."))

FUNCTIONS: dict[str, Function] = {
    function.__name__: function
    for function in (
        exp, exp2, expm1, log, log2, log10, log1p, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, asinh,
        acosh, atanh, sigmoid, softplus, erf, erfc, erfinv, lgamma, digamma, pow, sqrt, rsqrt, cbrt, floor, ceil, trunc,
        round,
    )
}
