"""The meaning: what the numbers of the wire say. No I/O, no clock: time is an argument."""
