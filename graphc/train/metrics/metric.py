"""What all metrics are: `Metric`, and `Mean` for those that are a quotient of two sums."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.arrays import of_numpy
from graphc.tensor import Tensor


def rearrange_inputs(func: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a metric's `update`: it receives those inputs that `set_indexes` chose, in that order."""

    @functools.wraps(func)
    def update(self: Any, *inputs: Any) -> Any:
        indexes = self.indexes
        if not indexes:
            return func(self, *inputs)
        if max(indexes) >= len(inputs):
            raise ValueError(f"{name_of(self)}: indexes {indexes} choose from {len(inputs)} inputs")
        return func(self, *[inputs[i] for i in indexes])

    return update


class Metric(ABC):
    """The base of all metrics: a subclass defines `clear`, `update` (for one batch) and `eval`."""

    _indexes: list[int] | None = None

    @abstractmethod
    def clear(self) -> None:
        """Forgets all batches."""

    @abstractmethod
    def update(self, *inputs: Any) -> None:
        """Takes one batch into account; usually (predictions, labels)."""

    @abstractmethod
    def eval(self) -> Any:
        """The metric of all batches since `clear`."""

    def __call__(self, *inputs: Any) -> Any:
        """The metric of this one batch."""
        self.clear()
        self.update(*inputs)
        return self.eval()

    @property
    def indexes(self) -> list[int] | None:
        """Which of the inputs given to `update` are used, in which order; None for all as they come."""
        return self._indexes

    def set_indexes(self, indexes: list[int]) -> Metric:
        """Chooses the inputs of `update`, for an evaluation network that returns more than (predictions, labels)."""
        if not isinstance(indexes, list) or not indexes or not all(isinstance(i, int) and i >= 0 for i in indexes):
            raise ValueError(f"{name_of(self)}.set_indexes: expected a list of ints >= 0, got {indexes!r}")
        self._indexes = indexes
        return self

    def _convert_data(self, data: Any) -> np.ndarray:
        """A Tensor, array or list as an array."""
        if isinstance(data, Tensor):
            return of_numpy(data.numpy_view())
        if isinstance(data, (np.ndarray, list)):
            return np.asarray(data)
        raise TypeError(f"{name_of(self)}.update: expected Tensors, arrays or lists, got {type(data).__name__}")

    def _pair(self, inputs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """The inputs (predictions, labels) as arrays."""
        if len(inputs) != 2:
            raise ValueError(f"{name_of(self)}.update: expected 2 inputs (predictions, labels), got {len(inputs)}")
        return self._convert_data(inputs[0]), self._convert_data(inputs[1])

    def _nothing_yet(self) -> RuntimeError:
        return RuntimeError(f"{name_of(self)}.eval: there is nothing to evaluate; call update first")


def name_of(metric: Any) -> str:
    return type(metric).__name__


class Mean(Metric):
    """A quotient of two sums that grow with every batch."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._sum, self._count = 0.0, 0

    @property
    def count(self) -> int:
        """How much went into the mean since `clear`."""
        return self._count

    def eval(self) -> float:
        if not self._count:
            raise self._nothing_yet()
        return self._sum / self._count
