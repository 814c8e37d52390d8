"""A private PostgreSQL server for tests: start, stop, freeze and start it again."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL, NullPool, create_engine

from observatory.metadata import create_tables_in
from shared.archive_db import ArchiveDbSettings
from tests.support.archive_tables import FilledTables
from tests.support.ports import free_ports
from tests.support.private_server import PrivateServer, wait_until
from tests.support.standing_still import children_of, standing_still

_PASSWORD = "test"
READER = "reader"


class PostgresServer(PrivateServer):
    """Runs a PostgreSQL server with its own data folder and port, on loopback; the data ends with the context.

    The server refuses to run as root: there it runs as the user ``postgres`` or ``nobody``.

    Parameters
    ----------
    synced
        Whether what is committed is on the disk, as anywhere but in tests.
    """

    def __init__(self, *, synced: bool = False) -> None:
        self._synced = synced
        self._bin = _binaries()
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._as = _another_user(self._folder)
        self._server: subprocess.Popen[bytes] | None = None
        self._names = count(1)
        self.port = free_ports(1)[0]

    def begin(self) -> None:
        """Make the data, start the server on them, and let the reader in."""
        self._make()
        self.start()
        with self._admin() as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(READER), _PASSWORD))

    def start(self, *, timeout: float = 30.0) -> None:
        """Start the server on its data and wait until it lets clients in."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if self._synced else "off",
            "shared_buffers": "32MB",
            "max_connections": 40,
        }
        arguments = [text for name, value in options.items() for text in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*self._as, str(self._bin / "postgres"), "-D", str(self._folder / "data"), *arguments],
                cwd=self._folder,
                env=_ENVIRONMENT,
                stdout=log,
                stderr=log,
            )
        log_file = self._folder / "log"
        wait_until(self._lets_in, name="PostgreSQL", process=self._server, log=log_file, timeout=timeout)

    def stop(self) -> None:
        """End the server and every connection, as an administrator does."""
        self._end(signal.SIGINT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop every process of the server in its tracks: the machine takes connections, and nobody answers."""
        assert self._server is not None, "PostgreSQL does not run"
        with standing_still([self._server.pid, *children_of(self._server.pid)]):
            yield

    def close(self) -> None:
        """End the server and remove its data."""
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """Make an empty database and return its name."""
        name = f"archive_{next(self._names)}"
        with self._admin() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return name

    def url(self, database: str, *, user: str = "owner", password: str = _PASSWORD) -> URL:
        """Return the URL of a database."""
        return URL.create("postgresql+psycopg", user, password, host="127.0.0.1", port=self.port, database=database)

    def _admin(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="owner", password=_PASSWORD, dbname="postgres", autocommit=True
        )

    def _make(self) -> None:
        secret = self._folder / "password"
        secret.write_text(_PASSWORD)
        secret.chmod(0o644)  # in a folder that only its owner may enter
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", f"--pwfile={secret}"]
        subprocess.run(
            [*self._as, str(self._bin / "initdb"), "-D", str(self._folder / "data"), "-U", "owner", *options],
            cwd=self._folder,
            env=_ENVIRONMENT,
            check=True,
            capture_output=True,
        )

    def _lets_in(self) -> bool:
        try:
            self._admin().close()
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        if self._server is not None:
            with suppress(ProcessLookupError):
                self._server.send_signal(how)
            self._server.wait(20)
            self._server = None


class PostgresTables(FilledTables):
    """The demo's metadata database on a PostgreSQL server; services read it under an account that may only read."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._database = server.new_database()
        engine = create_engine(server.url(self._database), poolclass=NullPool)
        super().__init__(engine)
        create_tables_in(engine)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")

    def settings(self, *, user: str = READER, password: str = _PASSWORD, **more: object) -> ArchiveDbSettings:
        """Return the settings by which a service reads these tables."""
        url = self._server.url(self._database, user=user, password=password)
        return ArchiveDbSettings.model_validate({"url": url.render_as_string(hide_password=False), **more})


_ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def _binaries() -> Path:
    """Find the server's programs: Debian keeps them, a folder per version, out of the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    found = shutil.which("initdb")
    if found is not None:
        folders.append(Path(found).resolve().parent)
    if not folders:
        raise FileNotFoundError("PostgreSQL is missing: install it by `apt-get install postgresql`")
    return folders[-1]


def _another_user(folder: Path) -> Sequence[str]:
    """Give the folder to another user, if we are root, and return what runs a command as that one."""
    if os.geteuid() != 0:
        return ()
    user = next(user for user in pwd.getpwall() if user.pw_name in {"postgres", "nobody"})
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--")
