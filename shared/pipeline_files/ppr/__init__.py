"""The pipeline processing request (PPR): a model that refuses what the pipeline would misread, writer and reader."""

from shared.pipeline_files.ppr.dataset import AsdmIdentifier, SchedBlock
from shared.pipeline_files.ppr.model import ProcessingRequest
from shared.pipeline_files.ppr.procedure import Command, Parameter, Procedure
from shared.pipeline_files.ppr.project import ProjectStructure, ProjectSummary
from shared.pipeline_files.ppr.reader import read_ppr
from shared.pipeline_files.ppr.recipes import Kind, Recipe, check_release, find_recipe
from shared.pipeline_files.ppr.rules import PprError, Value
from shared.pipeline_files.ppr.sessions import Intent, session_intents
from shared.pipeline_files.ppr.writer import write_ppr

__all__ = [
    "AsdmIdentifier",
    "Command",
    "Intent",
    "Kind",
    "Parameter",
    "PprError",
    "Procedure",
    "ProcessingRequest",
    "ProjectStructure",
    "ProjectSummary",
    "Recipe",
    "SchedBlock",
    "Value",
    "check_release",
    "find_recipe",
    "read_ppr",
    "session_intents",
    "write_ppr",
]
