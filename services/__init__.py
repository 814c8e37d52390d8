"""The services: each listens, does one thing and says what came of it; none knows another."""
