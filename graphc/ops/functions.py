"""Public functions that are one op of the table each, under MindSpore's names and argument names.

    ops.exp(input)      ops.add(input, other)      ops.where(condition, input, other)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from graphc.op import TABLE, Op
from graphc.tensor import Tensor

# argument names -> the functions that have them: their names, and {other names: op of the table}
_SIGNATURES: dict[tuple[str, ...], tuple[str, dict[str, str]]] = {
    ("input",): (
        "abs acos acosh asin asinh atan atanh bitwise_not ceil cos cosh erf erfc erfinv exp exp2 expm1 floor isfinite "
        "isinf isnan log log10 log1p log2 logical_not neg reciprocal rsqrt sigmoid sign sin sinh square tan tanh trunc",
        {
            "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
            "arctan": "atan", "arctanh": "atanh", "negative": "neg",
        },
    ),
    ("x",): ("identity sqrt", {}),
    ("input", "other"): (
        "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor equal floor_div floor_mod "
        "fmod greater greater_equal less less_equal logical_and logical_or logical_xor maximum minimum mul not_equal sub",
        {
            "arctan2": "atan2", "eq": "equal", "floor_divide": "floor_div", "ge": "greater_equal", "gt": "greater",
            "le": "less_equal", "lt": "less", "multiply": "mul", "ne": "not_equal", "remainder": "floor_mod",
            "subtract": "sub", "true_divide": "div",
        },
    ),
    ("condition", "input", "other"): ("select", {"where": "select"}),
}  # fmt: skip


def public(op: Op, names: tuple[str, ...], name: str) -> Callable[..., Tensor]:
    """The op as a function whose arguments have names."""
    parameters = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in names]
    signature = inspect.Signature(parameters, return_annotation=Tensor)

    def function(*args: Any, **kwargs: Any) -> Tensor:
        if kwargs or len(args) != len(names):
            try:
                args = signature.bind(*args, **kwargs).args
            except TypeError as error:
                raise TypeError(f"{name}: {error}") from None
        return op(*args)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = op.__doc__
    function.__signature__ = signature  # type: ignore[attr-defined]  # what help() and inspect show
    return function


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    name: public(TABLE[op], names, name)
    for names, (own, others) in _SIGNATURES.items()
    for name, op in {**{n: n for n in own.split()}, **others}.items()
}
