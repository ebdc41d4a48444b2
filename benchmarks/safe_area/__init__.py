"""The parts of `benchmarks.protection`: ways out of the safe area, and years inside of it."""
