"""Sparse tensors against the dense ones that they stand for: in both modes, with derivatives, and what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc
from graphc import COOTensor, CSRTensor, RowTensor, SparseTensor, Tensor, grad, jit, nn, ops, set_context
from graphc.dtype import float32, float64, int32, int64

A = np.array([[0, 1.5, 0, 0], [-2, 0, 3, 0], [0, 0, 0, 0]], np.float32)
B = np.array([[4, 0, 0, 1], [2, 0, 1, 0], [0, 0, 0, 5]], np.float32)
DENSE = np.arange(1, 13, dtype=np.float32).reshape(3, 4)


def coo(array: np.ndarray = A) -> COOTensor:
    return Tensor(array).to_coo()


def csr(array: np.ndarray = A) -> CSRTensor:
    return Tensor(array).to_csr()


def same(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose((found.to_dense() if hasattr(found, "to_dense") else found).asnumpy(), wanted, rtol=1e-6)


def test_what_they_say_of_themselves() -> None:
    x, y = coo(), csr()
    assert x.indices.tolist() == [[0, 1], [1, 0], [1, 2]] and x.indices.dtype is int64
    assert y.indptr.tolist() == [0, 1, 3, 3] and y.indices.tolist() == [1, 0, 2] and y.indices.dtype is int32
    for each in (x, y):
        assert each.values.tolist() == [1.5, -2, 3] and each.shape == (3, 4) and each.dtype is float32
        assert each.ndim == 2 and each.size == 3 and each.itemsize == 4
        assert each.astype(float64).dtype is float64 and each.abs().values.tolist() == [1.5, 2, 3]
        assert each == each and each != coo() and len({each, each}) == 1
        same(each, A)
        same(-each, -A)
    assert x.to_tuple()[2] == (3, 4) and type(x.to_tuple()) is tuple
    assert COOTensor(coo_tensor=x).values is x.values and CSRTensor(csr_tensor=y).indptr is y.indptr
    same(y.to_coo(), A)
    same(x.to_csr(), A)
    rows = RowTensor(Tensor([0]), Tensor([[1.0, 2.0]]), (3, 2))
    assert rows.dense_shape == (3, 2) and RowTensor(row_tensor=rows).indices.tolist() == [0]
    assert SparseTensor is COOTensor and ops.coo_tensor_get_dense_shape(x) == ops.csr_tensor_get_dense_shape(y)
    assert ops.coo_tensor_get_values(x) is x.values and ops.coo_tensor_get_indices(x) is x.indices
    assert ops.csr_tensor_get_values(y) is y.values and ops.csr_tensor_get_indptr(y) is y.indptr
    assert ops.csr_tensor_get_indices(y) is y.indices


def test_printing() -> None:
    assert repr(coo()) == str(coo()) == (
        "COOTensor(shape=[3, 4], dtype=Float32, indices=Tensor(shape=[3, 2], dtype=Int64, value=\n"
        "[[0 1]\n [1 0]\n [1 2]]), "
        "values=Tensor(shape=[3], dtype=Float32, value=[ 1.50000000e+00 -2.00000000e+00  3.00000000e+00]))"
    )
    assert repr(csr()).startswith(
        "CSRTensor(shape=[3, 4], dtype=Float32, indptr=Tensor(shape=[4], dtype=Int32, value=[0 1 3 3]), indices="
    )


def test_repeated_and_unordered_positions() -> None:
    x = COOTensor(Tensor([[2, 1], [0, 3], [2, 1]]), Tensor([1.0, 2.0, 3.0]), (3, 4))
    once = x.coalesce()
    assert once.indices.tolist() == [[0, 3], [2, 1]] and once.values.tolist() == [2, 4]
    same(x, once.to_dense().asnumpy())
    same(x.to_csr(), once.to_dense().asnumpy())
    assert x.to_csr().values.tolist() == [2, 1, 3]


def test_arithmetic() -> None:
    same(coo() + coo(B), A + B)
    same(coo() - coo(B), A - B)
    same(coo() + Tensor(DENSE), A + DENSE)
    same(coo() - Tensor(DENSE), A - DENSE)
    same(coo() * Tensor(DENSE), A * DENSE)
    same(coo() / Tensor(DENSE), A / DENSE)
    same(csr() + csr(B), A + B)
    same(csr() - csr(B), A - B)
    same(csr().add(csr(B), Tensor(2.0), Tensor(3.0)), 2 * A + 3 * B)
    for y in (DENSE, DENSE[:1], DENSE[:, :1], DENSE[0]):
        same(csr() * Tensor(y), A * y)
        same(csr() / Tensor(y), A / y)
    kept = coo().add(coo(B), Tensor(3.0))
    assert kept.values.tolist() == [4, 4, 5] and kept.indices.tolist() == [[0, 0], [1, 2], [2, 3]]


def test_products_and_sums() -> None:
    matrix, vector = DENSE.T.copy(), DENSE[0].reshape(4, 1)
    same(csr().mv(Tensor(vector)), A @ vector)
    same(csr().mm(Tensor(matrix)), A @ matrix)
    same(csr().mm(csr(B.T.copy())), A @ B.T)
    same(ops.csr_mm(csr(), Tensor(DENSE), trans_a=True), A.T @ DENSE)
    same(ops.csr_mm(csr(), Tensor(DENSE), adjoint_b=True), A @ DENSE.T)
    same(ops.csr_mm(csr(), csr(B), trans_a=True), A.T @ B)
    same(csr().sum(1), A.sum(1, keepdims=True))
    same(csr().sum(0), A.sum(0, keepdims=True))
    same(nn.SparseTensorDenseMatmul()(coo().indices, coo().values, (3, 4), Tensor(matrix)), A @ matrix)
    turned = nn.SparseTensorDenseMatmul(adjoint_st=True, adjoint_dt=True)
    same(turned(coo().indices, coo().values, (3, 4), Tensor(matrix)), A.T @ matrix.T)
    same(nn.SparseToDense()(coo()), A)


def test_softmax_of_what_is_held() -> None:
    found = ops.csr_softmax(csr(), float32).to_dense().asnumpy()
    powers = np.where(A != 0, np.exp(A), 0)
    np.testing.assert_allclose(found[:2], (powers / powers.sum(1, keepdims=True, initial=1e-30))[:2], rtol=1e-6)


def test_concatenation() -> None:
    for axis in (0, 1, -1):
        found = ops.coo_concat((coo(), coo(B)), axis)
        same(found, np.concatenate([A, B], axis))
        assert (np.lexsort(found.indices.asnumpy().T[::-1]) == np.arange(found.size)).all()


FUNCTIONS = [
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "exp", "expm1", "floor", "inv",
    "isfinite", "isinf", "isnan", "log", "log1p", "neg", "relu", "relu6", "round", "sigmoid", "sin", "sinh", "softsign",
    "sqrt", "square", "tan", "tanh",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_the_values(name: str) -> None:
    wanted = getattr(ops, name)(coo().values).asnumpy()
    for kind, x in (("coo", coo()), ("csr", csr())):
        found = getattr(ops, f"{kind}_{name}")(x)
        np.testing.assert_array_equal(found.values.asnumpy(), wanted)
        assert type(found) is type(x) and found.indices is x.indices


@pytest.mark.parametrize("mode", [graphc.GRAPH_MODE, graphc.PYNATIVE_MODE])
def test_within_cells(mode: int) -> None:
    class Net(nn.Cell):
        def construct(self, x: COOTensor, y: Tensor) -> Any:
            return x * y, ops.coo_tanh(x).to_dense()

    set_context(mode=mode)
    product, dense = Net()(coo(), Tensor(DENSE))
    assert type(product) is COOTensor
    same(product, A * DENSE)
    same(dense, np.tanh(A))


def test_derivatives() -> None:
    x, y = csr(), Tensor(DENSE.T.copy())

    def loss(values: Tensor, matrix: Tensor) -> Tensor:
        return x.with_values(values).mm(matrix).square().sum()

    def dense(values: Tensor, matrix: Tensor) -> Tensor:
        full = ops.scatter_nd(x.to_coo().indices, values, (3, 4))
        return ops.matmul(full, matrix).square().sum()

    for found, wanted in zip(grad(loss, (0, 1))(x.values, y), grad(dense, (0, 1))(x.values, y), strict=True):
        np.testing.assert_allclose(found.asnumpy(), wanted.asnumpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: COOTensor(Tensor([[0, 1]]), Tensor([1.0, 2.0]), (3, 4)), ValueError, "expected indices"),
        (lambda: COOTensor(Tensor([[0.0, 1.0]]), Tensor([1.0]), (3, 4)), TypeError, "must be integers"),
        (lambda: COOTensor([[0, 1]], Tensor([1.0]), (3, 4)), TypeError, "must be a Tensor"),
        (lambda: COOTensor(coo_tensor=csr()), TypeError, "expected a COOTensor to copy"),
        (lambda: COOTensor(Tensor([[0, 1]]), coo_tensor=coo()), ValueError, "got both"),
        (lambda: COOTensor(Tensor([[0, 9]]), Tensor([1.0]), (3, 4)).coalesce(), IndexError, "out of range"),
        (lambda: CSRTensor(Tensor([0, 1]), Tensor([1]), Tensor([1.0]), (3, 4)), ValueError, "expected indptr"),
        (lambda: RowTensor(Tensor([0]), Tensor([1.0]), (3, 4)), ValueError, "expected indices"),
        (lambda: coo() + Tensor(1.0), ValueError, "shapes differ"),
        (lambda: coo() + 1, TypeError, "expected a tensor"),
        (lambda: ops.coo_add(coo(), csr(), 0), TypeError, "expected a COOTensor"),
        (lambda: csr() * Tensor(np.ones((2, 4))), ValueError, "does not broadcast"),
        (lambda: csr().mv(Tensor([1.0])), ValueError, "expected a vector"),
        (lambda: csr().mm(Tensor(DENSE)), ValueError, "inner dimensions differ"),
        (lambda: ops.csr_tanh(coo()), TypeError, "expected a CSRTensor"),
        (lambda: Tensor(1.0).to_coo(), ValueError, "at least one axis"),
        (lambda: Tensor([1.0]).to_csr(), ValueError, "expected a matrix"),
        (lambda: ops.coo_concat((coo(), coo(B[:2])), 1), ValueError, "do not fit"),
        (lambda: jit(lambda x: x.to_coo().values, fullgraph=True)(Tensor(A)), Exception, "depends on the values"),
    ],
)
def test_errors(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
