"""Settings of the object store: a directory, or a bucket on an S3 server."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class DirectorySettings(BaseModel):
    """Objects are files below a directory."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    kind: Literal["directory"] = "directory"
    root: Path = Field(
        default=Path(".alma-restore/objects"), description="Directory of the objects; created if missing"
    )


class S3Settings(BaseModel):
    """Objects lie in a bucket of an S3 server."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    kind: Literal["s3"] = "s3"
    endpoint: str = Field(description="Server, as http://host:port or https://host[:port]")
    public_endpoint: str | None = Field(
        default=None, description="Server as those see it who are given links, if they use another address"
    )
    access_key: str = Field(min_length=1, description="Access key")
    secret_key: SecretStr = Field(description="Secret key; never logged")
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="Bucket that holds the objects")
    region: str = Field(default="us-east-1", min_length=1, description="Region that requests are signed for")
    create_bucket: bool = Field(default=False, description="Create the bucket if it is missing")
    connect_timeout_seconds: float = Field(default=5, gt=0, description="Wait for a connection, seconds")
    read_timeout_seconds: float = Field(default=120, gt=0, description="Wait for the next bytes of an answer, seconds")
    ca_file: Path | None = Field(default=None, description="Certificates to trust (PEM); default: the system's")
    retries: int = Field(default=2, ge=0, le=10, description="Further attempts of a request that got no answer")

    @field_validator("endpoint", "public_endpoint")
    @classmethod
    def _is_a_server(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("must be http://host:port or https://host[:port], without a path")
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


StoreSettings = Annotated[DirectorySettings | S3Settings, Field(discriminator="kind")]
"""Settings of either store, told apart by ``kind``."""
