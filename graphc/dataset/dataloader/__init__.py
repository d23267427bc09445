"""Batches from any object with `__getitem__` and `__len__`, or with `__iter__`: MindSpore's `dataset.dataloader`.

    from graphc.dataset.dataloader import DataLoader, Dataset

    loader = DataLoader(my_samples, batch_size=32, shuffle=True, num_workers=4)
    for image, label in loader: ...

`datasets` are what samples come from, `samplers` in which order; `collate` makes one batch of them, `loader` runs it.
"""

from graphc.dataset.dataloader.collate import default_collate, default_convert
from graphc.dataset.dataloader.datasets import Dataset, IterableDataset, TensorDataset
from graphc.dataset.dataloader.loader import DataLoader, get_worker_info
from graphc.dataset.dataloader.samplers import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
)

__all__ = [
    "BatchSampler", "DataLoader", "Dataset", "DistributedSampler", "IterableDataset", "RandomSampler", "Sampler",
    "SequentialSampler", "TensorDataset", "default_collate", "default_convert", "get_worker_info",
]  # fmt: skip
