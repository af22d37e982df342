"""Weights that tell music, other sounds and speech apart: a logistic regression on measures and their squares.

Fitted to an hour of sound, loudness, noise, echo and bandwidth varied: speech of GRID (training clips), of four talkers
of FSDD, and of eSpeak in nine languages; music of random notes by 104 instruments and drums of a General MIDI
sound font; noises, knocks, wind and engines made by formula. `benchmarks/_sound_weights.py` fits them again.
"""

import numpy as np

LABELS = ("music", "other", "speech")
MEAN = np.array([0.2898, 0.2958, 0.42, 0.2336, -4.161, 0.6913, 0.1198, 0.5897, 4.589, 0.24])
DEVIATION = np.array([0.1482, 0.2568, 0.1835, 0.2525, 2.039, 0.2198, 0.05383, 0.1653, 4.115, 0.1645])
BIAS = np.array([1.901, -1.763, -0.1374])
LINEAR = np.array(
    [
        [0.1474, 0.04299, -1.762, 3.027, 0.8279, 0.2873, -0.07887, 3.876, -1.105, -1.215],
        [-0.3891, 0.124, -0.2432, -0.68, -0.03349, -1.974, -0.6184, -1.634, -0.721, -0.4362],
        [0.2417, -0.167, 2.006, -2.347, -0.7944, 1.686, 0.6973, -2.241, 1.826, 1.651],
    ]
)
SQUARE = np.array(
    [
        [0.0109, 0.2584, 0.3794, -0.5166, 0.08513, -0.9401, 0.3754, -0.5006, 0.2007, 0.501],
        [-0.04513, -0.6456, -0.05765, 0.539, -0.07169, 0.1587, -0.2633, 1.367, 0.1735, 0.0481],
        [0.03423, 0.3871, -0.3217, -0.02245, -0.01345, 0.7814, -0.1121, -0.8668, -0.3743, -0.5491],
    ]
)
"""Weights (labels, measures) of standardised measures, and of their squares."""
