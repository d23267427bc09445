"""Programs on disk: found again by what they compute, run without the compiler, and rebuilt when anything is wrong."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from stages import graph_of, training_step

from graphc import Tensor, alone, compiler, set_context
from graphc.ir import Graph
from graphc.programs import compile_graph
from graphc.runtime import binary, cache, executable, jit, pool
from graphc.runtime.binary import Binary

TEXT = """
    graph f(%x: f32[3,4]; %w: f32[4]) {
      %0: f32[3,4] = broadcast_to(%w, shape=(3, 4))
      %1: f32[3,4] = mul(%x, %0)
      %2: f32[3,4] = tanh(%1)
      %3: f32[4]   = sum(%2, run=(0, 1))
      update %w <- %3
      return %2
    }"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path / "cache"))
    cache.clear()
    return tmp_path / "cache"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the graphs that are compiled."""
    names: list[str] = []
    original = compiler.compile_program

    def compile_program(graph: Graph, begin: Callable[[str], None] | None = None) -> object:
        names.append(graph.name)
        return original(graph, begin)

    monkeypatch.setattr(compiler, "compile_program", compile_program)
    return names


def run(graph: Graph) -> tuple[bytes, bytes]:
    """The output of a fresh executable of the graph above, and what its parameter holds afterwards."""
    rng = np.random.default_rng(0)
    x, w = (Tensor(rng.standard_normal(n.shape).astype(np.float32)) for n in graph.inputs)
    (y,) = compile_graph(graph, [w])([x])
    return y.asnumpy().tobytes(), w.asnumpy().tobytes()


def entries(graph: Graph, folder: Path) -> Path:
    """The file that holds the binary of a graph."""
    key = binary.key_of(graph, executable.KERNEL_NS, executable.STEP_NS, pool.most_threads())
    return folder / f"{key}.o"


def test_a_known_graph_runs_without_the_compiler(compiled: list[str]) -> None:
    cold = run(graph_of(TEXT))
    assert compiled == ["f"]
    assert run(graph_of(TEXT.replace("%x", "%image"))) == cold
    assert compiled == ["f"]


CHANGES = [("tanh", "exp"), ("; %w", ", %w"), ("return %2", "return %1"), ("      update %w <- %3\n", "")]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_another_graph_has_another_key(old: str, new: str) -> None:
    assert binary.key_of(graph_of(TEXT)) != binary.key_of(graph_of(TEXT.replace(old, new)))


def test_machine_source_and_settings_are_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(TEXT)
    keys = {binary.key_of(graph), binary.key_of(graph, 1), binary.key_of(graph, 2)}
    for name, value in (("host", lambda: "other"), ("_source_digest", lambda: "edited")):
        with monkeypatch.context() as patch:
            patch.setattr(binary, name, value)
            keys.add(binary.key_of(graph))
    with monkeypatch.context() as patch:
        patch.setattr(jit, "toolchain", lambda: "LLVM 99")
        keys.add(binary.key_of(graph))
    assert len(keys) == 6


def test_source_that_is_edited_changes_the_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [tmp_path / source.name for source in binary._sources()[:3]]
    for source in sources:
        source.write_text("x = 1\n")
    monkeypatch.setattr(binary, "_folders", lambda: [tmp_path])
    for known in (binary._source_digest, binary._source_stamps):
        monkeypatch.setattr(binary, known.__name__, functools.cache(known.__wrapped__))
    graph = graph_of(TEXT)
    settings = executable.KERNEL_NS, executable.STEP_NS, pool.most_threads()
    before = binary.key_of(graph, *settings)
    sources[1].write_text("x = 1  # one more line\n")
    run(graph_of(TEXT))  # compiled, but not kept: the code that ran may be neither the old nor the new
    assert binary.load(str(before)) is None and binary.key_of(graph, *settings) == before
    for known in (binary._source_digest, binary._source_stamps):
        known.cache_clear()
    assert binary.key_of(graph, *settings) != before
    run(graph_of(TEXT))
    assert binary.load(str(binary.key_of(graph, *settings))) is not None


def test_splitting_everything_is_another_program(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run(graph_of(TEXT))
    monkeypatch.setattr(executable, "KERNEL_NS", 0)
    run(graph_of(TEXT))
    assert compiled == ["f", "f"]


def test_what_is_written_can_be_read() -> None:
    made = compiler.compile_program(training_step(4)).binary()
    read = Binary.from_bytes(made.to_bytes())
    assert read.to_bytes() == made.to_bytes()
    assert (read.step, read.homes, read.commits, read.arena_bytes) == (
        made.step, made.homes, made.commits, made.arena_bytes,
    )  # fmt: skip
    assert [s.key for s in read.sources] == [s.key for s in made.sources]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda blob: blob[: len(blob) // 2],
    "empty": lambda blob: b"",
    "a flipped bit": lambda blob: blob[:-5] + bytes([blob[-5] ^ 4]) + blob[-4:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_entry_is_rebuilt(damage: Callable[[bytes], bytes], compiled: list[str], folder: Path) -> None:
    cold = run(graph_of(TEXT))
    path = entries(graph_of(TEXT), folder)
    path.write_bytes(damage(path.read_bytes()))
    assert run(graph_of(TEXT)) == cold and compiled == ["f", "f"]
    assert run(graph_of(TEXT)) == cold and compiled == ["f", "f"]


FORMS = [b"", b"\xff", b"{}", b"[1, 2]", b'["s", [["k"]], [], [], 0]', b'["s", [], 5, [], 0]']


@pytest.mark.parametrize("payload", FORMS)
def test_a_whole_entry_of_another_form_is_rebuilt(payload: bytes, compiled: list[str]) -> None:
    cold = run(graph_of(TEXT))
    key = entries(graph_of(TEXT), Path()).stem
    cache.store(key, payload)
    assert run(graph_of(TEXT)) == cold and compiled == ["f", "f"]


def test_object_code_that_is_gone_is_rebuilt(compiled: list[str], folder: Path) -> None:
    cold = run(graph_of(TEXT))
    made = json.loads(cache.load(entries(graph_of(TEXT), folder).stem) or b"")
    for key, _, _ in made[1]:
        (folder / f"{key}.o").unlink(missing_ok=True)
    with jit.lock:
        jit._modules.clear()  # as in another process
    assert run(graph_of(TEXT)) == cold and compiled == ["f", "f"]


def test_dumps_are_written_of_a_known_graph(tmp_path: Path) -> None:
    texts = []
    for number in range(2):
        set_context(save_graphs=True, save_graphs_path=str(tmp_path / str(number)))
        run(graph_of(TEXT))
        (made,) = (tmp_path / str(number)).iterdir()
        texts.append({path.name: path.read_text() for path in made.iterdir()})
    assert texts[0] == texts[1] and len(texts[0]) == len(compiler.STAGES)


def test_eager_ops_are_kept_too(compiled: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from graphc import ops

    x = Tensor(np.linspace(-1, 1, 7, dtype=np.float32))
    found = []
    for _ in range(2):
        monkeypatch.setattr(alone, "_kernels", {})
        found.append(ops.tanh(x).asnumpy().tobytes())
    assert found[0] == found[1] and compiled == ["tanh"]


PROGRAM = """
import sys
import numpy as np
import graphc as ms
from graphc import Tensor, nn, ops

ms.set_seed(0)
net = nn.SequentialCell(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Dense(256, 10))
loss_fn, optimizer = nn.CrossEntropyLoss(), nn.Momentum(net.trainable_params(), 0.1, 0.9)
grad_fn = ms.value_and_grad(lambda x, y: loss_fn(net(x), y), None, optimizer.parameters)

@ms.jit
def step(x, y):
    loss, grads = grad_fn(x, y)
    optimizer(grads)
    return loss

rng = np.random.default_rng(0)
x, y = Tensor(rng.standard_normal((32, 1, 8, 8)).astype(np.float32)), Tensor(rng.integers(0, 10, 32).astype(np.int32))
print([float(step(x, y).asnumpy()).hex() for _ in range(3)], net.trainable_params()[0].asnumpy().tobytes().hex())

@ms.jit
def pick(table, index):
    return ops.exp(ops.gather(ops.tanh(table), index, 0))

table = Tensor(np.ones((5, 3), np.float32))
try:
    pick(table, Tensor(np.array([1, 7, 2], np.int32)))
except IndexError as error:
    print(error)
"""


def start() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)


def test_two_processes_at_once_and_then_a_warm_one() -> None:
    """All compute the same bits, and an index error of a program from disk says what that of a fresh one says."""
    both = [start(), start()]
    cold = [process.communicate(timeout=120)[0] for process in both]
    warm = start().communicate(timeout=120)[0]
    assert [process.returncode for process in both] == [0, 0]
    assert cold[0] == cold[1] == warm
    assert "gather: index 7 at position 1 is out of range [0, 5); <string>:24" in warm


def test_a_warm_process_loads_no_compiler() -> None:
    code = PROGRAM.partition("@ms.jit\ndef pick")[0] + "print([m for m in sys.modules if m.startswith('graphc.')])"
    for _ in range(2):
        loaded = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "graphc.programs" in loaded
    for module in ("graphc.compiler", "graphc.passes.", "graphc.runtime.emit", "graphc.runtime.program"):
        assert module not in loaded
