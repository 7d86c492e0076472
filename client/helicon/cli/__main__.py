"""Lets `python -m helicon.cli` stand in for the console script."""

from __future__ import annotations

import sys

from helicon.cli import main

sys.exit(main())
