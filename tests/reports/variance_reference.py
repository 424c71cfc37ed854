"""Variance components of runs' values by the method of moments, in numpy: the numbers of variance.tests.cpp."""
import numpy as np

concepts = [[0.70, 0.72, 0.69], [0.60, 0.66], [0.81], [0.55, 0.50, 0.58, 0.57]]
pictures = 0.0002  # of every run
within = sum(np.var(c, ddof=1) * (len(c) - 1) for c in concepts if len(c) > 1) / sum(len(c) - 1 for c in concepts)
means = [np.mean(c) for c in concepts]
between = np.var(means, ddof=1) - np.mean([within / len(c) for c in concepts])
print("concepts", repr(float(between)))
print("seeds", repr(float(within - pictures)), "without the pictures' part", repr(float(within)))

prompts = [[0.5, 0.6, 0.7], [0.2, 0.4]]
print("pictures of a run", repr(float(sum(np.var(p, ddof=1) / len(p) for p in prompts) / len(prompts) ** 2)))

# A simulation with known components: the estimate's mean over many studies.
rng = np.random.default_rng(0)
found = []
for _ in range(4000):
    y = rng.normal(0, 0.3, (12, 1)) + rng.normal(0, 0.1, (12, 3)) + rng.normal(0, 0.05, (12, 3))
    w = np.mean(np.var(y, axis=1, ddof=1))
    found.append((np.var(y.mean(1), ddof=1) - w / 3, w - 0.05**2))
print("simulated 0.09, 0.01:", np.mean(found, axis=0))
