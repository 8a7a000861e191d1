"""Export of call detail records to S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote

from airflow_provider_voiso.destinations.files.writing import (
    Compression,
    FileFormat,
    check_format,
    default_compression,
    extension,
)
from airflow_provider_voiso.destinations.shrinking import check_share
from airflow_provider_voiso.destinations.stores.key import DEFAULT_KEY, fixed_prefix, object_key
from airflow_provider_voiso.destinations.stores.object import ExportedObject
from airflow_provider_voiso.destinations.stores.s3 import S3Store
from airflow_provider_voiso.destinations.stores.s3_url import PLAIN_IN_URIS
from airflow_provider_voiso.operators.base import VoisoCdrExportOperator, calendar_zone
from airflow_provider_voiso.report.lineage import all_columns, object_place
from airflow_provider_voiso.report.links import VoisoObjectLink
from airflow_provider_voiso.run.mapped import check_mapped_destination

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.report.lineage import Place
    from airflow_provider_voiso.report.manifest import Manifest


class VoisoCdrToS3Operator(VoisoCdrExportOperator):
    """Exports the call detail records of one window to one object in S3, replaced as a whole.

    The same records give the same bytes: they are ordered by ``timestamp`` and ``uuid``. An object
    that holds the same records already, in the same form and by the same arguments of the upload,
    is left as it is. A window
    without records gives an object without records. Further parameters, and where the window comes
    from: see
    :class:`~airflow_provider_voiso.operators.base.VoisoCdrExportOperator`.

    :param s3_bucket: name of the bucket (templated)
    :param s3_key: key of the object (templated). After Jinja, ``{window_start}`` and
        ``{window_end}``, each with an optional ``strftime`` format as in
        ``{window_start:%Y-%m-%d}``, show the window in the DAG's time zone, and ``{extension}`` the
        end that fits the format. Let the window stand in it. An object says in its metadata which
        window of which account and filters it holds, and another one is not written over it: see
        ``replace_other``. A part that is empty or made of dots, in whatever spelling, fails the
        task, so that what fills a template stays below the prefix before it.
    :param aws_conn_id: connection of Airflow's Amazon provider (templated)
    :param file_format: ``ndjson`` keeps every record's bytes as the API sent them; ``csv`` and
        ``parquet`` hold typed columns. In CSV, text that a spreadsheet would take for a formula has
        an apostrophe in front, which
        :func:`~airflow_provider_voiso.destinations.files.csv_format.original` takes away again
    :param compression: ``gzip``, ``zstd`` or None; ``auto`` is gzip for NDJSON and CSV, and zstd
        inside Parquet
    :param upload_extra_args: arguments for the upload, such as ``{"ServerSideEncryption":
        "aws:kms", "SSEKMSKeyId":
        ..., "StorageClass": ...}`` (templated); requests that look at the object get those that
        they take. An argument that differs in each run, such as a tag with the run's id, uploads
        the same records again each time
    :param replace_other: replace the object even if it holds another window, account (connection)
        or filters, as for a key that is to hold the latest day; by default that is an error. The
        same window, account and filters are always replaced, in whatever format, and so is an
        object whose metadata do not say what it holds
    :param fail_if_fewer_than: do not replace an object of the same window by one with fewer than
        this share of its records, such as 0.9; None only logs a warning when records get fewer
    :return: manifest with ``window_start``, ``window_end``, ``records``, ``duplicates``,
        ``out_of_window``, ``requests``, ``probes`` (requests among them that proved something),
        ``clock`` (in which the API reads dates), ``bytes`` (size of the object), ``uri``,
        ``changed`` (whether the object was written) and ``records_before`` (of the object that was
        there, if known)
    """

    destination_kind: ClassVar[str] = "s3"
    operator_extra_links = (VoisoObjectLink(), *VoisoCdrExportOperator.operator_extra_links)
    template_fields: Sequence[str] = (
        *VoisoCdrExportOperator.template_fields,
        "s3_bucket",
        "s3_key",
        "aws_conn_id",
        "upload_extra_args",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "filters": "json",
        "upload_extra_args": "json",
    }

    def __init__(
        self,
        *,
        s3_bucket: str,
        s3_key: str = DEFAULT_KEY,
        aws_conn_id: str | None = "aws_default",
        file_format: FileFormat = "ndjson",
        compression: Compression | Literal["auto"] | None = "auto",
        upload_extra_args: Mapping[str, Any] | None = None,
        replace_other: bool = False,
        fail_if_fewer_than: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if compression == "auto":
            compression = default_compression(file_format)
        check_format(file_format, compression)
        check_share(fail_if_fewer_than)
        self.s3_bucket = s3_bucket
        self.s3_key = s3_key
        self.aws_conn_id = aws_conn_id
        self.file_format: FileFormat = file_format
        self.compression: Compression | None = compression
        self.upload_extra_args = upload_extra_args
        self.replace_other = replace_other
        self.fail_if_fewer_than = fail_if_fewer_than

    def destination(self, context: Mapping[str, Any], window: Window) -> ExportedObject:
        """Return the object of the window."""
        zone = calendar_zone(context)
        check_mapped_destination(
            self,
            context,
            window,
            connection="aws_conn_id",
            arguments=("s3_bucket", "s3_key"),
            place=lambda task, part: f"s3://{task.s3_bucket}/{task.key_of(part, zone)}",
            hint="Let what is mapped stand in s3_key, as in {window_start:%Y%m%dT%H%M%S} or "
            "{{ ti.map_index }}.",
        )
        return ExportedObject(
            S3Store(
                bucket=self.s3_bucket,
                aws_conn_id=self.aws_conn_id,
                upload_args=self.upload_extra_args,
            ),
            key=self.key_of(window, zone),
            window=window,
            selection=self.hook.client.selection(self.filters),
            file_format=self.file_format,
            compression=self.compression,
            replace_other=self.replace_other,
            fail_if_fewer_than=self.fail_if_fewer_than,
        )

    def lineage_place(self, manifest: Manifest) -> Place:
        """Return the object."""
        columns = None if self.file_format == "ndjson" else all_columns()
        return object_place(str(manifest.uri), columns)

    def asset_uri(self) -> str:
        """Return the URI of the prefix of all windows, or of the key if that is fixed."""
        return f"s3://{self.s3_bucket}/{quote(fixed_prefix(self.s3_key), safe=PLAIN_IN_URIS)}"

    def key_of(self, window: Window, zone: tzinfo) -> str:
        """Return the key of a window's object, in which the window is shown in a zone."""
        return object_key(
            self.s3_key,
            window_start=window.start.astimezone(zone),
            window_end=window.end.astimezone(zone),
            extension=extension(self.file_format, self.compression),
        )
