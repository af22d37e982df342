"""Weights that tell music, other sounds and speech apart: a logistic regression on measures and squares.

Fitted to an hour of sound, loudness, noise, echo and bandwidth varied: speech of GRID (training clips), of four talkers
of FSDD, and of eSpeak in nine languages; music of random notes by 104 instruments and drums of a General MIDI sound
font; noises, knocks, wind and engines made by formula. `benchmarks/_sound_weights.py` fits them again.
"""

import numpy as np

LABELS = ("music", "other", "speech")
MEAN = np.array([0.296, 0.2978, 0.4221, 0.2461, -4.182, 0.6969, 0.119, 0.5879, 4.799, 0.2337])
DEVIATION = np.array([0.1545, 0.2574, 0.179, 0.2487, 1.944, 0.2209, 0.05245, 0.1646, 4.242, 0.1547])
BIAS = np.array([1.847, -1.966, 0.1188])
LINEAR = np.array(
    [
        [0.07511, -0.4713, -2.225, 2.923, 0.6566, -0.7694, -0.4126, 3.799, -0.3651, -1.615],
        [-0.2987, 0.5898, 0.2688, -1.116, 0.1261, -1.055, 0.2195, -1.982, -1.52, 0.1173],
        [0.2236, -0.1184, 1.957, -1.807, -0.7826, 1.824, 0.193, -1.817, 1.885, 1.498],
    ]
)
SQUARE = np.array(
    [
        [-0.09915, 0.5097, 0.4839, -0.5175, 0.2209, -1.141, 0.7406, -0.1065, 0.07386, 0.4666],
        [-0.09359, -0.8603, -0.1098, 0.6705, -0.1293, 1.238, -1.147, 0.5204, 0.4371, 0.001408],
        [0.1927, 0.3506, -0.3741, -0.153, -0.09157, -0.09657, 0.4066, -0.414, -0.511, -0.468],
    ]
)
"""Weights (labels, measures) of standardised measures, and of their squares."""
