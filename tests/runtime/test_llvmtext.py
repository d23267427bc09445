"""What builders write: how often loops are said to run, and branches that are seldom taken."""

import ctypes

import numpy as np
import pytest

from graphc.runtime import jit
from graphc.runtime.llvmtext import Module, const, const_vector, i64


@pytest.mark.parametrize(("stop", "step", "said"), [(100, 1, 99), (100, 16, 6), (5, 16, 0), (1 << 40, 1, 1 << 30)])
def test_a_loop_says_how_often_it_runs(stop, step, said):
    module = Module("loops")
    b = module.function("loops", [])
    with b.loop(0, stop, step):
        pass
    b.ret()
    (branch,) = [line for line in str(b).split("\n") if "br i1" in line]
    assert branch.endswith(f'!prof !{{!"branch_weights", i32 {said}, i32 1}}')


def test_a_loop_whose_end_is_not_known_says_nothing():
    module = Module("loops")
    b = module.function("loops", [("i64", "n")])
    with b.loop(0, b.args[0]):
        pass
    b.ret()
    assert "!prof" not in str(module)


def test_the_rare_way_replaces_the_usual_values_where_it_is_taken():
    module = Module("rarely")
    b = module.function("rarely", [("ptr", "x"), ("ptr", "y"), ("i64", "n")])
    x, y, n = b.args
    with b.loop(0, n) as i:
        value = b.load(b.gep(x, i, "i64"), "i64")

        def instead(value=value):
            with b.loop_carrying(i64(0), i64(3), [value]) as (_, (carried,), out):  # blocks of its own
                out[:] = [b.mul(carried, 2)]
            return [out[0], b.add(value, 7)]

        rare = b.icmp("sgt", value, const(10, "i64"))
        first, second = b.unless(rare, [value, b.sub(value, i64(1))], instead)
        b.store(b.add(first, second), b.gep(y, i, "i64"))
    b.ret()
    native = jit.compile_text([str(module)], ["rarely"])
    rarely = native.function("rarely", None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
    values, out = np.arange(20), np.zeros(20, np.int64)
    rarely(values.ctypes.data, out.ctypes.data, 20)
    np.testing.assert_array_equal(out, np.where(values > 10, values * 8 + values + 7, 2 * values - 1))


@pytest.mark.parametrize("types", ["i64 i32", "i64 i8", "i32 i16", "i32 i8", "i16 i8"])
@pytest.mark.parametrize("on", [[0], [2], [0, 1], [1, 3], [0, 1, 2], [0, 1, 2, 3]])
def test_a_masked_store_of_narrowed_lanes_writes_nothing_else(types: str, on: list[int]) -> None:
    """LLVM 22 stores all of the wide element if there is a single one."""
    wide, narrow = types.split()
    module, dtypes = Module("narrowed"), {"i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8}
    b = module.function("narrowed", [("ptr", "x"), ("ptr", "y")])
    x, y = b.args
    value = b.convert("trunc", b.load(x, f"<4 x {wide}>"), narrow)
    b.masked_store(value, y, const_vector([lane in on for lane in range(4)], "i1"))
    b.ret()
    native = jit.compile_text([str(module)], ["narrowed"])
    source, target = np.arange(3, 7, dtype=dtypes[wide]), np.full(16, 77, dtypes[narrow])
    native.function("narrowed", None, ctypes.c_void_p, ctypes.c_void_p)(source.ctypes.data, target.ctypes.data)
    assert [(n, v) for n, v in enumerate(target.tolist()) if v != 77] == [(lane, lane + 3) for lane in on]
