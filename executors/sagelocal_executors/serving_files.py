"""A model's data on its way into the container that serves it (semantics 08 §8.3)."""

from __future__ import annotations

from sagelocal.cloud.objects import Objects
from sagelocal.errors import UsageError
from sagelocal_executors import contract
from sagelocal_executors.channels import Selection, Source, select, stage
from sagelocal_executors.containers import Mount
from sagelocal_executors.faults import client_error
from sagelocal_executors.serving_models import ModelContainer
from sagelocal_executors.trees import Tree
from sagelocal_executors.unpacking import ArchiveError, unpack


async def bring_model(objects: Objects, container: ModelContainer, tree: Tree) -> Mount:
    """Lay the model out at /opt/ml/model, for the container to change as it likes; the store stays as it is.

    Raises:
        JobError: the data is not there, or cannot be unpacked.
    """
    if container.data is None:
        return tree.mount(contract.MODEL)
    source = Source(f"model data of {container.hostname}", container.data, contract.MODEL)
    selection = await _select(objects, source)
    if container.uncompressed:
        return await stage(objects, source, selection, tree)
    if [item.uri for item in selection.items] != [container.data]:
        raise client_error(
            f'Could not find model data at "{container.data}": it is no object but the beginning of others. Name the '
            "model.tar.gz itself, or give plain files as ModelDataSource with S3DataType S3Prefix and CompressionType None"
        )
    return await _unpacked(objects, container, container.data, tree)


async def _select(objects: Objects, source: Source) -> Selection:
    try:
        return await select(objects, source)
    except UsageError as error:
        raise client_error(f"{source.label}: {error}") from None


async def _unpacked(objects: Objects, container: ModelContainer, uri: str, tree: Tree) -> Mount:
    mount, archive = tree.mount(contract.MODEL), tree.root / "model.tar.gz"
    await objects.fetch(uri, archive)
    try:
        await unpack(archive, mount.source, contract.MODEL)
    except ArchiveError as error:
        raise client_error(
            f'Failed to extract model data archive for container "{container.hostname}" from URL "{uri}": {error}. '
            "Please ensure that the object located at the URL is a valid tar.gz archive"
        ) from None
    archive.unlink()
    return mount
