"""Batches of rows that are about equally long: the step of `Dataset.bucket_batch_by_length`."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.dataset.blocks import rows_of
from graphc.dataset.check import check_int
from graphc.dataset.collate import PadAndStack
from graphc.dataset.columns import names_list, positions_of
from graphc.dataset.epochs import Epoch
from graphc.dataset.rows import BatchInfo, BatchRows, Rows, StoredRows
from graphc.dataset.steps import Step

Pad = tuple[Sequence[int | None] | None, Any]


class BucketStep(Step):
    """See `Dataset.bucket_batch_by_length`."""

    makes_samples = True

    def __init__(
        self, child: Step, column_names: str | Sequence[str], boundaries: Sequence[int], sizes: Sequence[int],
        length: Callable[..., int] | None, pad_info: Mapping[str, Pad] | None, to_boundary: bool, drop: bool,
    ) -> None:
        super().__init__([child], child.columns)
        name = "bucket_batch_by_length"
        self._inputs = positions_of(name, child.columns, names_list(name, column_names))
        self._boundaries = [check_int(f"{name}: boundary", b, 1) for b in boundaries]
        self._sizes = [check_int(f"{name}: batch size", s, 1) for s in sizes]
        if not self._boundaries or sorted(set(self._boundaries)) != self._boundaries:
            raise ValueError(f"{name}: bucket_boundaries must increase, got {list(boundaries)}")
        if len(self._sizes) != len(self._boundaries) + 1:
            raise ValueError(
                f"{name}: got {len(self._sizes)} bucket_batch_sizes, expected {len(self._boundaries) + 1}: one more "
                "than boundaries"
            )
        if length is None and len(self._inputs) != 1:
            raise ValueError(f"{name}: without an element_length_function expected one column, got {column_names}")
        if length is not None and not callable(length):
            raise TypeError(f"{name}: element_length_function must be a function, got {length!r}")
        self._length = length or (lambda value: value.shape[0] if value.ndim else 0)
        self._drop, self._to_boundary = drop, to_boundary
        limits = [b - 1 for b in self._boundaries] if to_boundary else [None] * len(self._boundaries)
        self._collates = [PadAndStack(child.columns, _up_to(pad_info, limit)) for limit in [*limits, None]]

    def stream(self, epoch: Epoch) -> Iterator[Rows]:
        waiting: list[list[tuple[Any, ...]]] = [[] for _ in self._sizes]
        numbers = itertools.count()

        def batch(bucket: int) -> Rows:
            rows, waiting[bucket] = waiting[bucket], []
            return BatchRows([(StoredRows(rows), BatchInfo(epoch.number, next(numbers)))], self._collates[bucket])

        for portion in self.children[0].stream(epoch):
            for rows in portion.pieces():
                for row in rows_of(rows.columns()):
                    bucket = self._bucket(row)
                    waiting[bucket].append(row)
                    if len(waiting[bucket]) == self._sizes[bucket]:
                        yield batch(bucket)
        for bucket, left in enumerate(waiting):
            if left and not self._drop:
                yield batch(bucket)

    def _bucket(self, row: tuple[Any, ...]) -> int:
        length = self._length(*(np.asarray(row[i]) for i in self._inputs))
        length = check_int("bucket_batch_by_length: the length of an element", int(length), 0)
        bucket = int(np.searchsorted(self._boundaries, length, "right"))
        if self._to_boundary and bucket == len(self._boundaries):
            raise ValueError(
                f"bucket_batch_by_length: an element of length {length} lies beyond the last boundary, "
                f"{self._boundaries[-1]}, and pad_to_bucket_boundary has no length for it"
            )
        return bucket

    @property
    def batch_size(self) -> int:
        return -1


def _up_to(pad_info: Mapping[str, Pad] | None, limit: int | None) -> Mapping[str, Pad] | None:
    """Pads whose open sizes are a limit."""
    if pad_info is None or limit is None:
        return pad_info
    return {
        name: (None if shape is None else [limit if size is None else size for size in shape], value)
        for name, (shape, value) in pad_info.items()
    }
