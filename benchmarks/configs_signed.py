"""`/configs` hits whose signatures are checked, one worker, against a bare ASGI app that checks nothing.

Run with ``python -m benchmarks.configs_signed``. The app has one access key in the mode that refuses. A generator signs
anew every few seconds and repeats the request in between, as the same connection and from the same address.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.configs_hit import AS_A_CLIENT
from benchmarks.environment import print_environment
from benchmarks.load import Request
from benchmarks.node import APP, PATH, node
from benchmarks.peers import Peer, bare_asgi, get, in_turns, port_of, print_rates, print_ratio

from tests.support.wait import wait_until

REACH = 1.0


def main(*, quick: bool = False) -> None:
    """Measures and prints the ratio for two kinds of request."""
    rounds, seconds = (3, 1.5) if quick else (7, 4.0)
    with tempfile.TemporaryDirectory() as folder, node(Path(folder)) as server:
        body = get(server.port, PATH)
        secret = server.management.require_signatures(APP)
        wait_until(lambda: not get(server.port, PATH), 10, "refusal of a request without signature")
        with bare_asgi(body, Path(folder)) as bare:
            plain, asked = (Request(path, app_id=APP, secret=secret) for path in (PATH, AS_A_CLIENT))
            peers = {
                "Helicon, signed": Peer(server.pid, server.port, plain),
                "Helicon, signed, as a client": Peer(server.pid, server.port, asked),
                "bare ASGI": Peer(bare.pid, port_of(bare), plain),
            }
            print(f"/configs hit with access key, one worker, {rounds} interleaved rounds of {seconds:g} s")
            measured = in_turns(peers, rounds, seconds)
    print_rates(measured)
    print_ratio(measured, "Helicon, signed", "bare ASGI", REACH)
    print_ratio(measured, "Helicon, signed, as a client", "bare ASGI", REACH)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
