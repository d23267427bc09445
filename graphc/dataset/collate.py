"""How the rows of a batch become one: stacked, padded, or by a user's function."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.dataset.blocks import Block, as_array, stack, values_of
from graphc.dataset.columns import ColumnChange, positions_of
from graphc.dataset.rows import BatchInfo
from graphc.dataset.transforms import pad_to


class Stack:
    """Collate by stacking rows that agree."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns

    def __call__(self, columns: list[Block], info: BatchInfo) -> list[np.ndarray]:
        return [stacked(block, name) for block, name in zip(columns, self._columns, strict=True)]


def stacked(block: Block, name: str) -> np.ndarray:
    """A column of one batch as an array.

    Raises:
        ValueError: rows differ in shape, or in dtype.
    """
    if isinstance(block, np.ndarray):
        return block
    first = block[0]
    i, other = next((i, v) for i, v in enumerate(block) if v.shape != first.shape or v.dtype != first.dtype)
    raise ValueError(
        f"batch: the rows of column {name!r} differ, row 0 has shape {first.shape} and dtype {first.dtype}, row {i} "
        f"has shape {other.shape} and dtype {other.dtype}; padded_batch takes rows of different shapes"
    )


class PerBatch:
    """Collate by a user's function."""

    def __init__(self, function: Callable[..., Any], change: ColumnChange) -> None:
        if not callable(function):
            raise TypeError(f"batch: got per_batch_map {function!r}, expected a function")
        self._function = function
        self._change = change

    def __call__(self, columns: list[Block], info: BatchInfo) -> list[np.ndarray]:
        results = self._function(*(values_of(columns[i]) for i in self._change.inputs), info)
        results = results if isinstance(results, tuple) else (results,)
        blocks = self._change(columns, [self._as_block(result) for result in results])
        return [stacked(block, name) for block, name in zip(blocks, self._change.names, strict=True)]

    @staticmethod
    def _as_block(result: Any) -> Block:
        if isinstance(result, (list, tuple)):
            return stack([as_array(value, "batch: per_batch_map returned") for value in result])
        return as_array(result, "batch: per_batch_map returned")


class PadAndStack:
    """Collate rows of different shapes."""

    def __init__(
        self, columns: Sequence[str], pad_info: Mapping[str, tuple[Sequence[int | None] | None, Any]] | None
    ) -> None:
        self._columns = columns
        self._pads: dict[str, tuple[Sequence[int | None] | None, Any]] = dict.fromkeys(columns, (None, None))
        if pad_info:  # an empty one says no more than None
            positions_of("padded_batch: pad_info", columns, list(pad_info))
            pad_info = {name: pad if pad is not None else (None, None) for name, pad in pad_info.items()}
            for name, pad in pad_info.items():
                if not isinstance(pad, (tuple, list)) or len(pad) != 2:
                    raise TypeError(
                        f"padded_batch: pad_info of column {name!r} is {pad!r}, expected a pair (shape, value)"
                    )
            self._pads = {name: (pad[0], pad[1]) for name, pad in pad_info.items()}

    def __call__(self, columns: list[Block], info: BatchInfo) -> list[np.ndarray]:
        return [
            stacked(self._pad(name, values_of(block), *self._pads[name]) if name in self._pads else block, name)
            for name, block in zip(self._columns, columns, strict=True)
        ]

    @staticmethod
    def _pad(name: str, values: list[np.ndarray], shape: Sequence[int | None] | None, value: Any) -> Block:
        ranks = {array.ndim for array in values}
        if len(ranks) > 1 or (shape is not None and len(shape) not in ranks):
            expected = "one rank" if shape is None else f"rank {len(shape)}"
            raise ValueError(f"padded_batch: column {name!r} has rows of rank {sorted(ranks)}, expected {expected}")
        largest = np.max([array.shape for array in values], axis=0, initial=0).astype(int).tolist()
        wanted = [
            most if size is None else size for most, size in zip(largest, shape or [None] * len(largest), strict=True)
        ]
        return stack([pad_to(array, wanted, value) for array in values])
