"""CelebA, and images made up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc.dataset as ds


def celeba(folder: Path, images: int = 6) -> str:
    """A folder like CelebA's; image i has the pixels i, and the first two attributes are its bits."""
    pillow = pytest.importorskip("PIL.Image")
    lines = []
    for i in range(images):
        pillow.fromarray(np.full((4, 3, 3), i, np.uint8)).save(folder / f"{i}.png")
        lines.append(f"{i}.png  {' '.join(' 1' if i >> k & 1 else '-1' for k in range(3))}")
    (folder / "list_attr_celeba.txt").write_text("\n".join([str(images), "a b c ", *lines, ""]))
    (folder / "list_eval_partition.txt").write_text("".join(f"{i}.png {i % 3}\n" for i in range(images)))
    return str(folder)


def rows(dataset: ds.Dataset) -> list[dict[str, np.ndarray]]:
    return list(dataset.create_dict_iterator(num_epochs=1, output_numpy=True))


def test_faces_and_their_attributes(tmp_path: Path) -> None:
    path = celeba(tmp_path)
    found = rows(ds.CelebADataset(path, shuffle=False, decode=True))
    assert [row["image"][0, 0, 0] for row in found] == [0, 1, 2, 3, 4, 5] and found[0]["image"].shape == (4, 3, 3)
    assert [row["attr"].tolist() for row in found[:3]] == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert found[0]["attr"].dtype == np.uint32
    parts = [
        [int(row["image"][0, 0, 0]) for row in rows(ds.CelebADataset(path, usage=usage, shuffle=False, decode=True))]
        for usage in ("train", "valid", "test")
    ]
    assert parts == [[0, 3], [1, 4], [2, 5]]
    assert rows(ds.CelebADataset(path, shuffle=False, num_samples=1))[0]["image"].tobytes()[1:4] == b"PNG"
    batch = next(ds.CelebADataset(path, decode=True).batch(6).create_tuple_iterator(output_numpy=True))
    assert batch[1].shape == (6, 3)


def test_lists_that_are_not_as_they_should_be(tmp_path: Path) -> None:
    path = celeba(tmp_path)
    with pytest.raises(ValueError, match="usage 'dev'"):
        ds.CelebADataset(path, usage="dev")
    with pytest.raises(ValueError, match="no images"):
        ds.CelebADataset(path, extensions=[".jpg"])
    attributes = tmp_path / "list_attr_celeba.txt"
    text = attributes.read_text()
    for old, new, message in (("6\n", "7\n", "says '7', there are 6"), ("-1", "2", ":3:")):
        attributes.write_text(text.replace(old, new, 1))
        with pytest.raises(ds.DataFileError, match=message):
            ds.CelebADataset(path)


def test_images_made_up() -> None:
    data = ds.FakeImageDataset(20, (4, 5, 3), 7, 3, shuffle=False)
    first, again = rows(data), rows(data)
    assert len(first) == 20 and first[0]["image"].shape == (4, 5, 3) and first[0]["image"].dtype == np.uint8
    assert all((a["image"] == b["image"]).all() and a["label"] == b["label"] for a, b in zip(first, again, strict=True))
    assert len({row["image"].tobytes() for row in first}) == 20
    labels = [int(row["label"]) for row in first]
    assert max(labels) < 7 and len(set(labels)) > 3 and first[0]["label"].dtype == np.uint32
    later = rows(ds.FakeImageDataset(2, (4, 5, 3), 7, 4, shuffle=False))
    np.testing.assert_array_equal(later[0]["image"], first[1]["image"])
    assert ds.FakeImageDataset().get_dataset_size() == 1000


@pytest.mark.parametrize(
    "arguments", [{"num_images": 0}, {"image_size": (2, 2)}, {"num_classes": 0}, {"base_seed": -1}]
)  # fmt: skip
def test_wrong_images(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"FakeImageDataset: .*{next(iter(arguments))}"):
        ds.FakeImageDataset(**arguments)
