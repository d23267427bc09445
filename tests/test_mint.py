"""`graphc.mint`: PyTorch's names and defaults; NumPy's results, in both modes, to the types of positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import in_both_modes, mode

import graphc as ms
import graphc.mint.nn.functional as F
from graphc import Tensor, mint, ops
from graphc.mint import linalg, nn, optim, special

_rng = np.random.default_rng(17)
A, B = _rng.normal(size=(4, 5)).astype("f"), _rng.normal(size=(4, 5)).astype("f")
S = _rng.normal(size=(2, 3, 4)).astype("f")
IMAGES = _rng.normal(size=(2, 4, 6, 6)).astype("f")
W = _rng.normal(size=(3, 4, 3, 3)).astype("f")
Q = np.array([[0, 2, 1], [1, 1, 0]])
LABELS = np.array([3, 1, 2, 1])
HOLES = np.where(A > 0, np.nan, A)
T = Tensor


def scattered(x: np.ndarray, add: bool) -> np.ndarray:
    x = x.copy()
    for i, j in np.ndindex(*Q.shape):
        x[i, Q[i, j]] = B[i, j] + (x[i, Q[i, j]] if add else 0)
    return x


CASES: list[tuple[str, Callable[..., Any], Any, tuple[np.ndarray, ...]]] = [
    ("all", lambda x: mint.all(x > -9, dim=1, keepdim=True), np.ones((4, 1), bool), (A,)),
    ("any", lambda x: mint.any(x > 9), False, (A,)),
    ("amax of all", mint.amax, A.max(), (A,)),
    ("amin", lambda x: mint.amin(x, dim=1, keepdim=True), A.min(1, keepdims=True), (A,)),
    ("max", mint.max, A.max(), (A,)),
    ("max along", lambda x: mint.max(x, dim=1), (A.max(1), A.argmax(1)), (A,)),
    ("max of two", mint.max, np.maximum(A, B), (A, B)),
    ("min along", lambda x: mint.min(x, 0, True), (A.min(0, keepdims=True), A.argmin(0)[None]), (A,)),
    ("argmax", mint.argmax, A.argmax(), (A,)),
    ("argmin", lambda x: mint.argmin(x, dim=0), A.argmin(0), (A,)),
    ("argsort", lambda x: mint.argsort(x, dim=0), A.argsort(0), (A,)),
    ("sort", lambda x: mint.sort(x, dim=0), (np.sort(A, 0), A.argsort(0)), (A,)),
    ("topk", lambda x: mint.topk(x, 2, largest=False), (np.sort(A)[:, :2], A.argsort()[:, :2]), (A,)),
    ("cummax", lambda x: mint.cummax(x, dim=1)[0], np.maximum.accumulate(A, 1), (A,)),
    ("sum", lambda x: mint.sum(x, dim=(0, 2), keepdim=True), S.sum((0, 2), keepdims=True), (S,)),
    ("mean", lambda x: mint.mean(x, dim=1, dtype=ms.float32), Q.mean(1).astype("f"), (Q,)),
    ("prod", lambda x: mint.prod(x, dim=1, keepdim=True), A.prod(1, keepdims=True), (A,)),
    ("std", mint.std, A.std(ddof=1), (A,)),
    ("std of all", lambda x: mint.std(x, dim=1, correction=0, keepdim=True), A.std(1, keepdims=True), (A,)),
    ("var", lambda x: mint.var(x, 0), A.var(0, ddof=1), (A,)),
    ("var_mean", lambda x: mint.var_mean(x, 0), (A.var(0, ddof=1), A.mean(0)), (A,)),
    ("median", lambda x: mint.median(x[0]), np.median(A[0]), (A,)),
    ("nansum", lambda x: mint.nansum(x, dim=1), np.nansum(HOLES, 1), (HOLES,)),
    ("count_nonzero", lambda x: mint.count_nonzero(x, dim=1), np.count_nonzero(Q, 1), (Q,)),
    ("norm", mint.norm, np.linalg.norm(A), (A,)),
    ("norm along", lambda x: mint.norm(x, p=1, dim=1, keepdim=True), abs(A).sum(1, keepdims=True), (A,)),
    ("norm of planes", lambda x: mint.norm(x, dim=(0, 2)), np.sqrt((S**2).sum((0, 2))), (S,)),
    ("cumsum", lambda x: mint.cumsum(x, dim=0), A.cumsum(0), (A,)),
    ("diff", lambda x: mint.diff(x, n=2, dim=0), np.diff(A, 2, 0), (A,)),
    ("sub", lambda x, y: mint.sub(x, y, alpha=3), A - 3 * B, (A, B)),
    ("addcmul", lambda x, y: mint.addcmul(x, x, y, value=2), A + 2 * A * B, (A, B)),
    ("cat", lambda x, y: mint.cat((x, y), dim=1), np.concatenate((A, B), 1), (A, B)),
    ("stack", lambda x, y: mint.stack([x, y], dim=2), np.stack((A, B), 2), (A, B)),
    ("split", lambda x: mint.split(x, [1, 4], dim=1), (A[:, :1], A[:, 1:]), (A,)),
    ("chunk", lambda x: mint.chunk(x, 2, dim=0), (A[:2], A[2:]), (A,)),
    ("squeeze", lambda x: mint.squeeze(x, dim=1), A, (A[:, None],)),
    ("squeeze of longer axes", lambda x: mint.squeeze(ops.squeeze(x, 0).squeeze((1, 2)), dim=0), A, (A[:, None],)),
    ("transpose", lambda x: mint.transpose(x, 0, 2), S.swapaxes(0, 2), (S,)),
    ("permute", lambda x: mint.permute(x, (2, 0, 1)), S.transpose(2, 0, 1), (S,)),
    ("flatten", mint.flatten, S.reshape(-1), (S,)),
    ("narrow", lambda x: mint.narrow(x, dim=1, start=1, length=2), A[:, 1:3], (A,)),
    ("select", lambda x: mint.select(x, 1, 2), A[:, 2], (A,)),
    ("repeat_interleave", lambda x: mint.repeat_interleave(x, 2, dim=1), A.repeat(2, 1), (A,)),
    ("gather", lambda x, i: mint.gather(x, dim=1, index=i), np.take_along_axis(A[:2], Q, 1), (A, Q)),
    ("scatter", lambda x, y: mint.scatter(x, 1, T(Q), y), scattered(A, False), (A, B)),
    ("scatter_add", lambda x, y: mint.scatter_add(x, 1, T(Q), y), scattered(A, True), (A, B)),
    ("index_select", lambda x: mint.index_select(x, dim=1, index=T([2, 0])), A[:, [2, 0]], (A,)),
    ("index_add", lambda x: mint.index_add(x, 0, T([0]), x[:1], alpha=2), A * np.array([3, 1, 1, 1], "f")[:, None],
     (A,)),
    ("where", lambda x, y: mint.where(x > 0, x, y), np.where(A > 0, A, B), (A, B)),
    ("diag", lambda x: mint.diag(x, 1), np.diag(A[0], 1), (A[0],)),
    ("diag of a matrix", lambda x: mint.diag(x, diagonal=-1), np.diag(A, -1), (A,)),
    ("meshgrid", lambda x, y: mint.meshgrid(x, y), tuple(np.meshgrid(A[0], B[0], indexing="ij")), (A[0], B[0])),
    ("softmax", lambda x: mint.softmax(x, dim=0), np.exp(A) / np.exp(A).sum(0), (A,)),
    ("full", lambda: mint.full((2,), 2), np.array([2, 2]), ()),
    ("full of floats", lambda: mint.full((2,), 2.5), np.array([2.5, 2.5], "f"), ()),
    ("empty", lambda: mint.empty(2, 3), np.zeros((2, 3), "f"), ()),
    ("linspace", lambda: mint.linspace(0, 1, 5, dtype=ms.float32), np.linspace(0, 1, 5, dtype="f"), ()),
    ("linalg.inv", lambda x: linalg.inv(x[:, :4]), np.linalg.inv(A[:, :4]), (A,)),
    ("special.log_softmax", lambda x: special.log_softmax(x, 1), A - np.log(np.exp(A).sum(1, keepdims=True)), (A,)),
    ("leaky_relu", F.leaky_relu, np.where(A > 0, A, A * np.float32(0.01)), (A,)),
    ("linear", F.linear, A @ B.T, (A, B)),
    ("log_softmax", F.log_softmax, S - np.log(np.exp(S).sum(0)), (S,)),
    ("normalize", F.normalize, A / np.linalg.norm(A, axis=1, keepdims=True), (A,)),
    ("one_hot", lambda x: F.one_hot(x, num_classes=4), np.eye(4, dtype=np.int64)[LABELS], (LABELS,)),
    ("add", lambda x, y: mint.add(x, y, alpha=0.5), A + 0.5 * B, (A, B)),
    ("pad", lambda x: F.pad(x, (1, 2), value=3), np.pad(A, ((0, 0), (1, 2)), constant_values=3), (A,)),
    ("threshold", lambda x: F.threshold(x, 0.1, 9), np.where(np.float32(0.1) < A, A, 9), (A,)),
    ("smooth_l1", lambda x, y: F.smooth_l1_loss(x, y, beta=9),
     (np.where(abs(A - B) < 9, (A - B) ** 2 / 18, abs(A - B) - 4.5)).mean(), (A, B)),
    ("kl_div", lambda x, y: F.kl_div(x, y, "batchmean", True), (np.exp(B) * (B - A)).sum() / 4, (A, B)),
    ("avg_pool1d", lambda x: F.avg_pool1d(x, 2), S.reshape(2, 3, 2, 2).mean(3), (S,)),
    ("avg_pool2d", lambda x: F.avg_pool2d(x, 2), IMAGES.reshape(2, 4, 3, 2, 3, 2).mean((3, 5)), (IMAGES,)),
    ("max_pool2d", lambda x: F.max_pool2d(x, 3), IMAGES.reshape(2, 4, 2, 3, 2, 3).max((3, 5)), (IMAGES,)),
]  # fmt: skip


@pytest.mark.parametrize("name, function, wanted, arrays", CASES, ids=[case[0] for case in CASES])
def test_functions(name: str, function: Any, wanted: Any, arrays: Any) -> None:
    for one, array in in_both_modes(function, arrays, wanted):
        assert one.dtype.np.kind == array.dtype.kind
        assert one.dtype.np.itemsize == array.dtype.itemsize or array.dtype == np.float64
        np.testing.assert_allclose(one.asnumpy(), array, rtol=2e-5, atol=2e-6)


def test_convolutions_pad_as_pytorch_does() -> None:
    x, w = T(IMAGES), T(W)
    pairs = [
        (F.conv2d(x, w, stride=2, padding=(1, 2)), ops.conv2d(x, w, None, 2, "pad", (1, 1, 2, 2))),
        (F.conv2d(x, w, padding="same"), ops.conv2d(x, w, None, 1, "same")),
        (mint.conv2d(x, w), ops.conv2d(x, w)),
        (F.conv1d(x[:, :, 0], w[:, :, 0], padding=2), ops.conv1d(x[:, :, 0], w[:, :, 0], None, 1, "pad", 2)),
        (F.conv3d(x[:, :, None], w[:, :, None], padding=(0, 1, 1)),
         ops.conv3d(x[:, :, None], w[:, :, None], None, 1, "pad", (0, 0, 1, 1, 1, 1))),
        (F.conv_transpose2d(x, w.swapaxes(0, 1), stride=2, padding=1),
         ops.conv_transpose(x, w.swapaxes(0, 1), None, 2, "pad", 1)),
    ]  # fmt: skip
    for found, wanted in pairs:
        np.testing.assert_array_equal(found.asnumpy(), wanted.asnumpy())


LAYERS: list[tuple[Any, np.ndarray, Callable[..., Any]]] = [
    (nn.AdaptiveAvgPool2d((2, 3)), IMAGES, lambda x: ops.adaptive_avg_pool2d(x, (2, 3))),
    (nn.AvgPool2d(3, 2, 1), IMAGES, lambda x: ops.avg_pool2d(x, 3, 2, 1)),
    (nn.ELU(2.0), A, lambda x: ops.elu(x, 2.0)), (nn.Flatten(), IMAGES, lambda x: x.reshape(2, -1)),
    (nn.GELU("tanh"), A, lambda x: ops.gelu(x, "tanh")), (nn.GLU(1), IMAGES, lambda x: ops.glu(x, 1)),
    (nn.Hardswish(), A, ops.hardswish), (nn.Hardtanh(-0.5, 0.5), A, lambda x: ops.hardtanh(x, -0.5, 0.5)),
    (nn.LogSoftmax(dim=0), A, lambda x: ops.log_softmax(x, 0)), (nn.Mish(), A, ops.mish), (nn.ReLU(), A, ops.relu),
    (nn.MaxPool2d(3, 2, 1), IMAGES, lambda x: ops.max_pool2d(x, 3, 2, 1)), (nn.SiLU(), A, ops.silu),
    (nn.Softmax(dim=1), A, lambda x: ops.softmax(x, 1)), (nn.Unfold(2), IMAGES, lambda x: ops.unfold(x, 2)),
    (nn.UpsamplingNearest2d(scale_factor=2), IMAGES, lambda x: ops.interpolate(x, None, 2, "nearest")),
    (nn.PReLU(), A, lambda x: ops.where(x > 0, x, x * 0.25)), (nn.LayerNorm(5, bias=False), A, lambda x:
     ops.layer_norm(x, 5)), (nn.GroupNorm(2, 4), IMAGES, lambda x: ops.group_norm(x, 2)),
    (nn.BatchNorm2d(4), IMAGES, lambda x: x / np.float32(np.sqrt(1 + 1e-5))),
    (nn.BatchNorm2d(4, track_running_stats=False), IMAGES, lambda x: ops.batch_norm(x, None, None, None, None, True)),
]  # fmt: skip


@pytest.mark.parametrize("layer, array, wanted", LAYERS, ids=[type(row[0]).__name__ for row in LAYERS])
def test_layers(layer: Any, array: np.ndarray, wanted: Any) -> None:
    layer.set_train(False)
    expected = wanted(T(array)).asnumpy()
    for value in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
        with mode(value):
            np.testing.assert_allclose(layer(T(array)).asnumpy(), expected, rtol=1e-5, atol=1e-6)
    assert type(layer).__name__ in repr(layer)


@pytest.mark.parametrize("value", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_generators_have_streams_of_their_own(value: int) -> None:
    draws = (
        lambda g: mint.rand(3, generator=g), lambda g: mint.randn(3, generator=g),
        lambda g: mint.randint(0, 100, (3,), generator=g), lambda g: mint.randperm(9, generator=g),
        lambda g: mint.normal(1.0, 2.0, (3,), generator=g), lambda g: mint.bernoulli(T([0.5] * 20), generator=g),
        lambda g: mint.multinomial(T([0.5] * 20), 9, generator=g), lambda g: T([0.0] * 5).uniform_(generator=g),
        lambda g: T([0.0] * 5).normal_(generator=g), lambda g: T([0.0] * 5).exponential_(generator=g),
        lambda g: T([0.0] * 5).random_(generator=g), lambda g: T([0.0] * 20).bernoulli_(generator=g),
        lambda g: T([0.0] * 5).cauchy(generator=g), lambda g: T([0.0] * 5).log_normal(generator=g),
    )  # fmt: skip
    with mode(value):
        generator, before = ms.Generator().manual_seed(5), ms.get_rng_state().asnumpy()
        assert generator.initial_seed() == 5
        for draw in draws:
            state = generator.get_state()
            first, second = draw(generator).asnumpy(), draw(generator).asnumpy()
            assert not np.array_equal(first, second)
            generator.set_state(state)
            np.testing.assert_array_equal(draw(generator).asnumpy(), first)
        np.testing.assert_array_equal(ms.get_rng_state().asnumpy(), before)
        drawn = ms.jit(lambda: mint.rand(2, generator=generator))
        assert not np.array_equal(drawn().asnumpy(), drawn().asnumpy())
        assert generator.seed() == generator.initial_seed() != ms.Generator().initial_seed()
        assert ms.manual_seed(7) is ms.default_generator and ms.initial_seed() == 7
        assert ms.seed() == ms.initial_seed()
        ms.set_rng_state(ms.Tensor([7, 0], ms.int64))
        assert ms.initial_seed() == 7
    with pytest.raises(TypeError, match="seed must be an int"):
        ms.Generator().manual_seed(1.5)


class Line(nn.Conv2d):
    """A convolution over one dimension with a Conv2d's function and attributes."""

    def construct(self, x: Tensor) -> Tensor:
        if self.padding_mode != "zeros":
            x = ops.pad_ext(x[:, :, None], self._reversed_padding, mode=self.padding_mode)
            return self.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)[:, :, 0]
        x, padding = x[:, :, None], self.padding
        return self.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)[:, :, 0]


class LineBack(nn.ConvTranspose2d):
    def construct(self, x: Tensor, size: Any = None) -> Tensor:
        x, way = x[:, :, None], (self.stride, self.padding)
        extra = self._output_padding(x, size, *way, self.kernel_size, 2, self.dilation)
        return F.conv_transpose2d(x, self.weight, self.bias, *way, extra, self.groups, self.dilation)[:, :, 0]


def test_layers_have_what_derived_classes_read() -> None:
    x = _rng.normal(size=(2, 4, 9)).astype("f")
    for padding_mode in ("zeros", "reflect"):
        derived = Line(4, 6, (1, 3), (1, 2), (0, 1), padding_mode=padding_mode)
        plain = nn.Conv1d(4, 6, 3, 2, 1, padding_mode=padding_mode)
        plain.weight.set_data(derived.weight[:, :, 0])
        plain.bias.set_data(derived.bias)
        np.testing.assert_array_equal(derived(T(x)).asnumpy(), plain(T(x)).asnumpy())
    assert (plain.stride, plain.padding, plain.dilation, plain.output_padding) == ((2,), (1,), (1,), (0,))
    assert nn.Conv3d(2, 2, 3, padding="same")._reversed_padding == (1,) * 6 and not plain.transposed
    back = LineBack(4, 2, (1, 3), (1, 2), (0, 1), (0, 1))
    assert back(T(x)).shape == (2, 2, 18) and back(T(x), (1, 17)).shape == (2, 2, 17) and back.transposed
    table, norm = nn.Embedding(5, 6), nn.BatchNorm2d(4, affine=False)
    assert (table.num_embeddings, table.embedding_dim, table.sparse) == (5, 6, False)
    assert (norm.num_features, norm.affine, norm.track_running_stats) == (4, False, True)
    assert nn.GroupNorm(2, 4).num_channels == 4 and nn.LayerNorm(4).elementwise_affine


def test_a_transposed_convolution_makes_the_size_asked_for() -> None:
    layer, x = nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1), T(IMAGES)
    height, width = (2 * n - 1 for n in IMAGES.shape[2:])
    whole = nn.ConvTranspose2d(4, 2, 3, stride=2, padding=1, output_padding=(1, 0))
    whole.load_state_dict(layer.state_dict())
    for size in ((height + 1, width), (2, 2, height + 1, width)):
        np.testing.assert_array_equal(layer(x, output_size=size).asnumpy(), whole(x).asnumpy())
    assert layer(x, output_size=(height, width)).shape == layer(x).shape
    for size in ((height + 2, width), (height, width - 1), (height,)):
        with pytest.raises(ValueError, match="output_size must lie within"):
            layer(x, output_size=size)


@pytest.mark.parametrize(("mode_", "numpys"), [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")])
def test_convolutions_pad_with_what_they_convolve(mode_: str, numpys: Any) -> None:
    cases: list[tuple[Any, tuple[int, ...], Any, Any, list[tuple[int, int]]]] = [
        (nn.Conv1d, (2, 4, 9), 3, 2, [(2, 2)]),
        (nn.Conv2d, (2, 4, 6, 7), (3, 5), (1, 2), [(1, 1), (2, 2)]),
        (nn.Conv2d, (2, 4, 6, 7), (2, 4), "same", [(0, 1), (1, 2)]),
        (nn.Conv2d, (2, 4, 6, 7), 3, "valid", [(0, 0), (0, 0)]),
        (nn.Conv3d, (2, 4, 5, 4, 6), 3, 1, [(1, 1), (1, 1), (1, 1)]),
    ]
    for layer, shape, kernel, padding, around in cases:
        x = _rng.normal(size=shape).astype("f")
        padding_layer = layer(4, 6, kernel, padding=padding, groups=2, padding_mode=mode_)
        plain = layer(4, 6, kernel, groups=2)
        plain.load_state_dict(padding_layer.state_dict())
        wanted = plain(T(np.pad(x, [(0, 0), (0, 0), *around], mode=numpys))).asnumpy()
        for one, array in in_both_modes(padding_layer, (x,), wanted):
            np.testing.assert_allclose(one.asnumpy(), array, atol=1e-6)


def test_a_network_trains_the_same_in_both_modes() -> None:
    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(4, 8, 3, padding=1)
            self.norm = nn.BatchNorm2d(8)
            self.up = nn.ConvTranspose2d(8, 4, 2, 2)
            self.drop = nn.Dropout(0.2)
            self.embed = nn.Embedding(3, 16)
            self.out = nn.Linear(16, 3)

        def construct(self, x: Tensor, i: Tensor) -> Tensor:
            y = F.relu(self.norm(self.conv(x)), inplace=True)
            y = mint.mean(self.drop(self.up(y)), dim=(2, 3))
            return self.out(mint.cat([y, y, y, y], dim=1) + self.embed(i))

    def trained() -> list[np.ndarray]:
        ms.set_seed(5)
        net, loss_fn = Net().set_train(), nn.CrossEntropyLoss()
        optimizer = optim.AdamW(net.trainable_params(), lr=1e-2)
        step = ms.value_and_grad(lambda x, i, t: loss_fn(net(x, i), t), None, net.trainable_params())
        losses = []
        for _ in range(3):
            loss, grads = step(T(IMAGES), T([0, 2]), T([1, 2]))
            optimizer(grads)
            losses.append(loss.asnumpy())
        assert sorted(p.name for p in net.norm.get_parameters()) == [
            "norm.bias", "norm.running_mean", "norm.running_var", "norm.weight"
        ]  # fmt: skip
        return [*losses, *(p.asnumpy() for p in net.get_parameters())]

    with mode(ms.GRAPH_MODE):
        compiled = trained()
    for a, b in zip(trained(), compiled, strict=True):
        np.testing.assert_array_equal(a, b)


def test_running_statistics_have_pytorchs_momentum() -> None:
    norm = nn.BatchNorm1d(4).set_train()
    norm(T(IMAGES[:, :, 0]))
    rows = IMAGES[:, :, 0].transpose(0, 2, 1).reshape(-1, 4)
    np.testing.assert_allclose(norm.running_mean.asnumpy(), 0.1 * rows.mean(0), atol=1e-6)
    np.testing.assert_allclose(norm.running_var.asnumpy(), 0.9 + 0.1 * rows.var(0, ddof=1), rtol=1e-5)


def test_in_place_and_random_and_eager() -> None:
    x = T(A)
    assert F.relu_(x) is x and (x.asnumpy() == np.maximum(A, 0)).all()
    ms.set_seed(2)
    assert {*mint.randint(3, (50,)).tolist()} == {0, 1, 2} and mint.randint(1, 3, (2,)).dtype is ms.int64
    assert mint.randn(2, 3).shape == mint.rand(2, 3).shape == mint.normal(0, 1, (2, 3)).shape == (2, 3)
    assert mint.randn_like(x).shape == mint.rand_like(x).shape == mint.empty_like(x).shape == (4, 5)
    assert sorted(mint.randperm(5).tolist()) == [0, 1, 2, 3, 4] and mint.randint_like(x, 5).dtype is ms.float32
    assert mint.bernoulli(T([0.0, 1.0])).tolist() == [0, 1]
    assert sorted(mint.multinomial(T([1.0, 1.0, 0.0]), 2).tolist()) == [0, 1]
    dropped = nn.Dropout2d(0.5).set_train()(ops.ones((20, 20, 2, 2))).asnumpy()
    assert {*np.unique(dropped)} == {0, 2}
    values, inverse, counts = mint.unique(T([3, 1, 3]), return_inverse=True, return_counts=True)
    assert values.tolist() == [1, 3] and inverse.tolist() == [1, 0, 1] and counts.tolist() == [1, 2]
    assert mint.where(T([0, 2]))[0].tolist() == [1] and mint.item(T([4])) == 4
    assert mint.equal(x, x) and not mint.equal(x, x + 1) and mint.bincount(T([1, 1])).dtype is ms.int64


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: mint.cumsum(T(A)), TypeError, "cumsum: missing a required argument: 'dim'"),
        (lambda: mint.rand(2, generator=3), TypeError, "generator must be a Generator"),
        (lambda: mint.empty(2, device="GPU"), ValueError, "device must be"),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), ValueError, "padding_mode must be .* got 'mirror'"),
        (lambda: nn.Conv2d(3, 4, 3, padding=-1, padding_mode="reflect"), ValueError, "padding must be an int >= 0"),
        (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="circular"), ValueError, "padding_mode must be 'zeros'"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "do not divide into 2 groups"),
        (lambda: nn.BatchNorm2d(3)(T(A)), ValueError, "BatchNorm2d: got"),
        (lambda: nn.Embedding(3, 4, sparse=True), ValueError, "sparse"),
        (lambda: nn.Embedding(3, 4, _weight=T(A)), ValueError, "_weight must have shape"),
        (lambda: nn.Fold(3), TypeError, "Fold: missing"),
        (lambda: nn.Dropout(2.0), ValueError, "p must be in"),
        (lambda: F.kl_div(T(A), T(A), "all", True), ValueError, "unknown reduction"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
