"""When a mission runs and dreams, and that in the words of other schedulers."""
