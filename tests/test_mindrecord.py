"""MindRecord files: those of MindSpore are read, those that are written are read back, and damage is found."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc.dataset as ds
from graphc import mindrecord
from graphc.dataset.encoding import lengthened, packed, shortened, unpacked
from graphc.dataset.files import DataFileError
from graphc.dataset.mindrecord_file import RecordFile
from graphc.mindrecord import FileReader, FileWriter

# What MindSpore 2.10 wrote: 4 samples, header_size 16 KiB, page_size 32 KiB; zlib, base 85
REAL = (
    'c-rmK!D<sh7{Ku~&B22Q1#ezt@Me@|6Vnn8O^QcB5ye9(VY53)2e#R;v$fV5DEI(AgckHI1P_AVL?6LN@T6^=-JR_w?ScpK<o^fB?tb&lH{Z'
    '-|ce#=}5ZluAWz^T|xfGp7ySdh?3pMuTv;I)Yz}KR)c`zRk9Whja6m_A!ZMoz2l?km(>t~Y!cOZj5W@#^s&ehtgi-|ju>B@5K_oHwx9cg9pE'
    'X&?!eLJ_;>~p+7G0$S--u;dK-QJ^~n2YBVlX{~l+?|+!-Cs5k4u@LCwgtWIMt(j;$8Hp#Hj-{+zO$9N&Ke7yHCCO)&K~xj{L99+7FKUMt8H^'
    'KUbr)fq}D1N+kw_ve&*>igCHCf?^_Ji$h7CXv1=}S%9p~F^`-Vq|B-Zy*D5*(X|lPPu9E$2I(5e++s&$R+-`}ft!1)oe6Sx&oy5~msfg=1Qs'
    'YrFkbOSIh^f?cl7Z}tDF%i?=-NfnPUl*=*(f?m(~=6);s{;ePfkUqdrtRNa=Nk7vGPpHcsB^@;;D?1V>A_;w^qco0ssI2000000000000000'
    '000000001gsj>KY#r$elm%g4%E-z(~*=%OVmTaU_Oa9tr6RU5JOD0yUReN_KyBx0HDVx3g;#bM+Wy9WH%%_{bZnvyN?ZMBI619ZAzcgRtd>H'
    '@$0000000000000000000000000000000000000000000000000000000!2jvGy}o=iRDpc`;a%e>a0fE@GMjntkF*y?^7Hz)$EkC<PM&-6@'
    'i5Q*p5<OUo7+6iz0u8bKdm2@tl!G>j$c*snm@9dzX3Q|aPR'
)
REAL_TABLE = (
    'c-rmR&ui0Q7zgn8O+uOo^%X>VsNma+v{=P%UUurz^<6FN(wVlb!$au03<}Y*t~&8l5WM;ycrSPth6kYs@elC4li<~ZFb_`O{Mc$0w;jAF-w#'
    'dm<jprvUy@v2+PGKi4L!cyA3W#``8>HqC?$)W6GF6jJEr_{Ov%|aa_i|%k{uE?`I=nR*n7DH000000D$vbQT0?NL%YMyrtdZGT29%utyM9tv'
    '?WJaO~IR1sV4YzJR5xRrf4_0U6)&{R?9sr(L^eprqAz(?W%TJv_&J{DKm}Y!7S%aeci2=`K+ql<R^Xee9fu|8FC$K{q#(IdAT8))7<G9SJ>s'
    '>GQoT*PQA7E^Q`_bpHi(}I?sGga%W`13C(7z_L6%$7|ZkRp6|&zxaZ+;AsY5Oo1PzKL`68^sk!LXZnr-OE|GUW_%)}xYB?KxMQmiFyB>9qnn'
    'l;;ayJz{Wu+<UJ>2r1?C$t-Rqu8l4g2A-8$UO<5ErU^hm7DwN(PH`_L#5(_J+Nb1poj500000{3X{lMomRA47pu4R3o915qU-SsWKVg`SyYo'
    'zqCSERhgqQN28pnw8?0X>`%t?M>iHT3NuYg<yjha$+s8wCgZuIccbFRsKGVL4AYPi<2bS~85h2H-xfbafeYdK|A4Ts>@)i$3jhEB00000_}3'
    'VExb|1IxKPxDZia=f%bj5c|Nm2VNaP0q000000090oI#sR=ypI0^zh2GF'
)

SCHEMA = {
    "name": {"type": "string"}, "label": {"type": "int32"}, "score": {"type": "float64"}, "data": {"type": "bytes"},
    "big": {"type": "int64", "shape": [2, 2]}, "wide": {"type": "float32", "shape": [-1]},
}  # fmt: skip


def samples(count: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"\u00e9{i}" * i, "label": -40000 * i, "score": i / 3, "data": bytes([i]) * i,
            "big": np.array([[i, -300 * i], [70000, -(2**40)]]), "wide": np.arange(i, dtype=np.float32),
        }
        for i in range(1, count + 1)
    ]  # fmt: skip


def write(path: Path, count: int, **options: Any) -> FileWriter:
    writer = FileWriter(str(path), **options)
    writer.set_header_size(1 << 14)
    writer.set_page_size(1 << 15)
    writer.add_schema(SCHEMA, "numbers")
    writer.write_raw_data(samples(count))
    return writer


def assert_same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert len(found) == len(wanted)
    for got, sample in zip(found, wanted, strict=True):
        assert set(got) == set(sample)
        for name, value in sample.items():
            np.testing.assert_array_equal(np.asarray(got[name]), np.asarray(value))


def test_files_of_mindspore(tmp_path: Path) -> None:
    for name, text in (("real", REAL), ("real.db", REAL_TABLE)):
        (tmp_path / name).write_bytes(zlib.decompress(base64.b85decode(text)))
    reader = FileReader(tmp_path / "real")
    assert reader.len() == 4 and reader.schema()["big"] == {"type": "int64", "shape": [2, 2]}
    wanted = [{("file" if k == "name" else k): v for k, v in s.items()} | {"file": f"\u00e9{i}"}
              for i, s in enumerate(samples(4), 1)]  # fmt: skip
    assert_same(list(reader.get_next()), wanted)
    data = ds.MindDataset(str(tmp_path / "real"), ["label", "data", "score"], shuffle=False)
    rows = list(data.create_tuple_iterator(num_epochs=1, output_numpy=True))
    assert [r[0].item() for r in rows] == [-40000 * i for i in range(1, 5)]
    assert rows[2][1].tolist() == [3, 3, 3] and rows[2][1].dtype == np.uint8 and rows[1][2] == 2 / 3


@pytest.mark.parametrize("shards", [1, 3])
def test_what_is_written_is_read(tmp_path: Path, shards: int) -> None:
    path = tmp_path / "numbers"
    write(path, 40, shard_num=shards).commit()
    first = path if shards == 1 else tmp_path / "numbers0"
    assert_same(list(FileReader(str(first)).get_next()), samples(40))
    assert_same(list(FileReader(str(path)).get_next()), samples(40))
    data = ds.MindDataset(str(path), shuffle=False)
    assert data.get_dataset_size() == 40 and data.get_col_names() == sorted(SCHEMA)
    assert not list(tmp_path.glob("*.part"))


def test_samples_go_on_in_more_pages(tmp_path: Path) -> None:
    writer = FileWriter(tmp_path / "pages")
    writer.set_header_size(1 << 14)
    writer.set_page_size(1 << 15)
    writer.add_schema({"data": {"type": "bytes"}, "text": {"type": "string"}})
    wanted = [{"data": bytes([i]) * 9000, "text": str(i) * 3000} for i in range(20)]
    for sample in wanted:
        writer.write_raw_data([sample])
    writer.commit()
    assert_same(list(FileReader(tmp_path / "pages").get_next()), wanted)
    with pytest.raises(ValueError, match="a sample takes 33008 bytes, set_page_size is 32768"):
        FileWriter.open_for_append(tmp_path / "pages").write_raw_data([{"data": bytes(33000), "text": ""}])


def test_going_on_where_files_end(tmp_path: Path) -> None:
    write(tmp_path / "numbers", 5, shard_num=2).commit()
    writer = FileWriter.open_for_append(tmp_path / "numbers")
    writer.write_raw_data(samples(2))
    assert FileReader(tmp_path / "numbers").len() == 5  # until commit
    writer.commit()
    found = [sample["label"] // -40000 for sample in FileReader(tmp_path / "numbers").get_next()]
    assert found == [1, 2, 3, 1, 4, 5, 2]


def test_a_dataset_as_others(tmp_path: Path) -> None:
    write(tmp_path / "numbers", 10).commit()
    path = str(tmp_path / "numbers")

    def labels(**options: Any) -> list[int]:
        data = ds.MindDataset(path, ["label"], **options)
        return [int(x) // -40000 for (x,) in data.create_tuple_iterator(num_epochs=1, output_numpy=True)]

    assert labels(shuffle=False) == list(range(1, 11))
    ds.config.set_seed(1)
    assert sorted(labels()) == list(range(1, 11)) != labels()
    assert labels(shuffle=False, num_shards=3, shard_id=1) == [2, 5, 8, 1]
    assert labels(shuffle=False, num_samples=3) == [1, 2, 3]
    assert labels(sampler=ds.SubsetSampler([9, 0])) == [10, 1]
    assert sorted(labels(sampler=ds.PKSampler(1, class_column="label", num_class=4)))
    padded = labels(shuffle=False, padded_sample={"label": 400000}, num_padded=2)
    assert padded == [*range(1, 11), -10, -10]
    batch = next(ds.MindDataset(path, ["big", "label"], shuffle=False).batch(4).create_dict_iterator())
    assert batch["big"].shape == (4, 2, 2) and batch["label"].dtype.name == "int32"


def test_integers_take_as_few_bytes_as_they_need() -> None:
    rng = np.random.default_rng(0)
    edges = [s * (2**k + d) for k in (0, 7, 15, 31, 62) for d in (-1, 0, 1) for s in (1, -1)]
    for values in ([], [0], edges, [-(2**63), 2**63 - 1], rng.integers(-(2**40), 2**40, 101).tolist()):
        array = np.array(values, np.int64)
        np.testing.assert_array_equal(lengthened(shortened(array), "int64"), array)
    assert shortened(np.array([1, -2, 300])) == bytes.fromhex("00000003 04 01 fe 2c01")


def test_maps_of_messagepack() -> None:
    value = {"a": 0, "b": 127, "c": 128, "d": -1, "e": -(2**40), "f": 0.1, "g": "x" * 40, "h": "", "\u00e9": -32}
    value |= {f"key{i}": i for i in range(20)}
    assert unpacked(packed(value)) == (value, len(packed(value)))
    others = b"\x84\xa1a\xca?\x80\x00\x00\xa1b\xcd\x01\x00\xa1c\xc3\xa1d\xd9\x02hi"
    assert unpacked(others)[0] == {"a": 1.0, "b": 256, "c": True, "d": "hi"}


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    write(path, 3).commit()
    whole = path.read_bytes()
    raw_begin, _, blob_begin, _ = RecordFile(path).places[1]
    for at, byte in ((raw_begin + 8, 0xC1), (raw_begin + 10, 0xFF), (raw_begin + 8, 0xDF), (blob_begin + 20, 0xFF)):
        path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        with pytest.raises(DataFileError, match=r"sample 1 of .*numbers is damaged"):
            list(FileReader(path).get_next())
    with pytest.raises(DataFileError, match="there is no file"):
        ds.MindDataset(str(tmp_path / "nothing"))
    for broken in (b"", whole[:100], b"x" * 4000):
        path.write_bytes(broken)
        with pytest.raises(DataFileError, match="no MindRecord file"):
            FileReader(path)
    path.write_bytes(whole[:-40])
    with pytest.raises(DataFileError, match="ends, or is damaged"):
        list(FileReader(path).get_next())
    path.write_bytes(whole)
    (tmp_path / "numbers.db").write_bytes(b"no table" * 100)
    with pytest.raises(DataFileError, match=r"numbers\.db cannot be read"):
        FileReader(path)
    (tmp_path / "numbers.db").unlink()
    with pytest.raises(DataFileError, match="which says where samples lie"):
        FileReader(path)


def bad_sample(tmp_path: Path, **fields: Any) -> None:
    writer = write(tmp_path / "bad", 1)
    writer.write_raw_data([samples(1)[0] | fields])


def test_errors_say_what_got_expected(tmp_path: Path) -> None:
    write(tmp_path / "numbers", 3).commit()
    path = str(tmp_path / "numbers")
    plain = FileWriter(tmp_path / "plain")
    for call, error, text in (
        (lambda: FileWriter(path), ValueError, "there is a file .* already"),
        (lambda: FileWriter(path, 0), ValueError, "shard_num must be an int from 1"),
        (lambda: plain.write_raw_data([]), ValueError, "there is no schema yet"),
        (lambda: plain.add_schema({"a": {"type": "int8"}}), ValueError, "expected a type of"),
        (lambda: plain.add_schema({"a b": {"type": "int32"}}), ValueError, "named by letters"),
        (lambda: plain.add_schema({"a": {"type": "string", "shape": [2]}}), ValueError, "has no shape"),
        (lambda: plain.add_index(["a"]), ValueError, "no field of numbers or strings"),
        (lambda: plain.set_page_size(1000), ValueError, "power of two from 32768"),
        (lambda: bad_sample(tmp_path, label="x"), TypeError, "'label' must be int32, got <U1"),
        (lambda: bad_sample(tmp_path, label=2**40), ValueError, "'label' has numbers that int32 does not hold"),
        (lambda: bad_sample(tmp_path, label=[1, 2]), ValueError, "'label' must be one number"),
        (lambda: bad_sample(tmp_path, name=3), TypeError, "'name' must be a str, got int"),
        (lambda: bad_sample(tmp_path, data="text"), TypeError, "'data' must be bytes, got str"),
        (lambda: bad_sample(tmp_path, big=np.zeros(3, int)), ValueError, "cannot reshape"),
        (lambda: ds.MindDataset(path, ["none"]), ValueError, "there is no column 'none'"),
        (lambda: ds.MindDataset(path, padded_sample={}), ValueError, "go together"),
        (lambda: ds.MindDataset(path, ["label"], padded_sample={"a": 1}, num_padded=1), ValueError, "columns are"),
        (lambda: ds.MindDataset([]), ValueError, "got no files"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            call()  # type: ignore[no-untyped-call]
    writer = write(tmp_path / "few", 2)
    with pytest.raises(ValueError, match="a sample has no 'name'"):
        writer.write_raw_data([*samples(1), {"label": 1}])
    writer.commit()
    assert FileReader(tmp_path / "few").len() == 2 and mindrecord.FileWriter is FileWriter


# What a dataset gives


def varied(count: int) -> ds.Dataset:
    """Rows of all kinds, of which the arrays `a` differ in length."""

    def rows() -> Any:
        for i in range(count):
            whole = np.arange(6, dtype=np.uint8).reshape(2, 3) + i
            yield (
                np.full(i % 2 + 1, i, np.int16), np.float16(i / 2), np.array("é" * i), np.array(i % 2 == 0), whole,
                np.array(3_000_000_000 + i, np.uint32), np.array(b"\x00x"), np.array([i / 3]),
            )  # fmt: skip

    return ds.GeneratorDataset(rows, ["a", "b", "c", "d", "e", "f", "g", "h"])


def test_rows_of_a_dataset_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "rows.mindrecord"
    varied(5).save(path)
    reader = FileReader(str(path))
    assert reader.schema() == {
        "a": {"type": "int32", "shape": [-1]}, "b": {"type": "float32"}, "c": {"type": "string"},
        "d": {"type": "int32"}, "e": {"type": "int32", "shape": [-1, 3]}, "f": {"type": "int64"},
        "g": {"type": "bytes"}, "h": {"type": "float64", "shape": [-1]},
    }  # fmt: skip
    reader.close()
    saved = list(ds.MindDataset(str(path), shuffle=False).create_dict_iterator(num_epochs=1, output_numpy=True))
    for row, (i, given) in zip(saved, enumerate(varied(5).create_dict_iterator(num_epochs=1, output_numpy=True))):
        assert row.pop("g").tobytes() == b"\x00x"
        given.pop("g")
        assert {name: value.tolist() for name, value in row.items()} == {n: v.tolist() for n, v in given.items()}, i
    assert len(saved) == 5
    with pytest.raises(ValueError, match="there is a file"):
        varied(2).save(path)


def test_rows_are_divided_among_files(tmp_path: Path) -> None:
    path = str(tmp_path / "part")
    ds.NumpySlicesDataset({"x": np.arange(2500)}, shuffle=False).save(path, 2)
    parts = [ds.MindDataset([path + number], shuffle=False) for number in "01"]
    assert [part.get_dataset_size() for part in parts] == [1250, 1250]
    rows = [int(x) for part in parts for (x,) in part.create_tuple_iterator(output_numpy=True)]
    assert sorted(rows) == list(range(2500))


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    words = ds.NumpySlicesDataset({"s": np.array([["a", "b"]])})
    with pytest.raises(ValueError, match=r"column 's' is <U1 of shape \(2,\), which no field holds"):
        words.save(tmp_path / "words")
    with pytest.raises(ValueError, match="file_type must be 'mindrecord'"):
        words.save(tmp_path / "words", file_type="tfrecord")
    with pytest.raises(ValueError, match="there are no rows"):
        ds.NumpySlicesDataset({"x": np.zeros((0, 2))}).save(tmp_path / "none")
    ragged = ds.NumpySlicesDataset([np.zeros((2, 3)), np.zeros((2, 4))], ["x"], shuffle=False)
    with pytest.raises(ValueError, match="reshape"):
        ragged.save(tmp_path / "ragged")
    assert list(tmp_path.iterdir()) == []
