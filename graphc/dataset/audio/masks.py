"""Operations that blank a range of frequencies or of times of spectrograms [..., freq, time] (Park et al. 2019)."""

import numpy as np

from graphc.dataset.audio.waves import WaveTransform, check_flag, check_number
from graphc.dataset.check import check_int
from graphc.dataset.rng import Rng

__all__ = ["FrequencyMasking", "MaskAlongAxis", "MaskAlongAxisIID", "TimeMasking"]


def _blank(waves: np.ndarray, axis: int, first: np.ndarray, end: np.ndarray, value: float) -> np.ndarray:
    """The spectrograms with a value in the places from `first` to before `end` along axis -2 or -1."""
    places = np.arange(waves.shape[axis])
    places = places[:, None] if axis == -2 else places[None]
    inside = (places >= first[..., None, None]) & (places < end[..., None, None])
    return np.where(inside, waves.dtype.type(value), waves)


def _axis(name: str, axis: int) -> int:
    return check_int(f"{name}: axis", axis, 1, 2) - 3


class MaskAlongAxis(WaveTransform):
    """Blanks a range.

    Args:
        mask_start: where it begins.
        mask_width: how long it is.
        mask_value: what is put there.
        axis: 1 for frequencies, 2 for times.
    """

    rank = 2

    def __init__(self, mask_start: int, mask_width: int, mask_value: float, axis: int) -> None:
        name = "MaskAlongAxis"
        self._start = check_int(f"{name}: mask_start", mask_start, 0)
        self._width = check_int(f"{name}: mask_width", mask_width, 1)
        self._value, self._along = check_number(f"{name}: mask_value", mask_value), _axis(name, axis)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return _fixed(type(self).__name__, waves, self._along, self._start, self._width, self._value)


def _fixed(name: str, waves: np.ndarray, axis: int, start: int, width: int, value: float) -> np.ndarray:
    if start + width > waves.shape[axis]:
        raise ValueError(f"{name}: {width} from {start} on reach beyond the {waves.shape[axis]} that there are")
    return _blank(waves, axis, np.array(start), np.array(start + width), value)


class MaskAlongAxisIID(WaveTransform):
    """Blanks a random range, another one of each spectrogram of a sample.

    Args:
        mask_param: how long it is at most.
        mask_value: what is put there.
        axis: 1 for frequencies, 2 for times.
    """

    rank = 2

    def __init__(self, mask_param: int, mask_value: float, axis: int) -> None:
        name = "MaskAlongAxisIID"
        self._most = check_int(f"{name}: mask_param", mask_param, 0)
        self._value, self._along = check_number(f"{name}: mask_value", mask_value), _axis(name, axis)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        return _random(type(self).__name__, rng, waves, self._along, self._most, self._value)


def _random(name: str, rng: Rng, waves: np.ndarray, axis: int, most: int, value: float) -> np.ndarray:
    size = waves.shape[axis]
    if most > size:
        raise ValueError(f"{name}: up to {most} are to be blanked, there are {size}")
    each = waves.shape[:-2]
    draws = _draws(rng, each)
    width = draws[0] * most
    first = draws[1] * (size - width)
    return _blank(waves, axis, first.astype(int), first.astype(int) + width.astype(int), value)


def _draws(rng: Rng, each: tuple[int, ...]) -> np.ndarray:
    """Two numbers in [0, 1) for each spectrogram of each sample."""
    count = int(np.prod(each[1:]))
    return np.moveaxis(rng.uniform(size=2 * count).reshape(each[0], 2, *each[1:]), 1, 0)


class _Masking(WaveTransform):
    rank = 2
    axis = -1

    def __init__(self, name: str, iid_masks: bool, most: int, mask_start: int, mask_value: float) -> None:
        self._iid = check_flag(f"{type(self).__name__}: iid_masks", iid_masks)
        self._most = check_int(f"{type(self).__name__}: {name}", most, 0)
        self._start = check_int(f"{type(self).__name__}: mask_start", mask_start, 0)
        self._value = check_number(f"{type(self).__name__}: mask_value", mask_value)

    def waves(self, rng: Rng, waves: np.ndarray) -> np.ndarray:
        if self._iid:
            return _random(type(self).__name__, rng, waves, self.axis, self._most, self._value)
        return _fixed(type(self).__name__, waves, self.axis, self._start, self._most, self._value)


class FrequencyMasking(_Masking):
    """Blanks a range of frequencies.

    Args:
        iid_masks: a random range, another one of each spectrogram of a sample.
        freq_mask_param: how long it is; of random ones at most.
        mask_start: where it begins, if it is not random.
        mask_value: what is put there.
    """

    axis = -2

    def __init__(
        self, iid_masks: bool = False, freq_mask_param: int = 0, mask_start: int = 0, mask_value: float = 0.0
    ) -> None:
        super().__init__("freq_mask_param", iid_masks, freq_mask_param, mask_start, mask_value)


class TimeMasking(_Masking):
    """Blanks a range of times: arguments as of `FrequencyMasking`."""

    def __init__(
        self, iid_masks: bool = False, time_mask_param: int = 0, mask_start: int = 0, mask_value: float = 0.0
    ) -> None:
        super().__init__("time_mask_param", iid_masks, time_mask_param, mask_start, mask_value)
