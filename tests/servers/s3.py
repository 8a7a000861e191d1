"""A real S3 server."""

from __future__ import annotations

import copy
import json
import signal
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.process import LOOPBACK, Server, answers, clean_environment, free_ports, program

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

# Each session of boto3 reads its descriptions of S3 anew; that is nine tenths of a client's CPU.
botocore.session.create_loader = lru_cache(botocore.session.create_loader)


class SeaweedS3(Server):
    """An S3 server (SeaweedFS) that checks signatures and has one bucket; it creates no other.

    :param data_dir: where the objects are kept, made if missing
    :param bucket: the bucket to create
    :param logs: directory of its log, by default beside the data
    """

    key = "devkey"
    secret = "devsecret123"  # noqa: S105
    region = "us-east-1"

    def __init__(
        self, data_dir: Path, bucket: str = "voiso-cdr", *, logs: Path | None = None
    ) -> None:
        master, volume, filer, s3, admin = free_ports(5, partners=[10_000])
        self.bucket = bucket
        self.endpoint_url = f"http://{LOOPBACK}:{s3}"
        self.data_dir = data_dir
        options = {
            "dir": data_dir,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "master.port": master,
            "master.telemetry": "false",
            "volume.port": volume,
            "filer.port": filer,
            "s3.port": s3,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.autoCreateBucket": "false",
            "admin.port": admin,
            "admin.ui": "false",
            "webdav": "false",
        }
        super().__init__(
            "seaweedfs",
            [
                program("weed"),
                "-logtostderr=true",
                "mini",
                *(f"-{name}={value}" for name, value in options.items()),
            ],
            logs=logs or data_dir.parent / f"{data_dir.name}-logs",
            ready=self._has_bucket,
            env=clean_environment(
                {
                    "AWS_ACCESS_KEY_ID": self.key,
                    "AWS_SECRET_ACCESS_KEY": self.secret,
                    "S3_BUCKET": bucket,
                    "WEED_S3_SSE_KEY": "dev",
                }
            ),
            stop_signal=signal.SIGINT,
            grace=2,
        )

    def start(self) -> None:
        """Start without waiting."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        super().start()

    def client(self) -> Any:
        """Return a boto3 client of this server, independent of Airflow."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=self.region,
        )

    def with_bucket(self, name: str) -> Self:
        """Return the same running server with another, empty bucket."""
        self.client().create_bucket(Bucket=name)
        other = copy.copy(self)
        other.bucket = name
        return other

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for a proxy."""
        return LOOPBACK, int(self.endpoint_url.rpartition(":")[2])

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return the content of each object below a prefix, by its key."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def unfinished_uploads(self) -> list[dict[str, Any]]:
        """Return the uploads whose parts are kept, and billed, though they belong to no object."""
        answer = self.client().list_multipart_uploads(Bucket=self.bucket)
        found: list[dict[str, Any]] = answer.get("Uploads", [])
        return found

    def _has_bucket(self) -> bool:
        # The health endpoint answers before the bucket is created.
        if not answers(f"{self.endpoint_url}/healthz"):
            return False
        with suppress(BotoCoreError, ClientError):
            self.client().head_bucket(Bucket=self.bucket)
            return True
        return False

    def connection(self) -> str:
        """Return the value of ``AIRFLOW_CONN_AWS_DEFAULT``."""
        extra = {"endpoint_url": self.endpoint_url, "region_name": self.region}
        return json.dumps(
            {"conn_type": "aws", "login": self.key, "password": self.secret, "extra": extra}
        )
