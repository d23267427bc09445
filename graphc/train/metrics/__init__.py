"""Metrics: what `Model.eval` computes from a network's outputs and the labels, batch by batch.

    metric = Accuracy()
    metric.update(logits, labels)    # for every batch
    metric.eval()                    # 0.875
    metric.clear()

They work in NumPy, in float64 where they accumulate, and take Tensors, arrays and lists. `Model(metrics={"acc"})` names
them; `names()` lists the names. Definitions and shapes follow `mindspore.train`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.train.metrics.classification import (
    F1,
    Accuracy,
    ConfusionMatrix,
    Fbeta,
    Perplexity,
    Precision,
    Recall,
    Top1CategoricalAccuracy,
    Top5CategoricalAccuracy,
    TopKCategoricalAccuracy,
)
from graphc.train.metrics.curves import ROC, auc
from graphc.train.metrics.distances import (
    CosineSimilarity,
    HausdorffDistance,
    MeanSurfaceDistance,
    RootMeanSquareDistance,
)
from graphc.train.metrics.errors import MAE, MSE, Dice, Loss
from graphc.train.metrics.metric import Metric, rearrange_inputs
from graphc.train.metrics.occlusion import OcclusionSensitivity
from graphc.train.metrics.rates import ConfusionMatrixMetric
from graphc.train.metrics.translation import BleuScore

__all__ = [
    "F1", "MAE", "MSE", "ROC", "Accuracy", "BleuScore", "ConfusionMatrix", "ConfusionMatrixMetric", "CosineSimilarity",
    "Dice", "Fbeta", "HausdorffDistance", "Loss", "MeanSurfaceDistance", "Metric", "OcclusionSensitivity", "Perplexity",
    "Precision", "Recall", "RootMeanSquareDistance", "Top1CategoricalAccuracy", "Top5CategoricalAccuracy",
    "TopKCategoricalAccuracy", "auc", "get_metric_fn", "names", "rearrange_inputs",
]  # fmt: skip

_FACTORY: dict[str, Callable[..., Metric]] = {
    "F1": F1,
    "acc": Accuracy,
    "accuracy": Accuracy,
    "bleu_score": BleuScore,
    "confusion_matrix": ConfusionMatrix,
    "confusion_matrix_metric": ConfusionMatrixMetric,
    "cosine_similarity": CosineSimilarity,
    "dice": Dice,
    "hausdorff_distance": HausdorffDistance,
    "loss": Loss,
    "mae": MAE,
    "mean_surface_distance": MeanSurfaceDistance,
    "mse": MSE,
    "occlusion_sensitivity": OcclusionSensitivity,
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
