"""The calls socket's protocol without input or output: no event loop, no clock, no randomness."""
