"""Weights of the two logistic regressions of shot detection, printed by `benchmarks/_fit_shots.py`.

For each measure (`_measures`, in their order), and last the intercept, in which the threshold is contained.
"""

import numpy as np

CUT = np.array([6.685, -0.065, -3.770, -0.101, -0.773, 0.0, -11.835])
GRADUAL = np.array([4.490, 2.261, -2.733, 0.994, -3.544, -0.876, -0.760, 3.313, -0.126, -8.656, 9.275, -13.449])
