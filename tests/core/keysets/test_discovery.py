"""The conversation about the provider's metadata, and which URLs that may name."""

import gzip
import json
import zlib
from typing import Any

import pytest
from conversations import (
    BY_METADATA,
    ISSUER,
    KEYS,
    METADATA,
    NOW,
    answer,
    failed,
    fetched,
    metadata,
    ok,
    play,
    talk,
    tell,
    zipped,
)

from jwks_client import IssuerTemplate, Provider, providers
from jwks_client._core.keysets.discovery import (
    METADATA_KEPT_FOR,
    METADATA_LIFETIME,
    Discovered,
    may_ask,
)
from jwks_client._core.keysets.fetch import Broken, Failed, Fetched, Request, Response, Validators


class TestDiscovery:
    def test_metadata_then_keys(self) -> None:
        """The metadata names the key set; both are requested, and the URL is remembered with its time."""
        asked, outcome = play(talk(BY_METADATA), metadata(), ok(etag='"v1"'))
        assert [request.url for request in asked] == [METADATA, KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == Discovered(KEYS, NOW)
        assert outcome.validators == Validators(KEYS, '"v1"', None)
        assert outcome.requests == 1

    @pytest.mark.parametrize("age", [0.0, 3600.0, METADATA_LIFETIME - 1])
    def test_a_discovered_url_is_used_for_24_hours(self, age: float) -> None:
        """For 24 hours the key set is requested directly, and a key fetch does not extend that time."""
        known = Discovered(KEYS, NOW - age)
        asked, outcome = play(talk(BY_METADATA, discovered=known), ok())
        assert [request.url for request in asked] == [KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == known

    def test_after_24_hours_the_metadata_is_requested_again(self) -> None:
        """A provider that moved its keys is followed within a day."""
        assert METADATA_LIFETIME == 24 * 3600
        old = Discovered("https://keys.example.com/old", NOW - METADATA_LIFETIME)
        asked, outcome = play(talk(BY_METADATA, discovered=old), metadata(), ok())
        assert [request.url for request in asked] == [METADATA, KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == Discovered(KEYS, NOW)

    OLD = Discovered("https://keys.example.com/old", NOW - METADATA_LIFETIME)

    @pytest.mark.parametrize(
        "silence",
        [Broken(OSError(), False), Broken(OSError(), True), *map(answer, (408, 429, 500, 503))],
    )
    def test_unavailable_metadata_does_not_make_the_keys_unavailable(self, silence) -> None:
        """After a day the metadata is requested once; if that fails, the former URL serves for this fetch."""
        asked, outcome = play(talk(BY_METADATA, discovered=self.OLD), silence, ok())
        assert [request.url for request in asked] == [METADATA, self.OLD.jwks_url]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == self.OLD  # so the next fetch requests it again

    def test_a_discovered_url_serves_for_a_week_at_most(self) -> None:
        """After a week without metadata, its failure is the outcome, with a retry as for the first time."""
        last = Discovered(KEYS, NOW - METADATA_KEPT_FOR + 1)
        assert fetched(talk(BY_METADATA, discovered=last), answer(500), ok()).discovered == last
        assert METADATA_KEPT_FOR == 7 * METADATA_LIFETIME
        ancient = Discovered(KEYS, NOW - METADATA_KEPT_FOR)
        outcome = failed(talk(BY_METADATA, discovered=ancient), answer(500), answer(500))
        assert outcome.code == "discovery_failed"

    @pytest.mark.parametrize(
        "said",
        [
            answer(403),
            answer(302),
            ok(b"<html>"),
            metadata(issuer="https://other.example.com"),
            metadata(jwks_uri=None),
            metadata(jwks_uri="http://10.0.0.1/keys"),
        ],
        ids=range(6),
    )
    def test_wrong_metadata_fails_although_a_url_is_known(self, said) -> None:
        """Metadata that is refused, unreadable or names a forbidden URL fails the fetch, although an earlier URL is known."""
        assert failed(talk(BY_METADATA, discovered=self.OLD), said).code == "discovery_failed"

    def test_a_missing_key_set_is_not_requested_again_at_the_same_url(self) -> None:
        """After a 404 of the key set, unavailable metadata is a failure."""
        known = Discovered(KEYS, NOW - 60)
        one = talk(BY_METADATA, discovered=known)
        assert failed(one, answer(404), answer(500), answer(500)).code == "discovery_failed"

    @pytest.mark.parametrize("status", [404, 410])
    def test_a_missing_key_set_is_discovered_again(self, status: int) -> None:
        """A 404 or 410 of an earlier discovered URL leads back to the metadata, once."""
        old = Discovered("https://keys.example.com/old", NOW - 60)
        asked, outcome = play(talk(BY_METADATA, discovered=old), answer(status), metadata(), ok())
        assert [request.url for request in asked] == [old.jwks_url, METADATA, KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.discovered == Discovered(KEYS, NOW)
        assert outcome.requests == 2

        outcome = failed(
            talk(BY_METADATA, discovered=old), answer(status), metadata(), answer(status)
        )
        assert outcome.code == "fetch_failed"
        assert str(status) in outcome.message

    @pytest.mark.parametrize("status", [400, 403, 304])
    def test_another_status_does_not_repeat_the_discovery(self, status: int) -> None:
        """Another status does not lead back to the metadata."""
        known = Discovered(KEYS, NOW - 60)
        assert failed(talk(BY_METADATA, discovered=known), answer(status)).code == "fetch_failed"

    def test_a_key_set_that_was_just_discovered_is_not_discovered_again(self) -> None:
        """Metadata that names a missing key set is a failure and no loop."""
        outcome = failed(talk(BY_METADATA), metadata(), answer(404))
        assert outcome.code == "fetch_failed"

    @pytest.mark.parametrize(
        ("issuer", "first", "second"),
        [
            (
                "https://idp.example.com",
                "https://idp.example.com/.well-known/openid-configuration",
                "https://idp.example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://idp.example.com/",
                "https://idp.example.com/.well-known/openid-configuration",
                "https://idp.example.com/.well-known/oauth-authorization-server",
            ),
            (
                "https://idp.example.com/api/oidc",
                "https://idp.example.com/api/oidc/.well-known/openid-configuration",
                "https://idp.example.com/.well-known/oauth-authorization-server/api/oidc",
            ),
            (
                "https://idp.example.com:8443/o/",
                "https://idp.example.com:8443/o/.well-known/openid-configuration",
                "https://idp.example.com:8443/.well-known/oauth-authorization-server/o",
            ),
        ],
    )
    @pytest.mark.parametrize("status", [404, 410])
    def test_without_openid_metadata_oauth_metadata_is_requested(
        self, issuer: str, first: str, second: str, status: int
    ) -> None:
        """The URL of OAuth metadata puts the issuer's path behind its well-known part (RFC 8414, section 3.1)."""
        provider = providers.oidc(issuer, audience="api")
        asked, outcome = play(talk(provider), answer(status), metadata(issuer=issuer), ok())
        assert [request.url for request in asked] == [first, second, KEYS]
        assert isinstance(outcome, Fetched)
        assert outcome.requests == 1

    @pytest.mark.parametrize(
        "url",
        [
            "https://idp.example.com/metadata.json",
            "https://idp.example.com/.well-known/openid-configuration?appid=1",
            "https://idp.example.com/.well-known/oauth-authorization-server",
        ],
    )
    def test_a_configured_discovery_url_is_the_only_place(self, url: str) -> None:
        """A discovery URL that the application configured has no second place."""
        provider = Provider(
            name="p", issuer=ISSUER, audience=providers.UNCHECKED, discovery_url=url
        )
        assert failed(talk(provider), answer(404)).code == "discovery_failed"
        assert fetched(talk(provider), metadata(), ok()).key_set is not None

    @pytest.mark.parametrize("status", [204, 302, 304, 400, 401, 403])
    def test_unavailable_metadata_is_a_failure(self, status: int) -> None:
        """Any status but 200 or 404 is ``discovery_failed``; neither the OAuth URL nor a redirect is tried."""
        outcome = failed(talk(BY_METADATA), answer(status, metadata().body or b"", retry_after="9"))
        assert outcome.code == "discovery_failed"
        assert str(status) in outcome.message
        assert outcome.retry_after == 9
        assert outcome.requests == 0

    def test_metadata_missing_at_both_places_is_a_failure(self) -> None:
        """A 404 at both places is ``discovery_failed``."""
        outcome = failed(talk(BY_METADATA), answer(404), answer(404))
        assert outcome.code == "discovery_failed"
        assert outcome.requests == 0

    def test_metadata_is_retried_like_keys(self) -> None:
        """5xx and broken connections are retried once; then the failure names the document."""
        cause = OSError("refused")
        outcome = failed(talk(BY_METADATA), answer(500), answer(500))
        assert outcome.code == "discovery_failed"
        outcome = failed(talk(BY_METADATA), *[Broken(cause, timed_out=False)] * 2)
        assert (outcome.code, outcome.cause) == ("fetch_failed", cause)
        assert "metadata" in outcome.message
        outcome = failed(talk(BY_METADATA, last_failed=True), Broken(cause, timed_out=True))
        assert outcome.code == "fetch_timeout"
        assert "metadata" in outcome.message

    @pytest.mark.parametrize(
        "one",
        [
            ok(b""),
            ok(b"<html>"),
            ok(b"null"),
            ok(b"[]"),
            ok(b'"' + ISSUER.encode() + b'"'),
            ok(b"[" * 100_000),
            ok(b'{"issuer": "x",' + json.dumps({"issuer": ISSUER, "jwks_uri": KEYS}).encode()[1:]),
            ok(zlib.compress(b"{}"), content_encoding="deflate"),
            zipped(b"{}"),
            Response(200, {}, None),
            ok(b"{" + b" " * 600_000 + b"}"),
        ],
    )
    def test_unreadable_metadata_is_a_failure(self, one: Response) -> None:
        """A document that is not an object, is ambiguous, has a wrong encoding or is too long is ``discovery_failed``."""
        outcome = failed(talk(BY_METADATA), one)
        assert outcome.code == "discovery_failed"
        assert outcome.requests == 0

    def test_metadata_is_read_as_tolerantly_as_keys(self) -> None:
        """gzip, a byte order mark and unknown members are accepted."""
        raw = b"\xef\xbb\xbf" + (metadata(more={"a": [1]}).body or b"")
        assert fetched(talk(BY_METADATA), zipped(gzip.compress(raw)), ok()).key_set is not None

    @pytest.mark.parametrize("named", [None, 7, ["https://keys.example.com/jwks"], {}])
    def test_metadata_without_jwks_uri_is_a_failure(self, named: object) -> None:
        """The failure says whether jwks_uri is absent or not a string."""
        outcome = failed(talk(BY_METADATA), metadata(jwks_uri=named))
        assert outcome.code == "discovery_failed"
        assert "has no jwks_uri" in outcome.message


class TestTheIssuerOfMetadata:
    @staticmethod
    def taken(configured: Any, found: object) -> bool:
        """Return whether metadata that names one issuer is accepted for a provider with another configured."""
        provider = Provider(
            name="p", issuer=configured, audience=providers.UNCHECKED, discovery_url=METADATA
        )
        steps = talk(provider).converse()
        next(steps)
        outcome = tell(steps, metadata(issuer=found))
        if isinstance(outcome, Failed):
            assert outcome.code == "discovery_failed"
            assert "another issuer" in outcome.message
            return False
        assert isinstance(outcome, Request)
        assert outcome.url == KEYS
        return True

    @pytest.mark.parametrize("issuer", [ISSUER, f"{ISSUER}/", f"{ISSUER}/a/b", "idp.example.com"])
    def test_the_same_issuer_is_accepted(self, issuer: str) -> None:
        """Metadata with exactly the configured issuer is accepted, slash, path and non-URLs included."""
        assert self.taken(issuer, issuer)

    @pytest.mark.parametrize(
        "found",
        [
            f"{ISSUER}/",
            "http://idp.example.com",
            "https://IDP.example.com",
            "HTTPS://idp.example.com",
            f"{ISSUER}:443",
            "idp.example.com",
            f"{ISSUER}.evil.example",
            f" {ISSUER}",
            ISSUER[:-1],
            "",
            None,
            7,
            [ISSUER],
            {ISSUER: ISSUER},
        ],
    )
    def test_any_other_issuer_is_refused(self, found: object) -> None:
        """Issuers are compared exactly (OpenID Connect Discovery, section 4.3), without adding or ignoring anything."""
        assert not self.taken(ISSUER, found)
        assert not self.taken((ISSUER, "https://other.example.com"), found)

    def test_one_of_several_issuers_is_accepted(self) -> None:
        """With several issuers configured, the metadata must name one of them."""
        several = (ISSUER, "accounts.example.com")
        assert self.taken(several, ISSUER)
        assert self.taken(several, "accounts.example.com")
        assert not self.taken(several, list(several))

    @pytest.mark.parametrize("found", [ISSUER, "https://any.example", None, 7])
    def test_an_unchecked_issuer_is_not_compared(self, found: object) -> None:
        """With ``issuer=UNCHECKED`` metadata may name any issuer."""
        assert self.taken(providers.UNCHECKED, found)

    TENANTS = IssuerTemplate("https://login.example.com/{tid}/v2.0", allowed={"t1"})

    @pytest.mark.parametrize(
        "found",
        [
            "https://login.example.com/{tid}/v2.0",
            "https://login.example.com/{tenantid}/v2.0",  # as Entra ID spells it
            "https://login.example.com/t1/v2.0",
        ],
    )
    def test_a_template_matches_itself_or_one_of_its_issuers(self, found: str) -> None:
        """Metadata for many tenants names the template, whatever its placeholder's name, or one of its issuers."""
        assert self.taken(self.TENANTS, found)

    @pytest.mark.parametrize(
        "found",
        [
            "https://login.example.com/v2.0",
            "https://login.example.com//v2.0",
            "https://login.example.com/t1/evil/v2.0",
            "https://login.example.com/../v2.0",
            "https://login.example.com/t1/v2.0/",
            "http://login.example.com/t1/v2.0",
            "https://login.example.com/t1/v1.0",
            "https://login.example.com/t 1/v2.0",
            None,
            7,
        ],
    )
    def test_an_issuer_outside_the_template_is_refused(self, found: object) -> None:
        """The whole issuer must match the template, with one plain value in place of the placeholder."""
        assert not self.taken(self.TENANTS, found)


class TestWhereMetadataMayPoint:
    @staticmethod
    def allowed(url: str, issuer: str = ISSUER, **options: Any) -> bool:
        """Return whether a key set at ``url`` is requested when the metadata of ``issuer`` names it."""
        provider = providers.oidc(issuer, audience=providers.UNCHECKED, **options)
        steps = talk(provider).converse()
        next(steps)
        outcome = tell(steps, metadata(issuer=issuer, jwks_uri=url))
        assert isinstance(outcome, Request) == may_ask(url, provider)
        if isinstance(outcome, Failed):
            assert outcome.code == "discovery_failed"
            assert "jwks_uri" in outcome.message
            return False
        assert isinstance(outcome, Request)
        assert outcome.url == url
        return True

    @pytest.mark.parametrize(
        "url",
        [
            "https://idp.example.com/keys",
            "https://keys.example.net:8443/a/b?c=d",
            "https://8.8.8.8/keys",
            "https://[2606:4700::1111]/keys",
            "https://[::ffff:8.8.8.8]/keys",
            "https://1password.example/keys",
            "https://a.0xdeadbeef.example/keys",
        ],
    )
    def test_https_at_a_public_host_is_allowed(self, url: str) -> None:
        """A host other than the issuer's may publish its keys (Google, Microsoft)."""
        assert self.allowed(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://idp.example.com/keys",
            "ftp://idp.example.com/keys",
            "file:///etc/passwd",
            "data:application/json,{}",
            "//idp.example.com/keys",
            "/keys",
            "keys",
            "",
            "https:///keys",
            "https://user:secret@idp.example.com/keys",
            "https://idp.example.com@evil.example/keys",
            "https://idp.example.com\\@evil.example/keys",
            "https://idp.example.com/keys#fragment",
            "https://idp.example.com:99999/keys",
            "https://[::1/keys",
            "https://idp.example.com/a b",
            "https://idp.example.com/\r\nX: 1",
            "https://ïdp.example.com/keys",
            "https://idp.example.com/" + "a" * 2048,
        ],
    )
    def test_anything_but_a_plain_https_url_is_refused(self, url: str) -> None:
        """Plain http, another scheme, no host, a user, a fragment, or not a URL: each is refused."""
        assert not self.allowed(url)

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "127.8.8.8",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "idp.localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "0.0.0.0",
            "[::]",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[::ffff:a00:1]",
            "[fe80::1]",
            "[fe80::1%25eth0]",
            "[fd00::1]",
            "255.255.255.255",
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "127.1",
            "10.1",
            "017700000001",
            "0177.0.0.1",
            "127.0.0.0x1",
            "127.0.0.1.",
            "2852039166",
        ],
    )
    @pytest.mark.parametrize("scheme", ["https", "http"])
    def test_no_document_points_into_a_private_network(self, scheme: str, host: str) -> None:
        """Loopback, private and link-local addresses are refused in every spelling that a resolver accepts."""
        assert not self.allowed(f"{scheme}://{host}/keys")
        assert not self.allowed(f"{scheme}://{host}:8443/keys")

    @pytest.mark.parametrize(
        "host",
        [
            "[fec0::1]",  # site-local, RFC 3879
            "[::a00:1]",  # IPv4-compatible, RFC 4291, section 2.5.5.1
            "[64:ff9b::a00:1]",  # behind NAT64, RFC 6052
            "[64:ff9b::a9fe:a9fe]",
            "[2002:a00:1::]",  # 6to4, RFC 3056
            "[2002:7f00:1::]",
        ],
    )
    def test_an_embedded_private_address_is_private(self, host: str) -> None:
        """IPv6 has older forms than the mapped one that embed a private address."""
        assert not self.allowed(f"https://{host}/keys")

    @pytest.mark.parametrize(
        ("issuer", "url"),
        [
            ("http://127.0.0.1:8080", "http://127.0.0.1:9090/keys"),
            ("http://localhost:8080", "http://localhost:8080/keys"),
            ("http://localhost:8080", "http://[::1]:8080/keys"),
            (
                "https://127.0.0.1:9443",
                "https://localhost:9443/oauth2/jwks",
            ),  # WSO2, out of the box
            ("https://10.0.0.5", "https://10.0.0.6/keys"),
            ("https://[fd00::5]", "https://[fd00::6]/keys"),
        ],
    )
    def test_a_local_provider_may_point_to_local_addresses(self, issuer: str, url: str) -> None:
        """A loopback issuer may name loopback, plain http included; a private issuer may name private addresses."""
        assert self.allowed(url, issuer)

    @pytest.mark.parametrize(
        ("issuer", "url"),
        [
            ("http://127.0.0.1:8080", "http://idp.example.com/keys"),
            ("http://127.0.0.1:8080", "http://10.0.0.1/keys"),
            ("https://10.0.0.5", "http://10.0.0.5/keys"),
            ("https://10.0.0.5", "https://127.0.0.1/keys"),
            ("https://8.8.8.8", "https://10.0.0.1/keys"),
        ],
    )
    def test_a_private_issuer_opens_no_other_exception(self, issuer: str, url: str) -> None:
        """A private issuer may name neither plain http nor loopback."""
        assert not self.allowed(url, issuer)

    def test_allow_http_is_about_the_scheme_only(self) -> None:
        """With ``allow_http`` plain http is allowed, and private addresses are still refused."""
        assert self.allowed("http://idp.example.com/keys", allow_http=True)
        assert not self.allowed("http://10.0.0.1/keys", allow_http=True)
        assert not self.allowed("http://localhost/keys", allow_http=True)
        assert self.allowed("http://10.0.0.1/keys", "http://10.0.0.1", allow_http=True)

    def test_the_configured_key_set_url_is_not_judged(self) -> None:
        """The rule is for documents: a URL that the application configured may be anywhere."""
        private = Provider(
            name="p",
            issuer=providers.UNCHECKED,
            audience=providers.UNCHECKED,
            jwks_url="https://10.0.0.1/keys",
        )
        assert fetched(talk(private), ok()).key_set is not None
