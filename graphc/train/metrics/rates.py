"""`ConfusionMatrixMetric`: rates computed from the counts of true and false, positive and negative predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.train.metrics.metric import Metric, name_of, rearrange_inputs

Counts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""True positives, false positives, true negatives, false negatives."""


def _over(part: Any, whole: Any) -> np.ndarray:
    """The quotient; nan where the divisor is 0."""
    with np.errstate(all="ignore"):
        return np.where(np.asarray(whole) != 0, np.asarray(part) / whole, np.nan)


def _threshold(tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
    hits, rejections = _over(tp, tp + fn), _over(tn, fp + tn)
    return _over(np.sqrt(hits * (1 - rejections)) + rejections - 1, hits + rejections - 1)


_RATES: dict[str, tuple[str, Callable[..., np.ndarray]]] = {
    "tpr": ("sensitivity recall hit_rate true_positive_rate", lambda tp, fp, tn, fn: _over(tp, tp + fn)),
    "tnr": ("specificity selectivity true_negative_rate", lambda tp, fp, tn, fn: _over(tn, fp + tn)),
    "ppv": ("precision positive_predictive_value", lambda tp, fp, tn, fn: _over(tp, tp + fp)),
    "npv": ("negative_predictive_value", lambda tp, fp, tn, fn: _over(tn, tn + fn)),
    "fnr": ("miss_rate false_negative_rate", lambda tp, fp, tn, fn: _over(fn, tp + fn)),
    "fpr": ("fall_out false_positive_rate", lambda tp, fp, tn, fn: _over(fp, fp + tn)),
    "fdr": ("false_discovery_rate", lambda tp, fp, tn, fn: _over(fp, fp + tp)),
    "for": ("false_omission_rate", lambda tp, fp, tn, fn: _over(fn, fn + tn)),
    "pt": ("prevalence_threshold", _threshold),
    "ts": ("threat_score critical_success_index csi", lambda tp, fp, tn, fn: _over(tp, tp + fn + fp)),
    "acc": ("accuracy", lambda tp, fp, tn, fn: _over(tp + tn, tp + fp + tn + fn)),
    "ba": ("balanced_accuracy", lambda tp, fp, tn, fn: (_over(tp, tp + fn) + _over(tn, fp + tn)) / 2),
    "f1": ("f1_score", lambda tp, fp, tn, fn: _over(2 * tp, 2 * tp + fn + fp)),
    "mcc": (
        "matthews_correlation_coefficient",
        lambda tp, fp, tn, fn: _over(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))),
    ),
    "fm": ("fowlkes_mallows_index", lambda tp, fp, tn, fn: np.sqrt(_over(tp, tp + fp) * _over(tp, tp + fn))),
    "bm": ("informedness bookmaker_informedness", lambda tp, fp, tn, fn: _over(tp, tp + fn) + _over(tn, fp + tn) - 1),
    "mk": ("markedness deltap", lambda tp, fp, tn, fn: _over(tp, tp + fp) + _over(tn, tn + fn) - 1),
}  # fmt: skip
_BY_NAME = {name: rate for short, (others, rate) in _RATES.items() for name in (short, *others.split())}

_DECREASES = ("none", "mean", "sum", "mean_batch", "sum_batch", "mean_channel", "sum_channel")


class ConfusionMatrixMetric(Metric):
    """One rate of a confusion matrix: of all batches together, or the mean of those of samples.

    Args:
        skip_channel: count the first class too; without, it is left out where there are several.
        metric_name: which rate: "sensitivity", "specificity", "precision", "f1_score", "accuracy" and others; or its
            short name ("tpr", "tnr", "ppv", "f1", "acc").
        calculation_method: reckon the rate of each class of each sample, and then as `decrease` says; without, the
            counts of all are added, and the rate is theirs.
        decrease: of the rates [N, C] that are numbers: "mean" of each sample's mean, "sum", or means or sums over one
            of both ("mean_batch", "sum_batch", "mean_channel", "sum_channel"), or "none". Only what leaves one number
            can be averaged over batches.
    Raises:
        TypeError, ValueError: an argument is not as described.
        NotImplementedError: there is no rate of that name.
    """

    def __init__(
        self, skip_channel: bool = True, metric_name: str = "sensitivity", calculation_method: bool = False,
        decrease: str = "mean",
    ) -> None:
        for name, flag in (("skip_channel", skip_channel), ("calculation_method", calculation_method)):
            if not isinstance(flag, bool):
                raise TypeError(f"{name_of(self)}: {name} must be a bool, got {flag!r}")
        for name, text in (("metric_name", metric_name), ("decrease", decrease)):
            if not isinstance(text, str):
                raise TypeError(f"{name_of(self)}: {name} must be a str, got {text!r}")
        if decrease not in _DECREASES:
            raise ValueError(f"{name_of(self)}: decrease must be one of {', '.join(_DECREASES)}, got {decrease!r}")
        rate = _BY_NAME.get(metric_name.replace(" ", "_").lower())
        if rate is None:
            raise NotImplementedError(f"{name_of(self)}: there is no rate {metric_name!r}, only {', '.join(_BY_NAME)}")
        self._rate, self.skip_channel, self.decrease = rate, skip_channel, decrease
        self.metric_name, self.calculation_method = metric_name, calculation_method
        self.clear()

    def clear(self) -> None:
        self._counts = np.zeros(4)
        self._total, self._weight = 0.0, 0

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: predictions and labels, both of 0 and 1, [N, C, ...]."""
        if len(inputs) != 2:
            raise ValueError(f"{name_of(self)}.update: expected predictions and labels, got {len(inputs)} inputs")
        predicted, actual = (self._convert_data(x) for x in inputs)
        if predicted.ndim < 2 or predicted.shape != actual.shape:
            got = f"{predicted.shape} and {actual.shape}"
            raise ValueError(f"{name_of(self)}.update: expected predictions and labels [N, C, ...], got {got}")
        if not np.isin(actual, (0, 1)).all():
            raise ValueError(f"{name_of(self)}.update: the labels must be 0 or 1")
        if not self.skip_channel and predicted.shape[1] > 1:
            predicted, actual = predicted[:, 1:], actual[:, 1:]
        predicted, actual = (x.reshape(*x.shape[:2], -1).astype(float) for x in (predicted, actual))
        hits = (predicted + actual == 2).sum(2).astype(float)
        rejections = (predicted + actual == 0).sum(2).astype(float)
        positive = actual.sum(2)
        counts = (hits, actual.shape[2] - positive - rejections, rejections, positive - hits)
        if self.calculation_method:
            value, weight = _decreased(self._rate(*counts), self.decrease)
            if np.size(value) != 1:
                raise ValueError(f"{name_of(self)}: decrease {self.decrease!r} leaves more than one number")
            self._total += float(value.item() * weight.item())
            self._weight += int(weight.item())
        else:
            self._counts += [c.sum() for c in counts]

    def eval(self) -> Any:
        if self._weight:
            return self._total / self._weight
        if not self._counts.any():
            raise self._nothing_yet()
        return self._rate(*(np.array([c]) for c in self._counts))


def _decreased(rates: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """The rates [N, C] as `how` says, of those that are numbers, and how many they are of."""
    there = ~np.isnan(rates)
    rates, count = np.where(there, rates, 0.0), there.astype(float)

    def mean(values: np.ndarray, of: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
        number = of.sum(axis)
        return np.where(number > 0, values.sum(axis) / np.maximum(number, 1), 0.0), number

    if how == "mean":
        each, number = mean(rates, count, 1)
        return mean(each, (number > 0).astype(float), 0)
    if how in ("mean_batch", "mean_channel"):
        return mean(rates, count, 0 if how == "mean_batch" else 1)
    if how == "none":
        return rates, count
    axes: Any = {"sum": (0, 1), "sum_batch": 0, "sum_channel": 1}[how]
    return np.asarray(rates.sum(axes)), np.asarray(count.sum(axes))
