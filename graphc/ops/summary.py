"""Values that a network notes as it runs: `ops.ScalarSummary()("loss", loss)` and its kin, in both modes.

What is noted is assigned to a Parameter of its own, beside a count of how often that was: a graph that notes something
has these updates too. `train.SummaryRecord` takes the values that came since it took them last, and writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.dispatch import assign
from graphc.gradients import stop_gradient
from graphc.ir import TensorType
from graphc.ops.primitive_classes import enter
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

__all__: list[str] = []


@dataclass
class _Place:
    """Where the values of a tag are noted: the last one, how many there were, and how many when they were taken."""

    value: Parameter
    count: Parameter
    taken: int = 0


_places: dict[tuple[str, str, TensorType], _Place] = {}


def note(kind: str, tag: str, value: Tensor) -> None:
    """Keeps a value until it is taken, or until the next one of its kind, tag and type."""
    key = kind, tag, value.spec
    if key not in _places:
        zeros = np.zeros(value.shape, value.dtype.np)
        _places[key] = _Place(Parameter(zeros, f"summary.{tag}"), Parameter(np.int32(0), f"summary.{tag}.count"))
    place = _places[key]
    assign(place.value, stop_gradient(value))
    assign(place.count, place.count + 1)


def taken() -> Iterator[tuple[str, str, np.ndarray]]:
    """Kind, tag and value of what was noted since it was taken last."""
    for (kind, tag, _), place in _places.items():
        count = int(place.count.asnumpy())
        if count != place.taken:
            place.taken = count
            yield kind, tag, place.value.asnumpy()


def _noting(kind: str, ranks: range, expected: str) -> Callable[..., None]:
    """What a call of the class does, whose values have one of the ranks."""

    def call(self: Any, name: str, value: Tensor) -> None:
        if not isinstance(name, str):
            raise located(TypeError(f"{self.name}: name must be a str, got {type(name).__name__}"))
        if not isinstance(value, Tensor):
            raise located(TypeError(f"{self.name}: value must be a Tensor, got {type(value).__name__}"))
        if not name or value.ndim not in ranks:
            raise located(ValueError(f"{self.name}: expected a name and {expected}, got {name!r} and {value.spec}"))
        note(kind, name, value)

    return call


enter({}, {
    name: ({}, _noting(*row))
    for name, row in {
        "HistogramSummary": ("histogram", range(1, 9), "a tensor of rank 1 at least"),
        "ImageSummary": ("image", range(4, 5), "images [N, C, H, W]"),
        "ScalarSummary": ("scalar", range(2), "a number"),
        "TensorSummary": ("tensor", range(1, 9), "a tensor of rank 1 at least"),
    }.items()
})  # fmt: skip
