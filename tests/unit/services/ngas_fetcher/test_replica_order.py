"""Which of several replicas is asked first: preferred servers, preferred clusters, then the report's own order."""

import json
from pathlib import Path

from observatory.ngas import Fault, NgasServer
from services.ngas_fetcher.holding import FilesHolding
from services.ngas_fetcher.locator import LocationReports
from tests.unit.services.ngas_fetcher.conftest import Archived
from tests.unit.services.ngas_fetcher.samples import EBS
from tests.unit.services.ngas_fetcher.test_service import FIRST_BDF, Make, run, staged_of

REPLICAS = (("a:1", "far"), ("b:1", "near"), ("c:1", "mid"), ("d:1", "near"), ("e:1", None))


def servers(tmp_path: Path, *, hosts: tuple[str, ...] = (), clusters: tuple[str, ...] = ()) -> tuple[str, ...]:
    entry = {"ngas_file_id": "x", "relative_path": "Main.xml", "version": 1, "size": 1}
    entries = [entry | {"server": {"server": server, "cluster": cluster}} for server, cluster in REPLICAS]
    (tmp_path / f"{EBS[0].file_form}.json").write_text(json.dumps({"files": entries}))
    holding = LocationReports(directory=tmp_path, hosts=hosts, clusters=clusters).locate(EBS[0])
    assert isinstance(holding, FilesHolding)
    return holding.location.files[0].servers


def test_without_a_preference_the_report_decides(tmp_path: Path) -> None:
    assert servers(tmp_path) == ("a:1", "b:1", "c:1", "d:1", "e:1")


def test_clusters_come_in_the_order_of_preference_and_others_after_them(tmp_path: Path) -> None:
    assert servers(tmp_path, clusters=("near", "mid")) == ("b:1", "d:1", "c:1", "a:1", "e:1")


def test_servers_come_before_clusters(tmp_path: Path) -> None:
    assert servers(tmp_path, hosts=("e:1", "c:1", "z:9"), clusters=("near",)) == ("e:1", "c:1", "b:1", "d:1", "a:1")


def on_both(tmp_path: Path, other: NgasServer) -> None:
    """Let the report say that the other server, first and in a cluster of its own, has all files too."""
    for path in (tmp_path / "locations").iterdir():
        report = json.loads(path.read_text())
        replicas = [f | {"server": {"server": other.address, "cluster": "other"}} for f in report["files"]]
        path.write_text(json.dumps({"files": [*replicas, *report["files"]]}))


def test_a_replica_that_is_not_preferred_is_asked_only_for_what_the_preferred_one_lacks(
    make_fetcher: Make, archived: Archived, server: NgasServer, tmp_path: Path
) -> None:
    with NgasServer(tmp_path / "ngas2") as other:
        for file in server.store.files():
            other.archive(server.root / file.path, file.file_id)
        on_both(tmp_path, other)
        server.faults.set(Fault(corrupt_at=7), file_id=FIRST_BDF)
        fetcher = make_fetcher(hosts=(server.address,), clusters=("observatory", "other"))
        assert len(staged_of(run(fetcher, archived))) == 2
        assert [request.file_id for request in other.requests] == [FIRST_BDF]


def test_the_preferred_cluster_is_asked_although_the_report_has_another_first(
    make_fetcher: Make, archived: Archived, server: NgasServer, tmp_path: Path
) -> None:
    with NgasServer(tmp_path / "ngas2") as other:
        on_both(tmp_path, other)
        fetcher = make_fetcher(hosts=("127.0.0.1:1", server.address), clusters=("observatory",), connect_timeout=1)
        assert len(staged_of(run(fetcher, archived))) == 2
        assert other.requests == []
