"""Runs every benchmark, one after the other: ``python -m benchmarks [--quick] [NAME ...]``."""

from __future__ import annotations

import argparse
import subprocess
import sys

# Module -> arguments of a full and of a quick run; None: not in a quick run, which takes about two minutes.
_BENCHMARKS: dict[str, tuple[list[str], list[str] | None]] = {
    "load_ceiling": ([], None),
    "configs_hit": ([], ["--quick"]),
    "configs_signed": ([], ["--quick"]),
    "two_workers": ([], ["--quick"]),
    "poll_memory": ([], ["--quick"]),
    "held_polls": ([], None),
    "herd_fetch": ([], ["--quick", "--clients", "1000"]),
    "wake_rate": ([], ["--quick"]),
    "reconnect": ([], ["--quick"]),
    "publish_rate": ([], ["--quick"]),
    "idle_queries": ([], None),
    "publish_fanout": ([], ["--quick"]),
    "server_start": ([], ["--quick"]),
    "sdk_get": ([], ["--quick"]),
    "helicon_run": ([], ["--rounds", "10"]),
}


def main() -> int:
    """Runs the named benchmarks, or all. Fails when one could not run; a missed mark is printed and fails nothing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("names", nargs="*", choices=[[], *_BENCHMARKS], metavar="NAME", help=", ".join(_BENCHMARKS))
    arguments = parser.parse_args()
    failed = []
    for name in arguments.names or _BENCHMARKS:
        flags = _BENCHMARKS[name][1 if arguments.quick else 0]
        if flags is None:
            print(f"== {name}: in a full run only", flush=True)
            continue
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *flags], check=False).returncode != 0:
            failed.append(name)
    if failed:
        print(f"could not run: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
