"""LeNet-5, as MindVision has it."""

from __future__ import annotations

import os

from graphc import nn
from graphc.initializer import Normal
from graphc.serialization import load_checkpoint
from graphc.tensor import Tensor

__all__ = ["LeNet5", "lenet"]


class LeNet5(nn.Cell):
    """Two convolutions with pooling, and three fully connected layers.

    Source: Y. LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86 (1998), with ReLU
    and max pooling as MindVision writes it.

    Args:
        num_classes: number of classes.
        num_channel: channels of the images.
        include_top: whether the fully connected layers are part of it.
    """

    def __init__(self, num_classes: int = 10, num_channel: int = 1, include_top: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(num_channel, 6, 5, pad_mode="valid")
        self.conv2 = nn.Conv2d(6, 16, 5, pad_mode="valid")
        self.relu = nn.ReLU()
        self.max_pool2d = nn.MaxPool2d(kernel_size=2, stride=2)
        self.include_top = include_top
        if include_top:
            self.flatten = nn.Flatten()
            self.fc1 = nn.Dense(16 * 5 * 5, 120, weight_init=Normal(0.02))
            self.fc2 = nn.Dense(120, 84, weight_init=Normal(0.02))
            self.fc3 = nn.Dense(84, num_classes, weight_init=Normal(0.02))

    def construct(self, x: Tensor) -> Tensor:
        """Args: images [N, num_channel, 32, 32]. Returns: [N, num_classes], or [N, 16, 5, 5] without the top."""
        x = self.max_pool2d(self.relu(self.conv1(x)))
        x = self.max_pool2d(self.relu(self.conv2(x)))
        if self.include_top:
            x = self.relu(self.fc1(self.flatten(x)))
            x = self.fc3(self.relu(self.fc2(x)))
        return x


def lenet(
    num_classes: int = 10, num_channel: int = 1, pretrained: bool = False, include_top: bool = True,
    ckpt_file: str | os.PathLike[str] | None = None,
) -> LeNet5:
    """A LeNet-5.

    Args:
        num_classes, num_channel, include_top: as of `LeNet5`.
        pretrained: only False: there are no weights to download; give those you have as `ckpt_file`.
        ckpt_file: a checkpoint to load.
    """
    if pretrained and ckpt_file is None:
        raise ValueError("lenet: pretrained=True, but there are no weights to download; give a checkpoint as ckpt_file")
    network = LeNet5(num_classes, num_channel, include_top)
    if ckpt_file is not None:
        load_checkpoint(ckpt_file, network)
    return network
