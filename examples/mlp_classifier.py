"""A multilayer perceptron that tells clothes apart, trained with a loop of its own.

    python examples/mlp_classifier.py --mode graph --epochs 3
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import graphc as ms
from graphc import dataset as ds
from graphc import nn
from graphc.dataset import transforms, vision

MODES = {"graph": ms.GRAPH_MODE, "eager": ms.PYNATIVE_MODE}


class Network(nn.Cell):
    """Three dense layers: 784-512-512-10."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.dense_relu_sequential = nn.SequentialCell(
            nn.Dense(28 * 28, 512),
            nn.ReLU(),
            nn.Dense(512, 512),
            nn.ReLU(),
            nn.Dense(512, 10),
        )

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        """Args: images [N, 1, 28, 28]. Returns: logits [N, 10]."""
        x = self.flatten(x)
        return self.dense_relu_sequential(x)


def make_dataset(path: str, usage: str, batch_size: int = 64) -> ds.Dataset:
    """Batches of images float32 [N, 1, 28, 28] and labels int32 [N]."""
    dataset = ds.MnistDataset(path, usage=usage, shuffle=usage == "train")
    images = [vision.Rescale(1.0 / 255.0, 0), vision.Normalize(mean=(0.286,), std=(0.353,)), vision.HWC2CHW()]
    dataset = dataset.map(images, "image").map(transforms.TypeCast(ms.int32), "label")
    return dataset.batch(batch_size)


def make_train_step(model: nn.Cell, loss_fn: nn.Cell, optimizer: nn.Optimizer) -> Callable[..., ms.Tensor]:
    """One training step: forward, gradients, update; in graph mode one native function."""

    def forward_fn(data: ms.Tensor, label: ms.Tensor) -> tuple[ms.Tensor, ms.Tensor]:
        logits = model(data)
        loss = loss_fn(logits, label)
        return loss, logits

    grad_fn = ms.value_and_grad(forward_fn, None, optimizer.parameters, has_aux=True)

    def train_step(data: ms.Tensor, label: ms.Tensor) -> ms.Tensor:
        (loss, _), grads = grad_fn(data, label)
        optimizer(grads)
        return loss

    return train_step


def train_loop(model: nn.Cell, dataset: ds.Dataset, train_step: Callable[..., ms.Tensor]) -> None:
    """One epoch."""
    size = dataset.get_dataset_size()
    model.set_train()
    for batch, (data, label) in enumerate(dataset.create_tuple_iterator()):
        loss = train_step(data, label)
        if batch % 100 == 0:
            print(f"loss: {loss.asnumpy():>7f}  [{batch:>3d}/{size:>3d}]")


def test_loop(model: nn.Cell, dataset: ds.Dataset, loss_fn: nn.Cell) -> float:
    """Accuracy on all of a dataset, between 0 and 1."""
    num_batches = dataset.get_dataset_size()
    model.set_train(False)
    total, test_loss, correct = 0, 0.0, 0
    for data, label in dataset.create_tuple_iterator():
        pred = model(data)
        total += len(data)
        test_loss += loss_fn(pred, label).asnumpy()
        correct += (pred.argmax(1) == label).asnumpy().sum()
    test_loss /= num_batches
    accuracy = correct / total
    print(f"Test: \n Accuracy: {100 * accuracy:>0.1f}%, Avg loss: {test_loss:>8f} \n")
    return float(accuracy)


def main(argv: Sequence[str] | None = None) -> tuple[nn.Cell, float]:
    """Runs the program; returns the trained network and its accuracy on the test images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=MODES, default="graph", help="one native step, or op by op")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--data", default=ds.embedded_fashion_mnist(), help="a folder of (Fashion-)MNIST's IDX files")
    parser.add_argument("--steps", type=int, help="batches of each epoch, at most")
    parser.add_argument("--quick", action="store_true", help="a short run: 1 epoch of 20 batches")
    args = parser.parse_args(argv)
    if args.quick:
        args.epochs, args.steps = 1, 20

    ms.set_context(mode=MODES[args.mode])
    ms.set_seed(1)
    train_dataset, test_dataset = make_dataset(args.data, "train"), make_dataset(args.data, "test")
    if args.steps is not None:
        train_dataset, test_dataset = train_dataset.take(args.steps), test_dataset.take(args.steps)

    model = Network()
    print(model)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = nn.SGD(model.trainable_params(), learning_rate=1e-2)
    train_step = make_train_step(model, loss_fn, optimizer)
    for epoch in range(args.epochs):
        print(f"Epoch {epoch + 1}\n-------------------------------")
        train_loop(model, train_dataset, train_step)
        accuracy = test_loop(model, test_dataset, loss_fn)
    print("Done!")
    return model, accuracy


if __name__ == "__main__":
    main()
