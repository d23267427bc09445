"""What is saved of a Cell and the Cells within: Parameters and persistent buffers, by path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from graphc.tensor import Parameter, Tensor

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


def collect(cell: Cell, found: dict[str, Any], prefix: str, keep_vars: bool) -> dict[str, Any]:
    """Enters what is saved of a Cell into `found`, by `prefix` and path; the live objects, not copies."""
    places = [
        (f"{path}." if path else "", inner) for path, inner in cell.cells_and_names(name_prefix=prefix.rstrip("."))
    ]
    for place, inner in places:
        for hook in inner._hooks.state_dict_pre:
            hook(inner, place, keep_vars)
        names = [*inner._params, *(name for name, persistent in inner._buffers.items() if persistent)]
        values = ((place + name, getattr(inner, name)) for name in names)
        found.update((key, value) for key, value in values if value is not None)
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
    own = cell.state_dict()
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    values = {name: Tensor(state[name], target.dtype) for name, target in own.items() if name in state}
    wrong = [f"{n} is {own[n].type}, the value is {v.type}" for n, v in values.items() if own[n].shape != v.shape]
    if wrong or (strict and (missing or unexpected)):
        raise RuntimeError(
            f"load_state_dict: {type(cell).__name__} does not fit: missing {missing}, unexpected {unexpected}, "
            f"different shapes {wrong}"
        )
    for name, value in values.items():
        target = own[name]
        if isinstance(target, Parameter):
            target.set_data(value)
        else:
            path, _, attribute = name.rpartition(".")
            setattr(cell.get_sub_cell(path), attribute, value)
    return Unmatched(missing, unexpected)
