"""Unchanged boto3 works against our S3."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sagelocal.cloud.s3 import ObjectStore
from sagelocal.names import S3Uri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB = 1 << 20


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_an_object_comes_back_with_all_that_was_said_about_it(s3: S3Client, store: ObjectStore) -> None:
    s3.put_object(
        Bucket="bucket", Key="a/b.csv", Body=b"1,2", ContentType="text/csv", Metadata={"k": "v"}, CacheControl="no-store",
        Tagging="x=1&y=2",
    )  # fmt: skip
    got = s3.get_object(Bucket="bucket", Key="a/b.csv")
    assert got["Body"].read() == b"1,2"
    assert (got["ContentType"], got["Metadata"], got["CacheControl"]) == ("text/csv", {"k": "v"}, "no-store")
    assert got["ETag"] == f'"{hashlib.md5(b"1,2").hexdigest()}"'
    assert got["TagCount"] == 2
    assert (store.root / "bucket/a/b.csv").read_bytes() == b"1,2"


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_a_checksum_is_verified_kept_and_given_back(s3: S3Client, algorithm: Any) -> None:
    s3.put_object(Bucket="bucket", Key="a", Body=io.BytesIO(b"data" * 100_000), ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket="bucket", Key="a", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"data" * 100_000
    assert f"Checksum{algorithm}" in got


def test_a_wrong_checksum_is_refused_and_nothing_is_stored(s3: S3Client, store: ObjectStore) -> None:
    with pytest.raises(ClientError) as error:
        s3.put_object(
            Bucket="bucket", Key="a", Body=b"data", ChecksumCRC32=base64.b64encode(b"1234").decode()
        )
    assert code(error) == "BadDigest"
    assert store.head(S3Uri("bucket", "a")) is None


def test_a_body_in_signed_chunks_with_a_trailer_is_unwrapped(url: str, store: ObjectStore) -> None:
    body = b"5;chunk-signature=abc\r\nhello\r\n6;chunk-signature=d\r\n world\r\n0;chunk-signature=e\r\nx-amz-trailer-signature:f\r\n\r\n"
    headers = {
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-decoded-content-length": "11",
    }
    assert httpx.put(f"{url}/bucket/a", content=body, headers=headers).status_code == 200
    assert (store.root / "bucket/a").read_bytes() == b"hello world"
    short = httpx.put(f"{url}/bucket/b", content=body[:20], headers=headers)
    assert (short.status_code, "IncompleteBody" in short.text) == (400, True)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-1", b"01"),
        ("bytes=7-", b"789"),
        ("bytes=-2", b"89"),
        ("bytes=8-99", b"89"),
        ("bytes=-99", b"0123456789"),
    ],
)
def test_a_range_gives_those_bytes(s3: S3Client, asked: str, expected: bytes) -> None:
    s3.put_object(Bucket="bucket", Key="a", Body=b"0123456789")
    got = s3.get_object(Bucket="bucket", Key="a", Range=asked)
    assert (got["Body"].read(), got["ResponseMetadata"]["HTTPStatusCode"]) == (expected, 206)
    assert got["ContentRange"].endswith("/10")


def test_a_range_beyond_the_end_is_refused(s3: S3Client) -> None:
    s3.put_object(Bucket="bucket", Key="a", Body=b"0123456789")
    with pytest.raises(ClientError) as error:
        s3.get_object(Bucket="bucket", Key="a", Range="bytes=10-")
    assert code(error) == "InvalidRange"


def test_conditions_on_reads_and_writes_hold(s3: S3Client) -> None:
    etag = s3.put_object(Bucket="bucket", Key="a", Body=b"1")["ETag"]
    with pytest.raises(ClientError) as unchanged:
        s3.get_object(Bucket="bucket", Key="a", IfNoneMatch=etag)
    with pytest.raises(ClientError) as other:
        s3.get_object(Bucket="bucket", Key="a", IfMatch='"other"')
    with pytest.raises(ClientError) as there:
        s3.put_object(Bucket="bucket", Key="a", Body=b"2", IfNoneMatch="*")
    assert [code(unchanged), code(other), code(there)] == ["304", "PreconditionFailed", "PreconditionFailed"]
    assert s3.get_object(Bucket="bucket", Key="a", IfMatch=etag)["Body"].read() == b"1"
    s3.put_object(Bucket="bucket", Key="a", Body=b"2", IfMatch=etag)


def test_what_is_missing_is_named_as_s3_names_it(s3: S3Client) -> None:
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    calls: list[tuple[str, Callable[[], object]]] = [
        ("NoSuchKey", lambda: s3.get_object(Bucket="bucket", Key="a")),
        ("404", lambda: s3.head_object(Bucket="bucket", Key="a")),
        ("NoSuchBucket", lambda: s3.get_object(Bucket="nothing", Key="a")),
        ("NoSuchBucket", lambda: s3.list_objects_v2(Bucket="nothing")),
        ("404", lambda: s3.head_bucket(Bucket="nothing")),
        ("NoSuchUpload", lambda: s3.list_parts(Bucket="bucket", Key="a", UploadId="../../x")),
        ("NoSuchBucketPolicy", lambda: s3.get_bucket_policy(Bucket="bucket")),
        ("NotImplemented", lambda: s3.list_bucket_inventory_configurations(Bucket="bucket")),
    ]
    for expected, call in calls:
        with pytest.raises(ClientError) as error:
            call()
        assert code(error) == expected
    with pytest.raises(ClientError, match="RestoreObject"):
        s3.restore_object(Bucket="bucket", Key="a")


def test_buckets_are_made_listed_and_removed_when_empty(s3: S3Client) -> None:
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="other", Key="a")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["bucket", "other"]
    assert s3.get_bucket_location(Bucket="bucket")["LocationConstraint"] == "eu-west-1"
    assert "Status" not in s3.get_bucket_versioning(Bucket="bucket")
    with pytest.raises(ClientError) as error:
        s3.delete_bucket(Bucket="other")
    assert code(error) == "BucketNotEmpty"
    s3.delete_object(Bucket="other", Key="a")
    s3.delete_object(Bucket="other", Key="a")
    s3.delete_bucket(Bucket="other")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["bucket"]


@pytest.fixture
def listed(store: ObjectStore) -> list[str]:
    names = sorted(
        [*(f"p/{number:02}" for number in range(12)), "p", "p.txt", "q/x/1", "q/x/2", "q/y", "z é&<"]
    )
    for name in names:
        store.put_bytes(S3Uri("bucket", name), b"")
    return names


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
def test_pages_of_a_list_make_up_the_whole(s3: S3Client, listed: list[str], operation: Any) -> None:
    pages = list(s3.get_paginator(operation).paginate(Bucket="bucket", PaginationConfig={"PageSize": 5}))
    assert [item["Key"] for page in pages for item in page["Contents"]] == listed
    assert [len(page["Contents"]) for page in pages] == [5, 5, 5, 3]


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_delimiter_folds_what_lies_below_it(
    s3: S3Client, listed: list[str], operation: Any, size: int
) -> None:
    pages = list(
        s3.get_paginator(operation).paginate(
            Bucket="bucket", Delimiter="/", PaginationConfig={"PageSize": size}
        )
    )
    assert [item["Key"] for page in pages for item in page.get("Contents", [])] == ["p", "p.txt", "z é&<"]
    assert [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])] == ["p/", "q/"]
    below = s3.list_objects_v2(Bucket="bucket", Prefix="q/", Delimiter="/")
    assert [item["Prefix"] for item in below["CommonPrefixes"]] == ["q/x/"]
    assert [item["Key"] for item in below["Contents"]] == ["q/y"]


def test_any_delimiter_and_a_start_are_honoured(s3: S3Client, listed: list[str]) -> None:
    got = s3.list_objects_v2(Bucket="bucket", Prefix="p", Delimiter="0", StartAfter="p.txt")
    assert [item["Prefix"] for item in got["CommonPrefixes"]] == ["p/0", "p/10"]
    assert [item["Key"] for item in got["Contents"]] == ["p/11"]


def test_a_copy_keeps_or_replaces_metadata(s3: S3Client) -> None:
    s3.put_object(Bucket="bucket", Key="a é", Body=b"1", Metadata={"k": "v"})
    s3.copy_object(Bucket="other", Key="b", CopySource={"Bucket": "bucket", "Key": "a é"})
    assert s3.head_object(Bucket="other", Key="b")["Metadata"] == {"k": "v"}
    s3.copy_object(
        Bucket="other",
        Key="b",
        CopySource="other/b",
        MetadataDirective="REPLACE",
        Metadata={"n": "w"},
        ContentType="a/b",
    )
    head = s3.head_object(Bucket="other", Key="b")
    assert (head["Metadata"], head["ContentType"]) == ({"n": "w"}, "a/b")
    with pytest.raises(ClientError) as error:
        s3.copy_object(Bucket="other", Key="c", CopySource="bucket/nothing")
    assert code(error) == "NoSuchKey"


def test_many_objects_are_deleted_at_once(s3: S3Client, listed: list[str]) -> None:
    result = s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key} for key in listed[1:]]})
    assert sorted(item["Key"] for item in result["Deleted"]) == listed[1:]
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]] == listed[:1]


def test_a_large_file_goes_up_in_parts_and_down_again(s3: S3Client, tmp_path: Path) -> None:
    content = bytes(range(256)) * (20 * MIB // 256) + b"tail"
    (tmp_path / "up").write_bytes(content)
    s3.upload_file(str(tmp_path / "up"), "bucket", "big", ExtraArgs={"Metadata": {"k": "v"}})
    head = s3.head_object(Bucket="bucket", Key="big", PartNumber=1)
    assert (head["PartsCount"], head["ContentLength"], head["Metadata"]) == (3, 8 * MIB, {"k": "v"})
    s3.download_file("bucket", "big", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == content


def test_parts_are_listed_copied_and_joined(s3: S3Client) -> None:
    s3.put_object(Bucket="bucket", Key="source", Body=b"s" * (6 * MIB))
    upload = s3.create_multipart_upload(Bucket="bucket", Key="a", ContentType="x/y")["UploadId"]
    where: Any = {"Bucket": "bucket", "Key": "a", "UploadId": upload}
    s3.upload_part(**where, PartNumber=2, Body=b"old")
    second = s3.upload_part(**where, PartNumber=2, Body=b"end")["ETag"]
    first = s3.upload_part_copy(
        **where, PartNumber=1, CopySource="bucket/source", CopySourceRange=f"bytes=0-{5 * MIB - 1}"
    )
    assert [(part["PartNumber"], part["Size"]) for part in s3.list_parts(**where)["Parts"]] == [
        (1, 5 * MIB),
        (2, 3),
    ]
    assert [item["Key"] for item in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]] == ["a"]
    parts: list[Any] = [
        {"PartNumber": 1, "ETag": first["CopyPartResult"]["ETag"]}, {"PartNumber": 2, "ETag": second},
    ]  # fmt: skip
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts[::-1]})
    assert code(error) == "InvalidPartOrder"
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket="bucket", Key="a")
    assert got["Body"].read() == b"s" * (5 * MIB) + b"end"
    assert (got["ContentType"], got["ETag"][-3:]) == ("x/y", '-2"')


def test_an_aborted_upload_leaves_nothing(s3: S3Client, store: ObjectStore) -> None:
    upload = s3.create_multipart_upload(Bucket="bucket", Key="a")["UploadId"]
    s3.upload_part(Bucket="bucket", Key="a", UploadId=upload, PartNumber=1, Body=b"1")
    s3.abort_multipart_upload(Bucket="bucket", Key="a", UploadId=upload)
    assert list((store.hidden / "uploads").iterdir()) == []


def test_a_reader_gets_a_whole_object_while_writers_replace_it(url: str, store: ObjectStore) -> None:
    async def read_and_write() -> None:
        async with httpx.AsyncClient() as client:

            async def write(size: int) -> None:
                for _ in range(30):
                    await asyncio.to_thread(store.put_bytes, S3Uri("bucket", "a"), b"x" * size)

            async def read() -> None:
                for _ in range(60):
                    answer = await client.get(f"{url}/bucket/a")
                    assert answer.headers["etag"] == f'"{hashlib.md5(answer.content).hexdigest()}"'

            await asyncio.gather(write(10), write(20_000), read(), read())

    store.put_bytes(S3Uri("bucket", "a"), b"first")
    asyncio.run(read_and_write())


def test_tags_can_be_changed(s3: S3Client) -> None:
    s3.put_object(Bucket="bucket", Key="a")
    s3.put_object_tagging(Bucket="bucket", Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    assert s3.get_object_tagging(Bucket="bucket", Key="a")["TagSet"] == [{"Key": "k", "Value": "v"}]
    s3.delete_object_tagging(Bucket="bucket", Key="a")
    assert s3.get_object_tagging(Bucket="bucket", Key="a")["TagSet"] == []


def test_a_presigned_url_needs_no_client(s3: S3Client) -> None:
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "a b"})
    assert httpx.put(put, content=b"data").status_code == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "a b"})
    assert httpx.get(get).content == b"data"


def test_a_bucket_may_stand_in_the_host_name(url: str, store: ObjectStore) -> None:
    store.put_bytes(S3Uri("my.bucket", "a/b"), b"data")
    for host in ("my.bucket.localhost", "my.bucket.s3.localhost:4566", "my.bucket.s3.eu-west-1.localhost"):
        assert httpx.get(f"{url}/a/b", headers={"host": host}).content == b"data"


@pytest.mark.parametrize("scheme", ["s3", "s3v4"])
def test_a_presigned_url_may_name_the_bucket_in_its_host(
    url: str, store: ObjectStore, client_for: Callable[..., Any], scheme: str
) -> None:
    port = url.rpartition(":")[2]
    s3 = client_for(
        f"http://s3.localhost:{port}", signature_version=scheme, s3={"addressing_style": "virtual"}
    )
    for method, content in (("put", b"data"), ("get", None)):
        signed = httpx.URL(
            s3.generate_presigned_url(f"{method}_object", Params={"Bucket": "bucket", "Key": "a b"})
        )
        # Not every machine can look up names below localhost.
        host = signed.netloc.decode()
        answer = httpx.request(
            method, signed.copy_with(host="127.0.0.1"), content=content, headers={"host": host}
        )
        assert answer.status_code == 200, answer.text
    assert answer.content == b"data"
    assert store.file(S3Uri("bucket", "a b"))


def test_every_object_is_the_only_version_of_itself(s3: S3Client, listed: list[str]) -> None:
    pages = list(
        s3.get_paginator("list_object_versions").paginate(Bucket="bucket", PaginationConfig={"PageSize": 2})
    )
    versions = [version for page in pages for version in page["Versions"]]
    assert [version["Key"] for version in versions] == listed
    assert {(version["VersionId"], version["IsLatest"]) for version in versions} == {("null", True)}
    doomed = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
    s3.delete_objects(Bucket="bucket", Delete={"Objects": doomed})  # type: ignore[typeddict-item]  # a dict of ours
    assert "Versions" not in s3.list_object_versions(Bucket="bucket")


def test_xml_that_could_explode_is_refused(url: str, s3: S3Client) -> None:
    s3.put_object(Bucket="bucket", Key="a")
    bomb = '<?xml version="1.0" encoding="{}"?><!DOCTYPE d [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>'
    for encoding in ("utf-8", "utf-16"):
        answer = httpx.post(f"{url}/bucket?delete", content=bomb.format(encoding).encode(encoding))
        assert (answer.status_code, "MalformedXML" in answer.text) == (400, True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
@example(key="/.%23 ?#+\n/")
@example(key="../..//a\r\n/")
def test_any_key_goes_to_the_server_and_back(key: str, s3: S3Client, store: ObjectStore) -> None:
    s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
    assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == key.encode()
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]] == [key]
    s3.delete_object(Bucket="bucket", Key=key)
    assert list((store.root / "bucket").iterdir()) == []
