"""Deliveries: who may fetch what, from where, and until when it is kept."""
