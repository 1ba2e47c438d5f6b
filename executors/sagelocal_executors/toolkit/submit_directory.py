"""The author's code, brought to the code folder from where ``sagemaker_submit_directory`` points."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path, PurePosixPath

from ml_contract import CODE, JobError


def bring_code(source: str) -> None:
    """Put the code into ``/opt/ml/code``: from an archive in S3, or an archive or folder of the container.

    Raises:
        JobError: there is nothing there, or the archive would leave the folder.
    """
    CODE.mkdir(parents=True, exist_ok=True)
    if source.startswith("s3://"):
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "sourcedir.tar.gz"
            _download(source, archive)
            extract(archive, CODE, source)
        return
    path = Path(source)
    if path.is_file():
        extract(path, CODE, source)
    elif not path.is_dir():
        raise JobError(f"sagemaker_submit_directory: there is no {source!r} in the container")
    elif path.resolve() != CODE.resolve():
        shutil.copytree(path, CODE, dirs_exist_ok=True)


def _download(uri: str, destination: Path) -> None:
    bucket, _, key = uri[len("s3://") :].partition("/")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    try:
        import boto3
    except ImportError:
        _download_plainly(uri, endpoint, f"{bucket}/{urllib.parse.quote(key)}", destination)
        return
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    # path style: the endpoint is one host, which has no names for buckets
    config = Config(s3={"addressing_style": "path"}) if endpoint else None
    try:
        boto3.client("s3", endpoint_url=endpoint, config=config).download_file(bucket, key, str(destination))
    except (BotoCoreError, ClientError) as error:
        raise JobError(f"sagemaker_submit_directory: cannot fetch {uri}: {error}") from None


def _download_plainly(uri: str, endpoint: str | None, path: str, destination: Path) -> None:
    if not endpoint:
        raise JobError(f"sagemaker_submit_directory: {uri} needs boto3 or AWS_ENDPOINT_URL; neither is there")
    url = f"{endpoint.rstrip('/')}/{path}"
    try:
        with urllib.request.urlopen(url) as answer, destination.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except urllib.error.URLError as error:
        raise JobError(f"sagemaker_submit_directory: cannot fetch {uri} from {endpoint}: {error}") from None


def extract(archive: Path, folder: Path, name: str) -> None:
    """Unpack a tar archive; nothing may lie outside `folder`, or be a device.

    Raises:
        JobError: a member would, or it is no archive; `name` is how the author knows it.
    """
    try:
        with tarfile.open(archive) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extractall(folder, filter="data")
            else:  # a Python before the filters came (3.8.17, 3.9.17, 3.10.12, 3.11.4)
                tar.extractall(folder, members=[_checked(member) for member in tar.getmembers()])
    except (tarfile.TarError, EOFError) as error:
        raise JobError(f"refused to unpack {name}: {error}") from None


def _checked(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member when it is sure to stay inside; links are not, as one can lead out by way of another."""
    name = PurePosixPath(member.name.lstrip("/"))
    if ".." in name.parts or not (member.isfile() or member.isdir()):
        raise tarfile.TarError(f"{member.name!r} could end outside the destination")
    member.name = str(name)
    return member
