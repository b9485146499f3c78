"""Django's settings for production: no debugging, connections kept, and nothing installed that a bearer API does not need."""

from __future__ import annotations

import os
from urllib.parse import parse_qsl, urlsplit

SECRET_KEY = "a bench signs nothing"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "bench.peers.django_rest.urls"
WSGI_APPLICATION = "bench.peers.django_rest.wsgi.application"
INSTALLED_APPS = ["rest_framework", "bench.peers.django_rest"]
MIDDLEWARE: list[str] = []
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_url = urlsplit(os.environ.get("PEER_DATABASE", "sqlite:///:memory:"))
_options = dict(parse_qsl(_url.query))
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _url.path.removeprefix("/"), "CONN_MAX_AGE": None}
    if _url.scheme == "sqlite"
    else {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path.strip("/"),
        "USER": _options.get("user", ""),
        "HOST": _options.get("host", ""),
        "PORT": _options.get("port", ""),
        "CONN_MAX_AGE": None,
    }
}

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["bench.peers.django_rest.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "bench.peers.django_rest.pagination.HalPagination",
    "UNAUTHENTICATED_USER": None,
    "PAGE_SIZE": 10,
}
