"""The disk snapshot: what a node serves, kept on its own disk, so that it can start while its database is away.

``file`` keeps it, ``encoding`` turns a state into bytes and back, ``keeper`` writes it behind the follower and reads
it when it is needed (docs/decisions/0016-snapshot-of-what-is-served.md).
"""
