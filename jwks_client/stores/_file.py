"""`FileStore`: key sets shared by the processes of one host, through a directory on a local disk.

The directory decides who can write, so its owner and mode are checked at every access, and links
are not followed. A value is a file, which is replaced atomically. Its age is the difference between
its modification time and that of a file that is touched now, so both times are from one clock.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets as random
import stat
import time
from collections.abc import Generator, Iterable
from typing import Any, Final

from ..errors import ConfigurationError
from ..protocols import Stored
from ._arguments import Secret, secrets_of
from ._leases import Leases
from ._lifetime import LONGEST, dated, undated

try:
    import fcntl
except ImportError:  # pragma: no cover (Windows)
    fcntl = None  # type: ignore[assignment]

_HAS_OWNERS: Final = hasattr(os, "geteuid")
_BY_DESCRIPTOR: Final = os.open in os.supports_dir_fd
# O_NONBLOCK: opening a pipe that an attacker put there must not block.
_SAFE: Final[int] = (
    getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_LEFT_BEHIND: Final = 60.0  # seconds after which the writer of a temporary file must be gone
_CLOCK: Final = ".now"


class FileStore:
    """A store for the processes of one host.

    Arguments:
        directory: a dedicated directory on a local disk, which is created if it is missing. It must
            belong to the user of this process or to root, and must not be writable by others.
        secret: seals the records, at least 32 bytes. Without a secret, records are marked as
            unsealed; use this only where everyone who can write to the directory could also change
            the application's code. Of several, the first seals and all verify.

    Raises `ConfigurationError` naming the argument.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        secret: Secret | Iterable[Secret] | None = None,
    ) -> None:
        required = "" if _HAS_OWNERS else "this system has no file owners to rely on"
        self.secrets = secrets_of(secret, required=required)
        if not isinstance(directory, (str, os.PathLike)) or not str(directory):
            given = "''" if isinstance(directory, str) else type(directory).__name__
            raise ConfigurationError("directory", f"must be a path, got {given}")
        self._path = os.path.abspath(directory)
        self._leases = Leases()
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(self._path, 0o700)
            with self._opened():
                pass
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                "directory", f"must be a directory that only this user can write to: {_why(error)}"
            ) from error

    def read(self, name: str, limit: int) -> Stored | None:
        """Return a value and its age by the file system's clock."""
        with self._opened() as at:
            found = at.read(_file_name(name), limit + LONGEST)
            if found is None:
                return None
            octets, written = found
            age = at.now() - written
        lifetime, value = undated(octets)
        if lifetime is not None and age > lifetime:
            return None
        return Stored(value, age if lifetime is not None and age >= 0 else None)

    def write(self, name: str, value: bytes, seconds: float) -> None:
        """Replace a value."""
        with self._opened() as at:
            at.sweep()
            at.replace(_file_name(name), dated(value, seconds))

    def claim(self, name: str, seconds: float) -> bool:
        """Take a lease, unless it is taken."""
        began = time.monotonic()
        with self._opened() as at, at.locked() as locked:
            if not locked:
                return False  # another process is changing a lease at this moment
            file = _file_name(name)
            found = at.read(file, LONGEST)
            if found is not None:
                lifetime, _ = undated(found[0])
                if lifetime is not None and 0 <= at.now() - found[1] <= lifetime:
                    return False
            at.replace(file, dated(b"1", seconds))
        self._leases.took(name, seconds, began)
        return True

    def release(self, name: str) -> None:
        """Give a lease back, unless it has expired."""
        if self._leases.give_back(name):
            with self._opened() as at, at.locked() as locked:
                if locked:
                    at.remove(_file_name(name))

    @contextlib.contextmanager
    def _opened(self) -> Generator[_Directory]:
        if not _BY_DESCRIPTOR:  # pragma: no cover (Windows, where the secret protects)
            if os.path.islink(self._path) or not os.path.isdir(self._path):
                raise NotADirectoryError(errno.ENOTDIR, "it is not a directory")
            yield _Directory(None, self._path)
            return
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | _SAFE)
        try:
            _check(os.fstat(descriptor))
            yield _Directory(descriptor, self._path)
        finally:
            os.close(descriptor)

    def __repr__(self) -> str:
        return f"<FileStore at {self._path!r}>"


class _Directory:
    """The store's directory, open and checked."""

    def __init__(self, descriptor: int | None, path: str) -> None:
        self._descriptor = descriptor
        self._path = path

    def read(self, name: str, limit: int) -> tuple[bytes, float] | None:
        """Return the first ``limit`` + 1 bytes of a file, and the time when it was written."""
        try:
            descriptor = self._open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            _check(facts, directory=False)
            return file.read(limit + 1), facts.st_mtime

    def now(self) -> float:
        """Return the time by the file system's clock."""
        descriptor = self._open(_CLOCK, os.O_WRONLY | os.O_CREAT)
        try:
            _check(os.fstat(descriptor), directory=False)
            os.utime(descriptor if os.utime in os.supports_fd else self._at(_CLOCK)[0])
            return os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)

    def replace(self, name: str, octets: bytes) -> None:
        """Replace a file atomically: a reader sees the old one or the new one."""
        temporary = f".tmp-{random.token_hex(8)}"
        descriptor = self._open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(octets)
            (source, inside), (target, _) = self._at(temporary), self._at(name)
            if inside:
                os.replace(source, target, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
            else:  # pragma: no cover (Windows)
                os.replace(source, target)
        except BaseException:
            self.remove(temporary)
            raise

    def remove(self, name: str) -> None:
        """Remove a file, if it exists."""
        path, inside = self._at(name)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path, **inside)

    def sweep(self) -> None:
        """Remove temporary files of writers that were killed."""
        now = self.now()
        for name in os.listdir(self._path if self._descriptor is None else self._descriptor):
            if name.startswith(".tmp-"):
                found = self.read(name, 0)
                if found is not None and now - found[1] > _LEFT_BEHIND:
                    self.remove(name)

    @contextlib.contextmanager
    def locked(self) -> Generator[bool]:
        """Lock the leases against other processes inside the block; never wait.

        The operating system releases the lock when the process ends. On Windows, which has no such
        locks, two processes may take the same lease, which costs one more fetch.
        """
        if fcntl is None or self._descriptor is None:  # pragma: no cover (Windows)
            yield True
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:  # closing is not enough: a process forked since then also holds it
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _open(self, name: str, flags: int) -> int:
        path, inside = self._at(name)
        return os.open(path, flags | _SAFE | getattr(os, "O_BINARY", 0), 0o600, **inside)

    def _at(self, name: str) -> tuple[str, dict[str, Any]]:
        if self._descriptor is None:  # pragma: no cover (Windows)
            return os.path.join(self._path, name), {}
        return name, {"dir_fd": self._descriptor}


def _check(facts: os.stat_result, *, directory: bool = True) -> None:
    """Raise OSError unless a path is a plain file or a directory that only this user can write."""
    kind = stat.S_ISDIR(facts.st_mode) if directory else stat.S_ISREG(facts.st_mode)
    if not kind:
        raise OSError(errno.EINVAL, f"it is not a {'directory' if directory else 'plain file'}")
    if not _HAS_OWNERS:  # pragma: no cover (Windows)
        return
    if facts.st_uid not in {os.geteuid(), 0}:
        raise PermissionError(errno.EPERM, "it belongs to another user")
    if facts.st_mode & _OTHERS_MAY_WRITE:
        raise PermissionError(errno.EPERM, "others may write to it")


def _why(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return "it has characters that no path can have"
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return "it is a link, or not a directory"
    return error.strerror or type(error).__name__


def _file_name(name: str) -> str:
    return name.replace(":", ".")  # no name contains a dot, and every file system allows it
