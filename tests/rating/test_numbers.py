"""Classes of numbers: the tenant's dial plan first, then the world's."""

from __future__ import annotations

import pytest

from pipeline.directory.model import DialPlan, Did, Directory, Extension, Queue, Tenant, Trunk
from pipeline.rating.deck import Deck, Header, Scope
from pipeline.rating.deck_file import parse_csv
from pipeline.rating.numbers import Number, Numbering
from pipeline.rating.tariffs import Subject, Tariffs

LONDON = Numbering(DialPlan("GB", ("9",), area_code="20", emergency=("333",)), frozenset({"101", "999123"}))


@pytest.mark.parametrize(
    ("dialled", "class_", "digits"),
    [
        ("101", "INTERNAL", "101"),
        ("999", "EMERGENCY", "999"),
        ("9999", "EMERGENCY", "999"),  # with an outside line
        ("112", "EMERGENCY", "112"),
        ("333", "EMERGENCY", "333"),
        ("*72", "FEATURE", "*72"),
        ("902079460123", "LOCAL", "442079460123"),
        ("02079460123", "LOCAL", "442079460123"),
        ("020 7946-0123", "LOCAL", "442079460123"),
        ("979460123", "LOCAL", "442079460123"),  # without area code
        ("01632960123", "NATIONAL", "441632960123"),
        ("07700900123", "MOBILE", "447700900123"),  # of a block kept for films
        ("+447911123456", "MOBILE", "447911123456"),
        ("08001111111", "NATIONAL", "448001111111"),
        ("9004930123456", "INTERNATIONAL", "4930123456"),
        ("+4917112345678", "INTERNATIONAL", "4917112345678"),
        ("sip:+12125551234@carrier.example.com;user=phone", "INTERNATIONAL", "12125551234"),
        ("118118", "", "118118"),  # directory enquiries: as dialled
        ("anonymous", "", "anonymous"),
    ],
)
def test_in_london(dialled: str, class_: str, digits: str) -> None:
    number = LONDON.read(dialled)
    assert (number.class_, number.digits[0]) == (class_, digits)
    assert LONDON.read(dialled) is number


def test_nothing_dialled() -> None:
    assert LONDON.read("") == Number("", ())
    assert LONDON.read("sip:@") == Number("", ())


@pytest.mark.parametrize(
    ("plan", "dialled", "class_", "digits"),
    [
        (DialPlan("DE", ("0",)), "001711234567", "MOBILE", "491711234567"),
        (DialPlan("DE", ("0",)), "01711234567", "MOBILE", "491711234567"),  # the PBX took the 0 off before
        (DialPlan("DE", ("0",)), "00049301234567", "NATIONAL", "49301234567"),
        (DialPlan("DE", local_prefixes=("4930",)), "030123456", "LOCAL", "4930123456"),
        (DialPlan("DE"), "493098765432", "NATIONAL", "493098765432"),  # as carriers write it
        (DialPlan("DE", ("0",), area_code="30"), "493098765432", "LOCAL", "493098765432"),
        (DialPlan("DE"), "4917112345678", "MOBILE", "4917112345678"),
        (DialPlan("DE"), "33123456789", "INTERNATIONAL", "33123456789"),  # 0331 23456789 is in Potsdam
        (DialPlan("DE"), "033123456789", "NATIONAL", "4933123456789"),
        (DialPlan("AT"), "436641234567", "MOBILE", "436641234567"),
        (DialPlan("IT"), "493098765432", "INTERNATIONAL", "493098765432"),
        (DialPlan("IT"), "390612345678", "NATIONAL", "390612345678"),
        (DialPlan("CN"), "13612345678", "MOBILE", "8613612345678"),  # written without a 0; +1 361 is in Texas
        (DialPlan("US"), "4045551234", "NATIONAL", "14045551234"),
        (DialPlan("US"), "493098765432", "INTERNATIONAL", "493098765432"),
        (DialPlan("US"), "00493098765432", "INTERNATIONAL", "493098765432"),
        (DialPlan("GB"), "441632960123", "NATIONAL", "441632960123"),
        (DialPlan("GB"), "33123456789", "INTERNATIONAL", "33123456789"),
        (DialPlan("US"), "911", "EMERGENCY", "911"),
        (DialPlan("US"), "2125551234", "NATIONAL", "12125551234"),
        (DialPlan("US"), "011442079460123", "INTERNATIONAL", "442079460123"),
        (DialPlan("US"), "+14165551234", "INTERNATIONAL", "14165551234"),  # Canada has the same country code
        (DialPlan("US", area_code="212"), "5551234", "LOCAL", "12125551234"),
        (DialPlan("GB", international_prefix="0011"), "0011442079460123", "NATIONAL", "442079460123"),
        (DialPlan(), "442079460123", "INTERNATIONAL", "442079460123"),
        (DialPlan(), "00442079460123", "INTERNATIONAL", "442079460123"),
        (DialPlan(), "+447700900123", "MOBILE", "447700900123"),
        (DialPlan(features=()), "*72", "", "*72"),
    ],
)
def test_elsewhere(plan: DialPlan, dialled: str, class_: str, digits: str) -> None:
    number = Numbering(plan).read(dialled)
    assert (number.class_, number.digits[0]) == (class_, digits)


def test_own_numbers_say_what_is_local() -> None:
    numbering = Numbering(DialPlan("US"), dids=["+12125550000", "sales"])
    assert numbering.read("2125551234").class_ == "LOCAL"
    assert numbering.read("3105551234").class_ == "NATIONAL"


@pytest.mark.parametrize("written", ["493012345601", "+493012345601", "00493012345601", "03012345601"])
def test_a_number_of_our_own_however_it_is_written(written: str) -> None:
    assert Numbering(DialPlan("DE", ("0",), area_code="30"), dids=["+493012345601"]).is_did(written)


def test_the_directory_is_asked() -> None:
    directory = Directory(
        Tenant("acme", country="GB", dial_plan=DialPlan(trunk_prefixes=("9",)), billed_account="ACME"),
        extensions={"101": Extension("101", account="ANN")},
        queues={"6000": Queue("6000")},
        trunks={"t": Trunk("t", account="TRUNK", prefix="0044#")},
        dids={"+442079460001": Did("+442079460001")},
    )
    text = "prefix,price_1\n44,1\n4420,2\n6000,3\n02079,4\n"
    tariffs = Tariffs([Deck(Header("d"), parse_csv(text, "d"))], {"acme": directory})

    def rated(number: str, **subject: str) -> tuple[str, str, str]:
        rating = tariffs.rate(Subject("acme", number, 0, **subject))
        assert rating
        return rating.class_, rating.customer.line.prefix if rating.customer else "", rating.account

    assert rated("902079460123", extension="101") == ("LOCAL", "4420", "ANN")
    assert rated("0044#01632960123", trunk="t") == ("NATIONAL", "44", "TRUNK")
    assert rated("6000") == ("INTERNAL", "6000", "ACME")
    assert rated("101") == ("INTERNAL", "", "ACME")


def test_of_several_decks_the_one_that_says_more() -> None:
    def deck(name: str, text: str, **scope: str) -> Deck:
        return Deck(Header(name, Scope(**scope), version=1), parse_csv(f"prefix,price_1\n{text}", name))

    tariffs = Tariffs(
        [
            deck("all", "44,1\n49,1\n"),
            deck("acme", "44,2\n", tenant="acme"),
            deck("gold", "4420,3\n", account="GOLD"),
            deck("carrier", "44,0.5\n", kind="carrier", trunk="t"),
            deck("freephone", "44800,0.1\n", direction="inbound"),
        ]
    )

    def found(number: str, **subject: str) -> tuple[str, str]:
        rating = tariffs.rate(Subject(subject.pop("tenant", "other"), number, 0, **subject))
        assert rating
        return (
            rating.customer.header.name if rating.customer else "",
            rating.carrier.header.name if rating.carrier else "",
        )

    assert found("+442079460123") == ("all", "")
    assert found("+442079460123", tenant="acme") == ("acme", "")
    assert found("+442079460123", tenant="acme", account="GOLD", trunk="t") == ("gold", "carrier")
    assert found("+441632960123", tenant="acme", account="GOLD") == ("acme", "")
    assert found("+4930123456", tenant="acme") == ("all", "")
    assert found("+33123456789") == ("", "")
    assert found("+448001111111", direction="inbound") == ("freephone", "")
    assert tariffs.rate(Subject("acme", "+442079460123", 0, "inbound")) is None
    assert tariffs.bills("inbound") and not Tariffs().bills("inbound") and not tariffs.bills("internal")


def _priced(plan: DialPlan, number: str, prefixes: str, **subject: str) -> tuple[str, str | None]:
    """The line by which a number is priced, "" for none, and whether it is free ("0") or unknown (None) without."""
    tariffs = Tariffs(
        [Deck(Header("d"), parse_csv("prefix,price_1\n" + "".join(f"{each},1\n" for each in prefixes.split()), "d"))],
        {"acme": Directory(Tenant("acme", dial_plan=plan), extensions={"101": Extension("101")})},
    )
    rating = tariffs.rate(Subject("acme", number, 0, **subject))
    assert rating is not None
    return (rating.customer.line.prefix, None) if rating.customer else ("", "0" if rating.free else None)


@pytest.mark.parametrize(
    ("country", "number"),
    [
        *(("DE", number) for number in ("112", "110", "0112", "sip:112@carrier.example.com", "101", "*98")),
        *(("US", number) for number in ("911", "112")),
        *(("GB", number) for number in ("999", "112")),
        *(("", number) for number in ("112", "911", "101")),  # nobody said which country: what every phone knows
        ("DE", "08001234567"),
        ("DE", "+498001234567"),
        ("US", "18005551234"),
        ("CA", "8885551234"),
        ("GB", "+448081570192"),
    ],
)
def test_what_is_free_is_not_priced_by_the_prefix_of_a_country(country: str, number: str) -> None:
    plan = DialPlan(country, ("0",) if country == "DE" else ())
    assert _priced(plan, number, "1 9 44 49 * 11 91") == ("", "0")


@pytest.mark.parametrize(
    ("country", "number", "prefixes", "line"),
    [
        ("DE", "112", "1 11 112", "112"),  # said of this number itself
        ("", "101", "1 101", "101"),
        ("DE", "+498001234567", "49 49800", "49800"),
        ("DE", "116117", "1 116", "116"),
        ("US", "8005551234", "1 1800", "1800"),
        ("US", "+448081570192", "1 44", "44"),  # freephone of another country costs what that country does
    ],
)
def test_a_line_that_names_a_free_number_counts(country: str, number: str, prefixes: str, line: str) -> None:
    assert _priced(DialPlan(country), number, prefixes) == (line, None)


@pytest.mark.parametrize("number", ["116117", "0116117"])
def test_a_short_code_that_is_free_for_the_caller(number: str) -> None:
    assert _priced(DialPlan("DE", ("0",)), number, "1 49") == ("", "0")
    assert _priced(DialPlan("DE", ("0",)), "11833", "1 49") == ("", None)


def test_a_freephone_number_of_our_own_is_paid_for_when_it_is_called() -> None:
    tariffs = Tariffs([Deck(Header("d", Scope(direction="inbound")), parse_csv("prefix,price_1\n49,1\n", "d"))])
    rating = tariffs.rate(Subject("acme", "+498001234567", 0, "inbound"))
    assert rating is not None and rating.customer is not None and rating.customer.line.prefix == "49"


@pytest.mark.parametrize(
    ("country", "number", "prefixes", "line"),
    [
        ("DE", "11833", "1 49 118", "118"),
        ("DE", "11833", "1 49", ""),  # directory enquiries are not in North America
        ("GB", "118118", "1 44", ""),
        ("", "44201", "44", ""),
        ("US", "4045551234", "40 44", ""),  # Atlanta is not in Romania, where no line is for it
        ("US", "4045551234", "1 40", "1"),
        ("GB", "02079460123", "20 02079", "02079"),  # a deck in national form
    ],
)
def test_what_is_dialled_is_not_taken_for_a_country_code(country: str, number: str, prefixes: str, line: str) -> None:
    assert _priced(DialPlan(country), number, prefixes) == (line, None)
