"""The app of `framework_apps` for Django; this module is its URLconf."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django_site  # noqa: F401 (configures Django)
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from framework_apps import ASKING, caught, executor

from jwks_client.decorators import requires

inside: list[int] = []


class Watch:
    """Metrics inside Django, sync and async."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        if iscoroutinefunction(self):
            return self._watch(request)
        response = self._get_response(request)
        inside.append(response.status_code)
        return response

    async def _watch(self, request: Any) -> Any:
        response = await self._get_response(request)
        inside.append(response.status_code)
        return response


@requires("orders:read")
def role(request: Any) -> Any:
    return HttpResponse("ok")


def handled(request: Any) -> Any:
    caught()
    return HttpResponse("handled")


def own(request: Any) -> Any:
    caught()
    return HttpResponse("own", status=500)


async def threaded(request: Any) -> Any:
    await executor()


def asking(ask: Any) -> Any:
    def view(request: Any) -> Any:
        ask()

    return view


urlpatterns = [
    path("role", role),
    path("caught", handled),
    path("own", own),
    path("executor", threaded),
    *(path(name, asking(ask)) for name, ask in ASKING.items()),
]


@contextmanager
def running() -> Iterator[None]:
    """Make this module the site, as an app is made."""
    with override_settings(
        ROOT_URLCONF=__name__, MIDDLEWARE=[f"{__name__}.Watch"], ALLOWED_HOSTS=["*"]
    ):
        yield
