"""Bad input: one clear error, with what, got, expected and the user's line; and everything stays as it was.

In both modes. Index errors in compiled code are in runtime/test_executable.py, what a trace cannot hold in
test_trace.py, files and checkpoints in test_dataset.py and test_checkpoint.py; what they have in common is here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference import assert_same

import graphc as ms
import graphc.random
from graphc import GRAPH_MODE, PYNATIVE_MODE, Parameter, Tensor, dataset, jit, nn, ops, train
from graphc.dataset import vision

pytestmark = pytest.mark.usefixtures("each_mode")


def f32(*shape: int) -> Tensor:
    return Tensor(np.ones(shape, np.float32))


def run(call: Callable[..., Any], *args: Any) -> Any:
    """The call op by op, or compiled: as the mode says."""
    return jit(call)(*args) if ms.get_context("mode") == GRAPH_MODE else call(*args)


# Shapes and dtypes

SHAPES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], type[Exception], str]] = {
    "matmul": (
        ops.matmul, (f32(32, 784), f32(100, 128)), ValueError,
        r"matmul: inner dimensions differ, f32\[32,784\] @ f32\[100,128\] \(784 and 100\)",
    ),
    "vector @ matrix": (
        ops.matmul, (f32(2), f32(1, 3)), ValueError, r"inner dimensions differ, f32\[2\] @ f32\[1,3\] \(2 and 1\)",
    ),
    "stack @ matrix": (
        ops.matmul, (f32(5, 2, 3), f32(4, 2)), ValueError, r"inner dimensions differ, f32\[5,2,3\] @ f32\[4,2\]",
    ),
    "batched matmul": (
        ops.matmul, (f32(2, 3, 4), f32(3, 4, 5)), ValueError,
        r"matmul: shapes do not broadcast, f32\[2,3,4\] @ f32\[3,4,5\]",
    ),
    "add": (
        lambda x, y: x + y, (f32(3, 4), f32(5)), ValueError, r"add: shapes do not broadcast, f32\[3,4\] and f32\[5\]",
    ),
    "concat": (
        lambda x, y: ops.concat((x, y), 0), (f32(2, 3), f32(2, 4)), ValueError, "concat: shapes differ on other axes",
    ),
    "reshape": (
        lambda x: x.reshape(3, 5), (f32(4, 4),), ValueError,
        r"reshape: f32\[4,4\] has 16 elements, shape \(3, 5\) has 15",
    ),
    "transpose": (
        lambda x: ops.transpose(x, (0, 0)), (f32(2, 3),), ValueError, r"transpose: \(0, 0\) is no order of the 2 dim",
    ),
    "axis": (lambda x: x.sum(5), (f32(2, 3),), ValueError, "sum: axis 5 is out of range for 2 dimensions"),
    "softmax": (lambda x: ops.softmax(x, 3), (f32(2, 3),), ValueError, "softmax: axis 3 is out of range"),
    "where": (lambda x, y: ops.where(x > 0, x, y), (f32(3), f32(4)), ValueError, "^where: select: shapes do not"),
    "bits of floats": (lambda x: x & x, (f32(3),), TypeError, r"bitwise_and: expected integers or bools, got f32\[3\]"),
    "negative bool": (lambda x: -(x > 0), (f32(3),), TypeError, r"neg: expected numbers, got bool\[3\]"),
    "float index": (lambda x, i: x[i], (f32(3), Tensor(1.5)), IndexError, r"an index is ints, .* got f32\[\]"),
    "float positions": (
        lambda x, i: ops.gather(x, i, 0), (f32(3), f32(2)), TypeError, r"expected integer positions, got f32\[2\]",
    ),
    "index": (lambda x: x[99], (f32(32, 2),), IndexError, "index 99 is out of range for axis 0 with extent 32"),
    "indices": (lambda x: x[0, 0, 0], (f32(3, 2),), IndexError, r"3 indices for f32\[3,2\], which has 2 dimensions"),
    "assigned": (
        lambda x, y: x.__setitem__(0, y), (f32(3, 2), f32(3)), ValueError, r"cannot assign f32\[3\] to elements",
    ),
    "labels": (
        ops.cross_entropy, (f32(4, 3), Tensor(np.zeros(5, np.int32))), ValueError,
        r"expected labels of shape \(4,\), got i32\[5\]",
    ),
    "convolution": (
        lambda x, w: ops.conv2d(x, w), (f32(2, 1, 8, 8), f32(4, 3, 3, 3)), ValueError,
        r"channels .* f32\[2,1,8,8\].*f32\[4,3,3,3\]",
    ),
    "window": (lambda x: ops.max_pool2d(x, 9), (f32(2, 1, 8, 8),), ValueError, "the window is larger than the input"),
}  # fmt: skip


@pytest.mark.parametrize("call, args, error, message", SHAPES.values(), ids=SHAPES.keys())
def test_shapes_and_dtypes(call: Any, args: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        run(lambda *inner: call(*inner), *args)
    assert str(caught.value).count("test_bad_input.py:") == 1, caught.value


OPTIONS: dict[str, tuple[Callable[[Tensor], Any], type[Exception], str]] = {
    "no int": (lambda x: ops.lrn(x.reshape(1, 2, 3, 1), 2.5), TypeError, "lrn: depth_radius must be an int, got 2.5"),
    "bool": (lambda x: ops.chunk(x, True), TypeError, "chunk: chunks must be an int, got True"),
    "too small": (lambda x: ops.chunk(x, 0), ValueError, "chunk: chunks must be an int >= 1, got 0"),
    "several": (lambda x: ops.diff(x, np.ones(2, int)), TypeError, r"diff: n must be an int, got array"),
    "one axis": (lambda x: ops.rot90(x, 1, 0), ValueError, "rot90: dims must be two different axes, got 0"),
    "extent": (lambda x: ops.broadcast_to(x[0, 0], (-5,)), ValueError, r"broadcast_to: f32\[\] does not broadcast"),
    "draws": (
        lambda x: ops.normal((2, 2), x, 1.0), ValueError, r"normal: shapes do not broadcast, \(2, 2\) and \(2, 3\)",
    ),
    "no sparse tensor": (ops.coo_tensor_get_values, TypeError, "coo_tensor_get_values: expected a COOTensor, got Te"),
    "windows": (lambda x: ops.fold(x, 2, 1), ValueError, r"fold: expected \[N, C \* taps, L\] or .* got f32\[2,3\]"),
    "margins": (
        lambda x: ops.fold(x, 2, 1, padding=(1, 2, 3)), ValueError, "fold: padding must be an int >= 0 or 2 of them",
    ),
    "nothing": (lambda x: ops.diff(None), TypeError, "diff: expected a Tensor or a number, got NoneType"),
}  # fmt: skip


@pytest.mark.parametrize("call, error, message", OPTIONS.values(), ids=OPTIONS.keys())
def test_options(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}") as caught:
        run(lambda x: call(x), f32(2, 3))
    assert str(caught.value).count("test_bad_input.py:") == 1, caught.value


LAYERS: dict[str, tuple[Callable[[], nn.Cell], tuple[Any, ...], str]] = {
    "Dense": (lambda: nn.Dense(100, 10), (f32(32, 784),), r"f32\[32,784\] has 784 features.* f32\[10,100\] takes 100"),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3), (f32(2, 1, 8, 8),), r"has 1, weight f32\[4,3,3,3\] takes 3"),
    "Conv2d without a batch": (lambda: nn.Conv2d(3, 4, 3), (f32(2, 3, 8),), r"4 dimensions, got f32\[2,3,8\]"),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (f32(2, 1, 8, 8),), r"must be \[N, 3, ...\], but got f32\[2,1,8,8\]"),
    "MaxPool2d": (lambda: nn.MaxPool2d(9), (f32(2, 1, 8, 8),), r"the window is larger than the input"),
    "LSTM": (lambda: nn.LSTM(8, 2), (f32(3, 2, 7),), r"must be \[T, N, 8\], but got f32\[3,2,7\]"),
    "CrossEntropyLoss": (
        lambda: nn.CrossEntropyLoss(), (f32(4, 3), f32(5)),
        r"expected integer labels of shape \(4,\) or probabilities of shape \(4, 3\), got f32\[5\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("layer, args, message", LAYERS.values(), ids=LAYERS.keys())
def test_shapes_that_layers_do_not_take(layer: Callable[[], nn.Cell], args: tuple[Any, ...], message: str) -> None:
    cell = layer()
    with pytest.raises(ValueError, match=message) as caught:
        cell(*args)
    assert str(caught.value).count("test_bad_input.py:") == 1, caught.value


def test_the_line_is_that_of_the_layer_in_the_users_network() -> None:
    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.SequentialCell(nn.Dense(4, 5), nn.ReLU(), nn.Dense(6, 2))

        def construct(self, x: Tensor) -> Tensor:
            return self.blocks(x)

    net = Net()
    line = Net.construct.__code__.co_firstlineno + 1
    place = rf"Net\.blocks\.2 test_bad_input\.py:{line}"
    with pytest.raises(ValueError, match=f"dense: .* has 5 features.* takes 6; {place}"):
        net(f32(2, 4))


# Types of arguments

CELLS: dict[str, Callable[[], nn.Cell]] = {
    "Dense": lambda: nn.Dense(4, 2), "Conv2d": lambda: nn.Conv2d(3, 4, 3), "ReLU": nn.ReLU, "Flatten": nn.Flatten,
    "Embedding": lambda: nn.Embedding(3, 2), "MaxPool2d": lambda: nn.MaxPool2d(2),
    "BatchNorm2d": lambda: nn.BatchNorm2d(3), "LayerNorm": lambda: nn.LayerNorm((4,)), "LSTM": lambda: nn.LSTM(4, 2),
    "GroupNorm": lambda: nn.GroupNorm(1, 3),
    "Conv2dTranspose": lambda: nn.Conv2dTranspose(3, 2, 2), "Softmax": nn.Softmax,
}  # fmt: skip


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
@pytest.mark.parametrize("wrong", [None, "text", {"a": 1}], ids=["None", "str", "dict"])
def test_wrong_types_of_arguments(cell: Callable[[], nn.Cell], wrong: Any) -> None:
    with pytest.raises(TypeError, match=f"expected a Tensor.*{type(wrong).__name__}.*test_bad_input.py"):
        cell()(wrong)


def test_arrays_are_taken_by_every_cell() -> None:
    for make in (CELLS["Dense"], CELLS["LayerNorm"], CELLS["ReLU"], CELLS["LSTM"]):
        shape = (2, 3, 4) if make is CELLS["LSTM"] else (2, 4)
        found = make()(np.ones(shape, np.float32))
        assert isinstance(found[0] if isinstance(found, tuple) else found, Tensor)


def test_missing_and_superfluous_arguments() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        nn.Dense(4, 2)()
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3 were given"):
        nn.Dense(4, 2)(f32(1, 4), f32(1, 4))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: x + "a", "add: expected a Tensor or a number, got str 'a'"),
        (lambda x: ops.relu([None]), "Tensor: expected numbers"),
        (lambda x: ops.relu(object()), "relu: expected a Tensor or a number, got object"),
        (lambda x: ops.reshape(x, "2,3"), "reshape: shape must be an int or a tuple of ints, got '2,3'"),
        (lambda x: ops.cast(x, "float99"), "dtype: expected one of float32"),
        (lambda x: x.astype(3), "dtype: expected one of float32"), (lambda x: ops.sum(x, 1.5), "axis must be an int"),
        (lambda x: nn.SSIM()(3, x), r"^SSIM: expected a Tensor as img1, got int 3; SSIM test_bad_input.py:\d+$"),
        (lambda x: nn.DiceLoss()(x, None), "DiceLoss: expected a Tensor as label, got NoneType None"),
        (lambda x: nn.BiDense(2, 3, 4)(x, input2="a"), "BiDense: expected a Tensor as input2, got str 'a'"),
        (lambda x: nn.SSIM()(x), r"missing 1 required positional argument: 'img2'"),
        (lambda x: ms.numpy.stack(x.size), r"stack: expected several tensors, got int 6; test_bad_input.py:\d+$"),
        (lambda x: ms.mint.randint(x.size), r"randint: expected low, high and size, or high and size, got \(6,\)"),
    ],
)  # fmt: skip
def test_wrong_types_of_operands(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        run(call, f32(2, 3))


@pytest.mark.parametrize("loss", [ops.cross_entropy, ops.nll_loss], ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("weight", [None, f32(3)], ids=["", "weighted"])
def test_labels_that_are_no_class(loss: Callable[..., Tensor], weight: Tensor | None) -> None:
    message = rf"^{loss.__name__}: label 7 at position 1 is out of range \[0, 3\); test_bad_input.py:\d+$"
    with pytest.raises(IndexError, match=message):
        run(lambda x, labels: loss(x, labels, weight), f32(2, 3), Tensor([1, 7])).asnumpy()


# Training: nothing is changed by a step that fails


class Network(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.bn, self.drop, self.fc2 = nn.Dense(4, 5), nn.BatchNorm1d(5), nn.Dropout(p=0.5), nn.Dense(5, 3)

    def construct(self, x: Tensor) -> Tensor:
        return self.fc2(self.drop(self.bn(self.fc1(x))))


class Training:
    """A network, an optimizer and what they hold."""

    def __init__(self) -> None:
        ms.set_seed(3)
        self.net = Network().set_train()
        self.update = nn.Adam(self.net.trainable_params(), 0.1)
        self.gradient = ms.value_and_grad(
            lambda x, y: ops.cross_entropy(self.net(x), y), None, self.update.parameters
        )

    def step(self, x: Any, y: Any) -> float:
        loss, gradients = self.gradient(x, y)
        self.update(gradients)
        return float(loss)

    def state(self) -> dict[str, np.ndarray]:
        held = {p.name: p.asnumpy() for p in (*self.net.get_parameters(), *self.update.get_parameters())}
        return {**held, "random": graphc.random.get_rng_state().asnumpy()}


GOOD = f32(6, 4), Tensor(np.arange(6, dtype=np.int32) % 3)
BAD_BATCHES: dict[str, tuple[Any, Any, type[Exception]]] = {
    "too few features": (f32(6, 3), GOOD[1], ValueError),
    "a label too few": (GOOD[0], Tensor(np.zeros(5, np.int32)), ValueError),
    "a label out of range": (GOOD[0], Tensor(np.array([0, 1, 2, 3, 0, 1], np.int32)), IndexError),
    "a negative label": (GOOD[0], Tensor(np.array([0, 1, 2, -5, 0, 1], np.int32)), IndexError),
    "nothing": (None, GOOD[1], TypeError),
    "text": (GOOD[0], "labels", TypeError),
}  # fmt: skip


@pytest.mark.parametrize("x, y, error", BAD_BATCHES.values(), ids=BAD_BATCHES.keys())
def test_a_step_that_fails_leaves_weights_and_optimizer(x: Any, y: Any, error: type[Exception], each_mode: int) -> None:
    training = Training()
    training.step(*GOOD)
    before = training.state()
    for _ in range(2):
        with pytest.raises(error):
            training.step(x, y)
    after = training.state()
    for name, value in before.items():
        if each_mode == PYNATIVE_MODE and (name == "random" or "moving" in name):
            continue  # op by op, the layers before the one that failed have run
        assert_same(after[name], value, name)
    assert np.isfinite(training.step(*GOOD))


def test_statistics_and_seeds_stay_where_a_later_layer_fails() -> None:
    net = nn.SequentialCell(nn.BatchNorm1d(4), nn.Dropout(p=0.5), nn.Dense(3, 2))
    net.set_train()
    before = {p.name: p.asnumpy() for p in net.get_parameters()}
    optimizer = nn.SGD(net.trainable_params(), 0.1)
    gradient = ms.value_and_grad(lambda x: net(x).sum(), None, optimizer.parameters)
    held = []
    net[1].register_forward_hook(lambda cell, args, result: held.append(args[0]) if each_eagerly() else None)
    for call in (net, gradient, lambda x: optimizer(gradient(x)[1])):
        with pytest.raises(ValueError, match="dense: input"):
            call(f32(2, 4))
    for parameter in net.get_parameters():
        assert_same(parameter.asnumpy(), before[parameter.name])
    for result in held:  # what somebody holds of the call that failed has its value all the same
        assert_same(result.asnumpy(), np.zeros((2, 4), np.float32))


def each_eagerly() -> bool:
    return bool(ms.get_context("mode") == PYNATIVE_MODE)


def test_gradients_that_do_not_fit() -> None:
    w = Parameter(np.ones(3, np.float32), "w")
    update = nn.Momentum([w], 0.1, 0.9)
    for wrong, error, message in (
        ((f32(4),), ValueError, r"w is f32\[3\], its gradient is f32\[4\]"),
        ((f32(3), f32(3)), ValueError, "expected 1 gradients, got 2"),
        ((1.0,), TypeError, "the gradient of w must be a Tensor, got float"),
    ):
        before = [p.asnumpy() for p in update.get_parameters()]
        with pytest.raises(error, match=message):
            update(wrong)
        for p, value in zip(update.get_parameters(), before, strict=True):
            assert_same(p.asnumpy(), value)
        assert w.tolist() == [1.0, 1.0, 1.0]


def test_a_failed_assignment_changes_nothing() -> None:
    p, q = Parameter(np.ones(3, np.float32), "p"), Parameter(np.ones(2, np.float32), "q")

    def both(x: Tensor) -> None:
        ops.assign(p, x)
        ops.assign(q, x)

    with pytest.raises(ValueError, match=r"assign: shapes differ, q is f32\[2\], the value is f32\[3\]"):
        jit(both)(f32(3) * 5)
    assert p.tolist() == [1.0, 1.0, 1.0] and q.tolist() == [1.0, 1.0]


# What a graph cannot hold


def test_side_effects_in_construct(each_mode: int) -> None:
    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.log: list[Any] = []

        def construct(self, x: Tensor, how: str) -> Tensor:
            if how == "attribute":
                self.last = x
            elif how == "list":
                self.log.append(x)
            elif how == "branch":
                x = x if x.sum() > 0 else -x
            return x * 2

    for how in ("attribute", "list", "branch", "none"):
        net = Net()
        if each_mode == PYNATIVE_MODE or how == "none":
            assert net(f32(2), how).tolist() == [2.0, 2.0]
            continue
        if how in ("attribute", "branch"):  # which run op by op, unless the program wants a graph
            ms.set_context(jit_syntax_level=ms.STRICT)
        with pytest.raises((AttributeError, TypeError, RuntimeError)) as caught:
            net(f32(2), how)
        assert len(net.log) <= 1 and not hasattr(net, "last")
        assert "test_bad_input.py" in str(caught.value) or "Net.log" in str(caught.value)
        assert net(f32(2), "none").tolist() == [2.0, 2.0]


# Files


def test_files_that_lie(tmp_path: Path) -> None:
    from graphc import dataset

    images = np.zeros((3, 28, 28), np.uint8)
    head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (4, 28, 28))  # four images promised, three there
    (tmp_path / "train-images-idx3-ubyte").write_bytes(head + images.tobytes())
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + (3).to_bytes(4, "big") + bytes(3))
    with pytest.raises(Exception, match=r"train-images-idx3-ubyte.*the header says \[4, 28, 28\].*3136 bytes"):
        next(iter(dataset.MnistDataset(str(tmp_path), usage="train").create_tuple_iterator()))


def test_a_checkpoint_of_another_network(tmp_path: Path) -> None:
    ms.save_checkpoint(nn.Dense(4, 2), str(tmp_path / "other.ckpt"))
    net = nn.Dense(4, 3)
    before = net.weight.asnumpy()
    with pytest.raises((ValueError, RuntimeError), match=r"weight.*2.*4|weight.*3.*4"):
        ms.load_param_into_net(net, ms.load_checkpoint(str(tmp_path / "other.ckpt")), strict_load=True)
    assert_same(net.weight.asnumpy(), before)
    (tmp_path / "broken.ckpt").write_bytes((tmp_path / "other.ckpt").read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"broken\.ckpt"):
        ms.load_checkpoint(str(tmp_path / "broken.ckpt"))


OTHER = nn.Dense(4, 3)
ROWS = dataset.NumpySlicesDataset({"a": [1, 2]}, shuffle=False)


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda: ms.value_and_grad(ops.sum, has_aux=True)(f32(2, 3)), ValueError,
         r"with has_aux the function must return \(loss, \*others\), got f32\[\]; test_bad_input.py:\d+"),
        (lambda: 1 if f32(2, 3) else 0, ValueError, r"expected one element, got f32\[2,3\]; use \.any\(\)"),
        (lambda: list(Tensor(1.0)), TypeError, "a scalar has no elements to iterate over"),
        (lambda: Tensor([[1, 2], [3]]), ValueError, r"the rows differ in length or shape: \[\[1, 2\], \[3\]\]"),
        (lambda: nn.LSTM(4, 3)(f32(2, 3, 4), f32(1, 3, 3)), ValueError,
         r"the 'hx' must be 2 Tensor\(s\) of shape \(1, 3, 3\), but got f32\[1,3,3\]"),
        (lambda: ops.interpolate(f32(5, 4), size=3), ValueError, r"expected \[N, C, L\],.* got f32\[5,4\]"),
        (lambda: f32(5, 4).reshape(-1, -1), ValueError, r"at most one -1, got \(-1, -1\)"),
        (lambda: f32(5, 4).reshape(-2, 10), ValueError, r"extents >= 0 and at most one -1, got \(-2, 10\)"),
        (lambda: ops.clip_by_global_norm([f32(2)], -1.0), ValueError, "clip_norm must be above 0, got -1.0"),
        (lambda: ops.clip_by_global_norm(f32(2), 0), ValueError, "clip_norm must be above 0, got 0"),
        (lambda: jit(3), TypeError, "jit: expected a function, got int"),
        (lambda: nn.CellList([OTHER]).insert("a", OTHER), TypeError, "index must be int, but got 'a'"),
        (lambda: nn.MultiClassDiceLoss("1"), TypeError, "'weights' must be a Tensor, but got '1'"),
        (lambda: nn.MultiClassDiceLoss(ignore_indiex="2"), TypeError, "'ignore_indiex' must be an int, but got '2'"),
        (lambda: nn.MultiClassDiceLoss(activation=2), TypeError, "'activation' must be str or Cell, but got 2"),
        (lambda: nn.TrainOneStepCell(OTHER, None), AttributeError, "'optimizer' must be an Optimizer"),
        (lambda: nn.TrainOneStepCell(ops.sum, nn.SGD(OTHER.trainable_params())), TypeError, "'network' must be Cell"),
        (lambda: nn.TrainOneStepCell(nn.Dense(4, 3), nn.SGD(OTHER.trainable_params())), ValueError,
         "updates none of the parameters of the 'network'"),
        (lambda: ms.grad(ops.sum, ()), ValueError, "grad_position must name an argument"),
        (lambda: ms.save_checkpoint(OTHER, "never", async_save="soon"), ValueError, "'process' or 'thread', got"),
    ],
)  # fmt: skip
def test_mistakes_that_said_little(mistake: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        mistake()


@pytest.mark.parametrize(
    "make",
    [
        *(lambda cell=cell, wrong=wrong: cell(1, 2, wrong)
          for cell in (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Conv2dTranspose) for wrong in (1.5, "3", None, True)),
        *(lambda name=name, wrong=wrong: nn.Conv2d(1, 2, 3, **{name: wrong})
          for name in ("stride", "dilation", "padding") for wrong in (1.5, "3", None, True, (1.5, 2))),
        *(lambda cell=cell, wrong=wrong: cell(wrong)
          for cell in (nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool2d, nn.AvgPool3d) for wrong in (1.5, "2", None, True)),
        *(lambda cell=cell: cell(2, pad_mode=3) for cell in (nn.MaxPool2d, nn.AvgPool1d)),
        lambda: nn.Conv2d(1, 2, 3, pad_mode=None),
        *(lambda wrong=wrong: nn.AdaptiveAvgPool2d(wrong) for wrong in (1.5, "2", None, True, (2, "2"))),
        *(lambda wrong=wrong: nn.AdaptiveAvgPool1d(wrong) for wrong in (1.5, None, (1,))),
        *(lambda wrong=wrong: nn.AdaptiveMaxPool3d(wrong) for wrong in (1.5, "2", None)),
        *(lambda wrong=wrong: nn.ZeroPad2d(wrong) for wrong in (1.5, "1", None)),
        lambda: nn.ConstantPad2d(1, "0"), lambda: nn.Pad(1), lambda: nn.Pad(((1, 1.5),)),
        lambda: nn.Embedding(3, 2, padding_idx=1.5), lambda: nn.Softmax("1"), lambda: nn.LogSoftmax(1.5),
        lambda: nn.PReLU(w="x"), lambda: nn.LRN(norm_region=1), lambda: nn.RNNCell(2, 3, nonlinearity=1),
        lambda: nn.CrossEntropyLoss(weight=[1.0]), lambda: nn.CrossEntropyLoss(ignore_index=1.5),
        lambda: nn.NLLLoss(weight=2.0), lambda: nn.MultiMarginLoss(p=1.5),
        lambda: train.ConfusionMatrix(2.0), lambda: train.Fbeta("1"), lambda: train.Dice(None),
        lambda: train.CosineSimilarity(reduction=1), lambda: train.LossMonitor(1.5),
        lambda: train.EarlyStopping(mode=1),
        lambda: train.EarlyStopping(patience=None), lambda: train.ReduceLROnPlateau(cooldown="1"),
        lambda: train.CheckpointConfig(1.5), lambda: train.CheckpointConfig(exception_save=1),
        lambda: train.ModelCheckpoint(directory=3),
        lambda: vision.Resize("3"), lambda: vision.Resize(3, "bilinear"), lambda: vision.RandomCrop(3, padding="1"),
        lambda: vision.RandomCrop(3, pad_if_needed=1), lambda: vision.RandomCrop(3, fill_value="0"),
        lambda: vision.Normalize(1.0, 1.0), lambda: vision.Normalize([1.0], [1.0], is_hwc=1),
        lambda: vision.Rescale("1", 0), lambda: vision.Rescale(1, None), lambda: ms.set_context(mode="graph"),
        lambda: ms.set_context(device_target=0), lambda: ops.topk(Tensor([1.0]), 1.5),
        lambda: ops.sum(Tensor([1.0]), 0, keepdim=1), lambda: ops.amax(Tensor([1.0]), 0, "yes"),
        lambda: ops.max(Tensor([1.0]), 0, 1), lambda: ops.sort(Tensor([1.0]), 0, "down"),
        lambda: dataset.NumpySlicesDataset([1], num_shards="2", shard_id=0),
        *(lambda wrong=wrong: nn.Unflatten(wrong, (2, 2)) for wrong in ("1", None, 1.5, True, (1,))),
        *(lambda wrong=wrong: nn.Adam(OTHER.trainable_params(), beta1=wrong) for wrong in ("1", None, True)),
        *(lambda make=make, wrong=wrong: make(wrong)
          for make in (ms.amp.StaticLossScaler, ms.amp.FixedLossScaleManager, ms.amp.DynamicLossScaleManager)
          for wrong in ("2", True, None)),
        *(lambda make=make, wrong=wrong: make(ops.sum, weights=wrong)
          for make in (ms.grad, ms.value_and_grad) for wrong in (1.5, 0)),
        *(lambda make=make, wrong=wrong: make(ops.sum, has_aux=wrong)
          for make in (ms.grad, ms.value_and_grad) for wrong in ("yes", 1, None)),
        *(lambda wrong=wrong: ms.save_checkpoint(OTHER, "never", append_dict=wrong) for wrong in ("a", 0, [])),
        *(lambda wrong=wrong: ms.save_checkpoint(OTHER, "never", async_save=wrong) for wrong in (1, None, [])),
        lambda: ms.load_param_into_net(OTHER, {}, strict_load=1),
        *(lambda wrong=wrong: ROWS.project(wrong) for wrong in (1.5, None, True)),
        lambda: ROWS.rename(None, ["b"]), lambda: ROWS.filter(bool, input_columns=3),
        lambda: ROWS.create_tuple_iterator(columns=1.5), lambda: dataset.NumpySlicesDataset([1], column_names=1.5),
        *(lambda make=make: make([1, "x"])
          for make in (vision.RandomRotation, vision.RandomColorAdjust, dataset.WeightedRandomSampler)),
        lambda: vision.Normalize([1, "x"], [1.0]),
        *(lambda wrong=wrong: dataset.transforms.PadEnd(wrong) for wrong in (None, 3, {})),
        lambda: dataset.transforms.PadEnd([3], [0]), lambda: ops.one_hot(Tensor([1]), []),
        *(lambda wrong=wrong: ops.layer_norm(ops.ones((2, 3)), (3,), wrong) for wrong in ("a", object(), {})),
        *(lambda wrong=wrong: train.Model(OTHER, nn.MSELoss(), nn.SGD(OTHER.trainable_params())).train(wrong, ROWS)
          for wrong in ("a", 1.5, None, True)),
        lambda: train.Model(OTHER, nn.MSELoss(), nn.SGD(OTHER.trainable_params())).train(1, ROWS, sink_size=1.5),
    ],
)  # fmt: skip
def test_what_is_of_a_wrong_type_is_a_type_error(make: Any) -> None:
    """As MindSpore's documents say, whose programs tell TypeErrors from ValueErrors."""
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv2d(1, 2, (3, 3, 3)), lambda: nn.Conv2d(1, 2, -1), lambda: nn.Conv2d(1, 2, 3, padding=-1),
        lambda: nn.MaxPool2d((1, 2, 3)), lambda: nn.AdaptiveAvgPool2d(0), lambda: nn.AdaptiveAvgPool2d((1, 2, 3)),
        lambda: nn.AdaptiveMaxPool2d((-1, 2)), lambda: nn.ZeroPad2d((1, 2)), lambda: nn.Pad(((1, -1),)),
        lambda: nn.MultiMarginLoss(p=3), lambda: train.ConfusionMatrix(0), lambda: train.LossMonitor(-1),
        lambda: train.CheckpointConfig(-1), lambda: vision.Resize((1, 2, 3)),
        lambda: vision.Rotate(3, vision.Inter.AREA),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_a_value_error(make: Any) -> None:
    with pytest.raises(ValueError):
        make()
