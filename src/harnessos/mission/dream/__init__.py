"""Dreaming: while a mission is idle its log is analysed, its topics are consolidated and its playbook's block is renewed.

`prepare` reads and decides and writes nothing; `apply` makes it one changeset that `undo` takes back. The caller holds
the mission's lease and the workspace's lock.
"""
