"""How much a network's answer depends on each part of an image: `OcclusionSensitivity`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from graphc.nn.cell import Cell
from graphc.tensor import Tensor
from graphc.train.check import number, whole
from graphc.train.metrics.metric import Metric, rearrange_inputs

__all__ = ["OcclusionSensitivity"]

Spans = list[tuple[int, int]]


class OcclusionSensitivity(Metric):
    """By how much the score of a class falls if a box around each element of an image is covered.

    Args:
        pad_val: what covers the box.
        margin: how far the box reaches from its element along every axis: `margin` elements before it, and
            `margin - 1` after it.
        n_batch: how many covered images the network gets at once.
        b_box: `[min, max, min, max, ...]`, both included, for each axis but the batch: the elements that are covered
            in turn; a maximum below 0 is the last element. None for all.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """

    def __init__(
        self, pad_val: float = 0.0, margin: int = 2, n_batch: int = 128, b_box: list[int] | None = None
    ) -> None:
        super().__init__()
        number("OcclusionSensitivity", "pad_val", pad_val)
        for name, value in (("margin", margin), ("n_batch", n_batch)):
            whole("OcclusionSensitivity", name, value, 1)
        if b_box is not None and not (isinstance(b_box, (list, tuple)) and all(isinstance(n, int) for n in b_box)):
            raise TypeError(f"OcclusionSensitivity: b_box must be a list of ints or None, got {b_box!r}")
        self.pad_val, self.margin, self.n_batch, self.b_box = pad_val, margin, n_batch, b_box
        self.clear()

    def clear(self) -> None:
        self._sensitivity: np.ndarray | None = None

    @rearrange_inputs
    def update(self, *inputs: Any) -> None:
        """Args: a Cell that gives scores [N, C] for images, one image [1, ...], and its label, an int or one element.

        Raises:
            ValueError: other inputs, or a `b_box` that does not fit the image.
        """
        if len(inputs) != 3:
            raise ValueError(f"OcclusionSensitivity.update: expected 3 inputs (model, image, label), got {len(inputs)}")
        model, image = inputs[0], self._convert_data(inputs[1])
        if not isinstance(model, Cell):
            raise TypeError(f"OcclusionSensitivity.update: expected a Cell, got {type(model).__name__}")
        label = np.asarray(inputs[2] if isinstance(inputs[2], int) else self._convert_data(inputs[2]))
        if image.ndim < 2 or image.shape[0] != 1 or label.size != 1:
            raise ValueError(
                f"OcclusionSensitivity.update: expected one image [1, ...] and one label, got {image.shape} and "
                f"{label.shape}"
            )
        wanted = int(label.item())
        spans = self._spans(image.shape[1:])
        covered = self._covered(image[0], spans)
        whole = model(Tensor(image)).numpy_view()[0, wanted]
        scores = []
        while batch := list(islice(covered, self.n_batch)):
            scores.append(model(Tensor(np.stack(batch))).numpy_view()[:, wanted])
        fallen = whole - np.concatenate(scores)
        self._sensitivity = np.squeeze(fallen.reshape([last + 1 - first for first, last in spans]))

    def _spans(self, shape: Sequence[int]) -> Spans:
        """For each axis the first and the last element that is covered in turn."""
        if self.b_box is None:
            return [(0, extent - 1) for extent in shape]
        if len(self.b_box) != 2 * len(shape):
            raise ValueError(f"OcclusionSensitivity: b_box must have {2 * len(shape)} numbers, got {self.b_box}")
        pairs = zip(self.b_box[::2], self.b_box[1::2], shape, strict=True)
        spans = [(max(first, 0), last if last >= 0 else extent - 1) for first, last, extent in pairs]
        if any(first > last or last >= extent for (first, last), extent in zip(spans, shape, strict=True)):
            raise ValueError(f"OcclusionSensitivity: b_box {self.b_box} does not fit an image {tuple(shape)}")
        return spans

    def _covered(self, image: np.ndarray, spans: Spans) -> Iterator[np.ndarray]:
        """The image with a box around one element covered, for each element of the spans."""
        for offset in np.ndindex(*(last + 1 - first for first, last in spans)):
            center = [first + at for (first, _), at in zip(spans, offset, strict=True)]
            made = image.copy()
            made[tuple(slice(max(at - self.margin, 0), at + self.margin) for at in center)] = self.pad_val
            yield made

    def eval(self) -> np.ndarray:
        """The fall of the score for each element, in the shape of the image or of `b_box`, without axes of one element.

        Raises:
            RuntimeError: there is nothing to evaluate.
        """
        if self._sensitivity is None:
            raise self._nothing_yet()
        return self._sensitivity
