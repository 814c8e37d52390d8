"""No two servers of tests are given one port, whichever processes start them at a time."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.support.ports import free_ports

ELSEWHERE = "from tests.support.ports import free_ports; print(*free_ports(100))"


def test_ports_are_not_handed_out_twice_by_threads_nor_by_processes() -> None:
    with ThreadPoolExecutor(8) as pool:
        here = [port for found in pool.map(free_ports, [5] * 20) for port in found]
        others = list(
            pool.map(lambda _: subprocess.check_output([sys.executable, "-c", ELSEWHERE], text=True).split(), range(2))
        )
    assert len(set(here)) == 100
    assert set(here).isdisjoint(int(port) for one in others for port in one)
