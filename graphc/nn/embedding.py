"""Tables of vectors that are looked up by index."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.initializer import initializer
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.check import float_dtype
from graphc.nn.layer import Layer
from graphc.ops.one_hot import checked_one_hot
from graphc.parameter import Parameter
from graphc.tensor import Tensor

__all__ = ["Embedding", "EmbeddingLookup"]


class Embedding(Layer):
    """The rows of a trained table at the given indices.

    Args:
        vocab_size, embedding_size: rows and columns of `embedding_table`.
        use_one_hot: look up by multiplying one-hot rows with the table.
        embedding_table: what initialises the table.
        dtype: of the table.
        padding_idx: a row that begins as zeros.
    Raises:
        IndexError: when it runs, an index that is not in [0, vocab_size).
    """

    def __init__(
        self, vocab_size: int, embedding_size: int, use_one_hot: bool = False, embedding_table: Any = "normal",
        dtype: Any = float32, padding_idx: int | None = None,
    ) -> None:
        super().__init__()
        self.vocab_size = check.positive_int("Embedding", "vocab_size", vocab_size)
        self.embedding_size = check.positive_int("Embedding", "embedding_size", embedding_size)
        self.use_one_hot = check.boolean("Embedding", "use_one_hot", use_one_hot)
        self.dtype = float_dtype("Embedding", dtype)
        self.padding_idx = padding_idx
        table = initializer(embedding_table, (vocab_size, embedding_size), self.dtype)
        if padding_idx is not None:
            if not check.is_int(padding_idx) or not 0 <= padding_idx < vocab_size:
                error = ValueError if check.is_int(padding_idx) else TypeError
                raise error(
                    f"For 'Embedding', the 'padding_idx' must be an int in [0, {vocab_size}), but got {padding_idx!r}."
                )
            rows = table.asnumpy()
            rows[padding_idx] = 0
            table = Tensor(rows)
        self.embedding_table = Parameter(table, "embedding_table")

    def construct(self, ids: Tensor) -> Tensor:
        if not self.use_one_hot:
            return ops.gather(self.embedding_table, ids, 0)
        rows = checked_one_hot(ids, self.vocab_size, Tensor(1, self.dtype), Tensor(0, self.dtype), -1)
        return ops.matmul(rows, self.embedding_table)

    def extend_repr(self) -> str:
        return (
            f"vocab_size={self.vocab_size}, embedding_size={self.embedding_size}, use_one_hot={self.use_one_hot}, "
            f"embedding_table={self.embedding_table}, dtype={self.dtype}, padding_idx={self.padding_idx}"
        )


class EmbeddingLookup(Cell):
    """Embedding under MindSpore's older name and arguments.

    Args:
        vocab_size, embedding_size: rows and columns of `embedding_table`.
        param_init: what initialises the table.
        target: 'CPU' or 'DEVICE': both are the CPU here.
        slice_mode: 'batch_slice'; the others are for several machines.
        max_norm: rows of a larger norm are scaled down to it when looked up.
        sparse: kept for MindSpore's programs: gradients of tables are dense.
    """

    def __init__(
        self, vocab_size: int, embedding_size: int, param_init: Any = "normal", target: str = "CPU",
        slice_mode: str = "batch_slice", manual_shapes: Any = None, max_norm: float | None = None,
        sparse: bool = True, dtype: Any = float32,
    ) -> None:
        super().__init__()
        where = "EmbeddingLookup"
        self.vocab_size = check.positive_int(where, "vocab_size", vocab_size)
        self.embedding_size = check.positive_int(where, "embedding_size", embedding_size)
        check.one_of(where, "target", target, ("CPU", "DEVICE"))
        check.boolean(where, "sparse", sparse)
        check.only(where, "slice_mode", slice_mode, "batch_slice")
        check.only(where, "manual_shapes", manual_shapes, None)
        self.max_norm = None if max_norm is None else check.positive_float(where, "max_norm", max_norm)
        table = initializer(param_init, (vocab_size, embedding_size), float_dtype(where, dtype))
        self.embedding_table = Parameter(table, "embedding_table")

    def construct(self, indices: Tensor) -> Tensor:
        rows = ops.gather(self.embedding_table, indices, 0)
        if self.max_norm is None:
            return rows
        norm = ops.sqrt(ops.sum(rows * rows, -1, True))
        return rows * (self.max_norm / ops.maximum(norm, self.max_norm))
