"""What `benchmarks.thermal` consists of: worlds in which packs get hot, rules to compare with, and what is counted."""
