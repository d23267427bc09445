"""Executables: binding, memory that is used again, updates in place, index errors that change nothing, threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from modes import Compiled, compiled, mode, threads
from reference import assert_same, assert_same_run, input_arrays, run

import graphc as ms
import graphc.random
from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, Tensor, jit, mint, nn, ops
from graphc.arrays import aligned_empty
from graphc.ir import verify
from graphc.irtext import parse
from graphc.op import infer_node
from graphc.programs import compile_graph


def runs_as_said(text: str, seed: int = 0) -> Compiled:
    """Runs a graph of exact ops twice; each time it computes its meaning."""
    graph = verify(parse(dedent(text)), infer_node)
    arrays = input_arrays(graph, seed)
    executable = Compiled(graph, arrays)
    for _ in range(2):
        assert_same_run(executable(arrays), run(graph, arrays))
    return executable


# Outputs and updates


def test_outputs_that_are_inputs_or_repeated() -> None:
    runs_as_said(
        """
        graph f(%x: f32[5], %y: i32[]; %w: f32[5]) {
          %0: f32[5] = neg(%x)
          return %x, %0, %0, %w, %y, %x, 2.5, True
        }"""
    )


def test_outputs_do_not_share_memory_with_anything() -> None:
    w = Parameter(np.ones(3, np.float32), "w")
    x = Tensor(np.zeros(3, np.float32))
    step = jit(lambda x: (x, x, w * 1, ops.assign(w, w + 1) * 1))
    first = step(x)
    held = [t.asnumpy() for t in first]
    second = step(x)
    w[0] = 100.0
    first[0][1] = 50.0
    assert x.asnumpy().tolist() == [0.0, 0.0, 0.0] and first[1].asnumpy().tolist() == [0.0, 0.0, 0.0]
    for kept, tensor in zip(held[1:], first[1:], strict=True):
        assert_same(tensor.asnumpy(), kept)
    assert second[2].asnumpy().tolist() == [2.0, 2.0, 2.0] and second[3].asnumpy().tolist() == [3.0, 3.0, 3.0]


def test_a_swap_and_a_rotation_of_parameters() -> None:
    runs_as_said("graph f(; %p: f32[40], %q: f32[40]) {\n  update %p <- %q\n  update %q <- %p\n  return %p, %q\n}")
    runs_as_said(
        """
        graph f(; %p: f32[7], %q: f32[7], %r: f32[7]) {
          %0: f32[7] = neg(%q)
          update %p <- %0
          update %q <- %r
          update %r <- %p
          return
        }"""
    )


def test_updates_that_read_other_parameters() -> None:
    """Whatever order the kernels run in, each update sees what the parameters were before."""
    runs_as_said(
        """
        graph f(%x: f32[33]; %p: f32[33], %q: f32[33]) {
          %0: f32[33] = add(%p, %x)
          %1: f32[33] = mul(%p, %q)
          %2: f32[33] = flip(%p, axes=(0,))
          %3: f32[33] = sub(%2, %q)
          update %p <- %1
          update %q <- %3
          return %0, %1
        }"""
    )


@pytest.mark.parametrize(
    "op",
    ["transpose(%w, perm=(1, 0))", "flip(%w, axes=(0,))", "flip(%w, axes=(1,))", "cumsum(%w, axis=0)",
     "gather(%w, %i, axis=0, batch_dims=0)", "scatter_add(%w, %i, %w)"],
)  # fmt: skip
def test_updates_that_may_not_be_made_in_place(op: str) -> None:
    """The new value at one place comes from the old value at another."""
    runs_as_said(
        f"""
        graph f(; %w: f32[18,18]) {{
          %i: i64[18] = iota(shape=(18,), axis=0, dtype=graphc.int64)
          %1: f32[18,18] = {op}
          %2: f32[18,18] = add(%1, %w)
          update %w <- %2
          return %2, %w
        }}"""
    )


def test_a_contraction_of_a_parameter_with_itself() -> None:
    w = Parameter(np.arange(36, dtype=np.float32).reshape(6, 6) / 10, "w")
    before = w.asnumpy()
    jit(lambda: ops.assign(w, ops.matmul(w, w)))()
    np.testing.assert_allclose(w.asnumpy(), before @ before, rtol=1e-5)


def test_an_update_that_is_also_an_output() -> None:
    runs_as_said(
        "graph f(%x: f32[20]; %w: f32[20]) {\n  %0: f32[20] = add(%w, %x)\n  update %w <- %0\n  return %0, %0\n}"
    )


def test_one_value_for_several_parameters() -> None:
    runs_as_said(
        """
        graph f(%x: f32[20]; %p: f32[20], %q: f32[20]) {
          %0: f32[20] = neg(%x)
          update %p <- %0
          update %q <- %0
          return %p
        }"""
    )


def test_parameters_are_written_where_they_lie() -> None:
    w = Parameter(np.ones(100, np.float32), "w")
    address = w.address()
    view = w.numpy_view()
    jit(lambda x: ops.assign_add(w, x))(Tensor(np.ones(100, np.float32)))
    assert w.address() == address and view[0] == 2.0


# Shapes and memory


def test_tensors_without_elements() -> None:
    runs_as_said(
        """
        graph f(%x: f32[0,3], %y: f32[2,3]; %w: f32[0,3]) {
          %0: f32[0,3] = neg(%x)
          %1: f32[2,3] = concat(%0, %y, axis=0)
          %2: f32[3,0] = transpose(%x, perm=(1, 0))
          %3: f32[0] = reshape(%x, shape=(0,))
          update %w <- %0
          return %0, %1, %2, %3, %w
        }"""
    )
    x = Tensor(np.zeros((0, 3), np.float32))
    call = jit(lambda x: (x.sum(), x.sum(0), x.sum(1), ops.matmul(x, x.T), ops.matmul(x.T, x), ops.prod(x, 0)))
    shapes = [t.shape for t in call(x)]
    assert shapes == [(), (3,), (0,), (0, 0), (3, 3), (3,)]
    assert call(x)[4].asnumpy().tolist() == np.zeros((3, 3)).tolist() and call(x)[5].tolist() == [1.0, 1.0, 1.0]


def test_scalars() -> None:
    runs_as_said(
        """
        graph f(%x: f32[], %n: i64[], %b: bool[], %u: u8[]; %w: f64[]) {
          %0: f32[] = neg(%x)
          %1: i64[] = add(%n, 3)
          %2: bool[] = logical_not(%b)
          %3: u8[] = add(%u, 250:u8)
          %4: f64[] = cast(%0, dtype=graphc.float64)
          update %w <- %4
          return %0, %1, %2, %3, %w
        }"""
    )


def test_arguments_at_any_address() -> None:
    """Arrays of the user's need not be aligned."""
    raw = aligned_empty((4 * 67 + 64,), np.dtype(np.uint8))
    call = jit(lambda x: x * 2 + 1)
    for offset in (0, 4, 8, 20, 36, 60):
        x = raw[offset : offset + 4 * 67].view(np.float32)
        x[:] = np.arange(67)
        assert_same(call(Tensor.wrap(x)).asnumpy(), np.arange(67, dtype=np.float32) * 2 + 1)


def test_nothing_is_written_beyond_a_buffer() -> None:
    """Every size around a vector: what lies behind a Parameter stays as it is."""
    for count in (1, 2, 3, 7, 15, 16, 17, 31, 33):
        memory = aligned_empty((count + 64,), np.dtype(np.float32))
        memory[:] = 7.0
        w = Parameter(np.zeros(count, np.float32), "w")
        w._set_array(memory[:count])
        jit(lambda x, w=w: ops.assign(w, x * 2))(Tensor(np.ones(count, np.float32)))
        assert (memory[:count] == 2.0).all() and (memory[count:] == 7.0).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(graphs())
def test_the_arena_may_hold_anything_before_a_run(made: Made) -> None:
    """Filled with 0xFF (NaN, -1) and with zeros, it gives the same results."""
    arrays = made.arrays()
    executable = Compiled(made.graph, arrays)
    results = []
    for byte in (0, 255, 17):
        executable.executable._arena[:] = byte
        results.append(executable(arrays))
    assert_same_run(results[1], results[0])
    assert_same_run(results[2], results[0])


# Index errors


TABLE = Tensor(np.arange(40, dtype=np.float32).reshape(20, 2))
BAD_CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...], str]] = {
    "gather": (
        lambda x, i: ops.gather(x, i, 0) * 2, (TABLE, np.array([0, 5, 20, 3])),
        r"gather: index 20 at position 2 is out of range \[0, 20\)",
    ),
    "a negative index": (
        lambda x, i: ops.gather(x, i, 0), (TABLE, np.array([0, -20, -21])),
        r"gather: index -21 at position 2 is out of range \[0, 20\)",
    ),
    "in the rest of a vector": (
        lambda x, i: ops.gather(x, i, 0), (TABLE, np.array([0] * 33 + [99] + [0])),
        r"gather: index 99 at position 33 is out of range \[0, 20\)",
    ),
    "the first of several": (
        lambda x, i: ops.gather(x, i, 0), (TABLE, np.array([0] * 40 + [77, 66] + [0] * 40 + [55])),
        r"gather: index 77 at position 40 is out of range \[0, 20\)",
    ),
    "by an int32": (
        lambda x, i: ops.gather(x, i, 0), (TABLE, np.array([1, 2**31 - 1], np.int32)),
        r"gather: index 2147483647 at position 1 is out of range \[0, 20\)",
    ),
    "fused with another": (
        lambda x, i, j: ops.gather(x, i, 0) + ops.gather_elements(x, 0, j),
        (TABLE, np.zeros(20, int), np.where(np.arange(40).reshape(20, 2) == 27, -45, 0)),
        r"gather_elements: index -45 at position 27 is out of range \[0, 20\)",
    ),
    "before a reduction": (
        lambda x, i: ops.gather(x, i, 0).sum(), (TABLE, np.array([3, 30, 3])),
        r"gather: index 30 at position 1 is out of range \[0, 20\)",
    ),
    "computed": (
        lambda x, i: ops.gather(x, i.sum(1), 0), (TABLE, np.array([[1, 2], [10, 11]])),
        r"gather: index 21 at position 1 is out of range \[0, 20\)",
    ),
    "of an index": (
        lambda x, i, j: ops.gather(x, ops.gather(i, j, 0), 0), (TABLE, np.array([1, 2, 40]), np.array([0, 1, 1, 2])),
        r"gather: index 40 at position 3 is out of range \[0, 20\)",
    ),
    "scatter": (
        lambda x, i, u: ops.tensor_scatter_add(x, i, u), (TABLE, np.array([[1], [20]]), np.ones((2, 2), np.float32)),
        r"scatter_add: index 20 at position 1 is out of range \[0, 20\)",
    ),
    "scatter few rows into zeros": (
        lambda i, u: ops.scatter_nd(i, u, (20, 16)), (np.array([[1], [20]]), np.ones((2, 16), np.float32)),
        r"scatter_add: index 20 at position 1 is out of range \[0, 20\)",
    ),
    "one hot": (
        lambda i: mint.nn.functional.one_hot(i, 3), (np.array([0, 1, 2, 3]),),
        r"one_hot: index 3 at position 3 is out of range \[0, 3\)",
    ),
    "labels": (
        lambda x, y: ops.nll_loss(x, y), (TABLE, np.array([0] * 13 + [2] + [0] * 6, np.int32)),
        r"label 2 at position 13 is out of range \[0, 2\)",
    ),
    "from nothing": (
        lambda x, i: ops.gather(x, i, 0), (np.zeros((0, 2), np.float32), np.array([0])),
        r"gather: index 0 at position 0 is out of range \[0, 0\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("function, args, message", BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_index_errors_say_the_same_in_every_mode(function: Any, args: tuple[Any, ...], message: str) -> None:
    tensors = [a if isinstance(a, Tensor) else Tensor(a) for a in args]
    for count in (1, 2):
        with threads(count):
            for call in (function, jit(function)):
                for _ in range(2):
                    with pytest.raises(IndexError, match=rf"{message}.*test_executable\.py"):
                        call(*tensors)


def test_indices_that_do_not_count_are_not_checked() -> None:
    """In the part of a pad that its operand does not fill, and where a loss ignores the label."""
    x, i = Tensor(np.arange(3, dtype=np.float32)), Tensor(np.array([2, 0, 1]))
    call = jit(lambda x, i: ops.pad(ops.gather(x, i, 0), (20, 20)))
    assert call(x, i).asnumpy()[20:23].tolist() == [2.0, 0.0, 1.0]
    logits, labels = Tensor(np.zeros((3, 4), np.float32)), Tensor(np.array([1, -100, 3], np.int32))
    assert jit(lambda x, y: ops.cross_entropy(x, y))(logits, labels).asnumpy() == np.float32(np.log(np.float32(4)))


@pytest.mark.parametrize("which", [PYNATIVE_MODE, GRAPH_MODE])
@pytest.mark.parametrize("count", [1, 2])
def test_an_index_error_leaves_parameters_and_optimizer_as_they_were(which: int, count: int) -> None:
    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.fc = nn.Embedding(10, 4), nn.Dense(4, 3)

        def construct(self, x: Tensor) -> Tensor:
            return self.fc(self.table(x).mean(1))

    with mode(which), threads(count):
        ms.set_seed(0)
        net = Net().set_train()
        update = nn.Adam(net.trainable_params(), 0.1)
        step = ms.value_and_grad(lambda x, y: ops.cross_entropy(net(x), y), None, update.parameters)

        def train(x: np.ndarray, y: np.ndarray) -> float:
            loss, gradients = step(Tensor(x), Tensor(y))
            update(gradients)
            return float(loss)

        def state() -> dict[str, np.ndarray]:
            held = {p.name: p.asnumpy() for p in (*net.get_parameters(), *update.get_parameters())}
            return {**held, "random": graphc.random.get_rng_state().asnumpy()}

        good = np.array([[1, 2], [3, 9]]), np.array([0, 2])
        train(*good)
        before = state()
        for x, y in ((np.array([[1, 2], [3, 10]]), good[1]), (good[0], np.array([0, 3])), (good[0], np.array([-1, 0]))):
            with pytest.raises(IndexError, match="out of range"):
                train(x, y)
            after = state()
            assert before.keys() == after.keys()
            for name, array in before.items():
                assert_same(after[name], array, name)
        assert train(*good) < 1.2


def test_an_index_error_within_a_compiled_step_leaves_the_random_state() -> None:
    x, bad = Tensor(np.ones((4, 4), np.float32)), Tensor(np.array([9]))
    w = Parameter(np.zeros(4, np.float32), "w")

    @jit
    def step(x: Tensor, i: Tensor) -> Tensor:
        noise = ops.rand(4)
        ops.assign(w, noise)
        return ops.gather(x, i, 0) + noise

    ms.set_seed(1)
    step(x, Tensor(np.array([0])))
    before, held = graphc.random.get_rng_state().asnumpy(), w.asnumpy()
    with pytest.raises(IndexError):
        step(x, bad)
    assert_same(graphc.random.get_rng_state().asnumpy(), before)
    assert_same(w.asnumpy(), held)


# Threads


def test_large_kernels_are_split_and_small_ones_are_not() -> None:
    def program(size: int) -> str:
        graph = parse(f"graph f(%x: f32[{size}]) {{\n  %0: f32[{size}] = exp(%x)\n  return %0\n}}")
        return compile_graph(graph, ()).program.step

    assert "graphc_parallel" in program(4_000_000) and "graphc_parallel" not in program(100)
    with threads(2):
        assert "graphc_parallel" in program(100)


def test_a_step_is_a_loop_over_its_kernels() -> None:
    def step(count: int) -> str:
        turned = "transpose_a=False, transpose_b=False"
        lines = "".join(f"  %{n}: f32[8,8] = matmul(%{n - 1 if n else 'x'}, %x, {turned})\n" for n in range(count))
        text = f"graph f(%x: f32[8,8]) {{\n{lines}  return %{count - 1}\n}}"
        return compile_graph(parse(text), ()).program.step

    few, many = step(2), step(20)
    assert many.count("ptr @k_matmul") == 20 and few.count("ptr @k_matmul") == 2
    assert many.count("call") == few.count("call")


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(0)
    x, w = (Tensor(rng.normal(size=s).astype(np.float32)) for s in ((130, 70), (70, 90)))

    def call(x: Tensor, w: Tensor) -> tuple[Tensor, ...]:
        y = ops.softmax(ops.matmul(x, w))
        return y, y.sum(0), y.T.mean(), ops.cumsum(y, 1), ops.sort(y)[0]

    wanted = [t.asnumpy() for t in call(x, w)]
    for count in (1, 2, 3, 5):
        with threads(count):
            for a, b in zip(jit(call)(x, w), wanted, strict=True):
                assert_same(a.asnumpy(), b)


def together(*functions: Callable[[], None]) -> None:
    """Runs the functions at the same time; raises what one of them raises."""
    errors: list[BaseException] = []

    def guarded(function: Callable[[], None]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=guarded, args=(f,)) for f in functions]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert not any(w.is_alive() for w in workers)
    if errors:
        raise errors[0]


@pytest.mark.parametrize("count", [1, 3])
def test_one_function_called_by_several_python_threads(count: int) -> None:
    with threads(count):
        call = jit(lambda x: ops.softmax(x * 2.0).cumsum(1) + x.sum())
        inputs = [np.random.default_rng(k).normal(size=(9, 33)).astype(np.float32) for k in range(4)]
        wanted = [call(Tensor(x)).asnumpy() for x in inputs]

        def work(k: int) -> None:
            for _ in range(150):
                assert_same(call(Tensor(inputs[k])).asnumpy(), wanted[k])

        together(*(lambda k=k: work(k) for k in range(4)))


def test_updates_by_several_python_threads_are_whole() -> None:
    w = Parameter(np.zeros(1000, np.float32), "w")
    add = jit(lambda x: ops.assign_add(w, x))

    def work() -> None:
        for _ in range(100):
            add(Tensor(np.ones(1000, np.float32)))

    together(work, work, work)
    assert (w.asnumpy() == 300.0).all()


def test_a_function_compiled_by_several_threads_at_once() -> None:
    for k in range(5):
        call = jit(lambda x, k=k: ops.tanh(x + k) * 1.5)
        wanted = (np.tanh(np.float64(k)) * 1.5).astype(np.float32)

        def work(call: Any = call, wanted: Any = wanted) -> None:
            np.testing.assert_allclose(call(Tensor(np.zeros(7, np.float32))).asnumpy(), wanted, rtol=1e-6)

        together(work, work, work)


def test_index_errors_in_several_python_threads() -> None:
    call = jit(lambda x, i: ops.gather(x, i, 0))

    def work(index: int) -> None:
        for _ in range(100):
            with pytest.raises(IndexError, match=f"index {index} at position 0 "):
                call(TABLE, Tensor(np.array([index])))
            assert call(TABLE, Tensor(np.array([3]))).tolist() == [[6.0, 7.0]]

    together(lambda: work(50), lambda: work(60))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(graphs())
def test_an_executable_runs_again_with_other_values(made: Made) -> None:
    executable = Compiled(made.graph, made.arrays())
    for seed in (made.seed + 1, made.seed + 2):
        arrays = input_arrays(made.graph, seed)
        assert_same_run(executable(arrays), compiled(made.graph, arrays))


def test_only_long_steps_release_the_gil() -> None:
    """A short step is over before another thread could make use of the GIL; a long one lets others run."""
    for size, keeps in ((16, True), (1024, False)):
        call = jit(lambda x: ops.matmul(x, x))
        call(np.ones((size, size), np.float32))
        executable = next(iter(call.cache.values())).executable
        assert executable.keeps_gil == keeps


def test_other_threads_run_while_a_long_step_does() -> None:
    call = jit(lambda x: ops.matmul(x, x))
    x = np.ones((1024, 1024), np.float32)
    call(x)
    passed: list[float] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            time.sleep(0.0005)
            passed.append(time.perf_counter())

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.perf_counter()
    call(x)
    end = time.perf_counter()
    done.set()
    watcher.join(60)
    assert any(begin + (end - begin) / 4 < at < end - (end - begin) / 4 for at in passed)
