"""Directory files: the sample of the documentation, what is wrong with a value, and what a load changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.directory import read_directory as read
from pipeline.directory.changes import applied, difference
from pipeline.directory.files import Wanted, export
from pipeline.directory.model import Device, DialPlan, Display, Extension, Queue, Tenant, build
from pipeline.directory.validate import dangling
from pipeline.errors import Problem
from tests.directory.sample import sample, written


def refusal(folder: Path, text: str, name: str = "a.yaml", tenant: str = "acme") -> str:
    with pytest.raises(Problem) as refused:
        read(written(folder, name, text), tenant)
    return str(refused.value)


def test_the_sample_of_the_documentation(tmp_path: Path) -> None:
    wanted = read(written(tmp_path, "acme.yaml", sample("acme.yaml")), "")
    directory = build("acme", wanted["acme"].entries)
    assert directory.tenant == Tenant(
        "acme",
        "Acme Ltd",
        "acme.example.com",
        "Europe/London",
        "GB",
        "ACME-001",
        Display("DD/MM/YYYY", "24h", 2),
        DialPlan(
            trunk_prefixes=("9",),
            area_code="20",
            local_prefixes=("4420",),
            emergency=("999", "112"),
            features=("*", "#"),
        ),
    )  # fmt: skip
    assert directory.extensions["101"].devices == (
        Device("0004f2aabbcc", "ann-desk", "0"),
        Device("0004f2aabbcd", "ann-soft"),
    )
    assert directory.members("7") == ("101", "102")
    assert directory.queues["6000"] == Queue("6000", "Support", 20, ("101", "102"))
    assert directory.trunks["carrier-a"].prefix == "0044#"
    assert dangling(directory) == []
    phones = read(written(tmp_path, "phones.csv", sample("phones.csv")), "acme")["acme"]
    assert phones.entries["extension", "101"] == Extension(
        "101",
        "Ann Archer",
        email="ann@acme.example.com",
        company="1",
        groups=("sales",),
        devices=(Device("0004f2aabbcc", "ann-desk", "0"), Device("0004f2aabbcd", "ann-soft")),
    )


def test_what_is_exported_is_read_again(tmp_path: Path) -> None:
    entries = read(written(tmp_path, "acme.yaml", sample("acme.yaml")), "")["acme"].entries
    again = read(written(tmp_path, "again.yaml", export({"acme": entries})), "")
    assert again["acme"].entries == entries
    assert difference(entries, again["acme"], prune=True) == []


def test_numbers_stay_texts(tmp_path: Path) -> None:
    file = written(
        tmp_path, "a.yaml", "tenant: 0042\nextensions:\n  - {number: 0101}\n  - 102\ndids:\n  +44: {name: 'no'}"
    )
    (tenant, wanted), *_ = read(file, "").items()
    assert (tenant, set(wanted.entries)) == ("0042", {("extension", "0101"), ("extension", "102"), ("did", "+44")})


def test_a_load_changes_what_differs_and_prunes_what_the_file_lists(tmp_path: Path) -> None:
    now = read(written(tmp_path, "acme.yaml", sample("acme.yaml")), "")["acme"].entries
    text = "tenant: acme\nextensions:\n  - {number: '101', name: Ann Brown}\n  - {number: '109'}\nqueues: []\n"
    wanted = read(written(tmp_path, "b.yaml", text), "")["acme"]
    changes = difference(now, wanted)
    assert [(change.action, change.kind, change.key) for change in changes] == [
        ("change", "extension", "101"),
        ("add", "extension", "109"),
    ]
    assert "name: Ann Archer -> Ann Brown" in changes[0].row("acme")["fields"]
    pruned = difference(now, wanted, prune=True)
    assert {(change.kind, change.key) for change in pruned if change.action == "remove"} == {
        ("extension", "102"),
        ("extension", "103"),
        ("queue", "6000"),
    }
    after = applied(now, pruned)
    assert ("tenant", "acme") in after and ("ring_group", "7000") in after and ("queue", "6000") not in after
    assert difference(after, wanted, prune=True) == []
    assert difference(now, Wanted({}, frozenset()), prune=True) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zone: Europe/Lundon", "tenant acme: zone 'Europe/Lundon' is no IANA time zone; write Europe/London"),
        ("country: UK", "country 'UK' is no ISO 3166 country code; write GB"),
        ("display: {time: 13h}", "display.time '13h' is none of 24h, 12h"),
        ("dial_plan: {area_code: '0x'}", "dial_plan.area_code '0x' is no beginning of a number"),
        ("dial_plan: {trunk_prefix: '9'}", "dial_plan.trunk_prefix '9' is of a field that is not known here; write"),
        ("extensions: [{name: Ann}]", "extensions[0]: number '' is missing"),
        ("extensions: [{number: 1 01}]", "extensions[0] (1 01): number '1 01' is no number; write it as it is dialled"),
        ("extensions: [{number: '101', emial: a@b}]", "emial 'a@b' is of a field that is not known here; write email"),
        ("extensions: [{number: '101', email: ann}]", "email 'ann' is no mail address; write name@host"),
        ("extensions: [{number: '1'}, {number: '1'}]", "extensions[1]: extension '1' stands twice; keep one"),
        ("extensions: [{number: '1', devices: [{port: '0'}]}]", "devices"),
        ("queues: [{number: '6', sla_s: soon}]", "sla_s 'soon' is no whole number of seconds from 0 to 86400"),
        ("queues: [{number: '6', members: ['1 0']}]", "holds '1 0', which is no number"),
        ("queues: 6000", "queues '6000' is no list"),
        ("extensions: [[101]]", "is no mapping; write number, name"),
        ("name: A\nname: B", "'name' stands twice"),
        ("name: [", "is no YAML at line"),
        ("- a", "is no mapping"),
        ("tenants: [{name: A}]\n", "id is missing"),
        ("tenants: [{id: a}, {id: a}]", "id 'a' stands twice"),
        ("tenants: [{id: a}]\nzone: UTC", "stands beside other fields"),
    ],
)
def test_what_is_wrong_is_named_with_its_fix(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text, tenant="" if "tenants" in text else "acme")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind,number\nphone,101\n", "line 2: kind 'phone' is none of tenant, company, extension"),
        ("number,name\n101,Ann,Archer\n", "line 2: has more values than the header has columns"),
        ("number,email\n101,ann\n", "line 2 (101): email 'ann' is no mail address"),
        ("nummer\n101\n", "nummer '101' is of a field that is not known here; write number"),
    ],
)
def test_csv_is_refused_by_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text, "a.csv")


def test_csv_of_several_kinds_and_tenants(tmp_path: Path) -> None:
    text = (
        "kind,tenant,number,name,zone,display.time,members\n"
        "tenant,acme,,Acme,Europe/Berlin,12h,\n"
        "queue,acme,6000,Support,,,101;102\n"
        "extensions,other,101,Zoe,,,\n"
    )
    found = read(written(tmp_path, "a.csv", text), "")
    acme, other = found["acme"], found["other"]
    assert acme.entries["tenant", "acme"] == Tenant("acme", "Acme", zone="Europe/Berlin", display=Display(time="12h"))
    assert acme.entries["queue", "6000"] == Queue("6000", "Support", members=("101", "102"))
    assert [*acme.kinds, *other.kinds] == ["queue", "extension"]


def test_entries_that_name_what_is_not_there() -> None:
    text = dangling(
        build(
            "acme",
            {
                ("extension", "1"): Extension("1", company="9", devices=(Device("aa"),)),
                ("extension", "2"): Extension("2", devices=(Device("aa"),)),
            },
        )
    )
    assert text == [
        "extension 1: company '9' is none of none at all; add it to companies",
        "device aa belongs to the extensions '1', '2'; give it to one, or give each its port",
    ]
