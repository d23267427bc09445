"""The native way into a step: which arguments it takes, that nothing comes in between, what is told of references."""

from __future__ import annotations

import gc
import threading
from typing import Any

import numpy as np
import pytest
from modes import mode
from reference import assert_same

import graphc as ms
from graphc import GRAPH_MODE, Parameter, Tensor, jit, nn, ops
from graphc.arrays import LARGE, LINE, PAGE
from graphc.jit import Jitted
from graphc.runtime import entry
from graphc.runtime.entry import builtin, expected_of, fitting, held
from graphc.runtime.entry_ir import APART, NAMES, NEAR, entry_ir
from graphc.runtime.entry_plan import Expected

ONES = np.ones((2, 3), np.float32)


class Own(np.ndarray):
    """An array that may do as it likes."""


def entered(call: Jitted, *args: Any) -> Any:
    """What a jitted function returns if its code can be entered with these arguments; None otherwise."""
    memory = call.quickly(args, {})
    assert call._ready is not None
    return None if memory is None else call._ready.value_in(memory)


def test_it_takes_tensors_and_arrays_of_the_type_that_it_was_made_for() -> None:
    call = jit(lambda x, y: x + y)
    call(ONES, ONES)
    computed = ms.jit(lambda x: x * 1.0)(ONES)
    viewed = Tensor(ONES)
    viewed.numpy_view()
    for x in (ONES, Tensor(ONES), ONES.copy(), computed, viewed, ms.from_numpy(ONES), ONES * np.float32(1)):
        for y in (ONES, Tensor(ONES)):
            assert_same(entered(call, x, y).asnumpy(), np.full((2, 3), 2.0, np.float32))


@pytest.mark.parametrize(
    "other",
    [
        ONES.T, ONES[:, ::2], np.ones((3, 2), np.float32), np.ones((6,), np.float32), ONES.astype(np.float64),
        ONES.astype(">f4"), np.asfortranarray(ONES), ONES.view(Own), np.float32(1.0), 1.0, None, "x", [1.0], object(),
        Tensor(ONES.T), Tensor(ONES.astype(np.int32)), Parameter(Tensor(ONES), "p"), Tensor,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_it_takes_nothing_else(other: Any) -> None:
    call = jit(lambda x, y: x + y)
    call(ONES, ONES)
    assert entered(call, other, ONES) is entered(call, ONES, other) is None
    assert entered(call, ONES) is entered(call) is entered(call, ONES, ONES, ONES) is None
    assert entered(call, ONES, ONES).asnumpy().sum() == 12.0


def _at(line: int) -> np.ndarray:
    """A large array that begins in the given line of a page, though not where the line does."""
    room = np.zeros((LARGE + 2 * PAGE) // 4 + 1, np.float32)
    start = (line * LINE + 16 - room.ctypes.data) % PAGE // 4
    return room[start : start + LARGE // 4 + 1]


def test_large_results_begin_where_loads_of_arguments_wait_for_no_store() -> None:
    call = jit(lambda x, y: (x + 1.0, x * y))
    lines = range(0, PAGE // LINE, 9)
    for first in lines:
        for second in lines:
            x, y = _at(first), _at(second)
            x[:], y[:] = 2.0, 3.0
            call(x, y)
            for result, value in zip(entered(call, x, y), (3.0, 6.0), strict=True):
                assert_same(result.asnumpy(), np.full(len(x), value, np.float32))
                assert result.address() % LINE == 0
                for read in (first, second):
                    assert (result.address() // LINE - read) % (PAGE // LINE) not in [n % (PAGE // LINE) for n in NEAR]
    alone = call(_at(5), _at(5))[0]
    assert (alone.address() // LINE - 5) % (PAGE // LINE) == APART


def test_results_begin_in_a_line_where_no_place_is_best() -> None:
    call = jit(lambda x, y, z: x + y + z)
    x, y, z = _at(0), _at(21), _at(42)
    call(x, y, z)
    for _ in range(3):
        assert entered(call, x, y, z).address() % LINE == 0
    big = jit(lambda: ops.ones((64, 128)) * 2.0)  # nothing is read
    assert_same(big().asnumpy(), big().asnumpy())


def test_arguments_that_are_no_tensors_are_the_same_objects() -> None:
    number, name = 2.5, "scale"
    call = jit(lambda x, factor, how, bias: x * factor + bias if how == "scale" else x)
    call(ONES, number, name, ONES)
    assert entered(call, ONES, number, name, ONES).asnumpy().sum() == 21.0
    assert entered(call, ONES, 3.5, name, ONES) is entered(call, ONES, number, "x", ONES) is None
    assert entered(call, ONES, ONES, name, ONES) is None
    assert call(ONES, float("2.5"), name, ONES).asnumpy().sum() == 21.0
    assert call(ONES, 3.0, name, ONES).asnumpy().sum() == 24.0


def test_containers_are_looked_into() -> None:
    call = jit(lambda x, pair: x * pair[0] + pair[1])
    pair = [2.0, 1.0]
    assert call(ONES, pair).asnumpy().sum() == 18.0
    pair[1] = 2.0
    assert call(ONES, pair).asnumpy().sum() == 24.0


def test_stand_ins_and_promises_are_no_values() -> None:
    call = jit(lambda x: x * 2.0)
    call(ONES)
    with mode(GRAPH_MODE):
        w = Parameter(Tensor(ONES), "w")
        gradients = ms.grad(lambda x: (w * x).sum(), None, [w])(Tensor(ONES))
        assert entered(call, gradients[0]) is None
        assert call(gradients[0]).asnumpy().sum() == 12.0
        assert entered(call, gradients[0]).asnumpy().sum() == 12.0


def test_results_are_memory_of_their_own() -> None:
    call = jit(lambda x: (x * 2.0, x + 1.0, x.sum(), ops.zeros((0, 3))))
    kept = [call(ONES * np.float32(k)) for k in range(20)]
    for k, (double, more, total, none) in enumerate(kept):
        assert_same(double.asnumpy(), ONES * np.float32(2 * k))
        assert_same(more.asnumpy(), ONES * np.float32(k) + 1)
        assert total.item() == 6.0 * k and none.shape == (0, 3) and none.asnumpy().size == 0


def test_an_error_is_told_once_and_the_next_run_is_right() -> None:
    call = jit(lambda x, i: ops.gather(x, i, 0))
    table = Tensor(np.arange(4, dtype=np.float32))
    for _ in range(3):
        assert call(table, Tensor([2])).tolist() == [2.0]
        with pytest.raises(IndexError, match="index 7 at position 1 is out of range"):
            call(table, Tensor([0, 7]))
        with pytest.raises(IndexError, match="index -9 at position 0 is out of range"):
            call(table, Tensor([-9]))


def test_runs_while_a_profile_is_open_are_in_it() -> None:
    call = jit(lambda x: x * 2.0 + 1.0)
    call(ONES)
    for _ in range(2):
        with ms.profile() as profile:
            for _ in range(5):
                assert call(ONES).asnumpy().sum() == 18.0
        assert [kernel.calls for kernel in profile.kernels] == [5]
        assert entered(call, ONES).asnumpy().sum() == 18.0


def test_python_code_that_the_collector_runs_may_call_the_same_function() -> None:
    call = jit(lambda x, y: x * y)
    call(ONES, ONES)
    wrong: list[np.ndarray] = []
    calls = [0]

    class Calling:
        """Cyclic garbage that calls the function when it is found."""

        def __init__(self) -> None:
            self.own = self

        def __del__(self) -> None:
            calls[0] += 1
            found = call(ONES * np.float32(3), ONES * np.float32(5)).asnumpy()
            if not (found == 15.0).all():
                wrong.append(found)

    before = gc.get_threshold()
    gc.set_threshold(3, 1, 1)
    try:
        for k in range(300):
            Calling()
            kept = [call(ONES * np.float32(k), ONES) for _ in range(3)]
            assert all((found.asnumpy() == k).all() for found in kept)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert calls[0] == 300 and not wrong


def test_a_built_in_function_keeps_what_it_was_told() -> None:
    expected = expected_of(np.ones((5, 7), np.float32))
    assert expected is not None
    fits = fitting([expected, Expected(None, "name")])
    del expected
    gc.collect()
    assert fits(np.zeros((5, 7), np.float32), "name") is True
    assert fits(np.zeros((7, 5), np.float32), "name") is fits(np.zeros((5, 7), np.float32), "other") is False


def test_held_objects_are_found() -> None:
    objects = [object() for _ in range(10)]
    everywhere = 0, 10
    assert held(objects, everywhere, 0) == [] == held([], (0, 0), 0)
    kept = [objects[3], objects[7], objects[9]]
    assert held(objects, everywhere, 3) == [3, 7, 9] and held(objects, everywhere, 2) is None
    assert held(objects, (4, 9), 1) == [7] and held(objects, (4, 7), 0) == [] and held(kept, (0, 3), 3) == [0, 1, 2]
    assert held(kept, (0, 3), 0, references=2) == [] and held(objects, (2, 5), 3, references=2) == [2, 4]
    del kept
    assert held(objects, everywhere, 0) == []


def test_where_references_cannot_be_counted_all_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entry, "GIL", False)
    entry._next_held.cache_clear()
    try:
        assert held([object(), object()], (0, 2), 2) == [0, 1] and held([object()], (0, 1), 0) is None
        assert held([object()], (1, 1), 0) == []
    finally:
        entry._next_held.cache_clear()


def test_the_module_defines_what_it_says() -> None:
    text = entry_ir()
    assert all(f"@{name}(" in text for name in NAMES)
    assert callable(builtin("graphc_held"))


def test_one_function_in_several_threads_with_arrays_and_tensors() -> None:
    net = nn.Dense(3, 4)
    call = jit(lambda x: net(x).sum(1))
    call(ONES)
    wrong: list[int] = []

    def work(number: int) -> None:
        x = ONES * np.float32(number)
        wanted = call(Tensor(x)).asnumpy()
        for k in range(500):
            if not np.array_equal(call(x if k % 2 else Tensor(x)).asnumpy(), wanted):
                wrong.append(number)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not wrong
