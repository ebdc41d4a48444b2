"""How fast a simulated pack lives: `python -m benchmarks.pack` prints JSON."""

from __future__ import annotations

import json
from time import perf_counter

from simulator.charger import Charger, House
from simulator.pack import Pack

SIMULATED_S = 6 * 3600


def run(*, measured: bool) -> float:
    pack, house, charger = Pack(seed=1), House(280.0, seed=1), Charger(cell_count=16)
    started = perf_counter()
    for second in range(SIMULATED_S):
        pack.step(1.0, charger.step(1.0, house.current_a(6 * 3600 + second), pack.voltage_v))
        if measured:
            pack.measure()
    return SIMULATED_S / (perf_counter() - started)


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "simulated_seconds_per_second": round(run(measured=False)),
                "with_a_measurement_each_second": round(run(measured=True)),
            }
        )
    )
