"""Words and rules of the domain: frozen dataclasses and pure functions, no I/O, no HTTP, no SQL."""
