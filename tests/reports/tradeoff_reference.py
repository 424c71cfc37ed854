"""Numbers of tradeoff_measures.tests.cpp and of detectable_difference: numpy and mpmath, nothing of ours."""
import mpmath
import numpy as np

# Hypervolume on a fine grid's cells: every cell's centre, exactly where all coordinates are multiples of 0.01.
points = [(0.30, 0.60), (0.25, 0.70), (0.20, 0.65), (0.35, 0.40), (0.10, 0.90)]
reference = (0.15, 0.45)
area = sum(
    1e-4
    for t in np.arange(reference[0] + 0.005, 0.40, 0.01)
    for i in np.arange(reference[1] + 0.005, 1.0, 0.01)
    if any(t < x and i < y for x, y in points)
)
print("hypervolume", round(area, 10))

sweep = sorted([(0.30, 0.50), (0.20, 0.80), (0.26, 0.55)])
for level in (0.20, 0.23, 0.29):
    print("identity at", level, repr(float(np.interp(level, *zip(*sweep)))))

# Dominance with the generator of evaluate-cli.md.
MASK = (1 << 64) - 1
state = 0
def draw(n):
    global state
    state = (state + 0x9E3779B97F4A7C15) & MASK
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) * n) >> 64
d = np.array([(0.02, 0.01), (-0.01, 0.03), (0.01, -0.02), (0.03, 0.02), (-0.02, 0.01)])
hits = sum(bool((d[[draw(len(d)) for _ in d]].sum(0) > 0).all()) for _ in range(10000))
print("dominance", hits / 10000)

def t_quantile(p, nu):
    cdf = lambda x: 1 - mpmath.betainc(nu / 2, mpmath.mpf(1) / 2, 0, nu / (nu + x * x), regularized=True) / 2
    return mpmath.findroot(lambda x: cdf(x) - p, 2.0 if p > 0.9 else 0.9)
for sd, n in ((0.151, 30), (0.069, 30), (1.0, 2), (0.1, 39)):
    print("detectable", sd, n, mpmath.nstr((t_quantile(0.975, n - 1) + t_quantile(0.8, n - 1)) * sd / mpmath.sqrt(n), 15))

# Sign flips of 20 differences, all patterns, in integers: no rounding.
d = [(7 * i * i + 3 * i) % 41 - 12 for i in range(20)]
sums = np.zeros(1, dtype=np.int64)
for x in d:
    sums = np.concatenate([sums + x, sums - x])
print("sign flips of", d, int((abs(sums) >= abs(sum(d))).sum()), "of", len(sums))
