"""Bearer tokens."""

from __future__ import annotations

import hashlib

from django.db.models import Q
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from bench.peers.django_rest.models import Account, Token


class TokenAuthentication(BaseAuthentication):
    """A bearer token, found by its hash."""

    def authenticate(self, request: Request) -> tuple[Account, Token] | None:
        """The account of a good token."""
        kind, _, key = get_authorization_header(request).partition(b" ")
        if kind.lower() != b"bearer":
            return None
        is_good = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        token = Token.objects.select_related("account").filter(is_good, token_hash=hashlib.sha256(key).hexdigest()).first()
        if token is None:
            raise AuthenticationFailed
        return token.account, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        del request
        return "Bearer"
