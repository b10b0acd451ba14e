"""`migrate.PyJWKClient` compared with PyJWT's own class: each promise is tested on both."""

import base64
import inspect
import json
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import jwt
import pytest
from jwt import PyJWK, PyJWKClientConnectionError, PyJWKClientError, PyJWKSet, PyJWKSetError

from jwks_client import migrate
from jwks_client.testing import FakeClock, FakeProvider

# An older release of PyJWT behaves differently (it follows redirects and reads files), so it is compared
# with a release that has the cooldown.
IS_MEASURE = "cooldown_duration" in inspect.signature(jwt.PyJWKClient).parameters
KINDS = [migrate.PyJWKClient, *([jwt.PyJWKClient] if IS_MEASURE else [])]


@pytest.fixture(params=KINDS, ids=["migrate", "PyJWT"][: len(KINDS)])
def kind(request):
    """Return each of the two classes."""
    return request.param


@pytest.fixture
def clock(monkeypatch):
    """Return the clock that both classes read."""
    clock = FakeClock()
    monkeypatch.setattr("jwks_client._client.base.SystemClock", lambda: clock)
    stopped = SimpleNamespace(monotonic=clock.monotonic)
    for module in ("jwks_client", "jwk_set_cache", "api_jwk"):
        monkeypatch.setattr(sys.modules[f"jwt.{module}"], "time", stopped, raising=IS_MEASURE)
    return clock


@pytest.fixture
def idp():
    """Serve a provider on loopback."""
    provider = FakeProvider(issuer=None)
    with provider.serve() as base_url:
        provider.url = f"{base_url}/.well-known/jwks.json"
        yield provider


@pytest.fixture
def idp_over_tls():
    """Return the URL of a key set under a private authority, and a context that trusts it."""
    provider = FakeProvider(issuer=None)
    with provider.serve(tls=True) as base_url:
        trusting = ssl.create_default_context(cafile=provider.ca_file)
        yield f"{base_url}/.well-known/jwks.json", trusting


def decoded(token, key):
    return jwt.decode(token, key, algorithms=["RS256"], audience="api")


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


def test_the_arguments_are_those_of_pyjwt():
    """Every argument of PyJWT's class is accepted in the same position, with the same default."""
    theirs = inspect.signature(jwt.PyJWKClient).parameters.values()
    ours = inspect.signature(migrate.PyJWKClient).parameters.values()
    parameters = {one.name: (one.kind, one.default) for one in ours}
    assert {one.name: parameters[one.name] for one in theirs} == {
        one.name: (one.kind, one.default) for one in theirs
    }
    assert list(parameters)[: len(theirs)] == [one.name for one in theirs]


def test_the_methods_are_those_of_pyjwt():
    """Every public method of PyJWT's class exists, with the same parameters and defaults."""
    for name, method in inspect.getmembers(jwt.PyJWKClient, callable):
        if not name.startswith("_"):
            ours = inspect.signature(getattr(migrate.PyJWKClient, name)).parameters.values()
            theirs = inspect.signature(method).parameters.values()
            assert [(one.name, one.default) for one in ours] == [
                (one.name, one.default) for one in theirs
            ], name


def test_the_package_does_not_import_it():
    """`import jwks_client` does not import PyJWT."""
    code = "import jwks_client, sys; sys.exit('jwks_client.migrate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_token_is_verified_with_its_key(kind, idp):
    """The key of a token is a PyJWK, and `jwt.decode` accepts it whole or as `.key`."""
    token = idp.issue(sub="u1")
    for raw in (token, token.encode()):
        key = kind(idp.url).get_signing_key_from_jwt(raw)
        assert type(key) is PyJWK
        assert (key.key_id, key.key_type, key.public_key_use) == (kid_of(token), "RSA", "sig")
        assert key.algorithm_name == "RS256"
        assert decoded(token, key)["sub"] == decoded(token, key.key)["sub"] == "u1"


@pytest.mark.parametrize("algorithm", ["PS384", "ES256", "ES384", "ES512", "ES256K", "EdDSA"])
def test_every_type_of_key_is_read(kind, algorithm):
    """Keys of each type verify their provider's tokens, whether or not they name an `alg`."""
    idp = FakeProvider(issuer=None, algorithm=algorithm)
    token = idp.issue()
    with idp.serve() as base_url:
        key = kind(f"{base_url}/.well-known/jwks.json").get_signing_key_from_jwt(token)
    assert jwt.decode(token, key, algorithms=[algorithm], audience="api")["aud"] == "api"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_a_key_without_alg_has_the_algorithm_of_its_type(kind, idp, algorithm):
    """PyJWT's default algorithm for a type of key is the default here."""
    other = FakeProvider(algorithm=algorithm)
    (jwk,) = other.jwks()["keys"]
    del jwk["alg"], jwk["use"]
    idp.fail(json.dumps({"keys": [jwk]}).encode())
    key = kind(idp.url).get_signing_key(jwk["kid"])
    assert (key.algorithm_name, key.public_key_use) == (algorithm, None)


def test_the_whole_set(kind, idp):
    """`get_jwk_set`, `get_signing_keys`, `fetch_data` and `match_kid` show the same keys."""
    idp.rotate()
    client = kind(idp.url)
    jwk_set = client.get_jwk_set()
    assert type(jwk_set) is PyJWKSet
    keys = client.get_signing_keys()
    kids = [key.key_id for key in keys]
    assert kids == [key.key_id for key in jwk_set.keys] == ["key-1", "key-2"]
    assert all(type(key) is PyJWK for key in keys)
    document = client.fetch_data()
    assert [
        {name: jwk[name] for name in ("kty", "kid", "alg", "use", "n", "e")}
        for jwk in document["keys"]
    ] == idp.jwks()["keys"]
    assert kind.match_kid(keys, "key-2") is keys[1]
    assert kind.match_kid(keys, "key-3") is None
    assert client.uri == idp.url


@pytest.mark.parametrize("cache_keys", [False, True])
def test_a_key_set_is_fetched_once(kind, idp, cache_keys):
    """All calls share one fetch while the set is cached."""
    client = kind(idp.url, cache_keys=cache_keys)
    token = idp.issue()
    for _ in range(3):
        client.get_signing_key_from_jwt(token)
        client.get_signing_key(kid_of(token))
        client.get_signing_keys()
        client.get_jwk_set()
    assert idp.fetches == 1


def test_refresh_fetches(kind, idp):
    """`refresh=True` and `fetch_data` fetch each time, and cache the result."""
    client = kind(idp.url)
    client.get_jwk_set(refresh=True)
    client.get_signing_keys(refresh=True)
    client.fetch_data()
    assert idp.fetches == 3
    client.get_jwk_set()
    assert idp.fetches == 3


def test_the_lifespan_is_the_caller_s(kind, idp, clock):
    """The set is fetched again after `lifespan`, whatever the provider's headers say."""
    idp.answer_headers = {"Cache-Control": "max-age=5"}
    client = kind(idp.url, lifespan=1000)
    kid = client.get_signing_keys()[0].key_id
    clock.advance(700)
    client.get_signing_key(kid)
    client.get_jwk_set()
    assert idp.fetches == 1
    clock.advance(301)
    client.get_jwk_set()
    assert idp.fetches == 2
    clock.advance(1001)
    client.get_signing_key(kid)
    assert idp.fetches == 3


def test_an_expired_set_is_not_used_during_an_outage(kind, idp, clock):
    """Within its lifespan a set outlasts an outage; past it, the outage is raised."""
    client = kind(idp.url)
    kid = client.get_signing_keys()[0].key_id
    idp.fail(503)
    with pytest.raises(PyJWKClientConnectionError):
        client.get_jwk_set(refresh=True)
    assert client.get_signing_key(kid).key_id == kid
    assert client.get_jwk_set().keys[0].key_id == kid
    clock.advance(301)
    for call in (client.get_jwk_set, client.get_signing_keys, lambda: client.get_signing_key(kid)):
        with pytest.raises(PyJWKClientConnectionError):
            call()
    idp.recover()
    clock.advance(1)
    assert client.get_signing_key(kid).key_id == kid


def test_no_cache(kind, idp):
    """`cache_jwk_set=False` fetches for each call, so a withdrawn key is gone at once."""
    client = kind(idp.url, cache_jwk_set=False)
    token = idp.issue()
    client.get_signing_key_from_jwt(token)
    client.get_signing_keys()
    client.get_jwk_set()
    assert idp.fetches == 3
    idp.rotate()
    idp.revoke(kid_of(token))
    with pytest.raises(PyJWKClientError):
        client.get_signing_key_from_jwt(token)


def test_cached_keys_without_a_cached_set(kind, idp):
    """`cache_keys=True` caches lookups by kid even with `cache_jwk_set=False`."""
    client = kind(idp.url, cache_keys=True, cache_jwk_set=False)
    for _ in range(3):
        client.get_signing_key("key-1")
    assert idp.fetches == 1
    client.get_jwk_set()
    assert idp.fetches == 2


def test_a_rotation_is_seen(kind, idp):
    """A token of a new key is verified at once without a cooldown."""
    client = kind(idp.url, cooldown_duration=0)
    client.get_signing_key_from_jwt(idp.issue())
    for _ in range(3):
        idp.rotate()
        token = idp.issue()
        assert decoded(token, client.get_signing_key_from_jwt(token))["aud"] == "api"
    assert idp.fetches == 4


def test_a_rotation_is_seen_after_the_cooldown(kind, idp, clock):
    """With the default cooldown a new key is found after 30 seconds at the latest."""
    client = kind(idp.url)
    for number in range(2, 5):
        client.get_signing_keys()
        idp.rotate()
        clock.advance(30)
        assert client.get_signing_key(f"key-{number}").key_id == f"key-{number}"


def test_unknown_kids_have_a_budget(kind, idp):
    """A flood of unknown kids causes a few fetches, and known kids are found during it."""
    client = kind(idp.url)
    client.get_signing_keys()
    for number in range(50):
        with pytest.raises(PyJWKClientError) as caught:
            client.get_signing_key(f"made-up-{number}")
        assert f'"made-up-{number}"' in str(caught.value)
        assert type(caught.value) is PyJWKClientError
    assert idp.fetches <= 3
    assert client.get_signing_key("key-1").key_id == "key-1"


@pytest.mark.parametrize("kid", [None, "", 7, b"key-1", "\ud800"])
def test_an_impossible_kid_matches_no_key(kind, idp, kid):
    """A kid that no key can have is refused like an unknown one."""
    with pytest.raises(PyJWKClientError, match="Unable to find a signing key that matches"):
        kind(idp.url).get_signing_key(kid)


def test_a_token_without_kid_is_refused(kind, idp):
    """A token without a kid is refused, even if the set has only one key."""
    token = jwt.encode({"aud": "api"}, "k" * 32, algorithm="HS256")
    with pytest.raises(PyJWKClientError, match="Unable to find a signing key that matches"):
        kind(idp.url).get_signing_key_from_jwt(token)


def test_the_first_of_two_keys_with_one_kid_is_used(kind, idp):
    """The first of two keys with one kid is used, as in PyJWT; `JWKSClient.verify` tries both."""
    first, second = (FakeProvider().jwks()["keys"][0] for _ in range(2))
    idp.fail(json.dumps({"keys": [first, second]}).encode())
    n = kind(idp.url).get_signing_key("key-1").key.public_numbers().n
    assert n == int.from_bytes(base64.urlsafe_b64decode(first["n"] + "=="), "big")


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c.d.e", "å.b.c", b"\xff.b.c", 7, None, "x" * 99])
def test_a_malformed_token_is_a_decode_error(kind, idp, token):
    """Any malformed token raises PyJWT's error, without a fetch."""
    with pytest.raises(jwt.DecodeError):
        kind(idp.url).get_signing_key_from_jwt(token)
    assert idp.fetches == 0


@pytest.mark.parametrize("how", [401, 404, 500, ConnectionError])
def test_a_failed_fetch_is_a_connection_error(kind, idp, how):
    """Every method that needs keys raises it, with the cause in its text."""
    idp.fail(how)
    client = kind(idp.url)
    calls = (
        client.fetch_data,
        client.get_jwk_set,
        client.get_signing_keys,
        lambda: client.get_signing_key("key-1"),
        lambda: client.get_signing_key_from_jwt(idp.issue()),
    )
    for call in calls:
        with pytest.raises(PyJWKClientConnectionError, match="Fail to fetch data from the url"):
            call()


def test_a_redirect_is_not_followed(kind, idp):
    """No request with the caller's headers goes to the redirect's target."""
    other = FakeProvider(issuer=None)
    with other.serve() as base_url:
        idp.fail(302, headers={"Location": f"{base_url}/.well-known/jwks.json"})
        with pytest.raises(PyJWKClientConnectionError):
            kind(idp.url, headers={"Authorization": "secret"}).fetch_data()
    assert other.fetches == 0


def test_a_hanging_provider_ends_with_the_timeout(kind, idp):
    """`timeout` limits the call, and its end is a connection error."""
    idp.fail("hang")
    with pytest.raises(PyJWKClientConnectionError):
        kind(idp.url, timeout=0.1).get_signing_keys()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ([], PyJWKClientError),
        ("text", PyJWKClientError),
        ({"keys": []}, PyJWKSetError),
        ({"keys": [{"kty": "unknown", "kid": "key-1"}]}, PyJWKSetError),
    ],
)
def test_a_document_that_is_not_a_key_set(kind, idp, body, error):
    """A document that is not a key set raises PyJWT's own error for it, and not a connection error."""
    idp.fail(json.dumps(body).encode())
    with pytest.raises(error) as caught:
        kind(idp.url).get_signing_keys()
    assert not isinstance(caught.value, PyJWKClientConnectionError)


def test_encryption_keys_are_not_signing_keys(kind, idp):
    """A set of encryption keys contains no signing keys."""
    (jwk,) = idp.jwks()["keys"]
    idp.fail(json.dumps({"keys": [jwk | {"use": "enc"}]}).encode())
    with pytest.raises(PyJWKClientError, match="did not contain any signing keys"):
        kind(idp.url).get_signing_keys()


def test_keys_without_kid_are_not_signing_keys(kind, idp):
    """Keys without kid are in the set, and no lookup finds them."""
    (jwk,) = idp.jwks()["keys"]
    del jwk["kid"]
    idp.fail(json.dumps({"keys": [jwk]}).encode())
    client = kind(idp.url)
    assert len(client.get_jwk_set().keys) == 1
    with pytest.raises(PyJWKClientError, match="did not contain any signing keys"):
        client.get_signing_keys()


def test_the_headers_are_sent(kind, idp):
    """The caller's headers are sent with each fetch, and replace the usual ones."""
    idp.fail(500)
    with pytest.raises(PyJWKClientError):
        kind(idp.url, headers={"X-Api-Key": "k1", "User-Agent": "shop/1"}).fetch_data()
    headers = dict(idp.requests[-1].headers)
    assert (headers["x-api-key"], headers["user-agent"]) == ("k1", "shop/1")


def test_the_caller_s_tls_context_decides(kind, idp_over_tls):
    """A private authority is trusted only if the context trusts it."""
    url, trusting = idp_over_tls
    assert kind(url, ssl_context=trusting).get_signing_key("key-1").key_id == "key-1"
    for context in (None, ssl.create_default_context()):
        with pytest.raises(PyJWKClientConnectionError):
            kind(url, ssl_context=context).get_signing_keys()


def test_a_tls_context_changes_nothing_about_proxies(idp_over_tls, monkeypatch):
    """With a caller's context too, no proxy applies to this machine, and a variable that cannot be used is an error."""
    url, trusting = idp_over_tls
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for proxy in ("http://127.0.0.1:9", "not-a-scheme://x"):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        monkeypatch.setenv("https_proxy", proxy)
        client = migrate.PyJWKClient(url, ssl_context=trusting)
        assert client.get_signing_key("key-1").key_id == "key-1"
    with pytest.raises(PyJWKClientError, match="https_proxy must be"):
        migrate.PyJWKClient("https://idp.invalid/jwks", ssl_context=trusting)


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "ftp://a.test/k", 'data:application/json,{"keys":[]}', "/etc"]
)
def test_other_schemes_are_refused(kind, uri):
    """A URL can never make the client read a file."""
    with pytest.raises(PyJWKClientError, match="Invalid JWKS URI scheme"):
        kind(uri)


@pytest.mark.parametrize("uri", ["http://localhost/k", "https://a.test/k", "HTTPS://A.Test/k"])
def test_http_schemes_are_accepted(kind, uri):
    """http schemes are accepted in any case, and nothing is fetched when the client is made."""
    assert kind(uri).uri == uri


@pytest.mark.parametrize(
    "wrong",
    [
        {"lifespan": 0},
        {"lifespan": -1},
        {"cooldown_duration": -1},
        {"cooldown_duration": float("inf")},
    ],
)
def test_a_wrong_argument_is_an_error_at_once(kind, wrong):
    """A wrong argument raises PyJWT's error when the client is made."""
    with pytest.raises(PyJWKClientError):
        kind("https://a.test/k", **wrong)


def test_threads_share_a_fetch(kind, idp):
    """Many threads that need the same key cause one fetch."""
    client, ready = kind(idp.url), threading.Barrier(8)

    def look_up(_):
        ready.wait(10)
        return client.get_signing_key("key-1").key_id

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(look_up, range(8))) == {"key-1"}
    assert idp.fetches == 1


# Behaviour that is stricter here, or better.


@pytest.mark.parametrize(
    "wrong",
    [
        {"uri": "http://a.test/k"},
        {"timeout": None},
        {"timeout": 0},
        {"lifespan": float("inf")},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": ["X"]},
    ],
)
def test_arguments_that_only_pyjwt_accepts(wrong):
    """An argument that only PyJWT accepts raises PyJWT's error when the client is made."""
    with pytest.raises(PyJWKClientError):
        migrate.PyJWKClient(**{"uri": "https://a.test/k"} | wrong)


def test_plain_http_can_be_allowed():
    """`allow_http=True` accepts plain http."""
    assert migrate.PyJWKClient("http://keys.internal/k", allow_http=True).uri


def test_a_known_kid_is_found_while_a_fetch_hangs(idp):
    """PyJWT's callers wait for the fetch of an unknown kid; here they do not."""
    client = migrate.PyJWKClient(idp.url)
    client.get_signing_keys()
    with idp.hold() as hold, ThreadPoolExecutor(1) as threads:
        stranger = threads.submit(client.get_signing_key, "made-up")
        hold.wait()
        assert client.get_signing_key("key-1").key_id == "key-1"
        hold.release()
        assert isinstance(stranger.exception(), PyJWKClientError)


def test_cached_keys_end_with_the_set(idp):
    """A withdrawn key leaves `cache_keys` with its set, unlike in PyJWT, where it never expires."""
    client = migrate.PyJWKClient(idp.url, cache_keys=True)
    client.get_signing_key("key-1")
    idp.rotate()
    idp.revoke("key-1")
    client.get_jwk_set(refresh=True)
    with pytest.raises(PyJWKClientError):
        client.get_signing_key("key-1")


def test_a_symmetric_or_weak_key_is_not_a_signing_key(idp):
    """A published HMAC secret or a short RSA key is never returned."""
    (good,) = idp.jwks()["keys"]
    secret = {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"}
    weak = good | {"kid": "weak", "n": base64.urlsafe_b64encode(b"\xff" * 128).decode()}
    idp.fail(json.dumps({"keys": [secret, weak, good]}).encode())
    assert [key.key_id for key in migrate.PyJWKClient(idp.url).get_signing_keys()] == ["key-1"]


def test_a_long_token_is_a_decode_error(idp):
    """A token longer than 16 KiB is refused undecoded."""
    with pytest.raises(jwt.DecodeError, match="longer than 16384"):
        migrate.PyJWKClient(idp.url).get_signing_key_from_jwt("a" * 16385)


def test_an_unknown_kid_is_shortened_and_escaped(idp):
    """A message never has a line break or a kilobyte of a token in it."""
    with pytest.raises(PyJWKClientError) as caught:
        migrate.PyJWKClient(idp.url).get_signing_key("a\n" + "b" * 500)
    assert "a\\nb" in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["fetch_data", "get_jwk_set", "get_signing_keys", "match_kid"])
def test_an_override_without_effect_is_an_error(name):
    """A subclass that filters keys in PyJWT's hooks fails when it is defined."""
    with pytest.raises(TypeError, match=name):
        type("Filtering", (migrate.PyJWKClient,), {name: None})
