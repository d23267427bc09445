"""What is asked of a tensor's memory: bytes, views of them, devices, elements as they lie there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Parameter, Tensor, ops

A = np.arange(6, dtype=np.float32).reshape(2, 3)


def test_bytes_and_back() -> None:
    x = Tensor([1, 2, 3], ms.int16)
    assert x.get_bytes() == b"\x01\x00\x02\x00\x03\x00"
    again = Tensor.convert_bytes_to_tensor(Tensor(A).get_bytes(), (2, 3), ms.float32)
    assert again.dtype is ms.float32 and (again.asnumpy() == A).all()
    found = ms.frombuffer(bytearray(range(6)), dtype=ms.uint8, count=2, offset=3)
    assert found.dtype is ms.uint8 and found.tolist() == [3, 4]
    assert x.data_ptr() == x.address() == x.numpy_view().ctypes.data


def test_views_as_other_elements() -> None:
    x = Tensor(np.array([[1, 2], [3, 4]]))
    np.testing.assert_array_equal(x.view(ms.int32).asnumpy(), x.asnumpy().view(np.int32))
    assert Tensor(1.0).view(ms.int32).item() == 0x3F800000
    assert Tensor(A).view(3, 2).shape == Tensor(A).view((3, -1)).shape == (3, 2) and Tensor(A).view(6).ndim == 1


def test_elements_and_sizes() -> None:
    x = Tensor(A)
    assert x.itemset((0, 1), 9).tolist() == [[0, 9, 2], [3, 4, 5]] == x.itemset(0, 1, 9).tolist()
    assert x.itemset(4, 9).tolist() == [[0, 1, 2], [3, 9, 5]] and Tensor([7]).itemset(3).tolist() == [3]
    assert (x.asnumpy() == A).all()
    assert x.resize(3, 3).tolist() == [[0, 1, 2], [3, 4, 5], [0, 0, 0]]
    assert x.resize((2, 2)).tolist() == [[0, 1], [2, 3]]
    assert x.stride() == [3, 1] and x.stride(0) == 3


def test_dtypes_and_devices() -> None:
    x = Tensor(A)
    assert x.set_dtype(ms.int32) is ms.int32 is x.dtype
    assert x.to("CPU").dtype is ms.int32 and x.to(device="cpu:0", dtype=ms.float16).dtype is ms.float16
    assert x.move_to("CPU") is not x and not x.is_meta
    p = Parameter(Tensor(A), name="p")
    assert p.requires_grad_(False) is p and not p.requires_grad
    assert [ms.get_py_obj_dtype(v) for v in (1, 2.0, True, float, x)] == [
        ms.int64, ms.float32, ms.bool_, ms.float32, ms.int32
    ]  # fmt: skip
    assert ms.int_ is ms.int64


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Tensor(A).to("Ascend"), "live on the CPU"),
        (lambda: Tensor(A).move_to("GPU"), "live on the CPU"),
        (lambda: Tensor(A).view(ms.float64), "no whole number of float64"),
        (lambda: Tensor.convert_bytes_to_tensor(b"123", (1,), ms.int32), "3 bytes are no tensor"),
        (lambda: ms.frombuffer(b"1234", dtype=ms.int32, count=2), "frombuffer"),
        (lambda: Tensor(A).itemset(3), "expected an index"),
        (lambda: ops.diag(Tensor(1.0)), "at least one axis"),
    ],
)
def test_errors(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        call()
    assert "test_storage.py" in str(caught.value)


def test_memory_is_shared_by_dlpack() -> None:
    from graphc.utils.dlpack import from_dlpack, to_dlpack

    x = Tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    back = from_dlpack(to_dlpack(x))
    assert back.dtype is ms.float32 and back.asnumpy().tolist() == x.asnumpy().tolist()
    shared = np.from_dlpack(ms.Parameter(x, "p"))
    np.testing.assert_array_equal(shared, x.asnumpy())
    computed = np.from_dlpack(ms.jit(lambda t: t * 2)(x))
    np.testing.assert_array_equal(computed, x.asnumpy() * 2)
    array = np.arange(12).reshape(3, 4)
    taken = from_dlpack(array)
    array[0, 0] = 7
    assert int(taken[0, 0]) == 7
    assert from_dlpack(array[:, ::2]).asnumpy().tolist() == array[:, ::2].tolist()
    with pytest.raises(TypeError, match="expected a DLPack capsule, got list"):
        from_dlpack([1])
    with pytest.raises(TypeError, match="expected a Tensor, got ndarray"):
        to_dlpack(array)
    with pytest.raises(TypeError, match="expected one of float32"):
        from_dlpack(np.ones(2, np.uint64))
