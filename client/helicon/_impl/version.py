"""Holds the version of this distribution, because asking the package metadata costs more than a request."""

from __future__ import annotations

VERSION = "0.1.0"
