"""Everything that writes the ledger: one function a command, the transaction first.

A command checks its rule, changes rows by one fenced statement, and appends one event. Nothing in here starts a
process, reads a file or talks to a network.
"""
