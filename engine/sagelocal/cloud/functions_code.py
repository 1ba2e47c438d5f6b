"""The code of functions: where it lies, whether it changed, how a zip becomes a folder."""

from __future__ import annotations

import base64
import hashlib
import secrets
import shutil
import stat
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

from sagelocal.errors import UsageError
from sagelocal.settings import FunctionRule

DEFAULT_FILE_HANDLER = "lambda_handler"
DEFAULT_HANDLER = "lambda_function.lambda_handler"
"""What Lambda's console calls the handler of a new Python function."""
_MOST_BYTES = 262_144_000
"""What a function's code may measure unzipped (Lambda quotas)."""


@dataclass(frozen=True, slots=True)
class Code:
    """Code that can run.

    Attributes:
        folder: what the function sees as LAMBDA_TASK_ROOT.
        revision: another text whenever the code is another.
    """

    folder: Path
    revision: str


@dataclass(frozen=True, slots=True)
class Package:
    """An uploaded zip: its size in bytes, and the digest that the API calls CodeSha256."""

    folder: Path
    size: int
    sha256: str


def locate(rule: FunctionRule, unpacked: Path) -> tuple[Code, str]:
    """The code that a rule names, with its handler; a zip is unpacked below `unpacked`.

    Raises:
        UsageError: there is no such code, or it is neither a Python file nor a folder nor a zip.
    """
    path = rule.code
    assert path is not None, "the caller has looked"
    if path.is_dir():
        return Code(path, _state(path.rglob("*"))), rule.handler or DEFAULT_HANDLER
    if path.suffix == ".py" and path.is_file():
        handler = rule.handler or DEFAULT_FILE_HANDLER
        # Only the files beside it: around a lone script there may be a whole repository.
        return Code(
            path.parent, _state(path.parent.glob("*.py"))
        ), handler if "." in handler else f"{path.stem}.{handler}"
    if path.is_file() and zipfile.is_zipfile(path):
        package = unpack(path.read_bytes(), unpacked)
        return Code(package.folder, package.sha256), rule.handler or DEFAULT_HANDLER
    what = "is neither a .py file nor a folder nor a zip" if path.exists() else "does not exist"
    message = f"the code {path} {what}: correct [functions] in sagelocal.toml"
    raise UsageError(message)


def _state(files: Iterable[Path]) -> str:
    """A digest of names, sizes and times of change; good enough to notice an edit."""
    digest = hashlib.sha256()
    for path in sorted(files):
        found = path.stat() if path.exists() else None
        if found and stat.S_ISREG(found.st_mode):
            digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def unpack(data: bytes, below: Path) -> Package:
    """Make a folder of a zip, named for its content; nothing is done when it is there already.

    Raises:
        UsageError: it is no zip, is too large, or has an entry that would lie outside the folder.
    """
    sha256 = base64.b64encode(hashlib.sha256(data).digest()).decode()
    folder = below / folder_name(sha256)
    if not folder.is_dir():
        fresh = below / f".{secrets.token_hex(4)}"
        try:
            _extract(data, fresh)
            _put(fresh, folder)
        except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError) as error:
            message = (
                f"Could not unzip uploaded file. Please check your file, then try to upload again. ({error})"
            )
            raise UsageError(message) from None
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return Package(folder, len(data), sha256)


def folder_name(sha256: str) -> str:
    """The name of the folder for the zip with this digest, in base64."""
    return base64.b64decode(sha256).hex()[:16]


def _put(fresh: Path, folder: Path) -> None:
    try:
        fresh.rename(folder)
    except OSError:  # another upload of the same zip was quicker
        if not folder.is_dir():
            raise


def _extract(data: bytes, folder: Path) -> None:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > _MOST_BYTES:
            message = f"Unzipped size must be smaller than {_MOST_BYTES} bytes"
            raise UsageError(message)
        folder.mkdir(parents=True)
        for entry in entries:
            _extract_entry(archive, entry, folder)


def _extract_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    inside = PurePosixPath(entry.filename.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or ":" in entry.filename:
        message = f"The zip has the entry {entry.filename!r}, which would lie outside the function's folder"
        raise UsageError(message)
    path = folder / inside
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # A symbolic link becomes a file that holds the link's text: it cannot lead anywhere.
    with archive.open(entry) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    if entry.external_attr >> 16 & stat.S_IXUSR:
        path.chmod(0o755)
