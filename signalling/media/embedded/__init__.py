"""The engine that forwards packets itself. Nothing outside of here knows aiortc."""
