"""Collections of pictures, digits and speech, from folders like theirs; samples are those of MindSpore 2.10."""

from __future__ import annotations

import inspect
import struct
import wave
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as ms
import graphc.dataset as ds
from graphc.dataset.matlab import read_matlab


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def rows(dataset: ds.Dataset) -> list[list[Any]]:
    """The columns of each sample; bytes of files as text."""

    def plain(value: np.ndarray) -> Any:
        return bytes(value).decode() if value.dtype == np.uint8 and value.ndim == 1 else value.tolist()

    found = dataset.create_tuple_iterator(num_epochs=1, output_numpy=True)
    return [[plain(value) for value in row] for row in found]


def dtypes(dataset: ds.Dataset) -> dict[str, str]:
    row = next(dataset.create_dict_iterator(num_epochs=1, output_numpy=True))
    return {name: value.dtype.kind + str(value.ndim) for name, value in row.items()}


# Digits


def test_usps(tmp_path: Path) -> None:
    pixels = [(i * 7) % 256 for i in range(256)]
    line = " ".join(f"{i + 1}:{p / 127.5 - 1 + 1e-6:.6f}" for i, p in enumerate(pixels))
    write(tmp_path / "usps", f"7 {line} \n10 {line}\n")
    write(tmp_path / "usps.t", f"1 {line}\n")
    assert [row[1] for row in rows(ds.USPSDataset(tmp_path, shuffle=False))] == [6, 9, 0]
    image, label = rows(ds.USPSDataset(str(tmp_path), "test", None, None, False))[0]
    np.testing.assert_array_equal(np.array(image)[:, :, 0].reshape(-1), pixels)
    assert label == 0 and ds.USPSDataset(tmp_path, "train", shuffle=False).get_dataset_size() == 2
    write(tmp_path / "usps.t", "1 1:0.5\n")
    with pytest.raises(ds.DataFileError, match=r"usps.t: picture 1 has 1 numbers, expected 256"):
        ds.USPSDataset(tmp_path, "test")
    write(tmp_path / "usps.t", f"11 {line}\n")
    with pytest.raises(ds.DataFileError, match=r"usps.t: expected labels from 1 to 10"):
        ds.USPSDataset(tmp_path, "test")


def test_semeion(tmp_path: Path) -> None:
    pixels = [i % 3 == 0 for i in range(256)]
    for digit in (0, 9, 4):
        marks = [f"{p:.4f}" for p in pixels] + [str(int(k == digit)) for k in range(10)]
        with (tmp_path / "semeion.data").open("a") as file:
            file.write(" ".join(marks) + " \n")
    found = rows(ds.SemeionDataset(tmp_path, shuffle=False))
    assert [label for _, label in found] == [0, 9, 4]
    np.testing.assert_array_equal(found[1][0], np.array(pixels, int).reshape(16, 16))
    write(tmp_path / "semeion.data", " ".join(["0"] * 266))
    with pytest.raises(ds.DataFileError, match="one digit for each picture"):
        ds.SemeionDataset(tmp_path)


def matlab(arrays: dict[str, np.ndarray], compress: bool, order: str = "<") -> bytes:
    """A file of version 5, by its format."""
    classes = {"f8": 6, "f4": 7, "i1": 8, "u1": 9, "i2": 10, "u2": 11, "i4": 12, "u4": 13, "i8": 14, "u8": 15}
    stored = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 9, "i8": 12, "u8": 13}

    def element(kind: int, body: bytes) -> bytes:
        if len(body) <= 4:
            return struct.pack(f"{order}I", len(body) << 16 | kind) + body.ljust(4, b"\0")
        return struct.pack(f"{order}II", kind, len(body)) + body + b"\0" * (-len(body) % 8)

    data = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(f"{order}H", 0x100) + (b"IM" if order == "<" else b"MI")
    for name, array in arrays.items():
        key = array.dtype.str[1:]
        narrow = array.astype(np.uint8) if key == "f8" and (array == array.astype(np.uint8)).all() else array
        numbers = narrow.astype(narrow.dtype.newbyteorder(order)).tobytes(order="F")
        body = element(6, struct.pack(f"{order}II", classes[key], 0))
        body += element(5, struct.pack(f"{order}{array.ndim}i", *array.shape)) + element(1, name.encode())
        body += element(stored[narrow.dtype.str[1:]], numbers)
        whole = element(14, body)
        if compress:
            packed = zlib.compress(whole)
            whole = struct.pack(f"{order}II", 15, len(packed)) + packed
        data += whole
    return data


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_arrays_in_files_of_matlab(compress: bool, order: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "X": rng.integers(0, 256, (4, 3, 2), np.uint8), "few": np.array([[3.0, 7.0]]), "f": rng.normal(size=(2, 3)),
        "s": rng.normal(size=(3, 1)).astype("f4"), "i": np.array([[1, -70000]], np.int32), "b": np.array([[5]]),
    }  # fmt: skip
    path = tmp_path / "a.mat"
    write(path, matlab(arrays, compress, order))
    found = read_matlab(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    write(path, path.read_bytes()[:-9])
    with pytest.raises(ds.DataFileError, match=r"a.mat: damaged"):
        read_matlab(path)
    write(path, "no such thing")
    with pytest.raises(ds.DataFileError, match=r"a.mat: not a MATLAB file of version 5"):
        read_matlab(path)


def test_svhn(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    images = {part: rng.integers(0, 256, (32, 32, 3, 2), np.uint8) for part in ("train", "test", "extra")}
    for part, pixels in images.items():
        write(tmp_path / f"{part}_32x32.mat", matlab({"X": pixels, "y": np.array([[10.0], [3.0]])}, True))
    found = rows(ds.SVHNDataset(tmp_path, "test", shuffle=False))
    assert [label for _, label in found] == [0, 3]
    np.testing.assert_array_equal(found[1][0], images["test"][..., 1])
    assert ds.SVHNDataset(tmp_path).get_dataset_size() == 6
    write(tmp_path / "test_32x32.mat", matlab({"X": images["test"]}, True))
    with pytest.raises(ds.DataFileError, match=r"expected pictures X \[32, 32, 3, N\] and N labels y"):
        ds.SVHNDataset(tmp_path, "test")


# Pictures of things


def test_flowers(tmp_path: Path) -> None:
    write(tmp_path / "imagelabels.mat", matlab({"labels": np.array([[3, 1, 102, 7]], np.uint8)}, True))
    parts = {"trnid": [[2, 4]], "valid": [[1]], "tstid": [[3]]}
    write(tmp_path / "setid.mat", matlab({k: np.array(v, np.uint16) for k, v in parts.items()}, True))
    for number in range(1, 5):
        write(tmp_path / "jpg" / f"image_{number:05d}.jpg", f"i{number}")
        write(tmp_path / "segmim" / f"segmim_{number:05d}.jpg", f"s{number}")
    everything = [["i2", 0], ["i4", 6], ["i3", 101], ["i1", 2]]
    assert rows(ds.Flowers102Dataset(tmp_path, shuffle=False)) == everything
    assert rows(ds.Flowers102Dataset(tmp_path, usage="train", shuffle=False)) == everything[:2]
    found = ds.Flowers102Dataset(tmp_path, "Segmentation", "valid", shuffle=False)
    assert rows(found) == [["i1", "s1", 2]] and dtypes(found) == {"image": "u1", "segmentation": "u1", "label": "u0"}
    write(tmp_path / "setid.mat", matlab({"trnid": np.array([[5]], np.uint16)}, True))
    with pytest.raises(ds.DataFileError, match="expected pictures from 1 to 4"):
        ds.Flowers102Dataset(tmp_path, usage="train")
    with pytest.raises(ds.DataFileError, match="there are no 'valid'"):
        ds.Flowers102Dataset(tmp_path, usage="valid")


def test_caltech_101(tmp_path: Path) -> None:
    for kind, outline in (("Faces", "Faces_2"), ("ant", "ant"), ("BACKGROUND_Google", "x")):
        write(tmp_path / "101_ObjectCategories" / kind / "image_0001.jpg", kind)
        contour = np.array([[0.5, len(kind)], [1.0, 2.0]])
        write(tmp_path / "Annotations" / outline / "annotation_0001.mat", matlab({"obj_contour": contour}, False))
    assert rows(ds.Caltech101Dataset(tmp_path, shuffle=False)) == [["Faces", 0], ["ant", 1]]
    assert rows(ds.Caltech101Dataset(tmp_path, "annotation", shuffle=False))[1] == ["ant", [[0.5, 3], [1, 2]]]
    assert rows(ds.Caltech101Dataset(tmp_path, "all", shuffle=False))[0] == ["Faces", 0, [[0.5, 5], [1, 2]]]


def test_rendered_sentences(tmp_path: Path) -> None:
    for part in ("train", "test", "valid"):
        for kind in ("negative", "positive"):
            write(tmp_path / part / kind / "1.png", f"{part} {kind}")
    part = rows(ds.RenderedSST2Dataset(tmp_path, "val", shuffle=False))
    assert part == [["valid negative", 0], ["valid positive", 1]]
    everything = rows(ds.RenderedSST2Dataset(tmp_path, shuffle=False))
    assert [row[0].split()[0] for row in everything[::2]] == ["test", "train", "valid"]
    assert [row[1] for row in everything] == [0, 1] * 3


# Places and streets


def test_sun(tmp_path: Path) -> None:
    write(tmp_path / "ClassName.txt", "/a/abbey\n/a/flat/outdoor\n/b/badlands\n")
    for file in ("a/abbey/sun_b.jpg", "a/abbey/sun_a.jpg", "a/flat/outdoor/sun_c.jpg", "b/badlands/sun_d.jpg"):
        write(tmp_path / file, file[-5])
    assert rows(ds.SUN397Dataset(tmp_path, shuffle=False)) == [["a", 0], ["b", 0], ["c", 1], ["d", 2]]


def test_places(tmp_path: Path) -> None:
    write(tmp_path / "places365_val.txt", "v1.jpg 2\nv2.jpg 5\n")
    write(tmp_path / "places365_train_standard.txt", "/a/airfield/1.jpg 0\n/b/bar/2.jpg 5\n")
    write(tmp_path / "places365_train_challenge.txt", "/a/alley/1.jpg two\n")
    for folder in ("val_256", "val_large"):
        for number in (1, 2):
            write(tmp_path / folder / f"v{number}.jpg", f"{folder} {number}")
    for folder in ("data_256_standard", "data_large_standard"):
        for file in ("a/airfield/1.jpg", "b/bar/2.jpg"):
            write(tmp_path / folder / file, f"{folder} {file}")
    place = ds.Places365Dataset
    assert rows(place(tmp_path, shuffle=False))[1] == ["data_256_standard b/bar/2.jpg", 5]
    large = rows(place(tmp_path, "train-standard", False, shuffle=False))
    assert large[0] == ["data_large_standard a/airfield/1.jpg", 0]
    assert rows(place(tmp_path, "val", shuffle=False)) == [["val_256 1", 2], ["val_256 2", 5]]
    with pytest.raises(ds.DataFileError, match=r"challenge.txt:1: expected a picture and its label, got '/a/alley/1"):
        place(tmp_path, "train-challenge")


def test_lsun(tmp_path: Path) -> None:
    for folder in ("bedroom_train", "bedroom_val", "classroom_train", "tower_train", "test"):
        write(tmp_path / folder / "1.jpg", folder)
    room = ds.LSUNDataset
    assert rows(room(tmp_path, shuffle=False)) == [
        ["bedroom_train", 0], ["bedroom_val", 1], ["classroom_train", 2], ["tower_train", 3],
    ]  # fmt: skip
    two = rows(room(tmp_path, "train", ["tower", "bedroom"], shuffle=False))
    assert two == [["bedroom_train", 0], ["tower_train", 1]]
    assert rows(room(tmp_path, "valid", shuffle=False)) == [["bedroom_val", 0]]
    assert rows(room(tmp_path, "test", shuffle=False)) == [["test", 0]]
    with pytest.raises(ValueError, match="got class 'attic'"):
        room(tmp_path, "train", ["attic"])


def test_cityscapes(tmp_path: Path) -> None:
    cities = {"train": ["bochum", "aachen"], "val": ["ulm"], "test": ["bonn"], "train_extra": ["erlangen"]}
    for part, names in cities.items():
        for city in names:
            write(tmp_path / "leftImg8bit" / part / city / f"{city}_000_leftImg8bit.png", city)
            for kind in ("Fine", "Coarse"):
                for task, end in (("instanceIds", "png"), ("labelIds", "png"), ("color", "png"), ("polygons", "json")):
                    text = f'{{"of": "{city}"}}' if end == "json" else f"{kind} {task}"
                    write(tmp_path / f"gt{kind}" / part / city / f"{city}_000_gt{kind}_{task}.{end}", text)
    street = ds.CityscapesDataset
    assert rows(street(tmp_path, shuffle=False)) == [["aachen", "Fine instanceIds"], ["bochum", "Fine instanceIds"]]
    found = street(tmp_path, "all", task="polygon", shuffle=False)
    assert rows(found) == [[city, f'{{"of":"{city}"}}'] for city in ("aachen", "bochum", "bonn", "ulm")]
    assert dtypes(found) == {"image": "u1", "task": "U0"}
    assert rows(street(tmp_path, "train_extra", "coarse", "color", shuffle=False)) == [["erlangen", "Coarse color"]]
    assert rows(street(tmp_path, "all", "coarse", "semantic", shuffle=False))[3] == ["ulm", "Coarse labelIds"]
    for usage, quality in (("test", "coarse"), ("train_extra", "fine")):
        with pytest.raises(ValueError, match=f"got usage '{usage}'"):
            street(tmp_path, usage, quality)
    write(tmp_path / "gtFine/val/ulm/ulm_000_gtFine_polygons.json", "{")
    with pytest.raises(ds.DataFileError, match=r"ulm_000_gtFine_polygons.json: not JSON"):
        rows(street(tmp_path, "val", task="polygon"))


def test_kitti(tmp_path: Path) -> None:
    images, labels = tmp_path / "data_object_image_2", tmp_path / "data_object_label_2/training/label_2"
    for number in ("000001", "000000"):
        write(images / "training/image_2" / f"{number}.png", f"i{number}")
        write(images / "testing/image_2" / f"{number}.png", f"t{number}")
    write(labels / "000000.txt", "Tram 0.50 0 -0.20 712.40 143 810.73 307.92 1.89 0.48 1.20 1.84 1.47 8.41 0.01\n"
          "DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n")
    write(labels / "000001.txt", "Car 0 1 2 3 4 5 6 7 8 9 10 11 12 13\n")
    found = ds.KITTIDataset(tmp_path, shuffle=False)
    assert dtypes(found) == {
        "image": "u1", "label": "u2", "truncated": "f2", "occluded": "u2", "alpha": "f2", "bbox": "f2",
        "dimensions": "f2", "location": "f2", "rotation_y": "f2",
    }  # fmt: skip
    first, second = rows(found)
    assert first[:4] == ["i000000", [[2], [1]], [[0.5], [-1]], [[0], [2**32 - 1]]]
    assert second == ["i000001", [[0]], [[0]], [[1]], [[2]], [[3, 4, 5, 6]], [[7, 8, 9]], [[10, 11, 12]], [[13]]]
    assert rows(ds.KITTIDataset(tmp_path, "test", shuffle=False)) == [["t000000"], ["t000001"]]
    write(labels / "000001.txt", "\nCar 0 1\n")
    with pytest.raises(ds.DataFileError, match=r"000001.txt:2: expected a class and 14 numbers \(3 words\)"):
        ds.KITTIDataset(tmp_path)


def test_div2k(tmp_path: Path) -> None:
    def add(folder: str, ending: str) -> None:
        for part, numbers in (("train", (2, 1)), ("valid", (801,))):
            for n in numbers:
                write(tmp_path / f"DIV2K_{part}_{folder}" / f"{n:04d}{ending}.png", f"{folder} {n}")

    for folder, ending in (
        ("HR", ""), ("LR_bicubic/X2", "x2"), ("LR_unknown/X3", "x3"), ("LR_x8", "x8"), ("LR_mild", "x4m"),
        ("LR_wild", "x4w"),
    ):  # fmt: skip
        add(folder, ending)
    found = ds.DIV2KDataset(tmp_path, shuffle=False)
    assert rows(found) == [["HR 1", "LR_bicubic/X2 1"], ["HR 2", "LR_bicubic/X2 2"]]
    assert found.get_col_names() == ["hr_image", "lr_image"]
    for downgrade, scale, folder in (
        ("bicubic", 8, "LR_x8"), ("unknown", 3, "LR_unknown/X3"), ("mild", 4, "LR_mild"), ("wild", 4, "LR_wild")
    ):  # fmt: skip
        three = rows(ds.DIV2KDataset(tmp_path, "all", downgrade, scale, shuffle=False))
        assert three == [[f"HR {n}", f"{folder} {n}"] for n in (1, 2, 801)]
    with pytest.raises(ValueError, match="got scale 8 with 'unknown'"):
        ds.DIV2KDataset(tmp_path, "train", "unknown", 8)


# Faces


def test_lfw(tmp_path: Path) -> None:
    for funnel in ("lfw", "lfw_funneled"):
        for person, count in (("Aaron", 1), ("Bob", 3), ("Carl", 2)):
            for n in range(1, count + 1):
                write(tmp_path / funnel / person / f"{person}_{n:04d}.jpg", f"{funnel} {person} {n}")
    write(tmp_path / "lfw-names.txt", "Aaron\t1\nBob\t3\nCarl\t2\n")
    write(tmp_path / "people.txt", "2\n1\nBob\t3\n2\nAaron\t1\nCarl\t2\n")
    write(tmp_path / "peopleDevTrain.txt", "2\nBob\t3\nAaron\t1\n")
    write(tmp_path / "peopleDevTest.txt", "1\nCarl\t2\n")
    write(tmp_path / "pairsDevTrain.txt", "1\nBob\t1\t2\nAaron\t1\tBob\t1\n")
    write(tmp_path / "pairsDevTest.txt", "1\nCarl\t1\t2\nAaron\t1\tCarl\t2\n")
    write(tmp_path / "pairs.txt", "1\t1\nBob\t1\t3\nBob\t2\tCarl\t1\n")
    people = rows(ds.LFWDataset(tmp_path, shuffle=False))
    assert people == [[f"lfw_funneled {p} {n}", i] for p, n, i in (
        ("Bob", 1, 1), ("Bob", 2, 1), ("Bob", 3, 1), ("Aaron", 1, 0), ("Carl", 1, 2), ("Carl", 2, 2)
    )]  # fmt: skip
    assert rows(ds.LFWDataset(tmp_path, "people", "10fold", shuffle=False)) == people
    assert rows(ds.LFWDataset(tmp_path, "people", "test", "original", shuffle=False))[0] == ["lfw Carl 1", 2]
    pairs = rows(ds.LFWDataset(tmp_path, "pairs", shuffle=False))
    assert [row[2] for row in pairs] == [1, 0, 1, 0]
    assert pairs[3][:2] == ["lfw_funneled Aaron 1", "lfw_funneled Carl 2"]
    assert rows(ds.LFWDataset(tmp_path, "pairs", "10fold", shuffle=False))[0][1] == "lfw_funneled Bob 3"
    write(tmp_path / "pairsDevTest.txt", "1\nCarl\tfirst\n")
    with pytest.raises(ds.DataFileError, match=r"pairsDevTest.txt:2: expected people and numbers"):
        ds.LFWDataset(tmp_path, "pairs", "test")


def test_wider_face(tmp_path: Path) -> None:
    for part, files in (("train", ("0--P/a.jpg", "1--H/b.jpg")), ("val", ("0--P/c.jpg",)), ("test", ("0--P/d.jpg",))):
        for file in files:
            write(tmp_path / f"WIDER_{part}" / "images" / file, f"{part} {file}")
    lists = tmp_path / "wider_face_split"
    write(lists / "wider_face_train_bbx_gt.txt", "0--P/a.jpg\n2\n78 221 7 8 2 0 1 0 0 1 \n100 10 20 30 0 1 0 2 1 0 \n"
          "1--H/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n")
    write(lists / "wider_face_val_bbx_gt.txt", "0--P/c.jpg\n1\n1 2 3 4 0 0 0 0 0 0 \n")
    write(lists / "wider_face_test_filelist.txt", "0--P/d.jpg\n")
    found = rows(ds.WIDERFaceDataset(tmp_path, shuffle=False))
    assert found[0][:2] == ["train 0--P/a.jpg", [[78, 221, 7, 8], [100, 10, 20, 30]]]
    assert found[0][2:] == [[2, 0], [0, 1], [1, 0], [0, 2], [0, 1], [1, 0]]
    assert found[1] == ["train 1--H/b.jpg", [[0] * 4], *[[0]] * 6] and found[2][0] == "val 0--P/c.jpg"
    assert rows(ds.WIDERFaceDataset(tmp_path, "test", shuffle=False)) == [["test 0--P/d.jpg"]]
    assert dtypes(ds.WIDERFaceDataset(tmp_path, "valid"))["bbox"] == "i2"
    write(lists / "wider_face_val_bbx_gt.txt", "0--P/c.jpg\n2\n1 2 3 4 0 0 0 0 0 0 \n")
    with pytest.raises(ds.DataFileError, match="ten numbers for each"):
        ds.WIDERFaceDataset(tmp_path, "valid")


# Speech


def record(path: Path, count: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(struct.pack(f"<{count}h", *range(0, 8192 * count, 8192)))


def test_cmu_arctic(tmp_path: Path) -> None:
    for speaker in ("aew", "slt"):
        folder = tmp_path / f"cmu_us_{speaker}_arctic"
        record(folder / "wav" / "arctic_a0001.wav", 3)
        record(folder / "wav" / "arctic_b0002.wav", 2)
        lines = f'( arctic_a0001 "Author of {speaker}, etc." )\n( arctic_b0002 "Not \'this\' case." )\n'
        write(folder / "etc" / "txt.done.data", lines)
    found = ds.CMUArcticDataset(tmp_path, shuffle=False)
    assert rows(found)[0] == [[[0, 0.25, 0.5]], 24000, "Author of aew, etc.", "a0001"]
    assert rows(ds.CMUArcticDataset(tmp_path, "slt", shuffle=False))[1][2:] == ["Not 'this' case.", "b0002"]
    assert dtypes(found) == {"waveform": "f2", "sample_rate": "u0", "transcript": "U0", "utterance_id": "U0"}
    write(tmp_path / "cmu_us_slt_arctic/etc/txt.done.data", "arctic_a0001 no\n")
    with pytest.raises(ds.DataFileError, match=r"txt.done.data: expected \( arctic_a0001"):
        ds.CMUArcticDataset(tmp_path, "slt")
    with pytest.raises(ValueError, match="got name 'me'"):
        ds.CMUArcticDataset(tmp_path, "me")


def test_libri_tts(tmp_path: Path) -> None:
    for part, speaker, chapter in (("dev-clean", 116, 288), ("test-other", 9, 8)):
        folder = tmp_path / part / str(speaker) / str(chapter)
        key = f"{speaker}_{chapter}_000003_000000"
        record(folder / f"{key}.wav", 2)
        write(folder / f"{speaker}_{chapter}.trans.tsv", f"{key}\tPART One\tPart one of {part}\n")
    found = ds.LibriTTSDataset(tmp_path, shuffle=False)
    first = [[[0, 0.25]], 24000, "PART One", "Part one of dev-clean", 116, 288, "116_288_000003_000000"]
    assert rows(found)[0] == first and rows(ds.LibriTTSDataset(tmp_path, "dev-clean", shuffle=False)) == [first]
    assert len(rows(found)) == 2 and dtypes(found)["speaker_id"] == "u0"
    write(tmp_path / "dev-clean/116/288/116_288.trans.tsv", "116_288\tone\n")
    with pytest.raises(ds.DataFileError, match=r"116_288.trans.tsv:1: expected <speaker>_<chapter>_<number>"):
        ds.LibriTTSDataset(tmp_path, "dev-clean")


# Made up


def test_random_numbers_by_a_schema(tmp_path: Path) -> None:
    schema = ds.Schema()
    for name, kind, shape in (
        ("image", "uint8", [2, 2]), ("label", ms.int32, None), ("f", "float32", [300]), ("b", "bool", [200]),
        ("i8", "int8", [900]),
    ):  # fmt: skip
        schema.add_column(name, kind, shape)
    found = ds.RandomDataset(3, schema, shuffle=False)
    first, *others = rows(found)
    assert len(others) == 2 and rows(found)[0] == first != others[0]
    assert dtypes(found) == {"image": "u2", "label": "i0", "f": "f1", "b": "b1", "i8": "i1"}
    assert 0 <= min(first[2]) < 0.1 and 0.9 < max(first[2]) < 1 and set(first[3]) == {True, False}
    assert min(first[4]) < -120 and max(first[4]) > 120
    few = ds.RandomDataset(9, schema, ["f", "label"], num_samples=4)
    assert few.get_col_names() == ["f", "label"] and few.get_dataset_size() == 4
    schema.num_rows, schema.dataset_type = 7, "Random"
    write(tmp_path / "schema.json", schema.to_json())
    assert ds.RandomDataset(schema=tmp_path / "schema.json").get_dataset_size() == 7
    schema.add_column("text", "string")
    schema.add_column("open", "int32", [-1, 2])
    for options, message in (
        ({}, "expected a schema"), ({"schema": ds.Schema(), "columns_list": ["a"]}, "expected total_rows"),
        ({"schema": schema, "columns_list": ["nothing"]}, "got column 'nothing'"),
        ({"schema": schema, "columns_list": ["text"]}, "column 'text' is string"),
        ({"schema": schema, "columns_list": ["open"]}, r"column 'open' is int32 \(-1, 2\)"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=f"RandomDataset: .*{message}"):
            ds.RandomDataset(**options)


@pytest.mark.parametrize(
    "kind",
    [
        ds.CMUArcticDataset, ds.Caltech101Dataset, ds.CityscapesDataset, ds.DIV2KDataset, ds.Flowers102Dataset,
        ds.KITTIDataset, ds.LFWDataset, ds.LSUNDataset, ds.LibriTTSDataset, ds.Places365Dataset,
        ds.RenderedSST2Dataset, ds.SUN397Dataset, ds.SVHNDataset, ds.SemeionDataset, ds.USPSDataset,
        ds.WIDERFaceDataset,
    ],
)  # fmt: skip
def test_a_folder_that_is_missing(kind: Callable[..., ds.Dataset], tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        kind(tmp_path / "nowhere")
    for usage in ("usage", "task"):
        if usage in inspect.signature(kind).parameters:
            with pytest.raises(ValueError, match=f"{kind.__name__}: got {usage} 'such'"):
                kind(tmp_path, **{usage: "such"})
