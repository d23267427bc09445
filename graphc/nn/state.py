"""What is saved of a Cell and the Cells within: Parameters and persistent buffers, by path."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.parameter import Parameter
from graphc.tensor import Tensor

if TYPE_CHECKING:
    from graphc.nn.cell import Cell


class Unmatched(NamedTuple):
    """The paths that were to be loaded but not given, and those given that are none."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"Unmatched(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


EXTRA = "_extra_state"
"""The name of what `get_extra_state` of a Cell gives, behind the Cell's path."""


def _places(cell: Cell, prefix: str = "") -> list[tuple[str, Cell]]:
    """The Cells from the outermost inwards, each with what its paths begin with."""
    named = cell.cells_and_names(name_prefix=prefix.rstrip("."))
    return [(f"{path}." if path else "", inner) for path, inner in named]


def _defines(cell: Cell, name: str) -> bool:
    """Whether a subclass defines a method that a Cell has only by name."""
    from graphc.nn.cell import Cell

    return getattr(type(cell), name) is not getattr(Cell, name)


def collect(cell: Cell, found: dict[str, Any], prefix: str, keep_vars: bool) -> dict[str, Any]:
    """Enters what is saved of a Cell into `found`, by `prefix` and path; the live objects, not copies."""
    places = _places(cell, prefix)
    for place, inner in places:
        for hook in inner._hooks.state_dict_pre:
            hook(inner, place, keep_vars)
        names = [*inner._params, *(name for name, persistent in inner._buffers.items() if persistent)]
        values = ((place + name, getattr(inner, name)) for name in names)
        found.update((key, value) for key, value in values if value is not None)
        if _defines(inner, "get_extra_state"):
            found[place + EXTRA] = inner.get_extra_state()
    for place, inner in reversed(places):
        for hook in inner._hooks.state_dict_post:
            hook(inner, found, place, {})
    return found


def load(cell: Cell, state: Mapping[str, Any], strict: bool) -> Unmatched:
    """Copies values into the Parameters and buffers of the same paths, or none of them where shapes differ, or paths do
    while `strict`; returns the paths that `state` lacks, and those that only it has.

    Raises:
        RuntimeError: something does not fit.
    """
    places, given, found = _places(cell), OrderedDict(state), Unmatched([], [])
    errors: list[str] = []
    for place, inner in places:
        for hook in inner._hooks.load_pre:
            hook(inner, given, place, {}, strict, found.missing_keys, found.unexpected_keys, errors)
    own = cell.state_dict()
    found.missing_keys.extend(name for name in own if name not in given)
    found.unexpected_keys.extend(name for name in given if name not in own)
    known = {name: target for name, target in own.items() if name in given and isinstance(target, Tensor)}
    values = {name: Tensor(given[name], target.dtype) for name, target in known.items()}
    errors += [f"{n} is {own[n].spec}, the value is {v.spec}" for n, v in values.items() if own[n].shape != v.shape]
    later = [(inner, hook) for _, inner in reversed(places) for hook in inner._hooks.load_post]
    before = {name: Tensor(target) for name, target in known.items()} if later and not errors else {}
    if not errors and (later or not (strict and any(found))):
        _put(cell, own, values)
    for inner, hook in later if not errors else ():
        hook(inner, found)
    if errors or (strict and any(found)):
        _put(cell, own, before)
        raise RuntimeError(
            f"load_state_dict: {type(cell).__name__} does not fit: missing {found.missing_keys}, unexpected "
            f"{found.unexpected_keys}, different shapes {errors}"
        )
    for place, inner in places:
        if place + EXTRA in given and _defines(inner, "set_extra_state"):
            inner.set_extra_state(given[place + EXTRA])
    return found


def _put(cell: Cell, own: Mapping[str, Any], values: Mapping[str, Tensor]) -> None:
    """Makes Parameters and buffers hold these values."""
    for name, value in values.items():
        target = own[name]
        if isinstance(target, Parameter):
            target.set_data(value)
        else:
            path, _, attribute = name.rpartition(".")
            setattr(cell.get_sub_cell(path), attribute, value)
