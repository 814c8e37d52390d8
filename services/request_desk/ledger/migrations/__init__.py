"""How the ledger's tables came to be, release by release. Migrations only add: an older release can still read."""
