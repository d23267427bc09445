"""Metrics: what `Model.eval` computes from a network's outputs and the labels, batch by batch.

    metric = Accuracy()
    metric.update(logits, labels)    # for every batch
    metric.eval()                    # 0.875
    metric.clear()

They work in NumPy, in float64 where they accumulate, and take Tensors, arrays and lists. `Model(metrics={"acc"})` names
them; `names()` lists the names. Definitions and shapes follow `mindspore.train`.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.tensor import Tensor

EVAL_TYPES = ("classification", "multilabel")
ROWS_AT_ONCE = 1024  # surface points whose distances are held at once


def rearrange_inputs(func: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a metric's `update`: it receives those inputs that `set_indexes` chose, in that order."""

    @functools.wraps(func)
    def update(self: Any, *inputs: Any) -> Any:
        indexes = self.indexes
        if not indexes:
            return func(self, *inputs)
        if max(indexes) >= len(inputs):
            raise ValueError(f"{_name(self)}: indexes {indexes} choose from {len(inputs)} inputs")
        return func(self, *[inputs[i] for i in indexes])

    return update


class Metric(ABC):
    """The base of all metrics: a subclass defines `clear`, `update` (for one batch) and `eval`."""

    _indexes: list[int] | None = None

    @abstractmethod
    def clear(self) -> None:
        """Forgets all batches."""

    @abstractmethod
    def update(self, *inputs: Any) -> None:
        """Takes one batch into account; usually (predictions, labels)."""

    @abstractmethod
    def eval(self) -> Any:
        """The metric of all batches since `clear`."""

    def __call__(self, *inputs: Any) -> Any:
        """The metric of this one batch."""
        self.clear()
        self.update(*inputs)
        return self.eval()

    @property
    def indexes(self) -> list[int] | None:
        """Which of the inputs given to `update` are used, in which order; None for all as they come."""
        return self._indexes

    def set_indexes(self, indexes: list[int]) -> Metric:
        """Chooses the inputs of `update`, for an evaluation network that returns more than (predictions, labels)."""
        if not isinstance(indexes, list) or not indexes or not all(isinstance(i, int) and i >= 0 for i in indexes):
            raise ValueError(f"{_name(self)}.set_indexes: expected a list of ints >= 0, got {indexes!r}")
        self._indexes = indexes
        return self

    def _convert_data(self, data: Any) -> np.ndarray:
        """A Tensor, array or list as an array."""
        if isinstance(data, Tensor):
            return data.numpy_view()
        if isinstance(data, (np.ndarray, list)):
            return np.asarray(data)
        raise TypeError(f"{_name(self)}.update: expected Tensors, arrays or lists, got {type(data).__name__}")

    def _pair(self, inputs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """The inputs (predictions, labels) as arrays."""
        if len(inputs) != 2:
            raise ValueError(f"{_name(self)}.update: expected 2 inputs (predictions, labels), got {len(inputs)}")
        return self._convert_data(inputs[0]), self._convert_data(inputs[1])

    def _nothing_yet(self) -> RuntimeError:
        return RuntimeError(f"{_name(self)}.eval: there is nothing to evaluate; call update first")


def _name(metric: Any) -> str:
    return type(metric).__name__


# Means of what each batch adds


class Mean(Metric):
    """A quotient of two sums that grow with every batch."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._sum, self._count = 0.0, 0

    @property
    def count(self) -> int:
        """How much went into the mean since `clear`."""
        return self._count

    def eval(self) -> float:
        if not self._count:
            raise self._nothing_yet()
        return self._sum / self._count


class Loss(Mean):
    """The mean over the batches of the loss; of a loss with one value per sample, of its mean."""

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: one input, the loss, of rank 0 or 1."""
        if len(inputs) != 1:
            raise ValueError(f"Loss.update: expected 1 input, the loss, got {len(inputs)}")
        loss = self._convert_data(inputs[0])
        if loss.ndim > 1 or not loss.size:
            raise ValueError(f"Loss.update: expected a loss of rank 0 or 1, got shape {loss.shape}")
        self._sum += float(loss.mean())
        self._count += 1


class MAE(Mean):
    """The sum of the absolute errors, divided by the number of samples (the first axis)."""

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        error, samples = _errors(self, *self._pair(inputs))
        self._sum += float(np.abs(error).sum())
        self._count += samples


class MSE(Mean):
    """The sum of the squared errors, divided by the number of samples (the first axis)."""

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        error, samples = _errors(self, *self._pair(inputs))
        self._sum += float(np.square(error).sum())
        self._count += samples


class Dice(Mean):
    """The Dice coefficient of each batch, 2 p.y / (p.p + y.y + smooth), divided by the number of samples.

    That is MindSpore's definition: the coefficients of batches are added up, and divided by how many samples they have.

    Args:
        smooth: above 0; keeps the divisor from being 0.
    """

    def __init__(self, smooth: float = 1e-5) -> None:
        super().__init__()
        if isinstance(smooth, bool) or not isinstance(smooth, (int, float)) or smooth <= 0:
            raise ValueError(f"Dice: smooth must be above 0, got {smooth!r}")
        self.smooth = float(smooth)

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        predicted, actual = (a.astype(np.float64) for a in self._pair(inputs))
        if predicted.shape != actual.shape or not actual.ndim:
            raise ValueError(f"Dice.update: expected values of one shape, got {predicted.shape} and {actual.shape}")
        both = float((predicted * actual).sum())
        self._sum += 2 * both / (float((predicted**2).sum() + (actual**2).sum()) + self.smooth)
        self._count += actual.shape[0]


def _errors(metric: Metric, predicted: np.ndarray, actual: np.ndarray) -> tuple[np.ndarray, int]:
    """The errors in float64, and the number of samples."""
    if predicted.size != actual.size or not actual.ndim:
        got = f"{predicted.shape} and {actual.shape}"
        raise ValueError(f"{_name(metric)}.update: expected values of one shape, got {got}")
    return actual.reshape(predicted.shape).astype(np.float64) - predicted, actual.shape[0]


# Classification


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
        if isinstance(k, bool) or not isinstance(k, int):
            raise TypeError(f"{_name(self)}: k must be an int, got {k!r}")
        if k < 1:
            raise ValueError(f"{_name(self)}: k must be at least 1, got {k}")
        self.k = k
        super().__init__()

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        predicted, actual = _checked_pair(self, *self._pair(inputs), "classification")
        if predicted.ndim != 2 or self.k > predicted.shape[1]:
            wanted = f"[N, C] with C >= {self.k}"
            raise ValueError(f"{_name(self)}.update: expected predictions {wanted}, got {predicted.shape}")
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
            raise ValueError(f"{_name(self)}.update: predictions had {self._class_num} classes so far, got {classes}")
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
            raise TypeError(f"{_name(self)}.eval: average must be a bool, got {average!r}")
        if not self._class_num:
            raise self._nothing_yet()
        over, under = self._quotient()
        values = np.divide(over, under, out=np.zeros(len(over)), where=under > 0)
        return float(values.mean()) if average else values

    def _quotient(self) -> tuple[np.ndarray, np.ndarray]:
        raise TypeError(f"{_name(self)}: use Precision, Recall, Fbeta or F1")


class Precision(ClassCounts):
    """Of what was predicted to be of a class, the fraction that is."""

    def _quotient(self) -> tuple[np.ndarray, np.ndarray]:
        return self._both, self._predicted


class Recall(ClassCounts):
    """Of what is of a class, the fraction that was predicted to be."""

    def _quotient(self) -> tuple[np.ndarray, np.ndarray]:
        return self._both, self._actual


class Fbeta(ClassCounts):
    """The weighted harmonic mean of precision and recall: (1 + b^2) both / (b^2 actual + predicted), for every class.

    Args:
        beta: how much more recall counts than precision; > 0.
    """

    def __init__(self, beta: float) -> None:
        if isinstance(beta, bool) or not isinstance(beta, (int, float)) or not beta > 0:
            raise ValueError(f"{_name(self)}: beta must be a number greater than 0, got {beta!r}")
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
        if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 1:
            raise ValueError(f"ConfusionMatrix: num_classes must be an int >= 1, got {num_classes!r}")
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
        rows, columns = (_classes(self, array, self.num_classes).ravel() for array in (actual, predicted))
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


class Perplexity(Metric):
    """exp of the mean negative log-probability of the labels, with probabilities below 1e-10 taken as 1e-10.

    Args:
        ignore_label: labels of this value do not count.
    """

    def __init__(self, ignore_label: int | None = None) -> None:
        if ignore_label is not None and (isinstance(ignore_label, bool) or not isinstance(ignore_label, int)):
            raise TypeError(f"Perplexity: ignore_label must be an int or None, got {ignore_label!r}")
        self.ignore_label = ignore_label
        self.clear()

    def clear(self) -> None:
        self._sum, self._count = 0.0, 0

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
        chosen = rows[np.arange(len(labels)), _classes(self, labels, rows.shape[1])]
        self._sum -= float(np.log(np.maximum(1e-10, chosen)).sum())
        self._count += len(labels)

    def eval(self) -> float:
        if not self._count:
            raise self._nothing_yet()
        return math.exp(self._sum / self._count)


class ROC(Metric):
    """The curve of the true positive rate over the false positive rate, for every threshold.

    Args:
        class_num: number of classes C, for predictions [N, C] with labels [N]: one curve for each class against the
            rest. Otherwise predictions and labels have one shape, and there is one curve.
        pos_label: the label that is positive, where there is one curve; by default 1.
    """

    def __init__(self, class_num: int | None = None, pos_label: int | None = None) -> None:
        for name, value in (("class_num", class_num), ("pos_label", pos_label)):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise TypeError(f"ROC: {name} must be an int or None, got {value!r}")
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


# Others


class CosineSimilarity(Metric):
    """The similarity of every two rows of a matrix.

    Args:
        similarity: "cosine", or "dot" for the product without normalisation.
        reduction: "none" for the matrix [N, N], or its "sum" or "mean" over the last axis.
        zero_diagonal: whether a row's similarity to itself counts as 0.
    """

    def __init__(self, similarity: str = "cosine", reduction: str = "none", zero_diagonal: bool = True) -> None:
        if similarity not in ("cosine", "dot"):
            raise ValueError(f"CosineSimilarity: similarity must be 'cosine' or 'dot', got {similarity!r}")
        if reduction not in ("none", "sum", "mean"):
            raise ValueError(f"CosineSimilarity: reduction must be 'none', 'sum' or 'mean', got {reduction!r}")
        if not isinstance(zero_diagonal, bool):
            raise TypeError(f"CosineSimilarity: zero_diagonal must be a bool, got {zero_diagonal!r}")
        self.similarity, self.reduction, self.zero_diagonal = similarity, reduction, zero_diagonal
        self.clear()

    def clear(self) -> None:
        self._matrix: np.ndarray | None = None

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: one matrix [N, K]; it replaces an earlier one."""
        if len(inputs) != 1:
            raise ValueError(f"CosineSimilarity.update: expected 1 input, a matrix, got {len(inputs)}")
        rows = self._convert_data(inputs[0]).astype(np.float64)
        if rows.ndim != 2:
            raise ValueError(f"CosineSimilarity.update: expected a matrix [N, K], got shape {rows.shape}")
        if self.similarity == "cosine":
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            if not lengths.all():
                raise ValueError("CosineSimilarity.update: a row of zeros has no direction")
            rows = rows / lengths
        self._matrix = rows @ rows.T

    def eval(self) -> np.ndarray:
        if self._matrix is None:
            raise self._nothing_yet()
        matrix = self._matrix.copy()
        if self.zero_diagonal:
            np.fill_diagonal(matrix, 0)
        if self.reduction == "none":
            return matrix
        return np.asarray(matrix.sum(axis=-1) if self.reduction == "sum" else matrix.mean(axis=-1))


class RootMeanSquareDistance(Metric):
    """The root of the mean squared distance from the surface of a predicted region to that of the actual one.

    The surface of a region is its points that have a neighbour along an axis outside it (or outside the image).

    Args:
        symmetric: take the distances in both directions into the mean.
        distance_metric: "euclidean", "chessboard" (largest coordinate) or "taxicab" (sum of coordinates).
    """

    def __init__(self, symmetric: bool = False, distance_metric: str = "euclidean") -> None:
        if not isinstance(symmetric, bool):
            raise TypeError(f"RootMeanSquareDistance: symmetric must be a bool, got {symmetric!r}")
        if distance_metric not in ("euclidean", "chessboard", "taxicab"):
            known = "euclidean, chessboard or taxicab"
            raise ValueError(f"RootMeanSquareDistance: distance_metric must be {known}, got {distance_metric!r}")
        self.symmetric, self.distance_metric = symmetric, distance_metric
        self.clear()

    def clear(self) -> None:
        self._surfaces: tuple[np.ndarray, np.ndarray] | None = None

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: predicted and actual image of one shape, and the value that marks the region. Replaces earlier ones."""
        if len(inputs) != 3:
            raise ValueError(f"RootMeanSquareDistance.update: expected 3 inputs (images, label), got {len(inputs)}")
        (predicted, actual), label = self._pair(inputs[:2]), inputs[2]
        if isinstance(label, bool) or not isinstance(label, (int, float)):
            raise TypeError(f"RootMeanSquareDistance.update: the label must be a number, got {label!r}")
        if not predicted.size or predicted.shape != actual.shape:
            raise ValueError(
                f"RootMeanSquareDistance.update: expected images of one shape, got {predicted.shape} and {actual.shape}"
            )
        regions = [image if image.dtype == bool else image == label for image in (predicted, actual)]
        if not any(region.any() for region in regions):
            raise ValueError(f"RootMeanSquareDistance.update: no point of either image is {label}")
        self._surfaces = _surface(regions[0]), _surface(regions[1])

    def eval(self) -> float:
        """The distance; infinite where a surface is empty."""
        if self._surfaces is None:
            raise self._nothing_yet()
        predicted, actual = self._surfaces
        if not len(predicted) or not len(actual):
            return math.inf
        squares = self._nearest(predicted, actual) ** 2
        if self.symmetric:
            squares = np.concatenate([squares, self._nearest(actual, predicted) ** 2])
        return math.sqrt(squares.mean())

    def _nearest(self, points: np.ndarray, others: np.ndarray) -> np.ndarray:
        """The distance from each of `points` to the nearest of `others`."""
        found = []
        for start in range(0, len(points), ROWS_AT_ONCE):
            steps = np.abs(points[start : start + ROWS_AT_ONCE, None] - others[None])
            if self.distance_metric == "euclidean":
                found.append(np.sqrt((steps**2).sum(axis=-1).min(axis=1)))
            else:
                lengths = steps.max(axis=-1) if self.distance_metric == "chessboard" else steps.sum(axis=-1)
                found.append(lengths.min(axis=1))
        return np.concatenate(found).astype(np.float64)


def _surface(region: np.ndarray) -> np.ndarray:
    """The coordinates of the region's surface points: [points, axes]."""
    padded = np.pad(region, 1)
    inner = padded.copy()
    for axis in range(region.ndim):
        inner &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    return np.argwhere(padded & ~inner)


# Checks


def _checked_type(metric: Metric, eval_type: str) -> str:
    if eval_type not in EVAL_TYPES:
        raise TypeError(f"{_name(metric)}: eval_type must be one of {EVAL_TYPES}, got {eval_type!r}")
    return eval_type


def _checked_pair(
    metric: Metric, predicted: np.ndarray, actual: np.ndarray, eval_type: str
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions [N, C, ...] and labels [N, ...] for classification, or both [N, C, ...] of 0 and 1 for multilabel."""
    what = f"{_name(metric)}.update"
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


def _classes(metric: Metric, labels: np.ndarray, count: int) -> np.ndarray:
    """Labels as indices below `count`."""
    indices = labels.astype(np.int64)
    wrong = (indices != labels) | (indices < 0) | (indices >= count)
    if wrong.any():
        raise ValueError(f"{_name(metric)}.update: expected classes 0 to {count - 1}, got {labels[wrong].flat[0]}")
    return indices


def _one_hot(metric: Metric, labels: np.ndarray, count: int) -> np.ndarray:
    rows: np.ndarray = np.eye(count)[_classes(metric, labels, count)]
    return rows


# By name

_FACTORY: dict[str, Callable[..., Metric]] = {
    "F1": F1,
    "acc": Accuracy,
    "accuracy": Accuracy,
    "confusion_matrix": ConfusionMatrix,
    "cosine_similarity": CosineSimilarity,
    "dice": Dice,
    "loss": Loss,
    "mae": MAE,
    "mse": MSE,
    "perplexity": Perplexity,
    "precision": Precision,
    "recall": Recall,
    "roc": ROC,
    "root_mean_square_distance": RootMeanSquareDistance,
    "top_1_accuracy": Top1CategoricalAccuracy,
    "top_5_accuracy": Top5CategoricalAccuracy,
    "topk": TopKCategoricalAccuracy,
}


def names() -> list[str]:
    """The names that `get_metric_fn` and `Model(metrics=...)` know."""
    return sorted(_FACTORY)


def get_metric_fn(name: str, *args: Any, **kwargs: Any) -> Metric:
    """A metric by its name; further arguments are those of its class.

    Raises:
        KeyError: no metric of this name.
    """
    if name not in _FACTORY:
        raise KeyError(f"get_metric_fn: there is no metric {name!r}; there are {', '.join(names())}")
    return _FACTORY[name](*args, **kwargs)


def get_metrics(metrics: Any) -> dict[str, Metric]:
    """What `Model(metrics=...)` was given, as a dict of name to Metric.

    Args:
        metrics: a dict of name to Metric, or a set, list or tuple of names; or None.
    Raises:
        TypeError: anything else.
        KeyError: a name that is not known.
    """
    if metrics is None:
        return {}
    if isinstance(metrics, dict):
        for name, metric in metrics.items():
            if not isinstance(name, str) or not isinstance(metric, Metric):
                raise TypeError(f"metrics: expected a dict of names to Metrics, got {name!r}: {type(metric).__name__}")
        return dict(metrics)
    if not isinstance(metrics, (set, frozenset, list, tuple)) or not all(isinstance(name, str) for name in metrics):
        raise TypeError(f"metrics: expected names, or a dict of names to Metrics, got {metrics!r:.80}")
    chosen = sorted(metrics) if isinstance(metrics, (set, frozenset)) else metrics
    return {name: get_metric_fn(name) for name in chosen}
