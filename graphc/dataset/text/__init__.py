"""Text for `Dataset.map`: tokenizers, vocabularies, vectors of words, and what is done to strings and tokens.

    vocab = text.Vocab.from_dataset(dataset, "text", special_tokens=["<pad>", "<unk>"])
    dataset = dataset.map([text.WhitespaceTokenizer(), text.Lookup(vocab, "<unk>")], "text")
"""

from graphc.dataset.text.strings import (
    AddToken,
    BasicTokenizer,
    BertTokenizer,
    CaseFold,
    Lookup,
    Ngram,
    NormalizeForm,
    NormalizeUTF8,
    PythonTokenizer,
    RegexReplace,
    RegexTokenizer,
    SlidingWindow,
    ToNumber,
    Truncate,
    TruncateSequencePair,
    UnicodeCharTokenizer,
    Vocab,
    WhitespaceTokenizer,
    WordpieceTokenizer,
    to_bytes,
    to_str,
)
from graphc.dataset.text.vectors import CharNGram, FastText, GloVe, ToVectors, Vectors

__all__ = [
    "AddToken",
    "BasicTokenizer",
    "BertTokenizer",
    "CaseFold",
    "CharNGram",
    "FastText",
    "GloVe",
    "Lookup",
    "Ngram",
    "NormalizeForm",
    "NormalizeUTF8",
    "PythonTokenizer",
    "RegexReplace",
    "RegexTokenizer",
    "SlidingWindow",
    "ToNumber",
    "ToVectors",
    "Truncate",
    "TruncateSequencePair",
    "UnicodeCharTokenizer",
    "Vectors",
    "Vocab",
    "WhitespaceTokenizer",
    "WordpieceTokenizer",
    "to_bytes",
    "to_str",
]
