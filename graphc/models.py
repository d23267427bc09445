"""Small networks for images of clothes, digits and things; LeNet-5 is in `graphc.vision`.

`graphc train`, `graphc dump` and `graphc profile` know them by name (`graphc.cli.recipes`).
"""

from __future__ import annotations

from graphc import nn
from graphc.tensor import Tensor

__all__ = ["CNN", "MLP", "SimpleCNN"]


class MLP(nn.Cell):
    """Three dense layers with ReLU between them: 784-512-512-10.

    Args:
        num_classes: number of classes.
        inputs: elements of one image.
        hidden: width of the hidden layers.
    """

    def __init__(self, num_classes: int = 10, inputs: int = 28 * 28, hidden: int = 512) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.layers = nn.SequentialCell(
            nn.Dense(inputs, hidden), nn.ReLU(), nn.Dense(hidden, hidden), nn.ReLU(), nn.Dense(hidden, num_classes)
        )

    def construct(self, x: Tensor) -> Tensor:
        """Args: images [N, ...] of `inputs` elements each. Returns: [N, num_classes]."""
        logits: Tensor = self.layers(self.flatten(x))
        return logits


class CNN(nn.Cell):
    """Two convolutions with pooling and dropout, and two dense layers.

    Args:
        num_classes: number of classes.
        channels: channels of the images.
        dropout: the part of the elements that each dropout sets to 0 in training.
        batch_norm: whether a batch normalisation follows each convolution.
    """

    def __init__(
        self, num_classes: int = 10, channels: int = 1, dropout: float = 0.3, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.features = nn.SequentialCell(
            *_stage(channels, 32, dropout, batch_norm), *_stage(32, 64, dropout, batch_norm), nn.Flatten()
        )
        self.classifier = nn.SequentialCell(nn.Dense(64 * 4 * 4, 512), nn.ReLU(), nn.Dense(512, num_classes))

    def construct(self, x: Tensor) -> Tensor:
        """Args: images [N, channels, 28, 28]. Returns: [N, num_classes]."""
        logits: Tensor = self.classifier(self.features(x))
        return logits


def _stage(inputs: int, outputs: int, dropout: float, batch_norm: bool) -> list[nn.Cell]:
    convolution = nn.Conv2d(inputs, outputs, 5, pad_mode="valid")
    norm = [nn.BatchNorm2d(outputs)] if batch_norm else []
    return [convolution, *norm, nn.ReLU(), nn.MaxPool2d(2, 2), nn.Dropout(p=dropout)]


class SimpleCNN(nn.Cell):
    """LeNet's shape for colour images: two convolutions with pooling, three dense layers.

    Args:
        num_classes: number of classes.
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5, pad_mode="valid")
        self.conv2 = nn.Conv2d(6, 16, 5, pad_mode="valid")
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2, 2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Dense(16 * 5 * 5, 120)
        self.fc2 = nn.Dense(120, 84)
        self.fc3 = nn.Dense(84, num_classes)

    def construct(self, x: Tensor) -> Tensor:
        """Args: images [N, 3, 32, 32]. Returns: [N, num_classes]."""
        x = self.pool(self.relu(self.conv1(x)))
        x = self.flatten(self.pool(self.relu(self.conv2(x))))
        x = self.relu(self.fc2(self.relu(self.fc1(x))))
        logits: Tensor = self.fc3(x)
        return logits
