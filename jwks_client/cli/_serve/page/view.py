"""How the page looks: its HTML, made anew for each answer.

Owns: the words and the structure; colours and places are in ``style.css``. May not know: requests.
What is put into a template is escaped there (`markup`), whoever wrote it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from .... import __version__
from ..provider import FAILURES, DevelopmentProvider
from .commands import client_of, grant_command, order_command, use_command
from .form import FieldError, Form, Issued
from .markup import Content, Markup, fill, joined
from .token import decoded, token_parts, validity

__all__ = ["NOTICES", "Notice", "View", "render"]


class Notice(NamedTuple):
    """What is said after a click, and in which section."""

    section: str
    text: str


NOTICES: Final = {
    "rotated": Notice("keys", "A new key signs from now on. The old ones stay until withdrawn."),
    "revoked": Notice("keys", "The key is withdrawn: its tokens are refused once caches notice."),
    "unknown": Notice("keys", "That key was withdrawn before."),
    "broken": Notice("health", "It fails from now on, for everyone who asks for keys."),
    "recovered": Notice("health", "It answers well again."),
}

_FAILURES: Final = {
    "500": ("Answer 500", "answers 500", "An error of the server."),
    "hang": ("Hang", "hangs", "It takes requests and never answers."),
    "empty": ("Empty key set", "publishes no keys", "A good answer without keys."),
    "html": ("Web page", "answers with a web page", "HTML where keys should be."),
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="/page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/style.css">
<script src="/page/script.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<p class="warning"><strong>For development only:</strong> whoever reaches this port gets any token.
Never in production.</p>
<div class="who">
<img src="/page/icon.svg" alt="" width="44" height="44">
<div>
<h1>Development identity provider</h1>
<p class="issuer">Issuer <code>{issuer}</code></p>
</div>
{pill}
</div>
</header>
<main id="main" tabindex="-1"{fresh}>
{first}
{second}
{keys}
{health}
{connect}
</main>
<footer>
<p>jwks-client {version}. Its key set {fetches}; reload to count again.</p>
<p id="said" class="unseen" role="status"></p>
</footer>
</body>
</html>
"""

_FORM: Final = """<section class="card at-issue" aria-labelledby="issue">
<h2 id="issue">Issue a token</h2>
{alert}
<form method="post" action="/">
<input type="hidden" name="do" value="issue">
<div class="field">
<label for="sub">Subject <code>sub</code></label>
<input id="sub" name="sub" value="{sub}" autocomplete="off" spellcheck="false">
</div>
<div class="field">
<label for="scope">Scope <code>scope</code></label>
<input id="scope" name="scope" value="{scope}" placeholder="orders:read orders:write"
 autocomplete="off" spellcheck="false">
</div>
<div class="two">
<div class="field">
<label for="audience">Audience <code>aud</code></label>
<input id="audience" name="audience" value="{audience}" autocomplete="off" spellcheck="false"
 aria-describedby="audience-hint">
<p class="hint" id="audience-hint">Several: with blanks between.</p>
</div>
<div class="field">
<label for="expires_in">Expires in, seconds</label>
<input id="expires_in" name="expires_in" value="{expires_in}" inputmode="numeric"
 autocomplete="off" aria-describedby="{expires_in_notes}"{expires_in_wrong}>
<p class="hint" id="expires_in-hint">A negative one: expired already.</p>
{expires_in_error}
</div>
</div>
<div class="field">
<label for="claims">Extra claims, as JSON</label>
<textarea id="claims" name="claims" rows="5" spellcheck="false" autocomplete="off"
 placeholder="{claims_example}" aria-describedby="{claims_notes}"{claims_wrong}>
{claims}</textarea>
<p class="hint" id="claims-hint">These win over the fields above; <code>null</code> leaves a claim
out. <code>headers</code> is an object of header members.</p>
{claims_error}
</div>
<div class="actions">
<button class="main">Issue token</button>
<p class="hint">An empty field leaves its claim out.</p>
</div>
</form>
</section>"""

_EMPTY: Final = Markup("""<section class="card at-result quiet" aria-labelledby="result">
<h2 id="result">Your token</h2>
<div class="nothing">
<p class="big">Nothing here yet.</p>
<p>What stands in the form makes a good token already:<br>
just press <strong>Issue token</strong>.</p>
</div>
</section>""")

_RESULT: Final = """<section class="card at-result" aria-labelledby="result">
<h2 id="result">Your token</h2>
<p class="good" role="status">{validity}</p>
<div class="shown">
<div class="bar"><h3>Token</h3>{copy_token}</div>
<div class="token" id="token" tabindex="0" role="group" aria-label="Token">{token}</div>
</div>
<div class="shown head">
<div class="bar"><h3>Header</h3></div>
<pre tabindex="0" role="group" aria-label="Header of the token">{header}</pre>
</div>
<div class="shown body">
<div class="bar"><h3>Claims</h3></div>
<pre tabindex="0" role="group" aria-label="Claims of the token">{claims}</pre>
</div>
{use}
{again}
</section>"""

_COMMAND: Final = """<div class="shown">
<div class="bar"><h3>{title}</h3>{copy}</div>
<pre tabindex="0" id="{name}" role="group" aria-label="{title}">{text}</pre>
</div>"""

_COPY: Final = """<button type="button" class="small" data-copies="{name}" hidden
 aria-label="Copy: {what}">Copy</button>"""

_KEYS: Final = """<section class="card at-keys" aria-labelledby="keys">
<div class="bar"><h2 id="keys" tabindex="-1">Signing keys</h2>
<form method="post" action="/"><input type="hidden" name="do" value="rotate">
<button>Rotate</button></form></div>
{notice}
<table>
<caption class="unseen">The keys that are published now, newest first</caption>
<thead><tr><th scope="col">Key</th><th scope="col">Kind</th><th scope="col">Use</th>
<th scope="col"><span class="unseen">Withdraw</span></th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p class="hint">Rotate: a new key signs and the old ones stay. Withdraw: a key is published no more;
if it signs, a new one follows.</p>
</section>"""

_KEY: Final = """<tr>
<th scope="row"><code>{kid}</code></th><td>{kind}</td><td>{use}</td>
<td><form method="post" action="/"><input type="hidden" name="do" value="revoke">
<input type="hidden" name="kid" value="{kid}">
<button class="small danger" aria-label="Withdraw {kid}">Withdraw</button></form></td>
</tr>"""

_HEALTH: Final = """<section class="card at-health" aria-labelledby="health">
<div class="bar"><h2 id="health" tabindex="-1">Break it</h2>{recover}</div>
{notice}
<p>See how your app does while keys and metadata cannot be had. Tokens are issued all the
same.</p>
<form method="post" action="/" class="failures">
<input type="hidden" name="do" value="fail">
{buttons}
</form>
</section>"""

_RECOVER: Final = Markup("""<form method="post" action="/">
<input type="hidden" name="do" value="recover"><button class="main">Recover</button></form>""")

_FAILURE: Final = """<div><button name="how" value="{how}"{pressed}>{label}</button>
<span class="hint">{text}{now}</span></div>"""

_CONNECT: Final = """<section class="card at-connect" aria-labelledby="connect">
<h2 id="connect">Connect your app</h2>
<dl>
<div><dt>Metadata</dt><dd><a href="{discovery_url}">{discovery_url}</a></dd></div>
<div><dt>Key set</dt><dd><a href="{jwks_url}">{jwks_url}</a></dd></div>
<div><dt>Token endpoint</dt><dd><code>{token_endpoint}</code></dd></div>
</dl>
{client}
{grant}
</section>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What this answer shows besides the provider.

    Attributes:
        form: what stands in the fields.
        issued: the token that was just issued.
        error: the field that was wrong.
        notice: the name of one of `NOTICES`.
    """

    form: Form
    issued: Issued | None = None
    error: FieldError | None = None
    notice: str | None = None


def render(idp: DevelopmentProvider, view: View) -> str:
    """The whole page."""
    form = _form(view.form, view.error)
    return fill(
        _PAGE,
        title=_title(view),
        issuer=idp.issuer,
        pill=_pill(idp.failure),
        # What was asked for comes first, where all is in one column and where it is read aloud.
        fresh=Markup(' class="fresh"' if view.issued else ""),
        first=_result(idp, view.issued) if view.issued else form,
        second=form if view.issued else _EMPTY,
        keys=_keys(idp, view.notice),
        health=_health(idp.failure, view.notice),
        connect=_connect(idp),
        version=__version__,
        fetches=_times(idp.fetches),
    )


def _title(view: View) -> str:
    if view.error is not None:
        said = "Error: "
    elif view.issued is not None:
        said = "Token issued: "
    else:
        said = ""
    return f"{said}development identity provider"


def _pill(failure: str | None) -> Markup:
    if failure is None:
        return Markup('<p class="pill">answers well</p>')
    return fill('<p class="pill bad">{text}</p>', text=_FAILURES[failure][1])


def _form(form: Form, error: FieldError | None) -> Markup:
    alert = Markup("")
    marks: dict[str, Content] = {}
    for name in ("expires_in", "claims"):
        is_wrong = error is not None and error.field == name
        marks[f"{name}_notes"] = f"{name}-hint {name}-error" if is_wrong else f"{name}-hint"
        marks[f"{name}_wrong"] = Markup(' aria-invalid="true" autofocus' if is_wrong else "")
        marks[f"{name}_error"] = Markup("")
        if is_wrong:
            alert = Markup('<p class="wrong" role="alert">No token: one field is wrong.</p>')
            marks[f"{name}_error"] = fill(
                '<p class="wrong" id="{name}-error">{text}</p>', name=name, text=str(error)
            )
    return fill(
        _FORM,
        alert=alert,
        sub=form.sub,
        scope=form.scope,
        audience=form.audience,
        expires_in=form.expires_in,
        claims=form.claims,
        claims_example='{"org_id": "acme", "roles": ["admin"]}',
        **marks,
    )


def _result(idp: DevelopmentProvider, issued: Issued) -> Markup:
    return fill(
        _RESULT,
        validity=validity(issued),
        token=token_parts(issued.token),
        copy_token=fill(_COPY, name="token", what="the token"),
        header=decoded(issued.header),
        claims=decoded(issued.claims),
        use=_command("use", "Call your API", use_command(issued.token)),
        again=_command("again", "The same in a terminal", order_command(idp, issued.order)),
    )


def _command(name: str, title: str, text: str) -> Markup:
    copy = fill(_COPY, name=name, what=title)
    return fill(_COMMAND, name=name, title=title, text=text, copy=copy)


def _keys(idp: DevelopmentProvider, notice: str | None) -> Markup:
    signing = idp.kid
    rows = joined(
        fill(
            _KEY,
            kid=str(key["kid"]),
            kind=" ".join(str(key[name]) for name in ("kty", "crv", "alg") if name in key),
            use=(
                Markup('<span class="pill">signs now</span>')
                if key["kid"] == signing
                else "still verifies"
            ),
        )
        for key in reversed(idp.jwks()["keys"])
    )
    return fill(_KEYS, rows=rows, notice=_notice("keys", notice))


def _health(failure: str | None, notice: str | None) -> Markup:
    buttons = joined(
        fill(
            _FAILURE,
            how=how,
            label=_FAILURES[how][0],
            text=_FAILURES[how][2],
            pressed=Markup(' class="on"' if how == failure else ""),
            now=Markup(" <strong>In force now.</strong>" if how == failure else ""),
        )
        for how in FAILURES
    )
    recover = Markup("") if failure is None else _RECOVER
    return fill(_HEALTH, buttons=buttons, recover=recover, notice=_notice("health", notice))


def _notice(section: str, name: str | None) -> Markup:
    if name is None or NOTICES[name].section != section:
        return Markup("")
    return fill('<p class="good" role="status">{text}</p>', text=NOTICES[name].text)


def _connect(idp: DevelopmentProvider) -> Markup:
    return fill(
        _CONNECT,
        discovery_url=idp.discovery_url,
        jwks_url=idp.jwks_url,
        token_endpoint=idp.token_endpoint,
        client=_command("client", "Verify its tokens", client_of(idp)),
        grant=_command("grant", "A token as a client", grant_command(idp)),
    )


def _times(count: int) -> str:
    match count:
        case 0:
            return "was not asked for yet"
        case 1:
            return "was asked for once"
        case _:
            return f"was asked for {count} times"
