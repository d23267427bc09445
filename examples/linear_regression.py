"""Linear regression: finds y = 2x + 0.5 from noisy points, once with a loop of its own and once with `Model`.

    python examples/linear_regression.py --mode graph --epochs 100
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

import graphc as ms
from graphc import dataset as ds
from graphc import nn
from graphc.train import LossMonitor, Model

MODES = {"graph": ms.GRAPH_MODE, "eager": ms.PYNATIVE_MODE}


def make_points(count: int = 100) -> dict[str, np.ndarray]:
    """Points (x, 2x + 0.5 + N(0, 0.05)) with x in [-1, 1], as columns `data` and `label` [count, 1]."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (count, 1))
    y = 2 * x + 0.5 + rng.normal(0, 0.05, x.shape)
    return {"data": x.astype(np.float32), "label": y.astype(np.float32)}


def train_by_hand(dataset: ds.Dataset, epochs: int) -> nn.Dense:
    """Gradient descent, step by step."""
    network = nn.Dense(1, 1)
    loss_fn = nn.MSELoss()
    optimizer = nn.SGD(network.trainable_params(), learning_rate=0.01)

    def forward_fn(data: ms.Tensor, label: ms.Tensor) -> ms.Tensor:
        return loss_fn(network(data), label)

    grad_fn = ms.value_and_grad(forward_fn, None, optimizer.parameters)

    def train_step(data: ms.Tensor, label: ms.Tensor) -> ms.Tensor:
        loss, grads = grad_fn(data, label)
        optimizer(grads)
        return loss

    network.set_train()
    for epoch in range(1, epochs + 1):
        for data, label in dataset.create_tuple_iterator():
            loss = train_step(data, label)
        if epoch % 20 == 0 or epoch == epochs:
            print(f"epoch: {epoch}, loss is {loss.asnumpy():.6f}")
    return network


def train_with_model(dataset: ds.Dataset, epochs: int) -> nn.Dense:
    """The same with `Model`."""
    network = nn.Dense(1, 1)
    optimizer = nn.SGD(network.trainable_params(), learning_rate=0.01)
    model = Model(network, loss_fn=nn.MSELoss(), optimizer=optimizer)
    model.train(epochs, dataset, callbacks=[LossMonitor(20 * dataset.get_dataset_size())])
    return network


def report(network: nn.Dense) -> None:
    """Prints the line that was found."""
    weight, bias = network.weight.asnumpy().item(), network.bias.asnumpy().item()
    print(f"y = {weight:.3f} x + {bias:.3f}   (the points were made with y = 2 x + 0.5)")


def main(argv: Sequence[str] | None = None) -> tuple[nn.Dense, nn.Dense]:
    """Runs the program; returns the network trained by hand and the one trained by `Model`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=MODES, default="graph", help="one native step, or op by op")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--steps", type=int, default=10, help="batches of each epoch, of 10 points each, at most")
    parser.add_argument("--quick", action="store_true", help="a short run: 2 epochs")
    args = parser.parse_args(argv)
    epochs = 2 if args.quick else args.epochs

    ms.set_context(mode=MODES[args.mode])
    ms.set_seed(1)
    dataset = ds.NumpySlicesDataset(make_points(), shuffle=True).batch(10).take(args.steps)

    print("A loop by hand")
    by_hand = train_by_hand(dataset, epochs)
    report(by_hand)
    print("Model.train")
    by_model = train_with_model(dataset, epochs)
    report(by_model)
    return by_hand, by_model


if __name__ == "__main__":
    main()
