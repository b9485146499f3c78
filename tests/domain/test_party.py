import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.domain.sample import fault_set

from faktura.domain.errors import Fault, InvalidDocumentError
from faktura.domain.party import TEXT_LENGTH_MAX, Party, parse_party

FULL = {
    "name": "Host OOD",
    "street": "ul. Vitosha 1",
    "city": "Sofia",
    "post_code": "1000",
    "country": "BG",
    "vat_id": "BG123456789",
    "registration_id": "123456789",
    "tax_number": "12",
    "email": "a@example.com",
    "contact_name": "Ivan Petrov",
    "phone": "+359 2 123",
    "electronic_address": "0088:4035811991021",
    "buyer_reference": "04011000-12345-34",
    "iban": "BG80 BNBG 9661 1020 3456 78",
    "bic": "BNBGBGSF",
    "account_name": "Host OOD",
}


def parse(value: object) -> tuple[Party | None, set[tuple[str, str]]]:
    """The party and what was wrong with it."""
    faults: list[Fault] = []
    return parse_party(value, path="buyer", faults=faults), {(found.rule, found.path) for found in faults}


def test_party_round_trip() -> None:
    """A party with everything known is written as the mapping that it is read from."""
    party, faults = parse(FULL)
    assert party
    assert party.to_mapping() == FULL
    assert faults == set()


@given(fields=st.sets(st.sampled_from(sorted(set(FULL) - {"name"}))))
def test_only_the_name_is_needed(fields: set[str]) -> None:
    """Any other field may be unknown, and what is unknown is not written."""
    given_fields = {"name": "Host OOD"} | {field: FULL[field] for field in fields}
    party, faults = parse({**given_fields, **dict.fromkeys(set(FULL) - set(given_fields))})
    assert party
    assert party.to_mapping() == given_fields
    assert faults == set()


@pytest.mark.parametrize("field", FULL)
@pytest.mark.parametrize("value", ["", "  ", "x" * (TEXT_LENGTH_MAX + 1), "a\x00b", 5, 1.5, True, [], {}, b"x"])
def test_unusable_texts(field: str, value: object) -> None:
    """Every field is a text of one to a thousand characters without NUL."""
    with pytest.raises(InvalidDocumentError) as caught:
        Party(**{**FULL, field: value})  # type: ignore[arg-type]
    assert ("text" if field != "country" else "BR-CL-14", field) in fault_set(caught.value)
    party, faults = parse({**FULL, field: value})
    assert party is None
    assert ("text" if field != "country" else "BR-CL-14", f"buyer.{field}") in faults


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("iban", "BG81BNBG96611020345678", "IBAN"),
        ("iban", "BG80", "IBAN"),
        ("bic", "BNBG", "BIC"),
        ("bic", "bnbgbgsf", "BIC"),
        ("electronic_address", "4035811991021", "BR-CL-25"),
        ("electronic_address", "0088:", "BR-CL-25"),
        ("electronic_address", "em:a@example.com", "BR-CL-25"),
    ],
)
def test_codes_of_a_party(field: str, value: str, rule: str) -> None:
    """Account numbers have their check digits, banks their BIC, electronic addresses their scheme."""
    assert parse({**FULL, field: value}) == (None, {(rule, f"buyer.{field}")})


def test_longest_text() -> None:
    """A text of a thousand characters is still a text."""
    assert parse({**FULL, "street": "x" * 1000}) == (Party(**{**FULL, "street": "x" * 1000}), set())


@pytest.mark.parametrize("country", ["bg", "BGR", "B", "\u0412G", "BG\n", "B1", "Bulgaria"])
def test_countries_are_two_capital_letters(country: str) -> None:
    """BR-CL-14: a country is an ISO 3166-1 code."""
    assert parse({**FULL, "country": country}) == (None, {("BR-CL-14", "buyer.country")})


@pytest.mark.parametrize("value", [None, True, 5, 1.5, "Host OOD", [], [FULL]])
def test_party_is_an_object(value: object) -> None:
    """What is no object is no party."""
    assert parse(value) == (None, {("type", "buyer")})


def test_all_faults_of_a_party() -> None:
    """A missing name, unknown fields and bad values are reported together."""
    party, faults = parse({"country": "x", "email": 1, "fax": "1", 7: 8})
    assert party is None
    assert faults == {("text", "buyer.name"), ("text", "buyer.email"), ("BR-CL-14", "buyer.country"), ("unknown", "buyer.fax"), ("unknown", "buyer.7")}


@given(
    value=st.dictionaries(
        st.sampled_from([*FULL, "x"]), st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=3), max_size=2)
    )
)
def test_any_mapping(value: dict[str, object]) -> None:
    """Any object is a party or has faults, never both and never neither of them for a nameless one."""
    party, faults = parse(value)
    unknown = {fault for fault in faults if fault[0] == "unknown"}
    assert (party is None) == bool(faults - unknown)
    assert ("x" in value) == bool(unknown)
