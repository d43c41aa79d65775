"""The database: private, durable, and clear about what is wrong with it."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from ledger_examples import reserve
from sqlalchemy import make_url, update

from eco_dask.errors import ConfigurationError
from eco_dask.ledger.database import open_database, redacted, writing
from eco_dask.ledger.store import Ledger
from eco_dask.ledger.tables import SCHEMA_VERSION, schema_version


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_and_its_new_folders_belong_to_this_user_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    path = tmp_path / "a" / "b" / "ledger.db"
    engine = open_database(f"sqlite:///{path}")
    Ledger(engine).apply([reserve()])
    modes = {file.name: mode_of(file) for file in [path.parent.parent, *path.parent.iterdir()]}
    assert modes == {
        "a": 0o700,
        "ledger.db": 0o600,
        "ledger.db-wal": 0o600,
        "ledger.db-shm": 0o600,
    }
    assert [mode_of(path.parent), mode_of(tmp_path)] == [0o700, 0o755]
    engine.dispose()


def test_sqlite_is_set_up_to_survive_a_killed_process(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/ledger.db")
    expected = {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 30_000, "foreign_keys": 1}
    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in expected
        }
    assert found == expected
    engine.dispose()


def test_many_may_open_a_new_database_at_the_same_moment(fresh_url: Callable[[], str]) -> None:
    openers, rounds = 6, 15
    together = Barrier(openers)

    def open_together(url: str) -> int:
        together.wait()
        engine = open_database(url)
        try:
            return Ledger(engine).total_mpt()
        finally:
            engine.dispose()

    with ThreadPoolExecutor(openers) as pool:
        for _ in range(rounds):
            assert list(pool.map(open_together, [fresh_url()] * openers)) == [0] * openers


def test_a_new_file_that_another_process_is_writing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SQLite fails at once here, whatever the busy timeout; the other is done after the first nap.
    other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("eco_dask.ledger.database.time.sleep", lambda _: other.rollback())
    engine = open_database(f"sqlite:///{tmp_path}/ledger.db")
    assert not other.in_transaction
    assert Ledger(engine).apply([reserve()]) == 1
    other.close()
    engine.dispose()


def test_a_writer_that_fails_lets_the_next_one_write(url: str) -> None:
    engine = open_database(url)

    def fail_after_a_change() -> None:
        with writing(engine) as connection:
            connection.execute(update(schema_version).values(version=0))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail_after_a_change()
    with writing(engine) as connection:
        assert connection.execute(schema_version.select()).scalar_one() == SCHEMA_VERSION
    engine.dispose()


def test_a_newer_schema_is_refused(url: str) -> None:
    engine = open_database(url)
    with writing(engine) as connection:
        connection.execute(update(schema_version).values(version=SCHEMA_VERSION + 1))
    engine.dispose()
    with pytest.raises(
        ConfigurationError,
        match=rf"schema version {SCHEMA_VERSION + 1}, .* knows up to {SCHEMA_VERSION}: upgrade",
    ):
        open_database(url)


def garbage(folder: Path) -> str:
    (folder / "garbage.db").write_bytes(b"not a database at all" * 100)
    return f"sqlite:///{folder}/garbage.db"


def short_garbage(folder: Path) -> str:
    (folder / "short.db").write_bytes(b"hello")
    return f"sqlite:///{folder}/short.db"


def parent_is_a_file(folder: Path) -> str:
    (folder / "file").touch()
    return f"sqlite:///{folder}/file/ledger.db"


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (garbage, r"cannot open the ledger at sqlite:.*garbage.db: file is not a database"),
        (short_garbage, r"cannot open the ledger at sqlite:.*short.db: file is not a database"),
        (parent_is_a_file, r"cannot create the ledger at sqlite:.*name a file in a folder"),
        (lambda folder: f"sqlite:///{folder}", r"cannot create the ledger at .*Is a directory"),
        (lambda _: "sqlite:////proc/ledger.db", r"cannot create the ledger at sqlite:"),
        (lambda _: "sqlite://", r"needs the path of a file"),
        (lambda _: "sqlite:///:memory:", r"needs the path of a file"),
        (lambda _: "sqlite:///file:x?mode=memory&uri=true", r"takes no options"),
        (lambda _: "mysql://u:hunter2@h/d", r"sqlite or postgresql; mysql://u:\*\*\*@h/d asks"),
        (lambda _: "", r"is malformed; write sqlite:///PATH"),
        (lambda _: "hunter2", r"is malformed"),
        (lambda _: "postgresql://u:hunter2@h:port/d", r"is malformed"),
        (
            lambda _: "postgresql://u:hunter2@127.0.0.1:1/d",
            r"cannot open the ledger at postgresql://u:\*\*\*@127.0.0.1:1/d: connection failed",
        ),
        (
            lambda _: "postgres://u@127.0.0.1:1/d?password=hunter2",
            r"cannot open the ledger at postgres://u@127.0.0.1:1/d\?password=",
        ),
    ],
)
def test_what_cannot_be_opened_is_refused_clearly_and_without_the_password(
    tmp_path: Path, prepare: Callable[[Path], str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        open_database(prepare(tmp_path))
    causes: list[BaseException | None] = [caught.value, caught.value.__cause__]
    assert not any("hunter2" in str(cause) for cause in causes)


def test_garbage_is_left_as_it_was(tmp_path: Path) -> None:
    url = garbage(tmp_path)
    path = Path(str(make_url(url).database))
    before = path.read_bytes()
    with pytest.raises(ConfigurationError):
        open_database(url)
    assert path.read_bytes() == before


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE schema_version (other TEXT)")
    connection.close()
    with pytest.raises(ConfigurationError, match=r"no such column: schema_version\.version"):
        open_database(f"sqlite:///{path}")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hunter2@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u@h/d?password=hunter2&sslpassword=hunter2", "postgresql://u@h/d?"),
        ("sqlite:///ledger.db", "sqlite:///ledger.db"),
        ("hunter2", "<malformed database URL>"),
        ("postgresql://u:hunter2@h:port/d", "<malformed database URL>"),
    ],
)
def test_a_url_is_shown_without_passwords(url: str, shown: str) -> None:
    assert redacted(url).startswith(shown)
    assert "hunter2" not in redacted(url)
