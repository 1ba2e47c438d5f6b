"""What CreateTransformJob refuses of a request that is well formed (semantics 08 §8.3, API: CreateTransformJob)."""

from __future__ import annotations

from collections.abc import Iterator

from sagelocal_executors.faults import rejected
from sagelocal_executors.transform.formats import Format, format_of
from sagelocal_executors.transform.join import Association
from sagelocal_executors.transform.request import OPERATION, DataProcessing, TransformRequest

LARGEST_MB = 100
"""What all requests of one instance may have together."""


def association(request: TransformRequest) -> Association:
    """DataProcessing of a request.

    Raises:
        JobError: the request contradicts itself, or the documentation.
    """
    for fault in _faults(request):
        raise rejected(OPERATION, fault)
    processing = request.data_processing
    sent = format_of(request.transform_input.content_type)
    received = format_of(request.transform_output.accept)
    lines = request.transform_input.split_type == "Line"
    return Association(
        sent=sent,
        received=received,
        input_filter=processing.input_filter,
        output_filter=processing.output_filter,
        join=processing.join_source == "Input",
        by_line=lines or sent is not Format.JSON,
        answered_by_line=lines or received is not Format.JSON,
    )


def _reads_input(processing: DataProcessing) -> bool:
    return processing.join_source == "Input" or not processing.input_filter.whole


def _faults(request: TransformRequest) -> Iterator[str]:
    concurrent, payload = request.max_concurrent_transforms, request.max_payload_in_mb or 0
    if concurrent * payload > LARGEST_MB:
        yield (
            f"MaxConcurrentTransforms * MaxPayloadInMB is {concurrent} * {payload} = {concurrent * payload} MB, "
            f"more than {LARGEST_MB} MB"
        )
    yield from _input_faults(request)
    yield from _output_faults(request)


def _input_faults(request: TransformRequest) -> Iterator[str]:
    """What InputFilter needs: records that can be told apart, and looked into."""
    processing, source = request.data_processing, request.transform_input
    if not _reads_input(processing):
        return
    sent = format_of(source.content_type)
    if sent is None:
        yield _no_format("ContentType", source.content_type)
    if source.split_type not in {"None", "Line"}:
        yield f"DataProcessing works with CSV and JSON only, not with SplitType {source.split_type}"
    if sent is Format.CSV:
        if source.split_type != "Line":
            yield "DataProcessing with ContentType text/csv needs SplitType Line"
        if not processing.input_filter.fits_rows:
            yield _no_column("InputFilter", processing.input_filter.text)


def _output_faults(request: TransformRequest) -> Iterator[str]:
    """What JoinSource, OutputFilter and GenerateInferenceId need: predictions that can be looked into, too."""
    processing, source, result = request.data_processing, request.transform_input, request.transform_output
    capture = request.data_capture_config
    stamped = capture is not None and capture.generate_inference_id
    joined = processing.join_source == "Input"
    filtered = not processing.output_filter.whole
    if not (joined or filtered or stamped):
        return
    received = format_of(result.accept)
    if received is None:
        yield _no_format("Accept", result.accept)
    if received is Format.CSV and not processing.output_filter.fits_rows:
        yield _no_column("OutputFilter", processing.output_filter.text)
    if received is Format.CSV and (joined or filtered) and result.assemble_with != "Line":
        yield "DataProcessing with Accept text/csv needs AssembleWith Line"
    if (joined or filtered) and source.split_type != result.assemble_with:
        yield (
            f"DataProcessing needs the same SplitType and AssembleWith, not {source.split_type} and "
            f"{result.assemble_with}"
        )
    if joined and received is not format_of(source.content_type):
        yield (
            f"JoinSource Input needs the same ContentType and Accept, not {source.content_type} and {result.accept}"
        )


def _no_format(member: str, value: str | None) -> str:
    known = ", ".join(Format)
    return f"DataProcessing needs {member} to be one of {known}, not {value or 'none'}"


def _no_column(member: str, text: str) -> str:
    return f"{member} {text}: the rows of CSV data are arrays, so only indexes fit them, as in $[0] or $[1:]"
