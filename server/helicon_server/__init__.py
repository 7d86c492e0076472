"""The Helicon server: delivery plane, management plane and their storage."""
