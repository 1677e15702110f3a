"""Media engines behind one port."""
