"""All of the system behind proxies that can be cut, with servers that can be killed."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from alma_restore.registry import BUILDERS
from shared.objects.settings import S3Settings
from tests.chaos.plan import Plan
from tests.chaos.postbox import Postbox
from tests.chaos.standin_casa import write_standin
from tests.chaos.tiny_alma import TinyAlma
from tests.support.deployment import Deployment
from tests.support.mail_server import serving
from tests.support.rabbitmq import RabbitServer
from tests.support.s3 import S3Server
from tests.support.tcp_proxy import TcpProxy

REPLICAS = (*BUILDERS, "casa-runner")
"""Every service, and a second casa-runner."""
CASA_SECONDS = (0.5, 2.0)


@dataclass(frozen=True)
class _ProxiedBroker:
    url: str


class _ProxiedStore:
    def __init__(self, s3: S3Server, proxy: TcpProxy) -> None:
        self._s3, self._proxy = s3, proxy

    def settings(self) -> S3Settings:
        """Lead to the proxy."""
        return self._s3.settings().model_copy(update={"endpoint": f"http://127.0.0.1:{self._proxy.port}"})


@dataclass(frozen=True, kw_only=True)
class Site:
    """The running system and the handles by which it is troubled."""

    broker: RabbitServer
    s3: S3Server
    to_broker: TcpProxy
    to_s3: TcpProxy
    deployment: Deployment
    postbox: Postbox
    ledger: str


@contextmanager
def running(plan: Plan, root: Path) -> Iterator[Site]:
    """Start servers, observatory and services below a directory; at the end each is killed by its id."""
    with ExitStack() as stack:
        broker = stack.enter_context(RabbitServer())
        s3 = stack.enter_context(S3Server())
        to_broker = stack.enter_context(TcpProxy(target_port=broker.port))
        to_s3 = stack.enter_context(TcpProxy(target_port=urlsplit(s3.endpoint).port or 0))
        alma = stack.enter_context(TinyAlma(root=root / "alma", mouss=plan.mouss, corrupted=plan.corrupted))
        ledger = f"sqlite:///{root / 'ledger.db'}"
        postbox = Postbox(folder=root / "site" / "mails")
        deployment = stack.enter_context(
            Deployment(
                root=root / "site",
                alma=alma,
                broker=_ProxiedBroker(broker.url.replace(f":{broker.port}", f":{to_broker.port}")),
                s3=_ProxiedStore(s3, to_s3),
                services=REPLICAS,
                mail_server=stack.enter_context(serving(postbox)),
                settings={**_settings(plan, root), "ALMA_RESTORE_REQUEST_DESK_LEDGER_URL": ledger},
            )
        )
        yield Site(
            broker=broker,
            s3=s3,
            to_broker=to_broker,
            to_s3=to_s3,
            deployment=deployment,
            postbox=postbox,
            ledger=ledger,
        )


def _settings(plan: Plan, root: Path) -> dict[str, str]:
    crashing = [mous.blocks[0].uid.file_form for mous in plan.mouss if mous.uid in plan.crashing]
    casa = write_standin(root / "casa", seconds=CASA_SECONDS, crashing=crashing)
    return {
        "ALMA_RESTORE_CASA_RUNNER_PYTHON": str(casa),
        "ALMA_RESTORE_CASA_RUNNER_CONCURRENCY": "2",
        "ALMA_RESTORE_BUS__RECONNECT_DELAY_MAX": "1.0",
        "ALMA_RESTORE_NGAS_FETCHER_BACKOFF": "0.1",
        "ALMA_RESTORE_NGAS_FETCHER_ATTEMPTS": "3",
        "ALMA_RESTORE_NGAS_FETCHER_CONCURRENCY": "4",
    }
