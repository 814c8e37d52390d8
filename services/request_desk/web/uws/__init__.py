"""IVOA Universal Worker Service 1.1: a request is a job."""
