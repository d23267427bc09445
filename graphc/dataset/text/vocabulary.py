"""Vocabularies, which give numbers to words: `Vocab` and `Lookup`."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.dataset.check import check_int
from graphc.dataset.core import Dataset
from graphc.dataset.text.strings import TextTransform, to_str
from graphc.dataset.transforms import numpy_dtype

__all__ = [
    "Lookup",
    "Vocab",
]


class Vocab:
    """Words and their numbers, each the other's only one; made by one of the `from_` methods."""

    def __init__(self, numbers: Mapping[str, int] | None = None) -> None:
        self._numbers = dict(numbers or {})
        self._words = {number: word for word, number in self._numbers.items()}

    @classmethod
    def from_dict(cls, word_dict: Mapping[str, int]) -> "Vocab":
        """Words with their numbers.

        Raises:
            ValueError: a number below 0, or one of two words.
        """
        numbers = [check_int("Vocab.from_dict: number", n, 0) for n in word_dict.values()]
        if len(set(numbers)) != len(numbers):
            raise ValueError("Vocab.from_dict: two words have the same number")
        return cls(word_dict)

    @classmethod
    def from_list(
        cls, word_list: Iterable[str], special_tokens: Sequence[str] | None = None, special_first: bool = True
    ) -> "Vocab":
        """Words numbered from 0 in order.

        Args:
            special_tokens: words of their own, before the others or (not `special_first`) after them.
        Raises:
            ValueError: a word twice.
        """
        words, special = list(word_list), list(special_tokens or [])
        order = [*special, *words] if special_first else [*words, *special]
        if len(set(order)) != len(order):
            twice = [word for word, count in Counter(order).items() if count > 1]
            raise ValueError(f"Vocab: {twice[:5]} are there more than once")
        return cls({word: number for number, word in enumerate(order)})

    @classmethod
    def from_file(
        cls, file_path: str, delimiter: str = "", vocab_size: int | None = None,
        special_tokens: Sequence[str] | None = None, special_first: bool = True,
    ) -> "Vocab":
        """Words of a file's lines: what stands before the delimiter.

        Args:
            vocab_size: only the first so many lines.
            special_tokens, special_first: see `from_list`.
        Raises:
            ValueError: no such file, or a word twice.
        """
        if not os.path.isfile(file_path):
            raise ValueError(f"Vocab.from_file: there is no file {file_path!r}")
        with open(file_path, encoding="utf-8") as file:
            lines = [line.rstrip("\r\n") for line in file][:vocab_size]
        words = [line.split(delimiter)[0] if delimiter else line for line in lines]
        return cls.from_list(words, special_tokens, special_first)

    @classmethod
    def from_dataset(
        cls, dataset: Dataset, columns: str | Sequence[str] | None = None,
        freq_range: tuple[int | None, int | None] | None = None, top_k: int | None = None,
        special_tokens: Sequence[str] | None = None, special_first: bool = True,
    ) -> "Vocab":
        """The words of a dataset's columns, the most frequent first, equally frequent ones in the alphabet's order.

        Args:
            columns: a column, or several, of strings; by default all.
            freq_range: only words that occur at least and at most so often; None is no bound.
            top_k: only the first so many words.
            special_tokens, special_first: see `from_list`.
        """
        names = dataset.get_col_names() if columns is None else [columns] if isinstance(columns, str) else list(columns)
        counts: Counter[str] = Counter()
        for row in dataset.create_dict_iterator(num_epochs=1, output_numpy=True):
            for name in names:
                values = np.asarray(row[name])
                if values.dtype.kind not in "US":
                    raise TypeError(f"Vocab.from_dataset: column {name!r} holds {values.dtype}, expected strings")
                counts.update(to_str(values).reshape(-1).tolist())
        low, high = freq_range or (None, None)
        words = [
            word for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            if (low is None or count >= low) and (high is None or count <= high)
        ]
        return cls.from_list(words[:top_k], special_tokens, special_first)

    def vocab(self) -> dict[str, int]:
        """The words with their numbers."""
        return dict(self._numbers)

    def tokens_to_ids(self, tokens: str | Sequence[str] | np.ndarray) -> Any:
        """The number of a word, or of several as a list; -1 for a word that is not there."""
        if isinstance(tokens, str):
            return self._numbers.get(tokens, -1)
        return [self._numbers.get(str(token), -1) for token in tokens]

    def ids_to_tokens(self, ids: int | Sequence[int] | np.ndarray) -> Any:
        """The word of a number, or of several as a list; "" for a number that is not there."""
        if isinstance(ids, (int, np.integer)):
            return self._words.get(int(ids), "")
        return [self._words.get(int(number), "") for number in ids]

    def __len__(self) -> int:
        return len(self._numbers)


class Lookup(TextTransform):
    """The numbers of words.

    Args:
        vocab: the vocabulary.
        unknown_token: the word whose number those have that are not in it; None: they are errors.
        data_type: the type of the numbers.
    Raises:
        ValueError: `unknown_token` is not in the vocabulary; when it runs: a word is not, and there is none.
    """

    def __init__(self, vocab: Vocab, unknown_token: str | None = None, data_type: Any = np.int32) -> None:
        if not isinstance(vocab, Vocab):
            raise TypeError(f"Lookup: expected a Vocab, got {type(vocab).__name__}")
        self._numbers, self._dtype = vocab.vocab(), numpy_dtype(data_type)
        if unknown_token is not None and unknown_token not in self._numbers:
            raise ValueError(f"Lookup: the unknown_token {unknown_token!r} is not in the vocabulary")
        self._unknown = None if unknown_token is None else self._numbers[unknown_token]

    def apply(self, values: np.ndarray) -> np.ndarray:
        words = self.several(values)
        numbers = [self._numbers.get(word, self._unknown) for word in words.reshape(-1).tolist()]
        if None in numbers:
            word = words.reshape(-1)[numbers.index(None)]
            raise ValueError(f"Lookup: {str(word)!r} is not in the vocabulary, and there is no unknown_token")
        return np.array(numbers, self._dtype).reshape(words.shape)
