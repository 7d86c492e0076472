"""What a node tells of itself at ``/metrics``, in the text form of Prometheus."""

from .page import METRICS_PATH, MetricsPage, counted
from .samples import Exchange

__all__ = ["METRICS_PATH", "Exchange", "MetricsPage", "counted"]
