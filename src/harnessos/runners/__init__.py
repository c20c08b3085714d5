"""How an agent process is driven: what it is given, how it is started, and what its end means."""
