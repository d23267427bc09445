"""Checks of arguments, with the texts of the data pipeline's errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def check_int(name: str, value: object, low: int, high: int | None = None) -> int:
    """`value` as an int, or the error that names what was given and the range `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name}: got {value!r} of type {type(value).__name__}, expected an int")
    if value < low or (high is not None and value > high):
        raise ValueError(
            f"{name}: got {value}, expected " + (f"at least {low}" if high is None else f"{low} to {high}")
        )
    return int(value)


def check_choice(name: str, what: str, value: Any, choices: Sequence[Any]) -> Any:
    """`value` itself, or the error that names the ones there are to choose from."""
    if value not in choices:
        *others, last = map(repr, choices)
        raise ValueError(f"{name}: got {what} {value!r}, expected {', '.join(others)} or {last}")
    return value


def check_options(name: str, given: Mapping[str, Any], known: set[str]) -> None:
    """Refuse keyword arguments that do not exist, and those that ask for what there is not."""
    for key, value in given.items():
        if key not in known:
            raise TypeError(f"{name}: got an unexpected argument {key!r}")
        if key in ("cache", "callbacks", "offload") and value:
            raise ValueError(f"{name}: {key} is not available, leave it unset")


def check_unset(name: str, **given: Any) -> None:
    """Refuse arguments that ask for what there is not."""
    for key, value in given.items():
        if value is not None:
            raise ValueError(f"{name}: {key} is not available, leave it unset")
