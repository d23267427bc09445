"""LeNet-5 with `Model`, as MindVision's users write it.

    python examples/lenet_model.py --mode graph --epochs 10
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import graphc as ms
from graphc import nn
from graphc.dataset import embedded_fashion_mnist
from graphc.train import Model
from graphc.vision.classification.dataset import Mnist
from graphc.vision.classification.models import lenet
from graphc.vision.engine.callback import LossMonitor

MODES = {"graph": ms.GRAPH_MODE, "eager": ms.PYNATIVE_MODE}


def main(argv: Sequence[str] | None = None) -> tuple[nn.Cell, float]:
    """Runs the program; returns the trained network and its accuracy on the test images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=MODES, default="graph", help="one native step, or op by op")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--data", default=embedded_fashion_mnist(), help="a folder of (Fashion-)MNIST's IDX files")
    parser.add_argument("--steps", type=int, help="batches of each epoch, at most")
    parser.add_argument("--quick", action="store_true", help="a short run: 1 epoch of 20 batches")
    args = parser.parse_args(argv)
    if args.quick:
        args.epochs, args.steps = 1, 20

    ms.set_context(mode=MODES[args.mode])
    ms.set_seed(2)

    download_train = Mnist(path=args.data, split="train", batch_size=32, repeat_num=1, shuffle=True, resize=32,
                           download=True)
    dataset_train = download_train.run()
    download_eval = Mnist(path=args.data, split="test", batch_size=32, resize=32, download=True)
    dataset_eval = download_eval.run()
    if args.steps is not None:
        dataset_train, dataset_eval = dataset_train.take(args.steps), dataset_eval.take(args.steps)

    network = lenet(num_classes=10, pretrained=False)
    net_loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    net_opt = nn.Momentum(network.trainable_params(), learning_rate=0.01, momentum=0.9)
    model = Model(network, loss_fn=net_loss, optimizer=net_opt, metrics={"acc"})

    steps = dataset_train.get_dataset_size()
    model.train(args.epochs, dataset_train, callbacks=[LossMonitor(0.01, steps)])

    result = model.eval(dataset_eval)
    print(result)
    return network, result["acc"]


if __name__ == "__main__":
    main()
