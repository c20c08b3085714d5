"""Missions for callers: a workspace with its ledger opened, and what the commands do with it."""
