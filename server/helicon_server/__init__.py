"""The Helicon server: delivery plane, management plane and their storage."""

__version__ = "0.1.0"
