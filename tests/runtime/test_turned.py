"""Strips that are turned, against NumPy; and who needs the functions."""

import ctypes

import numpy as np
import pytest
from guarded import guarded

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


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("lines", [1, 3, 15, 16])
@pytest.mark.parametrize("length", [0, 1, 15, 16, 21])
def test_a_part_of_a_strip_is_stored_with_zeros_for_lines_that_are_not_there(
    lines: int, length: int, at_end: bool
) -> None:
    name = "graphc_turned_part_float"
    native = jit.compile_text([turned.text_for("part_float")], [name])
    call = native.function(name, None, *[ctypes.c_void_p, ctypes.c_int64], ctypes.c_int64, *[
        ctypes.c_void_p, ctypes.c_int64], ctypes.c_int64)  # fmt: skip
    source = guarded(np.arange(lines * 23, dtype=np.float32)[: 23 * (lines - 1) + length].reshape(-1), at_end)
    target = guarded(np.full(20 * length, 7, np.float32), at_end)
    short = target[: max(20 * length - 4, 0)]  # the last column ends with its sixteen lines
    call(source.ctypes.data, 23, lines, short.ctypes.data, 20, length)
    for at in range(length):
        wanted = np.zeros(16, np.float32)
        wanted[:lines] = source[at::23][:lines]
        np.testing.assert_array_equal(target[20 * at : 20 * at + 16], wanted)
        assert (target[20 * at + 16 : 20 * at + 20] == 7).all()


def test_kernels_that_turn_share_one_function() -> None:
    def two(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return ops.transpose(x, (1, 0)), ops.transpose(y, (1, 0))

    texts = compile_program(trace(two, (ops.ones((32, 48)), ops.ones((64, 32))), {}, "two").graph).texts()
    needed = [turned.text_for("float"), turned.text_for("part_float")]
    assert [text for text in texts if text.count("shufflevector") > 2] == needed
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
