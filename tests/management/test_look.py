"""How a provider's PDFs look is set over HTTP: colour and footer as settings, the logo as a picture of its own."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from tests.conftest import open_ledger
from tests.management.office import Office, add_office
from tests.management.office import open_office as opened

from faktura.ledger.verification import verify

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 18"><rect width="60" height="18" fill="#7a1f3d"/></svg>'


def picture(kind: str, side: int = 40) -> bytes:
    """A picture of that kind."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), "#7a1f3d").save(out, kind)
    return out.getvalue()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An office beside another provider."""
    path = tmp_path_factory.mktemp("look") / "ledger.db"
    with opened(path) as found:
        with open_ledger(path) as ledger:
            add_office(ledger, "checkdomain")
        yield found


def put(office: Office, logo: bytes, media_type: str = "image/svg+xml", name: str = "vpsbg", **headers: str) -> Any:
    """Send a logo."""
    named = {key.replace("_", "-"): value for key, value in headers.items()} | {"Authorization": f"Bearer {office.token}", "Content-Type": media_type}
    return office.http.put(f"/manage/v1/providers/{name}/logo", content=logo, headers=named)


def pdf(office: Office, invoice_id: int) -> bytes:
    """The document's PDF now."""
    answer = office.call("GET", f"/invoices/{invoice_id}.pdf")
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.only("sqlite")
def test_the_look_is_set_over_http(office: Office) -> None:
    """Each change shows in the next PDF, is journalled like other settings, and is taken back."""
    account = office.post("/accounts", {"reference": "1", "buyer": {"name": "Amt", "country": "BG"}})["id"]
    invoice = office.post("/invoices", {"account_id": account, "lines": [{"name": "VPS", "unit_price": "10"}]})["id"]
    plain = pdf(office, invoice)
    before = office.get("/providers/vpsbg")
    assert (before["accent"], before["footer"], before["logo_sha256"]) == (None, None, None)
    tag = office.call("GET", "/providers/vpsbg").headers["etag"]
    changed = office.call("PATCH", "/providers/vpsbg", {"accent": "#7a1f3d", "footer": "Хостинг ООД"}, If_Match=tag)
    assert changed.status_code == 200
    assert (changed.json()["accent"], changed.json()["footer"]) == ("#7a1f3d", "Хостинг ООД")
    assert changed.json() == office.get("/providers/vpsbg")
    coloured = pdf(office, invoice)
    answer = put(office, SVG, Idempotency_Key="logo-1")
    again = put(office, SVG, Idempotency_Key="logo-1")
    assert (answer.status_code, answer.content, again.headers["idempotent-replayed"]) == (204, b"", "true")
    with_logo = pdf(office, invoice)
    assert len({plain, coloured, with_logo}) == 3
    kept = office.call("GET", "/providers/vpsbg/logo")
    assert (kept.status_code, kept.content, kept.headers["content-type"]) == (200, SVG, "image/svg+xml")
    assert kept.headers["etag"] == answer.headers["etag"] == f'"{office.get("/providers/vpsbg")["logo_sha256"]}"'
    assert (kept.headers["x-content-type-options"], "sandbox" in kept.headers["content-security-policy"]) == ("nosniff", True)
    assert office.call("GET", "/providers/vpsbg/logo", If_None_Match=kept.headers["etag"]).status_code == 304
    assert office.call("PATCH", "/providers/vpsbg", {"accent": ""}, If_Match=changed.headers["etag"]).status_code == 412  # the logo is a setting, too
    removed = office.call("DELETE", "/providers/vpsbg/logo")
    assert (removed.status_code, removed.content) == (204, b"")
    for method in ("GET", "DELETE"):
        assert office.call(method, "/providers/vpsbg/logo").status_code == 404
    office.call("PATCH", "/providers/vpsbg", {"accent": "", "footer": ""}, If_Match="*")
    assert pdf(office, invoice) == plain
    events = office.get("/journal?limit=100")["items"]
    assert [item["event"] for item in events].count("provider.set") == 4
    with open_ledger(office.path) as ledger:
        assert list(verify(ledger.books)) == []


@pytest.mark.only("sqlite")
def test_every_fault_of_a_look_is_named(office: Office) -> None:
    """Fields by their paths, all at once; nothing is changed."""
    before = office.get("/providers/vpsbg")
    answer = office.call("PATCH", "/providers/vpsbg", {"accent": "#ffcc00", "footer": "x" * 501}, If_Match="*")
    assert (answer.status_code, [item["path"] for item in answer.json()["faults"]]) == (422, ["accent", "footer"])
    for accent in ("red", "#12345", "#123456\n", "#GGGGGG"):
        assert office.call("PATCH", "/providers/vpsbg", {"accent": accent}, If_Match="*").status_code == 422
    assert office.get("/providers/vpsbg") == before


@pytest.mark.only("sqlite")
@pytest.mark.parametrize(
    ("logo", "media_type", "status", "reason"),
    [
        (picture("PNG"), "image/jpeg", 422, "not of the type"),
        (SVG, "image/png", 422, "not of the type"),
        (picture("GIF"), "image/gif", 415, ""),
        (SVG, "application/json", 415, ""),
        (picture("GIF"), "image/svg+xml", 422, "neither PNG"),
        (picture("PNG")[:60], "image/png", 422, "cannot be drawn"),
        (picture("PNG", 2001), "image/png", 422, "pixels"),
        (b"", "image/png", 422, "nothing"),
        (b"\x89PNG" + bytes(32 * 1024), "image/png", 413, ""),
        (SVG.replace(b"rect", b"image"), "image/svg+xml", 422, "<image>"),
    ],
    ids=["png as jpeg", "svg as png", "gif", "json", "gif as svg", "cut", "many pixels", "nothing", "many bytes", "reaches out"],
)
def test_a_logo_that_cannot_be_used_is_refused(office: Office, logo: bytes, media_type: str, status: int, reason: str) -> None:
    """With the reason, and the one that is there stays."""
    assert put(office, SVG).status_code == 204
    answer = put(office, logo, media_type)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert reason in answer.text
    assert office.call("GET", "/providers/vpsbg/logo").content == SVG


@pytest.mark.only("sqlite")
def test_pictures_of_each_kind_keep_their_type(office: Office) -> None:
    """What was sent comes back as what it was sent as; If-Match is heeded where it is sent; another provider is as none."""
    for kind in ("PNG", "JPEG"):
        answer = put(office, picture(kind), f"image/{kind.lower()}")
        assert answer.status_code == 204
        kept = office.call("GET", "/providers/vpsbg/logo")
        assert (kept.content, kept.headers["content-type"]) == (picture(kind), f"image/{kind.lower()}")
    assert put(office, SVG, If_Match='"x"').status_code == 412
    assert put(office, SVG, If_Match=kept.headers["etag"]).status_code == 204
    assert office.call("DELETE", "/providers/vpsbg/logo").status_code == 204
    assert put(office, SVG, If_Match="*").status_code == 412
    for name in ("checkdomain", "none"):
        assert put(office, SVG, name=name).status_code == 404
        assert office.call("GET", f"/providers/{name}/logo").status_code == 404
