"""The RSA keys of the tests are real keys, and no two of them are equal."""

import jwt
from cheap_rsa_keys import generate_private_key
from cryptography.hazmat.primitives.asymmetric import rsa


def test_every_key_is_another_and_signs():
    """Each key signs a token that its own public key verifies, and no other key has its modulus."""
    keys = [generate_private_key(65537, 2048) for _ in range(25)]
    for key in keys:
        assert jwt.decode(jwt.encode({"a": 1}, key, "RS256"), key.public_key(), ["RS256"])
    moduli = {key.public_key().public_numbers().n for key in keys}
    assert len(moduli) == len(keys)
    assert {modulus.bit_length() for modulus in moduli} == {2048}


def test_a_key_of_another_kind_is_generated_as_asked():
    """A test that asks for an unusual exponent or size gets exactly that."""
    numbers = generate_private_key(3, 2048).public_key().public_numbers()
    assert (numbers.e, numbers.n.bit_length()) == (3, 2048)


def test_the_tests_and_the_kit_use_these_keys():
    """Code in the tests' process that generates an RSA key gets one of these."""
    assert rsa.generate_private_key is generate_private_key
