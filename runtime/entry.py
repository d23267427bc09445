"""Native code that Python calls as one of its own built-in functions: the way into a step without ctypes.

A call through ctypes costs more than many a step: it looks up how to convert each argument. What Python does around it
(compare the arguments' types with those that the code is for, write their addresses into a table, make memory for the
results) costs as much again. Here all of that is one function, written in LLVM IR (`entry_ir.py`), that Python calls as
its own: `PyCFunction_NewEx` makes a built-in function of an address.

    enter = builtin("graphc_enter", plan)
    enter(x, y)     # memory for the results, bytearrays; None: not for these arguments; bytes: of a failed run

What the function does is said by a plan, words in memory that it is bound to (`entry_plan.py`).
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.arrays import type_of
from graphc.parameter import Parameter
from graphc.runtime import jit
from graphc.runtime.entry_ir import API, NAMES, entry_ir
from graphc.runtime.entry_plan import Expected, Plan
from graphc.tensor import Tensor

GIL = bool(getattr(sys, "_is_gil_enabled", lambda: True)())
"""Whether native code that keeps the GIL runs alone."""


class _Method(ctypes.Structure):
    """PyMethodDef of CPython's C API."""

    _fields_ = (("name", ctypes.c_char_p), ("code", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p))


_FASTCALL = 0x80  # METH_FASTCALL

_new_function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


class _Bound(int):
    """The address of a plan, which keeps the plan."""

    plan: Plan | None


def builtin(name: str, plan: Plan | None = None) -> Callable[..., Any]:
    """One of the functions of this module's code as a built-in function of Python, bound to a plan."""
    bound = _Bound(plan.address if plan is not None else 0)
    bound.plan = plan
    function: Callable[..., Any] = _new_function(ctypes.addressof(_methods()[name]), bound, None)
    return function


@functools.cache
def _methods() -> dict[str, _Method]:
    """To the end of the process, as functions made of them may live as long."""
    for name in API:
        jit.publish(name, functools.partial(_api_address, name))
    native = jit.compile_text([entry_ir()], NAMES)
    methods = {name: _Method(name.encode(), native.address(name), _FASTCALL, None) for name in NAMES}
    methods["graphc_enter"].native = native  # keeps the code in memory
    return methods


def _api_address(name: str) -> int:
    found = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
    assert found is not None
    return found


# Who holds an object, and which arguments code is for


@functools.cache
def _next_held() -> Callable[[list[Any], int, int, int], int]:
    """`graphc_held`, if it tells what it should here; otherwise a function that takes all objects for held."""
    probe = [object(), object(), object()]
    kept = [probe[1]]
    found: Callable[[list[Any], int, int, int], int] = builtin("graphc_held")
    told = found(probe, 0, 3, 1), found(probe, 2, 3, 1), found(kept, 0, 1, 1), found(kept, 0, 1, 2), found([], 0, 0, 1)
    if GIL and told == (1, -1, 0, -1, -1):
        return found
    return lambda objects, start, stop, references: start if start < stop else -1


def held(objects: list[Any], span: tuple[int, int], most: int, references: int = 1) -> list[int] | None:
    """Where those of the objects in a span of a list lie that are held by others than the list; None if by too many.

    Args:
        most: how many may be.
        references: how many each has if nobody holds it.
    """
    following, (place, stop) = _next_held(), span
    places: list[int] = []
    while (place := following(objects, place, stop, references)) >= 0:
        if len(places) == most:
            return None
        places.append(place)
        place += 1
    return places


def expected_of(value: Any) -> Expected | None:
    """What tells an argument from others that need other code; None where only a look inside could."""
    if isinstance(value, (tuple, list, dict)):
        return None
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return Expected(value.spec)
    if isinstance(value, np.ndarray):
        return Expected(type_of(value))
    return Expected(None, value)


def fitting(expected: Sequence[Expected]) -> Callable[..., bool]:
    """A function that says whether its arguments are all as expected, and have values."""
    return builtin("graphc_fits", Plan((0, 0, 0), True, (), (), (), 0, expected))
