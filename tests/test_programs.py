"""The five programs of `examples/`: what they print, that modes and thread counts agree to the bit, what they reach."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import graphc as ms
from graphc import nn

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NAMES = ("linear_regression", "mlp_classifier", "image_cnn", "cifar_cnn", "lenet_model")


@cache
def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name: str, mode: str, *arguments: str, threads: int = 1) -> Any:
    ms.set_context(runtime_num_threads=threads)
    return example(name).main(["--mode", mode, *arguments])


def values(*cells: nn.Cell) -> dict[str, np.ndarray]:
    return {f"{i}.{p.name}": p.asnumpy() for i, cell in enumerate(cells) for p in cell.get_parameters()}


def assert_same_bits(ours: dict[str, np.ndarray], others: dict[str, np.ndarray]) -> None:
    assert ours.keys() == others.keys()
    for name, value in ours.items():
        assert value.tobytes() == others[name].tobytes(), name


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A folder with 5 x 256 training images and 256 test images in CIFAR-10's binary format."""
    folder = tmp_path_factory.mktemp("cifar")
    example("cifar_cnn").write_synthetic_cifar(str(folder), per_file=256)
    yield str(folder)


@pytest.mark.parametrize("name", NAMES)
def test_no_steps_at_all_are_an_error(name: str) -> None:
    with pytest.raises(ValueError, match="take: got count 0, expected at least 1"):
        run(name, "graph", "--steps", "0")


# What they print


def test_linear_regression_finds_the_line_in_both_modes(capsys: pytest.CaptureFixture[str]) -> None:
    graph = run("linear_regression", "graph")
    for network in graph:
        assert abs(network.weight.asnumpy().item() - 2.0) < 0.02
        assert abs(network.bias.asnumpy().item() - 0.5) < 0.02
    printed = capsys.readouterr().out
    assert re.search(r"^epoch: 100, loss is 0\.00\d+$", printed, re.MULTILINE)  # by hand
    assert re.search(r"^epoch: 100 step: 10, loss is 0\.00\d+$", printed, re.MULTILINE)  # Model
    assert printed.count("(the points were made with y = 2 x + 0.5)") == 2
    assert_same_bits(values(*graph), values(*run("linear_regression", "eager")))


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_mlp_prints_losses_and_accuracy(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, accuracy = run("mlp_classifier", mode, "--epochs", "2", "--steps", "101")
    printed = capsys.readouterr().out
    assert len(re.findall(r"^loss: \d\.\d{6}  \[(  0|100)/101\]$", printed, re.MULTILINE)) == 4
    assert len(re.findall(r"^Test: \n Accuracy: \d+\.\d%, Avg loss: \d\.\d{6} \n", printed, re.MULTILINE)) == 2
    assert accuracy > 0.6
    assert f"Accuracy: {100 * accuracy:.1f}%" in printed


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_image_cnn_uses_its_craft(mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = str(tmp_path / "weights.ckpt")
    network, accuracy = run("image_cnn", mode, "--quick", "--batch-norm", "--save", saved)
    printed = capsys.readouterr().out
    assert f"Weights loaded from the checkpoint: test accuracy {accuracy:.4f}" in printed
    assert re.search(r"^Eval result: epoch 1, metrics: \{.*'acc': ", printed, re.MULTILINE)
    assert f"'acc': {accuracy}" in printed  # of the network that was trained, and of the one loaded
    loaded = ms.load_checkpoint(saved)
    assert_same_bits(values(network), {f"0.{name}": p.asnumpy() for name, p in loaded.items()})
    assert np.ptp(loaded["norm1.moving_mean"].asnumpy()) > 0  # training moved it

    run("image_cnn", mode, "--quick", "--batch-norm", "--checkpoint", saved)
    assert f"Started from {saved}\n" in capsys.readouterr().out


def test_image_cnn_stops_early(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    module = example("image_cnn")
    real = module.make_optimizer

    def frozen(network: nn.Cell, steps: int) -> nn.Optimizer:
        real(network, steps)
        return nn.SGD(network.trainable_params(), 1e-30)  # nothing ever improves

    monkeypatch.setattr(module, "make_optimizer", frozen)
    run("image_cnn", "graph", "--epochs", "9", "--steps", "1")
    printed = capsys.readouterr().out
    assert "Epoch 00004: early stopping" in printed and "Restoring model weights" in printed


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_cifar_prints_the_running_loss(mode: str, cifar: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("cifar_cnn", mode, "--data", cifar, "--epochs", "1")
    assert "Step" not in capsys.readouterr().out  # 20 steps only
    module = example("cifar_cnn")
    ms.set_seed(1)
    dataset = module.make_dataset(cifar, "train", batch_size=10)
    assert dataset.get_dataset_size() == 128
    module.train(module.SimpleCNN(), dataset, 2)
    printed = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Epoch \[1/2\], Step \[100/128\], Loss: \d\.\d{4}", printed[0])
    assert printed[1].startswith("Epoch [2/2], Step [100/128], Loss: ") and printed[2] == "Finished training"


def test_cifar_images_are_scaled_to_one(cifar: str) -> None:
    images, labels = next(example("cifar_cnn").make_dataset(cifar, "train").create_tuple_iterator())
    assert images.shape == (64, 3, 32, 32) and labels.dtype == ms.int32
    assert images.asnumpy().min() >= -1 and images.asnumpy().max() <= 1
    assert images.asnumpy().min() < -0.9 and images.asnumpy().max() > 0.9


def test_cifar_without_data_says_what_it_trains_on(capsys: pytest.CaptureFixture[str]) -> None:
    run("cifar_cnn", "graph", "--quick")
    assert "No --data: training on synthetic images in CIFAR-10's binary format" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["graph", "eager"])
def test_lenet_prints_as_mindvision_does(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    run("lenet_model", mode, "--epochs", "2", "--steps", "12")
    lines = capsys.readouterr().out.splitlines()
    time, loss = r"\d+\.\d{3} ms", r"\d\.\d{3}"
    for epoch in (0, 1):
        step = rf"Epoch:\[  {epoch}/  2\], step:\[   12/   12\], loss:\[{loss}/{loss}\], time:{time}, lr:0\.01000"
        assert re.fullmatch(step, lines[2 * epoch])
        assert re.fullmatch(rf"Epoch time: {time}, per step time: {time}, avg loss: {loss}", lines[2 * epoch + 1])
    assert re.fullmatch(r"\{'acc': 0\.\d+\}", lines[4])


def test_an_example_runs_as_a_script() -> None:
    command = [sys.executable, str(EXAMPLES / "lenet_model.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].startswith("{'acc': ")


@pytest.mark.parametrize("name", NAMES)
def test_every_example_explains_its_arguments(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        example(name).main(["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert "--mode {graph,eager}" in printed and "--quick" in printed


def test_l1_loss_prints_what_the_tutorial_says(capsys: pytest.CaptureFixture[str]) -> None:
    loss = nn.L1Loss()
    output = ms.Tensor(np.array([[1, 2, 3], [2, 3, 4]], np.float32))
    target = ms.Tensor(np.array([[0, 2, 5], [3, 1, 1]], np.float32))
    print(loss(output, target))
    assert capsys.readouterr().out == "1.5\n"


# Training and evaluation differ


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE], ids=["graph", "eager"])
def test_dropout_and_batch_norm_differ_between_training_and_evaluation(mode: int) -> None:
    ms.set_context(mode=mode)
    ms.set_seed(0)
    network = example("image_cnn").ImageCNN(batch_norm=True)
    x = ms.Tensor(np.random.default_rng(0).standard_normal((8, 1, 28, 28)).astype(np.float32))
    network.set_train()
    first, second = network(x).asnumpy(), network(x).asnumpy()
    assert (first != second).any()  # other elements are dropped
    moved = network.norm1.moving_mean.asnumpy()
    assert moved.any()
    network.set_train(False)
    third, fourth = network(x).asnumpy(), network(x).asnumpy()
    assert (third == fourth).all() and (third != first).any()
    assert (network.norm1.moving_mean.asnumpy() == moved).all()


# Modes and thread counts agree


Step = tuple[nn.Cell, Callable[..., Any], tuple[np.ndarray, ...]]
"""What holds the parameters, the training step, and its batch."""


def linear_step() -> Step:
    network = nn.Dense(1, 1)
    points = example("linear_regression").make_points()
    return network, stepping(network, nn.MSELoss(), nn.SGD(network.trainable_params(), 0.01)), tuple(points.values())


def mlp_step() -> Step:
    module = example("mlp_classifier")
    network = module.Network()
    optimizer = nn.SGD(network.trainable_params(), learning_rate=1e-2)
    return network, module.make_train_step(network, nn.CrossEntropyLoss(), optimizer), images(64, 1, 28)


def cnn_step() -> Step:
    module = example("image_cnn")
    network = module.ImageCNN(batch_norm=True)
    with_loss = nn.WithLossCell(network, nn.CrossEntropyLoss())
    step = module.ClippedTrainStep(with_loss, module.make_optimizer(network, 20), clip_norm=1.0)
    return step, step, images(20, 1, 28)


def cifar_step() -> Step:
    network = example("cifar_cnn").SimpleCNN()
    optimizer = nn.Adam(network.trainable_params(), 1e-3)
    return network, stepping(network, nn.CrossEntropyLoss(), optimizer), images(64, 3, 32)


def lenet_step() -> Step:
    network = ms.vision.lenet()
    loss = nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    step = nn.TrainOneStepCell(nn.WithLossCell(network, loss), nn.Momentum(network.trainable_params(), 0.01, 0.9))
    return step, step, images(32, 1, 32)


def stepping(network: nn.Cell, loss_fn: nn.Cell, optimizer: nn.Optimizer) -> Callable[..., Any]:
    """A training step by hand, as programs 1 and 4 have it."""
    grad_fn = ms.value_and_grad(lambda x, y: loss_fn(network(x), y), None, optimizer.parameters)

    def step(x: ms.Tensor, y: ms.Tensor) -> ms.Tensor:
        loss, grads = grad_fn(x, y)
        optimizer(grads)
        return loss

    return step


def images(count: int, channels: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, channels, size, size)).astype(np.float32)
    return x, rng.integers(0, 10, count).astype(np.int32)


STEPS = {"linear": linear_step, "mlp": mlp_step, "cnn": cnn_step, "cifar": cifar_step, "lenet": lenet_step}


def trained(name: str, mode: int, threads: int) -> tuple[dict[str, np.ndarray], list[float]]:
    """Every parameter (the optimizer's too where the step holds it) and the losses of 20 steps."""
    ms.set_context(mode=mode, runtime_num_threads=threads)
    ms.set_seed(3)
    network, step, (x, y) = STEPS[name]()
    network.set_train()
    rng = np.random.default_rng(1)
    losses = []
    for _ in range(20):
        order = rng.permutation(len(x))
        losses.append(float(step(ms.Tensor(x[order]), ms.Tensor(y[order])).asnumpy()))
    return values(network), losses


@pytest.mark.parametrize("name", STEPS)
def test_modes_and_thread_counts_agree_after_20_steps(name: str) -> None:
    expected, losses = trained(name, ms.PYNATIVE_MODE, 1)
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    for mode, threads in ((ms.GRAPH_MODE, 1), (ms.GRAPH_MODE, 2), (ms.PYNATIVE_MODE, 2)):
        found, also = trained(name, mode, threads)
        assert also == losses, (mode, threads)
        assert_same_bits(found, expected)


@pytest.mark.parametrize("name", ["mlp_classifier", "cifar_cnn", "lenet_model"])
def test_whole_programs_agree_between_modes(name: str, cifar: str) -> None:
    data = ["--data", cifar] if name == "cifar_cnn" else []
    graph, graph_accuracy = run(name, "graph", "--quick", *data, threads=2)
    eager, eager_accuracy = run(name, "eager", "--quick", *data)
    assert_same_bits(values(graph), values(eager))
    assert graph_accuracy == eager_accuracy


# What they reach


@pytest.mark.slow(ci=True)
def test_lenet_learns_in_two_epochs() -> None:
    _, accuracy = run("lenet_model", "graph", "--epochs", "2", threads=2)
    assert accuracy > 0.70


@pytest.mark.slow
def test_lenet_reaches_its_accuracy_in_both_modes() -> None:
    graph, accuracy = run("lenet_model", "graph", threads=2)
    assert accuracy >= 0.86
    eager, same = run("lenet_model", "eager", threads=2)
    assert same == accuracy
    assert_same_bits(values(graph), values(eager))


@pytest.mark.slow
def test_mlp_reaches_its_accuracy() -> None:
    _, accuracy = run("mlp_classifier", "graph", "--epochs", "10", threads=2)
    assert accuracy >= 0.82


@pytest.mark.slow
def test_plain_cnn_reaches_its_accuracy() -> None:
    _, accuracy = run("image_cnn", "graph", "--plain", threads=2)
    assert accuracy >= 0.85


@pytest.mark.slow
def test_cnn_with_the_whole_craft_learns() -> None:
    _, accuracy = run("image_cnn", "graph", "--batch-norm", "--epochs", "20", threads=2)
    assert accuracy >= 0.87


@pytest.mark.slow
def test_cifar_learns_synthetic_images() -> None:
    _, accuracy = run("cifar_cnn", "graph", "--epochs", "3", threads=2)
    assert accuracy >= 0.95
