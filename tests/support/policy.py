"""Say what checkov finds in a folder of manifests, a line of JSON each; runs in the environment that has it.

As a library it takes half the time of its command, which loads what it knows of all other things, too.
"""

import json
import sys

from checkov.kubernetes.runner import Runner
from checkov.runner_filter import RunnerFilter


def main(folder: str) -> None:
    """Check all files of the folder."""
    report = Runner().run(root_folder=folder, runner_filter=RunnerFilter(framework=["kubernetes"]))
    assert report.passed_checks, "nothing was checked"
    for found in report.failed_checks:
        print(json.dumps({"check": found.check_id, "what": found.check_name, "where": found.resource}))


if __name__ == "__main__":
    main(sys.argv[1])
