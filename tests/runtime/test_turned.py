"""Strips that are turned, against NumPy; and who needs the functions."""

import ctypes

import numpy as np
import pytest

from graphc import Tensor, ops
from graphc.compiler import compile_program
from graphc.jit import jit as ms_jit
from graphc.runtime import jit, turned
from graphc.trace import trace


@pytest.mark.parametrize(("element", "dtype"), [("float", np.float32), ("double", np.float64), ("i8", np.uint8)])
@pytest.mark.parametrize("length", [0, 16, 48])
def test_a_strip_is_stored_with_its_lines_as_columns(element: str, dtype: type, length: int) -> None:
    native = jit.compile_text([turned.text_for(element)], [f"graphc_turned_{element}"])
    call = native.function(f"graphc_turned_{element}", None, *[ctypes.c_void_p, ctypes.c_int64] * 2, ctypes.c_int64)
    source, target = np.arange(16 * 50).reshape(16, 50).astype(dtype), np.full((50, 20), 7, dtype)
    call(source.ctypes.data, 50, target.ctypes.data, 20, length)
    np.testing.assert_array_equal(target[:length, :16], source[:, :length].T)
    assert (target[length:] == 7).all() and (target[:, 16:] == 7).all()


def test_kernels_that_turn_share_one_function() -> None:
    def two(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return ops.transpose(x, (1, 0)), ops.transpose(y, (1, 0))

    texts = compile_program(trace(two, (ops.ones((32, 48)), ops.ones((64, 32))), {}, "two").graph).texts()
    assert turned.text_for("float") in texts
    assert [text.count("shufflevector") > 2 for text in texts].count(True) == 1
    texts = compile_program(trace(ops.tanh, (ops.ones((32, 48)),), {}, "tanh").graph).texts()
    assert not any("graphc_turned" in text for text in texts)


@pytest.mark.parametrize("shape", [(33, 50), (64, 64), (129, 17), (300, 130), (3, 40, 50)])
@pytest.mark.parametrize("count", [1, 3])
def test_what_is_turned_and_reversed_is_read_in_squares_too(shape: tuple[int, ...], count: int) -> None:
    x = np.random.default_rng(2).normal(size=shape).astype(np.float32)
    last = len(shape) - 2, len(shape) - 1

    def bare(x: Tensor) -> Tensor:
        return ops.rot90(x, count, last)

    def short(x: Tensor) -> Tensor:
        return bare(x) * 2.0 + 1.0

    def long(x: Tensor) -> Tensor:
        return ops.tanh(ops.sin(bare(x)) * ops.exp(bare(x))) + bare(x) * 3.0 - ops.sqrt(ops.abs(bare(x)))

    turned_first = Tensor(np.ascontiguousarray(np.rot90(x, count, last)))
    np.testing.assert_array_equal(ms_jit(bare)(Tensor(x)).asnumpy(), turned_first.asnumpy())
    np.testing.assert_array_equal(ms_jit(short)(Tensor(x)).asnumpy(), turned_first.asnumpy() * 2 + 1)
    plain = ms_jit(lambda x: ops.tanh(ops.sin(x) * ops.exp(x)) + x * 3.0 - ops.sqrt(ops.abs(x)))
    np.testing.assert_array_equal(ms_jit(long)(Tensor(x)).asnumpy(), plain(turned_first).asnumpy())
    texts = compile_program(trace(bare, (Tensor(x),), {}, "bare").graph).texts()
    assert count == 3 or any("graphc_turned" in text for text in texts)
