"""Lays results out for download and writes the mails of a request's end."""
