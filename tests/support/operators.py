"""What the operators of RabbitMQ and SeaweedFS understand, as far as our examples use it: any other word is a slip.

By the operators' own references: ``rabbitmq.com/v1beta1`` and ``seaweed.seaweedfs.com/v1``. KEDA's models leave open
what a trigger holds and which strategies there are; that of its scaler for RabbitMQ stands here, too.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

Quantity = Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+)?(m|k|[KMGT]i?)?$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Metadata(_Strict):
    name: str
    namespace: str


class _Quantities(_Strict):
    cpu: Quantity | None = None
    memory: Quantity | None = None
    storage: Quantity | None = None


class _Resources(_Strict):
    requests: _Quantities | None = None
    limits: _Quantities | None = None


class _RabbitPersistence(_Strict):
    storage: Quantity
    storage_class_name: str | None = None


class _RabbitTls(_Strict):
    secret_name: str
    ca_secret_name: str | None = None
    disable_non_t_l_s_listeners: bool = False  # so that its alias is disableNonTLSListeners


class _RabbitConfiguration(_Strict):
    additional_plugins: list[str] = []
    additional_config: str | None = None
    advanced_config: str | None = None
    env_config: str | None = None


class _RabbitSpec(_Strict):
    replicas: Literal[1, 3, 5]
    image: str | None = None
    persistence: _RabbitPersistence
    resources: _Resources
    tls: _RabbitTls | None = None
    rabbitmq: _RabbitConfiguration
    termination_grace_period_seconds: int | None = None


class RabbitmqCluster(_Strict):
    """A broker; its operator tests clusters of 1, 3 and 5 nodes."""

    api_version: Literal["rabbitmq.com/v1beta1"]
    kind: Literal["RabbitmqCluster"]
    metadata: _Metadata
    spec: _RabbitSpec


class _SeaweedMaster(_Resources):
    replicas: int
    volume_size_limit_m_b: int | None = None
    default_replication: Annotated[str, StringConstraints(pattern=r"^[0-2]{3}$")] | None = None


class _SeaweedVolume(_Resources):
    replicas: int
    storage_class_name: str | None = None
    max_volume_counts: int | None = None


class _SeaweedPersistence(_Strict):
    enabled: bool
    resources: _Resources | None = None
    storage_class_name: str | None = None


class _SeaweedSecret(_Strict):
    name: str
    key: str


class _SeaweedS3(_Strict):
    enabled: bool
    config_secret: _SeaweedSecret


class _SeaweedFiler(_Resources):
    replicas: int
    s3: _SeaweedS3
    iam: bool
    persistence: _SeaweedPersistence
    config: str | None = None


class _SeaweedSpec(_Strict):
    image: str
    master: _SeaweedMaster
    volume: _SeaweedVolume
    filer: _SeaweedFiler


class Seaweed(_Strict):
    """An object store."""

    api_version: Literal["seaweed.seaweedfs.com/v1"]
    kind: Literal["Seaweed"]
    metadata: _Metadata
    spec: _SeaweedSpec


class _KedaQueue(_Strict):
    protocol: Literal["http"]  # over AMQP it does not see what is in work
    queue_name: str
    mode: Literal["QueueLength"]
    value: Annotated[str, StringConstraints(pattern=r"^[1-9]\d*$")]


class _KedaAuthentication(_Strict):
    name: str


class _KedaTrigger(_Strict):
    type: Literal["rabbitmq"]
    metadata: _KedaQueue
    authentication_ref: _KedaAuthentication


class _KedaRollout(_Strict):
    strategy: Literal["default", "gradual"]


class _KedaScaling(_Strict):
    strategy: Literal["default", "custom", "accurate", "eager"]


class KedaOnRabbit(BaseModel):
    """What KEDA's own models leave open of a job that scales with a queue."""

    model_config = ConfigDict(extra="ignore", alias_generator=to_camel)

    triggers: Annotated[list[_KedaTrigger], Field(min_length=1, max_length=1)]
    rollout: _KedaRollout
    scaling_strategy: _KedaScaling
