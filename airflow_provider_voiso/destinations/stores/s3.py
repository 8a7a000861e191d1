"""Amazon S3, and whatever answers as it does."""

from __future__ import annotations

import logging
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from airflow_provider_voiso.compat.connections import find_connection
from airflow_provider_voiso.destinations.stores.base import Description, HiddenError, StoreError
from airflow_provider_voiso.destinations.stores.s3_arguments import (
    check_bucket,
    check_connection_id,
    check_upload_args,
    digest_of,
    taken_by,
)
from airflow_provider_voiso.destinations.stores.s3_url import browser_url
from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.common.compat.sdk import Connection

    Answer = TypeVar("Answer")

log = logging.getLogger(__name__)

_DEFAULT_CONN_ID = "aws_default"
_MAX_PARTS_IN_MEMORY = 2
"""boto3 uploads as many parts at once and reads each into memory first; left alone it takes ten."""
_CHECK_RIGHTS = "Check the bucket and the rights of the AWS connection."
_CHECK_READING = "Check the right s3:GetObject of the AWS connection."
_CHECK_ENDPOINT = "Check the endpoint of the AWS connection."
_REPLACED_MEANWHILE = {"PreconditionFailed", "ConditionalRequestConflict", "412", "409"}
_NOT_SUPPORTED = {"NotImplemented", "501"}
_CONDITIONAL = ("PutObject", "CompleteMultipartUpload")
_MISSING = {"NoSuchKey", "404"}
_HIDDEN = {"AccessDenied", "403", "InvalidRequest", "400"}
"""What S3 answers if rights are missing, or an object was encrypted with another customer key."""


class S3Store:
    """A bucket, reached by a connection of Airflow's Amazon provider.

    :param bucket: name of the bucket, or ARN of an access point
    :param aws_conn_id: the connection; None leaves it all to boto3, as a missing ``aws_default``
        does
    :param upload_args: boto3's arguments of an upload
    """

    def __init__(
        self, *, bucket: str, aws_conn_id: str | None, upload_args: Mapping[str, Any] | None
    ) -> None:
        self._bucket = bucket
        self._aws_conn_id = aws_conn_id
        self._upload_args: Mapping[str, Any] = {} if upload_args is None else upload_args

    def address(self, key: str) -> str:
        """Return the URI of an object."""
        return f"s3://{self._bucket}/{key}"

    def url(self, key: str) -> str | None:
        """Return the object's page in AWS's console, or its address at another endpoint."""
        meta = self._client.meta
        return browser_url(self._bucket, key, meta.endpoint_url, meta.region_name)

    @property
    def upload_digest(self) -> str:
        """A hash of the upload's arguments without a customer's own key, which is secret."""
        return digest_of(self._upload_args)

    def check(self) -> None:
        """Check the bucket's name, the connection, and the arguments of the upload.

        :raises VoisoConfigurationError: naming what to change
        """
        check_bucket(self._bucket)
        check_connection_id(self._aws_conn_id)
        check_upload_args(self._upload_args, self._client.meta.service_model)

    def describe(self, key: str) -> Description | None:
        """Return what S3 says about an object, None if there is none."""
        head = self._ask(lambda: self._head(key))
        if head is None:
            return None
        metadata = {name.lower(): value for name, value in head["Metadata"].items()}
        return Description(head["ContentLength"], metadata, head.get("ETag", ""))

    def put(
        self,
        key: str,
        file: BinaryIO,
        *,
        metadata: Mapping[str, str],
        content_type: str,
        replaces: Description | None,
    ) -> bool:
        """Upload a file, in parts if it is large; boto3 aborts those of an upload that fails."""
        args = {"ContentType": content_type, **self._upload_args}
        args["Metadata"] = {**args.get("Metadata", {}), **metadata}
        is_put = self._ask(lambda: self._upload(key, file, args, _condition(replaces)))
        if is_put:
            self._abort_unfinished(key)
        return is_put

    @cached_property
    def _hook(self) -> S3Hook:
        try:
            from airflow.providers.amazon.aws.hooks.s3 import S3Hook  # noqa: PLC0415 - optional, slow

            from airflow_provider_voiso.destinations.stores.aws_connection import (  # noqa: PLC0415
                QuietAwsConnection,
            )
        except ImportError:
            raise VoisoConfigurationError(
                "Exports to S3 need the Amazon provider: pip install "
                "'airflow-provider-voiso[amazon]'."
            ) from None
        hook = S3Hook(aws_conn_id=self._aws_conn_id)
        hook.conn_config = QuietAwsConnection(conn=self._airflow_connection())
        return hook

    def _airflow_connection(self) -> Connection | None:
        if self._aws_conn_id is None:
            return None
        try:
            return find_connection(self._aws_conn_id)
        except VoisoConfigurationError:
            if self._aws_conn_id != _DEFAULT_CONN_ID:
                raise
        return None

    @cached_property
    def _client(self) -> Any:
        """A client of boto3.

        The hook's own ``get_conn`` looks through all loaded modules for the caller's name first,
        to tell it to AWS.
        """
        hook = self._hook

        def make() -> Any:
            return hook.get_session(hook.region_name).client(
                "s3",
                endpoint_url=hook.conn_config.get_service_endpoint_url("s3"),
                config=hook.config,
                verify=hook.verify,
            )

        try:
            return self._ask(make)
        except VoisoError:
            raise
        except Exception as error:  # noqa: BLE001 - Airflow and boto3 raise of many kinds here
            name = type(error).__name__
        raise VoisoConfigurationError(
            f"No client of S3 can be made from {self._connection}: {name}. Check its extra: "
            "region, endpoint, role and the like."
        )

    @property
    def _connection(self) -> str:
        if self._aws_conn_id is None:
            return "the worker's environment (aws_conn_id is None)"
        return f"the AWS connection {self._aws_conn_id!r}"

    def _ask(self, ask: Callable[[], Answer]) -> Answer:
        """Return an answer, or raise one of this package's errors."""
        from boto3.exceptions import Boto3Error  # noqa: PLC0415 - optional, and slow to import
        from botocore import exceptions as aws  # noqa: PLC0415

        failure: VoisoError
        try:
            return ask()
        except aws.ClientError as error:
            failure = StoreError(_reason(error), _CHECK_RIGHTS, is_refused=True)
        except (aws.NoCredentialsError, aws.PartialCredentialsError) as error:
            failure = VoisoConfigurationError(
                f"There are no AWS credentials ({type(error).__name__}): neither has "
                f"{self._connection} any, nor was something found where boto3 looks on the worker. "
                "Fill in the connection's login and password, or its extra."
            )
        except (
            aws.EndpointProviderError,
            aws.InvalidConfigError,
            aws.InvalidRegionError,
            aws.NoRegionError,
            aws.ParamValidationError,
            aws.ProfileNotFound,
            aws.UnknownSignatureVersionError,
            aws.UnsupportedSignatureVersionError,
        ) as error:
            failure = VoisoConfigurationError(
                f"boto3 refuses what it was given ({type(error).__name__}). Check s3_bucket, "
                f"s3_key and upload_extra_args, and the extra of {self._connection}."
            )
        except (aws.BotoCoreError, Boto3Error) as error:
            failure = StoreError(type(error).__name__, _CHECK_ENDPOINT, is_refused=False)
        raise failure

    def _arguments(self, operation: str, key: str) -> dict[str, Any]:
        """Return bucket and key, and those arguments of the upload that another operation takes."""
        args = taken_by(operation, self._upload_args, self._client.meta.service_model)
        return {**args, "Bucket": self._bucket, "Key": key}

    def _head(self, key: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - optional

        try:
            head: dict[str, Any] = self._client.head_object(**self._arguments("HeadObject", key))
        except ClientError as error:
            code = _code(error)
            if code in _MISSING | _HIDDEN:
                error = self._explained(error, key)
                code = _code(error)
            if code in _MISSING:
                return None
            if code not in _HIDDEN:
                raise error from None
        else:
            return head
        raise HiddenError(f"S3 answered {code}", _CHECK_READING, is_refused=True)

    def _explained(self, refusal: Any, key: str) -> Any:
        """Return the error that tells why S3 refused a HEAD, whose answer has no body."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - optional

        try:
            first = self._client.get_object(**self._arguments("GetObject", key), Range="bytes=0-0")
        except ClientError as error:
            return refusal if _code(error).isdigit() else error
        first["Body"].close()
        return refusal

    def _upload(
        self, key: str, file: BinaryIO, args: Mapping[str, Any], condition: Mapping[str, str]
    ) -> bool:
        """Upload a file if S3 finds the condition fulfilled, and return whether it did."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - optional

        try:
            self._upload_once(key, file, args, condition)
        except ClientError as error:
            code = _code(error)
            is_gone = code == "NoSuchKey" and "IfMatch" in condition
            if condition and (code in _REPLACED_MEANWHILE or is_gone):
                return False
            if code not in _NOT_SUPPORTED or not condition:
                raise
            # This server knows no conditions.
            self._upload_once(key, file, args, {})
        return True

    def _upload_once(
        self, key: str, file: BinaryIO, args: Mapping[str, Any], condition: Mapping[str, str]
    ) -> None:
        def add_condition(params: dict[str, Any], model: Any, **_: Any) -> None:
            members = model.input_shape.members
            params.update({name: each for name, each in condition.items() if name in members})

        config = copy(self._hook.transfer_config)
        config.max_in_memory_upload_chunks = _MAX_PARTS_IN_MEMORY
        # The other one has a client of its own, which would not hear of the condition.
        config.preferred_transfer_client = "classic"
        # boto3's managed uploads refuse conditions as arguments.
        events = self._client.meta.events
        names = [f"before-parameter-build.s3.{operation}" for operation in _CONDITIONAL]
        for name in names:
            events.register(name, add_condition)
        try:
            self._client.upload_fileobj(
                _KeptOpen(file), self._bucket, key, ExtraArgs=dict(args), Config=config
            )
        finally:
            for name in names:
                events.unregister(name, add_condition)

    def _abort_unfinished(self, key: str) -> None:
        """Drop the parts that a killed upload of the same object left: unseen, but billed."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - optional

        search = self._arguments("ListMultipartUploads", key)
        search["Prefix"] = search.pop("Key")
        try:
            found = self._client.list_multipart_uploads(**search).get("Uploads", [])
            for upload in found:
                if upload["Key"] == key:
                    self._client.abort_multipart_upload(
                        **self._arguments("AbortMultipartUpload", key), UploadId=upload["UploadId"]
                    )
        except (BotoCoreError, ClientError) as error:
            log.debug(
                "Unfinished uploads of %s were not looked for: %s.",
                self.address(key),
                _reason(error),
            )


class _KeptOpen:
    """A file from its beginning, which boto3 may not close: a refused upload is tried again."""

    def __init__(self, file: BinaryIO) -> None:
        file.seek(0)
        self.read, self.seek, self.tell = file.read, file.seek, file.tell

    def close(self) -> None:
        """Nothing."""


def _condition(replaces: Description | None) -> dict[str, str]:
    """Return the arguments under which S3 replaces nothing but what is expected."""
    if replaces is None:
        return {"IfNoneMatch": "*"}
    return {"IfMatch": replaces.version} if replaces.version else {}


def _code(error: Any) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def _reason(error: Any) -> str:
    code = _code(error)
    if not code:
        return type(error).__name__
    operation = getattr(error, "operation_name", "")
    if operation.startswith(("AssumeRole", "GetSessionToken")):
        return f"AWS answered {code} to {operation}"
    return f"S3 answered {code}"
