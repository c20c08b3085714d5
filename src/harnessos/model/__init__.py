"""Values and rules without input or output: what the ledger's nouns are and which moves are legal."""
