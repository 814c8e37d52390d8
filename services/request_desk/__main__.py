"""Run the request desk in a process of its own."""

from services.request_desk.service import build
from shared.runtime import run_service

if __name__ == "__main__":
    run_service(build)
