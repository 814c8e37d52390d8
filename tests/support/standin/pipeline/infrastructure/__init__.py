"""Holds what runs processing requests."""
