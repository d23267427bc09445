"""`graphc.dataset.audio`: what MindSpore 2.10 makes of the same waveforms, and the rest by its rules."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.dataset as ds
from graphc.dataset import audio as A

X = (0.8 * np.sin(np.arange(800.0) ** 1.3)).reshape(2, 400).astype(np.float32)
SP = np.abs(np.cos(np.arange(216.0) ** 1.2)).reshape(2, 9, 12).astype(np.float32)
CX = (2 * np.sin(np.arange(432.0) ** 1.4)).reshape(2, 9, 12, 2).astype(np.float32)
ADVANCE = np.linspace(0, np.pi * 4, 9)[:, None]
STFT: dict[str, Any] = {"n_fft": 64, "win_length": 64, "hop_length": 32}
MEL: dict[str, Any] = {"n_mels": 10, "f_min": 0.0, "f_max": 2000.0}

# shape and three values of what MindSpore returns: at a seventh, after a half, and at the end
MINDSPORE: list[tuple[str, tuple[int, ...], list[float]]] = [
    ("A.AllpassBiquad(4000, 1000.0)(X)", (2, 400), [0.610854, 0.0830349, 0.769013]),
    ("A.AllpassBiquad(4000, 300.0, 0.3)(X)", (2, 400), [-0.789701, -0.492263, 0.731136]),
    ("A.BandBiquad(4000, 1000.0)(X)", (2, 400), [0.464548, 0.431678, 0.519426]),
    ("A.BandBiquad(4000, 1000.0, 0.5, True)(X)", (2, 400), [0.553994, 0.483717, 0.626678]),
    ("A.BandpassBiquad(4000, 1000.0)(X)", (2, 400), [-0.0189338, 0.200567, -0.0544736]),
    ("A.BandpassBiquad(4000, 1000.0, 0.5, True)(X)", (2, 400), [0.0448883, 0.121042, -0.03276]),
    ("A.BandrejectBiquad(4000, 1000.0)(X)", (2, 400), [0.591921, 0.283602, 0.714539]),
    ("A.BassBiquad(4000, 10.0)(X)", (2, 400), [0.646965, 0.603609, 0.656669]),
    ("A.BassBiquad(4000, -5.0, 200.0, 0.4)(X)", (2, 400), [0.424755, 0.357874, 0.665658]),
    ("A.TrebleBiquad(44100, 10.0)(X)", (2, 400), [0.882981, 0.740033, 1]),
    ("A.TrebleBiquad(44100, -6.0, 2000, 0.5)(X)", (2, 400), [0.354315, 0.317829, 0.328267]),
    ("A.Biquad(0.1, 0.2, 0.3, 1.5, 0.2, -0.1)(X)", (2, 400), [0.206443, 0.111927, 0.127857]),
    ("A.DeemphBiquad(44100)(X)", (2, 400), [0.404115, 0.351495, 0.214001]),
    ("A.DeemphBiquad(48000)(X)", (2, 400), [0.386481, 0.339513, 0.210893]),
    ("A.EqualizerBiquad(44100, 1500, 5.5)(X)", (2, 400), [0.712897, 0.624496, 0.655088]),
    ("A.EqualizerBiquad(44100, 1500, -5.5, 0.3)(X)", (2, 400), [0.302152, 0.280895, 0.67097]),
    ("A.HighpassBiquad(44100, 1500)(X)", (2, 400), [0.367539, 0.250928, 0.667844]),
    ("A.LowpassBiquad(4000, 1500, 0.7)(X)", (2, 400), [0.708882, 0.65947, -0.0575315]),
    ("A.RiaaBiquad(44100)(X)", (2, 400), [0.278356, 0.264405, 0.0653024]),
    ("A.LFilter([1.0, 0.2, 0.3], [0.5, 0.2, 0.1])(X)", (2, 400), [0.325854, 0.306089, 0.227203]),
    ("A.LFilter([2.0, 0.2, 0.3, 0.1], [0.5, 0.2, 0.1, 0.7], False)(X)", (2, 400), [0.161103, 0.169045, -0.150685]),
    ("A.Filtfilt([1.0, 0.2, 0.3], [0.5, 0.2, 0.1])(X)", (2, 400), [0.185068, 0.15349, 0.113602]),
    ("A.Filtfilt([1.0, 0.2, 0.3], [0.5, 0.2, 0.1], False)(X)", (2, 400), [0.185068, 0.15349, 0.113602]),
    ("A.AmplitudeToDB()(SP)", (2, 9, 12), [-0.476119, -3.00286, -3.2718]),
    ("A.AmplitudeToDB(A.ScaleType.MAGNITUDE, 2.0, 1e-3, 20.0)(SP)", (2, 9, 12), [-6.97284, -12.0263, -12.5642]),
    ("A.AmplitudeToDB(top_db=5.0)(SP)", (2, 9, 12), [-0.476119, -3.00286, -3.2718]),
    ("A.DBToAmplitude(2.0, 0.5)(SP)", (2, 9, 12), [2.21737, 2.11872, 2.11139]),
    ("A.DBToAmplitude(1.0, 1.0)(SP)", (2, 9, 12), [1.22918, 1.12224, 1.1145]),
    ("A.Contrast()(X)", (2, 400), [0.755081, 0.696467, 0.814794]),
    ("A.Contrast(20.0)(X)", (2, 400), [0.775963, 0.691223, 0.849115]),
    ("A.DCShift(0.5, 0.02)(X)", (2, 400), [0.52, 0.98417, 0.52]),
    ("A.DCShift(0.3)(X)", (2, 400), [0.872987, 0.78417, 0.960066]),
    ("A.Fade(10, 20)(X)", (2, 400), [0.572987, 0.0537966, 0]),
    ("A.Fade(10, 20, A.FadeShape.HALF_SINE)(X)", (2, 400), [0.572987, 0.0145995, 0]),
    ("A.Fade(10, 20, A.FadeShape.QUARTER_SINE)(X)", (2, 400), [0.572987, 0.0840752, 8.08348e-17]),
    ("A.Fade(10, 20, A.FadeShape.LOGARITHMIC)(X)", (2, 400), [0.572987, 0.157118, 2.93128e-16]),
    ("A.Fade(10, 20, A.FadeShape.EXPONENTIAL)(X)", (2, 400), [0.572987, 0.0290518, 0]),
    ("A.Gain(5.0)(X)", (2, 400), [1.01893, 0.860989, 1.17378]),
    ("A.Vol(0.4)(X)", (2, 400), [0.229195, 0.193668, 0.264026]),
    ("A.Vol(0.4, A.GainType.POWER)(X)", (2, 400), [0.362389, 0.306216, 0.417462]),
    ("A.Vol(3.0, A.GainType.DB)(X)", (2, 400), [0.809365, 0.683908, 0.932368]),
    ("A.MuLawEncoding()(X)", (2, 400), [242, 238, 245]),
    ("A.MuLawDecoding()(A.MuLawEncoding()(X))", (2, 400), [0.566445, 0.475371, 0.645936]),
    ("A.MuLawDecoding(16)(np.arange(16))", (16,), [-0.442582, 0.0494068, 1]),
    ("A.Overdrive()(X)", (2, 400), [0.773505, 0.739585, 0.827033]),
    ("A.Overdrive(40.0, 70.0)(X)", (2, 400), [0.77949, 0.739585, 0.828332]),
    ("A.Phaser(44100)(X)", (2, 400), [0.268822, 0.219095, 0.133763]),
    ("A.Phaser(4000, 0.5, 0.8, 2.0, 0.3, 1.0, False)(X)", (2, 400), [0.331966, 0.270473, 0.394172]),
    ("A.Flanger(44100)(X)", (2, 400), [0.573119, 0.28314, 0.228364]),
    ("A.Flanger(4000, 2.0, 3.0, 20.0, 50.0, 1.0, 30.0, A.Modulation.TRIANGULAR, A.Interpolation.QUADRATIC)(X)",
     (2, 400), [0.46885, 0.32278, 0.287549]),
    ("A.Flanger(4000, 1.0, 5.0, -20.0)(X)", (2, 400), [0.0893267, 0.28314, 0.604796]),
    ("A.Spectrogram(32)(X)", (2, 17, 26), [0.0470209, 2.49144e-05, 83.6184]),
    ("A.Spectrogram(32, 20, 7)(X)", (2, 17, 58), [1.09811, 0.00848061, 52.0596]),
    ("A.Spectrogram(32, power=1.0, normalized=True)(X)", (2, 17, 26), [0.0625972, 0.0014409, 2.63973]),
    ("A.Spectrogram(33, onesided=False)(X)", (2, 33, 25), [4.06505e-05, 6.74624e-07, 2.37143e-06]),
    ("A.Spectrogram(32, power=0, pad=5)(X)", (2, 17, 26, 2), [-0.0363338, 0, 1.22557e-14]),
    ("A.Spectrogram(32, center=False)(X)", (2, 17, 24), [0.155119, 2.23148e-06, 31.5736]),
    ("A.Spectrogram(32, window=A.WindowType.KAISER)(X)", (2, 17, 26), [0.153354, 4.6706e-10, 58.6653]),
    ("A.Spectrogram(32, window=A.WindowType.BARTLETT)(X)", (2, 17, 26), [0.0191633, 0.00122091, 65.7026]),
    ("A.Spectrogram(32, window=A.WindowType.BLACKMAN)(X)", (2, 17, 26), [0.0273058, 2.70436e-06, 70.2952]),
    ("A.Spectrogram(32, window=A.WindowType.HAMMING)(X)", (2, 17, 26), [0.00437199, 0.00614718, 80.9116]),
    ("A.Spectrogram(32, pad_mode=A.BorderType.EDGE)(X)", (2, 17, 26), [0.0470209, 2.49144e-05, 18.4298]),
    ("A.Spectrogram(32, pad_mode=A.BorderType.SYMMETRIC)(X)", (2, 17, 26), [0.0470209, 2.49144e-05, 0.110941]),
    ("A.InverseSpectrogram(n_fft=16)(CX)", (2, 88), [0.759592, -0.21764, 1.04327]),
    ("A.InverseSpectrogram(30, n_fft=16, hop_length=4)(CX)", (2, 30), [0.309308, -0.086388, 0.928748]),
    ("A.InverseSpectrogram(n_fft=16, hop_length=4, normalized=True)(CX)", (2, 44), [1.70736, -0.211606, 0.974651]),
    ("A.MelScale(4, 4000, n_stft=9)(SP)", (2, 4, 12), [1.23614, 0.0180903, 1.92117]),
    ("A.MelScale(4, 4000, 50.0, 1800.0, 9, A.NormType.SLANEY, A.MelType.SLANEY)(SP)",
     (2, 4, 12), [0.00303802, 0.000481481, 0.00329405]),
    ("A.MelSpectrogram(4000, 64, n_mels=10)(X)", (2, 10, 13), [0.000333696, 2.57728e-07, 84.2514]),
    ("A.MelSpectrogram(4000, 64, 32, 16, 20.0, 1500.0, 2, 8, power=1.0, norm=A.NormType.SLANEY)(X)",
     (2, 8, 26), [0.0128546, 0.000122515, 0.0161882]),
    ("A.MFCC(4000, 5, melkwargs={**STFT, **MEL})(X)", (2, 5, 13), [95.1094, -76.8434, 9.69428]),
    ("A.MFCC(4000, 5, 2, A.NormMode.NONE, True, {**STFT, **MEL})(X)", (2, 5, 13), [98.0635, -112.623, 9.98297]),
    ("A.LFCC(4000, 10, 5, speckwargs=STFT)(X)", (2, 5, 13), [89.9162, -64.4023, 7.95717]),
    ("A.LFCC(4000, 10, 5, 100.0, 1500.0, 2, A.NormMode.NONE, True, STFT)(X)",
     (2, 5, 13), [88.5295, -77.8188, 1.00887]),
    ("A.SpectralCentroid(4000, 32)(X)", (2, 1, 26), [595.831, 1051.79, 1847.32]),
    ("A.Angle()(CX)", (2, 9, 12), [0.97739, -1.67067, 2.43988]),
    ("A.ComplexNorm()(CX)", (2, 9, 12), [2.39888, 1.03779, 1.74186]),
    ("A.ComplexNorm(2.0)(CX)", (2, 9, 12), [5.75461, 1.07701, 3.03408]),
    ("A.PhaseVocoder(1.3, ADVANCE.astype(np.float32))(CX)", (2, 9, 10, 2), [1.83223, 0.889961, 0.346669]),
    ("A.PhaseVocoder(0.7, ADVANCE)(CX.astype(np.float64))", (2, 9, 18, 2), [-0.256537, 0.889961, 0.161338]),
    ("A.TimeStretch(4, 9, 1.5)(CX)", (2, 9, 8, 2), [-1.7774, 0.889961, 1.43528]),
    ("A.TimeStretch(4, 9, 0.6)(CX)", (2, 9, 20, 2), [1.77379, 0.889961, -1.03616]),
    ("A.ComputeDeltas()(SP)", (2, 9, 12), [-0.0702181, -0.0509665, -0.12279]),
    ("A.ComputeDeltas(7, A.BorderType.REFLECT)(SP)", (2, 9, 12), [0.034425, -0.0261439, 8.51495e-09]),
    ("A.SlidingWindowCmn()(SP)", (2, 9, 12), [0.265182, -0.144763, -0.171319]),
    ("A.SlidingWindowCmn(5, 2)(SP)", (2, 9, 12), [0.113615, 0.240792, -0.316271]),
    ("A.SlidingWindowCmn(5, 2, True, True)(SP)", (2, 9, 12), [1.29552, 0.288106, -1.8218]),
    ("A.SlidingWindowCmn(5, 3, False, True)(SP)", (2, 9, 12), [1.22096, 1.2295, -1.67524]),
    ("A.GriffinLim(16, 4, rand_init=False)(SP)", (2, 88), [-0.343977, -0.239107, 0.821264]),
    ("A.GriffinLim(16, 4, hop_length=4, momentum=0.0, power=1.0, rand_init=False)(SP)",
     (2, 44), [-0.401067, 0.278909, 0.290654]),
    ("A.Resample(4000, 3000)(X)", (2, 300), [0.78884, 0.113095, 0.0540855]),
    ("A.Resample(3000, 4000, A.ResampleMethod.KAISER_WINDOW)(X)", (2, 534), [0.572986, 0.664288, 0.254294]),
    ("A.Resample(16000, 8000, lowpass_filter_width=10, rolloff=0.8)(X)", (2, 200), [0.584255, -0.0707814, 0.0576955]),
    ("A.Resample(4000, 8000, A.ResampleMethod.KAISER_WINDOW, beta=6.0)(X)", (2, 800), [0.573029, 0.764457, 0.645299]),
    ("A.FrequencyMasking(False, 3, 2, 0.5)(SP)", (2, 9, 12), [0.5, 0.500857, 0.470782]),
    ("A.TimeMasking(False, 3, 2, 0.5)(SP)", (2, 9, 12), [0.896165, 0.500857, 0.470782]),
    ("A.MaskAlongAxis(1, 3, 0.5, 1)(SP)", (2, 9, 12), [0.5, 0.500857, 0.470782]),
    ("A.MaskAlongAxis(1, 3, 0.5, 2)(SP)", (2, 9, 12), [0.896165, 0.5, 0.470782]),
    ("A.create_dct(5, 10)", (10, 5), [1.17557, -0.312869, 1.61803]),
    ("A.create_dct(5, 10, A.NormMode.ORTHO)", (10, 5), [0.262866, -0.0699596, 0.361803]),
    ("A.linear_fbanks(9, 100.0, 1800.0, 5, 4000)", (9, 5), [0, 0.176471, 0]),
    ("A.melscale_fbanks(17, 10, 2000, 5, 4000)", (17, 5), [0, 0.91369, 0]),
    ("A.melscale_fbanks(17, 10, 2000, 5, 4000, A.NormType.SLANEY, A.MelType.SLANEY)", (17, 5), [0, 0.00166489, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "shape", "values"), MINDSPORE, ids=[row[0] for row in MINDSPORE])
def test_as_mindspore(expression: str, shape: tuple[int, ...], values: list[float]) -> None:
    found = eval(expression)
    assert found.shape == shape
    assert found.dtype == (
        np.float64 if "float64" in expression else np.int32 if expression == "A.MuLawEncoding()(X)" else np.float32
    )
    flat = found.ravel()
    places = [flat[len(flat) // 7], flat[len(flat) // 2 + 1], flat[-1]]
    np.testing.assert_allclose(places, values, rtol=1e-4, atol=2e-5 * np.abs(flat).max())


OPERATIONS = [
    A.LowpassBiquad(4000, 500.0), A.Filtfilt([1.0, 0.2], [0.5, 0.1]), A.Contrast(), A.DCShift(-0.5, 0.02), A.Fade(3, 4),
    A.MuLawEncoding(), A.Overdrive(), A.Phaser(4000), A.Spectrogram(32), A.Resample(4000, 3000),
    A.MFCC(4000, 4, log_mels=True, melkwargs={**STFT, **MEL}), A.DetectPitchFrequency(4000),
    A.PitchShift(4000, 2, n_fft=128), A.SpectralCentroid(4000, 32),
]  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: type(operation).__name__)
def test_waveforms_together_and_alone(operation: Any) -> None:
    data = ds.NumpySlicesDataset(X.reshape(4, 200), ["wave"], shuffle=False).map(operation, "wave")
    together = np.stack([row for (row,) in data.create_tuple_iterator(num_epochs=1, output_numpy=True)])
    alone = np.stack([operation(wave) for wave in X.reshape(4, 200)])
    np.testing.assert_array_equal(together, alone)
    channels = operation(X.reshape(2, 2, 200))
    np.testing.assert_allclose(channels.reshape(alone.shape), alone, rtol=1e-5, atol=1e-6)
    wide = operation(X[0].astype(np.float64))
    narrow = isinstance(operation, (A.MFCC, A.DetectPitchFrequency))
    assert wide.dtype == (
        np.int32 if isinstance(operation, A.MuLawEncoding) else np.float32 if narrow else np.float64
    )  # fmt: skip


def test_sizes_and_angles_are_two_columns() -> None:
    size, angle = A.Magphase(2.0)(CX)
    np.testing.assert_allclose(size, (CX**2).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(angle, A.Angle()(CX))
    data = ds.NumpySlicesDataset(CX, ["wave"], shuffle=False).map(A.Magphase(), "wave", ["size", "angle"])
    rows = list(data.create_dict_iterator(num_epochs=1, output_numpy=True))
    np.testing.assert_array_equal(rows[1]["angle"], angle[1])


def test_waveforms_come_back() -> None:
    spectrum = A.Spectrogram(32, hop_length=8, power=0.0)(X)
    np.testing.assert_allclose(A.InverseSpectrogram(400, 32, hop_length=8)(spectrum), X, atol=2e-7)
    heard = A.Spectrogram(64, hop_length=16)(X)

    def error(turns: int) -> float:
        rebuilt = A.GriffinLim(64, turns, hop_length=16, length=400)(heard)
        return float(np.abs(np.sqrt(A.Spectrogram(64, hop_length=16)(rebuilt)) - np.sqrt(heard)).mean())

    assert error(50) < 0.5 * error(1)
    np.testing.assert_allclose(A.MuLawDecoding()(A.MuLawEncoding()(X)), X, atol=0.02)


def test_short_waveforms_and_few_frequencies() -> None:
    wave = (0.8 * np.sin(np.arange(20.0) ** 1.3)).astype(np.float32)  # reflected several times, as in MindSpore
    found = A.Spectrogram(64, power=1.0)(wave).ravel()[[0, 3, 20, 31]]
    np.testing.assert_allclose(found, [1.3136544, 1.3407314, 4.65725, 1.6291893], rtol=1e-5)
    found = A.TimeStretch(4, 20, 1.5)(CX).ravel()[[3, 30, 77, 100]]  # the first 9 of 20
    np.testing.assert_allclose(found, [-1.571762, 2.095078, 2.0371604, -2.4835484], rtol=1e-5)


def test_pitches() -> None:
    t = np.arange(8000) / 8000
    tone = np.sin(2 * np.pi * 200 * t).astype(np.float32)

    def highest(wave: np.ndarray) -> float:
        return float(np.argmax(np.abs(np.fft.rfft(wave * np.hanning(len(wave))))) * 8000 / len(wave))

    higher = A.PitchShift(8000, 12)(tone)
    assert higher.shape == tone.shape and abs(highest(higher[1000:7000]) - 400) < 5
    half = A.Resample(8000, 4000)(tone)
    np.testing.assert_allclose(half[100:-100], tone[::2][100:-100], atol=5e-4)
    np.testing.assert_allclose(A.DetectPitchFrequency(8000)(tone)[:-10], 200, rtol=1e-6)


def test_levels_that_shift() -> None:
    wave = np.array([-0.9, -0.6, 0.2, 0.5], np.float32)
    np.testing.assert_allclose(A.DCShift(-0.5)(wave), [-1, -1, -0.3, 0], atol=1e-6)
    limited = A.DCShift(-0.5, 0.02)(wave)  # what lies below -0.52 stays at or above that
    np.testing.assert_allclose(limited, [-0.52, -0.52, -0.3, 0], atol=1e-6)


@pytest.mark.parametrize("density", [*A.DensityFunction])
@pytest.mark.parametrize("shaping", [False, True])
def test_dither(density: Any, shaping: bool) -> None:
    found = A.Dither(density, shaping)(X)
    assert found.dtype == np.float32 and 0 < np.abs(found - X).max() < 1e-3
    if not shaping:
        np.testing.assert_array_equal(found * 2**15, np.round(found * 2**15))


def test_random_masks() -> None:
    full = np.ones((40, 3, 20, 30), np.float32)
    data = ds.NumpySlicesDataset(full, ["s"], shuffle=False).map(A.TimeMasking(True, 10), "s")
    rows = np.stack([row for (row,) in data.create_tuple_iterator(num_epochs=1, output_numpy=True)])
    blank = rows == 0
    assert (blank == blank[:, :, :1]).all()  # all frequencies of a time
    widths = blank[:, :, 0].sum(-1)
    assert widths.max() <= 9 and len(np.unique(widths)) == 10
    assert (np.diff(blank[:, :, 0].astype(int)) == 1).sum(-1).max() == 1  # one range each
    ds.config.set_seed(1)
    first = A.MaskAlongAxisIID(5, 0.5, 1)(full[0])
    ds.config.set_seed(1)
    np.testing.assert_array_equal(A.MaskAlongAxisIID(5, 0.5, 1)(full[0]), first)
    assert set(np.unique(first)) <= {0.5, 1.0} and ((first == 0.5) == (first == 0.5)[..., :1]).all()
    one = A.FrequencyMasking(False, 3, 2)(full[0])
    assert (one[:, 2:5] == 0).all() and one.sum() == one.size * 17 / 20


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: A.LowpassBiquad(0, 100.0), ValueError, "sample_rate is 0"),
        (lambda: A.LowpassBiquad(4000, 100.0, 2.0), ValueError, "Q: got 2.0, expected above 0, 1 at most"),
        (lambda: A.LowpassBiquad(4000, "x"), TypeError, "expected a number"),
        (lambda: A.LFilter([1.0], [1.0, 2.0]), ValueError, "expected as many"),
        (lambda: A.LFilter([0.0], [1.0]), ValueError, "the first of a_coeffs is 0"),
        (lambda: A.DeemphBiquad(8000), ValueError, "44100 or 48000"),
        (lambda: A.RiaaBiquad(8000), ValueError, "44100, 48000"),
        (lambda: A.AmplitudeToDB("power"), TypeError, "ScaleType.POWER"),
        (lambda: A.AmplitudeToDB()(X[0]), ValueError, "expected rank 2"),
        (lambda: A.Fade(500)(X), ValueError, "has 400 values, fades take 500"),
        (lambda: A.Spectrogram(16, 20), ValueError, "win_length"),
        (lambda: A.Spectrogram(1000)(X[:, :1]), ValueError, "one value cannot be reflected"),
        (lambda: A.TimeStretch(4, 5, 1.5)(CX), ValueError, "has 9 frequencies, expected 5"),
        (lambda: A.Spectrogram(1000, center=False)(X), ValueError, "n_fft is 1000"),
        (lambda: A.MelScale(4, n_stft=10)(SP), ValueError, "has 9 frequencies, expected 10"),
        (lambda: A.melscale_fbanks(9, 100.0, 50.0, 4, 4000), ValueError, "f_min to be less"),
        (lambda: A.MFCC(n_mfcc=200), ValueError, "there are 128 filters"),
        (lambda: A.Angle()(SP), ValueError, r"expected \[..., 2\]"),
        (lambda: A.PhaseVocoder(1.0, ADVANCE[:4])(CX), ValueError, "has 9 frequencies, expected 4"),
        (lambda: A.TimeMasking(False, 10, 5)(SP), ValueError, "reach beyond the 12"),
        (lambda: A.MaskAlongAxis(0, 1, 0.0, 0), ValueError, "axis"),
        (lambda: A.Gain()(np.array(["a"])), TypeError, "expected numbers"),
        (lambda: A.Phaser(10), ValueError, "shorter than a sample"),
    ],
)  # fmt: skip
def test_wrong_arguments(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
