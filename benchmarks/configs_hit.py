"""`/configs` hits: requests a second of a real server with one worker, against a bare ASGI app on the same uvicorn and
against etcd's range read of a value as long, through its HTTP gateway.

Run with ``python -m benchmarks.configs_hit``. All servers run at once, each in a process of its own; the load comes
from another one and goes to one server at a time, in interleaved rounds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from benchmarks.environment import print_environment
from benchmarks.etcd import EtcdMissingError, encoded, etcd
from benchmarks.load import Request
from benchmarks.node import PATH, node
from benchmarks.peers import Peer, bare_asgi, get, in_turns, port_of, print_rates, print_ratio

REACH_BARE = 2.5
REACH_ETCD = 8.0
# What a Java client sends after a notification: its address, the copy it holds, what it was told.
MESSAGES = quote('{"details":{"bench+default+application":1}}', safe="")
AS_A_CLIENT = f"{PATH}?ip=10.1.2.3&releaseKey=20240101000000-0123456789abcdef&messages={MESSAGES}"


def main(*, quick: bool = False) -> None:
    """Measures and prints the ratios for two kinds of request."""
    rounds, seconds = (3, 1.5) if quick else (7, 4.0)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(node(folder))
        body = get(server.port, PATH)
        bare = stack.enter_context(bare_asgi(body, folder))
        peers = {
            "Helicon": Peer(server.pid, server.port, Request(PATH)),
            "Helicon, as a client asks": Peer(server.pid, server.port, Request(AS_A_CLIENT)),
            "bare ASGI": Peer(bare.pid, port_of(bare), Request(PATH)),
        }
        try:
            store = stack.enter_context(etcd(folder))
            store.put(PATH, body.decode())
            asked = json.dumps({"key": encoded(PATH)})
            peers["etcd range"] = Peer(store.pid, store.port, Request("/v3/kv/range", method="POST", body=asked))
        except EtcdMissingError as error:
            print(f"  {error}")
        print(f"/configs hit, {len(body)} bytes, one worker, {rounds} interleaved rounds of {seconds:g} s")
        measured = in_turns(peers, rounds, seconds)
    print_rates(measured)
    for name in ("Helicon", "Helicon, as a client asks"):
        print_ratio(measured, name, "bare ASGI", REACH_BARE)
        if "etcd range" in peers:
            print_ratio(measured, name, "etcd range", REACH_ETCD)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
