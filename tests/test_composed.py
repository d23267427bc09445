"""Functions that are made of a few ops: NumPy's result, the same bits compiled, and the slope that differences give."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from modes import each_of, in_both_modes

import graphc as ms
from graphc import Parameter, Tensor, jit, ops
from graphc.dtype import int32

_rng = np.random.default_rng(21)
A, B = _rng.normal(size=(4, 5)), _rng.normal(size=(4, 5))
Z = np.where(np.arange(20).reshape(4, 5) % 6 == 0, 0.0, A)
S = _rng.normal(size=(3, 4, 4))
V = np.abs(_rng.normal(size=6)) + 0.5
HOLES = np.where(_rng.random((4, 5)) < 0.3, np.nan, A)
ROWS = np.array([[0], [2], [0]])
U = _rng.normal(size=(3, 5))
W = np.arange(18) / 8 - 1
LABELS = np.array([3, 1, 2, 1])
IMAGES = _rng.normal(size=(2, 3, 6, 7))
SIX = IMAGES[..., :6]
T = Tensor


def put(x: np.ndarray, index: Any, value: Any) -> np.ndarray:
    x = x.copy()
    x[index] = value
    return x


def at_rows(ufunc: np.ufunc) -> np.ndarray:
    x = A.copy()
    ufunc.at(x, ROWS[:, 0], U)
    return x


def folded(columns: np.ndarray, size: tuple[int, int], k: int, step: int, margin: int) -> np.ndarray:
    n, c = columns.shape[0], columns.shape[1] // (k * k)
    whole = np.zeros((n, c, size[0] + 2 * margin, size[1] + 2 * margin))
    starts = itertools.product(
        range(0, whole.shape[2] - k + 1, step), range(0, whole.shape[3] - k + 1, step)
    )  # fmt: skip
    for number, (i, j) in enumerate(starts):
        whole[:, :, i : i + k, j : j + k] += columns[:, :, number].reshape(n, c, k, k)
    return whole[:, :, margin : margin + size[0], margin : margin + size[1]]


def multi_margin(x: np.ndarray, labels: np.ndarray) -> float:
    terms = np.maximum(0, 1 - x[np.arange(4), labels][:, None] + x)
    terms[np.arange(4), labels] = 0
    return float(terms.sum(1).mean() / x.shape[1])


def multilabel_margin(x: np.ndarray, labels: np.ndarray) -> float:
    total = 0.0
    for scores, own in zip(x, labels, strict=True):
        named = list(itertools.takewhile(lambda n: n >= 0, own))
        others = [c for c in range(len(scores)) if c not in named]
        total += sum(max(0, 1 - scores[n] + scores[c]) for n in named for c in others) / len(scores)
    return total / len(x)


SETS = np.array([[1, 0, -1, 2, 3], [4, -1, -1, 0, 0], [-1, 1, 1, 1, 1], [0, 1, 2, 3, 4]])
COLUMNS = _rng.normal(size=(2, 12, 12))
_blocks = IMAGES[:, :, :, :6].reshape(2, 3, 3, 2, 3, 2).transpose(3, 5, 0, 1, 2, 4).reshape(8, 3, 3, 3)

BANDS = np.array([[8, 9, 0], [1, 2, 3], [0, 4, 5.0]])
BANDED = np.array([[1, 8, 0], [4, 2, 9], [0, 5, 3.0]])

CASES: list[tuple[str, Callable[..., Any], Any, tuple[np.ndarray, ...]]] = [
    ("logcumsumexp", lambda x: ops.logcumsumexp(x, 1), np.logaddexp.accumulate(A * 9, 1), (A * 9,)),
    ("logcumsumexp of planes", lambda x: ops.logcumsumexp(x, -2), np.logaddexp.accumulate(S, 1), (S,)),
    # In the places of others
    ("tensor_scatter_max", lambda x, u: ops.tensor_scatter_max(x, T(ROWS), u), at_rows(np.maximum), (A, U)),
    ("tensor_scatter_min", lambda x, u: ops.tensor_scatter_min(x, T(ROWS), u), at_rows(np.minimum), (A, U)),
    ("tensor_scatter_mul", lambda x, u: ops.tensor_scatter_mul(x, T(ROWS), u), at_rows(np.multiply), (A, U)),
    ("tensor_scatter_div", lambda x, u: ops.tensor_scatter_div(x, T(ROWS), u), at_rows(np.divide), (A, U)),
    ("scatter_sub method", lambda x, u: x.scatter_sub(T(ROWS), u), at_rows(np.subtract), (A, U)),
    ("slice_scatter", lambda x, u: ops.slice_scatter(x, u, 1, 1, 5, 2), put(A, np.s_[:, 1:5:2], B[:, :2]),
     (A, B[:, :2])),
    ("select_scatter", lambda x, u: ops.select_scatter(x, u, 1, -1), put(A, np.s_[:, -1], V[:4]), (A, V[:4])),
    ("diagonal_scatter", lambda x, u: ops.diagonal_scatter(x, u, 2), put(A, ([0, 1, 2], [2, 3, 4]), V[:3]), (A, V[:3])),
    ("diagonal_scatter below", lambda x, u: ops.diagonal_scatter(x, u, -2), put(A, ([2, 3], [0, 1]), V[:2]),
     (A, V[:2])),
    ("masked_scatter", lambda x, u: x.masked_scatter(x > 0, u), put(A, A > 0, S.reshape(-1)[: (A > 0).sum()]), (A, S)),
    ("index_put", lambda x, v: x.index_put([T([0, 2]), T([1, 1])], v), put(A, ([0, 2], [1, 1]), V[:2]), (A, V[:2])),
    ("index_put that adds", lambda x, v: x.index_put([T([2, 2]), T([1, 1])], v, True),
     put(A, (2, 1), A[2, 1] + V[0] + V[1]), (A, V[:2])),
    ("index_copy", lambda x, u: ops.index_copy(x, 0, T([-1, 0]), u), put(A, [3, 0], U[:2]), (A, U[:2])),
    ("inplace_update", lambda x, u: ops.inplace_update(x, u, (1, 3)), put(A, [1, 3], U[:2]), (A, U[:2])),
    ("inplace_sub", lambda x, u: ops.inplace_sub(x, u, (1, 3)), put(A, [1, 3], A[[1, 3]] - U[:2]), (A, U[:2])),
    ("unsorted_segment_prod", lambda x: ops.unsorted_segment_prod(x, T([0, 2, 0, 1]), 4),
     np.stack([A[0] * A[2], A[3], A[1], np.ones(5)]), (A,)),
    ("unsorted_segment_prod with zeros", lambda x: ops.unsorted_segment_prod(x, T([0, 2, 0, 0]), 3),
     np.stack([Z[0] * Z[2] * Z[3], np.ones(5), Z[1]]), (Z,)),
    ("scatter_add method", lambda x, u: x.scatter_add(1, T(np.zeros((4, 5), np.int64)), u),
     put(A, np.s_[:, 0], A[:, 0] + B.sum(1)), (A, B)),
    ("fill_diagonal", lambda x: x.fill_diagonal(7.0), put(A, (range(4), range(4)), 7), (A,)),
    ("fill_diagonal wrapped", lambda x: x.fill_diagonal(7.0, True),
     put(A.reshape(10, 2), ([0, 1, 3, 4, 6, 7, 9], [0, 1] * 3 + [0]), 7), (A.reshape(10, 2),)),
    # Matrices
    ("matrix_band_part", lambda x: ops.matrix_band_part(x, 1, -1), np.triu(A, -1), (A,)),
    ("matrix_band_part above", lambda x: ops.matrix_band_part(x, -1, 0), np.tril(S, 0), (S,)),
    ("matrix_diag", ops.matrix_diag, np.stack([np.diag(row) for row in A]), (A,)),
    ("matrix_diag of extents", lambda x: ops.matrix_diag(x, 1, 3, 4, 9.0), np.diag(V[:3], 1)[:3] + 9.0 * (
        np.diag(np.ones(3), 1)[:3] == 0), (V[:3],)),
    ("matrix_diag_part", lambda x: ops.matrix_diag_part(x, -1), np.stack([np.diag(m, -1) for m in S]), (S,)),
    ("matrix_set_diag", lambda x, d: ops.matrix_set_diag(x, d), put(S, np.s_[:, range(4), range(4)], A[:3, :4]),
     (S, A[:3, :4])),
    ("matrix_diag of several", lambda x: ops.matrix_diag(x, (-1, 1), 3, 3, 11.0, "LEFT_RIGHT"),
     np.array([[1, 8, 11], [4, 2, 9], [11, 5, 3.0]]), (BANDS,)),
    ("matrix_diag of several, smallest", lambda x: ops.matrix_diag(x, Tensor([1, 2]), align="RIGHT_RIGHT"),
     np.array([[0, 3, 2, 0], [0, 0, 4, 1], [0, 0, 0, 5], [0, 0, 0, 0.0]]), (np.array([[0, 2, 1], [3, 4, 5.0]]),)),
    ("matrix_diag_part of several", lambda x: ops.matrix_diag_part(x, (-1, 1), 9.0, "LEFT_RIGHT"),
     np.array([[8, 9, 9], [1, 2, 3], [9, 4, 5.0]]), (BANDED,)),
    ("matrix_diag_part of wide ones", lambda x: ops.matrix_diag_part(x, (-1, 2), 9.0),
     np.array([[9, 2, 7], [1, 6, 11], [0, 5, 10], [4, 9, 9.0]]), (np.arange(12.0).reshape(3, 4),)),
    ("matrix_diag_part of batches", lambda x: ops.matrix_diag_part(x, (0, 1), 9.0, "LEFT_LEFT")[0, 0],
     np.append(np.diag(S[0], 1), [9.0] * (min(S.shape[1:]) - np.diag(S[0], 1).size)), (S,)),
    ("matrix_set_diag of several", lambda x, d: ops.matrix_set_diag(x, d, (-1, 1), "LEFT_RIGHT"),
     np.array([[1, 8, 7], [4, 2, 9], [7, 5, 3.0]]), (np.full((3, 3), 7.0), BANDS)),
    ("diagflat", lambda x: ops.diagflat(x, 1), np.diagflat(A, 1), (A,)),
    ("adjoint", ops.adjoint, S.swapaxes(1, 2), (S,)),
    ("cartesian_prod", ops.cartesian_prod, np.array([*itertools.product(V[:2], V[2:5])]), (V[:2], V[2:5])),
    ("batch_dot", ops.batch_dot, S @ S, (S, S)),
    ("batch_dot of matrices", ops.batch_dot, (A * B).sum(1, keepdims=True), (A, B)),
    ("batch_dot of axes", lambda x, y: ops.batch_dot(x, y, (2, 3)), np.einsum("nabc,ndeb->nacde", IMAGES, SIX),
     (IMAGES, SIX)),
    ("trace method", lambda x: x.trace(1), np.trace(A, 1), (A,)),
    # Ranks and sums
    ("quantile", lambda x: ops.quantile(x, [0.1, 0.5, 0.77], 1), np.quantile(A, [0.1, 0.5, 0.77], 1), (A,)),
    ("quantile of all", lambda x: ops.quantile(x, 0.3), np.quantile(A, 0.3), (A,)),
    ("quantile kept", lambda x: ops.quantile(x, [0.3, 1.0], 0, True), np.quantile(A, [0.3, 1], 0, keepdims=True), (A,)),
    ("quantile of holes", lambda x: ops.quantile(x, 0.3, 0), np.quantile(HOLES, 0.3, 0), (HOLES,)),
    ("nanquantile", lambda x: ops.nanquantile(x, 0.4, 1), np.nanquantile(HOLES, 0.4, 1), (HOLES,)),
    ("kthvalue", lambda x: x.kthvalue(2, 0), (np.sort(A, 0)[1], np.argsort(A, 0)[1]), (A,)),
    ("nanmedian", lambda x: ops.nanmedian(x, 1)[0], np.nanquantile(HOLES, 0.5, 1, method="lower"), (HOLES,)),
    ("bucketize", lambda x: ops.bucketize(x, [-1.0, 0.0, 1.0]), np.searchsorted([-1, 0, 1], A), (A,)),
    ("intopk", lambda x: ops.intopk(x, T(LABELS), 2), (A[range(4), LABELS][:, None] < A).sum(1) < 2, (A,)),
    ("trapz", ops.trapz, ((A[:, 1:] + A[:, :-1]) / 2).sum(1), (A,)),
    ("trapz of places", lambda y, x: ops.trapz(y, x, dim=0),
     ((A[1:] + A[:-1]) / 2 * np.diff(V[:4])[:, None]).sum(0), (A, V[:4])),
    ("cov", ops.cov, np.cov(A), (A,)),
    ("cov weighted", lambda x, w: ops.cov(x, fweights=T([1, 2, 3, 1, 1]), aweights=w),
     np.cov(A, fweights=[1, 2, 3, 1, 1], aweights=V[:5]), (A, V[:5])),
    ("pdist", ops.pdist, [np.linalg.norm(A[i] - A[j]) for i in range(4) for j in range(i + 1, 4)], (A,)),
    ("renorm", lambda x: ops.renorm(x, 1, 0, 2.0),
     A * np.minimum(1, 2 / (abs(A).sum(1, keepdims=True) + 1e-7)), (A,)),
    ("vector_norm", lambda x: ops.vector_norm(x, 3, (0, 2), True), (abs(S) ** 3).sum((0, 2), keepdims=True) ** (1 / 3),
     (S,)),
    ("matrix_norm", lambda x: ops.matrix_norm(x, 1), np.linalg.norm(S, 1, (1, 2)), (S,)),
    ("ptp", lambda x: x.ptp(1), np.ptp(A, 1), (A,)),
    ("sum_to_size", lambda x: x.sum_to_size(1, 5), A.sum(0, keepdims=True), (A,)),
    ("searchsorted of many", lambda x: ops.searchsorted(x.reshape((20,)).sort()[0], x, side="right"),
     np.searchsorted(np.sort(A.reshape(-1)), A, "right"), (A,)),
    ("searchsorted of many rows", lambda x, v: ops.searchsorted(x.sort()[0], v, out_int32=True),
     np.stack([np.searchsorted(np.sort(x), v) for x, v in zip(S.reshape(2, 24), W.reshape(2, 9))]),
     (S.reshape(2, 24), W.reshape(2, 9))),
    ("searchsorted by an order", lambda x, v: ops.searchsorted(x, v, side="right", sorter=x.argsort()),
     np.searchsorted(A[0], B[0], "right", np.argsort(A[0])), (A[0], B[0])),
    ("choose", lambda x, y: T([1, 0, 9]).choose([x, y]), [V[3], V[1], V[5]], (V[:3], V[3:])),
    # Element by element
    ("fmax", ops.fmax, np.fmax(HOLES, B), (HOLES, B)),
    ("fmin", ops.fmin, np.fmin(B, HOLES), (B, HOLES)),
    ("ldexp", lambda x: ops.ldexp(x, T([3])), np.ldexp(A, 3), (A,)),
    ("logaddexp2", ops.logaddexp2, np.logaddexp2(A, B), (A, B)),
    ("xdivy", lambda x, y: ops.xdivy(x, y), np.divide(A, B), (A, B)),
    ("xdivy of 0", lambda x: ops.xdivy(x * 0, x * 0), A * 0, (A,)),
    ("soft_shrink", ops.soft_shrink, np.sign(A) * np.maximum(abs(A) - 0.5, 0), (A,)),
    ("swiglu", ops.swiglu, S[..., :2] / (1 + np.exp(-S[..., :2])) * S[..., 2:], (S,)),
    ("truncate_mod", ops.truncate_mod, np.fmod(A, B), (A, B)),
    ("add with alpha", lambda x, y: x.add(y, alpha=3), A + 3 * B, (A, B)),
    ("subtract with alpha", lambda x, y: ops.subtract(x, y, alpha=3), A - 3 * B, (A, B)),
    ("allclose", lambda x: x.allclose(x + 1e-12), True, (A,)),
    # Windows of signals
    ("bartlett_window", lambda: ops.bartlett_window(Tensor(5)), np.bartlett(6)[:-1].astype(np.float32), ()),
    ("bartlett_window", lambda: ops.bartlett_window(7, False, dtype=ms.float64), np.bartlett(7), ()),
    ("blackman_window", lambda: ops.blackman_window(7, False, dtype=ms.float64), np.blackman(7), ()),
    ("hamming_window", lambda: ops.hamming_window(6, dtype=ms.float64), np.hamming(7)[:6], ()),
    ("hann_window", lambda: ops.hann_window(6, dtype=ms.float64), np.hanning(7)[:6], ()),
    ("kaiser_window", lambda: ops.kaiser_window(7, False, 5.0, dtype=ms.float64), np.kaiser(7, 5), ()),
    # Images
    ("fold", lambda x: ops.fold(x, (5, 6), 2, 1, 1, 2), folded(COLUMNS, (5, 6), 2, 2, 1), (COLUMNS,)),
    ("space_to_batch_nd", lambda x: ops.space_to_batch_nd(x, 2, [[0, 0], [0, 0]]), _blocks, (IMAGES[:, :, :, :6],)),
    ("space_to_batch_nd padded", lambda x: ops.space_to_batch_nd(x, [2, 2], [[0, 0], [0, 1]])[:, :, :, :3], _blocks,
     (IMAGES,)),
    ("batch_to_space_nd", lambda x: ops.batch_to_space_nd(x, 2, [[0, 0], [1, 0]]), IMAGES[:, :, :, 1:6], (_blocks,)),
    ("mirror_pad", lambda x: ops.mirror_pad(x, [[1, 0], [2, 3]], "SYMMETRIC"),
     np.pad(A, ((1, 0), (2, 3)), "symmetric"), (A,)),
    ("mirror_pad on the edge", lambda x: ops.mirror_pad(x, T([[1, 0], [2, 3]]), "REFLECT"),
     np.pad(A, ((1, 0), (2, 3)), "reflect"), (A,)),
    ("lp_pool1d", lambda x: ops.lp_pool1d(x, 3, 5), (V[:5] ** 3).sum(keepdims=True)[None] ** (1 / 3), (V[None, :5],)),
    ("lp_pool2d", lambda x: ops.lp_pool2d(x, 2, (2, 7)),
     (IMAGES.reshape(2, 3, 3, 14) ** 2).sum(-1, keepdims=True) ** 0.5, (IMAGES,)),
    ("affine_grid", lambda m: ops.affine_grid(m, (3, 1, 2, 2)),
     np.stack([m[:2, :3] @ np.array([[x, y, 1] for y in (-0.5, 0.5) for x in (-0.5, 0.5)]).T for m in S])
     .swapaxes(1, 2).reshape(3, 2, 2, 2), (S[:, :2, :3],)),
    # Losses
    ("multi_margin_loss", lambda x: ops.multi_margin_loss(x, T(LABELS)), multi_margin(A, LABELS), (A,)),
    ("multilabel_margin_loss", lambda x: ops.multilabel_margin_loss(x, T(SETS)), multilabel_margin(A, SETS), (A,)),
    ("multilabel_soft_margin_loss", lambda x: ops.multilabel_soft_margin_loss(x, T((B > 0) * 1.0), reduction="sum"),
     (np.log1p(np.exp(A)) - A * (B > 0)).mean(1).sum(), (A,)),
]  # fmt: skip
SMOOTH = [case for case in CASES if case[3] and case[0] not in ("bucketize", "intopk", "allclose", "ldexp")]


@pytest.mark.parametrize("name, function, wanted, arrays", CASES, ids=[case[0] for case in CASES])
def test_value(name: str, function: Any, wanted: Any, arrays: Any) -> None:
    for one, array in in_both_modes(function, arrays, wanted):
        np.testing.assert_allclose(one.asnumpy(), array, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name, function, wanted, arrays", SMOOTH, ids=[case[0] for case in SMOOTH])
def test_slope(name: str, function: Any, wanted: Any, arrays: Any) -> None:
    """The derivative along a random line, of the results' sum with random weights."""
    rng = np.random.default_rng(5)

    def weighted(*tensors: Tensor) -> Tensor:
        found = function(*tensors)
        found = found[0] if isinstance(found, tuple) else found
        known = Tensor(np.isfinite(found.asnumpy())) if np.isnan(np.asarray(arrays[0])).any() else None
        found = found if known is None else ops.where(known, found, 0.0)
        return (found * Tensor(np.random.default_rng(6).normal(size=found.shape))).sum()

    tensors = [Tensor(a) for a in arrays]
    grads = each_of(ms.grad(weighted, tuple(range(len(arrays))))(*tensors))
    line = [rng.normal(size=a.shape) for a in arrays]
    ahead, behind = ([Tensor(a + s * d) for a, d in zip(arrays, line, strict=True)] for s in (1e-6, -1e-6))
    wanted = (float(weighted(*ahead)) - float(weighted(*behind))) / 2e-6
    found = sum(float((g.asnumpy() * np.where(np.isnan(a), 0, d)).sum()) for g, a, d in zip(grads, arrays, line))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_maxima_go_back_to_where_they_were() -> None:
    x = Tensor(IMAGES)
    pooled, places = ops.max_pool2d(x, 2, 2, return_indices=True)
    back = ops.max_unpool2d(pooled, places, 2, output_size=x.shape).asnumpy()
    kept = back != 0
    assert back.shape == IMAGES.shape and kept.sum() == pooled.size
    np.testing.assert_array_equal(back[kept], IMAGES[kept])
    line, at = ops.max_pool1d(x[0], 3, return_indices=True)
    assert ops.max_unpool1d(line, at, 3, output_size=(7,)).shape == (3, 6, 7)


@pytest.mark.parametrize("method", ["bilinear", "nearest"])
def test_boxes_cut_out_of_images(method: str) -> None:
    image = Tensor(IMAGES.transpose(0, 2, 3, 1))
    whole = Tensor([[0.0, 0.0, 1.0, 1.0], [0.2, 0.5, 0.6, 1.5]], ms.float64)
    found = ops.crop_and_resize(image, whole, Tensor([1, 0], int32), (6, 7), method, 9.0).asnumpy()
    np.testing.assert_allclose(found[0], image.asnumpy()[1], atol=1e-12)
    assert (found[1, :, 4:] == 9).all()  # beyond the right edge
    rows = 1 + 2 * np.arange(6) / 5  # 0.2 to 0.6 of 5
    low = np.floor(rows).astype(int)
    column = image.asnumpy()[0, :, 3]
    if method == "bilinear":
        expected = column[low] + (column[low + 1] - column[low]) * (rows - low)[:, None]
    else:
        expected = column[np.floor(rows + 0.5).astype(int)]
    np.testing.assert_allclose(found[1, :, 0], expected, atol=1e-12)


def test_parameters_are_changed_at_positions() -> None:
    forms = {"update": lambda x, u: u, "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
             "max": np.maximum, "min": np.minimum}  # fmt: skip
    for form, ufunc in forms.items():
        for by_row, indices in ((True, [0, 2]), (False, [[0], [2]])):
            parameter = Parameter(Tensor(A), "p")
            function = getattr(ops, f"scatter_{form}" if by_row else f"scatter_nd_{form}")
            found = function(parameter, Tensor(indices), Tensor(U[:2]))
            np.testing.assert_allclose(found.asnumpy(), put(A, [0, 2], ufunc(A[[0, 2]], U[:2])))
            np.testing.assert_array_equal(parameter.asnumpy(), found.asnumpy())


def test_methods_in_place() -> None:
    x = Tensor([1.0, 2.0, 3.0])
    same = x
    steps = [
        (lambda: x.add_(1, alpha=2), [3, 4, 5]), (lambda: x.sub_(Tensor([1.0])), [2, 3, 4]),
        (lambda: x.mul_(2), [4, 6, 8]), (lambda: x.div_(4), [1, 1.5, 2]), (lambda: x.floor_(), [1, 1, 2]),
        (lambda: x.clamp_(max=1.5), [1, 1, 1.5]), (lambda: x.masked_fill_(x > 1, 9), [1, 1, 9]),
        (lambda: x.index_add_(0, Tensor([0, 0]), Tensor([1.0, 2.0])), [4, 1, 9]),
        (lambda: x.index_fill_(0, Tensor([1]), 7), [4, 7, 9]), (lambda: x.put_(Tensor([2]), Tensor([1.0])), [4, 7, 1]),
        (lambda: x.scatter_(0, Tensor([1]), Tensor([5.0])), [4, 5, 1]), (lambda: x.copy_([1, 2, 3]), [1, 2, 3]),
        (lambda: x.fill_(4), [4, 4, 4]), (lambda: x.zero_(), [0, 0, 0]), (lambda: x.bernoulli_(1.0), [1, 1, 1]),
    ]  # fmt: skip
    for step, wanted in steps:
        assert step() is x is same and x.dtype is ms.float32
        assert x.asnumpy().tolist() == wanted
    ms.set_seed(4)
    assert ((x.uniform_(2, 3) >= 2) & (x < 3)).all() and len({*x.normal_().tolist()}) == 3
    whole = Tensor([0] * 50).random_(5, 9)
    assert {*whole.tolist()} == {5, 6, 7, 8} and whole.dtype is ms.int64
    parameter = Parameter(Tensor([1.0, 2.0]), "p")
    assert parameter.mul_(3) is parameter and parameter.asnumpy().tolist() == [3, 6]
    with pytest.raises(ValueError, match=r"Tensor\.add_: f32\[2\] cannot hold f32\[3,2\] in place"):
        Tensor([1.0, 2.0]).add_(ops.ones((3, 2)))


def test_changes_in_place_are_differentiated_and_compiled() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 2
        before = y * 1
        y.add_(x).mul_(x)
        y.clamp_(max=20)
        return (y + before).sum()

    x = Tensor([1.0, 2.0, 3.0])
    for f in (ms.grad(function), jit(ms.grad(function))):
        assert f(x).asnumpy().tolist() == [8, 14, 2]


def test_facts_of_tensors() -> None:
    x = Tensor(A)
    assert x.stride() == [5, 1] and x.stride(0) == 5 and x.storage_offset() == 0 and x.is_contiguous()
    assert x.is_signed() and not Tensor([True]).is_signed() and not x.is_complex() and x.device == "CPU"
    assert ops.is_nonzero(Tensor(2)) and not ops.is_nonzero(Tensor([0.0]))
    assert x.select(1, 2).shape == (4,) and x.select(dim=0, index=1).tolist() == A[1].tolist()


def test_arguments_by_their_other_names() -> None:
    x = Tensor(A)
    assert x.cumsum(dim=0).shape == (4, 5) and x.median(dim=1, keepdim=True)[0].shape == (4, 1)
    assert x.split(split_size=2, dim=1)[2].shape == (4, 1) and x.chunk(2, dim=0)[0].shape == (2, 5)
    assert x.repeat_interleave(2, dim=1, output_size=10).shape == (4, 10) and x.sort(dim=0)[0].shape == (4, 5)
    assert Tensor(A[0]).searchsorted(x[0], "right").shape == (5,) and x.softmax(1, ms.float32).dtype is ms.float32
    assert x.diag(1).tolist() == np.diag(A, 1).tolist() and x[0].diag(-1).tolist() == np.diag(A[0], -1).tolist()
    assert x.scatter_add(T(ROWS), T(U)).tolist() == ops.tensor_scatter_add(x, T(ROWS), T(U)).tolist()
    assert x.flatten(0, 1).shape == (20,) and x.flatten("F").tolist() == A.flatten("F").tolist()
    assert x.transpose(dim0=0, dim1=1).shape == x.transpose(0, 1).shape == x.transpose(1, 0).shape == (5, 4)
    assert ops.ones((2, 3, 4)).transpose(-1, 1).shape == ops.ones((2, 3, 4)).transpose(0, 2, 1).shape == (2, 4, 3)
    assert x.repeat(repeats=(2, 1)).shape == (8, 5)
    assert x.count_nonzero(dim=1).tolist() == [5] * 4 and Tensor(S).swapdims(axis0=0, axis1=2).shape == (4, 4, 3)
    assert x.take(index=Tensor([3])).tolist() == [A[0, 3]] and x.round(decimals=1).tolist() == np.round(A, 1).tolist()


def test_rows_of_a_table_are_held_to_a_norm() -> None:
    for kind in (Tensor, Parameter):
        table = kind(Tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]]))
        found = ops.embedding(Tensor([0, 1, 0]), table, max_norm=1.0).asnumpy()
        np.testing.assert_allclose(found, [[0.6, 0.8], [0.3, 0.4], [0.6, 0.8]], rtol=1e-6)
        np.testing.assert_allclose(table.asnumpy(), [[0.6, 0.8], [0.3, 0.4], [6, 8]], rtol=1e-6)
    assert ms.grad(lambda: ops.embedding(Tensor([0]), table, max_norm=1.0).sum(), None, table)().asnumpy()[0, 0] == 1


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda: ops.tensor_scatter_max(T(A), T([[9]]), T(U[:1])), IndexError, "out of range"),
        (lambda: ops.tensor_scatter_div(T([[1]]), T([[0]]), T([[1]])), TypeError, "expected floats"),
        (lambda: T(A).masked_scatter(T(A) > -9, T([1.0])), IndexError, "out of range"),
        (lambda: ops.diagonal_scatter(T(A), T(V)), ValueError, "expected src of shape"),
        (lambda: ops.matrix_diag(T(V), 0, 3, 3), ValueError, r"diagonal 0 of f64\[3,3\] are \[3\], got f64\[6\]"),
        (lambda: ops.matrix_diag_part(T(S), (1, 0)), ValueError, "the lowest and the uppermost"),
        (lambda: ops.matrix_set_diag(T(S), T(V), (0, 1)), ValueError, "diagonals 0 to 1 of"),
        (lambda: ops.quantile(T(A), 1.5), ValueError, r"q must be in \[0, 1\]"),
        (lambda: T(A).kthvalue(9), ValueError, "k must be in 1 to 5"),
        (lambda: ops.searchsorted(T(V), T(V), side="middle"), ValueError, "side must be"),
        (lambda: ops.batch_dot(T(A), T(S)), ValueError, "batch_dot: expected"),
        (lambda: ops.hann_window(-1), ValueError, "window_length"),
        (lambda: ops.fold(T(S), 4, 2), ValueError, "fold: "),
        (lambda: ops.space_to_batch_nd(T(IMAGES), 2, [[0, 0], [0, 0]]), ValueError, "do not divide"),
        (lambda: ops.batch_to_space_nd(T(IMAGES), 2, [[0, 0], [0, 0]]), ValueError, "do not divide"),
        (lambda: ops.mirror_pad(T(A), [[4, 0], [0, 0]], "REFLECT"), ValueError, "no 4 and 0 to mirror"),
        (lambda: ops.affine_grid(T(A), (4, 1, 2, 2)), ValueError, "expected maps"),
        (lambda: ops.crop_and_resize(T(IMAGES), T(A), T(LABELS), (2, 2)), ValueError, "crop_and_resize: expected"),
        (lambda: ops.max_unpool2d(T(IMAGES), T(IMAGES), 2), ValueError, "integer indices"),
        (lambda: ops.multi_margin_loss(T(A), T(LABELS), 3), ValueError, "p 1 or 2"),
        (lambda: ops.multilabel_margin_loss(T(A), T(LABELS)), ValueError, "expected scores and labels"),
        (lambda: T(A).sum_to_size(3, 5), ValueError, "no broadcast of shape"),
        (lambda: T(A).fill_diagonal(1)[0].fill_diagonal(1), ValueError, "expected a matrix"),
        (lambda: ops.embedding(T([0]), A, max_norm=1.0), TypeError, "expected a Parameter or Tensor"),
        (lambda: ops.is_nonzero(T(A)), ValueError, "expected one element"),
    ],
)  # fmt: skip
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("mode", (ms.PYNATIVE_MODE, ms.GRAPH_MODE), ids=("eager", "graph"))
def test_rows_of_a_parameter_are_written_in_place(mode: int) -> None:
    ms.set_context(mode=mode)
    table = Parameter(np.arange(6, dtype=np.float32).reshape(3, 2), "table")
    rows, updates = Tensor([2, 0]), Tensor([[1.0, 2.0], [3.0, 4.0]])

    def value_after(function: object, indices: Tensor, updates: Tensor) -> list[list[float]]:
        table.set_data(Tensor(np.arange(6, dtype=np.float32).reshape(3, 2)))
        ms.jit(lambda: function(table, indices, updates) * 1)() if mode == ms.GRAPH_MODE else function(
            table, indices, updates
        )
        return table.asnumpy().tolist()

    assert value_after(ops.scatter_update, rows, updates) == [[3, 4], [2, 3], [1, 2]]
    assert value_after(ops.scatter_add, rows, updates) == [[3, 5], [2, 3], [5, 7]]
    assert value_after(ops.scatter_sub, rows, updates) == [[-3, -3], [2, 3], [3, 3]]
    assert value_after(ops.ScatterSub(), rows, updates) == [[-3, -3], [2, 3], [3, 3]]
    cells = Tensor([[0, 1], [2, 0]])
    assert value_after(ops.scatter_nd_add, cells, Tensor([5.0, 7.0])) == [[0, 6], [2, 3], [11, 5]]
    assert value_after(ops.scatter_nd_sub, cells, Tensor([5.0, 7.0])) == [[0, -4], [2, 3], [-3, 5]]
    assert value_after(ops.scatter_nd_update, cells, Tensor([5.0, 7.0])) == [[0, 5], [2, 3], [7, 5]]
    with pytest.raises(TypeError, match="expected a Parameter or Tensor"):
        ops.scatter_add([[1.0]], Tensor([0]), Tensor([[1.0]]))
    with pytest.raises(IndexError, match="index 3 at position 0"):
        ops.scatter_update(table, Tensor([3]), Tensor([[0.0, 0.0]]))
