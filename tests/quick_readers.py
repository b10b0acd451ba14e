"""Reading tokens with the extra `fast`, and without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from jwks_client._core import encoding

BY_PYBASE64 = encoding.octets_by_pybase64()
BY_ORJSON = encoding.object_by_orjson()


@contextmanager
def reading(*, quickly: bool) -> Iterator[None]:
    """Read with the extra, or without."""
    with (
        patch.object(encoding, "_quick_octets", BY_PYBASE64 if quickly else None),
        patch.object(encoding, "_quick_object", BY_ORJSON if quickly else None),
    ):
        yield
