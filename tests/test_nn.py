"""Layers, losses and Cells against NumPy; printing, names, both modes, errors."""

from __future__ import annotations

import copy
import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, Tensor, grad, nn, ops, set_context
from graphc.random import set_seed

F = np.float32


@pytest.fixture(autouse=True)
def eager_and_seeded() -> Iterator[None]:
    set_context(mode=PYNATIVE_MODE)
    set_seed(1)
    yield
    set_context(mode=PYNATIVE_MODE)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(F)


def run(cell: nn.Cell, *inputs: Any) -> Any:
    """What the cell returns, as arrays; eager and compiled must agree to the bit (a stateful cell is run on copies)."""
    tensors = [Tensor(x) if isinstance(x, np.ndarray) else x for x in inputs]
    other = copy.deepcopy(cell)
    eager = leaves(cell(*tensors))
    set_context(mode=GRAPH_MODE)
    compiled = leaves(other(*tensors))
    set_context(mode=PYNATIVE_MODE)
    assert len(eager) == len(compiled)
    for a, b in zip(eager, compiled, strict=True):
        np.testing.assert_array_equal(a, b)
    return eager[0] if len(eager) == 1 else eager


def leaves(value: Any) -> list[np.ndarray]:
    return [a for v in value for a in leaves(v)] if isinstance(value, (tuple, list)) else [value.asnumpy()]


def close(found: np.ndarray, wanted: Any, rtol: float = 2e-6, atol: float = 2e-6) -> None:
    wanted = np.asarray(wanted)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=atol)


# Dense and its kin


def test_dense() -> None:
    cell = nn.Dense(5, 3)
    w, b = cell.weight.asnumpy(), cell.bias.asnumpy()
    assert w.shape == (3, 5)
    for x in (normal(4, 5), normal(2, 4, 5), normal(5)):
        close(run(cell, x), x.astype(float) @ w.T.astype(float) + b)
    close(run(nn.Dense(5, 3, 1.0, 0.5, activation="relu"), x), np.full(3, max(x.sum() + 0.5, 0)), 1e-5)
    assert nn.Dense(5, 3, has_bias=False).bias is None


def test_default_initial_values_are_within_their_bounds() -> None:
    dense, conv = nn.Dense(100, 50), nn.Conv2d(4, 50, 5, has_bias=True)
    for parameter in (dense.weight, dense.bias, conv.weight, conv.bias):
        largest = np.abs(parameter.asnumpy()).max()
        assert 0.09 * 0.9 < largest <= 0.1  # sqrt(3) * sqrt(2 / (1 + 5)) / sqrt(100) = 1 / sqrt(100)
    assert dense.weight.dtype is graphc.float32
    assert nn.Dense(2, 2, dtype=graphc.float64).bias.dtype is graphc.float64


def test_bi_dense() -> None:
    cell = nn.BiDense(5, 4, 3)
    x, y = normal(6, 5), normal(6, 4, seed=1)
    wanted = np.einsum("ni,oij,nj->no", x, cell.weight.asnumpy(), y, dtype=float) + cell.bias.asnumpy()
    close(run(cell, x, y), wanted)


# Convolution


def convolved(x: np.ndarray, w: np.ndarray, stride: int, dilation: int, groups: int) -> np.ndarray:
    n, _, h, width = x.shape
    o, depth, kh, kw = w.shape
    rows, columns = (h - dilation * (kh - 1) - 1) // stride + 1, (width - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((n, o, rows, columns))
    for k in range(o):
        lo = k // (o // groups) * depth
        for i in range(rows):
            for j in range(columns):
                ends = i * stride + dilation * kh, j * stride + dilation * kw
                part = x[:, lo : lo + depth, i * stride : ends[0] : dilation, j * stride : ends[1] : dilation]
                y[:, k, i, j] = (part.astype(float) * w[k]).sum((1, 2, 3))
    return y


@pytest.mark.parametrize(
    ("options", "pads", "stride", "dilation", "groups"),
    [
        ({"pad_mode": "valid"}, ((0, 0), (0, 0)), 1, 1, 1),
        ({}, ((1, 1), (1, 1)), 1, 1, 1),
        ({"stride": 2}, ((1, 1), (0, 1)), 2, 1, 1),
        ({"pad_mode": "pad", "padding": 2, "dilation": 2, "group": 2}, ((2, 2), (2, 2)), 1, 2, 2),
        ({"pad_mode": "pad", "padding": (1, 0, 2, 3), "has_bias": True}, ((1, 0), (2, 3)), 1, 1, 1),
    ],
)
def test_conv2d(options: dict[str, Any], pads: Any, stride: int, dilation: int, groups: int) -> None:
    cell = nn.Conv2d(4, 6, 3, **options)
    x = normal(2, 4, 7, 6)
    padded = np.pad(x, ((0, 0), (0, 0), *pads))
    wanted = convolved(padded, cell.weight.asnumpy(), stride, dilation, groups)
    if cell.bias is not None:
        wanted += cell.bias.asnumpy()[:, None, None]
    close(run(cell, x), wanted)


def test_conv1d_and_conv3d_are_conv2d_along_fewer_or_more_axes() -> None:
    line = nn.Conv1d(3, 4, 3, stride=2, pad_mode="pad", padding=1, has_bias=True)
    flat = nn.Conv2d(3, 4, (1, 3), (1, 2), "pad", (0, 0, 1, 1), has_bias=True)
    assert line.weight.shape == flat.weight.shape == (4, 3, 1, 3)
    flat.weight.set_data(line.weight)
    flat.bias.set_data(line.bias)
    x = normal(2, 3, 9)
    close(run(line, x), run(flat, x[:, :, None])[:, :, 0])
    assert (line.kernel_size, line.stride, line.dilation, line.padding) == ((1, 3), (1, 2), (1, 1), (0, 0, 1, 1))
    narrow = nn.Conv1d(3, 4, 3, weight_init=Tensor(line.weight.asnumpy()[:, :, 0]))
    np.testing.assert_array_equal(narrow.weight.asnumpy(), line.weight.asnumpy())
    volume = nn.Conv3d(3, 4, (1, 1, 3), (1, 1, 2), "pad", (0, 0, 0, 0, 1, 1), has_bias=True)
    volume.weight.set_data(flat.weight.asnumpy()[:, :, None])
    volume.bias.set_data(line.bias)
    close(run(volume, x[:, :, None, None])[:, :, 0, 0], run(line, x))


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"pad_mode": "valid"}, (11, 13)),
        ({}, (10, 12)),
        ({"pad_mode": "pad", "padding": 1, "output_padding": 1}, (10, 12)),
        ({"pad_mode": "pad", "padding": (1, 0, 0, 1)}, (10, 12)),
    ],
)
def test_conv2d_transpose_is_the_transpose_of_conv2d(options: dict[str, Any], size: tuple[int, int]) -> None:
    cell = nn.Conv2dTranspose(4, 6, 3, stride=2, group=2, **options)
    x, z = normal(2, 4, 5, 6), normal(2, 6, *size, seed=1)
    y = run(cell, x)
    assert y.shape == z.shape
    if options.pop("output_padding", None):  # zeros, and no part of the transpose
        assert not y[:, :, -1].any() and not y[..., -1].any() and y[:, :, -2].any()
        z[:, :, -1] = z[..., -1] = 0
    forward = nn.Conv2d(6, 4, 3, stride=2, group=2, weight_init=Tensor(cell.weight.asnumpy()), **options)
    # <transpose(x), z> = <x, conv(z)>
    np.testing.assert_allclose((y.astype(float) * z).sum(), (x.astype(float) * run(forward, z)).sum(), rtol=2e-6)


def test_cells_of_one_function() -> None:
    x = abs(normal(2, 3, 4)) + 1
    wanted = ops.logsumexp(Tensor(x), (0, 2), True).asnumpy()
    np.testing.assert_array_equal(run(nn.ReduceLogSumExp([0, 2], True), x), wanted)
    np.testing.assert_allclose(run(nn.L1Regularizer(0.5), -x), 0.5 * x.sum(), rtol=1e-6)
    np.testing.assert_array_equal(run(nn.LGamma(), x), ops.lgamma(Tensor(x)).asnumpy())
    np.testing.assert_array_equal(run(nn.IGamma(), abs(x), abs(x)), ops.igamma(Tensor(abs(x)), abs(x)).asnumpy())
    np.testing.assert_array_equal(run(nn.DiGamma(), x), ops.digamma(Tensor(x)).asnumpy())
    m = x[:, :, :3] + 3 * np.eye(3, dtype="f")
    np.testing.assert_array_equal(run(nn.MatInverse(), m), ops.inverse(Tensor(m)).asnumpy())
    np.testing.assert_array_equal(run(nn.MatDet(), m), ops.det(Tensor(m)).asnumpy())
    v = normal(2, 3, 4, 5)
    ends = ((0, 0), (2, 1), (1, 0), (0, 1))
    np.testing.assert_array_equal(run(nn.ReflectionPad3d((0, 1, 1, 0, 2, 1)), v[None])[0], np.pad(v, ends, "reflect"))
    np.testing.assert_array_equal(run(nn.ReplicationPad3d((0, 1, 1, 0, 2, 1)), v[None])[0], np.pad(v, ends, "edge"))
    with pytest.raises(ValueError, match="scale"):
        nn.L1Regularizer(0)


def test_conv_transposes_of_other_ranks() -> None:
    line = nn.Conv1dTranspose(3, 4, 3, stride=2, pad_mode="valid")
    flat = nn.Conv2dTranspose(3, 4, (1, 3), (1, 2), "valid", weight_init=Tensor(line.weight.asnumpy()))
    volume = nn.Conv3dTranspose(
        3, 4, (1, 1, 3), (1, 1, 2), "valid", weight_init=Tensor(line.weight.asnumpy()[:, :, None])
    )
    x = normal(2, 3, 5)
    close(run(flat, x[:, :, None])[:, :, 0], run(line, x))
    close(run(volume, x[:, :, None, None])[:, :, 0, 0], run(line, x))


# Pooling


def windows(x: np.ndarray, k: int, s: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, (k, k), (-2, -1))[..., ::s, ::s, :, :]


def test_max_pool2d() -> None:
    x = normal(2, 3, 8, 7)
    np.testing.assert_array_equal(run(nn.MaxPool2d(3, 2), x), windows(x, 3, 2).max((-2, -1)))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    np.testing.assert_array_equal(
        run(nn.MaxPool2d(3, 2, "pad", 1), x), windows(padded, 3, 2).max((-2, -1))
    )
    assert run(nn.MaxPool2d(3, 2, "same"), x).shape == (2, 3, 4, 4)
    values, places = run(nn.MaxPool2d(2, 2, return_indices=True), x)
    np.testing.assert_array_equal(np.take_along_axis(x.reshape(2, 3, -1), places.reshape(2, 3, -1), 2),
                                  values.reshape(2, 3, -1))  # fmt: skip
    assert run(nn.MaxPool2d(3, 2, ceil_mode=True), x).shape == (2, 3, 4, 3)


def test_avg_pool2d() -> None:
    x = normal(2, 3, 8, 7)
    close(run(nn.AvgPool2d(3, 2), x), windows(x, 3, 2).mean((-2, -1)))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    counts = windows(np.pad(np.ones((8, 7)), 1), 3, 2).sum((-2, -1))
    sums = windows(padded, 3, 2).sum((-2, -1))
    close(run(nn.AvgPool2d(3, 2, "pad", 1), x), sums / 9)
    close(run(nn.AvgPool2d(3, 2, "pad", 1, count_include_pad=False), x), sums / counts)
    close(run(nn.AvgPool2d(3, 2, "pad", 1, divisor_override=2), x), sums / 2)


def test_pools_of_other_ranks_and_adaptive_pools() -> None:
    x = normal(2, 3, 8)
    np.testing.assert_array_equal(run(nn.MaxPool1d(2, 2), x), x.reshape(2, 3, 4, 2).max(-1))
    close(run(nn.AvgPool1d(2, 2), x), x.reshape(2, 3, 4, 2).mean(-1))
    v = normal(1, 2, 4, 4, 4)
    blocks = v.reshape(1, 2, 2, 2, 2, 2, 2, 2)
    np.testing.assert_array_equal(run(nn.MaxPool3d(2, 2), v), blocks.max((3, 5, 7)))
    close(run(nn.AvgPool3d(2, 2), v), blocks.mean((3, 5, 7)))
    image = normal(2, 3, 8, 6)
    close(run(nn.AdaptiveAvgPool2d(1), image), image.mean((2, 3), keepdims=True))
    close(run(nn.AdaptiveAvgPool2d((4, None)), image), image.reshape(2, 3, 4, 2, 6).mean(3))
    np.testing.assert_array_equal(run(nn.AdaptiveMaxPool2d((4, 3)), image), image.reshape(2, 3, 4, 2, 3, 2).max((3, 5)))
    close(run(nn.AdaptiveAvgPool1d(4), x), x.reshape(2, 3, 4, 2).mean(-1))


def test_volumes_of_pad_mode_same_count_padding_and_images_do_not() -> None:
    ones = ops.ones((1, 1, 3, 3, 3))  # the window at a corner reaches 8 of 27, or 4 of 9, elements
    corner = [nn.AvgPool3d(3, 1, "same", count_include_pad=counted)(ones)[0, 0, 0, 0, 0] for counted in (True, False)]
    close(ops.stack(corner), np.array([8 / 27, 1], np.float32))
    close(nn.AvgPool2d(3, 1, "same")(ones[0])[0, 0, 0, 0], np.float32(1))


# Normalisation


def standard(x: np.ndarray, axes: tuple[int, ...], eps: float) -> np.ndarray:
    x = x.astype(float)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def test_batch_norm_in_training_and_evaluation() -> None:
    cell = nn.BatchNorm2d(3, gamma_init=Tensor([1.0, 2.0, 3.0]), beta_init=0.5)
    x = normal(4, 3, 5, 6) * 2 + 1
    gamma = np.array([1, 2, 3])[:, None, None]
    close(run(cell, x), x / np.sqrt(1 + 1e-5) * gamma + 0.5)  # evaluation at first: mean 0, variance 1
    cell.set_train()
    close(run(cell, x), standard(x, (0, 2, 3), 1e-5) * gamma + 0.5, 1e-5, 1e-5)
    mean, variance = x.mean((0, 2, 3), dtype=float), x.var((0, 2, 3), ddof=1, dtype=float)
    close(cell.moving_mean.asnumpy(), 0.1 * mean)
    close(cell.moving_variance.asnumpy(), 0.9 + 0.1 * variance)
    cell.set_train(False)
    kept = cell.moving_mean.asnumpy(), cell.moving_variance.asnumpy()
    wanted = (x - kept[0][:, None, None]) / np.sqrt(kept[1][:, None, None] + 1e-5) * gamma + 0.5
    close(run(cell, x), wanted, 1e-5)
    np.testing.assert_array_equal(cell.moving_mean.asnumpy(), kept[0])


def test_batch_norm_statistics_move_alike_in_both_modes() -> None:
    results = []
    for mode in (PYNATIVE_MODE, GRAPH_MODE):
        cell = nn.BatchNorm1d(3, momentum=0.6).set_train()
        set_context(mode=mode)
        for step in range(3):
            cell(Tensor(normal(5, 3, seed=step)))
        results.append((cell.moving_mean.asnumpy(), cell.moving_variance.asnumpy()))
    np.testing.assert_array_equal(results[0], results[1])


def test_batch_norm_options() -> None:
    x = normal(4, 3)
    always = nn.BatchNorm1d(3, use_batch_statistics=True)
    close(run(always, x), standard(x, (0,), 1e-5), 1e-5, 1e-5)
    never = nn.BatchNorm1d(3, use_batch_statistics=False).set_train()
    close(run(never, x), x / np.sqrt(1 + 1e-5))
    assert nn.BatchNorm1d(3, affine=False).trainable_params() == []
    names = [p.name for p in nn.BatchNorm3d(2).get_parameters()]
    assert names == ["moving_mean", "moving_variance", "gamma", "beta"]
    assert [p.name for p in nn.BatchNorm2d(2).trainable_params()] == ["gamma", "beta"]
    with pytest.raises(ValueError, match="more than one value per channel"):
        nn.BatchNorm1d(3).set_train()(Tensor(normal(1, 3)))


def test_layer_norm() -> None:
    x = normal(4, 3, 5)
    close(run(nn.LayerNorm((5,)), x), standard(x, (2,), 1e-7), 1e-5, 1e-5)
    cell = nn.LayerNorm((3, 5), 1, 1, gamma_init=2.0, beta_init=1.0, epsilon=1e-3)
    close(run(cell, x), standard(x, (1, 2), 1e-3) * 2 + 1, 1e-5, 1e-5)
    mixed = nn.LayerNorm((5,), begin_norm_axis=1, gamma_init=Tensor(np.arange(5, dtype=F)))
    close(run(mixed, x), standard(x, (1, 2), 1e-7) * np.arange(5), 1e-5, 1e-5)


def test_group_and_instance_norm() -> None:
    x = normal(2, 6, 4, 5)
    grouped = standard(x.reshape(2, 3, 40), (2,), 1e-5).reshape(x.shape)
    close(run(nn.GroupNorm(3, 6, gamma_init=2.0), x), grouped * 2, 1e-5, 1e-5)
    close(run(nn.InstanceNorm2d(6, beta_init=1.0), x), standard(x, (2, 3), 1e-5) + 1, 1e-5, 1e-5)
    close(run(nn.InstanceNorm1d(6), x[:, :, 0]), standard(x[:, :, 0], (2,), 1e-5), 1e-5, 1e-5)


# Embedding, shapes, padding


def test_embedding() -> None:
    ids = np.array([[1, 2, 0], [4, 4, 1]], np.int32)
    for one_hot in (False, True):
        cell = nn.Embedding(5, 3, one_hot, padding_idx=2)
        table = cell.embedding_table.asnumpy()
        assert (table[2] == 0).all() and (table[1] != 0).all()
        np.testing.assert_array_equal(run(cell, ids), table[ids])
    given = nn.Embedding(2, 2, embedding_table=Tensor([[1.0, 2.0], [3.0, 4.0]]))
    np.testing.assert_array_equal(run(given, np.array([1])), [[3, 4]])
    with pytest.raises(IndexError, match="5"):
        cell(Tensor([5]))
    limited = nn.EmbeddingLookup(5, 3, "ones", max_norm=1.0)
    close(run(limited, np.array([0, 3])), np.full((2, 3), 1 / math.sqrt(3)))


def test_shape_layers() -> None:
    x = normal(2, 3, 4)
    np.testing.assert_array_equal(run(nn.Flatten(), x), x.reshape(2, 12))
    np.testing.assert_array_equal(run(nn.Flatten(0, 1), x), x.reshape(6, 4))
    np.testing.assert_array_equal(run(nn.Unflatten(2, (2, 2)), x), x.reshape(2, 3, 2, 2))
    np.testing.assert_array_equal(run(nn.Identity(1, b=2), x), x)
    np.testing.assert_array_equal(run(nn.Roll(1, 0), x), np.roll(x, 1, 0))
    np.testing.assert_array_equal(run(nn.Tril(), x), np.tril(x))
    np.testing.assert_array_equal(run(nn.Triu(), x, 1), np.triu(x, 1))
    np.testing.assert_array_equal(run(nn.OneHot(depth=3), np.array([[0], [2]])), np.eye(3)[[[0], [2]]])
    np.testing.assert_array_equal(nn.Range(1, 8, 3)().asnumpy(), [1, 4, 7])
    shuffled = run(nn.PixelShuffle(2), normal(1, 8, 3, 2))
    assert shuffled.shape == (1, 2, 6, 4)
    np.testing.assert_array_equal(run(nn.PixelUnshuffle(2), shuffled), normal(1, 8, 3, 2))


@pytest.mark.parametrize(
    ("cell", "pads", "options"),
    [
        (nn.Pad(((1, 2), (0, 3))), ((1, 2), (0, 3)), {"mode": "constant"}),
        (nn.Pad(((1, 2), (0, 3)), "REFLECT"), ((1, 2), (0, 3)), {"mode": "reflect"}),
        (nn.Pad(((1, 2), (0, 3)), "SYMMETRIC"), ((1, 2), (0, 3)), {"mode": "symmetric"}),
        (nn.ConstantPad1d((1, 2), 0.5), ((0, 0), (1, 2)), {"constant_values": 0.5}),
        (nn.ConstantPad2d(1, 0.5), ((1, 1), (1, 1)), {"constant_values": 0.5}),
        (nn.ZeroPad2d((1, 2, 3, 0)), ((3, 0), (1, 2)), {}),
    ],
)
def test_padding(cell: nn.Cell, pads: Any, options: dict[str, Any]) -> None:
    x = normal(3, 4)
    np.testing.assert_array_equal(run(cell, x), np.pad(x, pads, **options))


def test_reflection_and_replication_pads() -> None:
    x = normal(2, 3, 4)
    pads = ((0, 0), (1, 2), (2, 1))
    np.testing.assert_array_equal(run(nn.ReflectionPad2d((2, 1, 1, 2)), x), np.pad(x, pads, "reflect"))
    np.testing.assert_array_equal(run(nn.ReplicationPad2d((2, 1, 1, 2)), x), np.pad(x, pads, "edge"))
    np.testing.assert_array_equal(run(nn.ReflectionPad1d(2), x), np.pad(x, ((0, 0), (0, 0), (2, 2)), "reflect"))


def test_norm_clip_moments_matmul() -> None:
    x, y = normal(3, 4), normal(3, 5, seed=1)
    close(run(nn.Norm(1), x), np.linalg.norm(x, axis=1))
    close(run(nn.Norm(keep_dims=True), x), [[np.linalg.norm(x)]])
    close(run(nn.ClipByNorm(), x, 0.5), x * 0.5 / np.linalg.norm(x))
    np.testing.assert_array_equal(run(nn.ClipByNorm(), x, 1000.0), x)
    close(run(nn.MatMul(transpose_x1=True), x, y), x.T @ y)
    mean, variance = run(nn.Moments(0), x)
    close(mean, x.mean(0))
    close(variance, x.var(0))


# Dropout


@pytest.mark.parametrize(("cell", "share"), [(nn.Dropout(p=0.25), 0.25), (nn.Dropout(0.9), 0.1)])
def test_dropout(cell: nn.Dropout, share: float) -> None:
    x = normal(200, 50) + 10
    np.testing.assert_array_equal(cell(Tensor(x)).asnumpy(), x)
    cell.set_train()
    y, again = cell(Tensor(x)).asnumpy(), cell(Tensor(x)).asnumpy()
    zeros = y == 0
    assert abs(zeros.mean() - share) < 5 * math.sqrt(share * (1 - share) / x.size)
    np.testing.assert_allclose(y[~zeros], x[~zeros] / (1 - share), rtol=1e-6)
    assert not np.array_equal(zeros, again == 0)
    results = []
    for mode in (PYNATIVE_MODE, GRAPH_MODE):
        set_seed(3)
        set_context(mode=mode)
        results.append([cell(Tensor(x)).asnumpy() for _ in range(2)])
    np.testing.assert_array_equal(results[0], results[1])
    cell.set_train(False)


def test_dropout_of_channels() -> None:
    x = normal(20, 30, 4, 5) + 10
    cell = nn.Dropout2d(0.5).set_train()
    y = cell(Tensor(x)).asnumpy()
    dropped = (y == 0).all((2, 3))
    assert 0.4 < dropped.mean() < 0.6
    np.testing.assert_allclose(y[~dropped], x[~dropped] * 2, rtol=1e-6)
    np.testing.assert_array_equal(nn.Dropout2d(1.0).set_train()(Tensor(x)).asnumpy(), 0 * x)
    assert nn.Dropout1d()(Tensor(x[:, :, 0])).shape == (20, 30, 5)


# Activations


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def erf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erf)(x)


ACTIVATIONS: dict[str, tuple[Callable[[], nn.Cell], Callable[[np.ndarray], np.ndarray]]] = {
    "ReLU": (nn.ReLU, lambda x: np.maximum(x, 0)),
    "ReLU6": (nn.ReLU6, lambda x: np.clip(x, 0, 6)),
    "Sigmoid": (nn.Sigmoid, sigmoid),
    "Tanh": (nn.Tanh, np.tanh),
    "GELU": (nn.GELU, lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))),
    "GELU exact": (lambda: nn.GELU(False), lambda x: x / 2 * (1 + erf(x / math.sqrt(2)))),
    "FastGelu": (nn.FastGelu, lambda x: x * sigmoid(1.702 * x)),
    "SiLU": (nn.SiLU, lambda x: x * sigmoid(x)),
    "Mish": (nn.Mish, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    "HSwish": (nn.HSwish, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "HSigmoid": (nn.HSigmoid, lambda x: np.clip(x + 3, 0, 6) / 6),
    "LogSigmoid": (nn.LogSigmoid, lambda x: np.log(sigmoid(x))),
    "Softsign": (nn.Softsign, lambda x: x / (1 + np.abs(x))),
    "Softplus": (nn.Softplus, lambda x: np.log1p(np.exp(x))),
    "Tanhshrink": (nn.Tanhshrink, lambda x: x - np.tanh(x)),
    "ELU": (lambda: nn.ELU(0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    "CELU": (lambda: nn.CELU(2.0), lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2))),
    "SeLU": (nn.SeLU, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    "LeakyReLU": (nn.LeakyReLU, lambda x: np.where(x > 0, x, 0.2 * x)),
    "PReLU": (lambda: nn.PReLU(4, [0.1, 0.2, 0.3, 0.4]),
              lambda x: np.where(x > 0, x, x * np.array([0.1, 0.2, 0.3, 0.4]))),
    "Softmax": (nn.Softmax, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    "Softmax 0": (lambda: nn.Softmax(0), lambda x: np.exp(x) / np.exp(x).sum(0)),
    "LogSoftmax": (nn.LogSoftmax, lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
    "Softmin": (nn.Softmin, lambda x: np.exp(-x) / np.exp(-x).sum(-1, keepdims=True)),
    "HShrink": (nn.HShrink, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    "SoftShrink": (nn.SoftShrink, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0)),
    "Hardtanh": (lambda: nn.Hardtanh(-0.5, 2.0), lambda x: np.clip(x, -0.5, 2)),
    "Threshold": (lambda: nn.Threshold(0.1, 20.0), lambda x: np.where(x > 0.1, x, 20)),
    "GLU": (nn.GLU, lambda x: x[:, :2] * sigmoid(x[:, 2:])),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    make, formula = ACTIVATIONS[name]
    x = normal(5, 4) * 4
    close(run(make(), x), formula(x.astype(float)), 5e-6, 1e-6)


def test_get_activation() -> None:
    assert nn.get_activation(None) is None
    assert isinstance(nn.get_activation("leakyrelu"), nn.LeakyReLU)
    with pytest.raises(ValueError, match=r"^For 'Dense', the 'name' must be in .*but got 'swish'"):
        nn.Dense(2, 2, activation="swish")
    with pytest.raises(TypeError, match="'activation' must be str or Cell"):
        nn.Dense(2, 2, activation=3)


# Combined layers and measures of images


def test_layers_with_normalisation_and_activation() -> None:
    cell = nn.Conv2dBnAct(3, 4, 3, has_bn=True, activation="leakyrelu", alpha=0.1).set_train()
    x = normal(2, 3, 5, 5)
    y = standard(run(cell.conv, x), (0, 2, 3), 1e-5)
    close(run(cell, x), np.where(y > 0, y, 0.1 * y), 1e-4, 1e-4)
    assert [name for name, _ in cell.cells_and_names()] == ["", "conv", "batchnorm", "activation"]
    dense = nn.DenseBnAct(3, 4, activation="relu")
    close(run(dense, x[0, :, :, 0].T), np.maximum(run(dense.dense, x[0, :, :, 0].T), 0))
    with pytest.raises(ValueError, match="after_fake"):
        nn.Conv2dBnAct(3, 4, 3, after_fake=False)


def test_layers_of_older_networks() -> None:
    x = np.arange(2 * 4 * 5 * 6, dtype=F).reshape(2, 4, 5, 6)
    shuffled = run(nn.ChannelShuffle(2), x)
    np.testing.assert_array_equal(shuffled, x[:, [0, 2, 1, 3]])
    windows = run(nn.Unfold([1, 2, 3, 1], [1, 2, 1, 1], [1, 1, 2, 1]), x)
    assert windows.shape == (2, 24, 2, 2)
    np.testing.assert_array_equal(windows[0, :, 1, 0], x[0, :, 2:4, 0:5:2].transpose(1, 2, 0).reshape(-1))
    assert run(nn.Unfold([1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "same"), x).shape == (2, 16, 3, 3)
    rows = run(nn.ResizeBilinear(), x, (3, 4))[0, 0]
    np.testing.assert_allclose(rows[1], 10 + 1.5 * np.arange(4))
    assert run(nn.ResizeBilinear(), x, None, 2).shape == (2, 4, 10, 12)
    near = run(nn.LRN(), np.array([[[[0.1], [0.2]], [[0.3], [0.4]]]], F))
    close(near, [[[[0.09534626], [0.1825742]], [[0.2860388], [0.3651484]]]])
    slopes = nn.RReLU(0.25, 0.5)(Tensor(np.full((100,), -1.0, F))).asnumpy()
    assert -0.5 <= slopes.min() < slopes.max() <= -0.25
    assert nn.RReLU()(Tensor([2.0])).asnumpy() == 2.0
    with pytest.raises(ValueError, match="either 'size' or 'scale_factor'"):
        nn.ResizeBilinear()(Tensor(x))
    with pytest.raises(ValueError, match=r"format of 'ksizes' must be \[1, ksize_row, ksize_col, 1\]"):
        nn.Unfold([2, 2], [1, 1, 1, 1], [1, 1, 1, 1])
    with pytest.raises(ValueError, match=r"4 channels of .* do not make 3 groups"):
        nn.ChannelShuffle(3)(Tensor(x))


def test_psnr_and_ssim() -> None:
    a, b = (np.random.default_rng(s).random((2, 3, 14, 13)).astype(F) for s in (0, 1))
    close(run(nn.PSNR(2.0), a, b), 10 * np.log10(4 / ((a - b).astype(float) ** 2).mean((1, 2, 3))), 1e-5)
    close(run(nn.SSIM(), a, a), [1, 1], 1e-5)
    distance = np.arange(5) - 2.0
    line = np.exp(-(distance**2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2

    def blurred(x: np.ndarray) -> np.ndarray:
        return (np.lib.stride_tricks.sliding_window_view(x.astype(float), (5, 5), (2, 3)) * window).sum((-2, -1))

    ma, mb = blurred(a), blurred(b)
    va, vb, cov = blurred(a * a) - ma**2, blurred(b * b) - mb**2, blurred(a * b) - ma * mb
    wanted = (2 * ma * mb + 1e-4) * (2 * cov + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4))
    close(run(nn.SSIM(filter_size=5), a, b), wanted.mean((1, 2, 3)), 1e-4)
    with pytest.raises(ValueError, match="two float tensors"):
        nn.SSIM()(Tensor(a), Tensor(a[:1]))


# Recurrent layers


def recurrence(kind: str, x: np.ndarray, h: np.ndarray, c: np.ndarray, weights: list[np.ndarray]) -> Any:
    """One step in float64."""
    w_ih, w_hh, b_ih, b_hh = (w.astype(float) for w in weights)
    a, b = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    if kind == "RNN":
        return np.tanh(a + b), c
    if kind == "GRU":
        (ar, az, an), (br, bz, bn) = np.split(a, 3, -1), np.split(b, 3, -1)
        r, z = sigmoid(ar + br), sigmoid(az + bz)
        return (1 - z) * np.tanh(an + r * bn) + z * h, c
    i, f, g, o = np.split(a + b, 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_recurrent_cells(kind: str) -> None:
    cell = getattr(nn, f"{kind}Cell")(3, 4)
    x, h, c = normal(2, 3), normal(2, 4, seed=1), normal(2, 4, seed=2)
    state = (Tensor(h), Tensor(c)) if kind == "LSTM" else Tensor(h)
    found = run(cell, x, state)
    wanted = recurrence(kind, x, h, c, [getattr(cell, name).asnumpy() for name in NAMES])
    if kind == "LSTM":
        close(found[0], wanted[0])
        close(found[1], wanted[1])
    else:
        close(found, wanted[0])


@pytest.mark.parametrize("lengths", [None, [2, 4, 3]])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_recurrent_layers(kind: str, bidirectional: bool, lengths: list[int] | None) -> None:
    layers, time, batch, hidden = 2, 4, 3, 5
    cell = getattr(nn, kind)(3, hidden, layers, bidirectional=bidirectional)
    directions = 1 + bidirectional
    x = normal(time, batch, 3)
    h0, c0 = (normal(layers * directions, batch, hidden, seed=s) for s in (1, 2))
    state = (Tensor(h0), Tensor(c0)) if kind == "LSTM" else Tensor(h0)
    found = run(cell, x, state, None if lengths is None else Tensor(lengths))
    inputs, finals = x.astype(float), []
    ends = lengths or [time] * batch
    for layer in range(layers):
        sides = []
        for direction in range(directions):
            suffix = f"_l{layer}" + "_reverse" * direction
            weights = [getattr(cell, name + suffix).asnumpy() for name in NAMES]
            out = np.zeros((time, batch, hidden))
            last = np.zeros((2, batch, hidden))
            for n in range(batch):
                h, c = (s[layer * directions + direction, n].astype(float) for s in (h0, c0))
                order = range(ends[n])[::-1] if direction else range(ends[n])
                for t in order:
                    h, c = recurrence(kind, inputs[t, n], h, c, weights)
                    out[t, n] = h
                last[:, n] = h, c
            sides.append(out)
            finals.append(last)
        inputs = np.concatenate(sides, -1)
    close(found[0], inputs)
    for i, state_part in enumerate(found[1:]):
        close(state_part, np.stack([f[i] for f in finals]))


def test_recurrent_options() -> None:
    x = normal(3, 4, 2)
    relu = nn.RNN(2, 3, nonlinearity="relu", batch_first=True, has_bias=False)
    swapped = nn.RNN(2, 3, nonlinearity="relu", has_bias=False)
    swapped.load_state_dict(relu.state_dict())
    np.testing.assert_array_equal(run(relu, x)[0], run(swapped, x.swapaxes(0, 1))[0].swapaxes(0, 1))
    assert (run(relu, x)[0] >= 0).all()
    assert [p.name for p in nn.LSTM(2, 3, bidirectional=True, has_bias=False).get_parameters()] == [
        "weight_ih_l0", "weight_ih_l0_reverse", "weight_hh_l0", "weight_hh_l0_reverse",
    ]  # fmt: skip
    dropping = nn.GRU(2, 3, 2, dropout=0.5)
    assert np.array_equal(*(dropping(Tensor(x))[0].asnumpy() for _ in range(2)))
    dropping.set_train()
    assert not np.array_equal(*(dropping(Tensor(x))[0].asnumpy() for _ in range(2)))
    with pytest.raises(ValueError, match=r"For 'LSTM', the 'hx' must be 2 Tensor\(s\) of shape \(1, 4, 3\)"):
        nn.LSTM(2, 3)(Tensor(x), Tensor(normal(1, 4, 3)))
    with pytest.raises(ValueError, match="the input must be"):
        nn.LSTM(5, 3)(Tensor(x))


# Attention


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, heads: int, mask: Any) -> tuple[np.ndarray, np.ndarray]:
    """Of projected `[N, L, E]` in float64."""
    n, length, e = q.shape
    q, k, v = (x.reshape(n, -1, heads, e // heads).transpose(0, 2, 1, 3) for x in (q, k, v))
    scores = q @ k.swapaxes(2, 3) / math.sqrt(e // heads) + mask
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return (weights @ v).transpose(0, 2, 1, 3).reshape(n, length, e), weights


@pytest.mark.parametrize("masked", [False, True])
def test_multihead_attention(masked: bool) -> None:
    cell = nn.MultiheadAttention(8, 2)
    cell.in_proj_bias.set_data(normal(24, seed=9))
    q, k = normal(3, 2, 8), normal(4, 2, 8, seed=1)
    padding = np.array([[False, False, True, False], [False, True, True, False]])
    causal = np.triu(np.ones((3, 4), bool), 2)
    w, b = cell.in_proj_weight.asnumpy().astype(float), cell.in_proj_bias.asnumpy()
    wq, wk, wv = np.split(w, 3)
    bq, bk, bv = np.split(b, 3)
    turned = [x.swapaxes(0, 1).astype(float) for x in (q, k, k)]
    mask = np.where(padding[:, None, None] | causal, -np.inf, 0.0) if masked else 0.0
    heads, weights = attention(turned[0] @ wq.T + bq, turned[1] @ wk.T + bk, turned[2] @ wv.T + bv, 2, mask)
    wanted = (heads @ cell.out_proj.weight.asnumpy().T + cell.out_proj.bias.asnumpy()).swapaxes(0, 1)
    masks = (Tensor(padding), True, Tensor(causal)) if masked else (None, True, None)
    y, found = run(cell, q, k, k, *masks)
    close(y, wanted, 1e-5, 1e-5)
    close(found, weights.mean(1), 1e-5)
    close(run(cell, q, k, k, *masks, False)[1], weights, 1e-5)
    assert len(cell(Tensor(q), Tensor(q), Tensor(q), need_weights=False)) == 1
    # a float mask is added; unbatched and batch_first inputs give the same
    if masked:
        added = np.where(causal, -np.inf, 0.0).astype(F)
        np.testing.assert_array_equal(run(cell, q, k, k, masks[0], True, Tensor(added))[0], y)
    else:
        close(run(cell, q[:, 0], k[:, 0], k[:, 0])[0], wanted[:, 0], 1e-5, 1e-5)
        cell.batch_first = True
        close(run(cell, *(x.swapaxes(0, 1) for x in (q, k, k)))[0], wanted.swapaxes(0, 1), 1e-5, 1e-5)


def test_self_attention_in_one_product_is_the_same() -> None:
    cell, x = nn.MultiheadAttention(8, 2), normal(3, 2, 8)
    same = Tensor(x)
    np.testing.assert_array_equal(cell(same, same, same)[0].asnumpy(), run(cell, x, x.copy(), x.copy())[0])


def test_attention_to_other_features_and_added_keys() -> None:
    cell = nn.MultiheadAttention(8, 2, kdim=3, vdim=5, add_bias_kv=True, add_zero_attn=True, batch_first=True)
    q, k, v = normal(2, 3, 8), normal(2, 4, 3, seed=1), normal(2, 4, 5, seed=2)
    parts = [
        x.astype(float) @ getattr(cell, f"{name}_proj_weight").asnumpy().T for name, x in zip("qkv", (q, k, v))
    ]
    for i, bias in ((1, cell.bias_k), (2, cell.bias_v)):
        parts[i] = np.concatenate([parts[i], np.tile(bias.asnumpy(), (2, 1, 1)), np.zeros((2, 1, 8))], 1)
    heads, weights = attention(*parts, 2, 0.0)
    y, found = run(cell, q, k, v)
    close(y, heads @ cell.out_proj.weight.asnumpy().T, 1e-5, 1e-5)
    close(found, weights.mean(1), 1e-5)


@pytest.mark.parametrize(("key", "value"), [((2, 6, 8), (2, 6, 8)), ((4, 6, 8), (4, 6, 8)), ((3, 6, 8), (3, 5, 8))])
def test_attention_refuses_samples_and_lengths_that_differ(key: tuple[int, ...], value: tuple[int, ...]) -> None:
    cell = nn.MultiheadAttention(8, 2, batch_first=True)
    with pytest.raises(ValueError, match="must be of as many samples, and key and value of one length"):
        cell(Tensor(normal(3, 4, 8)), Tensor(normal(*key)), Tensor(normal(*value)))


@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_encoder_layer_is_its_parts(norm_first: bool) -> None:
    cell = nn.TransformerEncoderLayer(8, 2, 16, 0.0, "gelu", norm_first=norm_first)
    x = Tensor(normal(3, 2, 8))

    def attend(x: Tensor) -> Tensor:
        return cell.self_attn(x, x, x)[0]

    def feed(x: Tensor) -> Tensor:
        return cell.dense2(ops.gelu(cell.dense1(x), approximate="tanh"))

    if norm_first:
        y = x + attend(cell.norm1(x))
        y = y + feed(cell.norm2(y))
    else:
        y = cell.norm1(x + attend(x))
        y = cell.norm2(y + feed(y))
    np.testing.assert_array_equal(run(cell, x.asnumpy()), y.asnumpy())


@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_decoder_layer_is_its_parts(norm_first: bool) -> None:
    cell = nn.TransformerDecoderLayer(8, 2, 16, 0.0, norm_first=norm_first)
    x, memory = Tensor(normal(3, 2, 8)), Tensor(normal(5, 2, 8, seed=1))
    parts = (
        (cell.norm1, lambda x: cell.self_attn(x, x, x)[0]),
        (cell.norm2, lambda x: cell.multihead_attn(x, memory, memory)[0]),
        (cell.norm3, lambda x: cell.dense2(ops.relu(cell.dense1(x)))),
    )  # fmt: skip
    y = x
    for normalised, part in parts:
        y = y + part(normalised(y)) if norm_first else normalised(y + part(y))
    np.testing.assert_array_equal(run(cell, x.asnumpy(), memory.asnumpy()), y.asnumpy())


def test_transformer() -> None:
    net = nn.Transformer(8, 2, 2, 1, 16, 0.0)
    src, tgt = normal(4, 3, 8), normal(5, 3, 8, seed=1)
    y = run(net, src, tgt)
    wanted = Tensor(src)
    for layer in net.encoder.layers:
        wanted = layer(wanted)
    memory = net.encoder.norm(wanted)
    wanted = net.decoder.norm(net.decoder.layers[0](Tensor(tgt), memory))
    np.testing.assert_array_equal(y, wanted.asnumpy())
    # with a causal mask the first output does not depend on later inputs
    causal = Tensor(np.triu(np.ones((5, 5), bool), 1))
    other = tgt.copy()
    other[1:] += 1
    firsts = [net(Tensor(src), Tensor(t), None, causal).asnumpy()[0] for t in (tgt, other)]
    np.testing.assert_array_equal(firsts[0], firsts[1])
    names = [p.name for p in net.get_parameters()]
    assert len(names) == len(set(names))
    assert "encoder.layers.1.self_attn.in_proj_weight" in names and "decoder.layers.0.norm3.beta" in names
    net.check_names()


# Losses

LABELS = np.array([0, 2, 1, 2], np.int32)


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x.astype(float)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def picked(x: np.ndarray) -> np.ndarray:
    return log_softmax(x)[np.arange(4), LABELS]


def positive(seed: int = 1) -> np.ndarray:
    return np.abs(normal(4, 3, seed=seed)) + F(0.1)


def chances(seed: int = 1) -> np.ndarray:
    p = positive(seed)
    return p / p.sum(1, keepdims=True)


X, Y = normal(4, 3), normal(4, 3, seed=1)
WEIGHT = np.array([1.0, 2.0, 3.0])
SIGNS = np.sign(Y)
D = np.abs(X.astype(float) - Y)
FACTORIAL = np.vectorize(lambda t: t * math.log(t) - t + 0.5 * math.log(2 * math.pi * t) if t > 1 else 0.0)

LOSSES: dict[str, tuple[nn.Cell, tuple[np.ndarray, ...], Any]] = {
    "L1": (nn.L1Loss(), (X, Y), D.mean()),
    "L1 sum": (nn.L1Loss("sum"), (X, Y), D.sum()),
    "L1 none": (nn.L1Loss("none"), (X, Y), D),
    "MAE": (nn.MAELoss(), (X, Y), D.mean()),
    "MSE": (nn.MSELoss(), (X, Y), (D**2).mean()),
    "RMSE": (nn.RMSELoss(), (X, Y), math.sqrt((D**2).mean())),
    "SmoothL1": (nn.SmoothL1Loss(0.5), (X, Y), np.where(D < 0.5, D**2, D - 0.25)),
    "Huber": (nn.HuberLoss(delta=0.5), (X, Y), np.where(D <= 0.5, D**2 / 2, 0.5 * (D - 0.25)).mean()),
    "CrossEntropy": (nn.CrossEntropyLoss(), (X, LABELS), -picked(X).mean()),
    "CrossEntropy none": (nn.CrossEntropyLoss(reduction="none"), (X, LABELS), -picked(X)),
    "CrossEntropy weight": (nn.CrossEntropyLoss(Tensor(WEIGHT.astype(F))), (X, LABELS),
                            -(picked(X) * WEIGHT[LABELS]).sum() / WEIGHT[LABELS].sum()),
    "CrossEntropy ignore": (nn.CrossEntropyLoss(ignore_index=2), (X, LABELS), -picked(X)[[0, 2]].mean()),
    "CrossEntropy smoothing": (nn.CrossEntropyLoss(label_smoothing=0.3), (X, LABELS),
                               -(0.7 * picked(X) + 0.3 * log_softmax(X).mean(1)).mean()),
    "CrossEntropy chances": (nn.CrossEntropyLoss(), (X, chances()), -(log_softmax(X) * chances()).sum(1).mean()),
    "NLL": (nn.NLLLoss(), (X, LABELS), -X[np.arange(4), LABELS].astype(float).mean()),
    "NLL weight": (nn.NLLLoss(Tensor(WEIGHT.astype(F)), reduction="sum"), (X, LABELS),
                   -(X[np.arange(4), LABELS] * WEIGHT[LABELS]).sum()),
    "SoftmaxCrossEntropy": (nn.SoftmaxCrossEntropyWithLogits(), (X, chances()), -(log_softmax(X) * chances()).sum(1)),
    "SoftmaxCrossEntropy sparse": (nn.SoftmaxCrossEntropyWithLogits(True), (X, LABELS), -picked(X)),
    "SoftmaxCrossEntropy mean": (nn.SoftmaxCrossEntropyWithLogits(True, "mean"), (X, LABELS), -picked(X).mean()),
    "BCE": (nn.BCELoss(), (chances(), chances(2)),
            -(chances(2) * np.log(chances()) + (1 - chances(2)) * np.log(1 - chances())).mean()),
    "BCE weight": (nn.BCELoss(Tensor(WEIGHT.astype(F)), "none"), (chances(), chances(2)),
                   -(chances(2) * np.log(chances()) + (1 - chances(2)) * np.log(1 - chances())) * WEIGHT),
    "BCE logits": (nn.BCEWithLogitsLoss(), (X, chances()),
                   -(chances() * np.log(sigmoid(X)) + (1 - chances()) * np.log(1 - sigmoid(X))).mean()),
    "BCE logits weights": (
        nn.BCEWithLogitsLoss("sum", Tensor([0.5, 1.0, 2.0]), Tensor(WEIGHT.astype(F))), (X, chances()),
        -((WEIGHT * chances() * np.log(sigmoid(X)) + (1 - chances()) * np.log(1 - sigmoid(X))) * [0.5, 1, 2]).sum()),
    "KLDiv": (nn.KLDivLoss(), (X, chances()), (chances() * (np.log(chances()) - X)).mean()),
    "KLDiv batchmean": (nn.KLDivLoss("batchmean"), (X, chances()), (chances() * (np.log(chances()) - X)).sum() / 4),
    "CosineEmbedding": (
        nn.CosineEmbeddingLoss(0.2), (X, Y, np.array([1, -1, 1, -1], np.int32)),
        np.where([1, 0, 1, 0], 1 - (cos := (X * Y).sum(1) / np.linalg.norm(X, axis=1) / np.linalg.norm(Y, axis=1)),
                 np.maximum(0, cos - 0.2)).mean()),
    "MarginRanking": (nn.MarginRankingLoss(0.3), (X, Y, SIGNS), np.maximum(0, -SIGNS * (X - Y) + 0.3).mean()),
    "HingeEmbedding": (nn.HingeEmbeddingLoss(), (X, SIGNS), np.where(SIGNS == 1, X, np.maximum(0, 1 - X)).mean()),
    "SoftMargin": (nn.SoftMarginLoss(), (X, SIGNS), np.log1p(np.exp(-SIGNS * X)).mean()),
    "TripletMargin": (
        nn.TripletMarginLoss(margin=2.0), (X, Y, X[::-1].copy()),
        np.maximum(0, np.linalg.norm(X - Y + 1e-6, axis=1) - np.linalg.norm(X - X[::-1] + 1e-6, axis=1) + 2).mean()),
    "PoissonNLL": (nn.PoissonNLLLoss(), (X, positive()), (np.exp(X) - positive() * X).mean()),
    "PoissonNLL full": (nn.PoissonNLLLoss(False, True, 1e-3, "none"), (positive(), positive(2) * 2),
                        positive() - positive(2) * 2 * np.log(positive() + 1e-3) + FACTORIAL(positive(2) * 2.0)),
    "GaussianNLL": (nn.GaussianNLLLoss(), (X, Y, positive()), 0.5 * (np.log(positive()) + D**2 / positive()).mean()),
    "Dice": (nn.DiceLoss(), (chances(), chances(2)),
             1 - 2 * (chances() * chances(2)).sum() / ((chances() ** 2).sum() + (chances(2) ** 2).sum() + 1e-5)),
    "MultiMargin": (nn.MultiMarginLoss(2, 0.7), (X, LABELS), np.mean([
        sum(max(0.0, 0.7 - X[n, t] + X[n, i]) ** 2 for i in range(3) if i != t) / 3 for n, t in enumerate(LABELS)])),
    "MultiLabelSoftMargin": (
        nn.MultiLabelSoftMarginLoss(), (X, np.float32(Y > 0)),
        -((Y > 0) * np.log(sigmoid(X)) + (Y <= 0) * np.log(1 - sigmoid(X))).mean()),
    "Focal": (nn.FocalLoss(gamma=1.5), (X, LABELS[:, None]), -((1 - np.exp(picked(X))) ** 1.5 * picked(X)).mean()),
    "Focal one-hot": (nn.FocalLoss(), (X, np.eye(3, dtype=F)[LABELS]),
                      -((1 - np.exp(picked(X))) ** 2 * picked(X)).sum() / 12),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name: str) -> None:
    cell, inputs, wanted = LOSSES[name]
    close(run(cell, *inputs), wanted, 5e-6)


def test_losses_print_what_mindspore_manual_prints() -> None:
    logits, labels = Tensor([[1, 2, 3], [2, 3, 4]], graphc.float32), Tensor([[0, 2, 5], [3, 1, 1]], graphc.float32)
    assert str(nn.L1Loss()(logits, labels)) == "1.5"
    triplet = [Tensor(v) for v in ([[0.3, 0.7], [0.5, 0.5]], [[0.4, 0.6], [0.4, 0.6]], [[0.2, 0.9], [0.3, 0.7]])]
    assert float(nn.TripletMarginLoss()(*triplet)) == pytest.approx(0.8881968, abs=1e-6)
    focal = nn.FocalLoss(Tensor([1, 2]))(Tensor([[0.8, 1.4], [0.5, 0.9], [1.2, 0.9]]), Tensor([[1], [1], [0]]))
    assert float(focal) == pytest.approx(0.12516622, abs=1e-6)


def test_cross_entropy_over_positions_and_bad_labels() -> None:
    x, labels = normal(2, 3, 4), np.array([[0, 1, 2, 2], [1, 1, 0, 2]])
    rows = log_softmax(x.swapaxes(1, 2)).reshape(8, 3)
    close(run(nn.CrossEntropyLoss(), x, labels), -rows[np.arange(8), labels.ravel()].mean())
    with pytest.raises(IndexError, match="3"):
        nn.CrossEntropyLoss()(Tensor(X), Tensor([0, 1, 2, 3]))
    with pytest.raises(TypeError, match="integers"):
        nn.SoftmaxCrossEntropyWithLogits(sparse=True)(Tensor(X), Tensor(Y))


def test_own_loss() -> None:
    class Mine(nn.LossBase):
        def construct(self, x: Tensor, y: Tensor) -> Tensor:
            return self.get_loss(ops.abs(x - y), 2.0)

    close(run(Mine(), X, Y), 2 * D.mean())
    close(run(Mine("sum"), X, Y), 2 * D.sum(), 1e-5)
    close(run(Mine("none"), X, Y), 2 * D)
    with pytest.raises(ValueError, match="'reduction' must be in"):
        Mine("average")


# Containers


def names(cell: nn.Cell) -> list[str]:
    return [p.name for p in cell.get_parameters()]


def test_sequential_cell() -> None:
    first, second = nn.Dense(3, 2), nn.Dense(2, 2)
    net = nn.SequentialCell(first, nn.ReLU(), second)
    x = normal(4, 3)
    np.testing.assert_array_equal(run(net, x), second(ops.relu(first(Tensor(x)))).asnumpy())
    assert names(net) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(net) == 3 and net[0] is first and net[-1] is second and list(net)[2] is second
    np.testing.assert_array_equal(net[:1](Tensor(x)).asnumpy(), first(Tensor(x)).asnumpy())
    assert names(net[2:]) == ["2.weight", "2.bias"]
    same = nn.SequentialCell([first, second])
    assert len(same) == 2
    named = nn.SequentialCell(OrderedDict(a=nn.Dense(3, 2), b=nn.ReLU()))
    assert names(named) == ["a.weight", "a.bias"] and named.a is named[0]


def test_sequential_cell_changes() -> None:
    net = nn.SequentialCell(nn.Dense(1, 1), nn.Dense(1, 1))
    a, b = net
    c = nn.Dense(1, 1)
    net.insert(1, c)
    assert list(net) == [a, c, b]
    assert names(net) == [f"{i}.{kind}" for i in range(3) for kind in ("weight", "bias")]
    assert (c.weight.name, b.weight.name) == ("1.weight", "2.weight")
    del net[0]
    assert list(net) == [c, b] and names(net) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    net[0] = nn.ReLU()
    net.append(a)
    assert list(net)[1:] == [b, a] and isinstance(net[0], nn.ReLU)
    with pytest.raises(IndexError, match="out of range"):
        net[3]
    with pytest.raises(TypeError, match="each cell must be a Cell"):
        net.append(abs)
    with pytest.raises(TypeError, match="each cell must be a Cell"):
        nn.SequentialCell(3)


def test_changing_a_sequential_cell_compiles_it_again() -> None:
    net = nn.SequentialCell(nn.Dense(2, 2, 1.0, 0.0))
    set_context(mode=GRAPH_MODE)
    x = Tensor([[1.0, 2.0]])
    np.testing.assert_array_equal(net(x).asnumpy(), [[3, 3]])
    net.append(nn.Dense(2, 1, 1.0, 0.0))
    np.testing.assert_array_equal(net(x).asnumpy(), [[6]])
    net[0] = nn.Dense(2, 2, 2.0, 0.0)
    np.testing.assert_array_equal(net(x).asnumpy(), [[12]])
    del net[1]
    np.testing.assert_array_equal(net(x).asnumpy(), [[6, 6]])


def test_cell_list() -> None:
    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.CellList([nn.Dense(2, 2) for _ in range(2)])
            self.blocks.append(nn.Dense(2, 1))
            self.blocks.insert(0, nn.ReLU())

        def construct(self, x: Tensor) -> Tensor:
            for block in self.blocks:
                x = block(x)
            return x

    net = Net()
    assert run(net, normal(3, 2)).shape == (3, 1)
    assert names(net)[::2] == ["blocks.1.weight", "blocks.2.weight", "blocks.3.weight"]
    assert len(net.blocks + nn.CellList(nn.ReLU())) == 5
    net.blocks.extend([nn.Tanh(), nn.Dense(1, 1)])
    assert names(net)[-1] == "blocks.5.bias"
    assert [type(c).__name__ for c in net.blocks[:2]] == ["ReLU", "Dense"]


def test_cell_dict() -> None:
    cells = nn.CellDict({"fc": nn.Dense(2, 2), "act": nn.ReLU()})
    assert names(cells) == ["fc.weight", "fc.bias"]
    assert list(cells) == ["fc", "act"] and "fc" in cells and len(cells) == 2
    cells.update([("out", nn.Dense(2, 1))])
    assert cells["out"].weight.name == "out.weight"
    act = cells.pop("act")
    assert isinstance(act, nn.ReLU) and list(cells.keys()) == ["fc", "out"]
    del cells["fc"]
    with pytest.raises(KeyError, match="no key 'fc'"):
        cells["fc"]
    with pytest.raises(KeyError, match="already has 'training'"):
        cells["training"] = nn.ReLU()
    with pytest.raises(KeyError, match="without dots"):
        cells["a.b"] = nn.ReLU()
    cells.clear()
    assert len(cells) == 0


# Cells


class Shown(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5, pad_mode="valid", weight_init="normal")
        self.bn = nn.BatchNorm2d(6)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2, 2)
        self.flat = nn.Flatten()
        self.drop = nn.Dropout(p=0.5)
        self.seq = nn.SequentialCell(nn.Dense(10, 4), nn.Tanh(), nn.Dense(4, 2, has_bias=False, activation="relu"))
        self.lst = nn.CellList([nn.Dense(2, 2)])
        self.emb = nn.Embedding(10, 4)
        self.ln = nn.LayerNorm((4,))
        self.sm = nn.Softmax()
        self.gelu = nn.GELU()
        self.avg = nn.AvgPool2d(2)


def test_a_cell_that_holds_itself_prints() -> None:
    net = nn.Dense(2, 3)
    net.other = net
    assert str(net).endswith("\n  (other): ...\n)") and len(list(net.get_parameters())) == 2


def test_printing_is_mindspore() -> None:
    def parameter(name: str, shape: str, grad: bool = True) -> str:
        return f"Parameter (name={name}, shape={shape}, dtype=Float32, requires_grad={grad})"

    assert repr(Shown()) == f"""Shown(
  (conv): Conv2d(input_channels=1, output_channels=6, kernel_size=(5, 5), stride=(1, 1), pad_mode=valid, padding=0, \
dilation=(1, 1), group=1, has_bias=False, weight_init=normal, bias_init=None, format=NCHW)
  (bn): BatchNorm2d(num_features=6, eps=1e-05, momentum=0.9, gamma={parameter("bn.gamma", "(6,)")}, \
beta={parameter("bn.beta", "(6,)")}, moving_mean={parameter("bn.moving_mean", "(6,)", False)}, \
moving_variance={parameter("bn.moving_variance", "(6,)", False)})
  (relu): ReLU()
  (pool): MaxPool2d(kernel_size=2, stride=2, pad_mode=VALID)
  (flat): Flatten()
  (drop): Dropout(p=0.5)
  (seq): SequentialCell(
    (0): Dense(input_channels=10, output_channels=4, has_bias=True)
    (1): Tanh()
    (2): Dense(
      input_channels=4, output_channels=2, activation=ReLU()
      (activation): ReLU()
    )
  )
  (lst): CellList(
    (0): Dense(input_channels=2, output_channels=2, has_bias=True)
  )
  (emb): Embedding(vocab_size=10, embedding_size=4, use_one_hot=False, \
embedding_table={parameter("emb.embedding_table", "(10, 4)")}, dtype=Float32, padding_idx=None)
  (ln): LayerNorm(normalized_shape=(4,), begin_norm_axis=-1, begin_params_axis=-1, \
gamma{parameter("ln.gamma", "(4,)")}, beta={parameter("ln.beta", "(4,)")})
  (sm): Softmax()
  (gelu): GELU()
  (avg): AvgPool2d(kernel_size=2, stride=1, pad_mode=VALID)
)"""
    assert repr(nn.SoftmaxCrossEntropyWithLogits(sparse=True)) == "SoftmaxCrossEntropyWithLogits()"


def test_names_follow_attribute_paths_also_of_what_comes_late() -> None:
    net = Shown()
    assert {"conv.weight", "seq.0.weight", "bn.gamma", "emb.embedding_table", "lst.0.bias"} <= set(names(net))
    net.seq.late = nn.Dense(1, 1)
    net.conv.extra = Parameter(np.zeros(2, F))
    assert net.seq.late.weight.name == "seq.late.weight" and net.conv.extra.name == "conv.extra"
    net.conv.weight = Parameter(np.zeros((6, 1, 5, 5), F))
    assert net.conv.weight.name == "conv.weight"
    assert names(net)[:2] == ["conv.weight", "conv.extra"]  # what takes the place of its like keeps its position
    own = Parameter(np.zeros(2, F), name="own")
    net.bn.own = own
    assert own.name == "own"


def test_a_cell_is_named_anew_wherever_it_goes() -> None:
    class Own(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.scale = Parameter(Tensor([1.0]), name="gain")

    own = Own()
    assert own.scale.name == "gain"
    first = nn.SequentialCell(own)
    assert own.scale.name == "0.scale"
    second = nn.SequentialCell({"other": own})
    assert [p.name for p in second.get_parameters()] == ["other.scale"]
    nn.SequentialCell(nn.ReLU(), first)
    assert own.scale.name == "1.0.scale"
    own.update_parameters_name("mine.")
    own.update_parameters_name("yours.")
    assert own.scale.name == "yours.scale"


class InLists(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Dense(2, 2)]
        self.scales = {"first": Parameter(ops.ones(2), name="scale")}
        self.known = nn.Dense(2, 2)
        self.again = [self.known, nn.ReLU(), 3]
        self.rates = (self.known.weight, 0.1)


def test_parameters_in_plain_lists_are_not_left_out_silently() -> None:
    with pytest.warns(UserWarning) as seen:
        assert len(InLists().trainable_params()) == 2
    texts = [str(warning.message) for warning in seen]
    assert [text.partition(":")[0] for text in texts] == ["InLists.layers is a list", "InLists.scales is a dict"]
    assert all("no part of InLists" in text and "nn.CellList" in text for text in texts)
    assert all(warning.filename == __file__ for warning in seen)


def test_what_takes_the_place_of_parameters_and_cells() -> None:
    net = nn.SequentialCell(nn.Dense(2, 1, has_bias=False))
    weight = net[0].weight
    net[0].weight = Tensor([[4.0, 5.0]])
    assert net[0].weight is weight and weight.tolist() == [[4, 5]] and net.trainable_params() == [weight]
    for name, value in (("weight", 3), ("weight", [1.0, 2.0]), ("weight", np.ones(2))):
        with pytest.raises(TypeError, match=r"Dense.weight: expected .* of a Parameter, got (int|list|ndarray)"):
            setattr(net[0], name, value)
    with pytest.raises(TypeError, match="in the place of a Dense, got function"):
        setattr(net, "0", ops.relu)
    with pytest.raises(ValueError, match="weight"):
        net[0].weight = Tensor([1.0, 2.0, 3.0])
    net[0].weight = None
    net[0].weight = 3
    assert net.trainable_params() == [] and net[0].weight == 3


def test_names_of_inner_cells_are_checked() -> None:
    net = nn.Cell()
    for name in ("", "a.b", 3):
        with pytest.raises(KeyError, match="expected a name without dots"):
            net.insert_child_to_cell(name, nn.ReLU())
    net.insert_child_to_cell("later", None)
    assert net.later is None
    net.later = nn.ReLU()
    assert [name for name, _ in net.cells_and_names()] == ["", "later"]


def test_set_train_reaches_inner_cells() -> None:
    net = Shown()
    assert not net.training and not net.seq[0].training
    net.set_train()
    assert all(cell.training for _, cell in net.cells_and_names())
    net.set_train(False)
    assert not net.drop.training


def test_buffers_and_state_dict() -> None:
    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Dense(2, 2)
            self.fc.register_buffer("scale", Tensor([2.0]))
            self.register_buffer("seen", None)
            self.register_buffer("cache", Tensor([1.0]), persistent=False)

        def construct(self, x: Tensor) -> Tensor:
            return self.fc(x) * self.fc.scale

    net = Net()
    assert [name for name, _ in net.named_buffers()] == ["cache", "fc.scale"]
    assert list(net.state_dict()) == ["fc.weight", "fc.bias", "fc.scale"]
    assert net.get_buffer("fc.scale") is net.fc.scale
    saved = {name: value.asnumpy() for name, value in net.state_dict().items()}
    other = Net()
    other.fc.scale = Tensor([5.0])
    loaded = other.load_state_dict(saved)
    assert loaded == ([], []) and str(loaded) == "<All keys matched successfully>"
    x = normal(3, 2)
    np.testing.assert_array_equal(run(other, x), run(net, x))
    before = other.fc.bias.asnumpy()
    for bad in ({}, {**saved, "more": np.zeros(1)}, {**saved, "fc.weight": np.zeros((3, 2), F), "fc.bias": before + 1}):
        with pytest.raises(RuntimeError, match="load_state_dict"):
            other.load_state_dict(bad)
        np.testing.assert_array_equal(other.fc.bias.asnumpy(), before)
    assert other.load_state_dict({"more": np.zeros(1), "fc.bias": before}, strict=False) == (
        ["fc.weight", "fc.scale"], ["more"],
    )  # fmt: skip
    partly = other.load_state_dict({"fc.bias": before, "fc.scale": np.ones(1)}, strict=False)
    assert "missing_keys=['fc.weight']" in str(partly)
    with pytest.raises(KeyError, match="already has 'weight'"):
        net.fc.register_buffer("weight", Tensor([1.0]))


def test_copies_and_pickles_are_independent_and_run() -> None:
    net = nn.SequentialCell(nn.Dense(2, 2), nn.BatchNorm1d(2))
    x = Tensor(normal(3, 2))
    set_context(mode=GRAPH_MODE)
    wanted = net(x).asnumpy()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(other(x).asnumpy(), wanted)
        other[0].weight.set_data(Tensor(np.zeros((2, 2), F)))
        assert names(other) == names(net)
    np.testing.assert_array_equal(net(x).asnumpy(), wanted)


def test_small_cell_methods() -> None:
    net = Shown()
    assert net.get_sub_cell("seq.0") is net.seq[0] and net.get_sub_cell("") is net
    with pytest.raises(AttributeError, match="no cell 'none'"):
        net.get_sub_cell("seq.none")
    net.add_flags_recursive(fp16=True)
    assert net.seq[0].get_flags() == {"fp16": True} and net.seq[0].fp16 is True
    net.check_names()
    net.fc = nn.Dense(2, 2)
    net.fc.weight.name = "conv.weight"
    with pytest.raises(ValueError, match=r"two Parameters of Shown are named 'conv\.weight'"):
        net.check_names()
    wide = nn.Dense(2, 1).to_float(graphc.float32)
    assert wide(Tensor(np.ones((1, 2)))).dtype is graphc.float32
    with pytest.raises(ValueError, match="dst_type must be float16, bfloat16 or float32"):
        wide.to_float(graphc.float64)


# Cells around networks


class Quadratic(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.w = Parameter(Tensor([1.0, -2.0]))

    def construct(self, x: Tensor) -> Tensor:
        return (self.w * self.w * x).sum()


@pytest.mark.parametrize("mode", [PYNATIVE_MODE, GRAPH_MODE])
def test_train_one_step_cell(mode: int) -> None:
    set_context(mode=mode)
    net = Quadratic()
    step = nn.TrainOneStepCell(net, nn.SGD(net.trainable_params(), 0.25))
    assert net.training
    assert float(step(Tensor([1.0, 1.0]))) == 5.0
    np.testing.assert_array_equal(net.w.asnumpy(), [0.5, -1.0])
    assert names(step)[0] == "w"
    scaled = nn.TrainOneStepCell(net, nn.SGD(net.trainable_params(), 0.25, loss_scale=8.0), sens=8.0, return_grad=True)
    loss, grads = scaled(Tensor([1.0, 1.0]))
    assert float(loss) == 1.25
    np.testing.assert_array_equal(grads["w"].asnumpy(), [8.0, -16.0])
    np.testing.assert_array_equal(net.w.asnumpy(), [0.25, -0.5])


@pytest.mark.parametrize("wrap", [nn.PipelineCell, nn.GradAccumulationCell, nn.MicroBatchInterleaved])
def test_a_batch_in_parts_sums_what_they_come_to(wrap: type[nn.Cell]) -> None:
    net = nn.WithLossCell(nn.Dense(3, 2), nn.MSELoss())
    x, y = normal(6, 3), normal(6, 2, seed=1)
    parts = [net(Tensor(x[i : i + 2]), Tensor(y[i : i + 2])).asnumpy() for i in (0, 2, 4)]
    whole = wrap(net, 3)
    np.testing.assert_array_equal(run(whole, x, y), parts[0] + parts[1] + parts[2])
    slopes = [grad(cell, None, net.trainable_params())(Tensor(x), Tensor(y))[0].asnumpy() for cell in (whole, net)]
    close(slopes[0], 3 * slopes[1])
    assert [p.name for p in whole.trainable_params()] == [p.name for p in net.trainable_params()]
    with pytest.raises(ValueError, match=r"a batch must be a multiple of 3, but got f32\[4,3\]"):
        whole(Tensor(x[:4]), Tensor(y[:4]))
    with pytest.raises(TypeError, match="the 'network' must be a Cell, but got int"):
        wrap(3, 2)


def test_there_is_one_stage() -> None:
    nn.PipelineCell(nn.Dense(3, 2), 2, {"fc": 0})
    with pytest.raises(ValueError, match="every stage must be 0 in one process"):
        nn.PipelineCell(nn.Dense(3, 2), 2, {"fc": 1})


@pytest.mark.parametrize("mode", [PYNATIVE_MODE, GRAPH_MODE])
def test_with_loss_and_eval_cells(mode: int) -> None:
    set_context(mode=mode)
    net = nn.Dense(2, 3)
    x, y = Tensor(normal(4, 2)), Tensor(normal(4, 3, seed=1))
    loss = nn.WithLossCell(net, nn.MSELoss())(x, y)
    assert float(loss) == float(nn.MSELoss()(net(x), y))
    assert nn.WithLossCell(net, nn.MSELoss()).backbone_network is net
    found = nn.WithEvalCell(net, nn.MSELoss())(x, y)
    assert float(found[0]) == float(loss)
    np.testing.assert_array_equal(found[1].asnumpy(), net(x).asnumpy())
    assert len(nn.WithEvalCell(net, None)(x, y)) == 2
    assert names(nn.WithLossCell(net, nn.MSELoss())) == ["weight", "bias"]


@pytest.mark.parametrize("mode", [PYNATIVE_MODE, GRAPH_MODE])
def test_forward_value_and_grad(mode: int) -> None:
    set_context(mode=mode)
    net, x = Quadratic(), Tensor([1.0, 3.0])
    loss, grads = nn.ForwardValueAndGrad(net, net.trainable_params(), get_by_list=True)(x)
    assert float(loss) == 13.0
    np.testing.assert_array_equal(grads[0].asnumpy(), [2.0, -12.0])
    _, (by_input, by_weight) = nn.ForwardValueAndGrad(net, net.trainable_params(), True, True)(x)
    np.testing.assert_array_equal(by_input[0].asnumpy(), [1.0, 4.0])
    np.testing.assert_array_equal(by_weight[0].asnumpy(), [2.0, -12.0])
    _, scaled = nn.ForwardValueAndGrad(net, sens_param=True)(x, Tensor(2.0))
    np.testing.assert_array_equal(scaled.asnumpy(), [2.0, 8.0])
    with pytest.raises(TypeError, match="needs the 'weights'"):
        nn.ForwardValueAndGrad(net, get_by_list=True)


@pytest.mark.parametrize("mode", [PYNATIVE_MODE, GRAPH_MODE])
def test_loss_scaling_skips_steps_that_overflow(mode: int) -> None:
    set_context(mode=mode)
    net = Quadratic()
    optimizer = nn.Momentum(net.trainable_params(), 0.25, 0.5)
    step = nn.TrainOneStepWithLossScaleCell(net, optimizer, nn.DynamicLossScaleUpdateCell(1024.0, 2.0, 2))
    loss, overflow, scale = step(Tensor([1.0, 1.0]))
    assert (float(loss), bool(overflow), float(scale)) == (5.0, False, 1024.0)
    np.testing.assert_array_equal(net.w.asnumpy(), [0.5, -1.0])
    state = [p.asnumpy() for p in optimizer.get_parameters()]
    assert optimizer.global_step.asnumpy() == 1
    _, overflow, _ = step(Tensor([3e38, 1.0]))  # 2 * 0.5 * 3e38 * 1024 is infinite
    assert bool(overflow)
    for p, value in zip(optimizer.get_parameters(), state, strict=True):
        np.testing.assert_array_equal(p.asnumpy(), value)
    assert float(step.scale_sense) == 512.0
    scales = [float(step(Tensor([1.0, 1.0]))[2]) for _ in range(5)]
    assert scales == [512.0, 512.0, 1024.0, 1024.0, 2048.0]


def test_fixed_loss_scale() -> None:
    net = Quadratic()
    step = nn.TrainOneStepWithLossScaleCell(net, nn.SGD(net.trainable_params(), 0.25), Tensor(16.0))
    assert float(step(Tensor([1.0, 1.0]))[2]) == 16.0
    np.testing.assert_array_equal(net.w.asnumpy(), [0.5, -1.0])
    step.set_sense_scale(Tensor(4.0))
    assert float(step(Tensor([1.0, 1.0]))[2]) == 4.0
    managed = nn.TrainOneStepWithLossScaleCell(
        net, nn.SGD(net.trainable_params(), 0.25), nn.FixedLossScaleUpdateCell(4.0)
    )
    assert float(managed(Tensor([1.0, 1.0]))[2]) == 4.0
    with pytest.raises(ValueError, match="left to a Cell"):
        managed.set_sense_scale(Tensor(1.0))


def test_parameter_update() -> None:
    p = Parameter(Tensor([1.0, 2.0]), "p")
    nn.ParameterUpdate(p)(Tensor([3.0, 4.0]))
    np.testing.assert_array_equal(p.asnumpy(), [3, 4])


# Errors


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: nn.Dense(-1, 3), ValueError,
         r"^For 'Dense', the 'in_channels' must be int and must > 0, but got '-1' with type 'int'\.$"),
        (lambda: nn.Dense(1.5, 3), TypeError, "with type 'float'"),
        (lambda: nn.Dense(3, True), TypeError, "with type 'bool'"),
        (lambda: nn.Dense(3, 4, Tensor([1.0])), ValueError, "shape"),
        (lambda: nn.Dense(3, 4, dtype=graphc.int32), TypeError, "float32 or float64"),
        (lambda: nn.Dense(3, 4)(Tensor(normal(2, 5))), ValueError, "5 features, weight .* takes 3"),
        (lambda: nn.Conv2d(1, 2, 3, pad_mode="xx"), ValueError,
         r"^For 'Conv2D', the 'pad_mode' must be str and must be in '\['valid', 'same', 'pad'\]', but got 'xx'\.$"),
        (lambda: nn.Conv2d(1, 2, 0), ValueError, "'kernel_size' must be an int or a tuple of 2 ints, all >= 1"),
        (lambda: nn.Conv2d(1, 2, (3, 3, 3)), ValueError, "tuple of 2 ints"),
        (lambda: nn.Conv2d(1, 2, 3, padding=1), ValueError, "must be zero when 'pad_mode' is 'same'"),
        (lambda: nn.Conv2d(1, 2, 3, pad_mode="pad", padding=(1, 1)), ValueError, "tuple of 4"),
        (lambda: nn.Conv2d(3, 4, 3, group=2), ValueError, "'in_channels' must be divisible by attr 'group'"),
        (lambda: nn.Conv2d(1, 2, 3, data_format="NHWC"), ValueError, "'data_format' must be 'NCHW', but got 'NHWC'"),
        (lambda: nn.Conv2d(1, 2, 3)(Tensor(normal(2, 3, 5, 5))), ValueError, "channels"),
        (lambda: nn.Conv2dTranspose(1, 2, 3, output_padding=1), ValueError, "'output_padding' must be zero"),
        (lambda: nn.MaxPool2d(0), ValueError, "kernel_size"),
        (lambda: nn.MaxPool2d(2, pad_mode="full"), ValueError, "pad_mode"),
        (lambda: nn.MaxPool2d(2, padding=1), ValueError, "must be zero when"),
        (lambda: nn.AvgPool2d(2, divisor_override=0), ValueError, "divisor_override"),
        (lambda: nn.BatchNorm2d(0), ValueError, "num_features"),
        (lambda: nn.BatchNorm2d(3, momentum=1.5), ValueError, "momentum"),
        (lambda: nn.BatchNorm2d(3)(Tensor(normal(2, 4, 5, 5))), ValueError, r"must be \[N, 3, ...\]"),
        (lambda: nn.BatchNorm2d(3)(Tensor(normal(2, 3))), ValueError, "must have 4 dimensions"),
        (lambda: nn.SyncBatchNorm(3, process_groups=[[0]]), ValueError, "process_groups"),
        (lambda: nn.LayerNorm(5), TypeError, "normalized_shape"),
        (lambda: nn.LayerNorm((5,))(Tensor(normal(2, 4))), ValueError, "normalized_shape"),
        (lambda: nn.GroupNorm(4, 6), ValueError, "num_channels"),
        (lambda: nn.Dropout(p=1.0), ValueError, r"'p' must be in range of \[0.0, 1.0\)"),
        (lambda: nn.Dropout(0.0), ValueError, "keep_prob"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "padding_idx"),
        (lambda: nn.EmbeddingLookup(3, 2, slice_mode="table_row_slice"), ValueError, "slice_mode"),
        (lambda: nn.Pad((1, 2)), TypeError, "pairs"),
        (lambda: nn.Pad(((3, 0),), "REFLECT")(Tensor([1.0, 2.0])), ValueError, "too large"),
        (lambda: nn.LSTM(3, 4, dropout=1.0), ValueError, "dropout"),
        (lambda: nn.RNN(3, 4, nonlinearity="sigmoid"), ValueError, "nonlinearity"),
        (lambda: nn.MultiheadAttention(8, 3), ValueError, "divisible"),
        (lambda: nn.TransformerEncoderLayer(8, 2, activation="tanh"), ValueError, "activation"),
        (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), ValueError, "label_smoothing"),
        (lambda: nn.HuberLoss(delta=0.0), ValueError, "delta"),
        (lambda: nn.TrainOneStepCell(Quadratic(), None), AttributeError, "parameters"),
    ],
)  # fmt: skip
def test_bad_arguments(make: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


# What there is for several devices


def test_gradients_of_one_device_are_as_they_are() -> None:
    x = Tensor([1.0, 2.0])
    assert nn.DistributedGradReducer([])((x,)) == (x,)


def test_set_inputs_describes_what_graphs_take() -> None:
    class Sum(nn.Cell):
        def construct(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    net, rows = Sum(), Tensor(shape=[3, None], dtype=graphc.float32)
    assert net.get_inputs() is None and rows.shape == (3, -1)
    assert repr(rows) == "Tensor(shape=[3, -1], dtype=Float32, value=\n)"
    net.set_inputs(y=rows, x=rows)
    assert net.get_inputs() == (rows, rows)
    three, two = ops.ones((3, 2)), ops.ones((2, 2))
    graphc.set_context(mode=graphc.PYNATIVE_MODE)
    assert net(two, two).shape == (2, 2)
    graphc.set_context(mode=graphc.GRAPH_MODE)
    assert net(three, three).shape == (3, 2) and net(ops.ones((3, 5)), ops.ones((3, 5))).shape == (3, 5)
    for args in ((two, two), (three, ops.ones((3, 2), graphc.int32)), (ops.ones(3), three), (three,)):
        with pytest.raises(ValueError, match="set_inputs"):
            net(*args)
    with pytest.raises(ValueError, match="no arguments"):
        net.set_inputs(z=rows)
    with pytest.raises(TypeError, match="describes inputs"):
        rows.asnumpy()
    assert Tensor(shape=(2,), dtype=graphc.int32).asnumpy().tolist() == [0, 0]


def test_recompute_changes_no_result() -> None:
    net, x = nn.Dense(2, 2), Tensor([[1.0, 2.0]])
    before = net(x).tolist()
    net.recompute()
    assert net(x).tolist() == before


# Unpooling


@pytest.mark.parametrize("mode", (PYNATIVE_MODE, GRAPH_MODE), ids=("eager", "graph"))
@pytest.mark.parametrize(("spatial", "extent"), ((1, 9), (2, 6), (3, 4)))
def test_unpooling_puts_maxima_back(spatial: int, extent: int, mode: int) -> None:
    graphc.set_context(mode=mode)
    x = np.random.default_rng(0).standard_normal((2, 3, *(extent,) * spatial)).astype(np.float32)
    pool = getattr(nn, f"MaxPool{spatial}d")(2, 2, return_indices=True)
    unpool = getattr(nn, f"MaxUnpool{spatial}d")(2, 2)

    def kept(x: Tensor) -> Tensor:
        return unpool(*pool(x), x.shape)

    windows = np.zeros_like(x)
    for place in np.ndindex(2, 3, *(extent // 2,) * spatial):
        window = (*place[:2], *(slice(2 * p, 2 * p + 2) for p in place[2:]))
        windows[window] = np.where(x[window] == x[window].max(), x[window], 0)
    assert (kept(Tensor(x)).asnumpy() == windows).all()
    gradient = graphc.grad(lambda x: (kept(x) * 2).sum())(Tensor(x))
    assert (gradient.asnumpy() == np.where(windows != 0, 2, 0)).all()
    pooled, indices = pool(Tensor(x))
    assert unpool(pooled[0], indices[0]).shape == (3, *(extent // 2 * 2,) * spatial)
    with pytest.raises(ValueError, match="integer indices, one for each"):
        unpool(pooled, pooled)
    with pytest.raises(ValueError, match="not within a stride"):
        unpool(pooled, indices, (extent + 5,) * spatial)


def test_forward_hooks_that_are_always_called() -> None:
    class Fails(nn.Cell):
        def construct(self, x: Tensor) -> Tensor:
            raise KeyError("construct")

    def fails(cell: nn.Cell, args: Any, output: Any) -> None:
        raise ValueError("hook")

    net, seen = Fails(), list[Any]()
    net.register_forward_hook(lambda cell, args, output: seen.append("not called"))
    keep = lambda cell, args, kwargs, output: seen.append(output)  # noqa: E731
    net.register_forward_hook(keep, with_kwargs=True, always_call=True)
    net.register_forward_hook(fails, always_call=True)
    with pytest.raises(KeyError, match="construct"), pytest.warns(UserWarning, match="hook"):
        net(Tensor(1.0))
    assert seen == [None]


def test_hooks_on_state_dict() -> None:
    net, seen = nn.SequentialCell(nn.Dense(2, 1)), list[Any]()
    before = net[0].register_state_dict_pre_hook(lambda cell, prefix, keep_vars: seen.append((prefix, keep_vars)))
    net[0].register_state_dict_post_hook(lambda cell, state, prefix, meta: state.update(more=prefix))
    assert list(net[0].state_dict(prefix="a.")) == ["a.weight", "a.bias", "more"] and seen == [("a.", False)]
    assert net.state_dict(prefix="b.")["more"] == "b.0." and seen[1:] == [("b.0.", False)]
    before.remove()
    assert net[0].state_dict()["more"] == "" and len(seen) == 2


def test_names_of_classes_and_places() -> None:
    net = nn.SequentialCell(nn.Dense(2, 1))
    assert net.cls_name == "SequentialCell" and net[0].cls_name == "Dense"
    assert net[0].param_prefix == ""
    net.update_cell_prefix()
    assert net.param_prefix == "" and net[0].param_prefix == "0"


# Another element type


@pytest.mark.parametrize("mode", [PYNATIVE_MODE, GRAPH_MODE])
def test_a_network_goes_on_in_another_type(mode: int) -> None:
    set_context(mode=mode)
    set_seed(4)
    net = nn.SequentialCell(nn.Dense(4, 4), nn.BatchNorm1d(4), nn.Dense(4, 1))
    net.register_buffer("scale", Tensor([2.0]))
    net.register_buffer("count", Tensor([2]))
    x, y = Tensor(np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)), ops.ones((8, 1))
    step = nn.TrainOneStepCell(nn.WithLossCell(net, nn.MSELoss()), nn.Momentum(net.trainable_params(), 0.1, 0.9))
    step(x, y)
    weight, before = net[0].weight, net(x).asnumpy()
    assert net.to(graphc.float16) is net and net[0].weight is weight
    assert {p.dtype for p in net.get_parameters()} == {net.scale.dtype} == {graphc.float16}
    assert net.count.dtype is graphc.int64
    after = net(x.half())
    assert after.dtype is graphc.float16
    np.testing.assert_allclose(after.asnumpy(), before, atol=2e-3)
    losses = [float(step(x.half(), y.half())) for _ in range(4)]
    assert losses[-1] < losses[0] and weight.dtype is graphc.float16
    assert net.to("CPU", graphc.bfloat16)[0].weight.dtype is graphc.bfloat16
    assert net.to(tensor=x)[0].bias.dtype is net.to()[0].bias.dtype is graphc.float32


def test_what_a_network_cannot_go_to() -> None:
    net = nn.Dense(2, 2)
    with pytest.raises(TypeError, match="expected a float type, got int32"):
        net.to(graphc.int32)
    with pytest.raises(ValueError, match="tensors live on the CPU"):
        net.to(device="Ascend")
    with pytest.raises(TypeError, match="got place"):
        net.to(place="CPU")


def test_cosine_similarity_of_layers() -> None:
    x, y = (Tensor(np.random.default_rng(i).normal(size=(3, 4)).astype(np.float32)) for i in (1, 2))
    got = nn.layer.CosineSimilarity()(x, y).asnumpy()
    a, b = x.asnumpy(), y.asnumpy()
    np.testing.assert_allclose(got, (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1), rtol=1e-5)
    assert nn.layer.math.CosineSimilarity(0)(x, y).shape == (4,)
    assert issubclass(nn.CosineSimilarity, graphc.train.Metric)


# Hooks of loading


class Counting(nn.Cell):
    """A layer that counts, beside its Parameters and buffers, how often it was called."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Dense(2, 2)
        self.register_buffer("scale", Tensor([2.0]))
        self.calls = 0

    def get_extra_state(self) -> Any:
        return {"calls": self.calls}

    def set_extra_state(self, state: Any) -> None:
        self.calls = state["calls"]


def test_other_state_is_saved_and_loaded() -> None:
    first, second = nn.SequentialCell(Counting()), nn.SequentialCell(Counting())
    first[0].calls = 3
    state = first.state_dict()
    assert state["0._extra_state"] == {"calls": 3}
    assert not any(second.load_state_dict(state)) and second[0].calls == 3
    np.testing.assert_array_equal(second[0].fc.weight.asnumpy(), first[0].fc.weight.asnumpy())
    with pytest.raises(RuntimeError, match=r"missing \['0._extra_state'\]"):
        second.load_state_dict({name: value for name, value in state.items() if "extra" not in name})
    for call in (nn.Dense(1, 1).get_extra_state, lambda: nn.Dense(1, 1).set_extra_state(1)):
        with pytest.raises(RuntimeError, match="Dense does not define it"):
            call()


def test_hooks_of_loading() -> None:
    net, other = nn.SequentialCell(nn.Dense(2, 2), nn.Dense(2, 1)), nn.Dense(2, 2)
    seen: list[Any] = []

    def renamed(cell: Any, state: Any, prefix: str, metadata: Any, strict: bool, *lists: Any) -> None:
        seen.append((type(cell).__name__, prefix, strict, lists))
        for name in ("weight", "bias"):
            if prefix + "old_" + name in state:
                state[prefix + name] = state.pop(prefix + "old_" + name)

    handle = net[0].register_load_state_dict_pre_hook(renamed)
    older = {f"0.old_{name}": value for name, value in other.state_dict().items()}
    rest = {name: value for name, value in net.state_dict().items() if name.startswith("1.")}
    assert not any(net.load_state_dict({**older, **rest})) and set(older) == {"0.old_weight", "0.old_bias"}
    np.testing.assert_array_equal(net[0].weight.asnumpy(), other.weight.asnumpy())
    assert seen == [("Dense", "0.", True, ([], [], []))]
    handle.remove()

    def forgiving(cell: Any, keys: Any) -> None:
        seen.append(keys.missing_keys[:])
        keys.missing_keys.clear()

    last = net.register_load_state_dict_post_hook(forgiving)
    changed = ops.ones((2, 2))
    assert net.load_state_dict({"0.weight": changed}) == ([], []) and seen[-1] == ["0.bias", "1.weight", "1.bias"]
    assert net[0].weight.asnumpy().tolist() == [[1, 1], [1, 1]]
    with pytest.raises(RuntimeError, match=r"unexpected \['2.weight'\]"):
        net.load_state_dict({"0.weight": ops.zeros((2, 2)), "2.weight": changed})
    assert net[0].weight.asnumpy().tolist() == [[1, 1], [1, 1]]  # as it was
    last.remove()
    with pytest.raises(RuntimeError, match="missing"):
        net.load_state_dict({"0.weight": ops.zeros((2, 2))})
    assert net[0].weight.asnumpy().tolist() == [[1, 1], [1, 1]]
    net[1].register_load_state_dict_pre_hook(lambda *given: given[-1].append("too old"))
    with pytest.raises(RuntimeError, match="too old"):
        net.load_state_dict(net.state_dict())


def test_a_cell_may_have_slots() -> None:
    class Net(nn.Cell):
        __slots__ = ("inner", "scale", "weight")

        def __init__(self) -> None:
            super().__init__()
            self.scale = 3.0
            self.weight = Parameter(Tensor([1.0, 2.0]))
            self.inner = nn.ReLU()

        def construct(self, x: Tensor) -> Tensor:
            return self.inner(x * self.weight) * self.scale

    net = Net()
    for cell in (net, copy.deepcopy(net)):
        assert cell(Tensor([1.0, 1.0])).tolist() == [3.0, 6.0]
        cell.scale = 2.0
        assert cell(Tensor([1.0, 1.0])).tolist() == [2.0, 4.0]
        assert [p.name for p in cell.trainable_params()] == ["weight"]
