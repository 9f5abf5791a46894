"""Facts of arms and noise floors survive export and import."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from explorer.exchange.exporter import Selection, export
from explorer.exchange.importer import import_file
from explorer.store import facts, noise, queries
from explorer.store.connection import open_writer
from tests import fake_cache


def test_facts_and_floors_travel_with_the_completions(tmp_path: Path) -> None:
    db = fake_cache.build(tmp_path / "a.db", problems=2, n=4)
    base = queries.arms(db)[0]
    facts.put_facts(db, base.id, {"eos": "[2]", "version": "1"})
    facts.put_facts(db, base.id, {"version": "2"})
    file = tmp_path / "all.jsonl"
    export(db, file, Selection(scores=True, exact=True))
    floors = noise.measure_all(db)
    there = noise.floors(db)
    db.close()
    other = open_writer(tmp_path / "b.db")
    report = import_file(other, file)
    assert (report.added, report.faults) == (24, ())
    arrived = queries.arms(other)
    assert facts.read_facts(other, arrived[0].id) == {"eos": ("[2]",), "version": ("1", "2")}
    assert facts.read_facts(other, arrived[1].id) == {}
    assert floors == 1
    assert [row.floor for row in noise.floors(other)] == [row.floor for row in there]
    other.close()


@pytest.mark.parametrize("bad", ["text", {"eos": [2]}])
def test_malformed_facts_cost_their_line(tmp_path: Path, bad: object) -> None:
    arm = {"type": "arm", "ref": 1, "model": "m", "spec": fake_cache.spec("m").to_json()}
    lines = [{"type": "rlvr-explorer", "version": 1}, {**arm, "facts": bad}]
    file = tmp_path / "bad.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n")
    db = open_writer(tmp_path / "c.db")
    report = import_file(db, file)
    assert len(report.faults) == 1
    assert "'facts'" in str(report.faults[0])
    assert queries.arms(db) == []
    db.close()
