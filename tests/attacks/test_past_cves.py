"""Past mistakes of other libraries, by the number of the advisory.

Numbers and descriptions were checked against the CVE list, OSV or the project's own advisory. A mistake without a
counterpart here (HMAC compared in variable time: this library has no HMAC) is still tried, and refused.
"""

from __future__ import annotations

import known_key_attacks as keys
import known_token_attacks as tokens
import pytest

PYTHON = {
    "CVE-2017-11424 PyJWT": keys.pkcs1_pem_as_secret,
    "CVE-2022-29217 PyJWT": keys.ssh_keys_as_secret,
    "CVE-2024-53861 PyJWT": tokens.part_of_the_issuer,
    "CVE-2025-45768 PyJWT (disputed)": keys.short_keys,
    "CVE-2026-32597 PyJWT": tokens.critical_extension,
    "CVE-2026-48522 PyJWT": tokens.place_of_another_scheme,
    "CVE-2026-48523 PyJWT": keys.key_s_algorithm_beside_the_list,
    "CVE-2026-48524 PyJWT": tokens.fetches_without_end,
    "CVE-2026-48525 PyJWT": tokens.unencoded_payload,
    "CVE-2026-48526 PyJWT": keys.jwk_as_secret,
    "CVE-2026-101917 PyJWT": tokens.fetches_without_end,
    "CVE-2026-101918 PyJWT": tokens.depth,
    "CVE-2026-102265 PyJWT": tokens.depth,
    "CVE-2026-102266 PyJWT": keys.empty_secret,
    "CVE-2026-102267 PyJWT": tokens.redirect,
    "CVE-2026-102268 PyJWT": keys.altered_pem_as_secret,
    "CVE-2026-102269 PyJWT": tokens.other_texts_of_a_token,
    "CVE-2026-102271 PyJWT": keys.der_as_secret,
    "CVE-2026-102272 PyJWT": keys.jwk_as_secret,
    "CVE-2026-102273 PyJWT": keys.jwk_as_secret,
    "CVE-2026-102274 PyJWT": keys.one_bad_key_in_the_set,
    "CVE-2026-102275 PyJWT": keys.private_key_of_another,
    "CVE-2026-103001 PyJWT": tokens.settings_of_an_earlier_call,
    "CVE-2024-37568 Authlib": keys.any_public_key_as_secret,
    "CVE-2025-59420 Authlib": tokens.critical_extension,
    "CVE-2025-61920 Authlib": tokens.size,
    "CVE-2026-27962 Authlib": keys.key_in_the_header,
    "CVE-2026-28802 Authlib": tokens.unsigned,
    "CVE-2026-96760 Authlib": tokens.json_serialisation,
    "CVE-2026-114615 Authlib": keys.altered_pem_as_secret,
    "CVE-2026-114616 Authlib": keys.empty_secret,
    "CVE-2026-114617 Authlib": tokens.claim_that_switches_a_check_off,
    "CVE-2025-65015 joserfc": tokens.error_with_the_token_in_it,
    "CVE-2026-48990 joserfc": tokens.unencoded_payload,
    "CVE-2026-49852 joserfc": keys.empty_secret,
    "CVE-2026-62995 joserfc": tokens.other_texts_of_a_token,
    "CVE-2026-75509 joserfc": tokens.list_as_issuer,
    "CVE-2026-102946 joserfc": tokens.json_serialisation,
    "CVE-2016-7036 python-jose": keys.any_public_key_as_secret,
    "CVE-2024-33663 python-jose": keys.ssh_keys_as_secret,
    "CVE-2024-33664 python-jose": tokens.encrypted_instead_of_signed,
    "CVE-2026-85394 python-jose": keys.der_as_secret,
    "CVE-2026-120459 python-jose": keys.empty_secret,
    "CVE-2022-3102 jwcrypto": tokens.encrypted_instead_of_signed,
    "CVE-2023-6681 jwcrypto": tokens.encrypted_instead_of_signed,
    "CVE-2024-28102 jwcrypto": tokens.encrypted_instead_of_signed,
    "CVE-2026-84185 jwcrypto": keys.key_of_another_kid,
    "CVE-2022-39227 python-jwt": tokens.json_serialisation,
}
ELSEWHERE = {
    "CVE-2015-9235 jsonwebtoken": keys.any_public_key_as_secret,
    "CVE-2022-23539 jsonwebtoken": keys.key_of_another_type,
    "CVE-2022-23540 jsonwebtoken": tokens.unsigned,
    "CVE-2022-23541 jsonwebtoken": keys.mixed_keys_by_kid,
    "CVE-2025-65945 node-jws": keys.empty_secret,
    "CVE-2016-10555 jwt-simple": keys.any_public_key_as_secret,
    "CVE-2018-0114 node-jose": keys.key_in_the_header,
    "CVE-2023-48223 fast-jwt": keys.pkcs1_pem_as_secret,
    "CVE-2025-30144 fast-jwt": tokens.list_as_issuer,
    "CVE-2026-34950 fast-jwt": keys.altered_pem_as_secret,
    "CVE-2026-35039 fast-jwt": tokens.claims_of_another_token,
    "CVE-2026-107722 fast-jwt": keys.altered_pem_as_secret,
    "CVE-2026-107724 fast-jwt": keys.jwk_as_secret,
    "CVE-2025-59936 get-jwks": tokens.keys_of_an_issuer_nobody_named,
    "CVE-2026-22818 Hono": keys.key_without_algorithm,
    "CVE-2022-25898 jsrsasign": tokens.other_texts_of_a_token,
    "CVE-2020-26160 jwt-go": tokens.list_as_audience,
    "CVE-2024-51744 golang-jwt": tokens.expired_and_forged,
    "CVE-2025-30204 golang-jwt": tokens.size,
    "CVE-2017-12974 Nimbus": keys.point_off_the_curve,
    "CVE-2025-53864 Nimbus": tokens.depth,
    "CVE-2022-21449 Java": tokens.zeros_for_a_signature,
    "CVE-2021-46743 php-jwt": keys.mixed_keys_by_kid,
    "CVE-2026-45363 ruby-jwt": keys.empty_secret,
    "CVE-2020-28042 ServiceStack": tokens.no_signature_at_all,
    "CVE-2019-20933 InfluxDB": keys.empty_secret,
}


@pytest.mark.parametrize("assert_attack_fails", PYTHON.values(), ids=PYTHON)
def test_an_attack_on_another_python_library_fails_here(drive, assert_attack_fails):
    """Published attacks on PyJWT, Authlib, joserfc, python-jose, jwcrypto and python-jwt fail here."""
    assert_attack_fails(drive)


@pytest.mark.parametrize("assert_attack_fails", ELSEWHERE.values(), ids=ELSEWHERE)
def test_an_attack_on_a_library_of_another_language_fails_here(drive, assert_attack_fails):
    """Published attacks on libraries for JavaScript, Go, Java, PHP, Ruby and .NET fail here."""
    assert_attack_fails(drive)


def test_every_known_attack_is_used():
    """Each attack function is in one of the tables."""
    used = {one.__name__ for table in (PYTHON, ELSEWHERE) for one in table.values()}
    for module in (keys, tokens):
        made = {
            name
            for name, one in vars(module).items()
            if callable(one) and one.__module__ == module.__name__
        }
        assert made - used <= {"assert_no_hmac_accepted"}
