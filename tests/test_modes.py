"""Promise 1: eager and graph mode, any number of threads and any width of vectors give the same bits.

Random graphs; then networks, whose outputs, gradients, parameters and optimizer state are compared after training, at
batch sizes that go into the lanes of vectors and at sizes that do not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import DATA_MOVEMENT, FAMILIES, Made, batched_graphs, graphs
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from modes import Compiled, compiled, each_of, eagerly, mode, tensors_of, threads
from reference import assert_same, assert_same_run, exact_graph, run

import graphc as ms
import graphc.random
from graphc import GRAPH_MODE, PYNATIVE_MODE, Tensor, jit, nn, ops
from graphc.dtype import float32
from graphc.nn.cell import Cell
from graphc.op import TABLE

pytestmark = pytest.mark.usefixtures("free_copies")

# Random graphs


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs(made: Made) -> None:
    arrays = made.arrays()
    wanted = eagerly(made.graph, arrays)
    run_again = Compiled(made.graph, arrays)
    for _ in range(2):  # the arena holds what the first run left
        assert_same_run(run_again(arrays), wanted)
    if exact_graph(made.graph):
        assert_same_run(wanted, run(made.graph, arrays))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(graphs(dtypes=(float32,)))
def test_random_float_graphs_on_three_threads(made: Made) -> None:
    arrays = made.arrays()
    wanted = eagerly(made.graph, arrays)
    with threads(3):
        assert_same_run(compiled(made.graph, arrays), wanted)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(graphs((*DATA_MOVEMENT, *DATA_MOVEMENT, *FAMILIES[:4]), most=10))
def test_random_graphs_of_views_on_two_threads(made: Made) -> None:
    arrays = made.arrays()
    with threads(2):
        assert_same_run(compiled(made.graph, arrays), eagerly(made.graph, arrays))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(batched_graphs())
def test_random_graphs_with_the_batch_in_the_lanes(made: Made) -> None:
    arrays = made.arrays()
    assert_same_run(compiled(made.graph, arrays), eagerly(made.graph, arrays))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.one_of(graphs(dtypes=(float32,)), batched_graphs()))
def test_gradients_of_random_graphs(made: Made) -> None:
    """By the tape in eager mode, and compiled: the derivative of all float outputs by all float inputs."""
    graph, inputs = made.graph, [Tensor(a) for a in made.arrays()]
    positions = tuple(k for k, node in enumerate(graph.inputs) if node.dtype.is_float)

    def loss(*tensors: Tensor) -> tuple[Tensor, ...]:
        return tuple(o * 1.5 for o in tensors_of(graph, tensors) if o.dtype.is_float)

    if any(o.dtype.is_float for o in graph.outputs):
        gradient = ms.grad(loss, positions)
        for a, b in zip(each_of(jit(gradient)(*inputs)), each_of(gradient(*inputs)), strict=True):
            assert_same(a.asnumpy(), b.asnumpy())


def sample_graphs(count: int) -> list[Made]:
    """The same random graphs every time."""
    found: list[Made] = []

    @seed(20240229)
    @settings(max_examples=count, deadline=None, database=None)
    @given(graphs())
    def collect(made: Made) -> None:
        found.append(made)

    collect()
    return found


# What a process with vectors of another width runs: graphs as text from a file, results into another.
NARROW = """
import sys
import numpy as np
from modes import compiled
from reference import input_arrays
from graphc.irtext import parse
from graphc.passes import batch
from graphc.runtime.target import host
batch.COPIED = 0
assert host().lanes == int(sys.argv[2])
results = {}
for number, part in enumerate(open(sys.argv[1]).read().split("---\\n")):
    seed, text = part.split("\\n", 1)
    graph = parse(text)
    outputs, updates = compiled(graph, input_arrays(graph, int(seed)))
    results.update({f"{number}.{k}": v for k, v in enumerate(outputs)})
    results.update({f"{number}.{k}": v for k, v in updates.items()})
np.savez(sys.argv[3], **results)
"""


@pytest.mark.parametrize("lanes", [4, 8, 16])
def test_random_graphs_with_vectors_of_another_width(lanes: int, tmp_path: Path) -> None:
    made = sample_graphs(25)
    (tmp_path / "graphs.txt").write_text("---\n".join(f"{m.seed}\n{m.graph}\n" for m in made))
    result = tmp_path / "results.npz"
    environment = {**os.environ, "GRAPHC_TARGET_LANES": str(lanes), "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", NARROW, str(tmp_path / "graphs.txt"), str(lanes), str(result)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = np.load(result)
    for number, m in enumerate(made):
        outputs, updates = eagerly(m.graph, m.arrays())
        for key, wanted in {**dict(enumerate(outputs)), **updates}.items():
            got = found[f"{number}.{key}"].view(wanted.dtype)  # NumPy's files do not name bfloat16
            assert_same(got, wanted, f"{key} of {m}")


# Networks


class ConvNet(Cell):
    """Convolutions, batch norm, pooling, dropout, dense layers."""

    shape, classes = (2, 6, 6), 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn = nn.Conv2d(2, 5, 3, has_bias=True), nn.BatchNorm2d(5)
        self.pool, self.conv2 = nn.MaxPool2d(2, 2), nn.Conv2d(5, 4, 2, pad_mode="valid")
        self.flatten, self.fc1 = nn.Flatten(), nn.Dense(16, 7)
        self.drop, self.fc2 = nn.Dropout(p=0.3), nn.Dense(7, 3)

    def construct(self, x: Tensor) -> Tensor:
        x = self.pool(ops.relu(self.bn(self.conv1(x))))
        x = self.flatten(ops.tanh(self.conv2(x)))
        return self.fc2(self.drop(ops.relu(self.fc1(x))))


class DenseNet(Cell):
    """Dense layers with layer norm, gelu and a residual connection; a reduction over the batch besides."""

    shape, classes = (9,), 4

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.norm, self.act = nn.Dense(9, 21), nn.LayerNorm((21,)), nn.GELU()
        self.fc2, self.drop, self.fc3 = nn.Dense(21, 21), nn.Dropout(p=0.5), nn.Dense(21, 4)

    def construct(self, x: Tensor) -> Tensor:
        h = self.act(self.norm(self.fc1(x)))
        h = h + self.drop(self.act(self.fc2(h)))
        return self.fc3(h) - h.mean()


class DepthwiseNet(Cell):
    """Grouped and strided convolutions, average pooling, leaky activations."""

    shape, classes = (4, 9), 3

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(4, 8, 3, stride=2, group=4, has_bias=True, pad_mode="pad", padding=1)
        self.conv2, self.bn = nn.Conv1d(8, 6, 1), nn.BatchNorm1d(6 * 5)
        self.pool, self.fc = nn.AvgPool1d(2, 1), nn.Dense(24, 3)

    def construct(self, x: Tensor) -> Tensor:
        x = ops.leaky_relu(self.conv2(ops.silu(self.conv1(x))), 0.1)
        x = self.bn(x.reshape((x.shape[0], -1))).reshape(x.shape)
        return self.fc(self.pool(x).reshape((x.shape[0], -1)))


def state_after_training(network: type[Any], batch: int, steps: int, optimizer: str) -> dict[str, np.ndarray]:
    """Everything a training leaves: losses and outputs of each step, parameters, optimizer state, random state."""
    ms.set_seed(5)
    net = network().set_train()
    parameters = net.trainable_params()
    update = {
        "adam": lambda: nn.Adam(parameters, 1e-2, weight_decay=0.01),
        "momentum": lambda: nn.Momentum(parameters, [0.1 / (k + 1) for k in range(steps)], 0.9, use_nesterov=True),
    }[optimizer]()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)

    def forward(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        logits = net(x)
        return criterion(logits, y), logits

    step = ms.value_and_grad(forward, None, update.parameters, has_aux=True)
    rng = np.random.default_rng(batch)
    found: dict[str, np.ndarray] = {}
    for number in range(steps):
        x = Tensor(rng.normal(size=(batch, *network.shape)).astype(np.float32))
        y = Tensor(rng.integers(0, network.classes, batch).astype(np.int32))
        (loss, logits), gradients = step(x, y)
        update(gradients)
        found[f"loss {number}"], found[f"logits {number}"] = loss.asnumpy(), logits.asnumpy()
    found |= {f"gradient of {p.name}": g.asnumpy() for p, g in zip(parameters, gradients, strict=True)}
    found |= {p.name: p.asnumpy() for p in (*net.get_parameters(), *update.get_parameters())}
    found["prediction"] = net.set_train(False)(x).asnumpy()
    found["random state"] = graphc.random.get_rng_state().asnumpy()
    return found


def assert_same_state(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert np.isfinite(array).all()
        assert_same(found[name], array, name)


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 13, 16, 17, 31, 32, 33, 48])
def test_training_a_convolutional_network(batch: int) -> None:
    with mode(PYNATIVE_MODE):
        wanted = state_after_training(ConvNet, batch, 20, "adam")
    with mode(GRAPH_MODE):
        assert_same_state(state_after_training(ConvNet, batch, 20, "adam"), wanted)
    with mode(GRAPH_MODE), threads(3):
        assert_same_state(state_after_training(ConvNet, batch, 20, "adam"), wanted)


@pytest.mark.parametrize("network", [DenseNet, DepthwiseNet])
@pytest.mark.parametrize("batch", [2, 5, 16, 33, 48])
def test_training_other_networks(network: type[Cell], batch: int) -> None:
    with mode(PYNATIVE_MODE), threads(2):
        wanted = state_after_training(network, batch, 8, "momentum")
    with mode(GRAPH_MODE), threads(1):
        assert_same_state(state_after_training(network, batch, 8, "momentum"), wanted)
    with mode(GRAPH_MODE), threads(2):
        assert_same_state(state_after_training(network, batch, 8, "momentum"), wanted)


def test_modes_may_change_at_any_time() -> None:
    """A training that changes its mode at every step ends where one in a single mode does."""

    def train(modes: list[int]) -> dict[str, np.ndarray]:
        ms.set_seed(1)
        net = ConvNet().set_train()
        update = nn.Momentum(net.trainable_params(), 0.05, 0.9)
        step = ms.value_and_grad(lambda x, y: ops.cross_entropy(net(x), y), None, update.parameters)
        rng = np.random.default_rng(0)
        for value in modes:
            x = Tensor(rng.normal(size=(16, 2, 6, 6)).astype(np.float32))
            with mode(value):
                update(step(x, Tensor(rng.integers(0, 3, 16)))[1])
        return {p.name: p.asnumpy() for p in (*net.get_parameters(), *update.get_parameters())}

    wanted = train([PYNATIVE_MODE] * 6)
    assert_same_state(train([GRAPH_MODE, PYNATIVE_MODE] * 3), wanted)
    assert_same_state(train([GRAPH_MODE] * 6), wanted)


# Random numbers


def draws(x: Tensor) -> tuple[Tensor, ...]:
    return (
        ops.rand(3, 5), ops.randn(7), ops.randint(0, 10, (4, 4)), ops.dropout(x, 0.5, True), ops.bernoulli(x * 0 + 0.3),
        ops.uniform((2, 3), Tensor(-1.0), Tensor(1.0)), ops.randperm(9), ops.standard_normal((3, 3)),
        ops.rand(2, dtype=ms.float64),
    )  # fmt: skip


def test_random_numbers_are_the_same_in_every_mode() -> None:
    x = Tensor(np.ones((5, 17), np.float32))
    wanted: list[np.ndarray] | None = None
    for call in (draws, ms.jit(draws)):
        for count in (1, 3):
            with threads(count):
                ms.set_seed(11)
                found = [t.asnumpy() for _ in range(3) for t in call(x)] + [graphc.random.get_rng_state().asnumpy()]
            wanted = found if wanted is None else wanted
            for a, b in zip(found, wanted, strict=True):
                assert_same(a, b)
    assert wanted is not None and not np.array_equal(wanted[0], wanted[9])


def test_random_numbers_go_on_across_modes() -> None:
    compiled_draws = ms.jit(draws)
    x = Tensor(np.ones((2, 2), np.float32))
    ms.set_seed(2)
    wanted = [t.asnumpy() for _ in range(4) for t in draws(x)]
    ms.set_seed(2)
    found = [t.asnumpy() for call in (draws, compiled_draws, compiled_draws, draws) for t in call(x)]
    for a, b in zip(found, wanted, strict=True):
        assert_same(a, b)


# Zeros


@pytest.mark.parametrize("name", ["max", "min"])
def test_the_sign_of_a_reduced_zero_does_not_depend_on_the_kernel(name: str) -> None:
    """Along the lanes or across them: of zeros of both signs the same one comes out."""
    op = TABLE[name]
    x = np.zeros((20, 33), np.float32)
    x[:, :16] = -0.0

    def reductions(x: Tensor) -> tuple[Tensor, ...]:
        turned = ops.transpose(x, (1, 0))
        along, across = op(x, run=(1, 2)), op(x, run=(0, 1))
        return along, across, op(turned, run=(0, 1)), op(turned * 1.0, run=(0, 1)), op(x, run=(0, 2))

    for a, b in zip(ms.jit(reductions)(Tensor(x)), reductions(Tensor(x)), strict=True):
        assert_same(a.asnumpy(), b.asnumpy())
        assert not np.signbit(a.asnumpy()).any()


def test_an_empty_batch_trains_nothing() -> None:
    """No images: no loss (the mean of none), and gradients of zero, in both modes."""
    images, labels = Tensor(np.zeros((0, 1, 8, 8), np.float32)), Tensor(np.zeros(0, np.int32))
    net = nn.SequentialCell(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dense(4 * 64, 10))
    loss = nn.CrossEntropyLoss(reduction="sum")
    gradient = ms.value_and_grad(lambda x, y: loss(net(x), y), None, net.trainable_params())
    for compute in (gradient, jit(gradient)):
        value, slopes = compute(images, labels)
        assert value.asnumpy() == 0 and all(not slope.asnumpy().any() for slope in slopes)
