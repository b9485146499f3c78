import hashlib
import re
import string
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.domain.sample import EUR, SELLER

from faktura.domain.errors import SettingError
from faktura.domain.provider import RATE_LIMIT_MAX, Account, Provider, check_name, generate_token, hash_token

PROVIDER = Provider(id=1, name="vpsbg", dialect="vpsbg", zone="Europe/Sofia", currency=EUR, seller=SELLER)
CHARACTERS = string.ascii_letters + string.digits + "_- .\n\x00\u0410"


def test_generated_tokens_are_keys() -> None:
    """A new key has the documented shape, differs from every other and is known by the SHA-256 of its text."""
    tokens = {generate_token() for _ in range(200)}
    assert len(tokens) == 200
    for token in tokens:
        assert re.fullmatch(r"fkt_[0-9A-Za-z]{38}", token)
        assert hash_token(token) == hashlib.sha256(token.encode()).digest()


def test_tokens_use_the_whole_alphabet() -> None:
    """Every letter and digit occurs in random bodies, so that no position is narrower than 62 characters."""
    seen = [set[str]() for _ in range(32)]
    for _ in range(1500):
        for position, character in enumerate(generate_token()[4:36]):
            seen[position].add(character)
    assert all(characters == set(string.ascii_letters + string.digits) for characters in seen)


def test_every_single_change_is_refused() -> None:
    """A key with any one character changed, to any other, is refused before the ledger is asked."""
    token = generate_token()
    changed = {token[:index] + character + token[index + 1 :] for index in range(len(token)) for character in CHARACTERS} - {token}
    assert len(changed) > 2000
    assert [text for text in changed if hash_token(text) is not None] == []


@given(data=st.data())
@settings(max_examples=50)
def test_shortened_lengthened_swapped_tokens_are_refused(data: st.DataObject) -> None:
    """A key that lost or gained a character, or with two neighbours swapped, is refused."""
    token = generate_token()
    at = data.draw(st.integers(0, len(token) - 2))
    swapped = token[:at] + token[at + 1] + token[at] + token[at + 2 :]
    wrong = {token[:at] + token[at + 1 :], token[:at] + "0" + token[at:], token + "0", token + "\n", " " + token, swapped} - {token}
    assert [text for text in wrong if hash_token(text) is not None] == []


@given(text=st.text(max_size=60))
def test_other_text_is_no_token(text: str) -> None:
    """Text that is no key has no hash and raises nothing."""
    assert hash_token(text) is None
    assert hash_token("fkt_" + text) is None


@pytest.mark.parametrize("text", ["", "fkt_", "fkt_" + "0" * 38, "FKT_" + "A" * 38, "Bearer x", "\ud800", "fkt_" + "\uff10" * 38])
def test_shapes_that_are_no_token(text: str) -> None:
    """The right length alone does not make a key: the checksum must fit."""
    assert hash_token(text) is None


@pytest.mark.parametrize("url", ["https://api.example.com", "http://localhost:8000", "http://127.0.0.1", "https://a-b.example:65535", None])
def test_public_url_accepted(url: str | None) -> None:
    """An origin of scheme, host and port is usable, and so is none."""
    assert replace(PROVIDER, public_url=url).public_url == url


@pytest.mark.parametrize(
    "url",
    [
        *[
            "",
            "api.example.com",
            "//api.example.com",
            "ftp://api.example.com",
            "https://",
            "https:///v1",
            "https://api.example.com/",
            "https://api.example.com/v1",
        ],
        *[
            "https://user@api.example.com",
            "https://api.example.com?x",
            "https://api.example.com#x",
            "https://api.example.com:",
            "https://api.example.com:123456",
        ],
        *["https://api.example.com\n", " https://api.example.com", "https://api example.com", "https://api.example.com\r\nX: y", "javascript:alert(1)"],
        *["https://\u0430pi.example.com", "HTTPS://api.example.com", "https://a_b.example"],
    ],
)
def test_public_url_refused(url: str) -> None:
    """A path, a query, a user, another scheme, a line break or a foreign letter makes it no origin."""
    with pytest.raises(SettingError, match="must be an origin"):
        replace(PROVIDER, public_url=url)


@pytest.mark.parametrize("url", ["https://api.example.com:\u0668\u0660", "https://api.example.com:99999", "https://.", "https://-", "https://a..b"])
def test_public_url_that_no_client_can_follow_refused(url: str) -> None:
    """A port is an ASCII number up to 65535 and a host has labels."""
    with pytest.raises(SettingError):
        replace(PROVIDER, public_url=url)


@pytest.mark.parametrize("name", ["vpsbg", "checkdomain", "a", "0", "my.host_1-2", "x" * 63])
def test_name_accepted(name: str) -> None:
    """Short lower-case names of letters, digits, dot, dash and underscore are usable."""
    assert replace(PROVIDER, name=name).name == name


@pytest.mark.parametrize("name", ["", "A", "-a", ".", "..", "_a", "a b", "a/b", "a\n", "x" * 64, "\u0430", "a\x00", "\u0661"])
def test_name_refused(name: str) -> None:
    """Names that a shell, a path or a URL could misread are refused."""
    with pytest.raises(SettingError, match="not a usable name"):
        check_name(name)
    with pytest.raises(SettingError, match="not a usable name"):
        replace(PROVIDER, name=name)


def test_zone_must_exist() -> None:
    """A provider keeps its books in a time zone that exists."""
    with pytest.raises(SettingError, match="time zone"):
        replace(PROVIDER, zone="Europe/Atlantis")


@pytest.mark.parametrize(("limit", "window"), [(-1, 60), (RATE_LIMIT_MAX + 1, 60), (10, 0), (0, -5)])
def test_rate_limit_refused(limit: int, window: int) -> None:
    """A rate limit is not negative, not beyond a counter, and has a window of a second at least."""
    with pytest.raises(SettingError, match="rate limit"):
        replace(PROVIDER, rate_limit=limit, rate_window_seconds=window)


def test_defaults() -> None:
    """A provider has no rate limit, no hosts and no words of its own unless it says so."""
    assert (PROVIDER.rate_limit, PROVIDER.rate_window_seconds, PROVIDER.hosts, PROVIDER.type_words) == (0, 60, (), ())


@example(limit=RATE_LIMIT_MAX, window=1)
@given(limit=st.integers(0, RATE_LIMIT_MAX), window=st.integers(1, 10**6))
def test_rate_limit_accepted(limit: int, window: int) -> None:
    """Every limit from none to the largest is usable."""
    assert replace(PROVIDER, rate_limit=limit, rate_window_seconds=window).rate_limit == limit


@pytest.mark.parametrize(("first", "last", "total"), [(1, 0, 0), (1, 1, 1), (-3, 2, 6), (5, 10, 6)])
def test_listed_total_counts_the_interval(first: int, last: int, total: int) -> None:
    """An account's list has as many documents as its interval of ordinals, which may be empty and may begin below one."""
    account = Account(id=1, provider_id=1, reference="c1", buyer=None, first_ordinal=first, last_ordinal=last, revision=0)
    assert account.listed_total == total
