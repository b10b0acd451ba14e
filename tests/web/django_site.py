"""The one Django configuration of this process; tests override its settings."""

from __future__ import annotations

import django
from django.conf import settings

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[],
        ROOT_URLCONF="small_django",
        SECRET_KEY="only-for-tests",
    )
    django.setup()
