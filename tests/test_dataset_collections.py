"""Well-known collections, from folders like theirs; what samples hold was compared with MindSpore 2.10."""

from __future__ import annotations

import gzip
import json
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc.dataset as ds
from graphc.dataset.files import read_wav


def rows(dataset: ds.Dataset) -> list[dict[str, Any]]:
    """Samples as plain values; those of several columns keep their order."""
    found = dataset.create_dict_iterator(num_epochs=1, output_numpy=True)
    return [{name: value.tolist() for name, value in row.items()} for row in found]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# Texts


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        (ds.AGNewsDataset, ["index", "title", "description"]),
        (ds.AmazonReviewDataset, ["label", "title", "content"]),
        (ds.DBpediaDataset, ["class", "title", "content"]),
        (ds.SogouNewsDataset, ["index", "title", "content"]),
        (ds.YahooAnswersDataset, ["class", "title", "content", "answer"]),
        (ds.YelpReviewDataset, ["label", "text"]),
    ],
)
def test_records(kind: Callable[..., ds.Dataset], columns: list[str], tmp_path: Path) -> None:
    record = {part: [str(i) for i in range(len(columns) - 1)] + [f'{part}, "so"'] for part in ("train", "test")}
    for part, fields in record.items():
        quoted = ",".join('"' + field.replace('"', '""') + '"' for field in fields)
        write(tmp_path / f"{part}.csv", f"{quoted}\n")
    assert rows(kind(tmp_path, "test", shuffle=False)) == [dict(zip(columns, record["test"], strict=True))]
    both = [dict(zip(columns, fields, strict=True)) for fields in record.values()]
    assert rows(kind(tmp_path, shuffle=False)) == rows(kind(tmp_path, usage="all", shuffle=False)) == both
    write(tmp_path / "test.csv", '"1"\n')
    with pytest.raises(ds.DataFileError, match=r"test.csv: record 1 has 1 fields"):
        kind(tmp_path, "test")
    with pytest.raises(ValueError, match="got usage 'dev'"):
        kind(tmp_path, "dev")
    (tmp_path / "test.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"test.csv"):
        kind(tmp_path)


def test_arguments_come_in_the_order_that_each_has(tmp_path: Path) -> None:
    for part in ("train", "test"):
        write(tmp_path / f"{part}.csv", "".join(f'"{i}","x"\n' for i in range(50)))
    shuffled = [row["label"] for row in rows(ds.YelpReviewDataset(str(tmp_path), "test", None, True))]
    assert shuffled != sorted(shuffled, key=int) and sorted(shuffled, key=int) == [str(i) for i in range(50)]
    assert len(rows(ds.YelpReviewDataset(str(tmp_path), "test", 7, False))) == 7
    assert len(rows(ds.YelpReviewDataset(str(tmp_path), "all", None, False, 4, 1))) == 25


@pytest.mark.parametrize(
    ("kind", "file"), [(ds.PennTreebankDataset, "ptb.{}.txt"), (ds.WikiTextDataset, "wiki.{}.tokens")]
)
def test_lines(kind: Callable[..., ds.Dataset], file: str, tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        write(tmp_path / file.format(part), f" {part} one \n\n \n")
    assert rows(kind(tmp_path, "valid", shuffle=False)) == [{"text": " valid one "}, {"text": " "}]
    assert [row["text"].strip() for row in rows(kind(tmp_path, shuffle=False))][::2] == [
        "train one", "valid one", "test one",
    ]  # fmt: skip


def test_wikipedia_keeps_empty_lines(tmp_path: Path) -> None:
    write(tmp_path / "enwik9", "<page>\n\nx\n")
    assert rows(ds.EnWik9Dataset(tmp_path, shuffle=False)) == [{"text": t} for t in ("<page>", "", "x")]


def test_two_languages(tmp_path: Path) -> None:
    for place in ("training/train", "validation/val", "mmt16_task1_test/test"):
        for language in ("en", "de"):
            write(tmp_path / f"{place}.{language}", f"{place} {language}\nsecond {language}\n")
    first = rows(ds.Multi30kDataset(tmp_path, "valid", shuffle=False))
    assert first[0] == {"text": "validation/val en", "translation": "validation/val de"} and len(first) == 2
    back = rows(ds.Multi30kDataset(tmp_path, language_pair=["de", "en"], shuffle=False))
    assert len(back) == 6 and back[-1] == {"text": "second de", "translation": "second en"}
    with pytest.raises(ValueError, match="language_pair"):
        ds.Multi30kDataset(tmp_path, language_pair=["en", "fr"])
    write(tmp_path / "training/train.de", "one\n")
    with pytest.raises(ds.DataFileError, match=r"has 2 lines, but .* has 1"):
        ds.Multi30kDataset(tmp_path, "train")


def test_sentiments(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", "sentence\tlabel\nhide , new\t0\ngood\t1\n")
    write(tmp_path / "test.tsv", "index\tsentence\n0\tuneasy\n")
    assert rows(ds.SST2Dataset(tmp_path, shuffle=False))[1] == {"sentence": "good", "label": "1"}
    assert rows(ds.SST2Dataset(tmp_path, "test")) == [{"sentence": "uneasy"}]
    write(tmp_path / "dev.tsv", "text\tlabel\n")
    with pytest.raises(ds.DataFileError, match="the first line names"):
        ds.SST2Dataset(tmp_path, "dev")
    with pytest.raises(ValueError, match="got usage 'all'"):
        ds.SST2Dataset(tmp_path, "all")


def test_reviews_of_films(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for kind in ("pos", "neg"):
            write(tmp_path / part / kind / "0_7.txt", f"{part} {kind}<br />")
    dataset = ds.IMDBDataset(tmp_path, shuffle=False)
    assert dataset.num_classes() == 2
    assert rows(dataset) == [
        {"text": f"{part} {kind}<br />", "label": label}
        for part in ("train", "test") for kind, label in (("pos", 1), ("neg", 0))
    ]  # fmt: skip
    sampled = ds.IMDBDataset(tmp_path, "train", sampler=ds.PKSampler(1, shuffle=False))
    assert [row["label"] for row in rows(sampled)] == [0, 1]


def test_sentences_of_words(tmp_path: Path) -> None:
    write(tmp_path / "train.txt", "He PRP B-NP\nwalks VBZ B-VP\n\nNo DT B-NP")
    write(tmp_path / "test.txt", "\n\nNo DT B-NP\n\n")
    assert rows(ds.CoNLL2000Dataset(tmp_path, "train", shuffle=False)) == [
        {"word": ["He", "walks"], "pos_tag": ["PRP", "VBZ"], "chunk_tag": ["B-NP", "B-VP"]},
        {"word": ["No"], "pos_tag": ["DT"], "chunk_tag": ["B-NP"]},
    ]
    assert len(rows(ds.CoNLL2000Dataset(tmp_path))) == 3
    for part in ("train", "dev", "test"):
        write(tmp_path / f"en-ud-tag.v2.{part}.txt", f"a b\tNOUN\t{part}\n\n")
    assert rows(ds.UDPOSDataset(tmp_path, "valid")) == [{"word": ["a b"], "universal": ["NOUN"], "stanford": ["dev"]}]
    write(tmp_path / "test.txt", "No DT\n")
    with pytest.raises(ds.DataFileError, match=r"test.txt:1 has 2 fields"):
        ds.CoNLL2000Dataset(tmp_path)


def test_questions(tmp_path: Path) -> None:
    answers = [{"text": "The cat", "answer_start": 0}, {"text": "cat", "answer_start": 4}]
    asked = [{"question": "who?", "answers": answers}, {"question": "why?", "answers": []}]
    content = {"data": [{"paragraphs": [{"context": "The cat sat", "qas": asked}]}]}
    write(tmp_path / "train-v2.0.json", json.dumps(content))
    write(tmp_path / "dev-v1.1.json", "{}")
    assert rows(ds.SQuADDataset(tmp_path, "train", shuffle=False)) == [
        {"context": "The cat sat", "question": "who?", "text": ["The cat", "cat"], "answer_start": [0, 4]},
        {"context": "The cat sat", "question": "why?", "text": [""], "answer_start": [2**32 - 1]},
    ]
    with pytest.raises(ds.DataFileError, match="not as the files of SQuAD are"):
        ds.SQuADDataset(tmp_path)


@pytest.mark.parametrize(
    ("task", "usage", "columns"),
    [
        ("AFQMC", "train", ["label", "sentence1", "sentence2"]), ("AFQMC", "test", ["id", "sentence1", "sentence2"]),
        ("TNEWS", "eval", ["keywords", "label", "label_desc", "sentence"]), ("IFLYTEK", "test", ["id", "sentence"]),
        ("CMNLI", "train", ["label", "sentence1", "sentence2"]), ("CSL", "test", ["abst", "id", "keyword"]),
        ("WSC", "train", ["idx", "label", "span1_index", "span1_text", "span2_index", "span2_text", "text"]),
    ],
)  # fmt: skip
def test_tasks_in_chinese(task: str, usage: str, columns: list[str], tmp_path: Path) -> None:
    fields = {
        "label": "1", "sentence1": "蚂蚁", "sentence2": "花呗", "sentence": "s", "id": 7, "keywords": "k",
        "label_desc": "d", "label_des": "e", "abst": "a", "keyword": ["x", "yy"], "idx": 3, "text": "t",
    }  # fmt: skip
    spans = {"span1_index": 5, "span1_text": "床", "span2_index": 37, "span2_text": "它"}
    path = tmp_path / "clue.json"
    write(path, json.dumps({**fields, "target": spans}, ensure_ascii=False) + "\n\n")
    dataset = ds.CLUEDataset(str(path), task, usage)
    assert dataset.get_col_names() == columns
    assert rows(dataset) == [{name: (fields | spans)[name] for name in columns}]
    write(path, "{}\n")
    with pytest.raises(ds.DataFileError, match=r"clue.json:1: not an object with"):
        ds.CLUEDataset(str(path), task, usage)
    with pytest.raises(ValueError, match="got task 'QA'"):
        ds.CLUEDataset(str(path), "QA")


# Letters


def idx(path: Path, values: np.ndarray, code: int = 8, zipped: bool = False) -> None:
    header = struct.pack(">I", code << 8 | values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    data = header + values.astype(">i4" if code == 12 else ">u1").tobytes()
    path.write_bytes(gzip.compress(data) if zipped else data)


def pictures(count: int, first: int = 0) -> np.ndarray:
    return np.broadcast_to(np.arange(first, first + count)[:, None, None], (count, 28, 28))


def test_letters(tmp_path: Path) -> None:
    for part, count in (("train", 3), ("test", 2)):
        idx(tmp_path / f"emnist-letters-{part}-images-idx3-ubyte", pictures(count, 7))
        idx(tmp_path / f"emnist-letters-{part}-labels-idx1-ubyte", np.arange(count), zipped=part == "test")
        (tmp_path / "emnist-letters-test-labels-idx1-ubyte.gz").unlink(missing_ok=True)
    labels = [row["label"] for row in rows(ds.EMnistDataset(tmp_path, "letters", shuffle=False))]
    assert labels == [0, 1, 2, 0, 1]
    first = next(ds.EMnistDataset(tmp_path, "letters", "test", shuffle=False).create_tuple_iterator(output_numpy=True))
    assert first[0].shape == (28, 28, 1) and first[0].dtype == np.uint8 and first[0][0, 0, 0] == 7
    assert first[1].dtype == np.uint32
    with pytest.raises(ValueError, match="got name 'words'"):
        ds.EMnistDataset(tmp_path, "words")
    with pytest.raises(FileNotFoundError, match="emnist-digits-train-images"):
        ds.EMnistDataset(tmp_path, "digits")
    for part in ("train", "t10k"):
        idx(tmp_path / f"{part}-images-idx3-ubyte", pictures(2))
        idx(tmp_path / f"{part}-labels-idx1-ubyte", np.array([4, 5]))
    assert [row["label"] for row in rows(ds.KMnistDataset(tmp_path, shuffle=False))] == [4, 5, 4, 5]


def test_digits_and_who_wrote_them(tmp_path: Path) -> None:
    for stem, count in (("qmnist-train", 2), ("qmnist-test", 3), ("xnist", 1)):
        idx(tmp_path / f"{stem}-images-idx3-ubyte", pictures(count))
        idx(tmp_path / f"{stem}-labels-idx2-int", np.arange(8 * count).reshape(count, 8) + 70_000, code=12)
    assert [row["label"] for row in rows(ds.QMnistDataset(tmp_path, "test", shuffle=False))] == [70000, 70008, 70016]
    full = rows(ds.QMnistDataset(tmp_path, "nist", compat=False))
    assert full[0]["label"] == list(range(70_000, 70_008))
    sizes = {u: ds.QMnistDataset(tmp_path, u).get_dataset_size() for u in ("all", None, "test10k", "test50k")}
    assert sizes == {"all": 6, None: 6, "test10k": 3, "test50k": 0}
    with pytest.raises(ValueError, match="got usage 'test60k'"):
        ds.QMnistDataset(tmp_path, "test60k")


# Pictures with objects


def picture(path: Path, height: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.full((height, 6, 3), height, np.uint8)).save(path)


def voc(folder: Path) -> None:
    """Three pictures, of heights 8 to 10, the last with a dog, a cat and a car."""
    for i in range(3):
        picture(folder / "JPEGImages" / f"{i}.jpg", 8 + i)
        picture(folder / "SegmentationClass" / f"{i}.png", 8 + i)
        objects = "".join(
            f"<object><name>{name}</name><truncated>{j}</truncated>{'<difficult>1</difficult>' * j}<bndbox>"
            f"<xmin>{1 + j}</xmin><ymin>2</ymin><xmax>4</xmax><ymax>6</ymax></bndbox></object>"
            for j, name in enumerate(["dog", "cat"][: i + 1] if i < 2 else ["car"])
        )
        write(folder / "Annotations" / f"{i}.xml", f"<annotation>{objects}</annotation>")
    write(folder / "ImageSets" / "Main" / "train.txt", "0  1\n1 -1\n2  1\n")
    write(folder / "ImageSets" / "Segmentation" / "val.txt", "2\n0\n")


def test_objects_of_voc(tmp_path: Path) -> None:
    voc(tmp_path)
    dataset = ds.VOCDataset(tmp_path, "Detection", shuffle=False, decode=True)
    assert dataset.get_col_names() == ["image", "bbox", "label", "difficult", "truncate"]
    assert dataset.get_class_indexing() == {"car": 0, "cat": 1, "dog": 2}
    found = list(dataset.create_dict_iterator(num_epochs=1, output_numpy=True))
    assert [row["image"].shape for row in found] == [(8, 6, 3), (9, 6, 3), (10, 6, 3)]
    assert found[1]["bbox"].tolist() == [[1, 2, 3, 4], [2, 2, 2, 4]] and found[1]["bbox"].dtype == np.float32
    assert found[1]["label"].tolist() == [[2], [1]] and found[1]["label"].dtype == np.uint32
    assert found[1]["difficult"].tolist() == found[1]["truncate"].tolist() == [[0], [1]]
    chosen = ds.VOCDataset(tmp_path, "Detection", class_indexing={"dog": 3}, shuffle=False)
    assert [row["label"] for row in rows(chosen)] == [[[3]], [[3]]] and chosen.get_class_indexing() == {"dog": 3}
    with pytest.raises(ValueError, match="no pictures with objects"):
        ds.VOCDataset(tmp_path, "Detection", class_indexing={"bird": 0})
    write(tmp_path / "Annotations" / "1.xml", "<annotation><object><bndbox/></object></annotation>")
    with pytest.raises(ds.DataFileError, match=r"1.xml: not an annotation"):
        ds.VOCDataset(tmp_path, "Detection")


def test_segments_of_voc(tmp_path: Path) -> None:
    voc(tmp_path)
    dataset = ds.VOCDataset(tmp_path, usage="val", shuffle=False, decode=True)
    found = list(dataset.create_tuple_iterator(num_epochs=1, output_numpy=True))
    assert [(image.shape, target.shape) for image, target in found] == [((10, 6, 3),) * 2, ((8, 6, 3),) * 2]
    raw = next(ds.VOCDataset(tmp_path, usage="val", shuffle=False).create_tuple_iterator(output_numpy=True))
    assert raw[0][:2].tolist() == [255, 216] and raw[1][1:4].tobytes() == b"PNG"
    with pytest.raises(FileNotFoundError, match=r"train.txt"):
        ds.VOCDataset(tmp_path)
    with pytest.raises(ValueError, match="class_indexing is for the task 'Detection'"):
        ds.VOCDataset(tmp_path, usage="val", class_indexing={"dog": 0})
    with pytest.raises(TypeError, match="class_column must be a column of labels"):
        rows(ds.VOCDataset(tmp_path, usage="val", sampler=ds.PKSampler(1, class_column="target")))


def coco(folder: Path, panoptic: bool = False) -> str:
    """Three pictures, the second of which has nothing marked in it."""
    for i in range(3):
        picture(folder / f"{i}.jpg", 8 + i)
    images = [{"id": 10 + i, "file_name": f"{i}.jpg"} for i in (2, 1, 0)]
    kinds = [{"id": 1, "name": "person", "isthing": 1}, {"id": 3, "name": "car", "isthing": 0}]
    base = {"iscrowd": 0, "num_keypoints": 1, "area": 4, "category_id": 3, "bbox": [0, 0, 2, 2.5]}
    marks = [
        {**base, "segmentation": [[1, 2, 3, 4, 5, 6], [1, 1, 2, 2]], "keypoints": [1, 2, 2], "caption": "A cat"},
        {**base, "segmentation": {"counts": [3, 4, 5]}, "iscrowd": 1, "keypoints": [0, 0, 0], "caption": "Two cats"},
        {**base, "segmentation": [[7, 8]], "category_id": 1, "keypoints": [3, 4, 1], "caption": "Dog"},
    ]
    places = (10, 10, 12)
    annotations: list[Any] = [{**m, "image_id": place} for m, place in zip(marks, places, strict=True)]
    if panoptic:
        annotations = [{"image_id": 10, "segments_info": marks[:2]}, {"image_id": 12, "segments_info": marks[2:]}]
    path = folder / f"{panoptic}.json"
    write(path, json.dumps({"images": images, "annotations": annotations, "categories": kinds}))
    return str(path)


@pytest.mark.parametrize(
    ("task", "columns"),
    [
        ("Detection", {"bbox": [[0, 0, 2, 2.5]] * 2, "category_id": [[3], [3]], "iscrowd": [[0], [1]]}),
        ("Stuff", {"segmentation": [[1, 2, 3, 4, 5, 6], [1, 1, 2, 2, -1, -1], [3, 4, 5, -1, -1, -1]],
                   "iscrowd": [[0], [1]]}),
        ("Keypoint", {"keypoints": [[1, 2, 2], [0, 0, 0]], "num_keypoints": [[1], [1]]}),
        ("Panoptic", {"bbox": [[0, 0, 2, 2.5]] * 2, "category_id": [[3], [3]], "iscrowd": [[0], [1]],
                      "area": [[4], [4]]}),
        ("Captioning", {"captions": [["A cat"], ["Two cats"]]}),
    ],
)  # fmt: skip
def test_marks_of_coco(task: str, columns: dict[str, Any], tmp_path: Path) -> None:
    dataset = ds.CocoDataset(tmp_path, coco(tmp_path, task == "Panoptic"), task, shuffle=False, decode=True)
    assert dataset.get_col_names() == ["image", *columns] and dataset.get_dataset_size() == 2
    first, second = rows(dataset)
    assert len(first.pop("image")) == 10 and len(second.pop("image")) == 8  # in the order of the file
    assert second == columns
    wanted = {"Detection": {"person": [1], "car": [3]}, "Panoptic": {"person": [1, 1], "car": [3, 0]}}
    assert dataset.get_class_indexing() == wanted.get(task, {})


def test_coco_says_what_is_wrong(tmp_path: Path) -> None:
    path = coco(tmp_path)
    with pytest.raises(ValueError, match="got task 'Stuffing'"):
        ds.CocoDataset(tmp_path, path, "Stuffing")
    with pytest.raises(ValueError, match="extra_metadata"):
        ds.CocoDataset(tmp_path, path, extra_metadata=True)
    with pytest.raises(ds.DataFileError, match=r"'Panoptic' .*segments_info"):
        ds.CocoDataset(tmp_path, path, "Panoptic")
    write(Path(path), json.dumps({"images": [], "annotations": [], "categories": []}))
    with pytest.raises(ValueError, match="marks nothing"):
        ds.CocoDataset(tmp_path, path)


def test_pictures_in_folders(tmp_path: Path) -> None:
    for folder, height in (("001.a", 5), ("002.b", 6)):
        picture(tmp_path / "caltech" / folder / "1.jpg", height)
    dataset = ds.Caltech256Dataset(tmp_path / "caltech", shuffle=False, decode=True)
    assert [(len(row["image"]), row["label"]) for row in rows(dataset)] == [(5, 0), (6, 1)]
    assert dataset.num_classes() == 2
    for number, letter in enumerate(("A/1", "A/2", "B/1")):
        picture(tmp_path / "omniglot" / "images_background" / letter / "x.png", 5 + number)
        picture(tmp_path / "omniglot" / "images_evaluation" / letter / "x.png", 9)
    letters = ds.OmniglotDataset(tmp_path / "omniglot", shuffle=False, decode=True)
    assert [(len(row["image"]), row["label"]) for row in rows(letters)] == [(5, 0), (6, 1), (7, 2)]
    assert [len(row["image"]) for row in rows(ds.OmniglotDataset(tmp_path / "omniglot", False, decode=True))] == [9] * 3
    with pytest.raises(ValueError, match="Caltech256Dataset: found no files"):
        ds.Caltech256Dataset(tmp_path)
    with pytest.raises(TypeError, match="background"):
        ds.OmniglotDataset(tmp_path / "omniglot", "yes")


def test_food(tmp_path: Path) -> None:
    for number, dish in enumerate(("pie/10", "pie/2", "beet/1")):
        picture(tmp_path / "images" / f"{dish}.jpg", 5 + number)
    write(tmp_path / "meta" / "train.txt", "pie/10\nbeet/1\n")
    write(tmp_path / "meta" / "test.txt", "pie/2\n")
    dishes = [(len(r["image"]), r["label"]) for r in rows(ds.Food101Dataset(tmp_path, shuffle=False, decode=True))]
    assert dishes == [(5, "pie"), (7, "beet"), (6, "pie")]
    assert [row["label"] for row in rows(ds.Food101Dataset(tmp_path, "test"))] == ["pie"]
    with pytest.raises(ValueError, match="got usage 'valid'"):
        ds.Food101Dataset(tmp_path, "valid")


def test_pictures_column_by_column(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 96, 96), dtype=np.uint8)
    for part, labels in (("train", [1, 10]), ("test", [3])):
        np.stack([image] * len(labels)).tofile(tmp_path / f"{part}_X.bin")
        np.array(labels, np.uint8).tofile(tmp_path / f"{part}_y.bin")
    image.tofile(tmp_path / "unlabeled_X.bin")
    wanted = {"train": [0, 9], "unlabeled": [-1], "train+unlabeled": [0, 9, -1], None: [2, 0, 9, -1]}
    for usage, labels in wanted.items():
        found = ds.STL10Dataset(tmp_path, usage, shuffle=False).create_dict_iterator(num_epochs=1, output_numpy=True)
        assert [int(row["label"]) for row in found] == labels
    first = next(ds.STL10Dataset(tmp_path, "test").create_tuple_iterator(output_numpy=True))
    np.testing.assert_array_equal(first[0], image.transpose(2, 1, 0))
    assert first[1].dtype == np.int32
    np.array([0, 1], np.uint8).tofile(tmp_path / "train_y.bin")
    with pytest.raises(ds.DataFileError, match="expected 2 labels from 1 to 10"):
        ds.STL10Dataset(tmp_path, "train")
    image[:1].tofile(tmp_path / "test_X.bin")
    with pytest.raises(ds.DataFileError, match="whole number of pictures"):
        ds.STL10Dataset(tmp_path, "test")


def test_manifest(tmp_path: Path) -> None:
    lines = []
    for i, (usage, kind) in enumerate([("train", "dog"), ("eval", "cat"), ("train", "cat")]):
        picture(tmp_path / f"{i}.png", 8 + i)
        lines.append(json.dumps({"source": str(tmp_path / f"{i}.png"), "usage": usage, "annotation": [{"name": kind}]}))
    path = tmp_path / "list.manifest"
    write(path, "\n".join(lines))
    dataset = ds.ManifestDataset(path, shuffle=False, decode=True)
    assert [(len(row["image"]), row["label"]) for row in rows(dataset)] == [(8, 1), (10, 0)]
    assert dataset.num_classes() == 2 and dataset.get_class_indexing() == {"cat": 0, "dog": 1}
    assert [row["label"] for row in rows(ds.ManifestDataset(path, class_indexing={"cat": 5}))] == [5]
    with pytest.raises(ValueError, match="lists no pictures for usage 'inference'"):
        ds.ManifestDataset(path, "inference")
    write(path, '{"usage": "train"}\n')
    with pytest.raises(ds.DataFileError, match=r"list.manifest:1: not a line"):
        ds.ManifestDataset(path)


# Speech


def sound(path: Path, values: list[int], channels: int = 1, width: int = 2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(8000)
        file.writeframes(b"".join(v.to_bytes(width, "little", signed=width > 1) for v in values))


def test_wav_files(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for width in (1, 2, 3, 4):
        most, zero = 2 ** (8 * width - 1), 128 if width == 1 else 0  # bytes have no sign in these files
        sound(path, [zero - most, zero, zero + most // 2], width=width)
        waves, rate = read_wav(path)
        assert waves.tolist() == [[-1.0, 0.0, 0.5]] and waves.dtype == np.float32 and rate == 8000
    sound(path, [1, 2, 3, 4], channels=2)
    assert (read_wav(path)[0] * 2**15).tolist() == [[1, 3], [2, 4]]
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ds.DataFileError, match="the header says"):
        read_wav(path)
    path.write_bytes(b"RIFF")
    with pytest.raises(ds.DataFileError, match="not a WAV file"):
        read_wav(path)


def test_commands(tmp_path: Path) -> None:
    for number, (word, speaker) in enumerate([("cat", "b4"), ("cat", "a3"), ("dog", "b4"), ("_noise_", "x")]):
        sound(tmp_path / word / f"{speaker}_nohash_{number}.wav", [number])
    write(tmp_path / "testing_list.txt", "cat/b4_nohash_0.wav\n")
    write(tmp_path / "validation_list.txt", "dog/b4_nohash_2.wav\n")
    parts = {u: rows(ds.SpeechCommandsDataset(tmp_path, u, shuffle=False)) for u in ("train", "test", "valid", None)}
    assert parts["train"] == [
        {"waveform": [[2.0**-15]], "sample_rate": 8000, "label": "cat", "speaker_id": "a3", "utterance_number": 1}
    ]
    assert [row["utterance_number"] for row in parts[None]] == [1, 0, 2]
    assert [row["label"] for row in (*parts["test"], *parts["valid"])] == ["cat", "dog"]
    sound(tmp_path / "cat" / "cat.wav", [1])
    with pytest.raises(ds.DataFileError, match="is not called"):
        ds.SpeechCommandsDataset(tmp_path)


def test_sentences_read_aloud(tmp_path: Path) -> None:
    write(tmp_path / "metadata.csv", 'LJ1|in 1, "x"|in one\n')
    sound(tmp_path / "wavs" / "LJ1.wav", [0, 2**14])
    assert rows(ds.LJSpeechDataset(tmp_path)) == [{
        "waveform": [[0.0, 0.5]], "sample_rate": 8000, "transcription": 'in 1, "x"',
        "normalized_transcription": "in one",
    }]  # fmt: skip
    write(tmp_path / "metadata.csv", "LJ1|in 1\n")
    with pytest.raises(ds.DataFileError, match=r"metadata.csv:1 has 2 fields"):
        ds.LJSpeechDataset(tmp_path)


def test_yes_and_no(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="found no files"):
        ds.YesNoDataset(tmp_path)
    sound(tmp_path / "1_0_0_0_1_1_0_0.wav", [1])
    sound(tmp_path / "0_0_0_0_1_1_0_0.wav", [2])
    found = rows(ds.YesNoDataset(tmp_path, shuffle=False))
    assert [row["label"] for row in found] == [[0, 0, 0, 0, 1, 1, 0, 0], [1, 0, 0, 0, 1, 1, 0, 0]]
    sound(tmp_path / "yes.wav", [1])
    with pytest.raises(ds.DataFileError, match="not named by eight words"):
        ds.YesNoDataset(tmp_path)
