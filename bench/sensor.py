"""The sensor on this kernel: 30,000 opens a second of a container, and how many events are lost.

Written opens are told one by one; opens that only read are filtered in the kernel, and what that
costs is the rate of the same loop with and without the sensor. Needs root and bpftrace.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

from martello.adapters.sensors.bpftrace import Sensor, boot_id, usable
from martello.adapters.sensors.shape import Place
from martello.core.errors import MartelloError

RATE = 30_000  # opens a second
SECONDS = 5
_LOOP = """
import os, sys, time
path, flags, rate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
begun, count = time.monotonic(), 0
while (now := time.monotonic() - begun) < seconds:
    due = int(now * rate) - count if rate else 100
    for _ in range(min(due, 1000)):
        os.close(os.open(path, flags))
    count += min(due, 1000)
print(count)
"""


def main() -> int:
    """Prints rates and losses; 1 where an event is lost at RATE."""
    try:
        usable()
    except MartelloError as error:
        print(f"  sensor: not measured ({error})\n")
        return 0
    with tempfile.NamedTemporaryFile() as file:
        free = _opens(file.name, 0, 0)
        sensor = Sensor(Place("bench", "node", boot_id()))
        told: Counter[str] = Counter()
        thread = threading.Thread(target=_count, args=(sensor, file.name, told))
        thread.start()
        while not told["attach"]:
            time.sleep(0.1)
        filtered = _opens(file.name, 0, 0)
        begun = time.process_time()
        written = _opens(file.name, 1, RATE)
        while told["file"] + sensor.decoder.lost < written and thread.is_alive():
            before = told["file"]
            time.sleep(1)
            if told["file"] == before:
                break
        spent = time.process_time() - begun
        sensor.stop()
        thread.join()
    lost = sensor.decoder.lost
    print(f"  opens a second that read     {free / SECONDS:10,.0f} without the sensor")
    print(f"                               {filtered / SECONDS:10,.0f} with it (not told)")
    print(f"  opens a second that write    {written / SECONDS:10,.0f} of {RATE:,} asked for")
    print(f"    told {told['file']:,} of {written:,}, lost {lost}")
    print(f"    {spent / max(told['file'], 1) * 1e6:.1f} us of CPU an event in Python\n")
    return int(lost > 0 or told["file"] < written)


def _opens(path: str, flags: int, rate: int) -> int:
    """How often a process in a mount namespace of its own opened a file."""
    loop = (sys.executable, "-I", "-S", "-c", _LOOP, path, str(flags), str(rate), str(SECONDS))
    done = subprocess.run(("unshare", "-m", *loop), capture_output=True, check=True)
    return int(done.stdout)


def _count(sensor: Sensor, path: str, told: Counter[str]) -> None:
    for event in sensor:
        told["file"] += event.get("file_path") == path
        told["attach"] += event["action"] == "attach"


if __name__ == "__main__":
    sys.exit(main())
