"""Programs that print figures as JSON: `python -m benchmarks.NAME --json`."""
