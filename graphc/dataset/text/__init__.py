"""Text for `Dataset.map`: tokenizers, vocabularies, vectors of words, and what is done to strings and tokens.

    vocab = text.Vocab.from_dataset(dataset, "text", special_tokens=["<pad>", "<unk>"])
    dataset = dataset.map([text.WhitespaceTokenizer(), text.Lookup(vocab, "<unk>")], "text")
"""

from graphc.dataset.text.sequences import AddToken, Ngram, SlidingWindow, Truncate, TruncateSequencePair
from graphc.dataset.text.strings import CaseFold, NormalizeForm, NormalizeUTF8, RegexReplace, ToNumber, to_bytes, to_str
from graphc.dataset.text.tokenizers import (
    BasicTokenizer,
    BertTokenizer,
    PythonTokenizer,
    RegexTokenizer,
    UnicodeCharTokenizer,
    WhitespaceTokenizer,
    WordpieceTokenizer,
)
from graphc.dataset.text.vectors import CharNGram, FastText, GloVe, ToVectors, Vectors
from graphc.dataset.text.vocabulary import Lookup, Vocab

__all__ = [
    "AddToken", "BasicTokenizer", "BertTokenizer", "CaseFold", "CharNGram", "FastText", "GloVe", "Lookup", "Ngram",
    "NormalizeForm", "NormalizeUTF8", "PythonTokenizer", "RegexReplace", "RegexTokenizer", "SlidingWindow", "ToNumber",
    "ToVectors", "Truncate", "TruncateSequencePair", "UnicodeCharTokenizer", "Vectors", "Vocab", "WhitespaceTokenizer",
    "WordpieceTokenizer", "to_bytes", "to_str",
]  # fmt: skip
