"""Storage: the contract that everything above relies on, and its implementations."""
