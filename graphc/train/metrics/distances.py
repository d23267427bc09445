"""How near the rows of a matrix, or the surfaces of two regions, are to each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.train.check import number
from graphc.train.metrics.metric import Metric, rearrange_inputs

ROWS_AT_ONCE = 1024  # surface points whose distances are held at once


class CosineSimilarity(Metric):
    """The similarity of every two rows of a matrix.

    Args:
        similarity: "cosine", or "dot" for the product without normalisation.
        reduction: "none" for the matrix [N, N], or its "sum" or "mean" over the last axis.
        zero_diagonal: whether a row's similarity to itself counts as 0.
    """

    def __init__(self, similarity: str = "cosine", reduction: str = "none", zero_diagonal: bool = True) -> None:
        for name, value in (("similarity", similarity), ("reduction", reduction)):
            if not isinstance(value, str):
                raise TypeError(f"CosineSimilarity: {name} must be a str, got {value!r}")
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


class _SurfaceDistance(Metric):
    """What distances between the surfaces of a predicted region and of the actual one share.

    The surface of a region is its points that have a neighbour along an axis outside it (or outside the image).

    Args:
        distance_metric: "euclidean", "chessboard" (largest coordinate) or "taxicab" (sum of coordinates).
    """

    def __init__(self, distance_metric: str) -> None:
        if distance_metric not in ("euclidean", "chessboard", "taxicab"):
            known = "euclidean, chessboard or taxicab"
            raise ValueError(f"{type(self).__name__}: distance_metric must be {known}, got {distance_metric!r}")
        self.distance_metric = distance_metric
        self.clear()

    def clear(self) -> None:
        self._surfaces: tuple[np.ndarray, np.ndarray] | None = None

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: predicted and actual image of one shape, and the value that marks the region. Replaces earlier ones."""
        name = f"{type(self).__name__}.update"
        if len(inputs) != 3:
            raise ValueError(f"{name}: expected 3 inputs (images, label), got {len(inputs)}")
        (predicted, actual), label = self._pair(inputs[:2]), inputs[2]
        number(name, "the label", label)
        if not predicted.size or predicted.shape != actual.shape:
            raise ValueError(f"{name}: expected images of one shape, got {predicted.shape} and {actual.shape}")
        regions = [image if image.dtype == bool else image == label for image in (predicted, actual)]
        if not any(region.any() for region in regions):
            raise ValueError(f"{name}: no point of either image is {label}")
        self._surfaces = _surface(regions[0]), _surface(regions[1])

    def _distances(self, both: bool) -> list[np.ndarray] | None:
        """From each point of the predicted surface to the actual one, with `both` also the other way; None if empty."""
        if self._surfaces is None:
            raise self._nothing_yet()
        predicted, actual = self._surfaces
        if not len(predicted) or not len(actual):
            return None
        return [self._nearest(predicted, actual), *([self._nearest(actual, predicted)] if both else [])]

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


def _bool(name: str, what: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name}: {what} must be a bool, got {value!r}")
    return value


class RootMeanSquareDistance(_SurfaceDistance):
    """The root of the mean squared distance from the surface of a predicted region to that of the actual one.

    Args:
        symmetric: take the distances in both directions into the mean.
        distance_metric: "euclidean", "chessboard" (largest coordinate) or "taxicab" (sum of coordinates).
    """

    def __init__(self, symmetric: bool = False, distance_metric: str = "euclidean") -> None:
        self.symmetric = _bool("RootMeanSquareDistance", "symmetric", symmetric)
        super().__init__(distance_metric)

    def eval(self) -> float:
        """The distance; infinite where a surface is empty."""
        found = self._distances(self.symmetric)
        return math.inf if found is None else math.sqrt((np.concatenate(found) ** 2).mean())


class MeanSurfaceDistance(_SurfaceDistance):
    """The mean distance from the surface of a predicted region to that of the actual one.

    Args:
        symmetric: the mean of the means in both directions.
        distance_metric: as in `RootMeanSquareDistance`.
    """

    def __init__(self, symmetric: bool = False, distance_metric: str = "euclidean") -> None:
        self.symmetric = _bool("MeanSurfaceDistance", "symmetric", symmetric)
        super().__init__(distance_metric)

    def eval(self) -> float:
        """The distance; infinite where a surface is empty."""
        found = self._distances(self.symmetric)
        return math.inf if found is None else float(np.mean([distances.mean() for distances in found]))


class HausdorffDistance(_SurfaceDistance):
    """The greatest distance from the surface of a region to that of the other, of a predicted and the actual one.

    Args:
        distance_metric: as in `RootMeanSquareDistance`.
        percentile: instead of the greatest the distance that this percentage, 0 to 100, does not exceed.
        directed: only from the predicted to the actual one.
        crop: changes nothing but the work that MindSpore does.
    """

    def __init__(
        self, distance_metric: str = "euclidean", percentile: float | None = None, directed: bool = False,
        crop: bool = True,
    ) -> None:
        if percentile is not None and not isinstance(percentile, float):
            raise TypeError(f"HausdorffDistance: percentile must be a float, got {percentile!r}")
        if percentile is not None and not 0 <= percentile <= 100:
            raise ValueError(f"HausdorffDistance: percentile must be 0 to 100, got {percentile}")
        self.percentile, self.directed = percentile, _bool("HausdorffDistance", "directed", directed)
        self.crop = _bool("HausdorffDistance", "crop", crop)
        super().__init__(distance_metric)

    def eval(self) -> float:
        """The distance; infinite where a surface is empty."""
        found = self._distances(not self.directed)
        if found is None:
            return math.inf
        return max(float(np.percentile(d, self.percentile) if self.percentile else d.max()) for d in found)


def _surface(region: np.ndarray) -> np.ndarray:
    """The coordinates of the region's surface points: [points, axes]."""
    padded = np.pad(region, 1)
    inner = padded.copy()
    for axis in range(region.ndim):
        inner &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    return np.argwhere(padded & ~inner)
