"""How near translations are to those of people."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from graphc.train.check import whole
from graphc.train.metrics.metric import Metric, rearrange_inputs


class BleuScore(Metric):
    """The BLEU score (Papineni et al. 2002): the share of a translation's words, pairs, ... that references have too.

    Args:
        n_gram: up to how many words in a row are compared, 1 to 4.
        smooth: add 1 to what is counted (Lin and Och 2004).
    """

    def __init__(self, n_gram: int = 4, smooth: bool = False) -> None:
        whole("BleuScore", "n_gram", n_gram, 1, 4)
        if not isinstance(smooth, bool):
            raise TypeError(f"BleuScore: smooth must be a bool, got {smooth!r}")
        self.n_gram, self.smooth = n_gram, smooth
        self.clear()

    def clear(self) -> None:
        self._shared, self._counted = np.zeros(self.n_gram), np.zeros(self.n_gram)
        self._length = self._wanted = 0

    def _grams(self, words: Any) -> Counter[tuple[Any, ...]]:
        return Counter(
            tuple(words[start : start + count])
            for count in range(1, self.n_gram + 1) for start in range(len(words) - count + 1)
        )  # fmt: skip

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: translations, lists of words, and for each the list of its references, lists of words."""
        if len(inputs) != 2:
            raise ValueError(f"BleuScore.update: expected 2 inputs (translations, references), got {len(inputs)}")
        translations, references = inputs
        if len(translations) != len(references):
            got = f"{len(translations)} translations and {len(references)} lists of references"
            raise ValueError(f"BleuScore.update: got {got}")
        for words, others in zip(translations, references, strict=True):
            self._length += len(words)
            self._wanted += min((len(other) for other in others), key=lambda n: abs(n - len(words)))
            own, allowed = self._grams(words), Counter[tuple[Any, ...]]()
            for other in others:
                allowed |= self._grams(other)
            for counts, into in ((own & allowed, self._shared), (own, self._counted)):
                for gram, count in counts.items():
                    into[len(gram) - 1] += count

    def eval(self) -> float:
        """The score, 0 to 1."""
        if not self._length:
            raise self._nothing_yet()
        if not self._shared.all():
            return 0.0
        shares = (self._shared + self.smooth) / (self._counted + self.smooth)
        brevity = 1.0 if self._length > self._wanted else math.exp(1 - self._wanted / self._length)
        return float(brevity * np.exp(np.log(shares).mean()))
