"""The networks of `workloads.networks()` for graphc and MindSpore, as their users write them."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np

ms = importlib.import_module(os.environ["BENCHMARK_FRAMEWORK"])
nn, ops = ms.nn, ms.ops

ACTIVATIONS: dict[str, Callable[[], Any]] = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "hardswish": nn.HSwish, "silu": nn.SiLU, "elu": nn.ELU,
    "leaky": lambda: nn.LeakyReLU(0.01),
}  # fmt: skip


def conv(channels: int, features: int, kernel: int = 3, stride: int = 1, group: int = 1, bias: bool = False) -> Any:
    return nn.Conv2d(
        channels, features, kernel, stride, pad_mode="pad", padding=kernel // 2, group=group, has_bias=bias
    )


def conv_norm(
    channels: int, features: int, kernel: int = 3, stride: int = 1, group: int = 1, act: str | None = "relu"
) -> list[Any]:
    layers = [conv(channels, features, kernel, stride, group), nn.BatchNorm2d(features)]
    return layers + ([ACTIVATIONS[act]()] if act else [])


class Residual(nn.Cell):
    def __init__(self, channels: int, features: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(channels, features, 3, stride), nn.BatchNorm2d(features)
        self.conv2, self.bn2 = conv(features, features), nn.BatchNorm2d(features)
        self.relu = nn.ReLU()
        self.projects = stride != 1 or channels != features
        if self.projects:
            self.shortcut = nn.SequentialCell(conv(channels, features, 1, stride), nn.BatchNorm2d(features))

    def construct(self, x: Any) -> Any:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (self.shortcut(x) if self.projects else x))


class ResNet18(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        blocks, channels = [], 64
        for features, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Residual(channels, features, stride), Residual(features, features, 1)]
            channels = features
        self.stem = nn.SequentialCell(*conv_norm(3, 64))
        self.blocks = nn.SequentialCell(*blocks)
        self.head = nn.Dense(512, 10)

    def construct(self, x: Any) -> Any:
        return self.head(ops.mean(self.blocks(self.stem(x)), (2, 3)))


class Encoder(nn.Cell):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, width // 32, 4 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers)
        self.head = nn.Dense(width, 10)

    def construct(self, x: Any) -> Any:
        return self.head(ops.mean(self.encoder(x), 1))


class Recurrent(nn.Cell):
    def __init__(self, kind: str, inputs: int, hidden: int, layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__()
        layer = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[kind]
        self.layers = layer(inputs, hidden, num_layers=layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Dense(hidden * (1 + bidirectional), 10)

    def construct(self, x: Any) -> Any:
        y, _ = self.layers(x)
        return self.head(y[:, -1])


def autoencoder() -> Any:
    layers: list[Any] = []
    for inputs, outputs in ((784, 256), (256, 64), (64, 256)):
        layers += [nn.Dense(inputs, outputs), nn.ReLU()]
    return nn.SequentialCell(*layers, nn.Dense(256, 784))


class SqueezeExcite(nn.Cell):
    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Dense(channels, reduced), nn.Dense(reduced, channels)
        self.relu, self.gate = nn.ReLU(), nn.Sigmoid()

    def construct(self, x: Any) -> Any:
        scale = self.gate(self.expand(self.relu(self.reduce(x.mean((2, 3))))))
        return x * scale.reshape(scale.shape[0], -1, 1, 1)


class Inverted(nn.Cell):
    """An inverted residual block of MobileNet v2 (relu6) or v3 (hardswish, squeeze and excitation)."""

    def __init__(self, channels: int, features: int, stride: int, act: str) -> None:
        super().__init__()
        wide = 4 * channels
        excite = [SqueezeExcite(wide, wide // 4)] if act == "hardswish" else []
        self.layers = nn.SequentialCell(
            *conv_norm(channels, wide, 1, act=act), *conv_norm(wide, wide, 3, stride, wide, act), *excite,
            *conv_norm(wide, features, 1, act=None),
        )  # fmt: skip
        self.adds = stride == 1 and channels == features

    def construct(self, x: Any) -> Any:
        y = self.layers(x)
        return x + y if self.adds else y


class MobileNet(nn.Cell):
    def __init__(self, act: str) -> None:
        super().__init__()
        blocks, channels = [], 16
        for features, stride in ((16, 1), (24, 2), (24, 1), (40, 2), (40, 1)):
            blocks.append(Inverted(channels, features, stride, act))
            channels = features
        self.features = nn.SequentialCell(
            *conv_norm(3, 16, 3, 2, act=act), *blocks, *conv_norm(channels, 160, 1, act=act)
        )
        self.pool, self.flatten, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dense(160, 10)

    def construct(self, x: Any) -> Any:
        return self.head(self.flatten(self.pool(self.features(x))))


def vgg(width: int, dropout: float = 0.5) -> Any:
    layers, channels = [], 3
    for features in (width, 2 * width, 4 * width):
        layers += [*conv_norm(channels, features), *conv_norm(features, features), nn.MaxPool2d(2, 2)]
        channels = features
    return nn.SequentialCell(
        *layers, nn.Flatten(), nn.Dense(16 * channels, 256), nn.ReLU(), nn.Dropout(p=dropout), nn.Dense(256, 10)
    )


class UNet(nn.Cell):
    def __init__(self, width: int, up: str) -> None:
        super().__init__()

        def double(channels: int, features: int) -> Any:
            return nn.SequentialCell(*conv_norm(channels, features), *conv_norm(features, features))

        def upsample(channels: int, features: int) -> Any:
            if up == "transposed":
                return nn.Conv2dTranspose(channels, features, 2, 2, has_bias=True)
            kind = {"align_corners": False} if up == "bilinear" else {}
            return nn.SequentialCell(
                nn.Upsample(scale_factor=2.0, mode=up, recompute_scale_factor=True, **kind), conv(channels, features, 1)
            )

        self.down1, self.down2, self.bottom = double(3, width), double(width, 2 * width), double(2 * width, 4 * width)
        self.pool = nn.MaxPool2d(2, 2)
        self.up2, self.dec2 = upsample(4 * width, 2 * width), double(4 * width, 2 * width)
        self.up1, self.dec1 = upsample(2 * width, width), double(2 * width, width)
        self.head = conv(width, 10, 1, bias=True)

    def construct(self, x: Any) -> Any:
        a = self.down1(x)
        b = self.down2(self.pool(a))
        y = self.bottom(self.pool(b))
        y = self.dec2(ops.cat((self.up2(y), b), 1))
        y = self.dec1(ops.cat((self.up1(y), a), 1))
        return self.head(y)


class DenseLayer(nn.Cell):
    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm, self.relu, self.conv = nn.BatchNorm2d(channels), nn.ReLU(), conv(channels, growth)

    def construct(self, x: Any) -> Any:
        return ops.cat((x, self.conv(self.relu(self.norm(x)))), 1)


class DenseNet(nn.Cell):
    def __init__(self, growth: int, depth: int) -> None:
        super().__init__()
        layers, channels = [conv(3, 2 * growth)], 2 * growth
        for block in range(3):
            for _ in range(depth):
                layers.append(DenseLayer(channels, growth))
                channels += growth
            layers += [nn.BatchNorm2d(channels), nn.ReLU()]
            if block < 2:
                layers += [conv(channels, channels // 2, 1), nn.AvgPool2d(2, 2)]
                channels //= 2
        self.features, self.head = nn.SequentialCell(*layers), nn.Dense(channels, 10)

    def construct(self, x: Any) -> Any:
        return self.head(ops.mean(self.features(x), (2, 3)))


class VAE(nn.Cell):
    """A variational autoencoder; its noise is a part of the image, so that all frameworks have the same."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = nn.SequentialCell(
            conv(1, 32, 3, 2, bias=True), nn.ReLU(), conv(32, 64, 3, 2, bias=True), nn.ReLU(), nn.Flatten(),
            nn.Dense(64 * 49, 2 * latent),
        )  # fmt: skip
        self.first = nn.Dense(latent, 64 * 49)
        self.decoder = nn.SequentialCell(
            nn.Conv2dTranspose(64, 32, 4, 2, "pad", 1, has_bias=True), nn.ReLU(),
            nn.Conv2dTranspose(32, 1, 4, 2, "pad", 1, has_bias=True), nn.Sigmoid(),
        )  # fmt: skip

    def construct(self, x: Any) -> Any:
        h = self.encoder(x)
        mean, log_variance = h[:, : self.latent], h[:, self.latent :]
        noise = x.reshape(x.shape[0], -1)[:, : self.latent]
        z = mean + ops.exp(0.5 * log_variance) * noise
        image = self.decoder(ops.relu(self.first(z)).reshape(-1, 64, 7, 7))
        return image, mean, log_variance


class Generator(nn.Cell):
    def __init__(self, width: int) -> None:
        super().__init__()

        def stage(channels: int, features: int) -> list[Any]:
            return [nn.Conv2dTranspose(channels, features, 4, 2, "pad", 1), nn.BatchNorm2d(features), nn.ReLU()]

        self.width, self.first = width, nn.Dense(64, 4 * width * 16)
        self.layers = nn.SequentialCell(
            nn.BatchNorm2d(4 * width), nn.ReLU(), *stage(4 * width, 2 * width), *stage(2 * width, width),
            nn.Conv2dTranspose(width, 3, 4, 2, "pad", 1, has_bias=True), nn.Tanh(),
        )  # fmt: skip

    def construct(self, x: Any) -> Any:
        return self.layers(self.first(x).reshape(-1, 4 * self.width, 4, 4))


class TextCNN(nn.Cell):
    def __init__(self, vocabulary: int, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.convs = nn.CellList(
            [nn.Conv1d(width, 64, size, pad_mode="valid", has_bias=True) for size in (3, 4, 5)]
        )
        self.dropout, self.head = nn.Dropout(p=dropout), nn.Dense(192, 10)

    def construct(self, x: Any) -> Any:
        x = self.embedding(x).swapaxes(1, 2)
        pooled = [ops.amax(ops.relu(layer(x)), 2) for layer in self.convs]
        return self.head(self.dropout(ops.cat(pooled, 1)))


class Attention(nn.Cell):
    """Several heads of self-attention, causal if there is a mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Dense(width, 3 * width), nn.Dense(width, width)

    def construct(self, x: Any, mask: Any = None) -> Any:
        batch, length, width = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).transpose(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        scores = ops.matmul(q, k.swapaxes(-1, -2)) / math.sqrt(width // self.heads)
        if mask is not None:
            scores = scores.masked_fill(mask, -1e9)
        y = ops.matmul(ops.softmax(scores, -1), v)
        return self.out(y.transpose(0, 2, 1, 3).reshape(batch, length, width))


class Block(nn.Cell):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm((width,), epsilon=1e-5), nn.LayerNorm((width,), epsilon=1e-5)
        self.attention = Attention(width, heads)
        self.mlp = nn.SequentialCell(nn.Dense(width, 4 * width), nn.GELU(), nn.Dense(4 * width, width))

    def construct(self, x: Any, mask: Any = None) -> Any:
        x = x + self.attention(self.norm1(x), mask)
        return x + self.mlp(self.norm2(x))


class GPT(nn.Cell):
    def __init__(self, vocabulary: int, length: int, width: int, layers: int, tied: bool) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.CellList([Block(width, width // 32) for _ in range(layers)])
        self.norm = nn.LayerNorm((width,), epsilon=1e-5)
        self.head = None if tied else nn.Dense(width, vocabulary, has_bias=False)
        self.mask = ms.Tensor(np.triu(np.ones((length, length), bool), 1))

    def construct(self, x: Any) -> Any:
        y = self.tokens(x) + self.positions(ops.arange(x.shape[1]))
        for block in self.blocks:
            y = block(y, self.mask)
        y = self.norm(y)
        return self.head(y) if self.head is not None else ops.matmul(y, self.tokens.embedding_table.T)


class ViT(nn.Cell):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4, pad_mode="valid", has_bias=True)
        self.token = ms.Parameter(ms.Tensor(np.zeros((1, 1, width), np.float32)))
        self.position = ms.Parameter(ms.Tensor(np.zeros((1, 65, width), np.float32)))
        self.blocks = nn.SequentialCell(*[Block(width, width // 32) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm((width,), epsilon=1e-5), nn.Dense(width, 10)

    def construct(self, x: Any) -> Any:
        y = self.patches(x).flatten(start_dim=2).swapaxes(1, 2)
        token = ops.broadcast_to(self.token, (y.shape[0], 1, y.shape[2]))
        y = self.blocks(ops.cat((token, y), 1) + self.position)
        return self.head(self.norm(y)[:, 0])


class MixerBlock(nn.Cell):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm((width,), epsilon=1e-5), nn.LayerNorm((width,), epsilon=1e-5)
        self.tokens = nn.SequentialCell(nn.Dense(tokens, 2 * tokens), nn.GELU(), nn.Dense(2 * tokens, tokens))
        self.channels = nn.SequentialCell(nn.Dense(width, 4 * width), nn.GELU(), nn.Dense(4 * width, width))

    def construct(self, x: Any) -> Any:
        x = x + self.tokens(self.norm1(x).swapaxes(1, 2)).swapaxes(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Cell):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4, pad_mode="valid", has_bias=True)
        self.blocks = nn.SequentialCell(*[MixerBlock(64, width) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm((width,), epsilon=1e-5), nn.Dense(width, 10)

    def construct(self, x: Any) -> Any:
        y = self.patches(x).flatten(start_dim=2).swapaxes(1, 2)
        return self.head(self.norm(self.blocks(y)).mean(1))


def mlp_norm(act: str, width: int, dropout: float = 0.2) -> Any:
    layers: list[Any] = [nn.Flatten()]
    for inputs in (784, width):
        layers += [nn.Dense(inputs, width), nn.BatchNorm1d(width), ACTIVATIONS[act](), nn.Dropout(p=dropout)]
    return nn.SequentialCell(*layers, nn.Dense(width, 10))


def odd_cnn() -> Any:
    """Nothing in it is a multiple of a vector."""
    return nn.SequentialCell(
        conv(3, 13, 3, bias=True), nn.ReLU(), nn.MaxPool2d(2, 2), conv(13, 27, 5, bias=True), nn.ReLU(),
        nn.AvgPool2d(2, 2), conv(27, 51, 3, 2, bias=True), nn.ReLU(), nn.Flatten(), nn.Dense(51 * 16, 99), nn.ReLU(),
        nn.Dense(99, 10),
    )  # fmt: skip


class Recommender(nn.Cell):
    """Embeddings of categories, their products in pairs, and a perceptron on top."""

    def __init__(self, fields: int, rows: int, width: int) -> None:
        super().__init__()
        self.tables = nn.CellList([nn.Embedding(rows, width) for _ in range(fields)])
        self.top = nn.SequentialCell(nn.Dense(fields * (fields + width), 64), nn.ReLU(), nn.Dense(64, 10))

    def construct(self, x: Any) -> Any:
        found = ops.stack([table(x[:, i]) for i, table in enumerate(self.tables)], 1)
        pairs = ops.matmul(found, found.swapaxes(1, 2))
        return self.top(ops.cat((found.reshape(x.shape[0], -1), pairs.reshape(x.shape[0], -1)), 1))


class Bag(nn.Cell):
    """The mean of the embeddings of a sample's words, and a perceptron."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, width)
        self.layers = nn.SequentialCell(nn.Dense(width, 64), nn.ReLU(), nn.Dense(64, 10))

    def construct(self, x: Any) -> Any:
        return self.layers(self.table(x).mean(1))


class Siamese(nn.Cell):
    """One encoder for both views of a sample; its result is the matrix of the views' similarities."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.SequentialCell(nn.Dense(inputs, width), nn.ReLU(), nn.Dense(width, 64))

    def construct(self, x: Any) -> Any:
        a, b = self.encoder(x[:, 0]), self.encoder(x[:, 1])
        a, b = a / ops.norm(a, dim=1, keepdim=True), b / ops.norm(b, dim=1, keepdim=True)
        return ops.matmul(a, b.T) / 0.1


class Excited(nn.Cell):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.SequentialCell(*conv_norm(channels, channels), *conv_norm(channels, channels, act=None))
        self.excite = SqueezeExcite(channels, channels // 4)

    def construct(self, x: Any) -> Any:
        return ops.relu(x + self.excite(self.layers(x)))


class SENet(nn.Cell):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.SequentialCell(
            *conv_norm(3, width), Excited(width), *conv_norm(width, 2 * width, 3, 2), Excited(2 * width)
        )
        self.head = nn.Dense(2 * width, 10)

    def construct(self, x: Any) -> Any:
        return self.head(self.features(x).mean((2, 3)))


class Normed(nn.Cell):
    def __init__(self, norm: str, width: int) -> None:
        super().__init__()
        layers, channels = [], 3
        for features in (width, 2 * width, 4 * width):
            if norm == "group":
                scale = nn.GroupNorm(8, features)
            else:
                scale = nn.InstanceNorm2d(features)
            layers += [conv(channels, features, 3, 1 if channels == 3 else 2), scale, nn.ReLU()]
            channels = features
        self.features, self.head = nn.SequentialCell(*layers), nn.Dense(channels, 10)

    def construct(self, x: Any) -> Any:
        return self.head(self.features(x).mean((2, 3)))


class TemporalBlock(nn.Cell):
    """Two dilated causal convolutions and a shortcut (Bai et al. 2018)."""

    def __init__(self, channels: int, features: int, dilation: int) -> None:
        super().__init__()
        self.cut = 2 * dilation

        def causal(channels: int) -> Any:
            return nn.Conv1d(
                channels, features, 3, pad_mode="pad", padding=self.cut, dilation=dilation, has_bias=True
            )

        self.conv1, self.conv2, self.relu = causal(channels), causal(features), nn.ReLU()
        self.shortcut = nn.Conv1d(channels, features, 1, has_bias=True) if channels != features else None

    def construct(self, x: Any) -> Any:
        y = self.relu(self.conv1(x)[:, :, : -self.cut])
        y = self.relu(self.conv2(y)[:, :, : -self.cut])
        return self.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class TCN(nn.Cell):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        blocks = [TemporalBlock(width if i else channels, width, 2**i) for i in range(4)]
        self.blocks, self.head = nn.SequentialCell(*blocks), nn.Dense(width, 10)

    def construct(self, x: Any) -> Any:
        return self.head(self.blocks(x)[:, :, -1])


class Bottleneck(nn.Cell):
    """A block of ResNet-50: 1x1, 3x3 and 1x1 around a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        features = 4 * width
        self.layers = nn.SequentialCell(
            *conv_norm(channels, width, 1), *conv_norm(width, width, 3, stride),
            *conv_norm(width, features, 1, act=None),
        )  # fmt: skip
        self.projects = stride != 1 or channels != features
        if self.projects:
            self.shortcut = nn.SequentialCell(*conv_norm(channels, features, 1, stride, act=None))

    def construct(self, x: Any) -> Any:
        return ops.relu(self.layers(x) + (self.shortcut(x) if self.projects else x))


def bottleneck(depth: int) -> Any:
    blocks, channels = [], 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for number in range(depth):
            blocks.append(Bottleneck(channels, width, stride if number == 0 else 1))
            channels = 4 * width
    return nn.SequentialCell(
        *conv_norm(3, 64, 7, 2), nn.MaxPool2d(3, 2, "pad", 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Dense(channels, 10),
    )  # fmt: skip


class GatedExcite(nn.Cell):
    """Squeeze and excitation as EfficientNets have it: of 1x1 convolutions."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.layers = nn.SequentialCell(
            nn.AdaptiveAvgPool2d(1), conv(channels, reduced, 1, bias=True), nn.SiLU(),
            conv(reduced, channels, 1, bias=True), nn.Sigmoid(),
        )  # fmt: skip

    def construct(self, x: Any) -> Any:
        return x * self.layers(x)


class MBConv(nn.Cell):
    def __init__(self, channels: int, features: int, kernel: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = factor * channels
        self.layers = nn.SequentialCell(
            *(conv_norm(channels, wide, 1, act="silu") if factor > 1 else []),
            *conv_norm(wide, wide, kernel, stride, wide, "silu"), GatedExcite(wide, channels // 4),
            *conv_norm(wide, features, 1, act=None),
        )  # fmt: skip
        self.adds = stride == 1 and channels == features

    def construct(self, x: Any) -> Any:
        y = self.layers(x)
        return x + y if self.adds else y


def efficientnet() -> Any:
    blocks, channels = [], 32
    for features, kernel, stride, factor, depth in (
        (16, 3, 1, 1, 1), (24, 3, 2, 6, 2), (40, 5, 2, 6, 2), (80, 3, 2, 6, 2), (112, 5, 1, 6, 1),
    ):  # fmt: skip
        for number in range(depth):
            blocks.append(MBConv(channels, features, kernel, stride if number == 0 else 1, factor))
            channels = features
    return nn.SequentialCell(
        *conv_norm(3, 32, 3, 2, act="silu"), *blocks, *conv_norm(channels, 448, 1, act="silu"),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dense(448, 10),
    )  # fmt: skip


class ConvNeXtBlock(nn.Cell):
    """A wide depthwise convolution, then a perceptron over the channels, which are normalised and scaled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise, self.norm = conv(width, width, 7, 1, width, True), nn.LayerNorm((width,), epsilon=1e-6)
        self.layers = nn.SequentialCell(nn.Dense(width, 4 * width), nn.GELU(), nn.Dense(4 * width, width))
        self.scale = ms.Parameter(ms.Tensor(np.ones(width, np.float32)))

    def construct(self, x: Any) -> Any:
        y = self.norm(self.depthwise(x).transpose(0, 2, 3, 1))
        return x + (self.scale * self.layers(y)).transpose(0, 3, 1, 2)


class ChannelNorm(nn.Cell):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm((width,), epsilon=1e-6)

    def construct(self, x: Any) -> Any:
        return self.norm(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def convnext(width: int, depth: int) -> Any:
    layers: list[Any] = [nn.Conv2d(3, width, 4, 4, pad_mode="valid", has_bias=True), ChannelNorm(width)]
    for stage in range(3):
        if stage:
            layers += [ChannelNorm(width), nn.Conv2d(width, 2 * width, 2, 2, pad_mode="valid", has_bias=True)]
            width *= 2
        layers += [ConvNeXtBlock(width) for _ in range(depth)]
    return nn.SequentialCell(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm((width,), epsilon=1e-6), nn.Dense(width, 10)
    )


NETWORKS: dict[str, Callable[..., Any]] = {
    "resnet18": ResNet18, "transformer": Encoder, "recurrent": Recurrent, "autoencoder": autoencoder,
    "mobilenet": MobileNet, "vgg": vgg, "unet": UNet, "densenet": DenseNet, "vae": VAE, "generator": Generator,
    "textcnn": TextCNN, "gpt": GPT, "vit": ViT, "mixer": Mixer, "mlp_norm": mlp_norm, "odd_cnn": odd_cnn,
    "recommender": Recommender, "bag": Bag, "siamese": Siamese, "senet": SENet, "normed": Normed, "tcn": TCN,
    "bottleneck": bottleneck, "efficientnet": efficientnet, "convnext": convnext,
}  # fmt: skip
