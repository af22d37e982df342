"""Weights of the two logistic regressions of shot detection, printed by `benchmarks/_fit_shots.py`.

For each measure (`_measures`, in their order), and last the intercept, in which the threshold is contained.
"""

import numpy as np

CUT = np.array([7.514, 0.156, -4.584, -1.543, -0.131, 0.842, -13.969])
GRADUAL = np.array([4.277, 2.209, -2.716, 1.082, -3.314, -0.865, -0.747, 3.394, -0.201, -8.064, 8.827, -13.260])
