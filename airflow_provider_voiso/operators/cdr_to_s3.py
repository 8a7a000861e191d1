"""Export of call detail records to S3."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_voiso.destinations.files.writing import (
    CONTENT_TYPE,
    Compression,
    FileFormat,
    check_format,
    extension,
    write_file,
)
from airflow_provider_voiso.destinations.stores.s3 import (
    DEFAULT_KEY,
    check_bucket,
    object_key,
    put_object,
    s3_client,
    s3_hook,
)
from airflow_provider_voiso.exceptions import VoisoDestinationError, VoisoReconciliationError
from airflow_provider_voiso.operators.base import VoisoCdrExportOperator, calendar_zone
from airflow_provider_voiso.run.mapped import check_mapped_destination

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from airflow_provider_voiso.api.spool import Spool
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.files.writing import Writable


class VoisoCdrToS3Operator(VoisoCdrExportOperator):
    """Exports the call detail records of one window to one object in S3, which is replaced as a whole.

    The same records give the same bytes: they are ordered by ``timestamp`` and ``uuid``. A window without records
    gives an object without records. Further parameters, and where the window comes from: see
    :class:`~airflow_provider_voiso.operators.base.VoisoCdrExportOperator`.

    :param s3_bucket: name of the bucket (templated)
    :param s3_key: key of the object (templated). After Jinja, ``{window_start}`` and ``{window_end}``, each with an
        optional ``strftime`` format as in ``{window_start:%Y-%m-%d}``, show the window in the DAG's time zone, and
        ``{extension}`` the end that fits the format. Let the window stand in it: runs whose key is the same
        overwrite one another, and of mapped tasks that is an error. A part that is empty or made of dots, in whatever
        spelling, fails the task, so that what fills a template stays below the prefix before it.
    :param aws_conn_id: connection of Airflow's Amazon provider (templated)
    :param file_format: ``ndjson`` keeps every record's bytes as the API sent them; ``csv`` and ``parquet`` hold typed
        columns. In CSV, text that a spreadsheet would take for a formula has an apostrophe in front, which
        :func:`~airflow_provider_voiso.destinations.files.csv_format.original` takes away again
    :param compression: ``gzip``, ``zstd`` or None; ``auto`` is gzip for NDJSON and CSV, and zstd inside Parquet
    :param upload_extra_args: arguments for the upload, such as ``{"ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": ..., "StorageClass": ...}`` (templated)
    :return: manifest with ``window_start``, ``window_end``, ``records``, ``duplicates``, ``out_of_window``,
        ``requests``, ``probes`` (requests among them that proved something), ``clock`` (in which the API reads dates),
        ``bytes`` (size of the object) and ``uri``
    """

    template_fields: Sequence[str] = (
        *VoisoCdrExportOperator.template_fields,
        "s3_bucket",
        "s3_key",
        "aws_conn_id",
        "upload_extra_args",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"filters": "json", "upload_extra_args": "json"}

    def __init__(
        self,
        *,
        s3_bucket: str,
        s3_key: str = DEFAULT_KEY,
        aws_conn_id: str | None = "aws_default",
        file_format: FileFormat = "ndjson",
        compression: Compression | Literal["auto"] | None = "auto",
        upload_extra_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if compression == "auto":
            compression = "zstd" if file_format == "parquet" else "gzip"
        check_format(file_format, compression)
        self.s3_bucket = s3_bucket
        self.s3_key = s3_key
        self.aws_conn_id = aws_conn_id
        self.file_format: FileFormat = file_format
        self.compression: Compression | None = compression
        self.upload_extra_args = upload_extra_args
        self._zone: tzinfo | None = None

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Export the window of the run."""
        window = self.resolve_window(context)
        self._zone = calendar_zone(context)
        check_mapped_destination(
            self,
            context,
            window,
            arguments={"s3_bucket": None, "s3_key": DEFAULT_KEY, "aws_conn_id": "aws_default", "file_format": "ndjson"},
            place=lambda part: f"s3://{self.s3_bucket}/{self._key(part)}",
            way_out="Let the mapped window stand in s3_key, as in {window_start:%Y%m%dT%H%M%S}, or {{ ti.map_index }}.",
        )
        self._key(window)
        check_bucket(self.s3_bucket)
        self._s3 = s3_hook(self.aws_conn_id)
        with ThreadPoolExecutor(1, thread_name_prefix="voiso-s3") as pool:
            # It takes about as long as the first answers, so it is done while these are on their way.
            self._s3_client = pool.submit(s3_client, self._s3)
            return self.export(window, window)

    def write(self, spool: Spool, window: Window) -> dict[str, Any]:
        """Write and upload the object, and return its size and address."""
        key = self._key(window)

        def write(file: Writable) -> None:
            written = write_file(spool.blocks(), file, file_format=self.file_format, compression=self.compression)
            if written != spool.records:
                raise VoisoReconciliationError(
                    f"{written} of {spool.records} records of the window {window} were written; s3://{self.s3_bucket}/"
                    f"{key} was left as it was. Run the task again."
                )

        try:
            size = put_object(
                self._s3_client.result,
                write,
                config=self._s3.transfer_config,
                bucket=self.s3_bucket,
                key=key,
                metadata={
                    "window-start": window.start.isoformat(),
                    "window-end": window.end.isoformat(),
                    "records": str(spool.records),
                },
                extra_args={"ContentType": CONTENT_TYPE[self.file_format], **(self.upload_extra_args or {})},
            )
        except (VoisoDestinationError, VoisoReconciliationError) as error:
            error.args = (f"The window {window} was not exported. {error}",)
            raise
        return {"bytes": size, "uri": f"s3://{self.s3_bucket}/{key}"}

    def _key(self, window: Window) -> str:
        return object_key(
            self.s3_key,
            window_start=window.start.astimezone(self._zone),
            window_end=window.end.astimezone(self._zone),
            extension=extension(self.file_format, self.compression),
        )
