"""What runs inside CASA, in a process of its own: scripts that need nothing of this project."""
