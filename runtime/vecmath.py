"""The transcendental functions of graphc, written into a kernel as explicit IEEE arithmetic.

    y = FUNCTIONS["tanh"](b, x)  # x a float or double, scalar or vector, and y like it

Branch-free: polynomials, bit operations and selects, so that the bits of a result depend on the operand alone, never on
the lane count, the machine or its C library (which is called only for fma, on processors without it). Within 2 ulp of
the true value for exp and log and 4 for the others; special values are NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable

from graphc.runtime import vecmath_exp, vecmath_special, vecmath_trig
from graphc.runtime.lanes import FORMATS, Lanes
from graphc.runtime.llvmtext import Builder, Val

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


_UNARY = (
    vecmath_exp.exp, vecmath_exp.exp2, vecmath_exp.expm1, vecmath_exp.log, vecmath_exp.log2, vecmath_exp.log10,
    vecmath_exp.log1p, vecmath_exp.sinh, vecmath_exp.cosh, vecmath_exp.tanh, vecmath_exp.asinh, vecmath_exp.acosh,
    vecmath_exp.atanh, vecmath_exp.sigmoid, vecmath_exp.softplus, vecmath_trig.sin, vecmath_trig.cos, vecmath_trig.tan,
    vecmath_trig.asin, vecmath_trig.acos, vecmath_trig.atan, vecmath_special.erf, vecmath_special.erfc,
    vecmath_special.erfinv, vecmath_special.lgamma, vecmath_special.digamma,
)
_BINARY = (vecmath_trig.atan2, vecmath_exp.pow)

FUNCTIONS: dict[str, Function] = {body.__name__: _on_values(body) for body in _UNARY} | {
    body.__name__: _on_values(body, operands=2) for body in _BINARY
}
