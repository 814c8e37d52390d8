"""Runs the casa-runner until it is told to stop."""

from services.casa_runner.service import build
from shared.runtime import run_service

if __name__ == "__main__":
    run_service(build)
