"""Programs that run inside a box, copied into it: they import the standard library and each other only."""
