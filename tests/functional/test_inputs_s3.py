"""Objects in S3 (moto's server): listed in order, pinned, resumed, refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.s3 import Faults, Refusal, direct_client, faulty_proxy, moto_server, use_endpoint
from videojob.adapters.inputs.s3_objects import S3Objects, s3_client
from videojob.adapters.inputs.transfer import TransferPolicy
from videojob.errors import (
    CredentialsRejected,
    InputAccessDenied,
    InputChanged,
    InputNotFound,
    InputTooLarge,
    InputUnavailable,
    SetupError,
)

CONTENT = bytes(range(256)) * 12_288  # 3 MiB
OWNER = "123456789012"  # moto's account

pytestmark = pytest.mark.usefixtures("proxy")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as url:
        client = direct_client(url)
        client.create_bucket(Bucket="plain")
        client.create_bucket(Bucket="versioned")
        client.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
        yield url


@pytest.fixture
def proxy(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    direct_client(moto).put_object(Bucket="plain", Key="day/clip.mp4", Body=CONTENT)
    with faulty_proxy(moto) as faults:
        use_endpoint(monkeypatch, faults.url)
        yield faults


def objects(attempts: int = 5, client_attempts: int = 1) -> S3Objects:
    policy = TransferPolicy(attempts=attempts, pause=lambda _s: None)
    return S3Objects(s3_client(client_attempts), policy, expected_owner=OWNER)


def test_an_object_is_downloaded_once_and_pinned_by_its_etag(proxy: Faults, tmp_path: Path) -> None:
    first = objects().fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert first.path.read_bytes() == CONTENT
    assert first.path.name == "video-clip.mp4"
    assert first.version.startswith('etag:"')
    gets = sum(method == "GET" for method, _, _ in proxy.seen)
    assert objects().fetch("s3://plain/day/clip.mp4", first.version, tmp_path) == first
    assert sum(method == "GET" for method, _, _ in proxy.seen) == gets


def test_a_version_is_read_even_after_the_object_was_replaced(moto: str, tmp_path: Path) -> None:
    client = direct_client(moto)
    old = client.put_object(Bucket="versioned", Key="a.mp4", Body=b"old")["VersionId"]
    client.put_object(Bucket="versioned", Key="a.mp4", Body=b"new")
    newest = objects().fetch("s3://versioned/a.mp4", None, tmp_path)
    pinned = objects().fetch("s3://versioned/a.mp4", f"version:{old}", tmp_path)
    assert (newest.path.read_bytes(), pinned.path.read_bytes()) == (b"new", b"old")
    assert pinned.version == f"version:{old}"


def test_what_was_there_before_the_bucket_had_versions_is_read_by_the_version_null(moto: str, tmp_path: Path) -> None:
    client = direct_client(moto)
    client.create_bucket(Bucket="grown")
    client.put_object(Bucket="grown", Key="a.mp4", Body=b"old")
    client.put_bucket_versioning(Bucket="grown", VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket="grown", Key="a.mp4", Body=b"new")
    found = objects().fetch("s3://grown/a.mp4", "version:null", tmp_path)
    assert found.path.read_bytes() == b"old"
    assert found.version.startswith("etag:")


def test_a_cut_transfer_goes_on_where_it_broke(proxy: Faults, tmp_path: Path) -> None:
    proxy.cuts.extend([1_000_000, 500_000])
    assert objects().fetch("s3://plain/day/clip.mp4", None, tmp_path).path.read_bytes() == CONTENT
    starts = [int(headers["Range"][6:-1]) for method, _, headers in proxy.seen if method == "GET"]
    assert starts[0] == 0
    assert 0 < starts[1] < starts[2]


def test_a_partial_file_of_an_earlier_process_is_continued(proxy: Faults, tmp_path: Path) -> None:
    proxy.cuts.append(2_000_000)
    with pytest.raises(InputUnavailable) as caught:
        objects(attempts=1).fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert caught.value.retryable
    assert objects().fetch("s3://plain/day/clip.mp4", None, tmp_path).path.read_bytes() == CONTENT
    assert int(proxy.seen[-1][2]["Range"][6:-1]) > 0


def test_an_object_replaced_in_mid_download_is_never_mixed(proxy: Faults, moto: str, tmp_path: Path) -> None:
    def replace(_uri: str, _received: int, _total: int | None) -> None:
        direct_client(moto).put_object(Bucket="plain", Key="day/clip.mp4", Body=CONTENT[::-1])

    proxy.cuts.append(1_500_000)
    watched = S3Objects(s3_client(1), TransferPolicy(pause=lambda _s: None), replace)
    with pytest.raises(InputChanged, match="replaced while it was read"):
        watched.fetch("s3://plain/day/clip.mp4", None, tmp_path)


def test_another_content_than_the_plans_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputChanged):
        objects().fetch("s3://plain/day/clip.mp4", 'etag:"0"', tmp_path)


@pytest.mark.parametrize("name", ["a.mp4", "é ü/☂ +&=%2F?.mp4", "deep/" + "é" * 300 + ".mp4", "...", "a/ "])
def test_any_key_makes_a_file(moto: str, tmp_path: Path, name: str) -> None:
    direct_client(moto).put_object(Bucket="plain", Key=name, Body=b"x")
    fetched = objects().fetch(f"s3://plain/{name}", None, tmp_path)
    assert fetched.path.read_bytes() == b"x"
    assert fetched.path.is_relative_to(tmp_path)


def test_denied_access_says_what_may_be_missing(proxy: Faults, tmp_path: Path) -> None:
    proxy.statuses.extend([403, 403])
    with pytest.raises(InputAccessDenied) as caught:
        objects().fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert "s3:GetObject" in caught.value.hint


KMS_WORDS = (
    "User: arn:aws:iam::123456789012:user/reader is not authorized to perform: kms:Decrypt on resource: "
    "arn:aws:kms:us-east-1:123456789012:key/1 because no identity-based policy allows the kms:Decrypt action"
)
EXPIRED = Refusal(400, "ExpiredToken", "The provided token has expired.")


def test_expired_credentials_are_no_fault_of_one_input(proxy: Faults, tmp_path: Path) -> None:
    proxy.refusal = EXPIRED
    found = objects()
    with pytest.raises(CredentialsRejected, match="The provided token has expired") as caught:
        found.fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert (isinstance(caught.value, SetupError), caught.value.retryable) == (True, True)
    with pytest.raises(CredentialsRejected, match="ExpiredToken"):
        found.expand("plain", "day/")
    assert [method for method, _, _ in proxy.seen].count("GET") == 2


def test_a_key_that_may_not_be_used_is_told_in_s3s_words(proxy: Faults, tmp_path: Path) -> None:
    found = objects()
    for methods in (("GET",), ("HEAD", "GET")):
        proxy.refusal = Refusal(403, "AccessDenied", KMS_WORDS, methods)
        with pytest.raises(InputAccessDenied) as caught:
            found.fetch("s3://plain/day/clip.mp4", None, tmp_path)
        assert KMS_WORDS in caught.value.message
        assert "kms:Decrypt" in caught.value.hint


def test_a_bucket_whose_requester_pays_is_read_by_who_agrees_to_that(proxy: Faults, tmp_path: Path) -> None:
    proxy.refusal = Refusal(403, "AccessDenied", "Access Denied", unless="x-amz-request-payer")
    with pytest.raises(InputAccessDenied) as caught:
        objects().fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert "requesterPays: true" in caught.value.hint
    pays = S3Objects(s3_client(1), expected_owner=OWNER, requester_pays=True)
    assert pays.fetch("s3://plain/day/clip.mp4", None, tmp_path).path.read_bytes() == CONTENT
    assert [one.uri for one in pays.expand("plain", "day/")] == ["s3://plain/day/clip.mp4"]
    proxy.refusal = Refusal(403, "AccessDenied", "Access Denied")
    with pytest.raises(InputAccessDenied) as caught:
        pays.fetch("s3://plain/day/clip.mp4", None, tmp_path / "again")
    assert "requesterPays" not in caught.value.hint


def test_what_was_deleted_is_told_from_what_never_was(moto: str, tmp_path: Path) -> None:
    client = direct_client(moto)
    old = client.put_object(Bucket="versioned", Key="gone.mp4", Body=b"old")["VersionId"]
    marker = client.delete_object(Bucket="versioned", Key="gone.mp4")["VersionId"]
    found = objects()
    for version in (None, f"version:{marker}"):
        with pytest.raises(InputNotFound, match="delete marker") as caught:
            found.fetch("s3://versioned/gone.mp4", version, tmp_path)
        assert "list-object-versions" in caught.value.hint
    assert found.fetch("s3://versioned/gone.mp4", f"version:{old}", tmp_path).path.read_bytes() == b"old"


def test_bucket_key_and_version_that_are_not_there_are_told_apart(moto: str, tmp_path: Path) -> None:
    direct_client(moto).put_object(Bucket="versioned", Key="kept.mp4", Body=b"kept")
    found = objects()
    for uri, version, words in (
        ("s3://plain/nothing.mp4", None, "no object with this key"),
        ("s3://no-such-bucket/a.mp4", None, "no such bucket"),
        ("s3://versioned/kept.mp4", "version:3HL4kqtJvjVBH40Nrjfkd", "no such version"),
    ):
        with pytest.raises(InputNotFound, match=words) as caught:
            found.fetch(uri, version, tmp_path)
        assert caught.value.uri == uri


def test_a_refusal_that_a_second_request_does_not_meet_may_pass(proxy: Faults, tmp_path: Path) -> None:
    proxy.refusal = Refusal(400, "", "", ("HEAD",))
    with pytest.raises(InputUnavailable, match="and then sent it") as caught:
        objects().fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert caught.value.retryable


def test_the_expected_owner_goes_with_every_call(proxy: Faults, tmp_path: Path) -> None:
    objects().fetch("s3://plain/day/clip.mp4", None, tmp_path)
    objects().expand("plain", "day/")
    assert {headers.get("x-amz-expected-bucket-owner") for _, _, headers in proxy.seen} == {OWNER}


def test_a_throttled_call_is_made_again(proxy: Faults, tmp_path: Path) -> None:
    proxy.statuses.append(503)
    fetched = objects(client_attempts=2).fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert fetched.path.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_service_that_stays_down_is_unavailable_and_retryable(proxy: Faults, tmp_path: Path, status: int) -> None:
    proxy.statuses.extend([status] * 20)
    with pytest.raises(InputUnavailable) as caught:
        objects().fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert caught.value.retryable


def test_nobody_listening_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(InputUnavailable):
        objects().fetch("s3://plain/day/clip.mp4", None, tmp_path)


def test_no_credentials_is_a_matter_of_setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(SetupError, match="AWS cannot be used from here"):
        objects().fetch("s3://plain/day/clip.mp4", None, tmp_path)


def test_a_prefix_gives_its_videos_over_all_pages_in_natural_order(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    client = direct_client(moto)
    for number in range(35):
        client.put_object(Bucket="plain", Key=f"many/clip{number}.mp4", Body=b"x" * (number % 3))
    for other in ("many/", "many/notes.txt", "many/.hidden.mp4"):
        client.put_object(Bucket="plain", Key=other, Body=b"")
    found = objects().expand("plain", "many/")
    assert [item.uri for item in found] == [f"s3://plain/many/clip{number}.mp4" for number in range(35)]
    assert [item.size_bytes for item in found[:4]] == [0, 1, 2, 0]


def test_an_empty_prefix_is_the_whole_bucket_and_other_videos_are_told_of(moto: str) -> None:
    client = direct_client(moto)
    client.create_bucket(Bucket="whole")
    for key in ("a.mp4", "deep/er/b.mkv", "old/c.mpg", "old/notes.txt"):
        client.put_object(Bucket="whole", Key=key, Body=b"x")
    told: list[str] = []
    found = objects().expand("whole", "", told.append)
    assert [item.uri for item in found] == ["s3://whole/a.mp4", "s3://whole/deep/er/b.mkv"]
    (words,) = told
    assert words == (
        "s3://whole/: left out are 1 file with other extensions (old/c.mpg); "
        "name each as an input of its own to have it read"
    )


@pytest.mark.parametrize(("bucket", "prefix"), [("plain", "empty/"), ("no-such-bucket", "a/")])
def test_a_prefix_without_videos_is_not_found(bucket: str, prefix: str) -> None:
    with pytest.raises(InputNotFound):
        objects().expand(bucket, prefix)


def test_more_bytes_than_the_limit_are_refused_before_any_is_read(proxy: Faults, tmp_path: Path) -> None:
    small = S3Objects(s3_client(1), TransferPolicy(max_bytes=1000))
    with pytest.raises(InputTooLarge):
        small.fetch("s3://plain/day/clip.mp4", None, tmp_path)
    assert {method for method, _, _ in proxy.seen} == {"HEAD"}
