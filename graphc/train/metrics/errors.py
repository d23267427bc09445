"""Means of losses, of errors and of overlaps."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.train.metrics.metric import Mean, Metric, name_of, rearrange_inputs


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
        typed = isinstance(smooth, (int, float)) and not isinstance(smooth, bool)
        if not typed or smooth <= 0:
            error = ValueError if typed else TypeError
            raise error(f"Dice: smooth must be above 0, got {smooth!r}")
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
        raise ValueError(f"{name_of(metric)}.update: expected values of one shape, got {got}")
    return actual.reshape(predicted.shape).astype(np.float64) - predicted, actual.shape[0]
