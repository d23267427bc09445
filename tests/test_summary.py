"""Files of events: what is written, by the rules of their format, by hand and by training, and what networks note."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modes import mode as in_mode

import graphc as ms
import graphc.dataset as ds
from graphc import Tensor, nn, ops
from graphc.train import Model, SummaryCollector, SummaryRecord
from graphc.train.events import masked_crc, png


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(data: bytes) -> dict[int, list[Any]]:
    """The fields of a message: ints, floats and bytes by number."""
    found: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        match tag & 7:
            case 0:
                value, at = varint(data, at)
            case 1:
                value, at = struct.unpack_from("<d", data, at)[0], at + 8
            case 2:
                size, at = varint(data, at)
                value, at = data[at : at + size], at + size
            case _:
                value, at = struct.unpack_from("<f", data, at)[0], at + 4
        found.setdefault(tag >> 3, []).append(value)
    return found


def events(path: str | Path) -> list[tuple[int, dict[str, dict[int, list[Any]]]]]:
    """Step and values by tag of the events after the first; checksums are looked at."""
    data, at, found = Path(path).read_bytes(), 0, []
    while at < len(data):
        size, check = struct.unpack_from("<QI", data, at)
        assert check == masked_crc(data[at : at + 8])
        body = data[at + 12 : at + 12 + size]
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == masked_crc(body)
        found.append(fields(body))
        at += 16 + size
    assert found[0][3] == [b"MindSpore.Event:1"] and found[0][1][0] > 1.7e9
    values = [[fields(value) for value in fields(event[5][0])[1]] for event in found[1:]]
    return [(e[2][0], {str(v[1][0], "utf-8"): v for v in vs}) for e, vs in zip(found[1:], values, strict=True)]


def test_checksum() -> None:
    # as in RFC 3720, B.4: the CRC of 32 zero bytes is 8A9136AA
    assert masked_crc(bytes(32)) == ((0x8A9136AA >> 15 | 0x8A9136AA << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_values_of_each_kind(tmp_path: Path) -> None:
    with SummaryRecord(tmp_path) as record:
        record.add_value("scalar", "loss", Tensor(0.25))
        assert record.record(1)
        record.add_value("tensor", "t", Tensor([[1, 2], [3, -4]]))
        record.add_value("histogram", "h", Tensor([1.0, 2.0, 2.0, np.nan, np.inf, 4.0]))
        record.add_value("image", "i", Tensor(np.arange(2 * 12, dtype=np.uint8).reshape(2, 1, 3, 4)))
        record.record(300)
        record.record(301)  # nothing came
        path = record.log_dir
    (one, scalars), (other, values) = events(path)
    assert one == 1 and scalars["loss"][3] == [0.25] and other == 300
    tensor = fields(values["t"][8][0])
    assert tensor[1] == [2, 2] and tensor[2] == [5] and np.frombuffer(tensor[3][0], "<f4").tolist() == [1, 2, 3, -4]
    histogram = fields(values["h"][9][0])
    assert [histogram[n] for n in (2, 3, 4, 5, 6, 7, 8)] == [[1], [1], [0], [4.0], [1.0], [9.0], [6]]
    buckets = [fields(bucket) for bucket in histogram[1]]
    assert [(b[1][0], b[2][0], b[3][0]) for b in buckets] == [(1.0, 1.5, 3), (2.5, 1.5, 1)]
    image = fields(values["i"][4][0])
    assert image[1] == [3] and image[2] == [8] and image[3] == [3]
    pillow = pytest.importorskip("PIL.Image")
    pixels = np.asarray(pillow.open(io.BytesIO(image[4][0])))
    np.testing.assert_array_equal(pixels[..., 2], np.hstack(np.arange(24).reshape(2, 3, 4)))


def test_png_files() -> None:
    pillow = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(pillow.open(io.BytesIO(png(pixels)))), pixels)


class Noting(nn.Cell):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Dense(3, 2)
        self.scalar, self.tensor, self.histogram = ops.ScalarSummary(), ops.TensorSummary(), ops.HistogramSummary()

    def construct(self, x: Tensor) -> Tensor:
        y = self.fc(x)
        self.scalar("mean", y.mean())
        self.tensor("y", y)
        self.histogram("w", self.fc.weight)
        return y


def noted(folder: Path) -> Any:
    ms.set_seed(0)
    net = Noting()
    x = Tensor(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    grad = ms.value_and_grad(lambda x: (net(x) ** 2).sum(), None, net.trainable_params())
    with SummaryRecord(folder) as record:
        for step in range(1, 4):
            expected = net(x)
            value, _ = grad(x)
            np.testing.assert_allclose(float(value), (expected.asnumpy() ** 2).sum(), rtol=1e-5)
            record.record(step)
        record.record(4)
        record.set_mode("eval")
        net(x)
        record.record(5)
        record.set_mode("train")
        record.record(6)
    found = events(record.log_dir)
    assert [step for step, _ in found] == [1, 2, 3] and list(found[0][1]) == ["mean", "y", "w"]
    np.testing.assert_allclose(found[2][1]["mean"][3], expected.asnumpy().mean(), rtol=1e-5)
    return [{tag: value.get(3, value) for tag, value in values.items()} for _, values in found]


def test_what_networks_note_in_both_modes(tmp_path: Path) -> None:
    with in_mode(ms.GRAPH_MODE):
        by_graph = noted(tmp_path / "graph")
    with in_mode(ms.PYNATIVE_MODE):
        assert noted(tmp_path / "eager") == by_graph


@pytest.mark.parametrize("mode", [ms.GRAPH_MODE, ms.PYNATIVE_MODE])
def test_training(tmp_path: Path, mode: int) -> None:
    with in_mode(mode):
        trained(tmp_path)


def trained(tmp_path: Path) -> None:
    net = nn.SequentialCell(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Dense(32, 2))
    images = np.random.default_rng(0).random((24, 1, 4, 4)).astype(np.float32)
    labels = (np.arange(24) % 2).astype(np.int32)
    data = ds.NumpySlicesDataset((images, labels), shuffle=False).batch(4)
    model = Model(net, nn.CrossEntropyLoss(), nn.SGD(net.trainable_params(), 0.1))
    collector = SummaryCollector(tmp_path / "a", collect_freq=3)
    model.train(2, data, callbacks=[collector])
    (path,) = (tmp_path / "a").iterdir()
    found = events(path)
    assert [step for step, _ in found] == [1, 3, 6, 9, 12]
    names = ["loss/auto", "input_data/auto", *(f"{p.name}/auto" for p in net.trainable_params())]
    assert all(list(values) == names for _, values in found)
    some = {"collect_input_data": False, "histogram_regular": "2.*", "collect_graph": True}
    model.train(1, data, callbacks=[SummaryCollector(str(tmp_path / "b"), 1, collect_specified_data=some)])
    (path,) = (tmp_path / "b").iterdir()
    assert [list(values) for _, values in events(path)] == [["loss/auto", "2.weight/auto", "2.bias/auto"]] * 6
    only = SummaryCollector(tmp_path / "c", 2, 32, {"collect_metric": True}, keep_default_action=False)
    model.train(1, data, callbacks=only)
    (path,) = (tmp_path / "c").iterdir()
    assert [(step, list(values)) for step, values in events(path)] == [(n, ["loss/auto"]) for n in (1, 2, 4, 6)]


def test_tensors_come_less_often(tmp_path: Path) -> None:
    net = Noting()
    data = ds.NumpySlicesDataset((np.ones((60, 3), np.float32), np.ones((60, 2), np.float32))).batch(1)
    model = Model(net, nn.MSELoss(), nn.SGD(net.trainable_params(), 0.01))
    model.train(1, data, callbacks=SummaryCollector(tmp_path, 1, collect_tensor_freq=25))
    (path,) = tmp_path.iterdir()
    found = events(path)
    assert len(found) == 60 and [step for step, values in found if "y" in values] == [1, 25, 50]
    assert all("mean" in values for _, values in found)


def test_files_that_grow_too_large(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with SummaryRecord(tmp_path, max_file_size=300) as record:
        for step in range(10):
            record.add_value("scalar", "a", Tensor(1.0))
            record.record(step)
    assert 200 < Path(record.log_dir).stat().st_size <= 300 and "would exceed max_file_size" in caplog.text


def test_tensors_as_files(tmp_path: Path) -> None:
    with SummaryRecord(tmp_path, export_options={"tensor_format": "npy"}) as record:
        record.add_value("tensor", "a/b", Tensor([1.0, 2.0]))
        record.record(7)
    (path,) = tmp_path.glob("export_*/tensor/*.npy")
    assert path.name == "a_b_7.npy" and np.load(path).tolist() == [1.0, 2.0]


def test_wrong_uses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with SummaryRecord(tmp_path) as record:
        with pytest.raises(RuntimeError, match="is still open"):
            SummaryRecord(tmp_path)
        with pytest.raises(ValueError, match="plugin 'graph'"):
            record.add_value("graph", "a", Tensor(1.0))
        with pytest.raises(TypeError, match="must be a Tensor, got float"):
            record.add_value("scalar", "a", 1.0)
        with pytest.raises(ValueError, match="'train' or 'eval'"):
            record.set_mode("test")
        with pytest.raises(TypeError, match="step must be an int"):
            record.record(1.0)  # type: ignore[arg-type]
        record.add_value("image", "flat", Tensor([1.0]))
        assert record.record(1) and "image 'flat' must be" in caplog.text
    assert not record.record(2)
    with SummaryRecord(tmp_path, raise_exception=True) as record:
        record.add_value("image", "flat", Tensor([1.0]))
        with pytest.raises(ValueError, match="image 'flat' must be"):
            record.record(1)
    for arguments in ({"max_file_size": 0}, {"export_options": {"a": 1}}):
        with pytest.raises(ValueError, match=r"max_file_size|export_options"):
            SummaryRecord(tmp_path, **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="collect_freq"):
        SummaryCollector(tmp_path, 0)
    with pytest.raises(ValueError, match=r"has \['collect_all'\]"):
        SummaryCollector(tmp_path, collect_specified_data={"collect_all": True})
    with pytest.raises(TypeError, match="collect_metric must be a bool"):
        SummaryCollector(tmp_path, collect_specified_data={"collect_metric": 1})
    with pytest.raises(TypeError, match="name must be a str"):
        ops.ScalarSummary()(1, Tensor(1.0))
    with pytest.raises(ValueError, match=r"expected a name and a number, got 'a' and f32\[1,1\]"):
        ops.ScalarSummary()("a", Tensor([[1.0]]))
