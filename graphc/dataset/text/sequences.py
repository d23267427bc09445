"""Sequences of tokens: longer, shorter, and in groups of neighbours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng
from graphc.dataset.text.strings import TextTransform
from graphc.dataset.transforms import Transform

__all__ = ["AddToken", "Ngram", "SlidingWindow", "Truncate", "TruncateSequencePair"]


class AddToken(TextTransform):
    """A token put before the tokens of a vector, or (not `begin`) after them."""

    def __init__(self, token: str, begin: bool = True) -> None:
        if not isinstance(token, str) or not isinstance(begin, bool):
            raise TypeError(f"AddToken: expected a str and a bool, got {token!r} and {begin!r}")
        self._token, self._begin = token, begin

    def apply(self, values: np.ndarray) -> np.ndarray:
        tokens = self.several(values).reshape(-1).tolist()
        return np.array([self._token, *tokens] if self._begin else [*tokens, self._token], np.str_)


class Truncate(TextTransform):
    """The first elements of a vector, at most so many; of a matrix those of each row."""

    def __init__(self, max_seq_len: int) -> None:
        self._most = check_int("Truncate: max_seq_len", max_seq_len, 0)

    def apply(self, values: np.ndarray) -> np.ndarray:
        if values.ndim not in (1, 2):
            raise ValueError(f"Truncate: expected a vector or a matrix, got shape {values.shape}")
        return values[..., : self._most].copy()


class TruncateSequencePair(Transform):
    """Two vectors of at most so many elements together: the longer one is cut first, the first of two equally long."""

    def __init__(self, max_length: int) -> None:
        self._most = check_int("TruncateSequencePair: max_length", max_length, 0)

    def sample(self, rng: Rng, *columns: Any) -> Any:
        if len(columns) != 2 or any(np.ndim(column) != 1 for column in columns):
            raise ValueError("TruncateSequencePair: expected two vectors")
        lengths = [len(column) for column in columns]
        while sum(lengths) > self._most:
            lengths[0 if lengths[0] > lengths[1] else 1] -= 1
        return tuple(np.asarray(column)[:length].copy() for column, length in zip(columns, lengths, strict=True))


class Ngram(TextTransform):
    """Runs of n neighbouring tokens, joined.

    Args:
        n: how many, an int or several: first all runs of the first length, then of the next.
        left_pad, right_pad: (a token, how often): what is put before and after the tokens, at most n - 1 times.
        separator: what stands between joined tokens.
    """

    def __init__(
        self, n: int | Sequence[int], left_pad: tuple[str, int] = ("", 0), right_pad: tuple[str, int] = ("", 0),
        separator: str = " ",
    ) -> None:
        self._lengths = [check_int("Ngram: n", k, 1) for k in ([n] if isinstance(n, int) else n)]
        self._left, self._right, self._separator = left_pad, right_pad, separator
        for _, count in (left_pad, right_pad):
            check_int("Ngram: number of pads", count, 0)

    def apply(self, values: np.ndarray) -> np.ndarray:
        tokens = self.several(values).reshape(-1).tolist()
        found: list[str] = []
        for n in self._lengths:
            (before, left), (after, right) = self._left, self._right
            padded = [*[before] * min(left, n - 1), *tokens, *[after] * min(right, n - 1)]
            runs = [self._separator.join(padded[i : i + n]) for i in range(len(padded) - n + 1)]
            found += runs or [""]
        return np.array(found, np.str_)


class SlidingWindow(TextTransform):
    """All runs of neighbouring elements along the one axis of a vector: `[N]` to `[N - width + 1, width]`."""

    def __init__(self, width: int, axis: int = 0) -> None:
        self._width = check_int("SlidingWindow: width", width, 1)
        if axis not in (0, -1):
            raise ValueError(f"SlidingWindow: axis must be 0 or -1, got {axis!r}")

    def apply(self, values: np.ndarray) -> np.ndarray:
        if values.ndim != 1:
            raise ValueError(f"SlidingWindow: expected a vector, got shape {values.shape}")
        if len(values) < self._width:
            return values[:0].reshape(0, self._width)
        return np.lib.stride_tricks.sliding_window_view(values, self._width).copy()
