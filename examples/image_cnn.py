"""A convolutional network that tells clothes apart, with the whole craft of training.

    python examples/image_cnn.py --mode graph --epochs 5 --batch-norm

Used here: augmentation (rotation, flip, crop), a learning-rate schedule, dropout and batch normalisation, initialisers,
an L2 penalty, gradients clipped to a norm, early stopping, and weights loaded from a checkpoint. `--plain` leaves away
all of these but dropout, for comparison.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence

import graphc as ms
from graphc import dataset as ds
from graphc import nn, ops
from graphc.dataset import transforms, vision
from graphc.initializer import HeNormal, XavierUniform
from graphc.train import EarlyStopping, LossMonitor, Model, TimeMonitor

MODES = {"graph": ms.GRAPH_MODE, "eager": ms.PYNATIVE_MODE}


class ImageCNN(nn.Cell):
    """Two convolutions with pooling and dropout, and two dense layers.

    Args:
        batch_norm: whether a batch normalisation follows each convolution.
        initialised: whether weights start by He and Xavier, instead of each layer's default.
    """

    def __init__(self, batch_norm: bool = False, initialised: bool = True) -> None:
        super().__init__()
        he = {"weight_init": HeNormal(nonlinearity="relu"), "bias_init": "zeros"} if initialised else {}
        xavier = {"weight_init": XavierUniform(), "bias_init": "zeros"} if initialised else {}
        self.conv1 = nn.Conv2d(1, 32, 5, pad_mode="valid", has_bias=True, **he)
        self.conv2 = nn.Conv2d(32, 64, 5, pad_mode="valid", has_bias=True, **he)
        self.norm1 = nn.BatchNorm2d(32) if batch_norm else nn.Identity()
        self.norm2 = nn.BatchNorm2d(64) if batch_norm else nn.Identity()
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.dropout1 = nn.Dropout(p=0.3)
        self.dropout2 = nn.Dropout(p=0.3)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Dense(64 * 4 * 4, 512, **he)
        self.fc2 = nn.Dense(512, 10, **xavier)

    def construct(self, x: ms.Tensor) -> ms.Tensor:
        """Args: images [N, 1, 28, 28]. Returns: logits [N, 10]."""
        x = self.dropout1(self.pool(self.relu(self.norm1(self.conv1(x)))))
        x = self.dropout2(self.pool(self.relu(self.norm2(self.conv2(x)))))
        x = self.relu(self.fc1(self.flatten(x)))
        return self.fc2(x)


class ClippedTrainStep(nn.TrainOneStepCell):
    """A training step whose gradients have, all together, a norm of at most `clip_norm`."""

    def __init__(self, network: nn.Cell, optimizer: nn.Optimizer, clip_norm: float) -> None:
        super().__init__(network, optimizer)
        self.clip_norm = clip_norm
        self.grad_fn = ms.value_and_grad(network, None, optimizer.parameters)

    def construct(self, data: ms.Tensor, label: ms.Tensor) -> ms.Tensor:
        loss, grads = self.grad_fn(data, label)
        self.optimizer(ops.clip_by_global_norm(grads, self.clip_norm))
        return loss


def make_dataset(path: str, usage: str, augment: bool, batch_size: int = 256) -> ds.Dataset:
    """Batches of images float32 [N, 1, 28, 28] and labels int32 [N]; in training only full ones."""
    dataset = ds.FashionMnistDataset(path, usage=usage, shuffle=usage == "train")
    if augment:
        moves = [vision.RandomRotation(5.0), vision.RandomHorizontalFlip(0.5), vision.RandomCrop(28, padding=1)]
        dataset = dataset.map(moves, "image", num_parallel_workers=2)
    scale = [vision.Rescale(1.0 / 255.0, 0), vision.Normalize(mean=(0.286,), std=(0.353,)), vision.HWC2CHW()]
    dataset = dataset.map(scale, "image").map(transforms.TypeCast(ms.int32), "label")
    return dataset.batch(batch_size, drop_remainder=usage == "train")


def make_optimizer(network: nn.Cell, steps: int) -> nn.Optimizer:
    """Adam with a learning rate that falls over `steps` steps, and an L2 penalty on weights (not on biases)."""
    weights = [p for p in network.trainable_params() if p.ndim > 1]
    others = [p for p in network.trainable_params() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": 1e-4}, {"params": others}]
    schedule = nn.CosineDecayLR(min_lr=1e-5, max_lr=1e-3, decay_steps=steps)
    return nn.Adam(groups, learning_rate=schedule)


def main(argv: Sequence[str] | None = None) -> tuple[nn.Cell, float]:
    """Runs the program; returns the network with the weights of the checkpoint, and its accuracy on the test images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mode", choices=MODES, default="graph", help="one native step, or op by op")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--data", default=ds.embedded_fashion_mnist(), help="a folder of (Fashion-)MNIST's IDX files")
    parser.add_argument("--batch-norm", action="store_true", help="normalise after each convolution")
    parser.add_argument("--plain", action="store_true", help="only the network, with dropout, and Adam")
    parser.add_argument("--checkpoint", help="start from these weights")
    parser.add_argument("--save", help="the file for the best weights (by default in a temporary folder)")
    parser.add_argument("--steps", type=int, help="batches of each epoch, at most")
    parser.add_argument("--quick", action="store_true", help="a short run: 1 epoch of 4 batches")
    args = parser.parse_args(argv)
    if args.quick:
        args.epochs, args.steps = 1, 4

    ms.set_context(mode=MODES[args.mode])
    ms.set_seed(1)
    train_dataset = make_dataset(args.data, "train", augment=not args.plain)
    test_dataset = make_dataset(args.data, "test", augment=False)
    if args.steps is not None:
        train_dataset, test_dataset = train_dataset.take(args.steps), test_dataset.take(args.steps)
    steps = train_dataset.get_dataset_size()

    network = ImageCNN(args.batch_norm, initialised=not args.plain)
    if args.checkpoint:
        not_loaded, _ = ms.load_param_into_net(network, ms.load_checkpoint(args.checkpoint))
        print(f"Started from {args.checkpoint}" + (f", without {not_loaded}" if not_loaded else ""))

    loss_fn = nn.CrossEntropyLoss()
    callbacks = [LossMonitor(steps), TimeMonitor()]
    if args.plain:
        optimizer = nn.Adam(network.trainable_params(), learning_rate=1e-3)
        model = Model(network, loss_fn=loss_fn, optimizer=optimizer, metrics={"acc", "loss"})
    else:
        optimizer = make_optimizer(network, args.epochs * steps)
        train_step = ClippedTrainStep(nn.WithLossCell(network, loss_fn), optimizer, clip_norm=1.0)
        evaluation = nn.WithEvalCell(network, loss_fn)
        model = Model(train_step, eval_network=evaluation, eval_indexes=[0, 1, 2], metrics={"acc", "loss"})
        callbacks.append(EarlyStopping("acc", mode="max", patience=3, verbose=True, restore_best_weights=True))
    model.fit(args.epochs, train_dataset, test_dataset, callbacks=callbacks)

    with tempfile.TemporaryDirectory() as folder:
        path = args.save or os.path.join(folder, "image_cnn.ckpt")
        ms.save_checkpoint(network, path)
        fresh = ImageCNN(args.batch_norm)
        ms.load_param_into_net(fresh, ms.load_checkpoint(path))
    result = Model(fresh, loss_fn=loss_fn, metrics={"acc"}).eval(test_dataset)
    print(f"Weights loaded from the checkpoint: test accuracy {result['acc']:.4f}")
    return fresh, result["acc"]


if __name__ == "__main__":
    main()
