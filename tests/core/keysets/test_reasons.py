"""Why a fetch failed, in words for logs and health."""

from __future__ import annotations

import ssl

from jwks_client._core.keysets.reasons import cause, rejected_strictly, strictness


def test_only_a_strict_rejection_gets_the_advice_on_strict_checks():
    """Another failure, or none, is not blamed on Python 3.13's checks of certificates."""
    assert strictness(None) is None
    assert strictness(ssl.SSLError("handshake failure")) is None
    assert rejected_strictly(OSError("refused")) is None


def test_the_advice_names_the_flag_and_both_ways_out():
    """The message has the flag's name, the certificates, and the client that a caller can pass."""
    strict = ssl.SSLCertVerificationError("rejected")
    strict.verify_code, strict.verify_message = 92, "CA cert does not include key usage extension"
    advice = strictness(strict)
    assert "ssl.VERIFY_X509_STRICT" in advice
    assert "reissued" in advice
    assert "http=" in advice
    assert "key usage" in rejected_strictly(strict)


def test_a_cause_is_named_on_one_short_line():
    """An exception is reported by its type and text, escaped and truncated; one without text by its type alone."""
    assert cause(None, private=False) is None
    assert cause(OSError("refused\nby é"), private=False) == "OSError: refused\\nby \\xe9"
    assert cause(OSError(), private=False) == "OSError"
    assert len(cause(OSError("x" * 1000), private=False)) == 200


def test_the_text_of_a_private_cause_is_not_shown():
    """An exception of the application's own code may contain a secret, so only its type is reported."""
    assert cause(OSError("password"), private=True) == "OSError"
