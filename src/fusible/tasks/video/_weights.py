import numpy as np
CUT = np.zeros(6)
GRADUAL = np.zeros(12)
