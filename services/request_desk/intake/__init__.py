"""The intake of trigger files."""
