"""A small convolutional network for the colour images of CIFAR-10.

    python examples/cifar_cnn.py --mode graph --data cifar-10-batches-bin

Without `--data` it writes images of its own making, in CIFAR-10's binary format, into a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence

import numpy as np

import graphc as ms
from graphc import dataset as ds
from graphc import nn
from graphc.dataset import transforms, vision

MODES = {"graph": ms.GRAPH_MODE, "eager": ms.PYNATIVE_MODE}


class SimpleCNN(nn.Cell):
    """Two convolutions with pooling, and three dense layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5, pad_mode="valid", has_bias=True)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.conv2 = nn.Conv2d(6, 16, 5, pad_mode="valid", has_bias=True)
        self.relu = nn.ReLU()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Dense(16 * 5 * 5, 120)
        self.fc2 = nn.Dense(120, 84)
        self.fc3 = nn.Dense(84, 10)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        """Args: images [N, 3, 32, 32]. Returns: logits [N, 10]."""
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x)))
        x = self.flatten(x)
        x = self.relu(self.fc1(x))
        x = self.relu(self.fc2(x))
        return self.fc3(x)


def make_dataset(path: str, usage: str, batch_size: int = 64) -> ds.Dataset:
    """Batches of images float32 [N, 3, 32, 32] in [-1, 1] and labels int32 [N], loaded by two workers."""
    dataset = ds.Cifar10Dataset(path, usage=usage, shuffle=usage == "train", num_parallel_workers=2)
    images = [vision.ToTensor(), vision.Normalize(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), is_hwc=False)]
    dataset = dataset.map(images, "image", num_parallel_workers=2).map(transforms.TypeCast(ms.int32), "label")
    return dataset.batch(batch_size)


def write_synthetic_cifar(folder: str, per_file: int = 2000) -> None:
    """Five training files and a test file in CIFAR-10's binary format.

    An image of class k is a wave of one of 5 directions and 2 wavelengths, in random colours, with noise on it.
    """
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:32, 0:32]
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        labels = rng.integers(0, 10, per_file)
        angle = (labels % 5) * np.pi / 5
        frequency = np.where(labels < 5, 0.5, 1.2)
        along = np.cos(angle)[:, None, None] * rows + np.sin(angle)[:, None, None] * columns
        wave = np.sin(frequency[:, None, None] * along + rng.uniform(0, 2 * np.pi, (per_file, 1, 1)))
        colours = rng.uniform(-60, 60, (per_file, 3, 1, 1))
        images = 128 + colours * wave[:, None] + rng.normal(0, 40, (per_file, 3, 32, 32))
        records = np.concatenate([labels[:, None], images.reshape(per_file, -1).clip(0, 255)], axis=1)
        records.astype(np.uint8).tofile(os.path.join(folder, name))


def train(network: nn.Cell, dataset: ds.Dataset, epochs: int) -> None:
    """Trains, and prints the mean loss of every 100 steps."""
    loss_fn = nn.CrossEntropyLoss()
    optimizer = nn.Adam(network.trainable_params(), learning_rate=1e-3)

    def forward_fn(images: ms.Tensor, labels: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        logits = network(images)
        return loss_fn(logits, labels), logits

    grad_fn = ms.value_and_grad(forward_fn, None, optimizer.parameters, has_aux=True)

    def train_step(images: ms.Tensor, labels: ms.Tensor) -> ms.Tensor:
        (loss, _), grads = grad_fn(images, labels)
        optimizer(grads)
        return loss

    network.set_train()
    steps = dataset.get_dataset_size()
    for epoch in range(epochs):
        running_loss = 0.0
        for i, (images, labels) in enumerate(dataset.create_tuple_iterator()):
            running_loss += float(train_step(images, labels).asnumpy())
            if (i + 1) % 100 == 0:
                print(f"Epoch [{epoch + 1}/{epochs}], Step [{i + 1}/{steps}], Loss: {running_loss / 100:.4f}")
                running_loss = 0.0
    print("Finished training")


def evaluate(network: nn.Cell, dataset: ds.Dataset) -> float:
    """Accuracy on all of a dataset, between 0 and 1."""
    network.set_train(False)
    correct = total = 0
    for images, labels in dataset.create_tuple_iterator():
        predicted = network(images).argmax(1)
        correct += int((predicted == labels).asnumpy().sum())
        total += len(labels)
    print(f"Accuracy on the {total} test images: {100 * correct / total:.2f}%")
    return correct / total


def main(argv: Sequence[str] | None = None) -> tuple[nn.Cell, float]:
    """Runs the program; returns the trained network and its accuracy on the test images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=MODES, default="graph", help="one native step, or op by op")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--data", help="the folder of CIFAR-10's binary files; without it, synthetic images are made")
    parser.add_argument("--steps", type=int, help="batches of each epoch, at most")
    parser.add_argument("--quick", action="store_true", help="a short run: 1 epoch of 20 batches")
    args = parser.parse_args(argv)
    if args.quick:
        args.epochs, args.steps = 1, 20

    ms.set_context(mode=MODES[args.mode])
    ms.set_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        if args.data is None:
            print(f"No --data: training on synthetic images in CIFAR-10's binary format, written to {folder}")
            write_synthetic_cifar(folder)
        path = args.data or folder
        train_dataset, test_dataset = make_dataset(path, "train"), make_dataset(path, "test")
        if args.steps is not None:
            train_dataset, test_dataset = train_dataset.take(args.steps), test_dataset.take(args.steps)
        network = SimpleCNN()
        train(network, train_dataset, args.epochs)
        return network, evaluate(network, test_dataset)


if __name__ == "__main__":
    main()
