"""A believable JK pack: cells, firmware and radio, for tests, demo and benchmarks."""
