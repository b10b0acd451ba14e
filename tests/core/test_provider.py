"""`Provider`, `IssuerTemplate` and the locations: every field's defaults, bounds and refusals."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
import typing
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from jwks_client import IssuerTemplate, Provider, providers
from jwks_client._core.encoding import strict_object
from jwks_client._core.json_values import any_of, is_json
from jwks_client._core.provider import plain_token_type
from jwks_client.errors import ConfigurationError
from jwks_client.providers import UNCHECKED
from jwks_client.providers._options import ProviderOptions

URL = "https://issuer.test/jwks"
TENANTS = IssuerTemplate("https://login.test/{tid}/v2.0", allowed={"t1", "t2"})


def made(**values) -> Provider:
    """Return a provider with these fields and the minimum of others."""
    usual = {"name": "p", "issuer": "https://issuer.test", "audience": "api"}
    if not {"jwks_url", "discovery_url", "jwks"} & values.keys():
        usual["jwks_url"] = URL
    return Provider(**{**usual, **values})


def refused(make, *arguments, **values) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        make(*arguments, **values)
    assert caught.value.code == "invalid_configuration"
    assert caught.value.message.startswith(f"{caught.value.field} must ")
    return caught.value


class TestFields:
    """The fields of a Provider."""

    def test_the_defaults_are_the_promised_ones(self):
        """By default a provider allows asymmetric algorithms and 30 s of leeway, requires an expiry and refuses bound tokens."""
        provider = made()
        values = {
            field.name: getattr(provider, field.name) for field in dataclasses.fields(provider)
        }
        assert values == {
            "name": "p",
            "issuer": "https://issuer.test",
            "audience": "api",
            "jwks_url": URL,
            "discovery_url": None,
            "jwks": None,
            "algorithms": (
                *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
                *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
            ),
            "token_types": (None, "jwt", "at+jwt"),
            "required_claims": (),
            "claim_values": {},
            "forbidden_claims": (),
            "leeway": 30,
            "max_age": None,
            "require_expiry": True,
            "bound_tokens": "refuse",
            "checks": (),
            "locations": (providers.Header("Authorization", scheme="Bearer"),),
            "scope_claim": None,
            "required_at_start": True,
            "headers": None,
            "allow_http": False,
            "store_scope": None,
        }

    @pytest.mark.parametrize("missing", ["name", "issuer", "audience"])
    def test_name_issuer_and_audience_have_no_default(self, missing):
        """An application must state whose tokens it accepts, and for which audience, even if it accepts any."""
        values = {"name": "p", "issuer": UNCHECKED, "audience": UNCHECKED, "jwks_url": URL}
        assert Provider(**values).issuer is UNCHECKED
        del values[missing]
        with pytest.raises(TypeError, match=missing):
            Provider(**values)

    def test_a_provider_is_frozen_and_its_fields_are_named(self):
        """A provider cannot change after it was checked, and its fields are keyword-only."""
        with pytest.raises(dataclasses.FrozenInstanceError):
            made().issuer = "other"
        with pytest.raises(TypeError):
            Provider("p", None, None)
        assert made() == made()
        assert made() != made(leeway=31)

    def test_a_changed_copy_is_checked_too(self):
        """dataclasses.replace checks a changed copy as the constructor does."""
        assert dataclasses.replace(made(), leeway=0).leeway == 0
        assert refused(dataclasses.replace, made(), leeway=-1).field == "leeway"

    def test_options_are_the_fields_of_provider(self):
        """Every factory accepts any field of Provider by keyword, with the same type."""
        fields = typing.get_type_hints(Provider)
        assert typing.get_type_hints(ProviderOptions) == fields
        assert ProviderOptions.__required_keys__ == frozenset()

    def test_later_changes_to_an_argument_change_nothing(self):
        """A provider keeps copies, so a list or mapping that is changed later changes nothing."""
        given = {
            "issuer": ["https://issuer.test"],
            "audience": ["api"],
            "algorithms": ["RS256"],
            "token_types": [None],
            "required_claims": ["a"],
            "forbidden_claims": ["b"],
            "claim_values": {"a": 1},
            "checks": [print],
            "locations": [providers.Cookie("c")],
            "headers": {"X-Key": "v"},
        }
        provider, untouched = made(**given), made(**copy.deepcopy(given))
        for value in given.values():
            value.clear()
        assert provider == untouched


class TestGoodValues:
    """Values that each field accepts, and the form in which they are kept."""

    @pytest.mark.parametrize("field", ["issuer", "audience"])
    @pytest.mark.parametrize(
        ("value", "kept"),
        [
            (UNCHECKED, UNCHECKED),
            ("one", "one"),
            (("one",), ("one",)),
            (["one", "two", "one"], ("one", "two")),
            ("https://issuer.test/", "https://issuer.test/"),
        ],
    )
    def test_identity_is_one_string_several_or_unchecked(self, field, value, kept):
        """A string stays unchanged, slash and scheme included; a collection becomes a tuple."""
        assert getattr(made(**{field: value}), field) == kept

    def test_an_issuer_may_be_a_template(self):
        """Tenants share a provider through an IssuerTemplate."""
        assert made(issuer=TENANTS).issuer is TENANTS

    @pytest.mark.parametrize(
        "algorithm",
        [
            *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
            *("ES256K", "EdDSA", "Ed25519", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"),
        ],
    )
    def test_every_supported_algorithm_can_be_named(self, algorithm):
        """Every asymmetric algorithm of this library can be named exactly."""
        assert made(algorithms=[algorithm, algorithm]).algorithms == (algorithm,)

    def test_token_types_are_kept_as_they_are_compared(self):
        """Token types are kept in lower case without the optional application/, each once; None stands for absent."""
        types = ("JWT", None, "application/at+JWT", "at+jwt", "Application/JWT")
        assert made(token_types=types).token_types == ("jwt", None, "at+jwt")
        assert made(token_types={None}).token_types == (None,)

    @pytest.mark.parametrize(
        "values",
        [
            {"name": "a" * 512},
            {"leeway": 0},
            {"leeway": 3600},
            {"max_age": 0},
            {"max_age": 0.5},
            {"max_age": None},
            {"require_expiry": False},
            {"bound_tokens": "checked_elsewhere"},
            {"scope_claim": "permissions"},
            {"allow_http": True},
            {"required_claims": ("a", "b")},
            {"forbidden_claims": ("a",)},
            {"checks": (print, lambda token: None)},
            {
                "locations": (
                    providers.Header("X-Token"),
                    providers.Cookie("__Host-session"),
                    providers.Subprotocol("bearer"),
                    providers.Query("access token"),
                )
            },
            {"headers": {}},
            {"headers": {"X-Key": "v", "Accept": "application/json"}},
            {"headers": dict},
        ],
    )
    def test_each_field_accepts_good_values(self, values):
        """Each field accepts its bounds and keeps good values."""
        ((field, value),) = values.items()
        assert getattr(made(**values), field) == value

    @pytest.mark.parametrize(
        "values",
        [
            {"jwks_url": URL},
            {"jwks_url": "http://localhost:8080/jwks"},
            {"jwks_url": "http://issuer.test/jwks", "allow_http": True},
            {"discovery_url": "https://issuer.test/.well-known/openid-configuration"},
            {"discovery_url": "http://issuer.test/", "allow_http": True},
            {"jwks": {"keys": []}},
            {"jwks": MappingProxyType({"keys": []})},
            {"jwks": '{"keys":[]}'},
            {"jwks": b'{"keys":[]}'},
        ],
    )
    def test_keys_come_from_one_place(self, values):
        """A provider has exactly one of a key URL, a discovery URL and a static key set."""
        provider = made(**values)
        assert {name: getattr(provider, name) for name in values} == values

    @pytest.mark.parametrize(
        "value",
        [
            *(None, True, 0, -1.5, "x", "", [], {}, [1, ["a", {"b": None}]], {"a": [False]}),
            *({"a", "b"}, frozenset({1, None}), set()),
        ],
    )
    def test_a_claim_value_is_json_or_a_set_of_json(self, value):
        """A required claim value may be any JSON value; a set means any of its members."""
        assert made(claim_values={"c": value}).claim_values == {"c": value}


# Values that a restricting setting may have by accident: unset, empty, blank, or a collection with one of these.
UNSET = (
    *(None, "", " ", "\t\n", (), [], set(), frozenset(), {}),
    *((None,), [""], ("api", ""), ["api", " "], {None}, [UNCHECKED], ("api", UNCHECKED)),
    *(True, 0, 5, b"api", ["api", 5], {"api": 1}.items(), ["a" * 2049], [[]], [["api"]]),
)


class TestUnchecked:
    """Only `UNCHECKED` switches a check off, and no environment variable can hold that value."""

    @pytest.mark.parametrize("value", UNSET, ids=repr)
    @pytest.mark.parametrize("field", ["issuer", "audience"])
    def test_the_value_of_an_unset_variable_is_refused(self, field, value):
        """The value of an unset variable never switches a check off; the error names the value that does."""
        error = refused(made, **{field: value})
        assert error.field == field
        assert "providers.UNCHECKED" in str(error)

    def test_unchecked_is_one_object_everywhere(self):
        """`UNCHECKED` survives pickle and copy, so a provider that travels between processes checks the same."""
        for same in (
            copy.copy(UNCHECKED),
            copy.deepcopy([UNCHECKED])[0],
            pickle.loads(pickle.dumps(UNCHECKED)),
            pickle.loads(pickle.dumps(made(issuer=UNCHECKED, audience=UNCHECKED))).audience,
        ):
            assert same is UNCHECKED
        assert repr(UNCHECKED) == "UNCHECKED"
        assert UNCHECKED != "UNCHECKED"


async def _later(claims):
    return "a"


class _Later:
    async def __call__(self, claims):
        return "a"


class TestScopeClaim:
    """The claims that hold the scopes of a provider's tokens."""

    def test_a_name_several_names_and_a_callable(self):
        """A scope claim is one name, several names in their order, or a callable."""
        assert made(scope_claim="roles").scope_claim == "roles"
        assert made(scope_claim=["scp", "roles", "scp"]).scope_claim == ("scp", "roles")
        assert made(scope_claim=len).scope_claim is len

    @pytest.mark.parametrize("value", ["", " ", 5, b"scope", (), [""], [5], {}, _later, _Later()])
    def test_anything_else_is_refused(self, value):
        """A coroutine function would never be awaited, and an empty name names no claim, so both are refused."""
        assert refused(made, scope_claim=value).field == "scope_claim"

    @pytest.mark.parametrize("value", [None, 0, 1, "no"])
    def test_required_at_start_is_true_or_false(self, value):
        """A start waits for each provider unless the application sets `required_at_start` to False."""
        assert made().required_at_start is True
        assert made(required_at_start=False).required_at_start is False
        assert refused(made, required_at_start=value).field == "required_at_start"


class TestBadValues:
    """A wrong value is refused when the provider is made, with the field's name and what it must be."""

    @pytest.mark.parametrize(
        ("field", "value", "takes"),
        [
            *(
                ("name", v, "a string of 1 to 512 characters")
                for v in ("", None, 5, b"p", "a" * 513)
            ),
            *(
                (field, v, "must be a string that is not blank, or a collection of such strings")
                for field in ("issuer", "audience")
                for v in UNSET
            ),
            ("issuer", (TENANTS,), "must be a string that is not blank"),
            ("audience", TENANTS, "must be a string that is not blank"),
            *(("algorithms", v, "must be a collection of strings") for v in ("RS256", None, 5)),
            ("algorithms", (), "must not be empty"),
            ("algorithms", ("RS256", 5), "must be a string"),
            *(
                ("algorithms", ("RS256", v), f"{v!r}")
                for v in ("none", "None", "HS256", "HS384", "HS512", "rs256", "RS256 ", "RSA-OAEP")
            ),
            *(
                ("token_types", v, 'must be a collection of types such as ("at+jwt", None)')
                for v in ("JWT", b"JWT", None, (), 5, iter(["JWT"]))
            ),
            *(("token_types", (v,), "must be a string") for v in ("", 5, b"JWT")),
            *(
                (field, v, "must be a ")
                for field in ("required_claims", "forbidden_claims")
                for v in ("sub", None, 5, ("sub", ""), (5,))
            ),
            *(
                ("claim_values", v, "must be a mapping of claim names to JSON values")
                for v in (None, "a", [("a", 1)], {1: "a"}, {None: 1})
            ),
            *(
                ("claim_values", {"c": v}, "must be JSON values or sets of them")
                for v in (
                    *(
                        math.nan,
                        math.inf,
                        -math.inf,
                        b"x",
                        (1,),
                        object(),
                        {"a": b"x"},
                        [[math.nan]],
                    ),
                    *({1: "a"}, {(1,)}, frozenset({"a", b"b"}), [{"a"}], {"a": {"b"}}),
                )
            ),
            *(
                ("leeway", v, "must be a finite number from 0 to 3600 (seconds)")
                for v in (-0.1, 3600.1, math.nan, math.inf, None, "30", True)
            ),
            *(
                ("max_age", v, "must be a finite number of at least 0 (seconds)")
                for v in (-0.1, math.nan, math.inf, "5", True)
            ),
            *(("require_expiry", v, "must be True or False") for v in (None, 0, 1, "no")),
            *(
                ("bound_tokens", v, "must be one of 'refuse', 'checked_elsewhere', got ")
                for v in (None, True, "accept", "Refuse", [])
            ),
            *(
                ("checks", v, "must be a collection of callables")
                for v in (print, None, "abc", "", b"", [5])
            ),
            *(
                ("locations", v, "must be a collection of Header, Cookie, Subprotocol or Query")
                for v in (
                    None,
                    "header",
                    ["Authorization"],
                    providers.Cookie("c"),
                    [providers.Cookie],
                )
            ),
            ("locations", (), "must not be empty"),
            *(("headers", v, "must be a mapping or a callable") for v in ("a: b", [("a", "b")], 5)),
            *(
                ("headers", v, "must be a plain function, got a coroutine")
                for v in (_later, _Later())
            ),
            ("headers", {"a b": "c"}, "must have names that are valid in HTTP"),
            ("headers", {1: "c"}, "must have names that are valid in HTTP"),
            *(("allow_http", v, "must be True or False") for v in (None, 0, 1, "yes")),
            *(
                ("jwks", v, "must be a mapping, str or bytes")
                for v in (5, [{"kty": "RSA"}], bytearray(b"{}"), False)
            ),
            *(
                (field, v, "must be an absolute https URL")
                for field in ("jwks_url", "discovery_url")
                for v in (
                    "",
                    "issuer.test/jwks",
                    "ftp://issuer.test",
                    f"{URL}#x",
                    5,
                    b"https://i.test",
                )
            ),
            *(
                (field, "http://issuer.test/jwks", "plain http")
                for field in ("jwks_url", "discovery_url")
            ),
        ],
    )
    def test_a_wrong_value_is_refused_by_name(self, field, value, takes):
        """The message names the field and says what it must be."""
        error = refused(made, **{field: value})
        assert error.field == field
        assert takes in error.message

    def test_a_value_that_contains_itself_is_refused(self):
        """A list that contains itself cannot be a claim, and is refused like any other wrong value."""
        endless: list[object] = []
        endless.append(endless)
        assert refused(made, claim_values={"c": endless}).field == "claim_values"

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({}, "got none"),
            ({"jwks_url": URL, "discovery_url": URL}, "got jwks_url and discovery_url"),
            ({"jwks_url": URL, "jwks": {"keys": []}}, "got jwks_url and jwks"),
            ({"discovery_url": URL, "jwks": "{}"}, "got discovery_url and jwks"),
            (
                {"jwks_url": URL, "discovery_url": URL, "jwks": b""},
                "got jwks_url and discovery_url and jwks",
            ),
        ],
    )
    def test_keys_come_from_exactly_one_place(self, given, said):
        """A provider with no place for its keys, or two, is refused, and the message names all that were given."""
        error = refused(Provider, name="p", issuer=UNCHECKED, audience=UNCHECKED, **given)
        assert error.field == "jwks_url"
        assert "must be given, or else discovery_url or jwks (exactly one)" in error.message
        assert said in error.message

    @pytest.mark.parametrize(
        "value", ["s3cret\n", "s3cret\r\nX: y", " s3cret", "s3crét", b"s3cret", ["s3cret"]]
    )
    def test_a_header_that_cannot_be_sent_is_refused_without_its_value(self, value):
        """Headers hold secrets: the message names the header and does not show its value."""
        error = refused(made, headers={"X-Fine": "ok", "X-Key": value})
        assert error.field == "headers"
        assert "'X-Key'" in error.message
        assert "s3cr" not in error.message

    def test_a_repr_shows_neither_headers_nor_keys(self):
        """A repr shows neither headers nor keys, so secrets and long values stay out of logs."""
        assert "s3cret" not in repr(made(headers={"X-Key": "s3cret"}))
        assert "s3cret" not in repr(made(jwks='{"keys":[],"x":"s3cret"}'))


class TestLocations:
    """The places of a request where a token may be."""

    def test_locations_are_values(self):
        """Locations are compared by value; a Header has no scheme unless given."""
        assert providers.Header("X-Token").scheme is None
        assert providers.Header("A", scheme="B") == providers.Header("A", "B")
        assert providers.Cookie("a") != providers.Query("a")
        assert len({providers.Cookie("a"), providers.Cookie("a"), providers.Cookie("b")}) == 2
        for kind in (providers.Header, providers.Cookie, providers.Subprotocol, providers.Query):
            with pytest.raises(dataclasses.FrozenInstanceError):
                kind("a").name = "b"

    @pytest.mark.parametrize(
        "name", ["", "a b", "a:", "a=b", "a;b", "a,b", "a\r\nb", "ä", None, 5, b"a"]
    )
    def test_a_location_name_must_be_a_token(self, name):
        """A name that no header, cookie or subprotocol can have is refused."""
        for make in (providers.Header, providers.Cookie, providers.Subprotocol):
            assert refused(make, name).field == "locations"
        if name is not None:
            assert refused(providers.Header, "Authorization", scheme=name).field == "locations"

    def test_a_query_parameter_is_any_short_text(self):
        """A query parameter may have any name of at most 64 characters."""
        assert providers.Query("a b=c&" * 10 + "abcd").name == "a b=c&" * 10 + "abcd"
        for name in ("", "a" * 65, None, b"a"):
            error = refused(providers.Query, name)
            assert error.field == "locations"
            assert "a string of 1 to 64 characters" in error.message


class TestIssuerTemplates:
    """Issuers that differ in one place."""

    @pytest.mark.parametrize(
        ("template", "claim"),
        [
            ("https://login.test/{tid}/v2.0", "tid"),
            ("{tenant}", "tenant"),
            ("https://{_org_id2}.test", "_org_id2"),
            ("a}b{tid}}", "tid"),
            ("{" + "a" * 64 + "}", "a" * 64),
        ],
    )
    def test_the_placeholder_names_a_claim(self, template, claim):
        """A template has one {claim} anywhere in the issuer."""
        assert IssuerTemplate(template, allowed={"t1"}).claim == claim

    @pytest.mark.parametrize(
        "template",
        [
            *(
                "https://login.test/",
                "https://login.test/{}",
                "{a}{b}",
                "{a}/{a}",
                "{{a}}",
                "{a",
                "a}",
            ),
            *(
                "{a b}",
                "{1a}",
                "{a-b}",
                "{ä}",
                "{a!r}",
                "{a.b}",
                "{a[0]}",
                "{a}{",
                "{" + "a" * 65 + "}",
            ),
        ],
    )
    def test_a_template_has_exactly_one_placeholder(self, template):
        """A template with no placeholder, two, or a placeholder that names no claim is refused."""
        error = refused(IssuerTemplate, template, allowed={"t1"})
        assert error.field == "issuer"
        assert "must contain exactly one {claim}" in error.message

    @pytest.mark.parametrize("template", ["", None, 5, b"{tid}"])
    def test_a_template_is_a_string(self, template):
        """A template is checked like any other issuer."""
        assert refused(IssuerTemplate, template, allowed={"t1"}).field == "issuer"

    def test_allowed_is_required_and_by_name(self):
        """`allowed` has no default and must be given by keyword, so an application decides which tenants it admits."""
        with pytest.raises(TypeError):
            IssuerTemplate("https://login.test/{tid}")
        with pytest.raises(TypeError):
            IssuerTemplate("https://login.test/{tid}", {"t1"})

    @pytest.mark.parametrize(
        "allowed",
        ["t1", None, 5, (), [], {""}, {5}, {"t1": 1}.items(), _later, _Later()],
    )
    def test_allowed_is_a_collection_or_a_plain_function(self, allowed):
        """An empty collection, a lone string or a coroutine function in `allowed` is refused as a mistake."""
        assert refused(IssuerTemplate, "{tid}", allowed=allowed).field == "allowed"

    @pytest.mark.parametrize("value", ["a/b", "a.b", "a_b", "ä", " t1", "t1\n", "{tid}", "a" * 65])
    def test_an_allowed_value_must_be_able_to_match(self, value):
        """An allowed value that can never match an issuer is refused as a typing error."""
        error = refused(IssuerTemplate, "{tid}", allowed={"t1", value})
        assert error.field == "allowed"
        assert "must be values that fit into an issuer" in error.message

    def test_a_template_is_a_value_that_keeps_its_own_copy(self):
        """A template keeps its own copy of `allowed`, and its repr lists no tenants."""
        allowed = ["t1", "t1"]
        template = IssuerTemplate("{tid}", allowed=allowed)
        allowed.append("t2")
        assert template.allowed == frozenset({"t1"})
        assert template == IssuerTemplate("{tid}", allowed={"t1"})
        assert hash(template) == hash(IssuerTemplate("{tid}", allowed={"t1"}))
        assert "t1" not in repr(template)

    @pytest.mark.parametrize(
        ("template", "issuer", "value"),
        [
            ("https://login.test/{tid}/v2.0", "https://login.test/t1/v2.0", "t1"),
            ("https://{tid}.test", "https://Az09-.test", "Az09-"),
            ("{tid}", "t", "t"),
            ("a{tid}a", "aaa", "a"),
            ("{tid}/v2.0", "t1/v2.0", "t1"),
            ("x/{tid}", "x/" + "a" * 64, "a" * 64),
            ("a.{tid}.+(b", "a.t1.+(b", "t1"),
        ],
    )
    def test_the_value_is_the_text_in_place_of_the_placeholder(self, template, issuer, value):
        """The placeholder matches 1 to 64 letters, digits and hyphens; everything around it is literal."""
        assert IssuerTemplate(template, allowed={"t1"}).value_in(issuer) == value

    @pytest.mark.parametrize(
        ("template", "issuer"),
        [
            *(
                ("https://login.test/{tid}/v2.0", issuer)
                for issuer in (
                    "",
                    "https://login.test//v2.0",
                    "https://login.test/v2.0",
                    "https://login.test/t1/v2.0/",
                    "https://login.test/t1/v2.0\n",
                    "https://login.test/t1\n/v2.0",
                    "\nhttps://login.test/t1/v2.0",
                    "https://login.test/t1/v1.0",
                    "https://evil.test/t1/v2.0",
                    "https://evil.test/https://login.test/t1/v2.0",
                    "HTTPS://login.test/t1/v2.0",
                    "https://login.test/a/b/v2.0",
                    "https://login.test/../v2.0",
                    "https://login.test/a_b/v2.0",
                    "https://login.test/a%2Fb/v2.0",
                    "https://login.test/{tid}/v2.0",
                    "https://login.test/\u0661/v2.0",
                    "https://login.test/ä/v2.0",
                    "https://login.test/t1\0/v2.0",
                    "https://login.test/" + "a" * 65 + "/v2.0",
                    "https://login.test/t1/v2.0/t1/v2.0",
                )
            ),
            ("aa{tid}aa", "aaa"),
            ("aa{tid}aa", "aaaa"),
            ("a.{tid}", "abt1"),
            ("{tid}", ""),
            ("{tid}", "a" * 65),
        ],
    )
    def test_a_partial_match_has_no_value(self, template, issuer):
        """Only a match of the whole string has a value; prefix and suffix must not overlap, and a dot matches only a dot."""
        assert IssuerTemplate(template, allowed={"t1"}).value_in(issuer) is None

    def test_a_collection_allows_its_members_exactly(self):
        """A collection allows exactly its members; case counts."""
        assert TENANTS.allows("t1")
        assert TENANTS.allows("t2")
        for value in ("T1", "t", "t11", ""):
            assert not TENANTS.allows(value)

    @pytest.mark.parametrize("answer", [1, "yes", [1], None, False, 0, object()])
    def test_a_callable_allows_by_exactly_true(self, answer):
        """A callable allows by returning exactly True, because another truthy value might answer another question."""
        assert not IssuerTemplate("{tid}", allowed=lambda value: answer).allows("t1")

    def test_a_callable_gets_the_value(self):
        """A callable gets each value and is stored unchanged."""
        asked = []

        def allowed(value: str) -> bool:
            asked.append(value)
            return value == "t1"

        template = IssuerTemplate("{tid}", allowed=allowed)
        assert (template.allows("t1"), template.allows("t2")) == (True, False)
        assert asked == ["t1", "t2"]
        assert template.allowed is allowed

    def test_a_callable_that_raises_allows_nothing(self):
        """A callable that raises allows nothing; an interrupt passes through."""

        def broken(value: str) -> bool:
            raise {"t1": LookupError, "t2": KeyboardInterrupt}[value]

        template = IssuerTemplate("{tid}", allowed=broken)
        assert not template.allows("t1")
        with pytest.raises(KeyboardInterrupt):
            template.allows("t2")


class TestComparisons:
    """The comparisons of the claim checks."""

    @pytest.mark.parametrize(
        ("typ", "plain"),
        [
            ("JWT", "jwt"),
            ("application/at+jwt", "at+jwt"),
            ("APPLICATION/JWT", "jwt"),
            ("application/application/jwt", "application/jwt"),
            ("text/jwt", "text/jwt"),
            ("jwtapplication/", "jwtapplication/"),
        ],
    )
    def test_a_type_is_compared_without_case_and_prefix(self, typ, plain):
        """The prefix application/ is optional, once and in front (RFC 7515, section 4.1.9)."""
        assert plain_token_type(typ) == plain

    def test_a_set_means_any_of_its_members(self):
        """Only a set means any of its members; a list is a value itself."""
        assert sorted(any_of({"a", "b"})) == ["a", "b"]
        assert any_of(frozenset({1})) == (1,)
        assert any_of(set()) == ()
        for one in (["a"], ("a",), "ab", None, {"a": 1}):
            assert any_of(one) == (one,)

    @pytest.mark.parametrize("value", [None, True, 0, 1.5, 1e308, "", [], {}, [{"a": [None]}]])
    def test_json_values_are_json(self, value):
        """Every value that RFC 8259 can write is JSON."""
        assert is_json(value)
        assert is_json([value])
        assert is_json({"a": value})

    @pytest.mark.parametrize(
        "value", [math.nan, math.inf, -math.inf, b"", (), set(), {1: 1}, object(), 1j]
    )
    def test_other_values_are_not_json(self, value):
        """A value that JSON cannot write is refused at any depth."""
        assert not is_json(value)
        assert not is_json([1, value])
        assert not is_json({"a": {"b": value}})

    @pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}])
    def test_a_value_is_at_most_as_deep_as_a_token_can_hold(self, wrap):
        """A token has 32 levels, its payload's object included, so a claim's value has 31."""
        value = 1
        for _ in range(31):
            value = wrap(value)
        assert is_json(value)
        assert strict_object(json.dumps({"claim": value}).encode()) == {"claim": value}
        assert not is_json(wrap(value))
        assert strict_object(json.dumps({"claim": wrap(value)}).encode()) is None

    def test_a_mapping_other_than_dict_is_not_json(self):
        """A claim is a plain dict, so only a plain dict can equal it."""
        assert isinstance(MappingProxyType({}), Mapping)
        assert not is_json(MappingProxyType({}))


def test_case_folding_is_ascii_only():
    """Unicode lowers the Kelvin sign to k, but a media type does not match it."""
    assert plain_token_type("TO\u212aEN+JWT") != "token+jwt"
    assert plain_token_type("Application/TOKEN+JWT") == "token+jwt"
