"""Settings of the launchers: which one, and what it needs to know of the place where CASA runs."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field

_GB = 10**9


class CasaPlace(BaseModel):
    """Where one CASA is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: tuple[str, ...] = Field(
        default=("python3",),
        min_length=1,
        description="What runs a script with this CASA: a Python that has casatasks, or an unpacked CASA with options",
    )
    shell: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="What starts the whole application, for requests of the pipeline and delivered scripts, e.g. "
        '["/opt/casa/bin/casa", "--nogui", "--nologger", "--agg"]; -c FILE is added; none: there are only modules',
    )
    pipeline: bool | None = Field(
        default=None, description="Whether the application has the ALMA pipeline; none: as the version table says"
    )
    image: str | None = Field(default=None, description="Image that holds it (container, kubernetes)")
    constraint: str | None = Field(
        default=None, description="Features of the nodes that it runs on, as sbatch --constraint takes them (slurm)"
    )


class _Common(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    casa: CasaPlace = Field(default=CasaPlace(), description="The CASA for jobs that need no particular version")
    casas: dict[str, CasaPlace] = Field(
        default={}, description="Where other CASAs are, by version (shell patterns; the first that fits)"
    )
    builds: dict[str, CasaPlace] = Field(
        default={},
        description="Where the version table's CASAs are, by its builds (shell patterns, e.g. el[56]), for versions "
        "that casas does not have; {image}, {build} and {version} in the texts are the table's",
    )


class ProcessSettings(_Common):
    """CASA as a process of the runner's machine."""

    kind: Literal["process"] = "process"
    memory: ByteSize | None = Field(default=None, description="Memory that a restore may take; none: no limit")


class ContainerSettings(_Common):
    """CASA in a container of the runner's machine."""

    kind: Literal["container"] = "container"
    engine: str = Field(default="unix:///var/run/docker.sock", description="Where the container engine listens")
    engine_timeout: float = Field(default=20.0, gt=0, description="Longest that the engine may take to answer, seconds")
    user: str | None = Field(
        default=None,
        pattern=r"^[1-9][0-9]*:[0-9]+$",
        description="uid:gid that CASA runs as, never root; none: the runner's own",
    )
    memory: ByteSize = Field(default=ByteSize(4 * _GB), gt=0, description="Memory that a restore may take, no swap")
    cores: float = Field(default=1.0, gt=0, description="Cores that a restore may use")
    processes: int = Field(default=256, gt=0, description="Processes and threads that a restore may have")
    mounts: tuple[Path, ...] = Field(
        default=(), description="Directories that CASA sees read-only at the same path, e.g. of unpacked CASAs"
    )


class SlurmSettings(_Common):
    """CASA as a job of a Slurm cluster; the scratch directory is one that its nodes see at the same path."""

    kind: Literal["slurm"] = "slurm"
    programs: Path = Field(default=Path("/usr/bin"), description="Directory of sbatch, squeue, sacct and scancel")
    configuration: Path | None = Field(default=None, description="slurm.conf; none: as Slurm finds it")
    partition: str | None = Field(default=None, description="Partition; none: the cluster's default")
    account: str | None = Field(default=None, description="Account that jobs are charged to; none: the user's default")
    memory: ByteSize = Field(default=ByteSize(4 * _GB), gt=0, description="Memory of a job")
    cores: int = Field(default=1, ge=1, description="Cores of a job")
    time_limit: int | None = Field(default=None, gt=0, description="Minutes that a job may take; none: the partition's")
    options: tuple[str, ...] = Field(default=(), description="More options of sbatch, each as --name=value")
    poll_interval: float = Field(default=10.0, gt=0, description="Seconds between two looks at a job that works")
    answer_timeout: float = Field(default=30.0, gt=0, description="Longest that a program of Slurm's may take, seconds")


class KubernetesSettings(_Common):
    """CASA as a job of a Kubernetes cluster; scratch is a volume that runner and jobs share."""

    kind: Literal["kubernetes"] = "kubernetes"
    api: str = Field(default="https://kubernetes.default.svc", description="Where the cluster's API server answers")
    account: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        description="Directory of the service account's token and ca.crt, as pods have it",
    )
    namespace: str = Field(default="alma-restore", description="Namespace of the jobs")
    claim: str = Field(default="casa-scratch", description="Persistent volume claim (ReadWriteMany) of the scratch")
    claim_path: Path = Field(
        default=Path("/scratch"), description="Where the claim is mounted, in the runner and in jobs; holds the scratch"
    )
    uid: int = Field(default=1000, gt=0, description="User that CASA runs as, the runner's own")
    gid: int = Field(default=1000, ge=0, description="Group that CASA runs as")
    memory: ByteSize = Field(default=ByteSize(4 * _GB), gt=0, description="Memory of a job")
    cores: float = Field(default=1.0, gt=0, description="Cores of a job")
    deadline: int = Field(default=172_800, gt=0, description="Longest that a job may take, seconds")
    keep_ended: int = Field(default=3600, ge=0, description="Seconds after which the cluster removes an ended job")
    node_selector: dict[str, str] = Field(default={}, description="Labels of the nodes that CASA runs on")
    poll_interval: float = Field(default=2.0, gt=0, description="Seconds between two looks at a job")
    answer_timeout: float = Field(
        default=30.0, gt=0, description="Longest that the API server may take to answer, seconds"
    )


LauncherSettings = Annotated[
    ProcessSettings | ContainerSettings | SlurmSettings | KubernetesSettings, Field(discriminator="kind")
]
