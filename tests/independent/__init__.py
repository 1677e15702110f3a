"""A call client written from docs/protocol.md and openapi.yaml alone, and the calls that it holds."""
