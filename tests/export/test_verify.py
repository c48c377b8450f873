"""Whatever is no longer as it was written is found, and said in a sentence that names the record."""

import hashlib
import json
import os

import pytest

from hippogym.data.recovery import repair
from hippogym.data.sources import records_in
from hippogym.data.verify import verify
from tests.export.making import Play, simple_record
from tests.export.test_sources import Shelf


def problems(where, **how):
    return [problem for verdict in verify(where, **how) for problem in verdict.problems]


def rewrite(path, change):
    data = bytearray(path.read_bytes())
    change(data)
    path.chmod(0o600)
    path.write_bytes(data)


def retell(path, **told):
    """Change what the manifest says."""
    beside = path.with_suffix(".json")
    beside.chmod(0o600)
    beside.write_text(json.dumps({**json.loads(beside.read_text()), **told}))


def test_records_as_they_were_written_are_good(tmp_path):
    paths = simple_record(tmp_path, episodes=2, ticks=20)
    play = Play(tmp_path, "trial-b", per="trial")
    for _ in range(3):
        play.begin().tick().tick(terminated=True).end()
    play.close()
    verdicts = list(verify(tmp_path))
    assert [verdict.good and verdict.verified for verdict in verdicts] == [True] * 3
    assert verdicts[0].sha256 == hashlib.sha256(paths[0].read_bytes()).hexdigest()
    assert (verdicts[0].ticks, verdicts[0].entries, verdicts[2].ticks) == (20, 22, 6)


def test_every_changed_bit_is_found(tmp_path):
    path = simple_record(tmp_path, ticks=2)[0]
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        rewrite(path, lambda data, at=at: data.__setitem__(at, data[at] ^ 4))
        assert problems(tmp_path), f"a bit of byte {at} was changed"
        path.write_bytes(whole)
    assert not problems(tmp_path)


def test_an_entry_that_was_taken_out_is_found_even_where_the_manifest_agrees(tmp_path):
    paths = simple_record(tmp_path, ticks=3)
    from hippogym.core.record_format import scan

    data = paths[0].read_bytes()
    entries = [data[found.start : found.end] for found in scan(data)]
    forged = b"".join(entries[:2] + entries[3:])
    rewrite(paths[0], lambda data: data.__setitem__(slice(None), forged))
    sha256 = hashlib.sha256(forged).hexdigest()
    retell(paths[0], sha256=sha256, bytes=len(forged), entries=4, ticks=2)
    found = problems(tmp_path)
    assert "entries 2 to 2 are missing" in found
    assert "entry 3 is tick 3, where tick 2 was expected" in found
    assert "what stands before its end is not what stood there when the end was written" in found


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"ticks": 9}, "ticks is 3, but the manifest says 9"),
        ({"entries": 1}, "entries is 5, but the manifest says 1"),
        ({"sha256": "0" * 64}, f"but the manifest says {'0' * 64}"),
        ({"trial": "another"}, "trial is trial-a, but the manifest says another"),
        ({"format": "HGR9"}, "the manifest beside it belongs to something else"),
    ],
)
def test_a_manifest_that_says_something_else_is_found(tmp_path, told, sentence):
    path = simple_record(tmp_path)[0]
    retell(path, **told)
    assert any(sentence in problem for problem in problems(tmp_path))


def test_what_is_gone_is_found(tmp_path):
    paths = simple_record(tmp_path, episodes=4)
    os.unlink(paths[1].with_suffix(".json"))
    os.unlink(paths[1])
    os.unlink(paths[2])
    os.unlink(paths[3].with_suffix(".json"))
    found = {verdict.name: verdict.problems for verdict in verify(tmp_path)}
    assert found["trial-a/episode_0000.pkl"] == []
    assert any("is gone; its manifest is there" in problem for problem in found["trial-a/episode_0002.pkl"])
    assert "the record of the episode before it (1) is not there" in found["trial-a/episode_0002.pkl"]
    assert found["trial-a/episode_0003.pkl"] == ["there is no manifest beside it"]


def test_who_goes_on_in_another_trial_begins_with_a_later_number(tmp_path):
    first, second = simple_record(tmp_path, episodes=2, episodes_before=1)
    os.unlink(first.with_suffix(".json"))
    os.unlink(first)
    assert problems(tmp_path) == [], "that episode is an earlier trial's"
    paths = simple_record(tmp_path, "trial-b", episodes=3, episodes_before=1)
    for path in paths[:2]:
        os.unlink(path.with_suffix(".json"))
        os.unlink(path)
    assert problems(tmp_path) == ["the record of the episode before it (1) is not there"]


def test_a_repaired_record_is_good_and_says_that_it_was_repaired(tmp_path):
    play = Play(tmp_path).begin().tick().tick()
    part = tmp_path / "trial-a" / "episode_0000.pkl.part"
    torn = part.read_bytes()[:-5]
    play.recorder._let_go()  # as the end of its process would
    part.write_bytes(torn)
    (open_one,) = verify(tmp_path)
    assert any("waits for the repair" in remark for remark in open_one.remarks)
    repair(tmp_path)
    (verdict,) = verify(tmp_path)
    assert verdict.good and verdict.verified
    assert any("repaired after an interruption" in remark and "torn bytes" in remark for remark in verdict.remarks)


def test_pickles_without_checksums_are_unverified_not_bad(tmp_path):
    import pickle

    path = tmp_path / "episode_0_user_Ann"
    path.write_bytes(pickle.dumps({"observation": 1, "reward": 0.0, "done": True, "info": {}}))
    (verdict,) = verify(tmp_path)
    assert verdict.good and not verdict.verified
    assert "its entries have no checksums, so it cannot be verified" in verdict.remarks


def test_an_empty_file_is_no_record(tmp_path):
    (tmp_path / "episode_0000.pkl").touch()
    assert "it is empty" in problems(tmp_path)


def test_copies_are_compared_byte_by_byte(tmp_path):
    paths = simple_record(tmp_path, episodes=4)
    names = [f"study/Trials/Ann/trial-a-{path.name}" for path in paths]
    data = [path.read_bytes() for path in paths]
    copies = Shelf(**{names[0]: data[0], names[1]: data[1][:-1], names[3]: data[3]})
    found = {verdict.name: verdict.problems for verdict in verify(tmp_path, copies=copies)}
    assert found == {
        "trial-a/episode_0000.pkl": [],
        "trial-a/episode_0001.pkl": ["its copy is another file"],
        "trial-a/episode_0002.pkl": ["there is no copy of it"],
        "trial-a/episode_0003.pkl": [],
    }


def test_records_in_a_store_are_verified_like_those_on_the_disk(tmp_path):
    paths = simple_record(tmp_path, episodes=2)
    objects = {f"s/Trials/Ann/trial-a-{path.name}": path.read_bytes() for path in paths}
    objects |= {name.replace(".pkl", ".json"): path.with_suffix(".json").read_bytes()
                for name, path in zip(list(objects), paths, strict=True)}  # fmt: skip
    assert problems(list(records_in(Shelf(**objects)))) == []
    objects["s/Trials/Ann/trial-a-episode_0001.pkl"] = b"x"
    del objects["s/Trials/Ann/trial-a-episode_0000.pkl"]
    found = problems(list(records_in(Shelf(**objects), lost=True)))
    assert any("is gone" in problem for problem in found) and len(found) > 1
