"""Programs as users of MindSpore write them: only the name of the package is changed, and the numbers are the same.

Each returns numbers that depend on everything it does (losses of some steps, sums of weights). `EXPECTED` holds what
MindSpore 2.10 returns for the same text, run on its CPU back end. Weights and data come from NumPy's generators.
"""

from __future__ import annotations

import copy
import importlib
import math
import pickle
import re
from collections.abc import Callable

import numpy as np
import pytest

import graphc as ms
import graphc.common.dtype as mstype
import graphc.dataset as ds
import graphc.dataset.transforms as transforms
import graphc.dataset.vision as vision
import graphc.ops.operations as P
from graphc import Model, Parameter, ParameterTuple, Tensor, aliases, context, nn, ops
from graphc.amp import DynamicLossScaler, all_finite
from graphc.common.initializer import Constant, HeNormal, initializer
from graphc.context import ParallelMode
from graphc.nn.loss.loss import LossBase
from graphc.ops import composite as C
from graphc.ops import functional as F
from graphc.ops.composite import GradOperation
from graphc.train.callback import Callback, CheckpointConfig, LossMonitor, ModelCheckpoint
from graphc.train.serialization import load_checkpoint, load_param_into_net

PROGRAMS: list[Callable[[], list[float]]] = []


def program(function: Callable[[], list[float]]) -> Callable[[], list[float]]:
    PROGRAMS.append(function)
    return function


def fill(net: nn.Cell, scale: float = 0.3) -> nn.Cell:
    """Gives every Parameter values from NumPy, in the order of `get_parameters`."""
    generator = np.random.RandomState(0)
    for parameter in net.get_parameters():
        values = generator.randn(*parameter.shape) * scale
        if "variance" in parameter.name:
            values = np.abs(values) + 0.5
        parameter.set_data(Tensor(values.astype(np.float32)))
    return net


def data(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.RandomState(seed).randn(*shape).astype(np.float32)


def total(values: object) -> float:
    """The sum of tensors, each element weighted by its place, so that no two may change places."""
    sums = []
    for value in values if isinstance(values, (list, tuple)) else [values]:
        flat = value.asnumpy().astype(np.float64).reshape(-1)
        sums.append(float((flat * np.cos(np.arange(flat.size))).sum()))
    return sum(sums)


# A training step of the model zoo: primitives, clipping by a MultitypeFuncGraph, a TrainOneStepCell of its own

clip_grad = C.MultitypeFuncGraph("clip_grad")


@clip_grad.register("Number", "Number", "Tensor")
def _clip_grad(clip_type, clip_value, grad):
    if clip_type not in (0, 1):
        return grad
    dtype = F.dtype(grad)
    if clip_type == 0:
        low, high = F.cast(F.tuple_to_array((-clip_value,)), dtype), F.cast(F.tuple_to_array((clip_value,)), dtype)
        return C.clip_by_value(grad, low, high)
    return nn.ClipByNorm()(grad, F.cast(F.tuple_to_array((clip_value,)), dtype))


class AbsoluteLoss(LossBase):
    def __init__(self, reduction="mean"):
        super(AbsoluteLoss, self).__init__(reduction)  # noqa: UP008 (as programs have it)
        self.abs = P.Abs()

    def construct(self, base, target):
        return self.get_loss(self.abs(base - target))


class ClippedStep(nn.TrainOneStepCell):
    def __init__(self, network, optimizer, sens=1.0):
        super().__init__(network, optimizer, sens)
        self.hyper_map = C.HyperMap()
        self.reducer_flag = context.get_auto_parallel_context("parallel_mode") == ParallelMode.DATA_PARALLEL

    def construct(self, x, y):
        loss = self.network(x, y)
        sens = P.Fill()(P.DType()(loss), P.Shape()(loss), self.sens)
        grads = self.grad(self.network, self.weights)(x, y, sens)
        grads = self.hyper_map(F.partial(clip_grad, 1, 1.0), grads)
        if self.reducer_flag:
            grads = self.grad_reducer(grads)
        return F.depend(loss, self.optimizer(grads))


class OldNet(nn.Cell):
    def __init__(self):
        super().__init__()
        self.w = Parameter(initializer(Constant(0.5), [4, 3], mstype.float32), name="w")
        self.b = Parameter(initializer("ones", [4], mstype.float32), name="b")
        self.matmul, self.bias_add = P.MatMul(transpose_b=True), P.BiasAdd()
        self.concat, self.split, self.one_hot = P.Concat(axis=1), P.Split(1, 2), P.OneHot()
        self.on, self.off = Tensor(1.0, mstype.float32), Tensor(0.0, mstype.float32)

    def construct(self, x, index):
        y = self.bias_add(self.matmul(x, self.w), self.b)
        left, right = self.split(y)
        hot = self.one_hot(index, 4, self.on, self.off)
        position, greatest = P.ArgMaxWithValue(axis=1)(y)
        picked = P.Gather()(y, index, 0)
        rows = P.StridedSlice()(y, (0, 0), (2, 4), (1, 2))
        return (
            self.concat((right, left)), y * hot, F.cast(position, mstype.float32) + greatest, picked,
            P.Tile()(P.ExpandDims()(rows, 0), (2, 1, 1)), P.ReduceSum(keep_dims=True)(y, 1), P.GeLU()(y),
            P.L2Normalize(axis=1)(y), P.Select()(y > 0, y, F.zeros_like(y)), P.SquaredDifference()(y, hot),
        )  # fmt: skip


@program
def model_zoo():
    context.set_context(device_target="CPU", device_id=0)
    context.reset_auto_parallel_context()
    outputs = fill(OldNet())(Tensor(data(3, 3)), Tensor(np.array([0, 2, 1]), mstype.int32))
    net = fill(nn.SequentialCell([nn.Dense(4, 8), nn.ReLU(), nn.Dense(8, 2)]))
    chosen = filter(lambda p: p.requires_grad, net.get_parameters())
    step = ClippedStep(nn.WithLossCell(net, AbsoluteLoss("sum")), nn.Momentum(chosen, 0.1, 0.9, weight_decay=1e-3))
    losses = [step(Tensor(data(5, 4, seed=i)), Tensor(data(5, 2, seed=i + 50))) for i in range(4)]
    return [total(o) for o in outputs] + [float(loss) for loss in losses] + [total(net.trainable_params())]


# Residual and inverted residual blocks, parameter groups, a rate for each step; batches of 4 and 3


class BasicBlock(nn.Cell):
    def __init__(self, channels, out, stride=1, down=None):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, pad_mode="pad")
        self.norm1, self.relu = nn.BatchNorm2d(out), nn.ReLU()
        self.conv2, self.norm2 = nn.Conv2d(out, out, 3, padding=1, pad_mode="pad"), nn.BatchNorm2d(out)
        self.down = down

    def construct(self, x):
        identity = x
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        if self.down is not None:
            identity = self.down(x)
        y += identity
        return self.relu(y)


class InvertedResidual(nn.Cell):
    def __init__(self, channels, out, stride, expand):
        super().__init__()
        hidden = round(channels * expand)
        self.shortcut = stride == 1 and channels == out
        layers = [nn.Conv2d(channels, hidden, 1, pad_mode="pad", padding=0), nn.BatchNorm2d(hidden), nn.ReLU6()]
        layers += [nn.Conv2d(hidden, hidden, 3, stride, pad_mode="pad", padding=1, group=hidden)]
        layers += [nn.BatchNorm2d(hidden), nn.ReLU6(), nn.Conv2d(hidden, out, 1), nn.BatchNorm2d(out)]
        self.conv = nn.SequentialCell(layers)

    def construct(self, x):
        return x + self.conv(x) if self.shortcut else self.conv(x)


class ResidualNet(nn.Cell):
    def __init__(self, classes=5):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 7, 2, pad_mode="pad", padding=3), nn.BatchNorm2d(4)
        border = nn.Pad(paddings=((0, 0), (0, 0), (1, 1), (1, 1)), mode="CONSTANT")
        self.pool = nn.SequentialCell([border, nn.MaxPool2d(3, 2)])
        down = nn.SequentialCell([nn.Conv2d(4, 8, 1, 2), nn.BatchNorm2d(8)])
        self.blocks = nn.SequentialCell(
            BasicBlock(4, 8, 2, down), InvertedResidual(8, 8, 1, 2), InvertedResidual(8, 6, 2, 2)
        )
        self.mean, self.squeeze, self.gate = ops.ReduceMean(keep_dims=True), nn.Conv2d(6, 6, 1), nn.HSigmoid()
        self.gap, self.flat, self.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dense(6, classes)
        for _, cell in self.cells_and_names():
            if isinstance(cell, nn.Conv2d):
                he = HeNormal(mode="fan_out", nonlinearity="relu")
                cell.weight.set_data(initializer(he, cell.weight.shape, cell.weight.dtype))

    def construct(self, x):
        x = self.blocks(self.pool(nn.ReLU()(self.norm(self.stem(x)))))
        x = x * self.gate(self.squeeze(self.mean(x, (2, 3))))
        return self.fc(self.flat(self.gap(x)))


@program
def residual_blocks():
    net = fill(ResidualNet())
    params = net.trainable_params()
    no_decay = [p for p in params if p.name.endswith(("gamma", "beta", "bias"))]
    decayed = [p for p in params if not p.name.endswith(("gamma", "beta", "bias"))]
    groups = [{"params": decayed, "weight_decay": 1e-2}, {"params": no_decay, "lr": 0.05}, {"order_params": params}]
    optimizer = nn.Momentum(groups, learning_rate=nn.cosine_decay_lr(0.001, 0.1, 6, 3, 2), momentum=0.9)
    loss_fn = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    step = nn.TrainOneStepCell(nn.WithLossCell(net, loss_fn), optimizer).set_train()
    losses = [
        float(step(Tensor(data(n, 3, 32, 32, seed=i)), Tensor(np.arange(n) % 5, ms.int32)))
        for i, n in enumerate((4, 3))
    ]
    weights = total(list(net.get_parameters()))
    net.set_train(False)
    return [*losses, weights, total(net(Tensor(data(1, 3, 33, 31, seed=9))))]


# U-Net: CellLists, skips, transposed convolutions; a loss with slices and sums over axes


class DoubleConv(nn.Cell):
    def __init__(self, channels, out):
        super().__init__()
        self.layers = nn.SequentialCell(
            nn.Conv2d(channels, out, 3, has_bias=True), nn.ReLU(),
            nn.Conv2d(out, out, 3, has_bias=True, pad_mode="same"), nn.LeakyReLU(0.1),
        )  # fmt: skip

    def construct(self, x):
        return self.layers(x)


class UNet(nn.Cell):
    def __init__(self):
        super().__init__()
        self.down = nn.CellList([DoubleConv(1, 4), DoubleConv(4, 8), DoubleConv(8, 16)])
        self.pool = nn.MaxPool2d(2, 2)
        up2 = nn.Conv2dTranspose(8, 4, 2, 2, pad_mode="valid", has_bias=True)
        self.up = nn.CellList([nn.Conv2dTranspose(16, 8, 2, stride=2), up2])
        self.merge, self.last = nn.CellList([DoubleConv(16, 8), DoubleConv(8, 4)]), nn.Conv2d(4, 2, 1)

    def construct(self, x):
        skips = ()
        for i, layer in enumerate(self.down):
            x = layer(x)
            if i < len(self.down) - 1:
                skips += (x,)
                x = self.pool(x)
        for i in range(len(self.up)):
            x = self.merge[i](ops.concat((self.up[i](x), skips[-1 - i]), axis=1))
        return self.last(x)


class DiceLoss(nn.Cell):
    def construct(self, logits, label):
        p = ops.softmax(logits, 1)[:, 1]
        common, both = (p * label).sum((1, 2)), p.sum((1, 2)) + label.sum((1, 2))
        return 1 - ((2 * common + 1) / (both + 1)).mean()


@program
def unet():
    net = fill(UNet(), 0.2)
    optimizer = nn.Adam(net.trainable_params(), 1e-2, weight_decay=1e-4)
    step = nn.TrainOneStepCell(nn.WithLossCell(net, DiceLoss()), optimizer)
    step.set_train()
    masks = [(data(3, 16, 16, seed=i + 5) > 0).astype(np.float32) for i in range(3)]
    losses = [float(step(Tensor(data(3, 1, 16, 16, seed=i)), Tensor(mask))) for i, mask in enumerate(masks)]
    return [*losses, total(net(Tensor(data(1, 1, 16, 16))))]


# Text: embedding with padding, stacked bidirectional LSTM and GRU


class TextNet(nn.Cell):
    def __init__(self, kind):
        super().__init__()
        self.embedding = nn.Embedding(20, 6, padding_idx=1)
        self.rnn = kind(6, 5, num_layers=2, bidirectional=True, batch_first=True)
        self.fc = nn.Dense(10, 1)

    def construct(self, x):
        output, state = self.rnn(self.embedding(x))
        hidden = state[0] if isinstance(state, tuple) else state
        return self.fc(ops.concat((hidden[-2, :, :], hidden[-1, :, :]), axis=1)), output


@program
def text_classifier():
    results = []
    words, labels = Tensor(np.random.RandomState(0).randint(0, 20, (3, 7)), ms.int32), Tensor([[1.0], [0.0], [1.0]])
    for kind in (nn.LSTM, nn.GRU):
        net, loss_fn = fill(TextNet(kind)), nn.BCEWithLogitsLoss()

        def forward(x, y, net=net, loss_fn=loss_fn):
            logits, output = net(x)
            return loss_fn(logits, y), output

        optimizer = nn.Adam(net.trainable_params(), 0.01)
        grad_fn = ms.value_and_grad(forward, None, optimizer.parameters, has_aux=True)
        for _ in range(2):
            (loss, output), grads = grad_fn(words, labels)
            optimizer(grads)
            results += [float(loss), total(output), total(grads)]
    return results


# A transformer encoder written out, a class token, masks; tied embeddings


class Attention(nn.Cell):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.depth = heads, width // heads
        self.wq, self.wk = nn.Dense(width, width), nn.Dense(width, width)
        self.wv, self.fc = nn.Dense(width, width, has_bias=False), nn.Dense(width, width)
        self.norm, self.softmax = nn.LayerNorm((width,), epsilon=1e-5), nn.Softmax(axis=-1)
        self.scale = Tensor(1 / math.sqrt(self.depth), ms.float32)

    def construct(self, x, mask):
        b = x.shape[0]
        q = self.wq(x).view(b, -1, self.heads, self.depth).transpose(0, 2, 1, 3)
        k = self.wk(x).view((b, -1, self.heads, self.depth)).transpose((0, 2, 1, 3))
        v = self.wv(x).reshape(b, -1, self.heads, self.depth).swapaxes(1, 2)
        scores = ops.BatchMatMul(transpose_b=True)(q, k) * self.scale
        weights = self.softmax(scores.masked_fill(mask.expand_dims(1), -1e9))
        y = ops.BatchMatMul()(weights, v).transpose(0, 2, 1, 3).view(b, -1, self.heads * self.depth)
        return self.norm(self.fc(y) + x)


class Encoder(nn.Cell):
    def __init__(self):
        super().__init__()
        place, rate = np.arange(20)[:, None], np.exp(np.arange(0, 8, 2) * -(math.log(10000.0) / 8))
        table = np.stack([np.sin(place * rate), np.cos(place * rate)], -1).reshape(20, 8).astype(np.float32)
        self.places, self.embedding = Tensor(table), nn.Embedding(11, 8)
        self.token = Parameter(initializer("normal", (1, 1, 8)), name="cls_token")
        self.layers = nn.CellList([Attention(8, 2) for _ in range(2)])
        self.head = nn.Dense(8, 11, has_bias=False)
        self.head.weight = self.embedding.embedding_table

    def construct(self, ids):
        n, length = ids.shape
        x = self.embedding(ids) * math.sqrt(8) + self.places[:length]
        x = ops.cat([ops.tile(self.token, (n, 1, 1)), x], axis=1)
        mask = ops.concat((ops.zeros((n, 1), ms.bool_), ids.equal(0)), 1).expand_dims(1)
        for layer in self.layers:
            x = layer(x, mask.broadcast_to((n, length + 1, length + 1)))
        return self.head(x)


@program
def transformer():
    net = Encoder()
    fill(net)
    ids = Tensor([[1, 2, 3, 0], [4, 5, 0, 0], [6, 7, 8, 9]], ms.int32)
    loss_fn = nn.CrossEntropyLoss(ignore_index=0)
    optimizer = nn.AdamWeightDecay(net.trainable_params(), learning_rate=0.01, weight_decay=0.01)

    def forward(ids, target):
        return loss_fn(net(ids)[:, 1:].view(-1, 11), target.view(-1))

    grad_fn = ms.value_and_grad(forward, None, optimizer.parameters)
    losses = []
    for _ in range(3):
        loss, grads = grad_fn(ids, ids)
        optimizer(ops.clip_by_global_norm(grads, 1.0))
        losses.append(float(loss))
    return [*losses, total(net(ids)), float(len(net.trainable_params()))]


# A GAN: two networks, two optimizers; then a gradient penalty, which is differentiated twice


class Generator(nn.Cell):
    def __init__(self):
        super().__init__()
        self.model = nn.SequentialCell(nn.Dense(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dense(8, 6), nn.Tanh())

    def construct(self, x):
        return ops.reshape(self.model(x), (x.shape[0], 1, 2, 3))


class Discriminator(nn.Cell):
    def __init__(self):
        super().__init__()
        self.model, self.flatten = nn.SequentialCell(), nn.Flatten()
        for layer in (nn.Dense(6, 8), nn.LeakyReLU(), nn.Dense(8, 1), nn.Sigmoid()):
            self.model.append(layer)

    def construct(self, x):
        return self.model(self.flatten(x))


@program
def gan():
    generator, critic, bce = fill(Generator()), fill(Discriminator()), nn.BCELoss(reduction="mean")
    generator.update_parameters_name("generator.")
    critic.update_parameters_name("discriminator.")
    rates = {"learning_rate": 0.01, "beta1": 0.5, "beta2": 0.999}
    g_optimizer = nn.Adam(generator.trainable_params(), **rates)
    d_optimizer = nn.Adam(critic.trainable_params(), **rates)

    def g_forward(real, valid):
        images = generator(Tensor(data(real.shape[0], 4, seed=3)))
        return bce(critic(images), valid), images

    def d_forward(real, images, valid, fake):
        return (bce(critic(real), valid) + bce(critic(images), fake)) / 2

    g_grad = ms.value_and_grad(g_forward, None, generator.trainable_params(), has_aux=True)
    d_grad = ms.value_and_grad(d_forward, None, critic.trainable_params())
    results = []
    for i, n in enumerate((4, 4, 3)):
        real = Tensor(data(n, 1, 2, 3, seed=i))
        valid, fake = ops.ones((n, 1), ms.float32), ops.zeros((n, 1), ms.float32)
        (g_loss, images), g_grads = g_grad(real, valid)
        g_optimizer(g_grads)
        d_loss, d_grads = d_grad(real, images, valid, fake)
        d_optimizer(d_grads)
        results += [float(g_loss), float(d_loss), total(images)]

    def penalty(real, fake, alpha):
        between = alpha * real + (1 - alpha) * fake
        slope = ms.grad(lambda x: critic(x).sum())(between).view(real.shape[0], -1)
        return (ops.sqrt((slope**2).sum(1) + 1e-12) - 1).pow(2).mean()

    alpha = Tensor(np.random.RandomState(5).rand(4, 1, 1, 1).astype(np.float32))
    grad_fn = ms.value_and_grad(penalty, None, critic.trainable_params()[:1])
    value, grads = grad_fn(Tensor(data(4, 1, 2, 3)), Tensor(data(4, 1, 2, 3, seed=7)), alpha)
    return [*results, float(value), total(grads), total(critic.trainable_params())]


# An optimizer and a schedule of one's own, accumulated gradients, a moving average of weights


class MyMomentum(nn.Optimizer):
    def __init__(self, params, learning_rate, momentum=0.9):
        super().__init__(learning_rate, params)
        self.momentum = Parameter(Tensor(momentum, ms.float32), name="momentum")
        self.moments = self.parameters.clone(prefix="moments", init="zeros")
        self.assign = ops.Assign()

    def construct(self, gradients):
        rate = self.get_lr()
        for i, parameter in enumerate(self.parameters):
            self.assign(self.moments[i], self.moments[i] * self.momentum + gradients[i])
            self.assign(parameter, parameter - self.moments[i] * rate)
        return self.parameters


class Accumulator(nn.Cell):
    def __init__(self, net, optimizer, count):
        super().__init__()
        self.net, self.optimizer, self.loss_fn, self.map = net, optimizer, nn.MSELoss(), ops.HyperMap()
        self.sums = optimizer.parameters.clone("sums", init="zeros")
        self.grad_fn = ms.value_and_grad(lambda x, y: self.loss_fn(net(x), y) / count, None, optimizer.parameters)

    def accumulate(self, x, y):
        loss, grads = self.grad_fn(x, y)
        self.map(ops.partial(ops.assign_add), self.sums, grads)
        return loss

    def apply_gradients(self):
        self.optimizer(self.sums)
        for grad in self.sums:
            ops.assign(grad, ops.zeros_like(grad))


@program
def own_optimizer():
    net, loss_fn = fill(nn.SequentialCell(nn.Dense(3, 4), nn.Sigmoid(), nn.Dense(4, 1))), nn.MSELoss()
    x, y, results = Tensor(data(5, 3)), Tensor(data(5, 1, seed=2)), []
    rates = [nn.PolynomialDecayLR(0.1, 0.01, 4, 0.5), nn.ExponentialDecayLR(0.1, 0.9, 4, True), Tensor([0.1, 0.2, 0.3])]
    for optimizer in (
        MyMomentum(net.trainable_params(), 0.1), nn.Adam(net.trainable_params(), rates[0]),
        nn.RMSProp(net.trainable_params(), rates[1], centered=True), nn.Momentum(net.trainable_params(), rates[2], 0.9),
        nn.AdaMax(net.trainable_params(), 0.1), nn.Adagrad(net.trainable_params(), learning_rate=0.1),
    ):  # fmt: skip
        grad_fn = ms.value_and_grad(lambda x, y: loss_fn(net(x), y), None, optimizer.parameters)
        for _ in range(3):
            loss, grads = grad_fn(x, y)
            optimizer(grads)
            results.append(float(loss))
    accumulator = Accumulator(net, nn.SGD(net.trainable_params(), 0.5), 2)
    average = ParameterTuple(net.trainable_params()).clone("ema", "same")
    for i in range(4):
        results.append(float(accumulator.accumulate(Tensor(data(3, 3, seed=i)), Tensor(data(3, 1, seed=i + 9)))))
        if i % 2:
            accumulator.apply_gradients()
            for mean, parameter in zip(average, net.trainable_params()):
                ops.assign(mean, mean * 0.9 + parameter * 0.1)
    return [*results, total(list(average)), total(net.trainable_params())]


# Loss scaling by hand, with a step that overflows and is left out


@program
def loss_scaling():
    net, loss_fn = fill(nn.SequentialCell(nn.Dense(3, 4), nn.ReLU(), nn.Dense(4, 2))), nn.CrossEntropyLoss()
    optimizer, scaler, results = nn.SGD(net.trainable_params(), 0.1), DynamicLossScaler(1024, 2, 2), []

    def forward(x, y):
        logits = net(x)
        return scaler.scale(loss_fn(logits, y)), logits

    grad_fn = ms.value_and_grad(forward, None, optimizer.parameters, has_aux=True)
    for i in range(5):
        x = data(4, 3, seed=i)
        x[0, 0] = np.inf if i == 3 else x[0, 0]
        (loss, _), grads = grad_fn(Tensor(x), Tensor([0, 1, 1, 0], ms.int32))
        finite = all_finite(grads)
        if finite:
            optimizer(scaler.unscale(grads))
            results.append(float(scaler.unscale(loss)))
        scaler.adjust(finite)
        results.append(float(scaler.scale_value.asnumpy()))
    return [*results, total(net.trainable_params())]


# A detection head, overlap of boxes with gradients; a variational autoencoder; a policy gradient


class YoloHead(nn.Cell):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 21, 1, has_bias=True)
        self.sigmoid, self.concat, self.tile = P.Sigmoid(), P.Concat(-1), P.Tile()
        self.anchors = Tensor(np.array([[1, 2], [3, 4], [5, 6]], np.float32))

    def construct(self, x):
        f = self.conv(x)
        n, _, h, w = P.Shape()(f)
        p = P.Transpose()(P.Reshape()(f, (n, 3, 7, h, w)), (0, 3, 4, 1, 2))
        columns, rows = (F.cast(F.tuple_to_array(F.make_range(extent)), ms.float32) for extent in (w, h))
        grid_x = self.tile(P.Reshape()(columns, (1, 1, -1, 1, 1)), (1, h, 1, 1, 1))
        grid_y = self.tile(P.Reshape()(rows, (1, -1, 1, 1, 1)), (1, 1, w, 1, 1))
        xy = (self.sigmoid(p[:, :, :, :, :2]) + self.concat((grid_x, grid_y))) / Tensor([w, h], ms.float32)
        wh = P.Exp()(p[..., 2:4]) * self.anchors
        if self.training:
            return p, xy, wh
        return self.concat((xy, wh, self.sigmoid(p[..., 4:5]), self.sigmoid(p[..., 5:]))).view(n, -1, 7)


class Overlap(nn.Cell):
    def construct(self, a, b):
        low = P.Maximum()(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
        high = P.Minimum()(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
        sides = P.Maximum()(high - low, 0.0)
        common = P.Squeeze(-1)(sides[..., 0:1]) * P.Squeeze(-1)(sides[..., 1:2])
        return common / (a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - common + 1e-6)


@program
def detection():
    net, x = fill(YoloHead(), 0.2), Tensor(data(2, 4, 3, 5))
    net.set_train(False)
    evaluated = total(net(x))
    net.set_train()
    boxes = [Tensor(np.abs(data(4, 4, seed=s))) for s in (1, 2)]
    by_both = GradOperation(get_all=True, sens_param=True)(Overlap())(*boxes, Tensor(np.ones(4, np.float32)))
    loss = P.ReduceMean()(P.SigmoidCrossEntropyWithLogits()(x, x), (1, 2))
    return [evaluated, *(total(t) for t in net(x)), total(Overlap()(*boxes)), *(total(g) for g in by_both), total(loss)]


class Autoencoder(nn.Cell):
    def __init__(self):
        super().__init__()
        self.encode = nn.SequentialCell(
            nn.Conv2d(1, 4, 3, 2, "pad", 1), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, pad_mode="pad", padding=1), nn.Flatten()
        )
        self.mean, self.log_var = nn.Dense(32, 2), nn.Dense(32, 2)
        up = [nn.Conv2dTranspose(8, 4, 4, 2, pad_mode="pad", padding=1), nn.ELU()]
        up += [nn.Conv2dTranspose(4, 1, 4, 2, pad_mode="pad", padding=1), nn.Sigmoid()]
        self.decode = nn.SequentialCell(nn.Dense(2, 32), nn.ReLU(), nn.Unflatten(1, (8, 2, 2)), *up)

    def construct(self, x, noise):
        hidden = self.encode(x)
        mean, log_var = self.mean(hidden), self.log_var(hidden)
        return self.decode(mean + ops.exp(0.5 * log_var) * noise), mean, log_var


@program
def autoencoder_and_policy():
    net, images, noise = fill(Autoencoder(), 0.2), Tensor(np.abs(data(3, 1, 8, 8)) / 4), Tensor(data(3, 2))
    optimizer = nn.RMSProp(net.trainable_params(), 0.01)

    def elbo(x, noise):
        made, mean, log_var = net(x, noise)
        divergence = -0.5 * ops.ReduceSum()(1 + log_var - mean.pow(2) - log_var.exp())
        return ops.mse_loss(made, x, reduction="sum") + divergence, made

    grad_fn, results = ms.value_and_grad(elbo, None, optimizer.parameters, has_aux=True), []
    for _ in range(3):
        (loss, made), grads = grad_fn(images, noise)
        optimizer(grads)
        results += [float(loss), total(made)]
    policy = fill(nn.SequentialCell(nn.Dense(4, 16, activation="relu"), nn.Dense(16, 2), nn.Softmax()))
    optimizer = nn.Adam(policy.trainable_params(), 0.01)
    states, actions, returns = Tensor(data(6, 4)), Tensor([0, 1, 1, 0, 1, 0], ms.int32), Tensor(data(6))

    def objective(states, actions, returns):
        p = policy(states)
        chosen = ops.log(p.gather_elements(1, actions.expand_dims(1)).squeeze(1) + 1e-8)
        return -(chosen * returns).mean() + 0.01 * (p * ops.log(p)).sum(-1).mean()

    grad_fn = ms.value_and_grad(objective, None, optimizer.parameters)
    for _ in range(3):
        loss, grads = grad_fn(states, actions, returns)
        optimizer(grads)
        results.append(float(loss))
    return [*results, total(policy(states).max(axis=1)), float(policy(states).argmax(axis=1).sum())]


# Model: data from a generator with a last partial batch, callbacks and a metric of one's own, a resumed run


class OwnError(nn.Metric):
    def __init__(self):
        super().__init__()
        self.clear()

    def clear(self):
        self.wrong, self.count = 0, 0

    def update(self, *inputs):
        predicted, label = self._convert_data(inputs[0]), self._convert_data(inputs[1])
        self.wrong += int((predicted.argmax(1) != label).sum())
        self.count += label.shape[0]

    def eval(self):
        return self.wrong / self.count


class Steps(Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def step_end(self, run_context):
        params = run_context.original_args()
        self.seen.append((params.cur_epoch_num, params.cur_step_num, params.batch_num))

    def epoch_end(self, run_context):
        self.seen.append(run_context.original_args().cur_epoch_num)


class Samples:
    def __init__(self):
        self.x = (np.abs(data(33, 4, 4, 1)) * 60).astype(np.uint8)
        self.y = (self.x.mean((1, 2, 3)) > 47).astype(np.int64)

    def __getitem__(self, index):
        return self.x[index], self.y[index]

    def __len__(self):
        return len(self.x)


def batches():
    samples = ds.GeneratorDataset(Samples(), ["image", "label"], shuffle=False)
    samples = samples.map([vision.Rescale(1 / 255.0, 0.0), vision.HWC2CHW()], "image")
    return samples.map(transforms.TypeCast(mstype.int32), "label").batch(8)


def train_model(folder):
    samples = batches()
    net, steps = fill(nn.SequentialCell([nn.Flatten(), nn.Dense(16, 8), nn.Tanh(), nn.Dense(8, 2)])), Steps()
    optimizer = nn.Momentum(net.trainable_params(), nn.piecewise_constant_lr([5, 20], [0.1, 0.01]), 0.9)
    loss_fn = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    metrics = {"acc": nn.Accuracy(), "loss": nn.Loss(), "wrong": OwnError()}
    model = Model(net, loss_fn, optimizer, metrics=metrics, loss_scale_manager=None)
    saves = ModelCheckpoint("net", str(folder), CheckpointConfig(save_checkpoint_steps=5, keep_checkpoint_max=2))
    model.train(2, samples, callbacks=[LossMonitor(2), steps, saves], dataset_sink_mode=False)
    print(steps.seen)
    print({key: float(value) for key, value in model.eval(samples).items()})
    again = fill(nn.SequentialCell([nn.Flatten(), nn.Dense(16, 8), nn.Tanh(), nn.Dense(8, 2)]))
    print(load_param_into_net(again, load_checkpoint(str(folder / "net-2_5.ckpt")))[0])
    scaled = nn.SGD(again.trainable_params(), 0.1, loss_scale=64.0)
    manager = ms.FixedLossScaleManager(64.0, drop_overflow_update=False)
    Model(again, loss_fn, scaled, loss_scale_manager=manager).train(1, batches(), callbacks=LossMonitor())
    print(again, total(again.trainable_params()))


# What MindSpore 2.10 returns

EXPECTED: dict[str, list[float]] = {
    "model_zoo": [
        -2.7780923, 0.096135044, 2.2572176, 1.2599, 0.36261467, 0.41693007, -0.11604666, -0.23268992,
        -0.1509837, 1.2067503, 8.9677315, 9.2708683, 9.114974, 11.436846, -4.1163937,
    ],
    "residual_blocks": [
        1.7195375, 1.75445, 5.381376, -0.55396425,
    ],
    "unet": [
        0.51969552, 0.49728578, 0.49878323, -0.39107024,
    ],
    "text_classifier": [
        0.66039419, 0.062665746, -0.12844319, 0.65202349, 0.082513289, -0.12894379, 0.71894741, 0.33517867,
        -0.30217717, 0.67791587, 0.16040263, -0.26794756,
    ],
    "transformer": [
        2.5233769, 2.2839098, 2.0420713, 4.3010831, 20.0,
    ],
    "gan": [
        0.64987993, 0.76424265, -1.8497433, 0.64069593, 0.76547658, -1.940699, 0.63451266, 0.80180538,
        -1.7684176, 0.88814437, 0.023242018, -2.1046866,
    ],
    "own_optimizer": [
        1.910216, 1.8581817, 1.7658303, 1.6449375, 1.4548254, 1.289359, 1.1401129, 1.0756756,
        1.0125926, 0.95015609, 0.89863223, 0.72188473, 0.47075075, 0.40081686, 0.37449339, 0.35858697,
        0.35488445, 0.35246104, 0.51366967, 0.77932501, 0.1178712, 0.09841641, 1.8864188, 2.3692751,
    ],
    "loss_scaling": [
        1.0261264, 1024.0, 0.95728582, 2048.0, 0.79595602, 2048.0, 1024.0, 0.7652092,
        1024.0, 0.90991817,
    ],
    "detection": [
        -28.885674, -4.2726956, 0.58995912, -59.052671, -0.05897401, -0.32877764, -0.27339271, -0.9664607,
    ],
    "autoencoder_and_policy": [
        24.044325, 1.3994181, 23.55331, 1.372134, 23.071035, 1.3489538, -0.18386878, -0.25658506,
        -0.32823646, -0.15613598, 4.0,
    ],
}  # fmt: skip

PRINTED = """
epoch: 1 step: 2, loss is 0.7034352421760559
epoch: 1 step: 4, loss is 0.6964237093925476
epoch: 2 step: 1, loss is 0.7118078470230103
epoch: 2 step: 3, loss is 0.651405394077301
epoch: 2 step: 5, loss is 0.6124668717384338
[(1, 1, 5), (1, 2, 5), (1, 3, 5), (1, 4, 5), (1, 5, 5), 1, (2, 6, 5), (2, 7, 5), (2, 8, 5), (2, 9, 5), (2, 10, 5), 2]
{'acc': 0.45454545454545453, 'loss': 0.6637010097503662, 'wrong': 0.5454545454545454}
[]
epoch: 1 step: 1, loss is 0.7148852348327637
epoch: 1 step: 2, loss is 0.6717485189437866
epoch: 1 step: 3, loss is 0.6480804681777954
epoch: 1 step: 4, loss is 0.6896414756774902
epoch: 1 step: 5, loss is 0.6265093088150024
SequentialCell(
  (0): Flatten()
  (1): Dense(input_channels=16, output_channels=8, has_bias=True)
  (2): Tanh()
  (3): Dense(input_channels=8, output_channels=2, has_bias=True)
) -3.9560765155716924
"""


both_modes = pytest.mark.parametrize("mode", [ms.PYNATIVE_MODE, ms.GRAPH_MODE], ids=["eager", "graph"])


@both_modes
@pytest.mark.parametrize("run", PROGRAMS, ids=lambda run: run.__name__)
def test_program_returns_the_numbers_of_mindspore(run, mode):
    ms.set_context(mode=mode)
    np.testing.assert_allclose(run(), EXPECTED[run.__name__], rtol=2e-5, atol=2e-5)


NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


@both_modes
def test_model_prints_what_mindspore_prints(mode, tmp_path, capsys):
    ms.set_context(mode=mode)
    train_model(tmp_path)
    printed = capsys.readouterr().out.strip()
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", PRINTED.strip())
    numbers, expected = ([float(n) for n in NUMBER.findall(text)] for text in (printed, PRINTED))
    np.testing.assert_allclose(numbers, expected, rtol=2e-5, atol=2e-5)


# Rarer primitives and functions, against NumPy

A, B, CUBE = data(2, 3), data(2, 3, seed=2), data(1, 8, 2, 3)
BLOCKS = CUBE.reshape(1, 2, 2, 2, 2, 3).transpose(0, 3, 4, 1, 5, 2).reshape(1, 2, 4, 6)


def slot() -> Parameter:
    return Parameter(Tensor([1.0, 2.0, 3.0]), name="slot")


FUNCTIONS = {
    "Inv": (lambda: P.Inv()(Tensor(A)), 1 / A),
    "Invert": (lambda: P.Invert()(Tensor([2, 4], ms.int32)), [-3, -5]),
    "Lerp": (lambda: P.Lerp()(Tensor(A), Tensor(B), Tensor(0.25)), A + 0.25 * (B - A)),
    "Range": (lambda: P.Range()(0, 5, 2), [0, 2, 4]),
    "Roll": (lambda: P.Roll(1, 1)(Tensor(A)), np.roll(A, 1, 1)),
    "Tril": (lambda: P.Tril(1)(Tensor(A)), np.tril(A, 1)),
    "Triu": (lambda: P.Triu()(Tensor(A)), np.triu(A)),
    "TruncateDiv": (lambda: P.TruncateDiv()(Tensor([-7], ms.int32), Tensor([2], ms.int32)), [-3]),
    "CountNonZero": (lambda: P.CountNonZero()(Tensor([[0, 1], [2, 0]])), 2),
    "DepthToSpace": (lambda: P.DepthToSpace(2)(Tensor(CUBE)), BLOCKS),
    "SpaceToDepth": (lambda: P.SpaceToDepth(2)(Tensor(BLOCKS)), CUBE),
    "HShrink": (lambda: P.HShrink(0.7)(Tensor(A)), np.where(np.abs(A) > 0.7, A, 0)),
    "LayerNorm": (
        lambda: P.LayerNorm(-1, -1, 0.0)(Tensor(A), ops.ones(3), ops.zeros(3))[0],
        (A - A.mean(1, keepdims=True)) / A.std(1, keepdims=True),
    ),
    "LpNorm": (lambda: P.LpNorm([1], 2, True)(Tensor(A)), np.sqrt((A**2).sum(1, keepdims=True))),
    "LpNorm of a matrix": (lambda: P.LpNorm([0, 1], 2)(Tensor(A)), np.sqrt((A**2).sum())),
    "Cdist": (lambda: P.Cdist(1.0)(Tensor(A), Tensor(B)), np.abs(A[:, None] - B[None]).sum(-1)),
    "ScatterAdd": (lambda: P.ScatterAdd()(slot(), Tensor([0, 2]), Tensor([4.0, 5.0])), [5, 2, 8]),
    "ScatterUpdate": (lambda: P.ScatterUpdate()(slot(), Tensor([0, 2]), Tensor([4.0, 5.0])), [4, 2, 5]),
    "ScatterNdAdd": (lambda: P.ScatterNdAdd()(slot(), Tensor([[0], [2]]), Tensor([4.0, 5.0])), [5, 2, 8]),
    "SplitV": (lambda: P.SplitV([1, 2], 1, 2)(Tensor(A))[1], A[:, 1:]),
    "SquaredDifference": (lambda: P.SquaredDifference()(Tensor(A), Tensor(B)), (A - B) ** 2),
    "Trace": (lambda: P.Trace()(Tensor(A)), np.trace(A)),
    "column_stack": (lambda: ops.column_stack((Tensor(A[0]), Tensor(A.T))), np.column_stack((A[0], A.T))),
    "cross": (lambda: ops.cross(Tensor(A), Tensor(B)), np.cross(A, B)),
    "deepcopy": (lambda: ops.deepcopy(Tensor(A)), A),
    "diff": (lambda: ops.diff(Tensor(A), 2, append=Tensor(B)), np.diff(A, 2, append=B)),
    "dsplit": (lambda: ops.dsplit(Tensor(BLOCKS[0]), 3)[1], np.dsplit(BLOCKS[0], 3)[1]),
    "dstack": (lambda: ops.dstack((Tensor(A), Tensor(B))), np.dstack((A, B))),
    "fliplr": (lambda: ops.fliplr(Tensor(A)), np.fliplr(A)),
    "flipud": (lambda: ops.flipud(Tensor(A)), np.flipud(A)),
    "hsplit": (lambda: ops.hsplit(Tensor(A), [1])[1], np.hsplit(A, [1])[1]),
    "hstack": (lambda: ops.hstack((Tensor(A[0]), Tensor(B[0]))), np.hstack((A[0], B[0]))),
    "kron": (lambda: ops.kron(Tensor(A), Tensor(B[0])), np.kron(A, B[0])),
    "max": (lambda: ops.max(Tensor(A))[0], A.max()),
    "movedim": (lambda: ops.movedim(Tensor(CUBE), 1, 3), np.moveaxis(CUBE, 1, 3)),
    "nansum": (lambda: ops.nansum(Tensor(np.where(A > 0, A, np.nan)), 1), np.where(A > 0, A, 0).sum(1)),
    "rot90": (lambda: ops.rot90(Tensor(A), 1, (0, 1)), np.rot90(A)),
    "rot90 thrice": (lambda: ops.rot90(Tensor(A), 3, (0, 1)), np.rot90(A, 3)),
    "sequence_mask": (lambda: ops.sequence_mask(Tensor([1, 3]), 3), [[True, False, False], [True, True, True]]),
    "vsplit": (lambda: ops.vsplit(Tensor(A), 2)[1], A[1:]),
    "vstack": (lambda: ops.vstack((Tensor(A[0]), Tensor(B))), np.vstack((A[0], B))),
    "Tensor.argmax": (lambda: Tensor(A).argmax(axis=1, keepdims=True), A.argmax(1, keepdims=True)),
    "Tensor.argmin": (lambda: Tensor(A).argmin(dim=0), A.argmin(0)),
}  # fmt: skip


@both_modes
@pytest.mark.parametrize("name", FUNCTIONS)
def test_rarer_functions(name, mode):
    function, expected = FUNCTIONS[name]
    ms.set_context(mode=mode)
    result = function().asnumpy()
    assert result.shape == np.shape(expected)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


# What a newcomer does wrong, and what is no mistake


class Forgetful(nn.Cell):
    def __init__(self):
        self.fc = nn.Dense(2, 2)


class Plain(nn.Cell):
    def construct(self, x, n=2, flag=True):
        return x * n if flag else x - n


class Branching(nn.Cell):
    def construct(self, x):
        if x.sum() > 0:
            return x
        return -x


MISTAKES = [
    (AttributeError, "super", lambda: Forgetful()),
    (ValueError, "out_channels", lambda: nn.Dense(3, -1)),
    (ValueError, "pad_mode", lambda: nn.Conv2d(1, 2, 3, pad_mode="xx")),
    (ValueError, "3", lambda: nn.Dense(3, 4)(Tensor(data(2, 5)))),
    (ValueError, "channels", lambda: nn.Conv2d(3, 4, 3)(Tensor(data(1, 2, 5, 5)))),
    (ValueError, "reduction", lambda: AbsoluteLoss("avg")),
    (ValueError, "parameters", lambda: nn.SGD(Plain().trainable_params(), 0.1)),
    (TypeError, "cell", lambda: nn.SequentialCell(nn.Dense(2, 2), 3)),
    (IndexError, "out of range", lambda: nn.Embedding(3, 2)(Tensor([5])).asnumpy()),
    (ValueError, "drop_remainder", lambda: nn.BatchNorm1d(2).set_train()(Tensor(data(1, 2)))),
    (AttributeError, "float32", lambda: mstype.uint64),
    (ValueError, "one process", lambda: context.set_auto_parallel_context(parallel_mode="data_parallel")),
    (ValueError, "device_id", lambda: context.set_context(device_id=3)),
    (AttributeError, "Foo", lambda: P.Foo),
]  # fmt: skip


@both_modes
@pytest.mark.parametrize("kind, said, mistake", MISTAKES, ids=[f"{k.__name__}-{said}" for k, said, _ in MISTAKES])
def test_mistakes_are_explained(kind, said, mistake, mode):
    ms.set_context(mode=mode)
    with pytest.raises(kind, match=f"(?i){said}"):
        mistake()


def test_branches_on_values_run_eagerly_and_are_explained_in_a_graph():
    assert Branching()(Tensor([-1.0])).asnumpy() == [1.0]
    ms.set_context(mode=ms.GRAPH_MODE)
    with pytest.warns(UserWarning, match=r"runs op by op.*ops\.where"):
        assert Branching()(Tensor([-1.0])).asnumpy() == [1.0]
    ms.set_context(jit_syntax_level=ms.STRICT)
    with pytest.raises(ms.trace.TracedValueError, match=r"ops\.where"):
        Branching()(Tensor([-1.0]))


@both_modes
def test_odd_batches_copies_pickles_and_nets_without_parameters(mode):
    ms.set_context(mode=mode)
    net = fill(nn.SequentialCell(nn.Dense(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dense(4, 2)))
    net.set_train(False)
    whole = net(Tensor(data(33, 3))).asnumpy()
    for n in (1, 3, 7, 17):
        np.testing.assert_array_equal(net(Tensor(data(33, 3)[:n])).asnumpy(), whole[:n])
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        np.testing.assert_array_equal(other(Tensor(data(33, 3))).asnumpy(), whole)
        other[0].weight.set_data(ops.zeros_like(other[0].weight))
        np.testing.assert_array_equal(net(Tensor(data(33, 3))).asnumpy(), whole)
    assert isinstance(pickle.loads(pickle.dumps(P.Concat(1))), P.Concat)
    plain = Plain()
    assert plain.trainable_params() == [] and plain(Tensor([1.0]), 3).asnumpy() == [3.0]
    assert plain(Tensor([1.0]), flag=False).asnumpy() == [-1.0]


def test_names_are_where_older_programs_look_for_them():
    from graphc.common.parameter import Parameter as ThatParameter
    from graphc.common.parameter import ParameterTuple as ThatTuple
    from graphc.common.sparse_tensor import RowTensorInner
    from graphc.mint.functional import softmax
    from graphc.nn.loss import L1LossExt
    from graphc.nn.loss.loss import _Loss
    from graphc.nn.optim import FTRL, LARS, AdaFactor, ProximalAdagrad
    from graphc.nn.wrap import TimeDistributed
    from graphc.ops._primitive_cache import _get_cache_prim
    from graphc.ops.function.array_func import split_ext
    from graphc.ops.function.nn_func import conv_transpose2d, linear, pad_ext
    from graphc.train.callback._callback import _handle_loss
    from graphc.version import __version__

    assert ThatParameter is Parameter and ThatTuple is ParameterTuple and _Loss is LossBase
    assert isinstance(mstype.float32, ms.Type) and isinstance(mstype.int8, mstype.Type) and __version__
    assert (FTRL, LARS, AdaFactor, ProximalAdagrad) == (nn.FTRL, nn.LARS, nn.AdaFactor, nn.ProximalAdagrad)
    assert TimeDistributed is nn.TimeDistributed and L1LossExt is nn.L1LossExt
    assert softmax is ms.mint.functional.softmax and ms.ms_class is ms.jit_class
    assert split_ext is ms.mint.split and pad_ext is ms.mint.functional.pad and linear is ms.mint.functional.linear
    assert conv_transpose2d is ms.mint.functional.conv_transpose2d and nn.LayerNormExt is ms.mint.nn.LayerNorm
    assert P.nn_ops.Conv2D is P.Conv2D and P.array_ops.Concat is P.Concat
    assert ms.dataset.vision.transforms.Resize is ms.dataset.vision.Resize
    assert ms.dataset.engine.datasets.GeneratorDataset is ms.dataset.GeneratorDataset
    assert ms.mint.nn.layer.conv.Conv2d is ms.mint.nn.Conv2d and ms.numpy.math_ops.add is ms.numpy.add
    assert nn.Linear is ms.mint.nn.Linear and not hasattr(ops, "no_such_ext")
    assert RowTensorInner is ms.RowTensor and _handle_loss((Tensor([1.0, 2.0]), 3)) == 1.5
    assert _get_cache_prim(P.ReduceSum)(keep_dims=True)(Tensor([1.0, 2.0])).tolist() == [3.0]


def test_a_number_may_be_assigned_to_a_parameter():
    count, seen = Parameter(Tensor(3, ms.int32)), Parameter(Tensor(False))
    assert ms.jit(lambda: F.assign(count, 7))().item() == count.item() == 7 and count.dtype == ms.int32
    F.assign(seen, True)
    assert seen.item() is True
    with pytest.raises(ValueError, match=r"assign: shapes differ, w is f32\[2\]"):
        F.assign(Parameter([1.0, 2.0], "w"), 0)


def test_every_older_module_name_is_importable():
    for name, homes in aliases.HOMES.items():
        module = importlib.import_module(f"graphc.{name}")
        home = importlib.import_module(f"graphc.{homes[-1]}".rstrip("."))
        shown = [n for n in dir(home) if not n.startswith("_")]
        assert all(hasattr(module, n) for n in shown), name
        with pytest.raises(AttributeError, match="nothing_of_that_name"):
            module.nothing_of_that_name  # noqa: B018
