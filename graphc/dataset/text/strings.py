"""Strings: from bytes and back, in other forms, and the base of all that is done to text.

A sample is a string (a 0-d NumPy array of type str), tokens are a vector of strings.
"""

import re
import unicodedata
from enum import Enum
from typing import Any

import numpy as np

from graphc.dataset.blocks import as_array
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import Transform, numpy_dtype

__all__ = ["CaseFold", "NormalizeForm", "NormalizeUTF8", "RegexReplace", "ToNumber", "to_bytes", "to_str"]


def to_str(array: Any, encoding: str = "utf8") -> np.ndarray:
    """An array of bytes decoded to strings."""
    given = np.asarray(array)
    return np.char.decode(given, encoding) if given.dtype.kind == "S" else given.astype(np.str_)


def to_bytes(array: Any, encoding: str = "utf8") -> np.ndarray:
    """An array of strings encoded to bytes."""
    given = np.asarray(array)
    return np.char.encode(given, encoding) if given.dtype.kind == "U" else given


class TextTransform(Transform):
    """An operation on one column of strings that draws nothing."""

    def sample(self, rng: Rng, *columns: Any) -> Any:
        results = tuple(self.apply(as_array(column, type(self).__name__)) for column in columns)
        return results[0] if len(results) == 1 else results

    def apply(self, values: np.ndarray) -> Any:
        """The operation on the value of one sample."""
        raise TypeError(f"{type(self).__name__}: define apply()")

    def one(self, values: np.ndarray) -> str:
        """The one string of a sample."""
        if values.ndim or values.dtype.kind not in "US":
            got = f"{values.dtype} of shape {values.shape}"
            raise TypeError(f"{type(self).__name__}: expected a string, got {got}")
        return str(to_str(values)[()])

    def several(self, values: np.ndarray) -> np.ndarray:
        """The strings of a sample, in whatever shape."""
        if values.dtype.kind not in "US":
            raise TypeError(f"{type(self).__name__}: expected strings, got {values.dtype}")
        return to_str(values)


class NormalizeForm(Enum):
    """Unicode's normal forms."""

    NONE = 0
    NFC = 1
    NFKC = 2
    NFD = 3
    NFKD = 4

    def of(self, text: str) -> str:
        """The text in this form."""
        return text if self is NormalizeForm.NONE else unicodedata.normalize(self.name, text)  # type: ignore[arg-type]


class _OnStrings(TextTransform):
    """An operation on every string of a sample."""

    def apply(self, values: np.ndarray) -> np.ndarray:
        given = self.several(values)
        return np.array([self.changed(text) for text in given.reshape(-1).tolist()], np.str_).reshape(given.shape)

    def changed(self, text: str) -> str:
        raise TypeError(f"{type(self).__name__}: define changed()")


class CaseFold(_OnStrings):
    """Strings without the difference of cases."""

    def changed(self, text: str) -> str:
        return text.casefold()


class NormalizeUTF8(_OnStrings):
    """Strings in one of Unicode's normal forms."""

    def __init__(self, normalize_form: NormalizeForm = NormalizeForm.NFKC) -> None:
        if not isinstance(normalize_form, NormalizeForm):
            raise TypeError(f"NormalizeUTF8: expected a NormalizeForm, got {normalize_form!r}")
        self._form = normalize_form

    def changed(self, text: str) -> str:
        return self._form.of(text)


class RegexReplace(_OnStrings):
    """Strings with what matches a pattern replaced.

    Args:
        replace: what takes its place, as in `re.sub`.
        replace_all: all matches, or only the first.
    """

    def __init__(self, pattern: str, replace: str, replace_all: bool = True) -> None:
        self._pattern, self._replace, self._count = re.compile(pattern), replace, 0 if replace_all else 1

    def changed(self, text: str) -> str:
        return self._pattern.sub(self._replace, text, count=self._count)


class ToNumber(TextTransform):
    """Strings that are numbers as numbers of a type.

    Raises:
        ValueError: when it runs: one is no number of the type.
    """

    def __init__(self, data_type: Any) -> None:
        self._dtype = numpy_dtype(data_type)

    def apply(self, values: np.ndarray) -> np.ndarray:
        given = self.several(values)
        read = float if self._dtype.kind == "f" else int
        try:
            numbers = [read(text) for text in given.reshape(-1).tolist()]
            return np.array(numbers, self._dtype).reshape(given.shape)
        except (ValueError, OverflowError) as error:
            raise ValueError(f"ToNumber: expected numbers of type {self._dtype}: {error}") from None
