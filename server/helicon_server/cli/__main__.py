"""``python -m helicon_server.cli``."""

from . import main

main()
