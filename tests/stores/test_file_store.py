"""`FileStore`: the checks of its directory at every access; links, pipes, clocks, leftovers."""

from __future__ import annotations

import os
import stat

import pytest

from jwks_client.stores import FileStore

NAME = "keys-0123"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(folder):
    return FileStore(folder)


def age(path, seconds: float) -> None:
    facts = path.stat()
    os.utime(path, (facts.st_atime, facts.st_mtime - seconds))


def every_call(store):
    return (
        lambda: store.read(NAME, 100),
        lambda: store.write(NAME, b"x", 60),
        lambda: store.claim(NAME + ":lease", 60),
    )


def test_the_directory_is_checked_at_every_access(store, folder):
    """A directory that became writable for others after the store was made is not used any more."""
    store.write(NAME, b"x", 60)
    folder.chmod(0o777)
    for call in every_call(store):
        with pytest.raises(PermissionError):
            call()
    folder.chmod(0o700)
    assert store.read(NAME, 100).value == b"x"


def test_a_directory_that_became_a_link_is_not_followed(store, folder, tmp_path):
    """A link in the directory's place is not followed."""
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    for call in every_call(store):
        with pytest.raises(OSError):
            call()


def test_a_link_as_a_record_is_not_followed(store, folder, tmp_path):
    """A link, a pipe or a directory in a record's place is not read, and no call waits for it."""
    (tmp_path / "elsewhere").write_bytes(b"60000 planted")
    (folder / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        store.read(NAME, 100)
    (folder / NAME).unlink()
    os.mkfifo(folder / NAME, 0o600)
    with pytest.raises(OSError):
        store.read(NAME, 100)
    (folder / NAME).unlink()
    (folder / NAME).mkdir()
    with pytest.raises(OSError):
        store.read(NAME, 100)


def test_a_record_that_others_may_write_to_is_not_read(store, folder):
    """A file that others may write to is not read."""
    store.write(NAME, b"x", 60)
    (folder / NAME).chmod(0o666)
    with pytest.raises(PermissionError):
        store.read(NAME, 100)


def test_files_belong_to_this_user_only(store, folder):
    """Only this user can read and write the files, whatever the umask."""
    before = os.umask(0)
    try:
        store.write(NAME, b"x", 60)
        store.claim(NAME + ":lease", 60)
    finally:
        os.umask(before)
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_replaced_link_leaves_its_target_unchanged(store, folder, tmp_path):
    """Writing over a link replaces the link, and never its target."""
    (tmp_path / "precious").write_bytes(b"precious")
    (folder / NAME).symlink_to(tmp_path / "precious")
    store.write(NAME, b"x", 60)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert store.read(NAME, 100).value == b"x"


def test_ages_go_by_the_clock_of_the_file_system(store, folder):
    """A value's age is the difference of two file times."""
    store.write(NAME, b"x", 60)
    age(folder / NAME, 10)
    assert 10 <= store.read(NAME, 100).age < 40
    age(folder / NAME, 60)
    assert store.read(NAME, 100) is None


def test_a_file_from_the_future_has_no_age(store, folder):
    """After the clock was set back, a value has no age rather than a wrong one."""
    store.write(NAME, b"x", 60)
    age(folder / NAME, -3600)
    assert store.read(NAME, 100).age is None


def test_a_lease_expires_by_itself(store, folder):
    """A lease whose holder was killed is free after its time, even if the clock was set back."""
    assert store.claim(NAME, 60)
    assert not FileStore(folder).claim(NAME, 60)
    age(folder / NAME, 61)
    assert FileStore(folder).claim(NAME, 60)
    age(folder / NAME, -3600)
    assert FileStore(folder).claim(NAME, 60)


def test_a_foreign_file_is_not_a_record(store, folder):
    """A file that this class did not write is returned without an age, and the reader refuses it."""
    for octets in (b"", b"garbage", b"-1 x", b"9" * 20 + b" x"):
        (folder / NAME).write_bytes(octets)
        (folder / NAME).chmod(0o600)
        assert store.read(NAME, 100).age is None
        assert store.claim(NAME, 60)  # nor is it a lease


def test_leftovers_of_a_killed_writer_are_removed(store, folder):
    """Temporary files of killed writers are removed after a minute, and no other file is."""
    for name, seconds in ((".tmp-old", 61), (".tmp-new", 1), ("other", 1000)):
        (folder / name).touch(mode=0o600)
        age(folder / name, seconds)
    store.write(NAME, b"x", 60)
    assert {path.name for path in folder.iterdir()} == {".now", ".tmp-new", "other", NAME}


def test_a_failed_write_leaves_nothing(store, folder):
    """A failed write leaves the old value and no temporary file."""
    store.write(NAME, b"old", 60)
    (folder / "taken").mkdir()
    with pytest.raises(OSError):
        store.write("taken", b"x", 60)
    assert store.read(NAME, 100).value == b"old"
    assert not list(folder.glob(".tmp-*"))


def test_a_forked_child_holds_no_lease_of_its_parent(store, folder):
    """A child does not release its parent's lease."""
    assert store.claim(NAME, 60)
    child = os.fork()
    if child == 0:
        store.release(NAME)
        os._exit(0)
    os.waitpid(child, 0)
    assert not FileStore(folder).claim(NAME, 60)
