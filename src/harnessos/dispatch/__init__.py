"""One run from claim to verdict: choosing, making its place, its turns, verification, and recovery after a crash."""
