"""Readers of the files that the ALMA pipeline wrote when it calibrated: all are data, none is ever run."""

from shared.pipeline_files.calapply import ApplyCall, CalapplyError, read_calapply
from shared.pipeline_files.manifest import (
    ManifestAsdm,
    ManifestError,
    ManifestSession,
    PipelineManifest,
    read_manifest,
)
from shared.pipeline_files.names import canonical_product_name
from shared.pipeline_files.untrusted_xml import UnsafeXmlError, read_xml

__all__ = [
    "ApplyCall",
    "CalapplyError",
    "ManifestAsdm",
    "ManifestError",
    "ManifestSession",
    "PipelineManifest",
    "UnsafeXmlError",
    "canonical_product_name",
    "read_calapply",
    "read_manifest",
    "read_xml",
]
