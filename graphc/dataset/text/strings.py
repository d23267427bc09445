"""Tokenizers, vocabularies, and what is done to strings and to sequences of tokens.

A sample is a string (a 0-d NumPy array of type str), tokens are a vector of strings.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np

from graphc.dataset.blocks import as_array
from graphc.dataset.config import check_int
from graphc.dataset.core import Dataset
from graphc.dataset.rng import Rng
from graphc.dataset.transforms import Transform, numpy_dtype

__all__ = [
    "AddToken",
    "BasicTokenizer",
    "BertTokenizer",
    "CaseFold",
    "Lookup",
    "Ngram",
    "NormalizeForm",
    "NormalizeUTF8",
    "PythonTokenizer",
    "RegexReplace",
    "RegexTokenizer",
    "SlidingWindow",
    "ToNumber",
    "Truncate",
    "TruncateSequencePair",
    "UnicodeCharTokenizer",
    "Vocab",
    "WhitespaceTokenizer",
    "WordpieceTokenizer",
    "to_bytes",
    "to_str",
]


def to_str(array: Any, encoding: str = "utf8") -> np.ndarray:
    """An array of bytes decoded to strings."""
    given = np.asarray(array)
    return np.char.decode(given, encoding) if given.dtype.kind == "S" else given.astype(np.str_)


def to_bytes(array: Any, encoding: str = "utf8") -> np.ndarray:
    """An array of strings encoded to bytes."""
    given = np.asarray(array)
    return np.char.encode(given, encoding) if given.dtype.kind == "U" else given


# Vocabularies


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


# Tokenizers

Token = tuple[str, int, int]


def with_places(tokens: Sequence[Token]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens, where they start, and where they end: strings and uint32."""
    words, starts, ends = zip(*tokens, strict=True)
    return np.array(words, np.str_), np.array(starts, np.uint32), np.array(ends, np.uint32)


class _Tokenizer(TextTransform):
    """What cuts a string into tokens.

    Args:
        with_offsets: give where in the string's UTF-8 bytes each token starts and where it ends, too: uint32.
    """

    def __init__(self, with_offsets: bool = False) -> None:
        if not isinstance(with_offsets, bool):
            raise TypeError(f"{type(self).__name__}: with_offsets must be a bool, got {with_offsets!r}")
        self._with_offsets = with_offsets

    def tokens(self, text: str) -> list[Token]:
        """The tokens, each with its first and its end position among the characters."""
        raise TypeError(f"{type(self).__name__}: define tokens()")

    def apply(self, values: np.ndarray) -> Any:
        text = self.one(values)
        found = self.tokens(text) or [("", 0, 0)]
        words = np.array([token for token, _, _ in found], np.str_)
        if not self._with_offsets:
            return words
        bytes_before = np.cumsum([0, *(len(char.encode()) for char in text)])
        starts = bytes_before[[start for _, start, _ in found]].astype(np.uint32)
        return words, starts, bytes_before[[end for _, _, end in found]].astype(np.uint32)


class WhitespaceTokenizer(_Tokenizer):
    """What stands between white space."""

    def tokens(self, text: str) -> list[Token]:
        return [(m.group(), m.start(), m.end()) for m in re.finditer(r"\S+", text)]


class UnicodeCharTokenizer(_Tokenizer):
    """Every character."""

    def tokens(self, text: str) -> list[Token]:
        return [(char, i, i + 1) for i, char in enumerate(text)]


class RegexTokenizer(_Tokenizer):
    """What stands between matches of a pattern.

    Args:
        delim_pattern: the pattern of what separates tokens.
        keep_delim_pattern: separators that match this pattern are tokens themselves.
    """

    def __init__(self, delim_pattern: str, keep_delim_pattern: str = "", with_offsets: bool = False) -> None:
        super().__init__(with_offsets)
        self._between = re.compile(delim_pattern)
        self._kept = re.compile(keep_delim_pattern) if keep_delim_pattern else None

    def tokens(self, text: str) -> list[Token]:
        found: list[Token] = []
        at = 0
        for match in self._between.finditer(text):
            if match.start() > at:
                found.append((text[at : match.start()], at, match.start()))
            if self._kept is not None and match.group() and self._kept.fullmatch(match.group()):
                found.append((match.group(), match.start(), match.end()))
            at = match.end()
        if at < len(text):
            found.append((text[at:], at, len(text)))
        return found


_UNUSED = re.compile(r"\[CLS\]|\[SEP\]|\[UNK\]|\[PAD\]|\[MASK\]|\[unused\d+\]")


def _is_apart(char: str) -> bool:
    """Whether a character is a token by itself in BERT's rule: punctuation, symbols of ASCII, Chinese characters."""
    code = ord(char)
    chinese = (
        0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0x20000 <= code <= 0x2CEAF or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )  # fmt: skip
    ascii_symbol = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return chinese or ascii_symbol or unicodedata.category(char).startswith("P")


class BasicTokenizer(_Tokenizer):
    """BERT's first step (Devlin et al. 2018): words, and punctuation and Chinese characters by themselves.

    Args:
        lower_case: fold cases, and strip accents.
        keep_whitespace: keep white space as tokens.
        normalization_form: normalize strings that are not lowered; see `NormalizeForm`.
        preserve_unused_token: leave `[CLS]`, `[SEP]`, `[UNK]`, `[PAD]`, `[MASK]` and `[unused1]` whole and as they are.
        with_offsets: give where each token starts and ends, too: among the bytes of the text as it was changed first.
    """

    def __init__(
        self, lower_case: bool = False, keep_whitespace: bool = False,
        normalization_form: "NormalizeForm | None" = None, preserve_unused_token: bool = True,
        with_offsets: bool = False,
    ) -> None:
        super().__init__(with_offsets)
        self._form = NormalizeForm.NONE if normalization_form is None else normalization_form
        self._lower, self._spaces, self._unused = lower_case, keep_whitespace, preserve_unused_token

    def apply(self, values: np.ndarray) -> Any:
        return super().apply(np.array(self._prepared(self.one(values))))

    def _prepared(self, text: str) -> str:
        if not self._lower:
            text = self._form.of(text)
        else:
            parts = _UNUSED.split(text) if self._unused else [text]
            kept = [*(_UNUSED.findall(text) if self._unused else []), ""]
            text = "".join(_lowered(part) + whole for part, whole in zip(parts, kept, strict=True))
        return "".join(char for char in text if char in "\t\n\r" or not unicodedata.category(char).startswith("C"))

    def tokens(self, text: str) -> list[Token]:
        found: list[Token] = []
        at = 0
        while at < len(text):
            whole = _UNUSED.match(text, at) if self._unused else None
            if whole:
                found.append((whole.group(), at, whole.end()))
                at = whole.end()
                continue
            char, end = text[at], at + 1
            if char.isspace():
                while end < len(text) and text[end].isspace():
                    end += 1
                if self._spaces:
                    found.append((text[at:end], at, end))
            elif _is_apart(char):
                found.append((char, at, end))
            else:
                while end < len(text) and not (text[end].isspace() or _is_apart(text[end])):
                    end += 1
                found.append((text[at:end], at, end))
            at = end
        return found


def _lowered(text: str) -> str:
    parts = unicodedata.normalize("NFD", text.casefold())
    return "".join(char for char in parts if unicodedata.category(char) != "Mn")


class WordpieceTokenizer(TextTransform):
    """Words cut into the longest pieces that a vocabulary has, from the left (Wu et al. 2016).

    Args:
        vocab: the pieces.
        suffix_indicator: what pieces that do not begin a word begin with.
        max_bytes_per_token: longer words are not cut.
        unknown_token: the token for a word that cannot be cut into pieces; "": the word itself.
        with_offsets: give where in its word's UTF-8 bytes each piece starts and where it ends, too: uint32.
    """

    def __init__(
        self, vocab: Vocab, suffix_indicator: str = "##", max_bytes_per_token: int = 100, unknown_token: str = "[UNK]",
        with_offsets: bool = False,
    ) -> None:
        if not isinstance(with_offsets, bool):
            raise TypeError(f"{type(self).__name__}: with_offsets must be a bool, got {with_offsets!r}")
        self._pieces, self._suffix, self._unknown = vocab.vocab(), suffix_indicator, unknown_token
        self._most = check_int(f"{type(self).__name__}: max_bytes_per_token", max_bytes_per_token, 0)
        self._with_offsets = with_offsets

    def apply(self, values: np.ndarray) -> Any:
        words = self.several(values).reshape(-1).tolist()
        cut = [piece for word in words for piece in self.pieces(word)] or [("", 0, 0)]
        return with_places(cut) if self._with_offsets else np.array([piece for piece, _, _ in cut], np.str_)

    def pieces(self, word: str) -> list[Token]:
        """The pieces of a word, each with its first and its end position among the word's bytes."""
        size = len(word.encode())
        whole = [(self._unknown or word, 0, size)]
        if size > self._most:
            return whole
        found: list[Token] = []
        at = byte = 0
        while at < len(word):
            start = self._suffix if at else ""
            end = next((e for e in range(len(word), at, -1) if start + word[at:e] in self._pieces), at)
            if end == at:
                return whole
            after = byte + len(word[at:end].encode())
            found.append((start + word[at:end], byte, after))
            at, byte = end, after
        return found


class BertTokenizer(TextTransform):
    """`BasicTokenizer`, then `WordpieceTokenizer`; arguments as theirs, positions among the bytes of the text."""

    def __init__(
        self, vocab: Vocab, suffix_indicator: str = "##", max_bytes_per_token: int = 100, unknown_token: str = "[UNK]",
        lower_case: bool = False, keep_whitespace: bool = False, normalization_form: "NormalizeForm | None" = None,
        preserve_unused_token: bool = True, with_offsets: bool = False,
    ) -> None:
        self._words = BasicTokenizer(
            lower_case, keep_whitespace, normalization_form, preserve_unused_token, with_offsets=True
        )  # fmt: skip
        self._cut = WordpieceTokenizer(vocab, suffix_indicator, max_bytes_per_token, unknown_token, with_offsets)
        self._with_offsets = with_offsets

    def apply(self, values: np.ndarray) -> Any:
        words, starts, _ = self._words.apply(values)
        if not self._with_offsets:
            return self._cut.apply(words)
        pairs = zip(words.tolist(), starts.tolist(), strict=True)
        return with_places([
            (piece, start + first, start + end) for word, start in pairs for piece, first, end in self._cut.pieces(word)
        ] or [("", 0, 0)])  # fmt: skip


class PythonTokenizer(TextTransform):
    """A function from a string to a list of tokens."""

    def __init__(self, tokenizer: Callable[[str], Sequence[str]]) -> None:
        if not callable(tokenizer):
            raise TypeError(f"PythonTokenizer: expected a function, got {type(tokenizer).__name__}")
        self._tokenizer = tokenizer

    def apply(self, values: np.ndarray) -> np.ndarray:
        return np.array([str(token) for token in self._tokenizer(self.one(values))] or [""], np.str_)


# Strings


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


# Sequences


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
