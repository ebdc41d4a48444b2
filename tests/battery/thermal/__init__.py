"""The thermal engine and its parts."""
