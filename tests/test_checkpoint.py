"""Checkpoints: what is saved comes back, what is damaged or foreign is named, and a file is never left half written."""

import json
import os
import subprocess
import sys
import textwrap
import zlib

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from graphc import nn
from graphc.checkpoint_file import METADATA_KEY
from graphc.dtype import bfloat16, float16
from graphc.nn.cell import Cell
from graphc.parameter import Parameter
from graphc.serialization import load_checkpoint, load_param_into_net, save_checkpoint
from graphc.tensor import Tensor


class Layer(Cell):
    def __init__(self, rows, columns, seed=0):
        super().__init__()
        values = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
        self.weight = Parameter(values, "weight")
        self.bias = Parameter(np.arange(rows, dtype=np.float32), "bias")


class Net(Cell):
    def __init__(self, width=4, seed=0):
        super().__init__()
        self.fc = Layer(width, 3, seed)
        self.count = Parameter(np.int64(7), "count", requires_grad=False)


def values_of(net):
    return {name: parameter.asnumpy() for name, parameter in net.parameters_dict().items()}


def assert_same(net, values):
    assert net.parameters_dict().keys() == values.keys()
    for name, value in values_of(net).items():
        np.testing.assert_array_equal(value, values[name], err_msg=name)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.ckpt"
    save_checkpoint(Net(seed=1), path)
    return path


def test_round_trip(file):
    loaded = load_checkpoint(file)
    assert type(loaded) is dict
    assert list(loaded) == list(Net().parameters_dict())
    assert all(isinstance(value, Parameter) and value.name == name for name, value in loaded.items())
    net = Net()
    assert load_param_into_net(net, loaded) == ([], [])
    assert_same(net, values_of(Net(seed=1)))


def test_parameters_keep_their_buffers(file):
    net = Net()
    address = net.fc.weight.numpy_view().ctypes.data
    load_checkpoint(file, net)
    assert net.fc.weight.numpy_view().ctypes.data == address


@pytest.mark.parametrize(
    "value",
    [3, -(2**40), 0.1, True, "text, ünïcode", Tensor(np.zeros((0, 3), np.float32)), Tensor([True]), np.float64(1e-300)],
)
def test_appended_values_come_back(tmp_path, value):
    save_checkpoint(Net(), tmp_path / "a.ckpt", append_dict={"extra": value})
    extra = load_checkpoint(tmp_path / "a.ckpt")["extra"]
    if isinstance(value, str):
        assert extra == value
        return
    expected = value.asnumpy() if isinstance(value, Tensor) else np.asarray(value)
    assert extra.shape == expected.shape
    np.testing.assert_array_equal(extra.asnumpy(), expected)
    assert extra.asnumpy().dtype == expected.dtype


def test_dicts_and_lists(tmp_path):
    save_checkpoint({"b": Parameter([1.0], "b"), "a": Tensor([2])}, tmp_path / "d.ckpt")
    assert list(load_checkpoint(tmp_path / "d.ckpt")) == ["b", "a"]
    save_checkpoint([{"name": "x", "data": Tensor([1.0, 2.0])}], tmp_path / "l.ckpt")
    np.testing.assert_array_equal(load_checkpoint(tmp_path / "l.ckpt")["x"].asnumpy(), [1, 2])


def test_names_are_chosen(tmp_path, file):
    save_checkpoint(Net(), tmp_path / "c.ckpt", choice_func=lambda name: name.endswith("bias"))
    assert list(load_checkpoint(tmp_path / "c.ckpt")) == ["fc.bias"]
    assert list(load_checkpoint(file, filter_prefix="fc")) == ["count"]
    assert list(load_checkpoint(file, specify_prefix=["fc.w", "cou"])) == ["count", "fc.weight"]
    assert list(load_checkpoint(file, choice_func=lambda name: "weight" in name)) == ["fc.weight"]
    with pytest.raises(ValueError, match="nothing is left"):
        load_checkpoint(file, choice_func=lambda name: False)


def test_file_names(tmp_path):
    for given, written in [("a", "a.ckpt"), ("b.bin", "b.bin.ckpt"), ("c.ckpt", "c.ckpt"), ("d.safetensors",) * 2]:
        save_checkpoint(Net(), tmp_path / given)
        assert (tmp_path / written).exists()
        assert len(load_checkpoint(tmp_path / given)) == 3
    save_checkpoint(Net(), str(tmp_path / "e"), format="safetensors")
    assert (tmp_path / "e.safetensors").exists()


def test_any_reader_of_safetensors_can_read_it(file):
    with safe_open(file, framework="numpy") as opened:
        np.testing.assert_array_equal(opened.get_tensor("fc.weight"), Net(seed=1).fc.weight.asnumpy())


def test_files_of_other_programs(tmp_path):
    save_file({"fc.weight": np.ones((4, 3), np.float32)}, tmp_path / "other.safetensors")
    assert load_checkpoint(tmp_path / "other.safetensors")["fc.weight"].shape == (4, 3)
    save_file({"half": np.ones(2, np.float16)}, tmp_path / "half.safetensors")
    assert load_checkpoint(tmp_path / "half.safetensors")["half"].dtype is float16
    save_file({"brain": np.array([1.5, 3.25], bfloat16.np)}, tmp_path / "brain.safetensors")
    assert load_checkpoint(tmp_path / "brain.safetensors")["brain"].tolist() == [1.5, 3.25]
    save_file({"wide": np.ones(2, np.uint64)}, tmp_path / "wide.safetensors")
    with pytest.raises(ValueError, match=r"'wide' in .*wide.safetensors is of no type graphc has"):
        load_checkpoint(tmp_path / "wide.safetensors")


# Loading into a network


def test_missing_names_are_reported(file):
    loaded = load_checkpoint(file)
    loaded["other"] = loaded.pop("fc.bias")
    net = Net()
    before = net.fc.bias.asnumpy()
    with pytest.warns(UserWarning, match=r"1 of 3 Parameters of Net .* fc.bias"):
        assert load_param_into_net(net, loaded) == (["fc.bias"], ["other"])
    np.testing.assert_array_equal(net.fc.bias.asnumpy(), before)
    np.testing.assert_array_equal(net.fc.weight.asnumpy(), Net(seed=1).fc.weight.asnumpy())


def test_another_networks_checkpoint_changes_nothing(file):
    net = Net(width=5)
    before = values_of(net)
    with pytest.raises(RuntimeError, match=r"fc.weight of the net has shape \(5, 3\).*\(4, 3\); nothing was loaded"):
        load_checkpoint(file, net)
    assert_same(net, before)


def test_a_last_parameter_that_does_not_fit_changes_nothing(file):
    loaded = load_checkpoint(file)
    loaded["count"] = Parameter(np.float32(1), "count")
    net = Net()
    before = values_of(net)
    with pytest.raises(RuntimeError, match="count of the net has type Int64, count in the checkpoint has Float32"):
        load_param_into_net(net, loaded)
    assert_same(net, before)


def test_other_widths_are_converted_unless_strict():
    wide = {"fc.weight": Parameter(np.full((4, 3), 0.5), "fc.weight"), "count": Parameter(np.int32(3), "count"),
            "fc.bias": Parameter(np.zeros(4, np.float32), "fc.bias")}
    net = Net()
    with pytest.raises(RuntimeError, match=r"Int64.*Int32"):
        load_param_into_net(net, wide, strict_load=True)
    assert load_param_into_net(net, wide) == ([], [])
    assert net.fc.weight.asnumpy().dtype == np.float32
    assert (net.fc.weight.asnumpy() == 0.5).all()
    assert net.count.asnumpy() == 3


def test_integers_that_do_not_fit_are_refused():
    net = Cell()
    net.small = Parameter(np.int32(1), "small")
    with pytest.raises(RuntimeError, match=r"Int32.*Int64"):
        load_param_into_net(net, {"small": Parameter(np.int64(2**40), "small")})
    assert net.small.asnumpy() == 1


def test_names_of_cells_that_were_appended_to_an_empty_list_may_lack_the_lists_as_in_mindspore():
    class Net(Cell):
        def __init__(self):
            super().__init__()
            self.stem, self.layers, self.heads, self.tails = (nn.CellList() for _ in range(4))
            for part in (self.layers, self.layers, self.heads, self.tails):
                part.append(nn.Dense(2, 2, "zeros", has_bias=part is self.heads))
            self.last = nn.Dense(2, 2, "zeros", has_bias=False)

    saved = {
        name: Parameter(np.full((2, 2) if "weight" in name else (2,), i + 1.0, np.float32))
        for i, name in enumerate(("0.weight", "1.weight", "last.weight", "0.bias"))
    }
    net = Net()
    with pytest.warns(UserWarning, match=r"3 of 6 Parameters of Net .*layers.0.weight, heads.0.weight, tails.0.weight"):
        missing, unused = load_param_into_net(net, saved)  # three share a name, whose value may be of any of them
    assert missing == ["layers.0.weight", "heads.0.weight", "tails.0.weight"] and unused == ["0.weight"]
    values = {p.name: p.asnumpy().max() for p in net.get_parameters()}
    assert values["layers.1.weight"] == 2 and values["last.weight"] == 3 and values["heads.0.bias"] == 4
    with pytest.warns(UserWarning, match="5 of 6"):
        load_param_into_net(net, saved, strict_load=True)


def test_a_common_prefix_is_taken_off_unless_strict(file):
    prefixed = {f"backbone.{name}": value for name, value in load_checkpoint(file).items()}
    net = Net()
    with pytest.warns(UserWarning, match="3 of 3"):
        missing, unused = load_param_into_net(net, prefixed, strict_load=True)
    assert (missing, unused) == (["count", "fc.weight", "fc.bias"], list(prefixed))
    assert load_param_into_net(net, prefixed) == ([], [])
    assert_same(net, values_of(Net(seed=1)))


@pytest.mark.parametrize(
    ("net", "given", "message"),
    [
        (3, {}, "net to be a Cell, got int"),
        (Net(), [1], "parameter_dict to be a dict, got list"),
        (Net(), {"fc.weight": np.zeros(1)}, "'fc.weight': ndarray"),
    ],
)
def test_wrong_arguments_of_loading(net, given, message):
    with pytest.raises(TypeError, match=message):
        load_param_into_net(net, given)


# Damaged files


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"hello world" * 10,
        lambda data: data[:-1],
        lambda data: data[:100],
        lambda data: data + b"\0",
        lambda data: b"\xff" * 8 + data[8:],
    ],
    ids=["empty", "foreign", "one byte short", "short", "one byte long", "header length"],
)
def test_damaged_files_are_named(file, damage):
    file.write_bytes(damage(file.read_bytes()))
    net = Net()
    before = values_of(net)
    with pytest.raises(ValueError, match=r"net.ckpt is not a checkpoint, or is damaged"):
        load_checkpoint(file, net)
    assert_same(net, before)


def test_damaged_notes_are_named(tmp_path):
    for notes in ("{", "[1]", '"x"', "null"):
        save_file({"w": np.zeros(1, np.float32)}, tmp_path / "n.ckpt", {METADATA_KEY: notes})
        with pytest.raises(ValueError, match=r"n.ckpt is not a checkpoint, or is damaged"):
            load_checkpoint(tmp_path / "n.ckpt")


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"no file '.*none.ckpt'"):
        load_checkpoint(tmp_path / "none.ckpt")


def test_checksum_finds_a_flipped_bit(tmp_path):
    path = tmp_path / "sum.ckpt"
    save_checkpoint(Net(), path, crc_check=True)
    assert len(load_checkpoint(path, crc_check=True)) == 3
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)
    load_checkpoint(path)
    with pytest.raises(ValueError, match=r"sum.ckpt is damaged: its checksum"):
        load_checkpoint(path, crc_check=True)


def test_no_checksum_to_verify(file):
    with pytest.raises(ValueError, match="no checksum"):
        load_checkpoint(file, crc_check=True)


def test_nothing_in_a_file_is_ever_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.system, ("touch ran",)

    import pickle

    (tmp_path / "p.ckpt").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "p.ckpt")
    assert not os.path.exists("ran")


# Writing


def test_a_write_that_fails_leaves_the_old_file(file, monkeypatch):
    old = file.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"could not write .*net.ckpt.*No space left") as caught:
        save_checkpoint(Net(seed=2), file)
    assert caught.value.errno == 28
    assert file.read_bytes() == old
    assert os.listdir(file.parent) == ["net.ckpt"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX resource limits")
def test_a_full_disk(file):
    """A limit on the size of files stops the write midway, as a full disk does."""
    old = file.read_bytes()
    program = textwrap.dedent(
        f"""
        import resource, numpy as np
        from graphc.serialization import save_checkpoint
        from graphc.tensor import Tensor
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        try:
            save_checkpoint({{"w": Tensor(np.zeros(100000))}}, {str(file)!r})
        except OSError as error:
            print("refused:", error)
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("refused: save_checkpoint: could not write")
    assert file.read_bytes() == old
    assert os.listdir(file.parent) == ["net.ckpt"]


def test_an_interrupted_write_leaves_the_old_file(file, monkeypatch):
    old = file.read_bytes()

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(Net(seed=2), file)
    assert file.read_bytes() == old
    assert os.listdir(file.parent) == ["net.ckpt"]


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder '.*nowhere'"):
        save_checkpoint(Net(), tmp_path / "nowhere" / "net.ckpt")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda path: save_checkpoint(3, path), TypeError, "Cell, a dict or a list, got int"),
        (lambda path: save_checkpoint(Net(), 3), TypeError, "save_checkpoint: ckpt_file_name must be a str .* got 3"),
        (lambda path: load_checkpoint(3), TypeError, "load_checkpoint: ckpt_file_name must be a str or a path, got 3"),
        (lambda path: save_checkpoint([{"name": "x"}], path), TypeError, "name.*data"),
        (lambda path: save_checkpoint({"x": object()}, path), TypeError, "'x' to be a Parameter.*got object"),
        (lambda path: save_checkpoint({1: Tensor(1)}, path), TypeError, "names to be str, got 1"),
        (lambda path: save_checkpoint({}, path), ValueError, "nothing to save"),
        (lambda path: save_checkpoint(Net(), path, append_dict={"count": 1}), ValueError, "append_dict has 'count'"),
        (lambda path: save_checkpoint(Net(), path, async_save=True, format="zip"), ValueError, "format.*'zip'"),
        (lambda path: save_checkpoint(Net(), path, enc_key=b"0" * 16), ValueError, "encryption"),
        (lambda path: save_checkpoint(Net(), path, format="onnx"), ValueError, "format.*'onnx'"),
        (lambda path: load_checkpoint(path, dec_key=b"0" * 16), ValueError, "encryption"),
        (lambda path: load_checkpoint(path, remove_redundancy=True), ValueError, "remove_redundancy"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, call, error, message):
    with pytest.raises(error, match=message):
        call(tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_two_parameters_of_one_name(tmp_path):
    net = Net()
    net.count.name = "fc.bias"
    with pytest.raises(ValueError, match=r"two Parameters are named 'fc.bias'"):
        save_checkpoint(net, tmp_path / "x.ckpt")


def test_notes_are_plain_json(file):
    with safe_open(file, framework="numpy") as opened:
        notes = json.loads(opened.metadata()[METADATA_KEY])
    assert notes == {"names": ["count", "fc.weight", "fc.bias"], "strings": {}}


def test_a_list_of_parameters(tmp_path):
    net = Net(seed=3)
    save_checkpoint(net.trainable_params(), tmp_path / "list.ckpt", choice_func=lambda name: name != "fc.bias")
    loaded = load_checkpoint(tmp_path / "list.ckpt")
    assert list(loaded) == [p.name for p in net.trainable_params() if p.name != "fc.bias"]
    np.testing.assert_array_equal(loaded["fc.weight"].asnumpy(), net.fc.weight.asnumpy())


# Files that MindSpore has written


def field(number, content):
    """A field of a message of Protocol Buffers that holds bytes, as MindSpore writes it."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def mindspores(name, kind, shape, content):
    dims = b"".join(bytes([1 << 3, size]) for size in shape)  # proto2 does not pack them
    return field(1, field(1, name.encode()) + field(2, dims + field(2, kind.encode()) + field(3, content)))


@pytest.fixture
def theirs(tmp_path):
    weight = np.arange(12, dtype=np.float32).reshape(4, 3)
    content = (
        mindspores("weight", "Float32", (4, 3), weight[:1].tobytes())  # a large one is cut into parts
        + mindspores("weight", "Float32", (4, 3), weight[1:].tobytes())
        + mindspores("half", "BFloat16", (2,), np.array([1, -2], bfloat16.np).tobytes())
        + mindspores("on", "Bool", (1,), b"\x01")
        + mindspores("epoch", "Int64", (0,), np.int64(3).tobytes())
        + mindspores("none", "Float32", (0,), b"")
        + mindspores("note", "str", (1,), "größer".encode("utf-32-le"))
    )
    path = tmp_path / "theirs.ckpt"
    path.write_bytes(content)
    return path


def test_checkpoints_of_mindspore_are_read(theirs):
    loaded = load_checkpoint(theirs)
    assert list(loaded) == ["weight", "half", "on", "epoch", "none", "note"]
    np.testing.assert_array_equal(loaded["weight"].asnumpy(), np.arange(12, dtype=np.float32).reshape(4, 3))
    assert loaded["half"].dtype is bfloat16
    assert loaded["half"].float().asnumpy().tolist() == [1, -2]
    assert loaded["on"].asnumpy().tolist() == [True]
    assert (loaded["epoch"].shape, int(loaded["epoch"])) == ((), 3)
    assert loaded["none"].shape == (0,)
    assert loaded["note"] == "größer"
    assert list(load_checkpoint(theirs, specify_prefix="e")) == ["epoch"]


def test_checksum_of_mindspore(theirs):
    content = theirs.read_bytes()
    with pytest.raises(ValueError, match="has no checksum to verify"):
        load_checkpoint(theirs, crc_check=True)
    theirs.write_bytes(content + b"crc_num" + zlib.crc32(content).to_bytes(10, "big"))
    assert load_checkpoint(theirs, crc_check=True).keys() == load_checkpoint(theirs).keys()
    theirs.write_bytes(content + b"crc_num" + bytes(10))
    with pytest.raises(ValueError, match=r"theirs\.ckpt is damaged: its content does not agree with its checksum"):
        load_checkpoint(theirs, crc_check=True)


def test_damaged_checkpoint_of_mindspore(theirs):
    content = theirs.read_bytes()
    for damaged in (content[:-1], content[:20], content.replace(b"Float32", b"Float31")):
        theirs.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"theirs\.ckpt is not a checkpoint, or is damaged: "):
            load_checkpoint(theirs)


def test_a_list_of_one_number_is_taken_for_the_number(tmp_path):
    save_checkpoint({"count": Tensor(np.array([5], np.int32))}, tmp_path / "one.ckpt")
    net = Net()
    with pytest.warns(UserWarning, match="2 of 3 Parameters"):
        load_param_into_net(net, load_checkpoint(tmp_path / "one.ckpt"))
    assert (net.count.shape, int(net.count)) == ((), 5)
    with pytest.raises(RuntimeError, match="nothing was loaded"):
        load_param_into_net(net, load_checkpoint(tmp_path / "one.ckpt"), strict_load=True)
