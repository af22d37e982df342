"""Weights of the two logistic regressions of shot detection, printed by `benchmarks/_fit_shots.py`.

For each measure (`_measures`, in their order), and last the intercept, in which the threshold is contained.
"""

import numpy as np

CUT = np.array([7.514, 0.156, -4.584, -1.543, -0.131, 0.842, -13.969])
GRADUAL = np.array([4.471, 2.256, -2.732, 1.003, -3.551, -0.879, -0.759, 3.317, -0.123, -8.623, 9.232, -13.407])
