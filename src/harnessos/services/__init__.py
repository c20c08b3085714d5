"""Long-running duties. A service is `async tick() -> seconds to rest`; `loop` is the only thing that waits."""
