"""Run the metadata resolver in a process of its own."""

from services.metadata_resolver.service import build
from shared.runtime import run_service

if __name__ == "__main__":
    run_service(build)
