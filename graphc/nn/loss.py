"""Loss functions as Cells; the formulas are in `graphc.ops.loss`.

`reduction` is 'mean', 'sum' or 'none' (the loss of each element or sample) throughout.
"""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.nn import check
from graphc.nn.activation import get_activation
from graphc.nn.layer import Layer
from graphc.ops.one_hot import checked_one_hot
from graphc.tensor import Tensor

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "DiceLoss", "FocalLoss",
    "GaussianNLLLoss", "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "LossBase", "MAELoss", "MSELoss",
    "MarginRankingLoss", "MultiClassDiceLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "MultilabelMarginLoss",
    "NLLLoss", "PoissonNLLLoss", "RMSELoss", "SampledSoftmaxLoss", "SmoothL1Loss", "SoftMarginLoss",
    "SoftmaxCrossEntropyWithLogits", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
]  # fmt: skip

REDUCTIONS = ("mean", "sum", "none")


class LossBase(Layer):
    """The base of losses; a subclass's `construct` ends with `self.get_loss(losses, weights)`."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"For '{type(self).__name__}', the 'reduction' must be in ['mean', 'sum', 'none'], "
                f"but got {reduction!r}."
            )
        self.reduction = reduction

    def get_axis(self, x: Tensor) -> tuple[int, ...]:
        """All axes of `x`."""
        return tuple(range(x.ndim))

    def get_loss(self, x: Tensor, weights: Any = 1.0) -> Tensor:
        """The losses `x` times `weights`, reduced."""
        x = x if isinstance(weights, float) and weights == 1.0 else x * weights
        if self.reduction == "mean":
            return ops.mean(x, self.get_axis(x))
        return ops.sum(x, self.get_axis(x)) if self.reduction == "sum" else x


_Loss = LossBase  # its name in MindSpore 1

# Of classes


class SampledSoftmaxLoss(LossBase):
    """The cross-entropy of softmax over the labels and a few other classes, drawn at random, in place of all classes.

    Called with weights `[C, D]`, biases `[C]`, labels `[N, num_true]` (or `[N]`) and logits `[N, D]`, which are what
    the last layer is given. Each label of a sample counts for `1 / num_true`. From the scores the logarithms of the
    counts are subtracted that are expected of their classes (Jean et al. 2015).

    Args:
        num_sampled: how many classes are drawn for a batch, all of them different.
        num_classes: C.
        num_true: labels of a sample.
        sampled_values: the classes, and the counts expected of the labels and of them, as
            `ops.uniform_candidate_sampler` gives them; by default it draws them.
        remove_accidental_hits: no label is drawn.
        seed: of the draws, at least 0.
    Raises:
        TypeError, ValueError: an argument is not as described.
        IndexError: when it runs, a label that is no class.
    """

    def __init__(
        self, num_sampled: int, num_classes: int, num_true: int = 1, sampled_values: Any = None,
        remove_accidental_hits: bool = True, seed: int = 0, reduction: str = "none",
    ) -> None:
        super().__init__(reduction)
        where = "SampledSoftmaxLoss"
        self.num_classes = check.positive_int(where, "num_classes", num_classes)
        for name, value in (("num_sampled", num_sampled), ("num_true", num_true)):
            if check.positive_int(where, name, value) > num_classes:
                raise ValueError(
                    f"For '{where}', the '{name}' must be smaller than or equal to 'num_classes', but got {value} and "
                    f"{num_classes}."
                )
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise ValueError(f"For '{where}', the 'seed' must be an int >= 0, but got {seed!r}.")
        if sampled_values is not None and not isinstance(sampled_values, (list, tuple)):
            got = type(sampled_values).__name__
            raise TypeError(f"For '{where}', the type of 'sampled_values' must be a list or tuple, but got {got}.")
        if sampled_values is not None and len(sampled_values) != 3:
            raise ValueError(f"For '{where}', the 'sampled_values' must be 3, but got {len(sampled_values)}.")
        self.num_sampled, self.num_true, self.seed = num_sampled, num_true, seed
        self.sampled_values = sampled_values
        self.remove_accidental_hits = check.boolean(where, "remove_accidental_hits", remove_accidental_hits)

    def _draws(self) -> bool:
        return self.sampled_values is None

    def construct(self, weights: Tensor, biases: Tensor, labels: Tensor, logits: Tensor) -> Tensor:
        if not labels.dtype.is_int:
            raise TypeError(f"For 'SampledSoftmaxLoss', the 'labels' must be integers, but got {labels.spec}.")
        labels = ops.reshape(labels, (-1, self.num_true))
        sampled, of_labels, of_sampled = self.sampled_values or ops.uniform_candidate_sampler(
            labels, self.num_true, self.num_sampled, True, self.num_classes, self.seed, self.remove_accidental_hits
        )
        own = ops.sum(ops.expand_dims(logits, 1) * ops.gather(weights, labels, 0), -1)
        own = own + ops.gather(biases, labels, 0) - ops.log(of_labels)
        offsets = ops.gather(biases, sampled, 0) - ops.log(of_sampled)
        others = ops.dense(logits, ops.gather(weights, sampled, 0), offsets)
        scores = ops.log_softmax(ops.concat([own, others], 1), -1)
        return self.get_loss(-ops.mean(scores[:, : self.num_true], -1))


class CrossEntropyLoss(LossBase):
    """The cross-entropy between logits and labels: log-softmax, then negative log-likelihood.

    Called with logits `[C]`, `[N, C]` or `[N, C, *D]` and integer labels `[]`, `[N]` or `[N, *D]`, or class
    probabilities of the shape of the logits.

    Args:
        weight: a weight for each class, `[C]`.
        ignore_index: a label whose elements count as nothing.
        label_smoothing: the part of the target, 0 to 1, that is spread evenly over all classes.
    Raises:
        IndexError: when it runs, a label that is neither in [0, C) nor `ignore_index`.
    """

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(reduction)
        self.weight, self.ignore_index = _class_weight(type(self).__name__, weight, ignore_index)
        self.label_smoothing = check.between("CrossEntropyLoss", "label_smoothing", label_smoothing, 0.0, 1.0, "[]")

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.cross_entropy(
            logits, labels, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


def _class_weight(where: str, weight: Any, ignore_index: Any) -> tuple[Any, int]:
    """A weight for each class, or None, and the label that counts for nothing, of their types."""
    if weight is not None and not isinstance(weight, Tensor):
        raise TypeError(f"For '{where}', the 'weight' must be a Tensor or None, but got {type(weight).__name__}.")
    if not check.is_int(ignore_index):
        raise TypeError(f"For '{where}', the 'ignore_index' must be int, but got {ignore_index!r}.")
    return weight, ignore_index


class NLLLoss(LossBase):
    """The negative log-likelihood of labels under log-probabilities; arguments as in CrossEntropyLoss."""

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.weight, self.ignore_index = _class_weight(type(self).__name__, weight, ignore_index)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.nll_loss(logits, labels, self.weight, self.ignore_index, self.reduction)


class CTCLoss(LossBase):
    """The loss of label sequences of which only the order is known; see `ops.ctc_loss`.

    Called with log-probabilities `[T, N, C]`, labels `[N, S]`, the number of time steps and of labels, each `[N]`.
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction)
        self.blank = check.non_negative_int("CTCLoss", "blank", blank)
        self.zero_infinity = check.boolean("CTCLoss", "zero_infinity", zero_infinity)

    def construct(self, log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor) -> Tensor:
        loss, _ = ops.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
        return loss


class SoftmaxCrossEntropyWithLogits(LossBase):
    """The cross-entropy between the softmax of logits `[N, C]` and the labels.

    Args:
        sparse: labels are integers `[N]`; otherwise class probabilities `[N, C]`.
    """

    def __init__(self, sparse: bool = False, reduction: str = "none") -> None:
        super().__init__(reduction)
        self.sparse = check.boolean("SoftmaxCrossEntropyWithLogits", "sparse", sparse)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        if logits.ndim != 2:
            raise ValueError(f"For 'SoftmaxCrossEntropyWithLogits', the logits must be [N, C], but got {logits.spec}.")
        if not self.sparse:
            return self.get_loss(ops.softmax_cross_entropy_with_logits(logits, labels))
        if not labels.dtype.is_int:
            raise TypeError(
                f"For 'SoftmaxCrossEntropyWithLogits', labels must be integers with 'sparse', but got {labels.spec}."
            )
        return ops.cross_entropy(logits, labels, reduction=self.reduction)


class FocalLoss(LossBase):
    """-(1 - p)^gamma * log(p) of the softmax p of logits `[N, C]` or `[N, C, *D]` (Lin et al. 2017).

    Called with integer labels `[N, 1]` or `[N, 1, *D]`, or with labels of the shape of the logits that say how much
    each class counts. Before the reduction, losses are means over D: `[N]` for integer labels, else `[N, C]`.

    Args:
        weight: a Tensor `[C]` by which the classes count.
        gamma: at least 0.
    """

    def __init__(self, weight: Any = None, gamma: float = 2.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        if weight is not None and (not isinstance(weight, Tensor) or weight.ndim != 1):
            raise TypeError(f"For 'FocalLoss', the 'weight' must be a Tensor of 1 dimension, but got {weight!r:.60}.")
        self.weight, self.gamma = weight, check.non_negative_float("FocalLoss", "gamma", gamma)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        shape = logits.shape
        if len(shape) < 2 or shape[1] < 2 or labels.shape not in (shape, (shape[0], 1, *shape[2:])):
            raise ValueError(f"For 'FocalLoss', logits {logits.spec} and labels {labels.spec} do not fit.")
        log_p = ops.log_softmax(ops.reshape(logits, (*shape[:2], -1)), 1)
        labels = ops.reshape(labels, (*labels.shape[:2], -1))
        weight = None if self.weight is None else ops.reshape(ops.cast(self.weight, log_p.dtype), (1, -1, 1))
        if labels.shape[1] == 1:
            one_hot = checked_one_hot(labels[:, 0], shape[1], Tensor(1, log_p.dtype), Tensor(0, log_p.dtype), 1)
            weight = None if weight is None else ops.sum(one_hot * weight, 1)
            log_p = ops.sum(one_hot * log_p, 1)
        else:
            weight = labels if weight is None else labels * weight
        losses = -ops.pow(1.0 - ops.exp(log_p), self.gamma) * log_p
        return self.get_loss(ops.mean(losses if weight is None else losses * weight, -1))


class MultiMarginLoss(LossBase):
    """sum of max(0, margin - x[label] + x[i])^p over i != label, divided by C, of logits `[N, C]` and labels `[N]`.

    Args:
        p: 1 or 2.
        margin: any number.
        weight: a weight for each class.
    """

    def __init__(
        self, p: int = 1, margin: float = 1.0, reduction: str = "mean", weight: Any = None
    ) -> None:
        super().__init__(reduction)
        if not check.is_int(p):
            raise TypeError(f"For 'MultiMarginLoss', the 'p' must be int, but got {p!r}.")
        if p not in (1, 2):
            raise ValueError(f"For 'MultiMarginLoss', the 'p' must be 1 or 2, but got {p!r}.")
        self.p, self.margin, self.weight = p, check.number("MultiMarginLoss", "margin", margin), weight

    def construct(self, x: Tensor, target: Tensor) -> Tensor:
        if x.ndim != 2 or target.shape != x.shape[:1]:
            raise ValueError(f"For 'MultiMarginLoss', expected [N, C] and [N], but got {x.spec} and {target.spec}.")
        classes = x.shape[1]
        one_hot = checked_one_hot(target, classes, Tensor(1, x.dtype), Tensor(0, x.dtype), -1)
        own = ops.sum(x * one_hot, 1, True)
        gap = ops.maximum(x - own + self.margin, 0.0)
        losses = (gap if self.p == 1 else gap * gap) * (1.0 - one_hot)
        if self.weight is not None:
            losses = losses * ops.expand_dims(ops.gather(self.weight, target, 0), 1)
        return self.get_loss(ops.sum(losses, 1) / classes)


class MultilabelMarginLoss(LossBase):
    """Sums over labels and other classes of max(0, 1 - x[label] + x[i]), divided by C.

    Called with scores `[N, C]` or `[C]` and as many integers: labels in [0, C), of each sample those before the first
    -1.
    """

    def construct(self, x: Tensor, target: Tensor) -> Tensor:
        return ops.multilabel_margin_loss(x, target, self.reduction)


class MultiLabelSoftMarginLoss(LossBase):
    """The mean over classes of the binary cross-entropy of logits `[N, C]` with labels 0 or 1 `[N, C]`."""

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.weight = weight

    def construct(self, x: Tensor, target: Tensor) -> Tensor:
        losses = ops.binary_cross_entropy_with_logits(x, target, self.weight, None, "none")
        return self.get_loss(ops.mean(losses, -1))


# Of distances


class L1Loss(LossBase):
    """|logits - labels|."""

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.l1_loss(logits, labels, self.reduction)


class MAELoss(LossBase):
    """The mean absolute error; with reduction 'none' |logits - labels|."""

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.l1_loss(logits, labels, self.reduction)


class MSELoss(LossBase):
    """(logits - labels)^2."""

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.mse_loss(logits, labels, self.reduction)


class RMSELoss(LossBase):
    """The square root of the mean of (logits - labels)^2."""

    def __init__(self) -> None:
        super().__init__()

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.sqrt(ops.mse_loss(logits, labels))


class SmoothL1Loss(LossBase):
    """d^2 / (2 beta) where d = |logits - labels| < beta, else d - beta / 2 (Girshick 2015)."""

    def __init__(self, beta: float = 1.0, reduction: str = "none") -> None:
        super().__init__(reduction)
        self.beta = check.non_negative_float("SmoothL1Loss", "beta", beta)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.smooth_l1_loss(logits, labels, self.beta, self.reduction)


class HuberLoss(LossBase):
    """d^2 / 2 where d = |logits - labels| <= delta, else delta * (d - delta / 2)."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = check.positive_float("HuberLoss", "delta", delta)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.huber_loss(logits, labels, self.reduction, self.delta)


class CosineEmbeddingLoss(LossBase):
    """1 - cos(x1, x2) where the label is 1, max(0, cos(x1, x2) - margin) where it is -1; vectors along axis 1."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = check.between("CosineEmbeddingLoss", "margin", margin, -1.0, 1.0, "[]")

    def construct(self, logits_x1: Tensor, logits_x2: Tensor, labels: Tensor) -> Tensor:
        return ops.cosine_embedding_loss(logits_x1, logits_x2, labels, self.margin, self.reduction)


class MarginRankingLoss(LossBase):
    """max(0, -target * (input1 - input2) + margin)."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = check.number("MarginRankingLoss", "margin", margin)

    def construct(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return ops.margin_ranking_loss(input1, input2, target, self.margin, self.reduction)


class HingeEmbeddingLoss(LossBase):
    """x where the label is 1, max(0, margin - x) where it is -1."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.margin = check.number("HingeEmbeddingLoss", "margin", margin)

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.hinge_embedding_loss(logits, labels, self.margin, self.reduction)


class TripletMarginWithDistanceLoss(LossBase):
    """max(0, distance(x, positive) - distance(x, negative) + margin).

    Args:
        distance_function: of two tensors; by default the 2-norm of their difference along axis 1.
        swap: the distance between positive and negative counts where it is smaller than that of x and negative.
    """

    _of_ops = False  # the distance may be any function of the program

    def __init__(
        self, distance_function: Any = None, swap: bool = False, reduction: str = "mean", margin: float = 1.0
    ) -> None:
        super().__init__(reduction)
        self.distance_function = distance_function or (lambda x, y: ops.norm(x - y, 2, 1))
        self.swap = check.boolean("TripletMarginWithDistanceLoss", "swap", swap)
        self.margin = margin

    def construct(self, x: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        near, far = self.distance_function(x, positive), self.distance_function(x, negative)
        if self.swap:
            far = ops.minimum(far, self.distance_function(positive, negative))
        return self.get_loss(ops.relu(near - far + self.margin))


class TripletMarginLoss(LossBase):
    """max(0, distance(x, positive) - distance(x, negative) + margin), of vectors along the last axis.

    Args:
        p: the norm of the distance.
        swap: the distance between positive and negative counts where it is smaller than that of x and negative.
        eps: added to each difference.
    """

    def __init__(
        self, p: int = 2, swap: bool = False, eps: float = 1e-6, reduction: str = "mean", margin: float = 1.0
    ) -> None:
        super().__init__(reduction)
        self.p = check.positive_int("TripletMarginLoss", "p", p)
        self.swap = check.boolean("TripletMarginLoss", "swap", swap)
        self.eps, self.margin = check.positive_float("TripletMarginLoss", "eps", eps), margin

    def construct(self, x: Tensor, positive: Tensor, negative: Tensor, margin: Any = None) -> Tensor:
        margin = self.margin if margin is None else margin
        return ops.triplet_margin_loss(x, positive, negative, margin, self.p, self.eps, self.swap, self.reduction)


class SoftMarginLoss(LossBase):
    """log(1 + e^(-labels * logits)), of labels 1 and -1."""

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.soft_margin_loss(logits, labels, self.reduction)


# Of probabilities


class BCELoss(LossBase):
    """The binary cross-entropy of probabilities and labels in [0, 1]; `weight` multiplies the losses."""

    def __init__(self, weight: Any = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.weight = weight

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.binary_cross_entropy(logits, labels, self.weight, self.reduction)


class BCEWithLogitsLoss(LossBase):
    """The binary cross-entropy of the sigmoid of logits and labels in [0, 1].

    Args:
        weight: multiplies the losses.
        pos_weight: multiplies the part of the losses that is for the label 1.
    """

    def __init__(self, reduction: str = "mean", weight: Any = None, pos_weight: Any = None) -> None:
        super().__init__(reduction)
        self.weight, self.pos_weight = weight, pos_weight

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.binary_cross_entropy_with_logits(logits, labels, self.weight, self.pos_weight, self.reduction)


class KLDivLoss(LossBase):
    """labels * (log(labels) - logits), of log-probabilities `logits`; reduction also 'batchmean'."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__("sum" if reduction == "batchmean" else reduction)
        self.reduction = reduction

    def construct(self, logits: Tensor, labels: Tensor) -> Tensor:
        return ops.kl_div(logits, labels, self.reduction)


class PoissonNLLLoss(LossBase):
    """e^x - target * x, or x - target * log(x + eps) without `log_input`.

    Args:
        log_input: the input is the logarithm of the expected count.
        full: add Stirling's approximation of log(target!), target * log(target) - target + log(2 pi target) / 2,
            where the target is above 1.
    """

    def __init__(
        self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.log_input = check.boolean("PoissonNLLLoss", "log_input", log_input)
        self.full = check.boolean("PoissonNLLLoss", "full", full)
        self.eps = check.positive_float("PoissonNLLLoss", "eps", eps)

    def construct(self, input: Tensor, target: Tensor) -> Tensor:
        losses = ops.exp(input) - target * input if self.log_input else input - target * ops.log(input + self.eps)
        if self.full:
            large = ops.maximum(target, 1.0)
            factorial = large * ops.log(large) - large + 0.5 * ops.log(2.0 * math.pi * large)
            losses = losses + ops.where(target > 1, factorial, 0.0)
        return self.get_loss(losses)


class GaussianNLLLoss(LossBase):
    """(log(var) + (logits - labels)^2 / var) / 2, with var at least `eps`; `full` adds log(2 pi) / 2."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = check.boolean("GaussianNLLLoss", "full", full)
        self.eps = check.positive_float("GaussianNLLLoss", "eps", eps)

    def construct(self, logits: Tensor, labels: Tensor, var: Tensor) -> Tensor:
        return ops.gaussian_nll_loss(logits, labels, var, self.full, self.eps, self.reduction)


class DiceLoss(LossBase):
    """1 - 2 * sum(x * y) / (sum(x^2) + sum(y^2) + smooth) of predictions x and labels y of one shape."""

    def __init__(self, smooth: float = 1e-5) -> None:
        super().__init__()
        self.smooth = check.positive_float("DiceLoss", "smooth", smooth)

    def construct(self, logits: Tensor, label: Tensor) -> Tensor:
        if logits.shape != label.shape:
            raise ValueError(f"For 'DiceLoss', expected two tensors of one shape, but got {logits.spec}, {label.spec}.")
        common = ops.sum(logits * label)
        return 1.0 - 2.0 * common / (ops.sum(logits * logits) + ops.sum(label * label) + self.smooth)


class MultiClassDiceLoss(LossBase):
    """The mean of the DiceLoss of each class, of scores and labels `[N, C, ...]` of one shape.

    Args:
        weights: a weight for each class, `[C, 1]`, or None.
        ignore_indiex: a class that is left out of the sum.
        activation: what is applied to the scores first: a name as in `get_activation`, a Cell, or None.
    """

    def __init__(self, weights: Any = None, ignore_indiex: int | None = None, activation: Any = "softmax") -> None:
        super().__init__()
        if weights is not None and not isinstance(weights, Tensor):
            raise TypeError(f"For 'MultiClassDiceLoss', the 'weights' must be a Tensor, but got {weights!r}.")
        if ignore_indiex is not None and (isinstance(ignore_indiex, bool) or not isinstance(ignore_indiex, int)):
            raise TypeError(f"For 'MultiClassDiceLoss', the 'ignore_indiex' must be an int, but got {ignore_indiex!r}.")
        if activation is not None and not callable(activation) and not isinstance(activation, str):
            raise TypeError(f"For 'MultiClassDiceLoss', the 'activation' must be str or Cell, but got {activation!r}.")
        self.dice = DiceLoss()
        self.weights, self.ignored = weights, ignore_indiex
        self.activation = get_activation(activation) if isinstance(activation, str) else activation

    def construct(self, logits: Tensor, label: Tensor) -> Tensor:
        if logits.shape != label.shape or logits.ndim < 2:
            got = f"{logits.spec}, {label.spec}"
            raise ValueError(f"For 'MultiClassDiceLoss', expected two tensors [N, C, ...] of one shape, but got {got}.")
        scores = logits if self.activation is None else self.activation(logits)
        losses = []
        for c in range(label.shape[1]):
            if c != self.ignored:
                loss = self.dice(scores[:, c], label[:, c])
                losses.append(loss if self.weights is None else loss * self.weights[c])
        return ops.addn(losses) / float(label.shape[1])
