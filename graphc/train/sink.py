"""A training step that takes its data from a dataset by itself."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from graphc.dtype import dtype_of
from graphc.nn import check
from graphc.train.check import whole

__all__ = ["DatasetHelper", "data_sink"]


class DatasetHelper:
    """One epoch of a dataset, however often it is gone through: `for data, label in DatasetHelper(dataset): ...`.

    Args:
        dataset: the Dataset.
        dataset_sink_mode: data reach compiled steps by pointer, whatever it is.
        sink_size: in sink mode how many rows one epoch has; the next one goes on where it ended. -1: all of them.
        epoch_num: how many epochs there are to be; there may be more.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(
        self, dataset: Any, dataset_sink_mode: bool = True, sink_size: int = -1, epoch_num: int = 1
    ) -> None:
        sinks = check.boolean("DatasetHelper", "dataset_sink_mode", dataset_sink_mode)
        if not hasattr(dataset, "create_tuple_iterator"):
            raise TypeError(f"DatasetHelper: expected a Dataset, got {type(dataset).__name__}")
        if sink_size != -1:
            check.positive_int("DatasetHelper", "sink_size", sink_size)
        check.positive_int("DatasetHelper", "epoch_num", epoch_num)
        self._dataset, self._rows = dataset, _endless(dataset)
        self._size = dataset.get_dataset_size() if sink_size == -1 else sink_size
        self._sinks = sinks and sink_size != -1

    def __iter__(self) -> Iterator[Any]:
        if self._sinks:
            return islice(self._rows, self._size)
        return iter(self._dataset.create_tuple_iterator())

    def sink_size(self) -> int:
        """How many rows one epoch has."""
        return self._size

    def types_shapes(self) -> tuple[list[Any], list[list[int]]]:
        """The element types, and the shapes, of the columns."""
        types = [dtype_of(t) for t in self._dataset.output_types()]
        return types, self._dataset.output_shapes()


def data_sink(
    fn: Callable[..., Any], dataset: Any, sink_size: int = 1, jit_config: Any = None, input_signature: Any = None
) -> Callable[[], Any]:
    """A function without arguments that calls `fn` with the next rows of a dataset, which starts anew at its end.

        sink_process = ms.data_sink(train_step, dataset)
        for _ in range(epochs * dataset.get_dataset_size()):
            loss = sink_process()

    Args:
        fn: called with the columns of one row (a batch, after `batch`).
        dataset: the Dataset; each time it starts anew it is shuffled anew.
        sink_size: how many rows one call goes through.
        jit_config, input_signature: must be None; decorate `fn` with `jit` to compile it.
    Returns:
        The function; it returns what `fn` returned for the last row.
    Raises:
        TypeError, ValueError: an argument is not as described, or the dataset has no rows.
    """
    whole("data_sink", "sink_size", sink_size, 1)
    if not callable(fn) or not hasattr(dataset, "create_tuple_iterator"):
        raise TypeError(f"data_sink: expected a function and a Dataset, got {fn!r:.60} and {type(dataset).__name__}")
    for name, value in (("jit_config", jit_config), ("input_signature", input_signature)):
        if value is not None:
            raise ValueError(f"data_sink: {name} is not supported, decorate the function with jit; got {value!r:.60}")
    rows = _endless(dataset)

    @functools.wraps(fn)
    def sink_process() -> Any:
        result = None
        for _ in range(sink_size):
            result = fn(*next(rows))
        return result

    return sink_process


def _endless(dataset: Any) -> Iterator[Any]:
    while True:
        count = 0
        for row in dataset.create_tuple_iterator():
            count += 1
            yield row
        if not count:
            raise ValueError("data_sink: the dataset has no rows")
