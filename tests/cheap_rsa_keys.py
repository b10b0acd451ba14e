"""RSA keys for tests: many of them from a few primes.

Generating a key takes 50 ms, and the tests need hundreds. Any two primes make a key, so the two primes
of each generated key are also combined with all earlier ones. Such keys are fit only for tests: two keys
that share a prime reveal it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import rsa

USUAL = (65537, 2048)  # public exponent and size
_generate = rsa.generate_private_key
_lock = threading.Lock()


def _key_of(p: int, q: int) -> rsa.RSAPrivateKey:
    """Return the key of two primes."""
    exponent, _ = USUAL
    d = rsa.rsa_recover_private_exponent(exponent, p, q)
    return rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(exponent, p * q),
    ).private_key(unsafe_skip_rsa_key_validation=True)


def _usual_keys() -> Iterator[rsa.RSAPrivateKey]:
    """Yield different keys without end."""
    primes: list[int] = []
    while True:
        key = _generate(*USUAL)
        yield key
        numbers = key.private_numbers()
        new = [numbers.p, numbers.q]
        yield from (_key_of(p, q) for p in primes for q in new)
        primes += new


_keys = _usual_keys()


def generate_private_key(public_exponent: int, key_size: int) -> rsa.RSAPrivateKey:
    """Return a new key, at little cost if exponent and size are the usual ones."""
    if (public_exponent, key_size) != USUAL:
        return _generate(public_exponent, key_size)
    with _lock:
        return next(_keys)
