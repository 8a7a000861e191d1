"""Where a person finds an object of S3 with a browser."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

_CONSOLES = {
    "amazonaws.com": "console.aws.amazon.com",
    "amazonaws.com.cn": "console.amazonaws.cn",
}
_GOVERNMENT = "us-gov-"
_CONSOLE_OF_GOVERNMENT = "console.amazonaws-us-gov.com"
_NO_REGION = "aws-global"
PLAIN_IN_URIS = "/=+:@!,;~"
"""Characters of a key that stand in the URI of an asset as they are."""


def browser_url(bucket: str, key: str, endpoint: str, region: str | None) -> str | None:
    """Return the object's page in AWS's console, or its address at another server's endpoint.

    :param endpoint: URL of the service, as boto3 uses it
    :param region: as boto3 uses it
    :return: without credentials; None for an access point, which has no such page
    """
    if bucket.startswith("arn:"):
        return None
    server = urlsplit(endpoint)
    host = server.hostname or ""
    console = _console(host, region or "")
    if console is None:
        address = f"[{host}]" if ":" in host else host
        port = f":{server.port}" if server.port else ""
        path = f"{server.path.rstrip('/')}/{quote(bucket)}/{quote(key)}"
        return f"{server.scheme}://{address}{port}{path}"
    query = {"prefix": key}
    if region and region != _NO_REGION:
        query = {"region": region, **query}
    return f"https://{console}/s3/object/{quote(bucket)}?{urlencode(query)}"


def _console(host: str, region: str) -> str | None:
    for domain, console in _CONSOLES.items():
        if host.endswith(f".{domain}"):
            return _CONSOLE_OF_GOVERNMENT if region.startswith(_GOVERNMENT) else console
    return None
