"""Vectors of words, from files in which they are given out: `Vectors`, `GloVe`, `FastText`, `CharNGram`, `ToVectors`.

    glove = text.GloVe.from_file("glove.6B.50d.txt", max_vectors=100_000)
    dataset = dataset.map([text.WhitespaceTokenizer(), text.ToVectors(glove)], "text")
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from graphc.dataset.check import check_int
from graphc.dataset.files import DataFileError
from graphc.dataset.text.strings import TextTransform

__all__ = ["CharNGram", "FastText", "GloVe", "ToVectors", "Vectors"]


class Vectors:
    """Words with a vector each; made by `from_file`.

    Args:
        rows: the row of each word.
        values: float32 [words, dimensions].
    """

    def __init__(self, rows: Mapping[str, int], values: np.ndarray) -> None:
        self._rows, self._values = rows, values

    @property
    def dim(self) -> int:
        """How many numbers a vector has."""
        return int(self._values.shape[1])

    @classmethod
    def from_file(cls, file_path: str | os.PathLike[str], max_vectors: int | None = None) -> Self:
        """The vectors of a file: on each line a word and its numbers, with spaces between them.

        A first line of two fields says how many lines of how many numbers follow, and is left out. Of a word that comes
        twice the first vector counts.

        Args:
            max_vectors: only the first so many lines; None for all.
        Raises:
            FileNotFoundError: there is no such file.
            DataFileError: a line has another number of numbers than the first, or something else.
        """
        most = None if max_vectors is None else check_int(f"{cls.__name__}.from_file: max_vectors", max_vectors, 0)
        rows: dict[str, int] = {}
        values: list[np.ndarray] = []
        with open(file_path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                fields = line.rstrip().split(" ")
                if number == 1 and len(fields) == 2:
                    continue
                if most is not None and len(values) >= most:
                    break
                try:
                    vector = np.array([float(field) for field in fields[1:]], np.float32)
                except ValueError as error:
                    raise DataFileError(f"{file_path}:{number}: not a word and numbers ({error})") from error
                if not vector.size or (values and len(vector) != len(values[0])):
                    expected = len(values[0]) if values else "some"
                    raise DataFileError(f"{file_path}:{number} has {len(vector)} numbers, expected {expected}")
                rows.setdefault(fields[0], len(values))
                values.append(vector)
        if not values:
            raise DataFileError(f"{file_path}: there are no vectors")
        return cls(rows, np.stack(values))

    def vector(self, token: str) -> np.ndarray | None:
        """The vector of a token, float32 [dimensions]; None where there is none."""
        row = self._rows.get(token)
        return None if row is None else self._values[row]


class GloVe(Vectors):
    """The vectors of Pennington, Socher and Manning, "GloVe", 2014; see `Vectors`."""


class FastText(Vectors):
    """The vectors of Bojanowski and others, "Enriching Word Vectors with Subword Information", 2017; see `Vectors`."""


class CharNGram(Vectors):
    """Vectors of runs of characters (Hashimoto and others, "A Joint Many-Task Model", 2017).

    That of a token is the mean of those of its runs of two, three and four, where its beginning and its end count too.
    """

    def vector(self, token: str) -> np.ndarray | None:
        found = [vector for key in _runs(token) if (vector := super(CharNGram, self).vector(key)) is not None]
        return np.stack(found).mean(axis=0, dtype=np.float32) if found else None


def _runs(token: str) -> Iterator[str]:
    characters = ["#BEGIN#", *token, "#END#"]
    for length in (2, 3, 4):
        for at in range(len(characters) - length + 1):
            yield f"{length}gram-{''.join(characters[at : at + length])}"


class ToVectors(TextTransform):
    """The vectors of tokens: float32 [dimensions] for a string, [tokens, dimensions] for several.

    Args:
        vectors: of the words.
        unk_init: the vector of a token that has none; None for zeros.
        lower_case_backup: where a token has none, take that of the token in small letters.
    Raises:
        TypeError: `vectors` are none. ValueError: `unk_init` has another length.
    """

    def __init__(
        self, vectors: Vectors, unk_init: Sequence[float] | None = None, lower_case_backup: bool = False
    ) -> None:
        if not isinstance(vectors, Vectors):
            raise TypeError(f"ToVectors: expected Vectors, got {type(vectors).__name__}")
        if not isinstance(lower_case_backup, bool):
            raise TypeError(f"ToVectors: lower_case_backup must be a bool, got {lower_case_backup!r}")
        self._vectors, self._lower = vectors, lower_case_backup
        self._unknown = np.zeros(vectors.dim, np.float32) if unk_init is None else np.array(unk_init, np.float32)
        if self._unknown.shape != (vectors.dim,):
            raise ValueError(f"ToVectors: unk_init has {self._unknown.size} numbers, the vectors have {vectors.dim}")

    def apply(self, values: np.ndarray) -> Any:
        words = self.several(values)
        found = [self._of(word) for word in words.reshape(-1).tolist()]
        return np.array(found, np.float32).reshape(*words.shape, self._vectors.dim)

    def _of(self, word: str) -> np.ndarray:
        for form in (word, word.lower()) if self._lower else (word,):
            vector = self._vectors.vector(form)
            if vector is not None:
                return vector
        return self._unknown
