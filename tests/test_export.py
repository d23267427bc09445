"""Networks as files: what comes back computes the same bits, trains, and is refused where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import Parameter, Tensor, nn, ops
from graphc.checkpoint_file import read_file, write_file
from graphc.export import KEY
from graphc.ir import GraphError
from graphc.irtext import parse

X = Tensor(np.random.default_rng(2).normal(size=(4, 1, 12, 12)).astype("f"))


class Net(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, has_bias=True, pad_mode="valid")
        self.norm = nn.BatchNorm2d(3)
        self.dense = nn.Dense(75, 5)
        self.frozen = Parameter(Tensor([2.0]), "frozen", requires_grad=False)
        self.table = Tensor([0.5, 1.0, 1.5, 2.0, 2.5])

    def construct(self, x: Tensor) -> dict[str, Any]:
        y = ops.max_pool2d(ops.relu(self.norm(self.conv(x))), 2, 2)
        scores = self.dense(y.reshape(x.shape[0], -1)) * self.table * self.frozen
        return {"scores": ops.softmax(scores), "others": [scores.argmax(1), (x > 0).sum(), None, "name", 3]}


def roundtrip(net: Any, folder: Path, *inputs: Any) -> nn.GraphCell:
    ms.export(net, *inputs, file_name=str(folder / "net"), file_format="MINDIR")
    return nn.GraphCell(ms.load(str(folder / "net.mindir")))


def test_the_same_bits_in_both_modes(tmp_path: Path) -> None:
    ms.set_seed(3)
    net = Net().set_train(False)
    loaded = roundtrip(net, tmp_path, X)
    for value in (ms.PYNATIVE_MODE, ms.GRAPH_MODE):
        with mode(value):
            wanted, found = net(X), loaded(X)
        assert found["others"][2:] == [None, "name", 3] and list(found) == ["scores", "others"]
        np.testing.assert_array_equal(found["scores"].asnumpy(), wanted["scores"].asnumpy())
        for a, b in zip(found["others"][:2], wanted["others"][:2], strict=True):
            assert a.spec == b.spec
            np.testing.assert_array_equal(a.asnumpy(), b.asnumpy())
    own = {p.name: p for p in net.get_parameters()}
    for parameter in loaded.get_parameters():
        assert parameter.requires_grad == own[parameter.name].requires_grad
        np.testing.assert_array_equal(parameter.asnumpy(), own[parameter.name].asnumpy())


def test_a_loaded_network_trains_like_the_network(tmp_path: Path) -> None:
    def trained(net: nn.Cell) -> list[np.ndarray]:
        optimizer = nn.Momentum(net.trainable_params(), 0.1, 0.9)
        step = nn.TrainOneStepCell(nn.WithLossCell(net, lambda y, t: ops.mse_loss(y["scores"], t)), optimizer)
        losses = [step(X, ops.ones((4, 5))).asnumpy() for _ in range(3)]
        return [*losses, *(p.asnumpy() for p in sorted(net.get_parameters(), key=lambda p: p.name))]

    ms.set_seed(3)
    net = Net().set_train()
    loaded = roundtrip(net, tmp_path, X)  # in training mode: with the updates of running statistics
    for a, b in zip(trained(loaded), trained(net), strict=True):
        np.testing.assert_array_equal(a, b)


def test_functions_containers_and_random_numbers(tmp_path: Path) -> None:
    loaded = roundtrip(lambda pair, y: (pair[0] + pair[1] * 0.1, y - float("inf")), tmp_path, (X, X), Tensor([1, 2]))
    found = loaded((X, X), Tensor([3, 4]))
    np.testing.assert_array_equal(found[0].asnumpy(), (X + X * 0.1).asnumpy())
    assert found[1].tolist() == [-np.inf] * 2
    dropping = roundtrip(nn.Dropout(p=0.5).set_train(), tmp_path, ops.ones(1000))
    first, second = (dropping(ops.ones(1000)).asnumpy() for _ in range(2))
    assert {*np.unique(first)} == {0, 2} and (first != second).any()


def test_other_values_for_parameters(tmp_path: Path) -> None:
    ms.export(nn.Dense(2, 1), ops.ones((1, 2)), file_name=str(tmp_path / "d.mindir"), file_format="MINDIR")
    graph = ms.load(str(tmp_path / "d.mindir"))
    assert "matmul" in str(graph)
    cell = nn.GraphCell(graph, {"weight": Parameter(Tensor([[2.0, 3.0]])), "bias": Tensor([1.0])})
    assert cell(ops.ones((1, 2))).tolist() == [[6]]
    with pytest.raises(ValueError, match=r"params_init has \['other'\]"):
        nn.GraphCell(graph, {"other": X})
    with pytest.raises(ValueError, match=r"weight is f32\[1,2\], params_init has"):
        nn.GraphCell(graph, {"weight": X})
    with pytest.raises(ValueError, match=r"exported for inputs of type f32\[1,2\], got f32\[3,2\]"):
        cell(ops.ones((3, 2)))


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    name = str(tmp_path / "net")
    for call, error, text in (
        (lambda: ms.export(nn.ReLU(), X, file_name=name, file_format="ONNX"), ValueError, "file_format must be"),
        (lambda: ms.export(nn.ReLU(), X, file_name=name, enc_key=b"1"), ValueError, "unknown options"),
        (lambda: ms.export(3, X, file_name=name), TypeError, "expected a Cell or a function"),
        (lambda: ms.export(lambda x: {1, 2}, X, file_name=name), TypeError, "returns a set"),
        (lambda: ms.export(nn.ReLU(), X, file_name=str(tmp_path / "no" / "net")), OSError, "there is no folder"),
        (lambda: ms.load(name), ValueError, "there is no file"),
        (lambda: ms.load(name, dec_key=b"1"), ValueError, "unknown options"),
        (lambda: nn.GraphCell(3), TypeError, "expected what graphc.load returns"),
    ):
        with pytest.raises(error, match=text):
            call()
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "net.mindir")
    ms.export(nn.Dense(2, 1), ops.ones((1, 2)), file_name=path, file_format="MINDIR")
    arrays, metadata = read_file(path)
    notes = json.loads(metadata[KEY])

    def refused(change: Any) -> None:
        changed = json.loads(json.dumps(notes))
        kept = change(changed) or arrays
        write_file("test", path, kept, {KEY: json.dumps(changed)})
        with pytest.raises(ValueError, match=r"load: .*net\.mindir is no network"):
            ms.load(path)

    refused(lambda n: n.update(graph=n["graph"].replace("matmul", "nothing")))
    refused(lambda n: n.update(graph=n["graph"].replace("transpose_b=True", "transpose_b=print()")))
    refused(lambda n: n.update(graph=n["graph"].replace("f32[1,2]", "f32[1,3]")))
    refused(lambda n: n.update(inputs=n["inputs"][:1]))
    refused(lambda n: {k: a.astype("d") for k, a in arrays.items()})
    refused(lambda n: n.pop("graph") and None)
    refused(lambda n: n.pop("result") and None)
    for result in ({"tensor": 1}, {"tensro": 0}, {"tuple": [3]}, {}):
        refused(lambda n, result=result: n.update(result=result))
    Path(path).write_bytes(b"no file of this kind")
    with pytest.raises(ValueError, match="is no network"):
        ms.load(path)


@pytest.mark.parametrize("value", ["().real", "print(1)", "__import__('os')", "x", "slice.mro()", "[i for i in x]"])
def test_the_text_of_a_graph_holds_no_code(value: str) -> None:
    with pytest.raises(GraphError, match="is no value of an attribute"):
        parse(f"graph f(%x: f32[2]) {{\n  %0: f32[2] = slice(%x, begin={value})\n  return %0\n}}")
