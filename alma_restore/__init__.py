"""The command ``alma-restore``: run services, submit requests, watch them, see the demonstration."""
