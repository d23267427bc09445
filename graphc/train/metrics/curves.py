"""The curve of true over false positives, and the area under a curve."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.train.check import whole
from graphc.train.metrics.metric import Metric, rearrange_inputs


class ROC(Metric):
    """The curve of the true positive rate over the false positive rate, for every threshold.

    Args:
        class_num: number of classes C, for predictions [N, C] with labels [N]: one curve for each class against the
            rest. Otherwise predictions and labels have one shape, and there is one curve.
        pos_label: the label that is positive, where there is one curve; by default 1.
    """

    def __init__(self, class_num: int | None = None, pos_label: int | None = None) -> None:
        for name, value in (("class_num", class_num), ("pos_label", pos_label)):
            if value is not None:
                whole("ROC", name, value)
        self.class_num, self.pos_label = class_num, pos_label
        self.clear()

    def clear(self) -> None:
        self._batches: list[tuple[np.ndarray, np.ndarray]] = []

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        predicted, actual = self._pair(inputs)
        classes = self.class_num or 1
        if classes > 1 and self.pos_label is not None:
            raise ValueError(f"ROC.update: pos_label must be None with {classes} classes, got {self.pos_label}")
        wanted = actual.shape if classes == 1 else (*actual.shape[:1], classes, *actual.shape[1:])
        if predicted.shape != wanted:
            got = f"{predicted.shape} for labels {actual.shape}"
            raise ValueError(f"ROC.update: expected predictions of shape {wanted}, got {got}")
        scores = predicted.reshape(-1, 1) if classes == 1 else np.moveaxis(predicted, 1, -1).reshape(-1, classes)
        self._batches.append((scores.copy(), actual.ravel().copy()))

    def eval(self) -> tuple[Any, Any, Any]:
        """Returns: false positive rates, true positive rates, thresholds; lists of them, with several classes."""
        if not self._batches:
            raise self._nothing_yet()
        scores, labels = (np.concatenate(arrays) for arrays in zip(*self._batches, strict=True))
        if scores.shape[1] == 1:
            return _roc_curve(scores[:, 0], labels == (1 if self.pos_label is None else self.pos_label))
        curves = [_roc_curve(scores[:, c], labels == c) for c in range(scores.shape[1])]
        false, true, thresholds = (list(parts) for parts in zip(*curves, strict=True))
        return false, true, thresholds


def _roc_curve(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    order = np.argsort(-scores, kind="stable")
    scores, positive = scores[order], positive[order]
    last = np.flatnonzero(np.append(np.diff(scores) != 0, True))  # the last sample of each score
    true = np.append(0, np.cumsum(positive)[last])
    false = np.append(0, 1 + last) - true
    for kind, counts in (("positive", true), ("negative", false)):
        if not counts[-1]:
            raise ValueError(f"ROC.eval: there are no {kind} samples among the labels")
    return false / false[-1], true / true[-1], np.append(scores[0] + 1, scores[last])


def auc(x: Any, y: Any, reorder: bool = False) -> float:
    """The area under the curve through the points (x, y), by trapezoids.

    Args:
        x, y: arrays [N], N >= 2; `x` rises or falls throughout, unless `reorder` sorts the points.
    Raises:
        ValueError: shapes that differ or have another rank, or an `x` that both rises and falls.
    """
    x, y = np.squeeze(np.asarray(x, np.float64)), np.squeeze(np.asarray(y, np.float64))
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ValueError(f"auc: expected x and y of one shape [N] with N >= 2, got {x.shape} and {y.shape}")
    if reorder:
        order = np.lexsort((y, x))
        x, y = x[order], y[order]
    steps = np.diff(x)
    if (steps < 0).any() and (steps > 0).any():
        raise ValueError("auc: x must rise or fall throughout; sort the points with reorder=True")
    area = float((steps * (y[1:] + y[:-1]) / 2).sum())
    return -area if (steps < 0).any() else area
