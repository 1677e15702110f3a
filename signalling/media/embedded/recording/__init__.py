"""Recording without a codec: one more receiver of the best layers, which writes files."""
