"""Manifests from files: what is accepted, and how each mistake is reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from support.manifests.bad import BAD
from support.manifests.build import Case, manifest
from support.manifests.good import GOOD
from support.tree import ROOT
from videojob.api.loading.load import MAX_BYTES, MAX_PROBLEMS, load_manifests, parse_manifests
from videojob.api.loading.problems import ManifestProblem, ManifestProblems
from videojob.cli.laptop.validate import validate_files, validation_json, validation_text
from videojob.errors import ManifestError, error_from_dict

HEADER = "apiVersion: videojob.dev/v1alpha1\nkind: VideoJob\n"
GOOD_TEXT = f"""{HEADER}metadata: {{name: lobby}}
spec:
  inputs:
    - file: {{path: lobby.mp4}}
  model: {{name: face_detector}}
"""


def with_spec(*lines: str) -> str:
    """A good manifest with further lines in its spec, the first of which is line 8."""
    return GOOD_TEXT + "".join(f"  {line}\n" for line in lines)


def problems_of(text: str) -> tuple[ManifestProblem, ...]:
    with pytest.raises(ManifestProblems) as refusal:
        parse_manifests(text, "job.yaml")
    return refusal.value.problems


def the_problem(text: str) -> ManifestProblem:
    problems = problems_of(text)
    assert len(problems) == 1, problems
    return problems[0]


def test_a_job_is_loaded_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(GOOD_TEXT)
    (job,) = load_manifests(path)
    assert job.metadata.name == "lobby"
    assert job.spec.aggregation.window.ms == 10_000


def test_several_documents_are_several_jobs_and_empty_ones_none() -> None:
    second = GOOD_TEXT.replace("lobby}", "gate}")
    jobs = parse_manifests(f"---\n{GOOD_TEXT}---\n# nothing\n---\n{second}---\n", "job.yaml")
    assert [job.metadata.name for job in jobs] == ["lobby", "gate"]


def test_json_is_read_too_and_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    text = json.dumps(manifest(), indent=2)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_manifests(path)[0].metadata.name == "lobby"


def test_a_status_in_the_file_is_not_read() -> None:
    (job,) = parse_manifests(GOOD_TEXT + "status: {startTime: yesterday}\n", "job.yaml")
    assert job.status is None


def test_what_kubectl_prints_of_a_stored_job_can_be_loaded() -> None:
    server_side = (
        "name: lobby, uid: 1f, resourceVersion: '7', generation: 1, creationTimestamp: now, managedFields: [{a: b}]"
    )
    (job,) = parse_manifests(GOOD_TEXT.replace("{name: lobby}", f"{{{server_side}}}"), "job.yaml")
    assert job.metadata.uid == "1f"


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_writing_and_reading_a_good_manifest_changes_nothing(case: Case) -> None:
    (job,) = parse_manifests(json.dumps(case.manifest(), ensure_ascii=False), "job.json")
    (again,) = parse_manifests(json.dumps(job.as_manifest(), ensure_ascii=False), "job.json")
    assert again == job


def test_every_problem_is_told_in_the_order_of_its_place() -> None:
    problems = problems_of(
        with_spec(
            "sampling: {framesPerSecond: 2.5, everyNthframe: 3}",
            'suspend: "true"',
            "compute: {backend: Kubernetes, limits: {gpus: -1}}",
        )
    )
    assert [(problem.line, problem.field) for problem in problems] == [
        (8, "spec.sampling.framesPerSecond"),
        (8, "spec.sampling.everyNthframe"),
        (9, "spec.suspend"),
        (10, "spec.compute.backend"),
        (10, "spec.compute.limits.gpus"),
    ]


@pytest.mark.parametrize(
    ("line", "field", "column", "what", "fix"),
    [
        ("sampling: {everyNthFrme: 1}", "spec.sampling.everyNthFrme", 14, "no field", "Did you mean everyNthFrame?"),
        ("backoff_limit: 1", "spec.backoff_limit", 3, "no field", "Did you mean backoffLimit?"),
        ("xyz: 1", "spec.xyz", 3, "no field", "Known are inputs, model,"),
        ("image: nginx", "spec.image", 3, "no field", "no pod settings"),
        ("budget: {maxCost: 2.50}", "spec.budget.maxCost", 12, "found a number (2.50)", 'in quotes: maxCost: "2.50".'),
        ("sampling: {framesPerSecond: 0.5}", "spec.sampling.framesPerSecond", 14, "(0.5)", 'framesPerSecond: "0.5".'),
        ("sampling: {framesPerSecond: 2.0}", "spec.sampling.framesPerSecond", 14, "(2.0)", 'framesPerSecond: "2.0".'),
        ("sampling: {framesPerSecond: -1}", "spec.sampling.framesPerSecond", 14, "'-1' does not fit", "such as 25"),
        ("sampling: {framesPerSecond: 300}", "spec.sampling.framesPerSecond", 14, "at most 240", ""),
        ("compute: {instanceTypes: [7]}", "spec.compute.instanceTypes[0]", 29, "found a number (7)", 'quotes: "7".'),
        ("onCorruption: off", "spec.onCorruption", 3, "off is not one of the allowed", "Write Fail or Skip."),
        ("budget: {maxCost: '$5'}", "spec.budget.maxCost", 12, "'$5' does not fit", 'such as 25 or "0.35"'),
        ("budget: {}", "spec.budget.maxCost", 3, "missing", "Add it."),
        ("budget: 5", "spec.budget", 3, "found a number (5)", "a group of fields"),
        ("backoffLimit: '3'", "spec.backoffLimit", 3, "found text ('3')", "a whole number, without quotes"),
        ("backoffLimit: 2.5", "spec.backoffLimit", 3, "2.5", "whole number"),
        ("backoffLimit: 21", "spec.backoffLimit", 3, "21 is too large", "The most is 20."),
        ("backoffLimit: -1", "spec.backoffLimit", 3, "-1 is too small", "The least is 0."),
        ("suspend: 'true'", "spec.suspend", 3, "found text", "true or false, without quotes"),
        ("onCorruption: skip", "spec.onCorruption", 3, "'skip' is not one of the allowed", "Did you mean Skip?"),
        ("sampling: [1]", "spec.sampling", 3, "found a list", "a group of fields"),
        ("onCorruption: maybe", "spec.onCorruption", 3, "not one of the allowed values", "Write Fail or Skip."),
        ("deadline: {completeWithin: 2 hours}", "spec.deadline.completeWithin", 14, "does not fit", '"1h30m"'),
        ("deadline: {completeWithin: 999h}", "spec.deadline.completeWithin", 14, "at most 720h", ""),
        ("compute: {instanceTypes: []}", "spec.compute.instanceTypes", 13, "too few", "At least 1"),
        ("compute: {instanceTypes: g6.xlarge}", "spec.compute.instanceTypes", 13, "found text", "a list"),
        ("priorityClassName: ''", "spec.priorityClassName", 3, "'' is too short", "At least 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(
    line: str, field: str, column: int, what: str, fix: str
) -> None:
    problem = the_problem(with_spec(line))
    assert (problem.file, problem.line, problem.column, problem.field) == ("job.yaml", 8, column, field)
    assert what in problem.what
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("no", "found true or false (no)"),
        ("On", "found true or false (On)"),
        ("007", "YAML readers disagree"),
        ("null", "found nothing (null)"),
        ("1e3", "found a number (1e3)"),
        ("1.50", "found a number (1.50)"),
    ],
)
def test_a_label_that_yaml_takes_for_something_else_is_shown_as_it_is_written(word: str, what: str) -> None:
    problem = the_problem(GOOD_TEXT.replace("face_detector", f"m, classes: [{word}]"))
    assert what in problem.what
    assert f'"{word}"' in problem.fix


def test_a_bad_item_is_one_problem_not_also_a_missing_item() -> None:
    problem = the_problem(GOOD_TEXT.replace("lobby.mp4", "../lobby.mp4"))
    assert (problem.line, problem.field) == (6, "spec.inputs[0].file.path")


def test_beyond_a_hundred_problems_the_rest_is_counted() -> None:
    problems = problems_of(with_spec(*(f"field{n}: 1" for n in range(150))))
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1].what == "there are 50 more problems"


def test_problems_cross_process_borders_as_a_manifest_error() -> None:
    with pytest.raises(ManifestProblems) as refusal:
        parse_manifests(with_spec("xyz: 1"), "job.yaml")
    again = error_from_dict(refusal.value.as_dict())
    assert type(again) is ManifestError
    assert again.message == refusal.value.message


@pytest.mark.parametrize("case", [case for case in BAD if "MiB" not in case.name], ids=lambda case: case.name)
def test_every_bad_manifest_is_told_in_plain_words(case: Case) -> None:
    text = yaml.safe_dump(case.manifest(), allow_unicode=True)
    for problem in problems_of(text):
        assert problem.line >= 1
        assert "is not accepted (" not in problem.what  # what an error without words of its own would say
        assert len(str(problem)) < 700


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "nothing in it"),
        ("# only a comment\n", "nothing in it"),
        ("- a\n- b\n", "no Kubernetes object"),
        ("just words\n", "no Kubernetes object"),
        ("kind: VideoJob\n", "missing"),
        ("apiVersion: v1\nkind: VideoJob\n", "'v1' is not known here"),
        ("apiVersion: videojob.dev/v1alpha1\nkind: Pod\n", "'Pod' is not known here"),
        ("a: &x 1\nb: *x\n", "anchors and aliases"),
        ("a: *x\n", "anchors and aliases"),
        ("a: {<<: {b: 1}}\n", "merge keys"),
        ("a: !!python/object:os.system x\n", "tag"),
        ("a: !!str 5\n", "tag"),
        ("a: 1\nb: 2\na: 3\n", "'a' occurs twice, first in line 1"),
        ("? [a, b]\n: 1\n", "plain word"),
        ("a:\n\tb: 1\n", "tab"),
        ("a: [1, 2\n", "not YAML"),
        ("a: 'x\n", "not YAML"),
        ("a: b: c\n", "not YAML"),
        ("%YAML 9.9\n---\na: 1\n", "not YAML"),
        ("a: \x00\n", "control character"),
        ("a: \ufffe\n", "not YAML"),
        ("[" * 1000, "deeper than 20"),
        ("{a: " * 1000, "deeper than 20"),
        ("- " * 1000, "deeper than 20"),
        ("[" + "1," * 60_000 + "1]", "more than 50000 values"),
        ("a: 010\n", "disagree"),
        ("a: 1:30\n", "disagree"),
        ("a: 1_000\n", "disagree"),
        ("a: 0x1F\n", "disagree"),
        ("a: 012345678901\n", "disagree"),
        ("a: .inf\n", "disagree"),
        ("a: .5\n", "disagree"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_no_honest_manifest_needs_is_refused_at_once(text: str, what: str) -> None:
    assert what in the_problem(text).what


def test_a_yaml_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
    )
    problem = the_problem(bomb)
    assert (problem.line, problem.column) == (1, 4)


def test_two_jobs_of_one_name_in_a_file_are_refused() -> None:
    problem = the_problem(f"{GOOD_TEXT}---\n{GOOD_TEXT}")
    assert (problem.line, problem.field) == (11, "metadata.name")


def test_bytes_that_are_no_utf8_are_refused_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_bytes(b"apiVersion: x\nkind: \xff\n")
    with pytest.raises(ManifestProblems) as refusal:
        load_manifests(path)
    assert (refusal.value.problems[0].line, refusal.value.problems[0].column) == (2, 7)


def test_a_file_of_ten_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)
    with pytest.raises(ManifestError, match=r"10737418240 bytes, where at most 1048576"):
        load_manifests(path)


def test_a_file_that_lies_about_its_size_is_read_no_further_than_the_limit() -> None:
    with pytest.raises(ManifestError, match="more than that"):
        load_manifests(Path("/dev/zero"))


def test_a_file_of_just_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(GOOD_TEXT + "#" * (MAX_BYTES - len(GOOD_TEXT)))
    assert len(load_manifests(path)) == 1


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        load_manifests(tmp_path / "none.yaml")
    with pytest.raises(ManifestError, match="is a folder"):
        load_manifests(tmp_path)


def test_validation_goes_on_after_a_bad_file_and_says_all_in_one_text(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD_TEXT)
    (tmp_path / "bad.yaml").write_text(with_spec("suspend: 'no'"))
    result = validate_files([tmp_path / "none.yaml", tmp_path / "bad.yaml", tmp_path / "good.yaml"])
    assert result.exit_code == 1
    lines = validation_text(result).splitlines()
    assert lines[1].startswith(f"{tmp_path}/bad.yaml:8:3: spec.suspend: found text ('no').")
    assert lines[2:] == [f"{tmp_path}/good.yaml: lobby is valid", "2 problems"]
    assert '"valid": false' in validation_json(result)


def test_validation_of_good_files_ends_with_zero(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD_TEXT)
    result = validate_files([tmp_path / "good.yaml"])
    assert result.exit_code == 0
    assert validation_text(result) == f"{tmp_path}/good.yaml: lobby is valid"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    assert load_manifests(path)
