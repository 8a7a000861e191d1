"""The arguments of exports to S3, checked before anything is asked."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_voiso.destinations.stores.contents import METADATA_NAMES
from airflow_provider_voiso.exceptions import VoisoConfigurationError

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}|arn:[A-Za-z0-9:/_-]+")
_METADATA_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_METADATA_VALUE = re.compile(r"[ -~]*")
_SECRET = ("SSECustomerKey", "SSECustomerKeyMD5")
_UPLOADS = ("PutObject", "CreateMultipartUpload", "CompleteMultipartUpload")
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "map": (Mapping,),
}
"""By the names of botocore's types. Dates come in many forms, which boto3 judges itself."""


def digest_of(upload_args: Mapping[str, Any]) -> str:
    """Return a hash of the arguments of an upload, without a customer's own key.

    :param upload_args: as :func:`check_upload_args` accepts them
    """
    public = {name: value for name, value in upload_args.items() if name not in _SECRET}
    text = json.dumps(public, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_bucket(name: Any) -> None:
    """Refuse what is not the name of a bucket or the ARN of an access point.

    :raises VoisoConfigurationError: before anything is asked for under such a name
    """
    if not isinstance(name, str):
        raise VoisoConfigurationError(
            f"The s3_bucket is of type {type(name).__name__}, not text. Native rendering turns "
            "text into numbers and the like: check what its templates are filled with."
        )
    if not _BUCKET.fullmatch(name):
        raise VoisoConfigurationError(
            "The s3_bucket is not the name of a bucket: a letter or digit, then letters, digits, "
            "dots, dashes and underscores. Check what its templates are filled with."
        )


def check_connection_id(name: Any) -> None:
    """Refuse what is not the id of a connection.

    :raises VoisoConfigurationError: before a connection is looked up
    """
    if name is not None and not (isinstance(name, str) and name):
        raise VoisoConfigurationError(
            "The aws_conn_id must be the id of a connection or None, not "
            f"{'empty text' if name == '' else type(name).__name__}. Check what its templates are "
            "filled with."
        )


def check_upload_args(given: Any, service_model: Any) -> None:
    """Refuse arguments that boto3's uploads do not take. Values are not told: some are keys.

    :param service_model: botocore's description of S3
    :raises VoisoConfigurationError: naming the argument
    """
    if not isinstance(given, Mapping):
        raise VoisoConfigurationError(
            f"upload_extra_args must be a dict, not {type(given).__name__}. Check what its "
            "templates are filled with."
        )
    from boto3.s3.transfer import S3Transfer  # noqa: PLC0415 - optional, and slow to import

    for name, value in given.items():
        if name not in S3Transfer.ALLOWED_UPLOAD_ARGS:
            raise VoisoConfigurationError(
                f"upload_extra_args holds {name!r}, which boto3's uploads do not take."
                f"{_nearest(name, S3Transfer.ALLOWED_UPLOAD_ARGS)}"
            )
        _check_type(name, value, service_model)
    _check_metadata(given.get("Metadata", {}))


def taken_by(operation: str, upload_args: Mapping[str, Any], service_model: Any) -> dict[str, Any]:
    """Return those arguments of an upload that another operation takes too.

    Such are ``ExpectedBucketOwner``, ``RequestPayer`` and, to read, the customer's key.

    :param service_model: botocore's description of S3
    """
    members = service_model.operation_model(operation).input_shape.members
    return {name: value for name, value in upload_args.items() if name in members}


def _nearest(name: Any, known: list[str]) -> str:
    nearest = difflib.get_close_matches(str(name), known, n=1)
    return f" Did you mean {nearest[0]!r}?" if nearest else f" They take: {', '.join(known)}."


def _check_type(name: str, value: Any, service_model: Any) -> None:
    for operation in _UPLOADS:
        shape = service_model.operation_model(operation).input_shape.members.get(name)
        if shape is None:
            continue
        wanted = _PYTHON_TYPES.get(shape.type_name)
        if wanted and (
            not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)
        ):
            raise VoisoConfigurationError(
                f"{name} in upload_extra_args is of type {type(value).__name__}; S3 takes a "
                f"{shape.type_name}.{_form(name)}"
            )
        return


def _form(name: str) -> str:
    return " Write tags as 'team=sales&kind=cdr'." if name == "Tagging" else ""


def _check_metadata(metadata: Mapping[Any, Any]) -> None:
    for name, value in metadata.items():
        if not isinstance(name, str) or not _METADATA_NAME.fullmatch(name):
            raise VoisoConfigurationError(
                "Metadata in upload_extra_args has a name that S3 cannot store: it must be ASCII "
                "letters, digits and dashes."
            )
        if name.lower() in METADATA_NAMES:
            raise VoisoConfigurationError(
                f"Metadata in upload_extra_args holds {name!r}. The package itself says there what "
                f"an object holds, by the names {', '.join(METADATA_NAMES)}: choose another name."
            )
        if not isinstance(value, str):
            raise VoisoConfigurationError(
                f"Metadata {name!r} in upload_extra_args is of type {type(value).__name__}, not "
                "text."
            )
        if not _METADATA_VALUE.fullmatch(value):
            raise VoisoConfigurationError(
                f"Metadata {name!r} in upload_extra_args is not printable ASCII text, as S3 wants "
                "it."
            )
