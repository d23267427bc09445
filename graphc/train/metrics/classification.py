"""Metrics of predicted classes and their probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.train.check import whole
from graphc.train.metrics.metric import Mean, Metric, name_of, rearrange_inputs

EVAL_TYPES = ("classification", "multilabel")


class Accuracy(Mean):
    """The fraction of samples whose class was predicted.

    Args:
        eval_type: "classification": predictions [N, C, ...] (scores; the largest wins) and labels [N, ...] (or one-hot
            [N, C, ...]). "multilabel": both [N, C, ...] of zeros and ones, right where all C are.
    """

    def __init__(self, eval_type: str = "classification") -> None:
        self._type = _checked_type(self, eval_type)
        super().__init__()

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        predicted, actual = _checked_pair(self, *self._pair(inputs), self._type)
        if self._type == "classification":
            right = predicted.argmax(axis=1) == actual
        else:
            right = (predicted == actual).all(axis=1)
        self._sum += int(right.sum())
        self._count += right.size


class TopKCategoricalAccuracy(Mean):
    """The fraction of samples whose class is among the `k` of the largest scores; of equal scores the first wins.

    Predictions are [N, C]; labels [N], or one-hot [N, C].
    """

    def __init__(self, k: int) -> None:
        self.k = whole(name_of(self), "k", k, 1)
        super().__init__()

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        predicted, actual = _checked_pair(self, *self._pair(inputs), "classification")
        if predicted.ndim != 2 or self.k > predicted.shape[1]:
            wanted = f"[N, C] with C >= {self.k}"
            raise ValueError(f"{name_of(self)}.update: expected predictions {wanted}, got {predicted.shape}")
        best = np.argsort(-predicted, axis=1, kind="stable")[:, : self.k]
        self._sum += int((best == actual[:, None]).any(axis=1).sum())
        self._count += len(actual)


class Top1CategoricalAccuracy(TopKCategoricalAccuracy):
    """`TopKCategoricalAccuracy(1)`."""

    def __init__(self) -> None:
        super().__init__(1)


class Top5CategoricalAccuracy(TopKCategoricalAccuracy):
    """`TopKCategoricalAccuracy(5)`."""

    def __init__(self) -> None:
        super().__init__(5)


class ClassCounts(Metric):
    """Counts, for every class (multilabel: every sample), what was predicted, what is there, and what is both."""

    def __init__(self, eval_type: str = "classification") -> None:
        self._type = _checked_type(self, eval_type)
        self.clear()

    def clear(self) -> None:
        self._class_num = 0
        self._both = self._predicted = self._actual = np.zeros(0)

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: predictions and labels, shaped as for `Accuracy`."""
        predicted, actual = _checked_pair(self, *self._pair(inputs), self._type)
        classes = predicted.shape[1]
        if self._class_num and classes != self._class_num:
            raise ValueError(f"{name_of(self)}.update: predictions had {self._class_num} classes so far, got {classes}")
        if self._type == "classification":
            actual = _one_hot(self, actual, classes)
            predicted = _one_hot(self, predicted.argmax(axis=1), classes)
        axis = 0 if self._type == "classification" else 1
        counts = [array.reshape(-1, classes).sum(axis=axis) for array in (predicted * actual, predicted, actual)]
        earlier = [self._both, self._predicted, self._actual]
        if self._type == "multilabel":
            counts = [np.concatenate(pair) for pair in zip(earlier, counts, strict=True)]
        elif self._class_num:
            counts = [old + new for old, new in zip(earlier, counts, strict=True)]
        self._both, self._predicted, self._actual = counts
        self._class_num = classes

    def eval(self, average: bool = False) -> Any:
        """The value of every class (multilabel: of every sample), 0 where it is 0 / 0; or their mean, if `average`."""
        if not isinstance(average, bool):
            raise TypeError(f"{name_of(self)}.eval: average must be a bool, got {average!r}")
        if not self._class_num:
            raise self._nothing_yet()
        over, under = self._quotient()
        values = np.divide(over, under, out=np.zeros(len(over)), where=under > 0)
        return float(values.mean()) if average else values

    def _quotient(self) -> tuple[np.ndarray, np.ndarray]:
        raise TypeError(f"{name_of(self)}: use Precision, Recall, Fbeta or F1")


class Precision(ClassCounts):
    """The fraction of those predicted to be of a class that are of it."""

    def _quotient(self) -> tuple[np.ndarray, np.ndarray]:
        return self._both, self._predicted


class Recall(ClassCounts):
    """The fraction of those of a class that were predicted to be of it."""

    def _quotient(self) -> tuple[np.ndarray, np.ndarray]:
        return self._both, self._actual


class Fbeta(ClassCounts):
    """The weighted harmonic mean of precision and recall: (1 + b^2) both / (b^2 actual + predicted), for every class.

    Args:
        beta: how much more recall counts than precision; > 0.
    """

    def __init__(self, beta: float) -> None:
        typed = isinstance(beta, (int, float)) and not isinstance(beta, bool)
        if not typed or not beta > 0:
            error = ValueError if typed else TypeError
            raise error(f"{name_of(self)}: beta must be a number greater than 0, got {beta!r}")
        self.beta = beta
        super().__init__()

    def _quotient(self) -> tuple[np.ndarray, np.ndarray]:
        weight = self.beta**2
        return (1.0 + weight) * self._both, weight * self._actual + self._predicted


class F1(Fbeta):
    """`Fbeta(1)`: the harmonic mean of precision and recall."""

    def __init__(self) -> None:
        super().__init__(1.0)


class ConfusionMatrix(Metric):
    """How often a sample of class i (row) was taken for class j (column): [num_classes, num_classes], float64.

    Args:
        num_classes: number of classes.
        normalize: "no_norm", or divide by the sums of "target" (rows), "prediction" (columns) or "all".
        threshold: float predictions of the labels' own shape are class 1 from here on, class 0 below.
    """

    def __init__(self, num_classes: int, normalize: str = "no_norm", threshold: float = 0.5) -> None:
        typed = isinstance(num_classes, int) and not isinstance(num_classes, bool)
        if not typed or num_classes < 1:
            error = ValueError if typed else TypeError
            raise error(f"ConfusionMatrix: num_classes must be an int >= 1, got {num_classes!r}")
        if normalize not in ("no_norm", "target", "prediction", "all"):
            known = "no_norm, target, prediction or all"
            raise ValueError(f"ConfusionMatrix: normalize must be {known}, got {normalize!r}")
        if not isinstance(threshold, float):
            raise TypeError(f"ConfusionMatrix: threshold must be a float, got {threshold!r}")
        self.num_classes, self.normalize, self.threshold = num_classes, normalize, threshold
        self.clear()

    def clear(self) -> None:
        self.confusion_matrix = np.zeros((self.num_classes, self.num_classes))

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: predictions, scores [N, C, ...] or classes [N, ...], and labels [N, ...]."""
        predicted, actual = self._pair(inputs)
        if predicted.ndim == actual.ndim + 1:
            predicted = predicted.argmax(axis=1)
        elif predicted.dtype.kind == "f":
            predicted = (predicted >= self.threshold).astype(int)
        if predicted.shape != actual.shape:
            raise ValueError(
                f"ConfusionMatrix.update: expected predictions [N, C, ...] or [N, ...] for labels [N, ...], got "
                f"{predicted.shape} and {actual.shape}"
            )
        rows, columns = (class_indices(self, array, self.num_classes).ravel() for array in (actual, predicted))
        np.add.at(self.confusion_matrix, (rows, columns), 1)

    def eval(self) -> np.ndarray:
        matrix = self.confusion_matrix
        if not matrix.any():
            raise self._nothing_yet()
        if self.normalize == "no_norm":
            return matrix.copy()
        axis = {"target": 1, "prediction": 0, "all": None}[self.normalize]
        sums = np.broadcast_to(matrix.sum(axis=axis, keepdims=True), matrix.shape)
        normalized: np.ndarray = np.divide(matrix, sums, out=np.zeros_like(matrix), where=sums > 0)
        return normalized


class Perplexity(Mean):
    """exp of the mean negative log-probability of the labels, with probabilities below 1e-10 taken as 1e-10.

    Args:
        ignore_label: labels of this value do not count.
    """

    def __init__(self, ignore_label: int | None = None) -> None:
        self.ignore_label = None if ignore_label is None else whole("Perplexity", "ignore_label", ignore_label)
        super().__init__()

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: probabilities [..., C], and labels [...]."""
        predicted, actual = self._pair(inputs)
        if not predicted.ndim or actual.size * predicted.shape[-1] != predicted.size:
            got = f"{predicted.shape} and {actual.shape}"
            raise ValueError(f"Perplexity.update: expected shapes [..., C] and [...], got {got}")
        labels = actual.reshape(-1)
        rows = predicted.reshape(len(labels), -1).astype(np.float64)
        if self.ignore_label is not None:
            counted = labels != self.ignore_label
            labels, rows = labels[counted], rows[counted]
        chosen = rows[np.arange(len(labels)), class_indices(self, labels, rows.shape[1])]
        self._sum -= float(np.log(np.maximum(1e-10, chosen)).sum())
        self._count += len(labels)

    def eval(self) -> float:
        return math.exp(super().eval())


def _checked_type(metric: Metric, eval_type: str) -> str:
    if eval_type not in EVAL_TYPES:
        raise TypeError(f"{name_of(metric)}: eval_type must be one of {EVAL_TYPES}, got {eval_type!r}")
    return eval_type


def _checked_pair(
    metric: Metric, predicted: np.ndarray, actual: np.ndarray, eval_type: str
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions [N, C, ...] and labels [N, ...] for classification, or both [N, C, ...] of 0 and 1 for multilabel."""
    what = f"{name_of(metric)}.update"
    if eval_type == "multilabel":
        if predicted.shape != actual.shape or actual.ndim < 2:
            got = f"{predicted.shape} and {actual.shape}"
            raise ValueError(f"{what}: expected multilabel values [N, C, ...], got {got}")
        if not all(np.isin(array, (0, 1)).all() for array in (predicted, actual)):
            raise ValueError(f"{what}: expected multilabel predictions and labels of zeros and ones")
        classes = actual.shape[1]
        predicted, actual = (np.moveaxis(array, 1, -1).reshape(-1, classes) for array in (predicted, actual))
        return predicted, actual
    if actual.ndim == predicted.ndim and _is_one_hot(actual):
        actual = actual.argmax(axis=1)
    if predicted.ndim < 2 or actual.shape != (predicted.shape[0], *predicted.shape[2:]):
        raise ValueError(
            f"{what}: expected predictions [N, C, ...] and labels [N, ...] (or one-hot [N, C, ...]), got "
            f"{predicted.shape} and {actual.shape}"
        )
    return predicted, actual


def _is_one_hot(array: np.ndarray) -> bool:
    return array.ndim > 1 and bool(np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all())


def class_indices(metric: Metric, labels: np.ndarray, count: int) -> np.ndarray:
    """Labels as indices below `count`."""
    indices = labels.astype(np.int64)
    wrong = (indices != labels) | (indices < 0) | (indices >= count)
    if wrong.any():
        raise ValueError(f"{name_of(metric)}.update: expected classes 0 to {count - 1}, got {labels[wrong].flat[0]}")
    return indices


def _one_hot(metric: Metric, labels: np.ndarray, count: int) -> np.ndarray:
    rows: np.ndarray = np.eye(count)[class_indices(metric, labels, count)]
    return rows
