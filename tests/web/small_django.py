"""A Django project in one module: a function view, which serves every method, and its two servers."""

from __future__ import annotations

from typing import Any

import django_site  # noqa: F401 (configures Django)
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path

#: The views that ran.
ran_in_django: list[str] = []


def view(request: Any, **_: str) -> HttpResponse:
    """Record the path and answer with it."""
    ran_in_django.append(request.path_info)
    return HttpResponse(request.path_info)


def answer(text: str) -> Any:
    """Return a view that answers with a text."""
    return lambda request, **_: HttpResponse(text)


# As the other routers of `test_paths` have them.
urlpatterns = [
    path("reset", view),
    *(
        path(one, answer("the salaries"))
        for one in ("secret", "api/secret", "apisecret", "secret/api", "", "public", "api")
    ),
    *(
        path(one, answer("for everyone"))
        for one in ("health", "public/<path:rest>", "prices", "api/public/<path:rest>")
    ),
]
asgi_app = get_asgi_application
wsgi_app = get_wsgi_application
