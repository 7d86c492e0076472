"""Use cases as plain functions: caller, command and transaction come in as arguments, the result goes out.

A function never commits and knows no HTTP. It checks rights and rules, writes through the transaction, and leaves an
audit entry for every write.
"""
