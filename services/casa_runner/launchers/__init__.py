"""Launchers: CASA as a process, in a container, as a job of Slurm or of Kubernetes."""
