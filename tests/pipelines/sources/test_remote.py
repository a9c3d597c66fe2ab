"""Buckets, over the S3 protocol with a real server; and what is said when a protocol or its package is not there."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator

import fsspec
import pytest

from pipelines.sources import open_source
from pipelines.sources.conformance import check_changes, check_source, check_unavailable
from quality_checks.contracts import Contract, RecordMapping
from search_index.errors import DocumentUnreadable, SourceUnavailable
from tests.pipelines.sources.contracts import contract, listed, problems


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A server that speaks S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bucket:
    for name, value in {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    made = Bucket(endpoint, request.node.name.replace("_", "-")[:60].strip("-"))
    made.files.mkdir(made.name)
    for path, text in {"docs/a.md": "ay", "docs/sub/b.md": "bee", "docs/c d.txt": "see", "other/x.md": "ex"}.items():
        made.write(path, text.encode())
    return made


class Bucket:
    """A bucket, written to by a client of its own."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.endpoint, self.name = endpoint, name
        self.files = fsspec.filesystem("s3", endpoint_url=endpoint, skip_instance_cache=True, use_listings_cache=False)

    def write(self, path: str, content: bytes) -> None:
        self.files.pipe_file(f"{self.name}/{path}", content)

    def contract(self, path: str = "docs", limits: dict[str, int] | None = None, **more: object) -> Contract:
        return contract(f"s3://{self.name}/{path}", limits, server_type="s3", endpoint_url=self.endpoint, **more)


@pytest.mark.slow
def test_it_conforms(bucket: Bucket) -> None:
    def change() -> str:
        bucket.write("docs/a.md", b"YA")
        return "a.md"

    def remove() -> str:
        bucket.files.rm_file(f"{bucket.name}/docs/sub/b.md")
        return "sub/b.md"

    items = check_source(lambda: open_source(bucket.contract()), at_least=3)
    assert [item.path for item in items] == ["a.md", "c d.txt", "sub/b.md"]
    check_changes(lambda: open_source(bucket.contract()), change, remove)


def test_what_is_not_there_holds_the_source(bucket: Bucket) -> None:
    check_unavailable(lambda: open_source(bucket.contract("nowhere")))
    check_unavailable(lambda: open_source(contract("s3://no-such-bucket/x", endpoint_url=bucket.endpoint)))


def test_one_object_is_a_source(bucket: Bucket) -> None:
    source = open_source(bucket.contract("docs/a.md"))
    (item,) = source.list()
    assert (item.path, source.read(item)) == ("a.md", b"ay")


def test_listing_again_asks_again(bucket: Bucket) -> None:
    source = open_source(bucket.contract())
    before = [item.path for item in source.list()]
    bucket.write("docs/new.md", b"new")
    assert [item.path for item in source.list()] == sorted([*before, "new.md"])


def test_limits_hold(bucket: Bucket) -> None:
    bucket.write("docs/big.md", b"x" * 2000)
    assert "limits.file_bytes" in problems(bucket.contract(limits={"file_bytes": 1000}))["big.md"]
    with pytest.raises(SourceUnavailable, match=r"limits\.files"):
        listed(bucket.contract(limits={"files": 2}))


def test_an_object_that_grew_or_went_since_listing_is_no_half_document(bucket: Bucket) -> None:
    source = open_source(bucket.contract(limits={"file_bytes": 1000}))
    a, c, _ = source.list()
    bucket.write("docs/a.md", b"x" * 5000)
    bucket.files.rm_file(f"{bucket.name}/docs/c d.txt")
    for item in (a, c):
        with pytest.raises((OSError, DocumentUnreadable)):
            source.read(item)


def test_keys_that_climb_are_refused(bucket: Bucket) -> None:
    bucket.write("docs/x/../../../etc/passwd", b"x")
    found = problems(bucket.contract())
    assert list(found) == [r"x/\x2e\x2e/\x2e\x2e/\x2e\x2e/etc/passwd"]


@pytest.mark.slow
def test_an_archive_in_a_bucket_is_a_source(bucket: Bucket) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("docs/a.md", "text")
    bucket.write("a.zip", packed.getvalue())
    place = contract(f"zip://::s3://{bucket.name}/a.zip", endpoint_url=bucket.endpoint)
    (item,) = check_source(lambda: open_source(place))
    assert open_source(place).read(item) == b"text"


def test_records_in_a_bucket_are_documents(bucket: Bucket) -> None:
    bucket.write("corpus.jsonl", b'{"_id": "1", "text": "one"}\n{"_id": "2", "text": "two"}\n')
    place = bucket.contract("corpus.jsonl", format="records", records=RecordMapping(id="_id", text="text"))
    assert [item.path for item in check_source(lambda: open_source(place), at_least=2)] == ["1", "2"]


def test_without_credentials_the_error_says_where_they_come_from(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(SourceUnavailable, match="credentials") as refused:
        listed(bucket.contract())
    assert "environment" in refused.value.remedy


@pytest.mark.parametrize(
    "location",
    [
        "sftp://user:hunter2@host/docs",
        "https://a:hunter2@host/x/",
        "zip://::https://a:hunter2@host/x.zip",
        "https://host/x?X-Amz-Signature=hunter2",
    ],
)
def test_a_credential_in_the_location_is_refused_and_not_repeated(location: str) -> None:
    with pytest.raises(SourceUnavailable, match=r"holds a (password|credential)") as refused:
        listed(contract(location))
    assert "hunter2" not in str(refused.value) and "environment" in refused.value.remedy


def test_a_missing_package_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(SourceUnavailable, match="gcsfs") as refused:
        listed(contract("gs://bucket/docs"))
    assert 'pip install "plumbline[gcs]"' in refused.value.remedy
