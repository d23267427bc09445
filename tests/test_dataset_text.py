"""`graphc.dataset.text`: what MindSpore 2.10 gives for the same calls, and whole pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as ms
import graphc.dataset as ds
from graphc.dataset import text

LINE = "Welcome to Beijing! 北京 [CLS] It's  Café-ÀÉ x_y"
PIECES = text.Vocab.from_list(["我", "wel", "##come", "to", "be", "##i", "##jin", "##g", "[UNK]", "café", "!", "it"])
WORDS = np.array(["a", "b", "c"])


def plain(value: Any) -> Any:
    return tuple(map(plain, value)) if isinstance(value, tuple) else value.tolist()


CASES: list[tuple[str, Callable[[], Any], Any]] = [
    ("white space", lambda: text.WhitespaceTokenizer()(LINE),
     ["Welcome", "to", "Beijing!", "北京", "[CLS]", "It's", "Café-ÀÉ", "x_y"]),
    ("white space alone", lambda: text.WhitespaceTokenizer()("  "), [""]),
    ("offsets", lambda: text.WhitespaceTokenizer(True)("é 北京 a"), (["é", "北京", "a"], [0, 3, 10], [2, 9, 11])),
    ("characters", lambda: text.UnicodeCharTokenizer(True)("a北 "), (["a", "北", " "], [0, 1, 4], [1, 4, 5])),
    ("pattern", lambda: text.RegexTokenizer("[,!]")("a,b!c"), ["a", "b", "c"]),
    ("pattern kept", lambda: text.RegexTokenizer(r"\s+", r"\s+", True)("Welcome to  Bei"),
     (["Welcome", " ", "to", "  ", "Bei"], [0, 7, 8, 10, 12], [7, 8, 10, 12, 15])),
    ("basic", lambda: text.BasicTokenizer()(LINE),
     ["Welcome", "to", "Beijing", "!", "北", "京", "[CLS]", "It", "'", "s", "Café", "-", "ÀÉ", "x", "_", "y"]),
    ("basic lowered", lambda: text.BasicTokenizer(True)(LINE),
     ["welcome", "to", "beijing", "!", "北", "京", "[CLS]", "it", "'", "s", "cafe", "-", "ae", "x", "_", "y"]),
    ("basic with spaces", lambda: text.BasicTokenizer(keep_whitespace=True)("a, [X]"),
     ["a", ",", " ", "[", "X", "]"]),
    ("basic normalized", lambda: text.BasicTokenizer(False, False, text.NormalizeForm.NFKC, False)("ﬁ[CLS]\x00"),
     ["fi", "[", "CLS", "]"]),
    ("basic offsets", lambda: text.BasicTokenizer(with_offsets=True)("ab, c北d"),
     (["ab", ",", "c", "北", "d"], [0, 2, 4, 5, 8], [2, 3, 5, 8, 9])),
    ("pieces", lambda: text.WordpieceTokenizer(PIECES)(np.array(["welcome", "to", "beijing", "china"])),
     ["wel", "##come", "to", "be", "##i", "##jin", "##g", "[UNK]"]),
    ("pieces or words", lambda: text.WordpieceTokenizer(PIECES, unknown_token="")(np.array(["to", "china"])),
     ["to", "china"]),
    ("long words", lambda: text.WordpieceTokenizer(PIECES, max_bytes_per_token=3)(np.array(["welcome"])), ["[UNK]"]),
    ("BERT", lambda: text.BertTokenizer(PIECES, lower_case=True)("Welcome to Beijing! It's"),
     ["wel", "##come", "to", "be", "##i", "##jin", "##g", "!", "it", "[UNK]", "[UNK]"]),
    ("offsets of pieces", lambda: text.WordpieceTokenizer(PIECES, with_offsets=True)(np.array(["welcome", "zz", "我"])),
     (["wel", "##come", "[UNK]", "我"], [0, 3, 0, 0], [3, 7, 2, 3])),
    ("BERT's offsets", lambda: text.BertTokenizer(PIECES, with_offsets=True)("welcome 我 zz!"),
     (["wel", "##come", "我", "[UNK]", "!"], [0, 3, 8, 12, 14], [3, 7, 11, 14, 15])),
    ("offsets in the lowered text", lambda: text.BertTokenizer(PIECES, lower_case=True, with_offsets=True)("ÜÜ Wel"),
     (["[UNK]", "wel"], [0, 3], [2, 6])),
    ("offsets of nothing", lambda: text.BertTokenizer(PIECES, with_offsets=True)(" "), ([""], [0], [0])),
    ("function", lambda: text.PythonTokenizer(lambda s: s.split("e"))("hello"), ["h", "llo"]),
    ("cases", lambda: text.CaseFold()("Straße ÀB"), "strasse àb"),
    ("normal form", lambda: text.NormalizeUTF8()("ṩ ﬁ"), "ṩ fi"),
    ("replace", lambda: text.RegexReplace("a+", "_")("caat aa"), "c_t _"),
    ("replace once", lambda: text.RegexReplace("a+", "_", False)("caat aa"), "c_t aa"),
    ("numbers", lambda: text.ToNumber(ms.float32)(np.array(["1.5", "2e3"])), [1.5, 2000]),
    ("look up", lambda: text.Lookup(PIECES, "[UNK]")(np.array(["to", "zzz"])), [3, 8]),
    ("look up one", lambda: text.Lookup(PIECES)("to"), 3),
    ("add before", lambda: text.AddToken("T")(WORDS), ["T", "a", "b", "c"]),
    ("add after", lambda: text.AddToken("T", False)(WORDS), ["a", "b", "c", "T"]),
    ("truncate", lambda: text.Truncate(2)(WORDS), ["a", "b"]),
    ("truncate rows", lambda: text.Truncate(1)(np.arange(6).reshape(2, 3)), [[0], [3]]),
    ("truncate two", lambda: text.TruncateSequencePair(5)(np.array([1, 2, 3, 4]), np.array([5, 6, 7, 8])),
     ([1, 2, 3], [5, 6])),
    ("runs", lambda: text.Ngram([2, 3], ("<", 1), (">", 2), "_")(WORDS),
     ["<_a", "a_b", "b_c", "c_>", "<_a_b", "a_b_c", "b_c_>", "c_>_>"]),
    ("runs too long", lambda: text.Ngram(4)(WORDS), [""]),
    ("windows", lambda: text.SlidingWindow(2)(np.array([1, 2, 3])), [[1, 2], [2, 3]]),
    ("strings of bytes", lambda: text.to_str(np.array([b"4"])), ["4"]),
    ("bytes of strings", lambda: text.to_bytes(np.array(["4"])), [b"4"]),
]  # fmt: skip


@pytest.mark.parametrize("name, call, wanted", CASES, ids=[case[0] for case in CASES])
def test_operations(name: str, call: Callable[[], Any], wanted: Any) -> None:
    assert plain(call()) == wanted


def test_vocabularies(tmp_path: Path) -> None:
    assert text.Vocab.from_list(["a", "b"], ["<u>"], False).vocab() == {"a": 0, "b": 1, "<u>": 2}
    path = tmp_path / "words.txt"
    path.write_text("one,1\ntwo,2\nthree,3\n")
    assert text.Vocab.from_file(str(path), ",", 2, ["<p>"]).vocab() == {"<p>": 0, "one": 1, "two": 2}
    assert PIECES.tokens_to_ids(["to", "zz"]) == [3, -1] and PIECES.tokens_to_ids("wel") == 1
    assert PIECES.ids_to_tokens([3, 99]) == ["to", ""] and PIECES.ids_to_tokens(1) == "wel" and len(PIECES) == 12
    assert text.Vocab.from_dict({"x": 5}).vocab() == {"x": 5}
    lines = ds.NumpySlicesDataset({"t": ["a b", "b c", "c d", "c a"]}, shuffle=False)
    words = lines.map(text.WhitespaceTokenizer(), "t")
    assert text.Vocab.from_dataset(words).vocab() == {"c": 0, "a": 1, "b": 2, "d": 3}
    assert text.Vocab.from_dataset(words, "t", top_k=1, special_tokens=["<u>"]).vocab() == {"<u>": 0, "c": 1}
    assert [*text.Vocab.from_dataset(words, freq_range=(2, 2)).vocab()] == ["a", "b"]


def test_a_pipeline_from_lines_to_batches() -> None:
    lines = ds.NumpySlicesDataset({"t": ["a b", "b", "c a b d"], "y": [0, 1, 1]}, shuffle=False)
    vocab = text.Vocab.from_list(["a", "b", "c"], ["<pad>", "<unk>"])
    batches = lines.map(
        [text.WhitespaceTokenizer(), text.Lookup(vocab, "<unk>"), text.Truncate(3), ds.transforms.PadEnd([3], 0)], "t"
    ).batch(3)
    ((ids, labels),) = batches.create_tuple_iterator()
    assert ids.dtype is ms.int32 and ids.tolist() == [[2, 3, 0], [3, 0, 0], [4, 2, 3]] and labels.tolist() == [0, 1, 1]


def test_vectors_of_words(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("ok 0.5 1 2\nhello 1 2 3\nOK 7 8 9\nok 9 9 9\n")
    vectors = text.Vectors.from_file(path)
    assert vectors.dim == 3 and text.ToVectors(vectors)("ok").dtype == np.float32
    both = text.ToVectors(vectors, [-1.0, -1.0, 0.0], lower_case_backup=True)(np.array(["OK", "Hello", "no"]))
    assert both.tolist() == [[7, 8, 9], [1, 2, 3], [-1, -1, 0]]
    assert text.ToVectors(vectors)("Hello").tolist() == [0, 0, 0]
    few = text.GloVe.from_file(path, max_vectors=2)
    assert isinstance(few, text.GloVe)
    assert text.ToVectors(few)(np.array(["OK", "hello"])).tolist() == [[0, 0, 0], [1, 2, 3]]
    path.write_text("2 2\nok 0.5 1\nhello 1 2\n")
    assert text.ToVectors(text.FastText.from_file(path, 1))("ok").tolist() == [0.5, 1]
    for content, message in (
        ("ok 1 2\nhi 1\n", ":2 has 1 numbers, expected 2"), ("ok 1 x\n", ":1: not a word and numbers"),
        ("", "there are no vectors"), ("ok\n", ":1 has 0 numbers, expected some"),
    ):  # fmt: skip
        path.write_text(content)
        with pytest.raises(ds.DataFileError, match=message):
            text.Vectors.from_file(path)
    with pytest.raises(FileNotFoundError):
        text.Vectors.from_file(tmp_path / "none")
    with pytest.raises(ValueError, match="unk_init has 2 numbers, the vectors have 3"):
        text.ToVectors(vectors, [0.0, 0.0])
    with pytest.raises(TypeError, match="expected Vectors"):
        text.ToVectors(path)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="lower_case_backup"):
        text.ToVectors(vectors, lower_case_backup=1)  # type: ignore[arg-type]


def test_vectors_of_runs_of_characters(tmp_path: Path) -> None:
    """As MindSpore has them: the mean of what is known of the runs of two, three and four."""
    path = tmp_path / "runs.txt"
    runs = {"1gram-o": (9, 9), "2gram-ok": (1, 2), "2gram-#BEGIN#o": (3, 3), "3gram-#BEGIN#ok": (8, 8)}
    path.write_text("".join(f"{run} {x} {y}\n" for run, (x, y) in runs.items()))
    to_vectors = text.ToVectors(text.CharNGram.from_file(path))
    np.testing.assert_allclose(to_vectors(np.array(["ok", "xyz"])), [[4, 13 / 3], [0, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: text.Lookup({"a": 1}), TypeError, "expected a Vocab"),
        (lambda: text.Lookup(PIECES, "no"), ValueError, "unknown_token 'no' is not in"),
        (lambda: text.Lookup(PIECES)("no"), ValueError, "'no' is not in the vocabulary"),
        (lambda: text.Vocab.from_list(["a", "a"]), ValueError, "more than once"),
        (lambda: text.Vocab.from_dict({"a": 0, "b": 0}), ValueError, "the same number"),
        (lambda: text.Vocab.from_dict({"a": -1}), ValueError, "number"),
        (lambda: text.Vocab.from_file("no such file"), ValueError, "there is no file"),
        (lambda: text.Vocab.from_dataset(ds.NumpySlicesDataset([1])), TypeError, "expected strings"),
        (lambda: text.WordpieceTokenizer(PIECES, with_offsets=1), TypeError, "with_offsets must be a bool"),
        (lambda: text.WhitespaceTokenizer()(WORDS), TypeError, "expected a string"),
        (lambda: text.CaseFold()(np.array(3)), TypeError, "expected strings"),
        (lambda: text.ToNumber(ms.int32)("1.5"), ValueError, "expected numbers"),
        (lambda: text.ToNumber(ms.uint8)("256"), ValueError, "expected numbers"),
        (lambda: text.NormalizeUTF8("NFC"), TypeError, "expected a NormalizeForm"),
        (lambda: text.PythonTokenizer(3), TypeError, "expected a function"),
        (lambda: text.Truncate(-1), ValueError, "max_seq_len"),
        (lambda: text.SlidingWindow(2, 1), ValueError, "axis must be"),
        (lambda: text.TruncateSequencePair(2)(WORDS), ValueError, "expected two vectors"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_strings_come_as_arrays_beside_tensors() -> None:
    words = ds.NumpySlicesDataset({"number": [1, 2], "word": ["a", "bc"]}, shuffle=False)
    first, second = (dict(row) for row in words.create_dict_iterator(num_epochs=1))
    assert isinstance(first["number"], ms.Tensor) and isinstance(first["word"], np.ndarray)
    assert (first["word"].item(), second["word"].item()) == ("a", "bc")
    ((numbers, batch),) = words.batch(2)
    assert numbers.asnumpy().tolist() == [1, 2] and batch.tolist() == ["a", "bc"]
