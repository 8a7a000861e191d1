"""Export of reference lists to S3."""

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
from airflow_provider_voiso.destinations.stores.key import DEFAULT_REFERENCE_KEY, reference_key
from airflow_provider_voiso.destinations.stores.reference_object import ReferenceObject
from airflow_provider_voiso.destinations.stores.s3 import S3Store
from airflow_provider_voiso.destinations.stores.s3_url import PLAIN_IN_URIS
from airflow_provider_voiso.operators.reference import VoisoReferenceOperator
from airflow_provider_voiso.report.links import VoisoObjectLink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class VoisoReferenceToS3Operator(VoisoReferenceOperator):
    """Exports one reference list to one object in S3, replaced as a whole.

    Further parameters: see
    :class:`~airflow_provider_voiso.operators.reference.VoisoReferenceOperator`.

    :param s3_bucket: name of the bucket (templated)
    :param s3_key: key of the object (templated). After Jinja, ``{reference}`` is the name of the
        list and ``{extension}`` the end that fits the format. An object in which this package keeps
        something else is not written over
    :param aws_conn_id: connection of Airflow's Amazon provider (templated)
    :param file_format: ``ndjson``, ``csv`` or ``parquet``, each with the typed columns
    :param compression: ``gzip``, ``zstd`` or None; ``auto`` is gzip for NDJSON and CSV, and zstd
        inside Parquet
    :param upload_extra_args: boto3's arguments for the upload, such as
        ``{"ServerSideEncryption": "aws:kms"}`` (templated)
    :return: manifest with ``reference``, ``records``, ``fetched_at`` (ISO, UTC), ``bytes`` (size of
        the object), ``uri`` and, if the object that was there says so, ``records_before``
    """

    operator_extra_links = (VoisoObjectLink(),)
    template_fields: Sequence[str] = (
        *VoisoReferenceOperator.template_fields,
        "s3_bucket",
        "s3_key",
        "aws_conn_id",
        "upload_extra_args",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"upload_extra_args": "json"}

    def __init__(
        self,
        *,
        s3_bucket: str,
        s3_key: str = DEFAULT_REFERENCE_KEY,
        aws_conn_id: str | None = "aws_default",
        file_format: FileFormat = "ndjson",
        compression: Compression | Literal["auto"] | None = "auto",
        upload_extra_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if compression == "auto":
            compression = default_compression(file_format)
        check_format(file_format, compression)
        self.s3_bucket = s3_bucket
        self.s3_key = s3_key
        self.aws_conn_id = aws_conn_id
        self.file_format: FileFormat = file_format
        self.compression: Compression | None = compression
        self.upload_extra_args = upload_extra_args

    def destination(self) -> ReferenceObject:
        """Return the object."""
        return ReferenceObject(
            S3Store(
                bucket=self.s3_bucket,
                aws_conn_id=self.aws_conn_id,
                upload_args=self.upload_extra_args,
            ),
            key=self._key(),
            reference=self.reference,
            account=self.hook.client.selection().account,
            file_format=self.file_format,
            compression=self.compression,
            allow_empty=self.allow_empty,
        )

    def asset_uri(self) -> str:
        """Return the URI of the object."""
        return f"s3://{self.s3_bucket}/{quote(self._key(), safe=PLAIN_IN_URIS)}"

    def _key(self) -> str:
        return reference_key(
            self.s3_key,
            reference=self.reference,
            extension=extension(self.file_format, self.compression),
        )
