"""The page of the development provider in a real browser: normal use and attacks.

With ``JWKS_CLIENT_SCREENSHOTS=docs/images`` it also makes the pictures of ``development-server.md``.
"""

import importlib.resources
import json
import os
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from browsing import REBOUND, browser, require_browser
from running import running
from serving import served

from jwks_client import JWKSClient, providers

HOSTILE = """</textarea></pre></script><script>document.title='x'</script>"'><img src=x onerror=alert(1)>"""


@pytest.fixture(scope="module")
def with_script(tmp_path_factory):
    """Start a browser with the usual settings."""
    with browser(tmp_path_factory.mktemp("with-script")) as driver:
        yield driver


@pytest.fixture(scope="module")
def without_script(tmp_path_factory):
    """Start a browser without JavaScript."""
    with browser(tmp_path_factory.mktemp("without-script"), script=False) as driver:
        yield driver


@pytest.fixture(params=["with_script", "without_script"])
def driver(request):
    """Run the test in both browsers."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def base_url():
    """Run ``jwks-client serve`` as a process."""
    require_browser()
    with running("serve", "--port", "0", patience=600) as process:
        yield process.stdout.readline().strip()


@pytest.fixture(autouse=True)
def well_again(base_url):
    """Let the provider recover after each test."""
    yield
    drive(base_url, "recover")


def drive(base_url, order):
    answered = httpx.post(f"{base_url}/dev/{order}", json={}, trust_env=False)
    return answered.raise_for_status().json()


def state(base_url):
    return httpx.get(f"{base_url}/dev/state", trust_env=False).json()


def find(driver, selector):
    return driver.find_element("css selector", selector)


def press(driver, label):
    """Press the button of this name, and wait for the next page."""
    with another_page(driver):
        driver.find_element(
            "xpath", f"//button[normalize-space()='{label}' or @aria-label='{label}']"
        ).click()


@contextmanager
def another_page(driver):
    """Wait for the page to which the block leads."""
    # An element's id names its document too. The old element itself is not asked whether it is gone:
    # in the middle of a navigation chromedriver has more than one error for that.
    before = find(driver, "html").id
    yield
    wait_until(driver, lambda: find(driver, "html").id != before)


def wait_until(driver, what):
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.support.wait import WebDriverWait

    patience = WebDriverWait(driver, 20, 0.02, ignored_exceptions=(WebDriverException,))
    return patience.until(lambda _: what())


def fill_in(driver, **fields):
    for name, text in fields.items():
        field = find(driver, f"#{name}")
        field.clear()
        field.send_keys(text)


def complaints(driver):
    """Return the messages of the browser's console; a correct page has none."""
    return [one["message"] for one in driver.get_log("browser")]


def test_scripts_run_in_one_of_the_browsers_only(with_script, without_script, base_url):
    """One browser runs JavaScript, the other does not."""
    for driver, label in ((with_script, "Copy"), (without_script, "")):
        driver.get(f"{base_url}/")
        assert find(driver, "[data-copies=client]").text == label


def test_a_token_is_issued_and_verifies(driver, base_url):
    """The issued token verifies with the code displayed next to it."""
    driver.get(f"{base_url}/")
    claims = '{"org_id": "acme", "roles": ["admin"]}'
    fill_in(driver, sub="ada", scope="orders:read", expires_in="600", claims=claims)
    press(driver, "Issue token")
    assert "Valid for 10 minutes" in find(driver, ".at-result [role=status]").text
    provider = providers.oidc(base_url, audience="api", algorithms=("RS256",))
    with httpx.Client(trust_env=False) as http, JWKSClient(provider, http=http) as client:
        token = client.verify(find(driver, "#token").text)
    assert (token.subject, token.scopes) == ("ada", {"orders:read"})
    assert (token.claims["org_id"], token.claims["roles"]) == ("acme", ["admin"])
    assert token.expires_at - token.issued_at == 600
    assert json.loads(find(driver, ".body pre").text) == token.claims
    assert find(driver, "#sub").get_attribute("value") == "ada"
    assert driver.current_url == f"{base_url}/"  # no token in a URL, nor in the history
    assert complaints(driver) == []


def test_a_wrong_field_is_in_focus(driver, base_url):
    """An error is displayed next to its field, which has the focus and keeps its text."""
    driver.get(f"{base_url}/")
    fill_in(driver, claims="{")
    press(driver, "Issue token")
    focused = driver.switch_to.active_element
    assert (focused.get_attribute("id"), focused.get_attribute("value")) == ("claims", "{")
    assert "JSON object" in find(driver, "#claims-error").text
    driver.get_log("browser")  # that the answer was 400


def test_keys_are_rotated_and_withdrawn(driver, base_url):
    """One click rotates, another withdraws the old key, and a reload repeats neither."""
    driver.get(f"{base_url}/")
    old = state(base_url)["kid"]
    press(driver, "Rotate")
    new = state(base_url)["kid"]
    assert new != old
    assert find(driver, ".at-keys tbody tr").text.split()[0] == new
    assert "new key signs" in find(driver, ".at-keys [role=status]").text
    driver.refresh()
    assert state(base_url)["kid"] == new
    press(driver, f"Withdraw {old}")
    assert old not in state(base_url)["kids"]
    assert old not in find(driver, ".at-keys table").text
    assert complaints(driver) == []


@pytest.mark.parametrize(
    ("button", "failure"),
    [("Answer 500", "500"), ("Hang", "hang"), ("Empty key set", "empty"), ("Web page", "html")],
)
def test_it_breaks_and_recovers_on_a_click(driver, base_url, button, failure):
    """Each failure button works, the page displays the failure, and another click ends it."""
    driver.get(f"{base_url}/")
    press(driver, button)
    assert state(base_url)["failure"] == failure
    assert "Active now." in find(driver, ".at-health").text
    press(driver, "Issue token")
    assert find(driver, "#token").text.count(".") == 2
    press(driver, "Recover")
    assert state(base_url)["failure"] is None
    assert complaints(driver) == []


def test_the_keyboard_alone_is_enough(driver, base_url):
    """With the keyboard alone, the first stop skips to the content, and Enter in a field issues."""
    from selenium.webdriver.common.keys import Keys

    driver.get(f"{base_url}/")
    find(driver, "body").send_keys(Keys.TAB)
    assert driver.switch_to.active_element.text == "Skip to the content"
    seen = set()
    for _ in range(20):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        focused = driver.switch_to.active_element
        seen.add(focused.get_attribute("id") or focused.text)
    assert {"sub", "scope", "audience", "expires_in", "claims", "Issue token", "Rotate"} <= seen
    with another_page(driver):
        find(driver, "#scope").send_keys("a:b", Keys.ENTER)
    assert '"scope": "a:b"' in find(driver, ".body pre").text


def test_a_token_is_copied_on_a_click(with_script, base_url):
    """With JavaScript, copy buttons work and confirm it."""
    driver = with_script
    driver.get(f"{base_url}/")
    press(driver, "Issue token")
    driver.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"], "origin": base_url},
    )
    button = find(driver, "[data-copies=token]")
    button.click()
    wait_until(driver, lambda: button.text == "Copied")
    assert find(driver, "#said").get_attribute("textContent") == "Copied"
    copied = driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert copied == find(driver, "#token").text


@pytest.mark.parametrize("field", ["sub", "scope", "audience", "claims"])
def test_hostile_claims_do_nothing(driver, base_url, field):
    """Markup in a claim is displayed as text: it runs and loads nothing."""
    driver.get(f"{base_url}/")
    typed = json.dumps({HOSTILE: [HOSTILE]}) if field == "claims" else HOSTILE
    fill_in(driver, **{field: typed})
    press(driver, "Issue token")
    assert driver.title.startswith("Token issued")
    assert find(driver, f"#{field}").get_attribute("value") == typed
    assert len(driver.find_elements("css selector", "script")) == 1
    assert len(driver.find_elements("css selector", "img")) == 1
    assert complaints(driver) == []


OWN_IT = "document.title = 'owned'"


@pytest.mark.parametrize(
    "injection",
    [
        "const e = document.createElement('script'); e.append(own); document.body.append(e)",
        "const e = document.createElement('a'); e.setAttribute('onclick', own); e.click()",
        "const a = document.body; a.innerHTML += `<b onclick='${own.replaceAll(`'`, '&#39;')}'>`; a.lastChild.click()",
    ],
)
def test_injected_script_does_not_run(with_script, base_url, injection):
    """The policy forbids even script that was inserted into the page."""
    driver = with_script
    driver.get(f"{base_url}/")
    driver.execute_script(f"const own = arguments[0]; try {{ {injection} }} catch {{}}", OWN_IT)
    assert driver.title == "development identity provider"
    driver.get_log("browser")


ATTACK = """<!doctype html><title>kittens</title>
<iframe name="hidden"></iframe>
<form method="post" action="{target}/" enctype="{enctype}" target="{frame}">
<input name="do" value="rotate"></form>
<script>
document.forms[0].submit();
const how = {{method: "POST", mode: "no-cors", credentials: "include"}};
const body = new URLSearchParams({{do: "rotate"}});
const json = JSON.stringify({{}});
const type = {{"Content-Type": "application/json"}};
Promise.allSettled([
  fetch("{target}/", {{...how, body}}),
  fetch("{target}/dev/rotate", {{...how, body: json}}),
  fetch("{target}/dev/rotate", {{method: "POST", body: json, headers: type}}),
  fetch("{target}/dev/state").then(answer => answer.text()),
  fetch("{target}/token", {{method: "POST", body}}).then(answer => answer.text()),
]).then(all => document.title = all.map(one => one.value?.type ?? one.value ?? "failed").join());
</script>"""


@pytest.mark.parametrize("enctype", ["application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("frame", ["hidden", "_self"])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", REBOUND])
def test_a_foreign_page_cannot_drive_it(with_script, base_url, host, enctype, frame):
    """A page of another origin, even on this machine, can neither submit, fetch nor read."""
    driver, kid = with_script, state(base_url)["kid"]
    page = ATTACK.format(target=base_url, enctype=enctype, frame=frame)
    with served() as attacker:
        attacker.put("/", page, content_type="text/html")
        driver.get(attacker.base_url.replace("127.0.0.1", host))
        if frame == "_self":
            wait_until(driver, lambda: "foreign_origin" in driver.page_source)
        else:
            wait_until(driver, lambda: driver.title != "kittens")
            assert driver.title == "opaque,opaque,failed,failed,failed"
    assert state(base_url)["kid"] == kid
    driver.get_log("browser")


def test_a_rebound_name_cannot_drive_it(with_script, base_url):
    """A page whose name was rebound to this machine has the same origin, and is still refused."""
    driver, kid = with_script, state(base_url)["kid"]
    rebound = base_url.replace("127.0.0.1", REBOUND)
    driver.get(f"{rebound}/")
    assert "foreign_host" in driver.page_source
    said = driver.execute_async_script(
        """
        const done = arguments[0];
        const json = {"Content-Type": "application/json"};
        Promise.all([
          fetch("/", {method: "POST", body: new URLSearchParams({do: "rotate"})}),
          fetch("/dev/rotate", {method: "POST", body: "{}", headers: json}),
          fetch("/dev/token", {method: "POST", body: "{}", headers: json}),
          fetch("/dev/state"),
        ]).then(all => done(all.map(one => one.status)));
        """
    )
    assert said == [403] * 4
    assert state(base_url)["kid"] == kid
    driver.get_log("browser")


def test_it_cannot_be_framed(with_script, base_url):
    """Another site cannot embed it in a frame for clickjacking."""
    driver = with_script
    with served() as attacker:
        attacker.put("/", f'<iframe src="{base_url}/"></iframe>', content_type="text/html")
        driver.get(attacker.base_url)
        driver.switch_to.frame(0)
        assert driver.find_elements("css selector", "form") == []
        driver.switch_to.default_content()
    driver.get_log("browser")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_is_accessible(with_script, base_url, scheme, width):
    """axe finds no violation of WCAG 2.1 AA in any state, light and dark, and nothing overflows."""
    driver = with_script
    axe = (importlib.resources.files("axe_core_python") / "axe.min.js").read_text("utf-8")
    emulate(driver, scheme)
    driver.set_window_size(width, 900)

    def assert_accessible():
        driver.execute_script(axe)
        found = driver.execute_async_script("axe.run(document).then(arguments[0])")
        assert [
            (one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]
        ] == []
        assert driver.execute_script(
            "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )

    try:
        driver.get(f"{base_url}/")
        assert_accessible()
        press(driver, "Issue token")
        assert_accessible()
        find(driver, "summary").click()
        assert_accessible()
        fill_in(driver, expires_in="soon")
        press(driver, "Issue token")
        assert_accessible()
        driver.get(f"{base_url}/")
        press(driver, "Hang")
        assert_accessible()
        press(driver, "Recover")
    finally:
        emulate(driver, "light")
        driver.set_window_size(1280, 900)
        driver.get_log("browser")


def emulate(driver, scheme):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_picture(with_script, base_url, tmp_path, scheme):
    """The screenshots in the documentation are current, light and dark."""
    driver = with_script
    folder = Path(os.environ.get("JWKS_CLIENT_SCREENSHOTS", tmp_path))
    with running(
        "serve", "--port", "8400"
    ) as process:  # as the documentation says, if that font is installed
        place = process.stdout.readline().strip() or base_url
        emulate(driver, scheme)
        driver.get(f"{place}/")
        press(driver, "Rotate")
        fill_in(driver, sub="ada", scope="orders:read", claims='{"org_id": "acme"}')
        press(driver, "Issue token")
        height = driver.execute_script("return document.documentElement.scrollHeight")
        metrics = {"width": 1280, "height": height, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        picture = folder / f"development-server-{scheme}.png"
        assert driver.save_screenshot(str(picture))
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        paper = find(driver, "body").value_of_css_property("background-color")
        emulate(driver, "light")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert (paper == "rgba(246, 245, 241, 1)") == (scheme == "light")
