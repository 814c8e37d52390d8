"""Names in PPRs as ALMA's files have them: namespaces, prefixes and the elements that carry none."""

from typing import Final

PPR: Final = "Alma/pipelinescience/SciPipeRequest"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
OBS_PROJECT: Final = "Alma/ObsPrep/ObsProject"
PROJECT_STATUS: Final = "Alma/Scheduling/ProjectStatus"
OUS_STATUS: Final = "Alma/Scheduling/OUSStatus"
SCHED_BLOCK: Final = "Alma/ObsPrep/SchedBlock"
SB_STATUS: Final = "Alma/Scheduling/SBStatus"
VALUE_TYPES: Final = "Alma/ValueTypes"

# All prefixes stand at the root: tools in use at ALMA take the first quoted text of the line with
# OUSStatusRef for the MOUS, so no namespace may be declared there.
NSMAP: Final[dict[str | None, str]] = {
    None: PPR,
    "xsi": XSI,
    "ns1": OBS_PROJECT,
    "ns2": PROJECT_STATUS,
    "ns3": OUS_STATUS,
    "ns4": SCHED_BLOCK,
    "ns5": SB_STATUS,
    "ns7": VALUE_TYPES,
}
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%f"
