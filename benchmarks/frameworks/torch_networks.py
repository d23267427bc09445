"""The networks of `workloads.networks()` for PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "relu6": nn.ReLU6, "hardswish": nn.Hardswish, "silu": nn.SiLU, "elu": nn.ELU,
    "leaky": lambda: nn.LeakyReLU(0.01),
}  # fmt: skip


def conv(
    channels: int, features: int, kernel: int = 3, stride: int = 1, group: int = 1, bias: bool = False
) -> nn.Module:
    return nn.Conv2d(channels, features, kernel, stride, kernel // 2, groups=group, bias=bias)


def conv_norm(
    channels: int, features: int, kernel: int = 3, stride: int = 1, group: int = 1, act: str | None = "relu"
) -> list[nn.Module]:
    layers = [conv(channels, features, kernel, stride, group), nn.BatchNorm2d(features)]
    return layers + ([ACTIVATIONS[act]()] if act else [])


class Residual(nn.Module):
    def __init__(self, channels: int, features: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(channels, features, 3, stride), nn.BatchNorm2d(features)
        self.conv2, self.bn2 = conv(features, features), nn.BatchNorm2d(features)
        self.relu = nn.ReLU()
        self.projects = stride != 1 or channels != features
        if self.projects:
            self.shortcut = nn.Sequential(conv(channels, features, 1, stride), nn.BatchNorm2d(features))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (self.shortcut(x) if self.projects else x))


class ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        blocks, channels = [], 64
        for features, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [Residual(channels, features, stride), Residual(features, features, 1)]
            channels = features
        self.stem = nn.Sequential(*conv_norm(3, 64))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(512, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.stem(x)).mean((2, 3)))


class Encoder(nn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(width, width // 32, 4 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers)
        self.head = nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(x).mean(1))


class Recurrent(nn.Module):
    def __init__(self, kind: str, inputs: int, hidden: int, layers: int = 1, bidirectional: bool = False) -> None:
        super().__init__()
        layer = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[kind]
        self.layers = layer(inputs, hidden, num_layers=layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(hidden * (1 + bidirectional), 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, _ = self.layers(x)
        return self.head(y[:, -1])


def autoencoder() -> nn.Module:
    layers: list[nn.Module] = []
    for inputs, outputs in ((784, 256), (256, 64), (64, 256)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(256, 784))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Linear(channels, reduced), nn.Linear(reduced, channels)
        self.relu, self.gate = nn.ReLU(), nn.Sigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = self.gate(self.expand(self.relu(self.reduce(x.mean((2, 3))))))
        return x * scale.reshape(scale.shape[0], -1, 1, 1)


class Inverted(nn.Module):
    """An inverted residual block of MobileNet v2 (relu6) or v3 (hardswish, squeeze and excitation)."""

    def __init__(self, channels: int, features: int, stride: int, act: str) -> None:
        super().__init__()
        wide = 4 * channels
        excite = [SqueezeExcite(wide, wide // 4)] if act == "hardswish" else []
        self.layers = nn.Sequential(
            *conv_norm(channels, wide, 1, act=act), *conv_norm(wide, wide, 3, stride, wide, act), *excite,
            *conv_norm(wide, features, 1, act=None),
        )  # fmt: skip
        self.adds = stride == 1 and channels == features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.adds else y


class MobileNet(nn.Module):
    def __init__(self, act: str) -> None:
        super().__init__()
        blocks, channels = [], 16
        for features, stride in ((16, 1), (24, 2), (24, 1), (40, 2), (40, 1)):
            blocks.append(Inverted(channels, features, stride, act))
            channels = features
        self.features = nn.Sequential(
            *conv_norm(3, 16, 3, 2, act=act), *blocks, *conv_norm(channels, 160, 1, act=act)
        )
        self.pool, self.flatten, self.head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(160, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.flatten(self.pool(self.features(x))))


def vgg(width: int, dropout: float = 0.5) -> nn.Module:
    layers, channels = [], 3
    for features in (width, 2 * width, 4 * width):
        layers += [*conv_norm(channels, features), *conv_norm(features, features), nn.MaxPool2d(2)]
        channels = features
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(16 * channels, 256), nn.ReLU(), nn.Dropout(dropout), nn.Linear(256, 10)
    )


class UNet(nn.Module):
    def __init__(self, width: int, up: str) -> None:
        super().__init__()

        def double(channels: int, features: int) -> nn.Module:
            return nn.Sequential(*conv_norm(channels, features), *conv_norm(features, features))

        def upsample(channels: int, features: int) -> nn.Module:
            if up == "transposed":
                return nn.ConvTranspose2d(channels, features, 2, 2)
            return nn.Sequential(nn.Upsample(scale_factor=2.0, mode=up), conv(channels, features, 1))

        self.down1, self.down2, self.bottom = double(3, width), double(width, 2 * width), double(2 * width, 4 * width)
        self.pool = nn.MaxPool2d(2)
        self.up2, self.dec2 = upsample(4 * width, 2 * width), double(4 * width, 2 * width)
        self.up1, self.dec1 = upsample(2 * width, width), double(2 * width, width)
        self.head = conv(width, 10, 1, bias=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.down1(x)
        b = self.down2(self.pool(a))
        y = self.bottom(self.pool(b))
        y = self.dec2(torch.cat((self.up2(y), b), 1))
        y = self.dec1(torch.cat((self.up1(y), a), 1))
        return self.head(y)


class DenseLayer(nn.Module):
    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm, self.relu, self.conv = nn.BatchNorm2d(channels), nn.ReLU(), conv(channels, growth)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((x, self.conv(self.relu(self.norm(x)))), 1)


class DenseNet(nn.Module):
    def __init__(self, growth: int, depth: int) -> None:
        super().__init__()
        layers, channels = [conv(3, 2 * growth)], 2 * growth
        for block in range(3):
            for _ in range(depth):
                layers.append(DenseLayer(channels, growth))
                channels += growth
            layers += [nn.BatchNorm2d(channels), nn.ReLU()]
            if block < 2:
                layers += [conv(channels, channels // 2, 1), nn.AvgPool2d(2)]
                channels //= 2
        self.features, self.head = nn.Sequential(*layers), nn.Linear(channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


class VAE(nn.Module):
    """A variational autoencoder; its noise is a part of the image, so that all frameworks have the same."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            conv(1, 32, 3, 2, bias=True), nn.ReLU(), conv(32, 64, 3, 2, bias=True), nn.ReLU(), nn.Flatten(),
            nn.Linear(64 * 49, 2 * latent),
        )  # fmt: skip
        self.first = nn.Linear(latent, 64 * 49)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        h = self.encoder(x)
        mean, log_variance = h[:, : self.latent], h[:, self.latent :]
        noise = x.reshape(x.shape[0], -1)[:, : self.latent]
        z = mean + torch.exp(0.5 * log_variance) * noise
        image = self.decoder(F.relu(self.first(z)).reshape(-1, 64, 7, 7))
        return image, mean, log_variance


class Generator(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()

        def stage(channels: int, features: int) -> list[nn.Module]:
            return [nn.ConvTranspose2d(channels, features, 4, 2, 1, bias=False), nn.BatchNorm2d(features), nn.ReLU()]

        self.width, self.first = width, nn.Linear(64, 4 * width * 16)
        self.layers = nn.Sequential(
            nn.BatchNorm2d(4 * width), nn.ReLU(), *stage(4 * width, 2 * width), *stage(2 * width, width),
            nn.ConvTranspose2d(width, 3, 4, 2, 1), nn.Tanh(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(self.first(x).reshape(-1, 4 * self.width, 4, 4))


class TextCNN(nn.Module):
    def __init__(self, vocabulary: int, width: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.convs = nn.ModuleList([nn.Conv1d(width, 64, size) for size in (3, 4, 5)])
        self.dropout, self.head = nn.Dropout(dropout), nn.Linear(192, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.embedding(x).transpose(1, 2)
        pooled = [torch.amax(F.relu(layer(x)), 2) for layer in self.convs]
        return self.head(self.dropout(torch.cat(pooled, 1)))


class Attention(nn.Module):
    """Several heads of self-attention, causal if there is a mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(width // self.heads)
        if mask is not None:
            scores = scores.masked_fill(mask, -1e9)
        y = torch.matmul(F.softmax(scores, -1), v)
        return self.out(y.permute(0, 2, 1, 3).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        x = x + self.attention(self.norm1(x), mask)
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, vocabulary: int, length: int, width: int, layers: int, tied: bool) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList([Block(width, width // 32) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = None if tied else nn.Linear(width, vocabulary, bias=False)
        self.register_buffer("mask", torch.ones(length, length, dtype=torch.bool).triu(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.tokens(x) + self.positions(torch.arange(x.shape[1]))
        for block in self.blocks:
            y = block(y, self.mask)
        y = self.norm(y)
        return self.head(y) if self.head is not None else torch.matmul(y, self.tokens.weight.T)


class ViT(nn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.zeros(1, 65, width))
        self.blocks = nn.Sequential(*[Block(width, width // 32) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.patches(x).flatten(2).transpose(1, 2)
        token = self.token.expand(y.shape[0], 1, y.shape[2])
        y = self.blocks(torch.cat((token, y), 1) + self.position)
        return self.head(self.norm(y)[:, 0])


class MixerBlock(nn.Module):
    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.tokens = nn.Sequential(nn.Linear(tokens, 2 * tokens), nn.GELU("tanh"), nn.Linear(2 * tokens, tokens))
        self.channels = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.blocks = nn.Sequential(*[MixerBlock(64, width) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.patches(x).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(y)).mean(1))


def mlp_norm(act: str, width: int, dropout: float = 0.2) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs in (784, width):
        layers += [nn.Linear(inputs, width), nn.BatchNorm1d(width), ACTIVATIONS[act](), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def odd_cnn() -> nn.Module:
    """Nothing in it is a multiple of a vector."""
    return nn.Sequential(
        conv(3, 13, 3, bias=True), nn.ReLU(), nn.MaxPool2d(2), conv(13, 27, 5, bias=True), nn.ReLU(),
        nn.AvgPool2d(2), conv(27, 51, 3, 2, bias=True), nn.ReLU(), nn.Flatten(), nn.Linear(51 * 16, 99), nn.ReLU(),
        nn.Linear(99, 10),
    )  # fmt: skip


class Recommender(nn.Module):
    """Embeddings of categories, their products in pairs, and a perceptron on top."""

    def __init__(self, fields: int, rows: int, width: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList([nn.Embedding(rows, width) for _ in range(fields)])
        self.top = nn.Sequential(nn.Linear(fields * (fields + width), 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found = torch.stack([table(x[:, i]) for i, table in enumerate(self.tables)], 1)
        pairs = torch.matmul(found, found.transpose(1, 2))
        return self.top(torch.cat((found.reshape(x.shape[0], -1), pairs.reshape(x.shape[0], -1)), 1))


class Bag(nn.Module):
    """The mean of the embeddings of a sample's words, and a perceptron."""

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, width)
        self.layers = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(self.table(x).mean(1))


class Siamese(nn.Module):
    """One encoder for both views of a sample; its result is the matrix of the views' similarities."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, 64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.encoder(x[:, 0]), self.encoder(x[:, 1])
        a, b = a / torch.norm(a, dim=1, keepdim=True), b / torch.norm(b, dim=1, keepdim=True)
        return torch.matmul(a, b.T) / 0.1


class Excited(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*conv_norm(channels, channels), *conv_norm(channels, channels, act=None))
        self.excite = SqueezeExcite(channels, channels // 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.excite(self.layers(x)))


class SENet(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *conv_norm(3, width), Excited(width), *conv_norm(width, 2 * width, 3, 2), Excited(2 * width)
        )
        self.head = nn.Linear(2 * width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


class Normed(nn.Module):
    def __init__(self, norm: str, width: int) -> None:
        super().__init__()
        layers, channels = [], 3
        for features in (width, 2 * width, 4 * width):
            if norm == "group":
                scale = nn.GroupNorm(8, features)
            else:
                scale = nn.InstanceNorm2d(features, affine=True)
            layers += [conv(channels, features, 3, 1 if channels == 3 else 2), scale, nn.ReLU()]
            channels = features
        self.features, self.head = nn.Sequential(*layers), nn.Linear(channels, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


class TemporalBlock(nn.Module):
    """Two dilated causal convolutions and a shortcut (Bai et al. 2018)."""

    def __init__(self, channels: int, features: int, dilation: int) -> None:
        super().__init__()
        self.cut = 2 * dilation

        def causal(channels: int) -> nn.Module:
            return nn.Conv1d(channels, features, 3, padding=self.cut, dilation=dilation)

        self.conv1, self.conv2, self.relu = causal(channels), causal(features), nn.ReLU()
        self.shortcut = nn.Conv1d(channels, features, 1) if channels != features else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.conv1(x)[:, :, : -self.cut])
        y = self.relu(self.conv2(y)[:, :, : -self.cut])
        return self.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class TCN(nn.Module):
    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        blocks = [TemporalBlock(width if i else channels, width, 2**i) for i in range(4)]
        self.blocks, self.head = nn.Sequential(*blocks), nn.Linear(width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(x)[:, :, -1])


class Bottleneck(nn.Module):
    """A block of ResNet-50: 1x1, 3x3 and 1x1 around a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        features = 4 * width
        self.layers = nn.Sequential(
            *conv_norm(channels, width, 1), *conv_norm(width, width, 3, stride),
            *conv_norm(width, features, 1, act=None),
        )  # fmt: skip
        self.projects = stride != 1 or channels != features
        if self.projects:
            self.shortcut = nn.Sequential(*conv_norm(channels, features, 1, stride, act=None))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.layers(x) + (self.shortcut(x) if self.projects else x))


def bottleneck(depth: int) -> nn.Module:
    blocks, channels = [], 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for number in range(depth):
            blocks.append(Bottleneck(channels, width, stride if number == 0 else 1))
            channels = 4 * width
    return nn.Sequential(
        *conv_norm(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(channels, 10),
    )  # fmt: skip


class GatedExcite(nn.Module):
    """Squeeze and excitation as EfficientNets have it: of 1x1 convolutions."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), conv(channels, reduced, 1, bias=True), nn.SiLU(),
            conv(reduced, channels, 1, bias=True), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.layers(x)


class MBConv(nn.Module):
    def __init__(self, channels: int, features: int, kernel: int, stride: int, factor: int) -> None:
        super().__init__()
        wide = factor * channels
        self.layers = nn.Sequential(
            *(conv_norm(channels, wide, 1, act="silu") if factor > 1 else []),
            *conv_norm(wide, wide, kernel, stride, wide, "silu"), GatedExcite(wide, channels // 4),
            *conv_norm(wide, features, 1, act=None),
        )  # fmt: skip
        self.adds = stride == 1 and channels == features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.layers(x)
        return x + y if self.adds else y


def efficientnet() -> nn.Module:
    blocks, channels = [], 32
    for features, kernel, stride, factor, depth in (
        (16, 3, 1, 1, 1), (24, 3, 2, 6, 2), (40, 5, 2, 6, 2), (80, 3, 2, 6, 2), (112, 5, 1, 6, 1),
    ):  # fmt: skip
        for number in range(depth):
            blocks.append(MBConv(channels, features, kernel, stride if number == 0 else 1, factor))
            channels = features
    return nn.Sequential(
        *conv_norm(3, 32, 3, 2, act="silu"), *blocks, *conv_norm(channels, 448, 1, act="silu"),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(448, 10),
    )  # fmt: skip


class ConvNeXtBlock(nn.Module):
    """A wide depthwise convolution, then a perceptron over the channels, which are normalised and scaled."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise, self.norm = conv(width, width, 7, 1, width, True), nn.LayerNorm(width, eps=1e-6)
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        return x + (self.scale * self.layers(y)).permute(0, 3, 1, 2)


class ChannelNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convnext(width: int, depth: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, 4), ChannelNorm(width)]
    for stage in range(3):
        if stage:
            layers += [ChannelNorm(width), nn.Conv2d(width, 2 * width, 2, 2)]
            width *= 2
        layers += [ConvNeXtBlock(width) for _ in range(depth)]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 10)
    )


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "resnet18": ResNet18, "transformer": Encoder, "recurrent": Recurrent, "autoencoder": autoencoder,
    "mobilenet": MobileNet, "vgg": vgg, "unet": UNet, "densenet": DenseNet, "vae": VAE, "generator": Generator,
    "textcnn": TextCNN, "gpt": GPT, "vit": ViT, "mixer": Mixer, "mlp_norm": mlp_norm, "odd_cnn": odd_cnn,
    "recommender": Recommender, "bag": Bag, "siamese": Siamese, "senet": SENet, "normed": Normed, "tcn": TCN,
    "bottleneck": bottleneck, "efficientnet": efficientnet, "convnext": convnext,
}  # fmt: skip
