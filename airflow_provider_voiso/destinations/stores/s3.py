"""One object in S3, replaced as a whole."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_voiso.destinations.base import Written
from airflow_provider_voiso.destinations.files.writing import CONTENT_TYPE, Compression, FileFormat, write_file
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoError,
    VoisoReconciliationError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from boto3.s3.transfer import TransferConfig

    from airflow_provider_voiso.api.read import WindowRead
    from airflow_provider_voiso.destinations.files.writing import Writable

log = logging.getLogger(__name__)

DEFAULT_KEY = (
    "voiso/cdr/dt={window_start:%Y-%m-%d}/cdr_{window_start:%Y%m%dT%H%M%S%z}_{window_end:%Y%m%dT%H%M%S%z}.{extension}"
)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}|arn:[A-Za-z0-9:/_-]+")


def object_key(template: str, *, window_start: datetime, window_end: datetime, extension: str) -> str:
    """Fill ``{window_start}``, ``{window_end}`` (each with an optional ``strftime`` format) and ``{extension}``.

    :param template: the key after Jinja
    :param window_start: in the zone whose calendar the key is to show
    :param window_end: likewise
    :raises VoisoConfigurationError: for any other placeholder, and for a key that some reader could take for a path
        that climbs out of its prefix
    """

    def fill(match: re.Match[str]) -> str:
        name, _, form = match[1].partition(":")
        if name == "extension" and not form:
            return extension
        if name not in {"window_start", "window_end"}:
            raise VoisoConfigurationError(
                f"The s3_key holds {match[0]}. It may hold {{window_start}}, {{window_end}}, each with a "
                "format such as {window_start:%Y-%m-%d}, and {extension}."
            )
        instant = window_start if name == "window_start" else window_end
        return instant.strftime(form) if form else instant.isoformat()

    key = _PLACEHOLDER.sub(fill, template)
    plain = _as_lenient_readers_see(key)
    if not (key.isprintable() and plain.isprintable() and len(key.encode()) <= 1024) or "\\" in plain:
        raise VoisoConfigurationError(
            "The s3_key must be a path of at most 1024 bytes below the bucket, without backslashes and without "
            "characters that cannot be printed."
        )
    if not all(part.strip(" .") for part in plain.split("/")):
        raise VoisoConfigurationError(
            "The s3_key must be a path below the bucket: no part of it may be empty or consist of dots, however they "
            "are spelled. Check what its templates are filled with."
        )
    return key


def _as_lenient_readers_see(key: str) -> str:
    """Return a key without percent escapes and look-alikes, which some tools take for what they mean."""
    before = ""
    while key != before:
        before, key = key, unquote(unicodedata.normalize("NFKC", key))
    return key


def check_bucket(name: str) -> None:
    """Refuse what is not the name of a bucket or the ARN of an access point.

    :raises VoisoConfigurationError: before anything is asked for under such a name
    """
    if not _BUCKET.fullmatch(name):
        raise VoisoConfigurationError(
            "The s3_bucket is not the name of a bucket: a letter or digit, then letters, digits, dots, dashes and "
            "underscores. Check what its templates are filled with."
        )


def s3_hook(aws_conn_id: str | None) -> S3Hook:
    """Return Airflow's S3 hook, with its connection looked up: not every Airflow 3 lets other threads ask for one.

    :raises VoisoConfigurationError: if the Amazon provider is not installed
    """
    try:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # noqa: PLC0415 - optional, and slow to import
    except ImportError:
        raise VoisoConfigurationError(
            "Exports to S3 need the Amazon provider: pip install 'airflow-provider-voiso[amazon]'."
        ) from None
    hook = S3Hook(aws_conn_id=aws_conn_id)
    _ = hook.conn_config
    return hook


def s3_client(hook: S3Hook) -> Any:
    """Return a client of the hook's connection.

    The hook's own ``get_conn`` looks through all loaded modules for the caller's name first, to tell it to AWS.
    """
    return hook.get_session(hook.region_name).client(
        "s3",
        endpoint_url=hook.conn_config.get_service_endpoint_url("s3"),
        config=hook.config,
        verify=hook.verify,
    )


class S3Object:
    """One object, replaced as a whole.

    :param bucket: name of the bucket
    :param key: key of the object
    :param aws_conn_id: connection of Airflow's Amazon provider
    :param file_format: see :func:`~airflow_provider_voiso.destinations.files.writing.write_file`
    :param compression: likewise
    :param extra_args: boto3's arguments of the upload
    """

    def __init__(
        self,
        *,
        bucket: str,
        key: str,
        aws_conn_id: str | None,
        file_format: FileFormat,
        compression: Compression | None,
        extra_args: Mapping[str, Any],
    ) -> None:
        self.bucket = bucket
        self.key = key
        self._aws_conn_id = aws_conn_id
        self._format: FileFormat = file_format
        self._compression: Compression | None = compression
        self._extra_args = extra_args

    @property
    def address(self) -> str:
        """The object's URI."""
        return f"s3://{self.bucket}/{self.key}"

    def check(self) -> None:
        """Look at the bucket's name and the connection; the client is made while the API is asked."""
        check_bucket(self.bucket)
        self._hook = s3_hook(self._aws_conn_id)
        pool = ThreadPoolExecutor(1, thread_name_prefix="voiso-s3")
        self._client = pool.submit(s3_client, self._hook)
        pool.shutdown(wait=False)

    def write(self, read: WindowRead) -> Written:
        """Write and upload the object.

        :raises VoisoDestinationError: if S3 refuses the upload
        :raises VoisoReconciliationError: if the object is not afterwards what was uploaded
        """

        def write(file: Writable) -> None:
            written = write_file(read.blocks(), file, file_format=self._format, compression=self._compression)
            if written != read.records:
                raise VoisoReconciliationError(
                    f"{written} of {read.records} records of the window {read.window} were written; {self.address} "
                    "was left as it was. Run the task again."
                )

        try:
            size = put_object(
                self._client.result,
                write,
                config=self._hook.transfer_config,
                bucket=self.bucket,
                key=self.key,
                metadata={
                    "window-start": read.window.start.isoformat(),
                    "window-end": read.window.end.isoformat(),
                    "records": str(read.records),
                },
                extra_args={"ContentType": CONTENT_TYPE[self._format], **self._extra_args},
            )
        except (VoisoDestinationError, VoisoReconciliationError) as error:
            error.args = (f"The window {read.window} was not exported. {error}",)
            raise
        return Written(bytes=size, uri=self.address)


def put_object(
    client_of: Callable[[], Any],
    write: Callable[[Writable], None],
    *,
    config: TransferConfig,
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    extra_args: Mapping[str, Any],
) -> int:
    """Upload what ``write`` writes as one object, in parts if it is large, and return its size in bytes.

    Parts go out while the next ones are written, one at a time. The object is replaced at once when all of it has
    arrived. Parts of a failed upload are aborted, those of a killed one by the next upload of the same object.

    :param client_of: returns the client of boto3, or raises what is wrong with its connection
    :param write: writes the object's content to the file it is given; if it raises, nothing is replaced
    :param config: how to upload
    :param metadata: stored with the object, and looked for afterwards
    :param extra_args: further arguments of the upload, such as ``ServerSideEncryption``; they take precedence
    :raises VoisoDestinationError: if S3 refuses the upload
    :raises VoisoReconciliationError: if the object is not afterwards what was uploaded, or may not be looked at
    """
    from boto3.exceptions import Boto3Error  # noqa: PLC0415 - optional, and slow to import
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    described = {**metadata, **extra_args.get("Metadata", {})}
    failure: type[VoisoError] = VoisoDestinationError
    outcome = "was not written: {}. What it held before is still there. Check the bucket and the rights"
    unanswered = "got no answer: {}. It holds what it held before, or all of this window. Check the endpoint"
    try:
        client = client_of()
        config = copy(config)
        config.use_threads = False  # so that no more than one part is in memory
        with _upload(client.upload_fileobj, bucket, key, {**extra_args, "Metadata": described}, Config=config) as pipe:
            write(pipe)
        failure = VoisoReconciliationError
        outcome = unanswered = "was written, but cannot be looked at to check it: {}. Check the right s3:GetObject"
        head = client.head_object(Bucket=bucket, Key=key)
    except (Boto3Error, BotoCoreError, ClientError) as error:
        reason = _reason(error)
        outcome = outcome if isinstance(error, ClientError) else unanswered
    else:
        size = pipe.tell()
        stored = {name.lower(): value for name, value in head["Metadata"].items()}
        if head["ContentLength"] != size or any(stored.get(name) != described[name] for name in metadata):
            raise VoisoReconciliationError(
                f"s3://{bucket}/{key} has {head['ContentLength']} bytes where {size} were uploaded, or was replaced "
                "by another run in the same moment. Run the task again."
            )
        _abort_unfinished(client, bucket, key)
        return size
    raise failure(f"s3://{bucket}/{key} {outcome.format(reason)} of the AWS connection.")


@contextlib.contextmanager
def _upload(upload_fileobj: Callable[..., None], *args: Any, **options: Any) -> Iterator[_Pipe]:
    """Give a file to write to, whose content is uploaded in the background; leaving it raises what went wrong there."""
    pipe = _Pipe()

    def drain() -> None:
        try:
            upload_fileobj(pipe, *args, **options)
        finally:
            pipe.source.close()

    with ThreadPoolExecutor(1, thread_name_prefix="voiso-upload") as pool:
        upload = pool.submit(drain)
        # The pipe breaks when the upload has failed, and then that tells why.
        with contextlib.suppress(BrokenPipeError), contextlib.closing(pipe.sink):
            yield pipe
            pipe.whole = True
        upload.result()


class _Pipe:
    """A file whose one end is written and whose other end is read, by two threads."""

    def __init__(self) -> None:
        source, sink = os.pipe()
        self.source, self.sink = open(source, "rb"), open(sink, "wb")  # noqa: SIM115, PTH123 - descriptors
        self.whole = False
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append; blocks until the reader has taken most of it."""
        self.sink.write(data)
        self._size += len(data)

    def flush(self) -> None:
        """Nothing: the end is told by closing."""

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Return that many bytes, fewer only at the end; all by default.

        :raises BrokenPipeError: if the writer failed, so that what it left off is not taken for all of it
        """
        data = self.source.read(size)
        if len(data) != size and not self.whole:
            raise BrokenPipeError
        return data


def _abort_unfinished(client: Any, bucket: str, key: str) -> None:
    """Drop the parts that a killed upload of the same object left behind: nobody sees them, but they are billed."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        for upload in client.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", []):
            if upload["Key"] == key:
                client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"])
    except (BotoCoreError, ClientError) as error:
        log.debug("Unfinished uploads of s3://%s/%s were not looked for: %s.", bucket, key, _reason(error))


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    code = response.get("Error", {}).get("Code")
    return f"S3 answered {code}" if code else type(error).__name__
