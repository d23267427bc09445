"""`profile`: what runs in it is there, with the right counts and lines, and comes out as it would without it."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.profile import KernelTime, Profile, short_lines
from graphc.runtime import executable, limits
from graphc.runtime import profile as watching
from graphc.runtime.target import host

FILE = Path(__file__).name


@pytest.fixture(autouse=True, scope="module")
def known_limits() -> Any:
    """Limits that need not be measured, and figures that follow from them."""
    speeds = dict.fromkeys(("L1", "L2", "L3", "DRAM"), 1e9)
    sizes = {"L1": 1e4, "L2": 1e6, "L3": 1e7, "DRAM": float("inf")}
    known = limits.Limits(1, 1e9, sizes, dict.fromkeys(limits.KINDS, speeds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "measured", lambda threads=1: known)
        yield


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Any:
    yield
    assert executable.observer is None


def line_of(text: str) -> int:
    """The line of this file that ends in a comment."""
    return 1 + next(i for i, line in enumerate(Path(__file__).read_text().splitlines()) if line.endswith(f"# {text}"))


def lines(kernel: KernelTime) -> set[int]:
    assert all(Path(file).name == FILE for file, _ in kernel.lines)
    return {line for _, line in kernel.lines}


class Net(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Dense(20, 32)
        self.fc2 = nn.Dense(32, 4)

    def construct(self, x: Tensor) -> Tensor:
        h = ops.tanh(self.fc1(x))  # first layer
        return self.fc2(h)  # second layer


def batch() -> tuple[Tensor, Tensor]:
    draw = np.random.default_rng(0)
    return Tensor(draw.standard_normal((16, 20)).astype(np.float32)), Tensor(np.arange(16, dtype=np.int32) % 4)


def training(seed: int = 1) -> tuple[Any, nn.Cell]:
    """A step of (inputs, labels), and its network."""
    ms.set_seed(seed)
    net = Net()
    optimizer = nn.Momentum(net.trainable_params(), 0.1, 0.9)
    return nn.TrainOneStepCell(nn.WithLossCell(net, nn.CrossEntropyLoss()), optimizer).set_train(), net


def bits(net: nn.Cell) -> list[bytes]:
    return [parameter.asnumpy().tobytes() for parameter in net.get_parameters()]


def events(p: Profile, kind: str) -> list[dict[str, Any]]:
    p.save("trace.json")
    trace = json.loads(Path("trace.json").read_text(encoding="utf-8"))
    return [event for event in trace["traceEvents"] if event.get("cat") == kind]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# Results


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
@pytest.mark.parametrize("threads", [1, 2])
def test_training_gives_the_same_bits(mode: int, threads: int) -> None:
    ms.set_context(mode=mode, runtime_num_threads=threads)
    losses, ends = [], []
    for profiled in (False, True):
        step, net = training()
        if profiled:
            with ms.profile() as p:
                losses.append([step(*batch()).asnumpy().tobytes() for _ in range(4)])
            assert p.kernels
        else:
            losses.append([step(*batch()).asnumpy().tobytes() for _ in range(4)])
        ends.append(bits(net))
    assert losses[0] == losses[1] and ends[0] == ends[1]


def test_kernels_that_are_split_are_split_in_a_profile_too() -> None:
    ms.set_context(runtime_num_threads=2)
    x = Tensor(np.random.default_rng(0).standard_normal((600, 500)).astype(np.float32))
    product = ms.jit(lambda x: ops.matmul(x, x.T).sum())
    expected = product(x).asnumpy()
    with ms.profile() as p:
        assert product(x).asnumpy().tobytes() == expected.tobytes()
    assert {k.threads for k in p.kernels if k.flops > 1e8} == {2}
    assert " x2" in str(p)
    ms.set_context(runtime_num_threads=1)
    with ms.profile() as p:
        product(x)
    assert {k.threads for k in p.kernels} == {1}


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_an_index_error_names_the_line_and_leaves_parameters_as_they_were(mode: int) -> None:
    ms.set_context(mode=mode)
    table = nn.Embedding(10, 8)
    optimizer = nn.SGD(table.trainable_params(), 0.1)

    def forward(indices: Tensor) -> Tensor:
        return table(indices).sum()  # looked up

    grad_fn = ms.value_and_grad(forward, None, optimizer.parameters)

    def step(indices: Tensor) -> Tensor:
        loss, grads = grad_fn(indices)
        optimizer(grads)
        return loss

    good, bad = Tensor(np.array([1, 2])), Tensor(np.array([3, 10]))
    for _ in range(3):
        float(step(good))
    before = bits(table)
    with ms.profile() as p, pytest.raises(IndexError, match=f"10 at position 1 .*{FILE}:{line_of('looked up')}"):
        float(step(bad))
    assert bits(table) == before
    with p:
        float(step(good))  # and it goes on from there
    assert bits(table) != before and p.kernels


# What is recorded


@pytest.mark.parametrize("threads", [1, 2])
def test_every_kernel_is_listed_with_its_calls(threads: int) -> None:
    ms.set_context(mode=ms.GRAPH_MODE, runtime_num_threads=threads)
    step, _ = training()
    jitted = ms.jit(step)
    jitted(*batch())
    (compiled,) = jitted.cache.values()
    groups = compiled.executable.program.schedule.groups
    with ms.profile() as p:
        for _ in range(5):
            jitted(*batch())
    assert [k.name for k in p.kernels] == [group.name for group in groups]
    assert [k.number for k in p.kernels] == list(range(len(groups)))
    assert {k.calls for k in p.kernels} == {5}
    assert {k.function for k in p.kernels} == {jitted.name}
    assert all(0 <= k.median <= k.seconds for k in p.kernels)
    assert 0 < sum(k.seconds for k in p.kernels) <= p.seconds


def test_several_functions_and_single_ops_are_told_apart() -> None:
    double, triple = ms.jit(lambda x: ops.exp(x) * 2.0, ), ms.jit(lambda x: ops.exp(x) * 3.0)
    double.name, triple.name = "double", "triple"
    x = ops.ones((8, 8))
    with ms.profile() as p:
        double(x)
        for _ in range(2):
            triple(x)
        for _ in range(3):
            ops.tanh(x)  # by itself
    assert [(k.function, k.calls) for k in p.kernels] == [("double", 1), ("triple", 2), ("tanh", 3)]
    assert lines(p.kernels[2]) == {line_of("by itself")}
    assert re.search(r"^ +kernel .* in +lines$", p.table("run"), re.MULTILINE)


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_training_by_model(mode: int) -> None:
    ms.set_context(mode=mode)
    ms.set_seed(1)
    net = Net()
    rows = ms.dataset.NumpySlicesDataset(tuple(a.asnumpy() for a in batch()), ["x", "y"], shuffle=False).batch(4)
    model = ms.Model(net, nn.CrossEntropyLoss(), nn.Adam(net.trainable_params()))
    with ms.profile() as p:
        model.train(3, rows)
    steps = [k.calls for k in p.kernels if "matmul" in k.name and lines(k) & {line_of("first layer")}]
    assert steps and (sum(steps) >= 12 if mode == ms.PYNATIVE_MODE else set(steps) == {12})


def test_nothing_is_recorded_before_or_after() -> None:
    run = ms.jit(lambda x: ops.exp(x))
    x = ops.ones((4, 4))
    run(x)
    with ms.profile() as p:
        run(x)
    run(x)
    assert [k.calls for k in p.kernels] == [1]
    with ms.profile() as empty:
        pass
    assert empty.kernels == () and str(empty) == "no kernel ran"


def test_what_waits_belongs_to_where_it_was_asked_for() -> None:
    ms.set_context(mode=ms.GRAPH_MODE)
    net = Net()
    grad_fn = ms.value_and_grad(lambda x: net(x).sum(), None, net.trainable_params())
    x, _ = batch()
    before = grad_fn(x)  # waits for its optimizer
    with ms.profile() as empty:
        pass
    with ms.profile() as p:
        inside = grad_fn(x)
    assert empty.kernels == () and {k.calls for k in p.kernels} == {1}
    assert float(before[0]) == float(inside[0])


def test_a_profile_may_be_opened_again_but_not_twice_at_once() -> None:
    run = ms.jit(lambda x: ops.exp(x))
    p = ms.profile()
    for calls in (1, 2):
        with p:
            run(ops.ones((4, 4)))
            with pytest.raises(RuntimeError, match="open already"), p:
                pass
        assert [k.calls for k in p.kernels] == [calls]


def test_profiles_nest() -> None:
    run = ms.jit(lambda x: ops.exp(x))
    x = ops.ones((4, 4))
    with ms.profile() as outer:
        run(x)
        with ms.profile() as inner:
            run(x)
        run(x)
    assert ([k.calls for k in outer.kernels], [k.calls for k in inner.kernels]) == ([3], [1])


def test_an_exception_ends_the_profile_and_keeps_what_ran() -> None:
    run = ms.jit(lambda x: ops.exp(x))
    x = ops.ones((4, 4))
    with pytest.raises(ZeroDivisionError), ms.profile() as p:
        run(x)
        raise ZeroDivisionError
    run(x)
    assert [k.calls for k in p.kernels] == [1]


def test_all_threads_are_recorded() -> None:
    run = ms.jit(lambda x: ops.exp(x) + 1.0)
    x = ops.ones((64, 64))
    expected = run(x).asnumpy().tobytes()

    def work() -> None:
        for _ in range(20):
            assert run(x).asnumpy().tobytes() == expected

    workers = [threading.Thread(target=work, name=f"worker {i}") for i in range(3)]
    with ms.profile() as p:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert [k.calls for k in p.kernels] == [60]
    spans = events(p, "function")
    assert sorted(len([*group]) for _, group in itertools.groupby(sorted(e["tid"] for e in spans))) == [20, 20, 20]


# Figures


def test_work_of_a_matmul() -> None:
    m, n, k = 50, 80, 112  # 50 rows are no batch to be stored in blocks
    x, y = ops.ones((m, k)), ops.ones((k, n))
    with ms.profile() as p:
        ops.matmul(x, y)
    (kernel,) = p.kernels
    assert kernel.flops == 2 * m * n * k
    assert kernel.nbytes == 4 * (m * k + k * n + m * n)
    assert kernel.flops_per_second == kernel.flops / kernel.median
    assert kernel.limit == "FMA" and kernel.fraction == pytest.approx(kernel.flops / 1e9 / kernel.median)


def test_a_mask_beside_floats_does_not_change_what_they_take() -> None:
    """Its elements are bytes, of which a vector holds four times as many."""
    product = ms.jit(lambda x, y: ops.matmul(x, y) > 0)
    with ms.profile() as p:
        product(ops.ones((50, 112)), ops.ones((112, 80)))
    (kernel,) = p.kernels
    assert kernel.limit == "FMA" and kernel.fraction == pytest.approx(kernel.flops / 1e9 / kernel.median)


@pytest.mark.parametrize(
    ("function", "flops", "arrays"),
    [
        (lambda x: x + x * x, 2, 2),
        (lambda x: x.sum() - 1.0, 1, 1),
        (lambda x: ops.maximum(x, 0.0), 0, 2),
        (lambda x: x.astype(ms.int32) + 1, 0, 2),
        (lambda x: ops.exp(x), 21, 2),
    ],
    ids=["chain", "sum", "maximum", "integers", "exp"],
)
def test_work_of_loops(function: Any, flops: int, arrays: int) -> None:
    size = 64 * 1024
    with ms.profile() as p:
        ms.jit(function)(ops.ones((size,)))
    assert sum(k.flops for k in p.kernels) // size == flops
    assert sum(k.nbytes for k in p.kernels) // size == 4 * arrays
    assert {k.limit for k in p.kernels} <= {"L2", "FMA", "L1"}


def test_of_a_large_table_only_the_rows_that_are_read_count() -> None:
    table, indices = ops.ones((5000, 64)), Tensor(np.arange(10))
    with ms.profile() as p:
        ms.jit(lambda t, i: ops.gather(t, i, 0))(table, indices)
    assert sum(k.nbytes for k in p.kernels) == 2 * 10 * 64 * 4 + 10 * 8


def test_float64_multiplies_half_as_fast() -> None:
    x = np.ones((50, 50))
    with ms.profile() as p:
        for dtype in (np.float32, np.float64):
            ops.matmul(Tensor(x.astype(dtype)), Tensor(x.astype(dtype)))
    least = [k.fraction * k.median for k in p.kernels]
    assert least[1] == pytest.approx(2 * least[0])


def test_gradients_come_from_the_lines_of_their_ops() -> None:
    ms.set_context(mode=ms.GRAPH_MODE)
    net = Net()
    optimizer = nn.SGD(net.trainable_params(), 0.1)
    grad_fn = ms.value_and_grad(lambda x: net(x).sum(), None, optimizer.parameters)
    x, _ = batch()
    with ms.profile() as p:
        loss, grads = grad_fn(x)
        optimizer(grads)
    first, second = line_of("first layer"), line_of("second layer")
    assert all(lines(k) for k in p.kernels if "matmul" in k.name)
    products = [lines(k) & {first, second} for k in p.kernels if "matmul" in k.name]
    assert products.count({first}) == 2 and products.count({second}) >= 1, "forward, and the gradient of the weights"
    assert "Net.fc1" in {k.cell for k in p.kernels}
    assert float(loss) == float(loss)


def test_lines_are_short() -> None:
    assert short_lines([("/a/net.py", 14), ("/a/net.py", 15), ("/b/loss.py", 3)]) == "net.py:14, :15, loss.py:3"
    assert short_lines([("net.py", line) for line in range(8)]) == "net.py:0, :1, :2, :3, :4 +3"
    assert short_lines([]) == ""


@pytest.mark.parametrize("by_twos", [True, False])
def test_factors_that_are_not_widened_are_multiplied_at_twice_the_rate(
    by_twos: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = "+avx512bf16,+avx512vl" if by_twos else ""
    monkeypatch.setattr(watching, "host", lambda: replace(host(), features=features))
    x = ops.ones((64, 64), ms.bfloat16)
    with ms.profile() as p:
        ms.jit(lambda x: x @ x)(x)
    (kernel,) = p.kernels
    least = kernel.flops / 1e9 / (2 if by_twos else 1)
    assert kernel.limit == "FMA" and kernel.fraction == pytest.approx(least / kernel.median)


def test_limits_are_measured() -> None:
    found = limits.measure(2, seconds=1e-4, samples=1)
    assert found.threads == 2 and found.flops > 1e8
    assert set(found.bytes_per_second) == set(limits.KINDS)
    assert all(speed > 1e7 for speeds in found.bytes_per_second.values() for speed in speeds.values())
    sizes = list(found.levels.values())
    assert found.level(1) == "L1" and found.level(1e12) == "DRAM" and sizes[-1] == float("inf")


@pytest.mark.parametrize(
    ("read", "written", "kind"),
    [(100, 1, "read"), (1, 100, "write"), (50, 50, "copy"), (66, 33, "triad"), (0, 0, "read")],
)
def test_the_kind_of_traffic_is_the_nearest(read: int, written: int, kind: str) -> None:
    assert limits.traffic_kind(read, written) == kind


# Text and files


def test_the_table_has_a_row_for_each_kernel() -> None:
    step, _ = training()
    run = ms.jit(step)
    with ms.profile() as p:
        run(*batch())
    rows = re.findall(r"^ +(\d+)  (\S+) +1 +[\d.]+ +([\d.]+) +[\d.]+ +[\d.]+ +[\d.]+  +\d+% \w+", str(p), re.MULTILINE)
    assert sorted((int(number), name) for number, name, _ in rows) == [(k.number, k.name[:28]) for k in p.kernels]
    parts = [float(part) for _, _, part in rows]
    assert parts == sorted(parts, reverse=True) and 99 < sum(parts) < 101
    numbers = [int(n) for n in re.findall(r"^ +(\d+)  \S", p.table("run"), re.MULTILINE)]
    assert numbers == sorted(numbers)
    assert f"{FILE}:{line_of('first layer')}" in str(p)
    assert max(map(len, str(p).splitlines())) < 140
    with pytest.raises(ValueError, match="got 'size'"):
        p.table("size")


def test_the_trace_is_a_timeline_of_every_call() -> None:
    ms.set_context(mode=ms.GRAPH_MODE)
    step, _ = training()
    run = ms.jit(step)
    with ms.profile() as p:
        for _ in range(3):
            run(*batch())
    kernels, functions = events(p, "kernel"), events(p, "function")
    assert len(functions) == 3 and len(kernels) == 3 * len(p.kernels)
    for event in (*kernels, *functions):
        assert event["ph"] == "X" and event["ts"] >= 0 and event["dur"] >= 0 and event["args"]
        assert {type(event[key]) for key in ("pid", "tid")} == {int} and isinstance(event["name"], str)
    for earlier, later in itertools.pairwise(kernels):
        assert earlier["ts"] + earlier["dur"] <= later["ts"] + 1e-6
    for number, span in enumerate(functions):
        own = kernels[number * len(p.kernels) : (number + 1) * len(p.kernels)]
        assert [event["name"] for event in own] == [k.name for k in p.kernels]
        assert span["ts"] <= own[0]["ts"] and own[-1]["ts"] + own[-1]["dur"] <= span["ts"] + span["dur"] + 1e-6
    assert max(e["ts"] + e["dur"] for e in functions) <= p.seconds * 1e6


def test_the_making_of_watched_steps_is_no_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(watching._Timer):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            time.sleep(0.5)

    monkeypatch.setattr(watching, "_Timer", Slow)
    function = ms.jit(lambda x: ops.exp(x) * 2)
    x = ops.ones(8)
    function(x).asnumpy()
    with ms.profile() as p:
        for _ in range(3):
            function(x).asnumpy()
    assert p.seconds < 0.5
    found = events(p, "kernel")
    assert len(found) == 3 and all(0 <= event["ts"] < 0.5e6 for event in found)


def test_figures_as_json() -> None:
    with ms.profile() as p:
        ops.tanh(ops.ones((3, 3)))
    p.save_json("figures.json")
    (figures,) = json.loads(Path("figures.json").read_text(encoding="utf-8"))
    assert figures["name"] == "tanh" and figures["calls"] == 1 and figures["flops"] == 24 * 9


def test_profiler_writes_a_folder(tmp_path: Path) -> None:
    net, x = nn.Dense(3, 2), Tensor(np.ones((4, 3), np.float32))
    ms.set_context(mode=ms.GRAPH_MODE)
    profiler = ms.Profiler(tmp_path / "figures" / "first")
    net(x)
    profiler.stop()
    net(x)
    profiler.start()
    net(x)
    profiler.analyse()
    folder = tmp_path / "figures" / "first"
    assert {path.name for path in folder.iterdir()} == {"kernels.txt", "kernels.json", "trace.json"}
    (kernel,) = json.loads((folder / "kernels.json").read_text())
    assert kernel["calls"] == 2 and "matmul" in (folder / "kernels.txt").read_text()
    with pytest.raises(RuntimeError, match="it does not run"):
        profiler.stop()
    later = ms.Profiler(tmp_path, start_profile=False)
    later.start()
    with pytest.raises(RuntimeError, match="runs already"):
        later.start()
    later.stop()
