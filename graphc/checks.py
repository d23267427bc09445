"""Checks of a program's own arguments: MindSpore's `_checkparam`, from which layers and optimizers of programs import.

    from graphc import _checkparam as Validator
    from graphc._checkparam import check_positive_int

Each function gives back the value that it checks. Errors name the argument and, where it is given, the class or
function `prim_name` that it is for.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Iterable
from functools import wraps
from types import SimpleNamespace
from typing import Any

import numpy as np

EQ, NE, LT, LE, GT, GE, INC_NEITHER, INC_LEFT, INC_RIGHT, INC_BOTH, IN, NOT_IN = range(1, 13)
"""How a value must lie to a bound, to two bounds (by which of them it may be), or to a collection."""

_TO_ONE: dict[int, tuple[Callable[[Any, Any], bool], str]] = {
    EQ: (operator.eq, "= {}"),
    NE: (operator.ne, "!= {}"),
    LT: (operator.lt, "< {}"),
    LE: (operator.le, "<= {}"),
    GT: (operator.gt, "> {}"),
    GE: (operator.ge, ">= {}"),
    IN: (lambda value, collection: value in collection, "in {}"),
    NOT_IN: (lambda value, collection: value not in collection, "not in {}"),
}
_ENDS = {INC_NEITHER: "()", INC_LEFT: "[)", INC_RIGHT: "(]", INC_BOTH: "[]"}


def _subject(arg_name: str | None, prim_name: str | None) -> str:
    start = f"For '{prim_name}', the" if prim_name else "The"
    return f"{start} '{arg_name}'" if arg_name else f"{start} input value"


def _got(value: Any) -> str:
    return f"got '{value}' with type '{type(value).__name__}'"


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a type; a bool is no int here."""
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def check(
    arg_name: str, arg_value: Any, value_name: str, value: Any, rel: int = EQ, prim_name: str | None = None,
    excp_cls: type[Exception] = ValueError,
) -> Any:
    """`arg_value`, which must be to `value` (called `value_name` in the error) as `rel` says.

    Raises:
        excp_cls: it is not.
    """
    holds, text = _TO_ONE[rel]
    if not holds(arg_value, value):
        wanted = text.format(f"{value_name}: {value}")
        raise excp_cls(f"{_subject(arg_name, prim_name)} should be {wanted}, but got {arg_value}.")
    return arg_value


def _number(value: Any, bound: Any, rel: int, kind: type, arg_name: str | None, prim_name: str | None) -> Any:
    subject, (holds, text) = _subject(arg_name, prim_name), _TO_ONE[rel]
    if not _is(value, kind):
        raise TypeError(f"{subject} must be {kind.__name__} and must be {text.format(bound)}, but {_got(value)}.")
    if not math.isfinite(value):
        raise ValueError(f"{subject} must be a legal value, but got '{value}'.")
    if not holds(value, bound):
        raise ValueError(f"{subject} must be {kind.__name__} and must be {text.format(bound)}, but {_got(value)}.")
    return value


def check_int(arg_value: Any, value: Any, rel: int, arg_name: str | None = None, prim_name: str | None = None) -> Any:
    """`arg_value`, an int that must be to `value` as `rel` says.

    Raises:
        TypeError: it is no int (a bool is none).
        ValueError: it is not as `rel` says.
    """
    return _number(arg_value, value, rel, int, arg_name, prim_name)


def check_float(arg_value: Any, value: Any, rel: int, arg_name: str | None = None, prim_name: str | None = None) -> Any:
    """The same of a float."""
    return _number(arg_value, value, rel, float, arg_name, prim_name)


def _against_zero(kind: type, rel: int) -> Callable[..., Any]:
    def checked(arg_value: Any, arg_name: str | None = None, prim_name: str | None = None) -> Any:
        return _number(arg_value, 0 if kind is int else 0.0, rel, kind, arg_name, prim_name)

    checked.__doc__ = f"`arg_value`, {'an int' if kind is int else 'a float'} that must be {_TO_ONE[rel][1].format(0)}."
    return checked


check_positive_int, check_negative_int = _against_zero(int, GT), _against_zero(int, LT)
check_non_negative_int, check_non_positive_int = _against_zero(int, GE), _against_zero(int, LE)
check_positive_float, check_negative_float = _against_zero(float, GT), _against_zero(float, LT)
check_non_negative_float, check_non_positive_float = _against_zero(float, GE), _against_zero(float, LE)


def check_equal_int(arg_value: Any, value: int, arg_name: str | None = None, prim_name: str | None = None) -> Any:
    """`arg_value`, an int that must be `value`."""
    return _number(arg_value, value, EQ, int, arg_name, prim_name)


def check_number(arg_name: str, arg_value: Any, value: Any, rel: int, prim_name: str | None = None) -> Any:
    """`arg_value`, a number that must be to `value` as `rel` says.

    Raises:
        ValueError: it is not.
    """
    holds, text = _TO_ONE[rel]
    if not holds(arg_value, value):
        raise ValueError(f"{_subject(arg_name, prim_name)} must be {text.format(value)}, but got {arg_value}.")
    return arg_value


def check_is_number(
    arg_value: Any, arg_type: type, arg_name: str | None = None, prim_name: str | None = None
) -> Any:
    """`arg_value`, a finite number of the type `arg_type`.

    Raises:
        TypeError, ValueError: it is of another type, or not finite.
    """
    subject = _subject(arg_name, prim_name)
    if not _is(arg_value, arg_type):
        raise TypeError(f"{subject} must be '{arg_type.__name__}', but got '{type(arg_value).__name__}'.")
    if not math.isfinite(arg_value):
        raise ValueError(f"{subject} must be a legal {arg_type.__name__}, but got '{arg_value}'.")
    return arg_value


def check_is_int(arg_value: Any, arg_name: str | None = None, prim_name: str | None = None) -> Any:
    """`arg_value`, an int."""
    return check_is_number(arg_value, int, arg_name, prim_name)


def check_is_float(arg_value: Any, arg_name: str | None = None, prim_name: str | None = None) -> Any:
    """`arg_value`, a finite float."""
    return check_is_number(arg_value, float, arg_name, prim_name)


def _range(
    value: Any, low: Any, high: Any, rel: int, kind: type, arg_name: str | None, prim_name: str | None
) -> Any:
    subject, ends = _subject(arg_name, prim_name), _ENDS[rel]
    if not isinstance(value, (np.ndarray, np.generic, kind)) or isinstance(value, bool):
        raise TypeError(f"{subject} must be '{kind.__name__}', but got '{type(value).__name__}'.")
    above = value >= low if ends[0] == "[" else value > low
    below = value <= high if ends[1] == "]" else value < high
    if not (above and below):
        raise ValueError(f"{subject} must be in range of {ends[0]}{low}, {high}{ends[1]}, but {_got(value)}.")
    return value


def check_int_range(
    arg_value: Any, lower_limit: int, upper_limit: int, rel: int, arg_name: str | None = None,
    prim_name: str | None = None,
) -> Any:
    """`arg_value`, an int between two limits; `rel` says which of them it may be.

    Raises:
        TypeError, ValueError: it is no int, or not between them.
    """
    return _range(arg_value, lower_limit, upper_limit, rel, int, arg_name, prim_name)


def check_float_range(
    arg_value: Any, lower_limit: float, upper_limit: float, rel: int, arg_name: str | None = None,
    prim_name: str | None = None,
) -> Any:
    """The same of a float."""
    return _range(arg_value, lower_limit, upper_limit, rel, float, arg_name, prim_name)


def check_bool(arg_value: Any, arg_name: str | None = None, prim_name: str | None = None) -> Any:
    """`arg_value`, a bool.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(arg_value, bool):
        raise TypeError(f"{_subject(arg_name, prim_name)} must be a bool, but got {type(arg_value).__name__}.")
    return arg_value


def check_string(
    arg_value: Any, valid_values: Iterable[str], arg_name: str | None = None, prim_name: str | None = None
) -> Any:
    """`arg_value`, one of some strings.

    Raises:
        ValueError: it is none of them.
    """
    if not (isinstance(arg_value, str) and arg_value in valid_values):
        subject = _subject(arg_name or "parameter", prim_name)
        raise ValueError(f"{subject} must be str and must be in '{valid_values}', but got '{arg_value}'.")
    return arg_value


def _listed(types: Any) -> tuple[Any, ...]:
    return tuple(types) if isinstance(types, Iterable) else (types,)


def _names(types: tuple[Any, ...]) -> str:
    names = [getattr(t, "__name__", str(t)) for t in types]
    return f"one of '{names}'" if len(names) > 1 else f"'{names[0]}'"


def check_value_type(arg_name: str, arg_value: Any, valid_types: Any, prim_name: str | None = None) -> Any:
    """`arg_value`, of one of some types; a bool is an int only where `bool` is among them.

    Raises:
        TypeError: it is of none of them.
    """
    types = _listed(valid_types)
    if not isinstance(arg_value, types) or (isinstance(arg_value, bool) and bool not in types):
        start = f"For '{prim_name}', the" if prim_name else "The"
        raise TypeError(
            f"{start} type of '{arg_name}' should be {_names(types)}, but got type '{type(arg_value).__name__}'."
        )
    return arg_value


def check_type_name(arg_name: str, arg_type: Any, valid_types: Any, prim_name: str | None = None) -> Any:
    """`arg_type`, one of some types, or of the types of elements.

    Raises:
        TypeError: it is none of them.
    """
    types = _listed(valid_types)
    if arg_type not in types:
        got = getattr(arg_type, "__name__", repr(arg_type))
        raise TypeError(f"{_subject(arg_name, prim_name)} should be {_names(types)}, but got '{got}'.")
    return arg_type


def check_subclass(
    arg_name: str, type_: Any, template_types: Any, prim_name: str | None = None, addition_error_info: str | None = None
) -> None:
    """Checks that a type of elements is one of some types, or belongs to one of some groups of them (`float_type`).

    Raises:
        TypeError: it is none of them; `addition_error_info` ends the text.
    """
    groups = [group if isinstance(group, tuple) else (group,) for group in _listed(template_types)]
    types = dict.fromkeys(one for group in groups for one in group)
    if not any(type_ is one for one in types):
        more = f" {addition_error_info}" if addition_error_info else ""
        wanted = ", ".join(map(str, types))
        raise TypeError(
            f"For '{prim_name}', the element of '{arg_name}' must be one of {wanted}, but got {type_}{more}."
        )


def args_type_check(*type_args: Any, **type_kwargs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that checks what a function is given: each argument that has a type here must be of it, or None.

    Raises:
        TypeError: by the decorated function: an argument is of another type.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)
        types = signature.bind_partial(*type_args, **type_kwargs).arguments
        types.update(types.pop("kwargs", {}))

        @wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            for name, value in {**given, **given.get("kwargs", {})}.items():
                if name in types and value is not None and not isinstance(value, types[name]):
                    raise TypeError(f"The parameter '{name}' must be {types[name]}, but got {type(value)}")
            return function(*args, **kwargs)

        return checked

    return decorate


# MindSpore 1 had them as two classes: `Validator.check_positive_int(...)`, `Rel.INC_LEFT`. Programs that know both take
# the module for the first class where there is none, and so find the names of the second there.
Rel = SimpleNamespace(**{name: value for name, value in globals().items() if name.isupper() and name[0] != "_"})
Validator = SimpleNamespace(
    **vars(Rel), **{name: value for name, value in globals().items() if name.startswith("check")}
)
