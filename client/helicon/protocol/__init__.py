"""The wire of the Apollo client protocol: pure functions, standard library only, no I/O.

The server imports this package too, so client and server can never disagree about a rule.
"""
