"""Headless Chromium, driven over WebDriver, restricted to loopback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
REBOUND = "rebound.example"  # a domain whose owner points it to this machine
_NAMES = f"MAP {REBOUND} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"
_BLOCKED = 2


def require_browser() -> None:
    """Skip without Chromium; in CI fail instead, since the test would never run."""
    if CHROMIUM and CHROMEDRIVER:
        return
    missing = "Chromium or chromedriver is not on PATH: apt-get install chromium chromium-driver"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def browser(profile: Path, *, script: bool = True) -> Iterator[Any]:
    """Start a browser with this empty profile folder, with or without JavaScript."""
    require_browser()
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for one in (
        "headless",
        "no-sandbox",  # CI is root
        "disable-gpu",
        "disable-dev-shm-usage",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "no-proxy-server",
        "hide-scrollbars",
        "lang=en",
        "window-size=1280,900",
        f"host-resolver-rules={_NAMES}",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{one}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not script:
        blocked = {"profile.managed_default_content_settings.javascript": _BLOCKED}
        options.add_experimental_option("prefs", blocked)
    driver = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    try:
        driver.set_page_load_timeout(30)
        yield driver
    finally:
        driver.quit()
