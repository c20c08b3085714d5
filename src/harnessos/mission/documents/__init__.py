"""The documents of a mission that people own: read with lines, looked over, and written from a typed one."""
