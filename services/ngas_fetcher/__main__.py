"""Run the ngas-fetcher as a process of its own."""

from services.ngas_fetcher.service import build
from shared.runtime import run_service

if __name__ == "__main__":
    run_service(build)
