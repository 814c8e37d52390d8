"""The ledger: what is known of every request, made of the events that were said about it."""
