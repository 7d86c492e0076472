"""What an idle node asks of its database: every statement that PostgreSQL sees, by its own log.

Run with ``python -m benchmarks.idle_queries``. One node, no clients and no management call, for a minute.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.database import database, queries
from benchmarks.environment import print_environment
from benchmarks.node import node

REACH = 0.3
_SETTLE_S = 20.0  # until its first heartbeat is behind it
_SHOWN = 100  # characters of a statement


def main(*, quick: bool = False) -> None:
    """Measures and prints queries a second, and which they are."""
    seconds = 20.0 if quick else 60.0
    with tempfile.TemporaryDirectory() as folder, database() as store, node(Path(folder), database_url=store.url):
        time.sleep(_SETTLE_S)
        with store.asked() as statements:
            began = time.monotonic()
            time.sleep(seconds)
            took = time.monotonic() - began
    rate = queries(statements) / took
    print(f"idle node on PostgreSQL, {took:.0f} s")
    print(
        f"  {rate:.2f} queries/s   ({statements.total() / took:.2f} with those that begin and end transactions)"
        f"   reach {REACH}   {'reached' if rate <= REACH else 'MISSED'}"
    )
    for text, count in statements.most_common():
        print(f"  {count:>4} {' '.join(text.split())[:_SHOWN]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="twenty seconds")
    quick = parser.parse_args().quick
    print_environment()
    main(quick=quick)
