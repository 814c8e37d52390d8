"""Run the entitlement checker in a process of its own."""

from services.entitlement_checker.service import build
from shared.runtime import run_service

if __name__ == "__main__":
    run_service(build)
