"""The page of the development provider, without a browser."""

import asyncio
import json
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser

import httpx
import pytest
from asking import BASE_URL, Asker, part

from jwks_client import JWKSClient, TokenError, providers
from jwks_client.cli._presets import preset_names
from jwks_client.cli._serve.issued import lifetime
from jwks_client.providers import UNCHECKED
from jwks_client.testing import FakeProvider
from jwks_client.testing._shapes.known import named

OWN = {"origin": BASE_URL}
FORM = {"content-type": "application/x-www-form-urlencoded"}
USUAL = {"do": "issue", "sub": "u1", "scope": "a", "audience": "api", "expires_in": "3600"}
# Text that could be markup, or end an attribute, a text area, a script or a shell's word.
HOSTILE = (
    """</textarea></pre><script>document.title='x'</script>"'><img src=x onerror=1>&lt;$(id)`id`"""
)


class Read(HTMLParser):
    """A parsed page: its tags, the values of its fields, the texts by id."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.fields, self.texts, self.actions = [], {}, {}, []
        self._open, self.source = [], page
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert len(attributes) == len(attrs)
        self.tags.append((tag, attributes))
        if tag == "input":
            self.fields[attributes["name"]] = attributes.get("value", "")
        if tag == "button" and "name" in attributes:
            self.actions.append(attributes["value"])
        if tag not in ("input", "img", "meta", "link", "br"):
            name = attributes.get("name") if tag == "textarea" else attributes.get("id")
            self._open.append((tag, name or attributes.get("aria-label")))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, text):
        for tag, name in self._open:
            if tag == "textarea":
                self.fields[name] = self.fields.get(name, "") + text.removeprefix("\n")
            elif name is not None:
                self.texts[name] = self.texts.get(name, "") + text

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def ask():
    return Asker()


@pytest.fixture
def send(ask):
    def send(headers=OWN, **fields):
        return ask("POST", "/", data=fields, headers=headers)

    return send


def test_it_is_one_whole_page(ask):
    """The page at ``/`` has a label for every field and a heading for every section."""
    answered = ask("GET", "/")
    assert answered.status_code == 200
    assert answered.headers["content-type"] == "text/html; charset=utf-8"
    page = Read(answered.text)
    assert page.all("html") == [{"lang": "en"}]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    visible = [
        one for one in page.all("input") + page.all("textarea") if one.get("type") != "hidden"
    ]
    assert {one["id"] for one in visible} == {one["for"] for one in page.all("label")}
    for section in page.all("section"):
        assert section["aria-labelledby"] in ids
    described = " ".join(one.get("aria-describedby", "") for one in visible).split()
    assert described
    assert set(described) <= set(ids)
    assert ask("HEAD", "/").status_code == 200


def test_nothing_comes_from_elsewhere(ask):
    """Every file comes from this server with the right type; the page contains no inline code."""
    page = Read(ask("GET", "/").text)
    linked = {one["href"] for one in page.all("link")} | {one["src"] for one in page.all("img")}
    linked |= {one["src"] for one in page.all("script")}
    assert linked == {"/page/icon.svg", "/page/style.css", "/page/script.js"}
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for path in linked:
        answered = ask("GET", path)
        assert answered.status_code == 200
        assert answered.headers["content-type"].startswith(kinds[path.rpartition(".")[2]])
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", answered.text)
    assert page.all("style") == []
    for _, attributes in page.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("GET", "/", None),
        ("GET", "/page/style.css", None),
        ("GET", "/page/script.js", None),
        ("POST", "/", USUAL),
        ("POST", "/", {**USUAL, "claims": "{"}),
        ("POST", "/", {"do": "rotate"}),
    ],
)
def test_browsers_apply_a_strict_policy(ask, method, path, data):
    """Every response forbids what the page does not need: foreign files, inline script, frames, caches."""
    headers = ask(method, path, data=data, headers=OWN).headers
    policy = {
        one.split()[0]: one.split()[1:] for one in headers["content-security-policy"].split(";")
    }
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    for name in ("script-src", "style-src", "img-src", "form-action"):
        assert policy[name] == ["'self'"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control-")]


def test_the_unchanged_form_makes_the_usual_token(ask, send):
    """The unchanged form issues a token with the default claims and a lifetime of an hour."""
    form = Read(ask("GET", "/").text).fields
    page = Read(send(**{**form, "do": "issue"}).text)
    claims = part(page.texts["token"], 1)
    assert (claims["sub"], claims["aud"], claims["iss"]) == ("u1", "api", BASE_URL)
    assert claims["exp"] - claims["iat"] == 3600
    assert "scope" not in claims


def test_a_token_has_the_typed_values(send):
    """Fields and extra claims are in the token, in its decoded form, and in the form again."""
    typed = {
        "sub": "jörg",
        "scope": "orders:read",
        "audience": "a  b",
        "expires_in": "-60",
        "claims": '{"org_id": "acme", "aud": "c", "iat": null, "headers": {"typ": "at+jwt"}}',
    }
    answered = send(do="issue", **typed)
    assert answered.status_code == 200
    page = Read(answered.text)
    claims, header = part(page.texts["token"], 1), part(page.texts["token"], 0)
    assert (claims["sub"], claims["scope"], claims["org_id"]) == ("jörg", "orders:read", "acme")
    assert claims["aud"] == "c"
    assert "iat" not in claims
    assert header["typ"] == "at+jwt"
    assert json.loads(page.texts["Claims of the token"]) == claims
    assert json.loads(page.texts["Header of the token"]) == header
    assert {name: page.fields[name] for name in typed} == typed


@pytest.mark.parametrize(
    ("audience", "claim"), [("a b", ["a", "b"]), ("a", "a"), ("", None), ("api", "api")]
)
def test_an_empty_field_leaves_its_claim_out(send, audience, claim):
    """An audience may be several or none; an empty subject, scope or lifetime omits its claim."""
    page = Read(send(do="issue", audience=audience).text)
    claims = part(page.texts["token"], 1)
    assert claims.get("aud") == claim
    assert claims.keys().isdisjoint({"sub", "scope", "exp"})


def test_its_commands_do_what_they_say(ask, send):
    """One displayed command requests the same token again; the other one sends it to an API."""
    page = Read(send(do="issue", sub="o'hara", expires_in="5", claims='{"ö": "$(id)"}').text)
    token = page.texts["token"]
    call = shlex.split(page.texts["use"])
    assert f"Authorization: Bearer {token}" in call
    again = shlex.split(page.texts["again"].removeprefix("TOKEN=$(").removesuffix(")"))
    assert f"{BASE_URL}/dev/token" in again
    body = again[again.index("-d") + 1]
    headers = dict(one.split(": ") for one in again if re.fullmatch("[A-Z][A-Za-z-]+: .*", one))
    ordered = part(ask("POST", "/dev/token", headers=headers, content=body).text, 1)
    first = part(token, 1)
    assert ordered["exp"] - ordered["iat"] == first["exp"] - first["iat"] == 5
    for one in (ordered, first):
        del one["exp"], one["iat"]
    assert ordered == first == {"iss": BASE_URL, "sub": "o'hara", "ö": "$(id)"}


@pytest.mark.parametrize("field", ["sub", "scope", "audience", "expires_in", "claims"])
def test_typed_text_is_only_text(send, field):
    """Markup in any field is displayed as text: it adds no tag and no attribute."""
    plain, hostile = send(**USUAL), send(**{**USUAL, field: HOSTILE})
    page = Read(hostile.text)
    assert page.fields[field] == HOSTILE
    if field in ("sub", "scope", "audience"):  # the others are refused: only the form comes back
        assert [tag for tag, _ in page.tags] == [tag for tag, _ in Read(plain.text).tags]
    assert [one["src"] for one in page.all("script")] == ["/page/script.js"]
    assert [one["src"] for one in page.all("img")] == ["/page/icon.svg"]


def test_claims_are_only_text():
    """Markup in names and values of claims and headers, nested ones too, is displayed as text."""
    ask = Asker(issuer=f"https://id.example/{HOSTILE}", audience=HOSTILE)
    claims = {HOSTILE: HOSTILE, "deep": [{HOSTILE: [HOSTILE]}], "headers": {"kid": HOSTILE}}
    answered = ask("POST", "/", headers=OWN, data={**USUAL, "claims": json.dumps(claims)})
    assert answered.status_code == 200
    page = Read(answered.text)
    assert json.loads(page.texts["Claims of the token"])["deep"] == [{HOSTILE: [HOSTILE]}]
    assert json.loads(page.texts["Header of the token"])["kid"] == HOSTILE
    assert [one["src"] for one in page.all("script")] == ["/page/script.js"]
    assert [one["src"] for one in page.all("img")] == ["/page/icon.svg"]


def test_invisible_characters_are_shown():
    """Characters that reverse or hide text, or that UTF-8 cannot encode, are displayed as JSON escapes."""
    ask = Asker()
    claims = r'{"a": "\u202e\u200b\u0000", "b": "\ud800", "c": "ö"}'
    answered = ask("POST", "/", headers=OWN, data={**USUAL, "claims": claims})
    shown = Read(answered.text).texts["Claims of the token"]
    for escape in (r"\u202e", r"\u200b", r"\u0000", r"\ud800", "ö"):
        assert escape in shown
    assert not {"\u202e", "\u200b", "\0"} & set(answered.text)  # nor in the commands


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("claims", "{", "JSON object"),
        ("claims", "[]", "JSON object"),
        ("claims", '{"exp": NaN}', "JSON object"),
        ("claims", '{"expires_in": "60"}', "seconds"),
        ("claims", '{"self": 1}', "self"),
        ("expires_in", "an hour", "seconds"),
        ("expires_in", "1e3", "seconds"),
        ("expires_in", "9" * 13, "seconds"),
        ("expires_in", "٣", "seconds"),
    ],
)
def test_a_wrong_field_says_what_is_wrong(send, field, value, message):
    """A wrong field is 400: it is marked, described, focused, and keeps its text."""
    answered = send(**{**USUAL, field: value})
    assert answered.status_code == 400
    page = Read(answered.text)
    assert "token" not in page.texts
    assert page.fields[field] == value
    (wrong,) = [one for _, one in page.tags if one.get("aria-invalid") == "true"]
    assert (wrong["id"], "autofocus" in wrong) == (field, True)
    assert f"{field}-error" in wrong["aria-describedby"].split()
    assert re.search(message, page.texts[f"{field}-error"])
    assert "alert" in {one.get("role") for _, one in page.tags}


def test_deep_claims_do_no_harm(ask, send):
    """Claims nested too deeply for Python are 400; otherwise they are issued and displayed."""
    for depth, fine in ((100, {200}), (500, {200, 400}), (3_500, {200, 400})):
        claims = '{"a":' * depth + "1" + "}" * depth
        assert send(**USUAL, claims=claims).status_code in fine
    assert ask("GET", "/").status_code == 200


@pytest.mark.parametrize(
    ("fields", "done", "section"),
    [
        ({"do": "rotate"}, "rotated", "keys"),
        ({"do": "revoke key-1"}, "revoked", "keys"),
        ({"do": "revoke key-9"}, "unknown", "keys"),
        ({"do": "revoke"}, "unknown", "keys"),
        ({"do": "fail 500"}, "broken", "health"),
        ({"do": "recover"}, "recovered", "health"),
    ],
)
def test_a_click_is_answered_with_a_redirect(ask, send, fields, done, section):
    """A click redirects to the page, which confirms it, so a reload does not repeat it."""
    answered = send(**fields)
    assert (answered.status_code, answered.headers["location"]) == (303, f"/?done={done}#{section}")
    page = ask("GET", f"/?done={done}").text
    assert page.count('role="status"') == ask("GET", "/").text.count('role="status"') + 1


def test_clicks_do_what_they_say(ask, send):
    """Rotating, withdrawing, failing and recovering work, and the page shows the result."""
    send(do="rotate")
    assert ask.idp.kid == "key-2"
    assert "Withdraw key-1" in ask("GET", "/").text
    send(do="revoke key-1")
    assert [key["kid"] for key in ask.idp.jwks()["keys"]] == ["key-2"]
    assert "Withdraw key-1" not in ask("GET", "/").text
    for how, text in (("500", "answers 500"), ("hang", "hangs"), ("html", "a web page")):
        send(do=f"fail {how}")
        assert ask.idp.failure == how
        assert text in ask("GET", "/").text
    send(do="fail empty")
    assert ask("GET", "/.well-known/jwks.json").json() == {"keys": []}
    assert "Recover" in ask("GET", "/").text
    send(do="recover")
    assert ask.idp.failure is None
    assert "Recover" not in ask("GET", "/").text
    assert "was fetched once" in ask("GET", "/").text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://localhost:8400"},
        {"origin": "http://127.0.0.1:8401"},
        {"origin": "http://127.0.0.1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": BASE_URL, "sec-fetch-site": "cross-site"},
        {"origin": BASE_URL, "sec-fetch-site": "same-site"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {
            "host": "evil.example:8400",
            "origin": "http://evil.example:8400",
            "sec-fetch-site": "same-origin",
        },
        {"host": "127.0.0.1.evil.example", "origin": BASE_URL},
    ],
)
@pytest.mark.parametrize("fields", [{"do": "rotate"}, {"do": "fail 500"}, USUAL])
def test_a_foreign_page_s_form_does_nothing(ask, send, headers, fields):
    """A form without proof of origin, or sent to a rebound host name, is 403."""
    refused = send(headers=headers, **fields)
    assert (refused.status_code, refused.json()["code"][:8]) == (403, "foreign_")
    assert (ask.idp.kid, ask.idp.failure) == ("key-1", None)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": BASE_URL},
        {"origin": BASE_URL, "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "same-origin"},
        {"host": "localhost:8400", "origin": "http://localhost:8400"},
        {"host": "[::1]:8400", "origin": "http://[::1]:8400"},
    ],
)
def test_its_own_form_is_accepted(ask, send, headers):
    """The page's own forms work under every loopback name."""
    assert send(headers=headers, do="rotate").status_code == 303
    assert ask.idp.kid == "key-2"


@pytest.mark.parametrize("host", ["evil.example", "192.168.0.7", "localhost.evil.example", ""])
def test_a_rebound_name_shows_nothing(ask, host):
    """Under a name other than loopback, the page and its files are refused."""
    for path in ("/", "/page/script.js"):
        refused = ask("GET", path, headers={"host": host})
        assert (refused.status_code, refused.json()["code"]) == (403, "foreign_host")


def test_a_link_may_lead_to_the_page(ask):
    """A link from another site opens the page, since reading it is harmless."""
    assert ask("GET", "/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("PUT", "/", {}, 405),
        ("DELETE", "/", {}, 405),
        ("OPTIONS", "/", {}, 405),
        ("POST", "/page/style.css", {"data": USUAL}, 405),
        ("GET", "/page/view.py", {}, 404),
        ("GET", "/page/", {}, 404),
        ("GET", "/page/..%2f__init__.py", {}, 404),
        ("GET", "/page/../_serve.py", {}, 404),
        ("POST", "/", {"json": {"do": "rotate"}}, 415),
        ("POST", "/", {"content": b"do=rotate"}, 415),
        (
            "POST",
            "/",
            {"content": b"do=rotate", "headers": {**OWN, "content-type": "text/plain"}},
            415,
        ),
        ("POST", "/", {"data": {"do": "explode"}}, 400),
        ("POST", "/", {"data": {"sub": "u1"}}, 400),
        ("POST", "/", {"data": {"do": "fail slow"}}, 400),
        ("POST", "/", {"content": b"do=%FF", "headers": {**OWN, **FORM}}, 400),
        ("POST", "/", {"data": {"do": "issue", "sub": "u" * 65_536}}, 413),
    ],
)
def test_other_requests_are_refused(ask, method, path, options, status):
    """A request that the page never sends is refused and changes nothing."""
    answered = ask(method, path, **{"headers": OWN, **options})
    assert answered.status_code == status
    assert (ask.idp.kid, ask.idp.failure) == ("key-1", None)


@pytest.mark.parametrize("query", ["done=<script>", "done=", "x=rotated", "done=rotated&x=1"])
def test_only_known_notices_are_shown(ask, query):
    """A link can make the page display only one of its own notices."""
    assert ask("GET", f"/?{query}").text == ask("GET", "/").text


@pytest.mark.parametrize(
    ("issued_at", "expires_at", "text"),
    [
        (0, 3600, "Valid for 1 hour, until 1970-01-01 01:00:00 UTC"),
        (0, 172_800, "Valid for 2 days"),
        (0, 90, "Valid for 90 seconds"),
        (0, 1, "Valid for 1 second,"),
        (0, 0.5, "Valid for 0.5 seconds"),
        (0, 1e300, "until second 1e+300"),
        (10, 10, "already expired"),
        (10, 0, "already expired"),
        (None, 3600, "Valid until 1970-01-01 01:00:00 UTC"),
        (0, None, "never expires"),
    ],
)
def test_a_lifetime_in_words(issued_at, expires_at, text):
    """A sentence says how long a token is valid, whatever its claims."""
    assert text in lifetime(issued_at, expires_at)


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, [f'providers.oidc("{BASE_URL}", audience="api", algorithms=("ES256",))']),
        ({"audience": ("a", "b")}, ['audience=("a", "b")']),
        ({"audience": ("a",)}, ['audience=("a",)']),
        ({"audience": UNCHECKED}, ["audience=providers.UNCHECKED"]),
        (
            {"issuer": "https://id.example"},
            [f'providers.generic("{BASE_URL}/.well-known/jwks.json", issuer="https://id.example"'],
        ),
        ({"base_url": "http://idp:8400"}, ["allow_http=True"]),
    ],
)
def test_the_lines_for_an_app_are_python(options, lines):
    """The displayed code for an app is valid Python and names this provider."""
    ask = Asker(beyond_loopback=True, **options)
    page = Read(ask("GET", "/").text)
    for shown in (page.texts["client"], page.texts["fastapi"]):
        compile(shown, "shown", "exec")
        packed = re.sub(r"\s+", "", shown).replace(",)", ")")
        for line in lines:
            assert line.replace(" ", "").replace(",)", ")").rstrip(")") in packed
        assert ("allow_http" in shown) == ("base_url" in options)


def test_the_fastapi_app_runs_unchanged(monkeypatch):
    """The displayed FastAPI app accepts the displayed token, and refuses each forged one."""
    served = FakeProvider(issuer=None)
    with served.serve() as base_url:
        ask = Asker(base_url=base_url, algorithm="RS256")
        monkeypatch.setattr(served._identity, "jwks", ask.idp.jwks)
        page = Read(ask("POST", "/", data=USUAL, headers={"origin": base_url}).text)
        names = {}
        exec(page.texts["fastapi"], names)  # noqa: S102 (the code on the page is under test)

        async def answers(*tokens):
            transport = httpx.ASGITransport(names["app"])
            async with httpx.AsyncClient(transport=transport, base_url=base_url) as api:
                return [
                    await api.get("/", headers={"authorization": f"Bearer {token}"})
                    for token in tokens
                ]

        bad = [text for name, text in page.texts.items() if name.startswith("bad-")]
        assert len(bad) > 20
        good, *refused = asyncio.run(answers(page.texts["token"], *bad))
        assert good.json() == {"subject": "u1"}
        assert {one.status_code for one in refused} <= {400, 401}


def test_bad_tokens_are_named_and_have_their_code(ask, send):
    """Each forged token is displayed with what is wrong and the code of its refusal."""
    page = Read(send(**USUAL).text)
    with (
        httpx.Client(transport=ask.idp.transport) as http,
        JWKSClient(ask.idp.provider, http=http) as client,
    ):
        for bad in ask.idp.forge.all(scope="a"):
            assert f">{bad.name.replace('_', ' ')}<" in page.source
        for name, token in page.texts.items():
            if name.startswith("bad-"):
                with pytest.raises(TokenError) as caught:
                    client.verify(token)
                row = page.source.partition(f'id="{name}"')[0].rpartition("<tr>")[2]
                assert f"<code>{caught.value.code}</code>" in row


@pytest.mark.parametrize("action", ["rotate", "revoke key-1", "fail 500", "recover"])
def test_a_click_keeps_the_token_and_the_form(ask, send, action):
    """After any other click the issued token and the form's text are still there."""
    token = Read(send(**USUAL).text).texts["token"]
    typed = {**USUAL, "sub": "not issued yet", "claims": "{"}
    answered = send(**{**typed, "do": action})
    page = Read(ask("GET", answered.headers["location"]).text)
    assert page.texts["token"] == token
    assert {name: page.fields[name] for name in USUAL.keys() - {"do"}} == {
        name: typed[name] for name in USUAL.keys() - {"do"}
    }
    assert "token" not in Read(ask("GET", "/").text).texts


def test_every_button_belongs_to_the_same_form(ask, send):
    """The first button of the form issues a token, so Enter in a field does so."""
    send(do="rotate")
    for html in (send(do="fail hang"), ask("GET", "/"), send(**USUAL)):
        page = Read(html.text)
    assert len(page.all("form")) == 1
    assert page.actions[0] == "issue"
    assert {"rotate", "revoke key-1", "revoke key-2", "recover", "fail 500"} <= {*page.actions}


@pytest.mark.parametrize(
    ("action", "tone"),
    [("fail 500", "bad"), ("revoke key-9", "plain"), ("rotate", "good"), ("recover", "good")],
)
def test_a_failure_is_not_shown_in_green(ask, send, action, tone):
    """Only success is green: a requested failure is red, and no change is plain."""
    page = Read(ask("GET", send(do=action).headers["location"]).text)
    (note,) = [one for one in page.all("p") if "note" in one.get("class", "")]
    assert note["class"] == f"note {tone}"


def test_an_expired_token_is_not_shown_in_green(send):
    """A token issued already expired is announced in red."""
    page = Read(send(**{**USUAL, "expires_in": "-1"}).text)
    (note,) = [one for one in page.all("p") if "note" in one.get("class", "")]
    assert note["class"] == "note bad"


STYTCH = providers.stytch("project-test-0a1b2c3d")


def test_it_behaves_like_a_preset():
    """With a preset, tokens from the page, ``/dev/token`` and ``/token`` are in that provider's shape."""
    ask = Asker(
        algorithm="RS256", preset=STYTCH, preset_code="providers.stytch('project-test-0a1b2c3d')"
    )
    page = Read(
        ask("POST", "/", data={"do": "issue"} | Read(ask("GET", "/").text).fields, headers=OWN).text
    )
    grant = {"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}
    tokens = [
        page.texts["token"],
        ask("POST", "/dev/token", json={}).json()["token"],
        ask("POST", "/token", data=grant).json()["access_token"],
    ]
    names = {"raw": tokens[0], "verified": []}
    shown = page.texts["client"].replace("client.verify(raw)", "client")
    exec(shown, names)  # noqa: S102 (the code on the page is under test)
    assert names["client"].health().keys() == {"stytch"}
    path = "/v1/sessions/jwks/project-test-0a1b2c3d"
    assert f'jwks_url="{BASE_URL}{path}"' in shown
    assert ask("GET", path).json()["keys"][0]["kid"] == ask.idp.kid
    here = replace(STYTCH, jwks_url=ask.idp.jwks_url)
    with httpx.Client(transport=ask.idp.transport) as http, JWKSClient(here, http=http) as client:
        for token in tokens:
            assert client.verify(token).issuer == "stytch.com/project-test-0a1b2c3d"


def test_it_says_what_each_key_is_for():
    """The table shows which key signs, which still verify, and which, as Keycloak's second, only encrypts."""
    ask = Asker(algorithm="RS256", preset=named("keycloak", (), {}))
    ask.idp.rotate()
    uses = re.findall(
        r"<td>(?:<span class=\"pill\">)?(signs now|still verifies|encrypts)<", ask("GET", "/").text
    )
    assert sorted(uses) == ["encrypts", "signs now", "still verifies"]


def test_each_preset_can_be_shown():
    """Every preset has a page, whose form issues tokens that the preset accepts."""
    for name in preset_names():
        preset = named(name, (), {})
        ask = Asker(algorithm=next(iter(preset.algorithms)), preset=preset)
        form = Read(ask("GET", "/").text).fields
        page = Read(ask("POST", "/", data={"do": "issue"} | form, headers=OWN).text)
        with (
            httpx.Client(transport=ask.idp.transport) as http,
            JWKSClient(ask.idp.provider, http=http) as client,
        ):
            assert client.verify(page.texts["token"]).claims
