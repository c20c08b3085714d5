"""The memory of a workspace: its stream log, the search over it, and its topic files. Knows files and no ledger."""
