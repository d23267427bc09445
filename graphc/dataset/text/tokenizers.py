"""Tokenizers, which cut a string into words or parts of words."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.dataset.check import check_int
from graphc.dataset.text.strings import NormalizeForm, TextTransform
from graphc.dataset.text.vocabulary import Vocab

__all__ = [
    "BasicTokenizer", "BertTokenizer", "PythonTokenizer", "RegexTokenizer", "UnicodeCharTokenizer",
    "WhitespaceTokenizer", "WordpieceTokenizer",
]  # fmt: skip

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
