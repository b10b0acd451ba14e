"""The certificate authorities that a client trusts, as one SSL context.

Imported when a client is made, never by ``import jwks_client``.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path

import httpx

from ..errors import ConfigurationError

log = logging.getLogger("jwks_client")


class Authorities:
    """The SSL context that all flights of a client share, made when it is first needed.

    Arguments:
        ca_file: a PEM file of authorities trusted in addition to the public ones, or None.
        given: a caller-supplied context, which replaces all of them.

    It has no lock, because a forked child could inherit it locked. At worst, two threads make two
    contexts.
    """

    def __init__(self, ca_file: str | None, given: ssl.SSLContext | None = None) -> None:
        self._ca_file = ca_file
        self._given = given
        self._bundle = os.environ.get("SSL_CERT_FILE")
        self._folder = os.environ.get("SSL_CERT_DIR")
        self._context: ssl.SSLContext | None = None
        self._stamp: object = None
        if ca_file is not None:
            self.context()

    def check(self) -> None:
        """Read the certificates that the environment names. Raises ConfigurationError."""
        if self._bundle or self._folder:
            self.context()

    def context(self) -> ssl.SSLContext:
        """Return the context, made again if ``ca_file`` has changed.

        If the changed file cannot be parsed, the previous context is kept. Raises
        ConfigurationError if there is none.
        """
        if self._given is not None:
            return self._given
        former, stamp = self._context, self._stamp_of_ca_file()
        if former is not None and stamp == self._stamp:
            return former
        self._stamp = stamp
        try:
            self._context = context = self._make()
        except ConfigurationError as error:
            if former is None:
                raise
            log.warning("%s; the previous authorities are still trusted", error.message)
            return former
        return context

    def after_fork(self) -> None:
        """Forget the context, so that the child makes its own."""
        self._context = self._stamp = None

    def _stamp_of_ca_file(self) -> object:
        if self._ca_file is None:
            return None
        try:
            found = Path(self._ca_file).stat()
        except (OSError, ValueError):
            return "missing"
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _make(self) -> ssl.SSLContext:
        context = self._public()
        if self._ca_file is not None:
            try:
                context.load_verify_locations(cafile=self._ca_file)
            except (OSError, ValueError) as error:  # SSLError is an OSError
                raise _unreadable("ca_file", self._ca_file, "PEM file") from error
        return context

    def _public(self) -> ssl.SSLContext:
        """Return a context that trusts the authorities from the environment, or the public ones."""
        if self._bundle:
            try:
                return ssl.create_default_context(cafile=self._bundle)
            except OSError as error:
                raise _unreadable("SSL_CERT_FILE", self._bundle, "PEM file") from error
        if self._folder:
            try:  # OpenSSL reads it during a handshake, and does not report errors
                os.scandir(self._folder).close()
            except OSError as error:
                raise _unreadable("SSL_CERT_DIR", self._folder, "folder") from error
            return ssl.create_default_context(capath=self._folder)
        return httpx.create_ssl_context(trust_env=False)


def _unreadable(field: str, path: str, kind: str) -> ConfigurationError:
    return ConfigurationError(
        field, f"must be a readable {kind} of certificate authorities, got {path!r}"
    )
