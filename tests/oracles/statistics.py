"""Intervals and tests of luthier-eval, computed independently: SciPy where it has them, else Python.

Writes core/eval/tests/fixtures/statistics.json, which core/eval/tests/oracle.rs compares.

    python tests/oracles/statistics.py        # needs scipy from PyPI
"""

import json
import sys
from pathlib import Path

# Run as a script, this file would hide the standard library's `statistics`, which numpy's imports need.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]

import numpy
import scipy
from scipy import stats

MASK = (1 << 64) - 1


def wilson():
    counts = [(0, 1), (1, 1), (0, 10), (10, 10), (3, 7), (120, 200), (199, 200), (1, 200), (31, 60), (5000, 12345)]
    for successes, n in counts:
        for confidence in (0.8, 0.95, 0.99):
            interval = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
            yield {"n_successes": successes, "n": n, "confidence": confidence,
                   "low": interval.low, "high": interval.high}


def mcnemar():
    pairs = [(0, 0), (1, 0), (0, 5), (5, 5), (3, 9), (41, 12), (100, 60), (2, 150), (700, 640), (4000, 4100)]
    for wins, losses in pairs:
        n = wins + losses
        yield {"wins": wins, "losses": losses, "p_value": stats.binomtest(wins, n).pvalue if n else 1.0}


def mix(counter):
    z = (counter + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def resampled_means(values, seed):
    """1000 means of resamples; draw i of resample b is mix(mix(mix(seed) + b) + i)."""
    values, n = numpy.sort(numpy.array(values, dtype=float)), len(values)
    for resample in range(1000):
        key = mix((mix(seed) + resample) & MASK)
        draws = [(mix((key + draw) & MASK) * n) >> 64 for draw in range(n)]
        yield values[draws].mean()


def bootstrap():
    generator = numpy.random.default_rng(11)
    samples = {
        "one": [0.25],
        "binary": (generator.random(60) < 0.4).astype(float).tolist(),
        "skewed": numpy.round(generator.exponential(1.0, 83), 6).tolist(),
        "differences": generator.integers(-1, 2, 200).astype(float).tolist(),
    }
    for name, values in samples.items():
        for seed in (0, 7):
            means = list(resampled_means(values, seed))
            low, high = numpy.percentile(means, [2.5, 97.5])
            case = {"name": name, "values": values, "seed": seed, "mean": float(numpy.mean(values)),
                    "low": float(low), "high": float(high)}
            if len(values) > 1:
                # Another generator, other resamples: near, not equal.
                reference = stats.bootstrap((values,), numpy.mean, n_resamples=20000, method="percentile",
                                            rng=numpy.random.default_rng(5)).confidence_interval
                case["reference_low"], case["reference_high"] = float(reference.low), float(reference.high)
            yield case


def clusters():
    """Ratios of sums over clusters: their intervals, paired differences and randomization tests, from SciPy's own
    random numbers: near, not equal."""
    generator = numpy.random.default_rng(23)
    for name, n, shift in [("few", 12, 0.3), ("many", 60, 0.05), ("none", 40, 0.0)]:
        under = generator.integers(1, 6, n).astype(float)
        model = numpy.round(generator.random(n) * under + shift * under, 6)
        against = numpy.round(generator.random(n) * under, 6)

        def ratio(over, under, axis=-1):
            return numpy.sum(over, axis=axis) / numpy.sum(under, axis=axis)

        def difference(model, against, under, axis=-1):
            return ratio(model, under, axis) - ratio(against, under, axis)

        options = {"n_resamples": 20000, "method": "percentile", "paired": True, "vectorized": True}
        interval = stats.bootstrap((model, under), ratio, **options,
                                   rng=numpy.random.default_rng(1)).confidence_interval
        between = stats.bootstrap((model, against, under), difference, **options,
                                  rng=numpy.random.default_rng(2)).confidence_interval
        # Under swaps of arms, the denominators are those of the rows, whichever the arm.
        test = stats.permutation_test(
            (model, against), lambda a, b, axis=-1: (numpy.sum(a, axis=axis) - numpy.sum(b, axis=axis)) / under.sum(),
            permutation_type="samples", vectorized=True, n_resamples=20000, rng=numpy.random.default_rng(3))
        yield {"name": name, "model": model.tolist(), "against": against.tolist(), "under": under.tolist(),
               "low": float(interval.low), "high": float(interval.high), "difference": float(difference(
                   model, against, under)), "difference_low": float(between.low),
               "difference_high": float(between.high), "p_value": float(test.pvalue)}


def main():
    fixture = {"made_with": {"scipy": scipy.__version__, "numpy": numpy.__version__},
               "wilson": list(wilson()), "mcnemar": list(mcnemar()), "bootstrap": list(bootstrap()),
               "clusters": list(clusters())}
    path = Path(__file__).resolve().parents[2] / "core/eval/tests/fixtures/statistics.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
