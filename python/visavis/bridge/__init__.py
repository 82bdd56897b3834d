"""The bridge: what carries frames from a session to heads elsewhere."""
