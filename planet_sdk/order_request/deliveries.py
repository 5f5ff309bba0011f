"""Where Planet puts the files: archives, cloud storage, hosting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from planet_sdk import specs

if TYPE_CHECKING:
    from collections.abc import Mapping


def delivery(
    archive_type: str | None = None,
    single_archive: bool | None = False,
    archive_filename: str | None = None,
    cloud_config: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return how and where the files are delivered.

    Args:
        archive_type: "zip", or nothing for separate files.
        single_archive: one archive for the whole order, not one for each bundle.
        archive_filename: may hold `{{name}}` and `{{order_id}}`; by default "{{name}}_{{order_id}}.zip".
        cloud_config: what one of the storage functions of this module returned.

    Raises:
        SpecificationException: Planet does not know the archive type.
    """
    config: dict[str, Any] = {}
    if archive_type:
        config["archive_type"] = specs.validate_archive_type(archive_type)
        config["archive_filename"] = "{{name}}_{{order_id}}.zip" if archive_filename is None else archive_filename
        config["single_archive"] = single_archive
    return config | dict(cloud_config or {})


def amazon_s3(
    aws_access_key_id: str, aws_secret_access_key: str, bucket: str, aws_region: str, path_prefix: str | None = None
) -> dict[str, Any]:
    """Return the delivery to an Amazon S3 bucket; `path_prefix` goes before every name, a slash makes a folder."""
    return _cloud(
        "amazon_s3",
        aws_access_key_id=aws_access_key_id,
        aws_secret_access_key=aws_secret_access_key,
        bucket=bucket,
        aws_region=aws_region,
        path_prefix=path_prefix or None,
    )


def azure_blob_storage(
    account: str,
    container: str,
    sas_token: str,
    storage_endpoint_suffix: str | None = None,
    path_prefix: str | None = None,
) -> dict[str, Any]:
    """Return the delivery to an Azure container.

    Args:
        account: the storage account.
        container: the container.
        sas_token: the shared-access signature, without a leading '?'.
        storage_endpoint_suffix: of a sovereign cloud.
        path_prefix: goes before every name; a slash makes a folder.
    """
    return _cloud(
        "azure_blob_storage",
        account=account,
        container=container,
        sas_token=sas_token,
        storage_endpoint_suffix=storage_endpoint_suffix or None,
        path_prefix=path_prefix or None,
    )


def google_cloud_storage(bucket: str, credentials: str, path_prefix: str | None = None) -> dict[str, Any]:
    """Return the delivery to a Google Cloud bucket; `credentials` is the service account's JSON, in base64."""
    return _cloud("google_cloud_storage", bucket=bucket, credentials=credentials, path_prefix=path_prefix or None)


def google_earth_engine(project: str, collection: str) -> dict[str, Any]:
    """Return the delivery to an image collection of Google Earth Engine."""
    return _cloud("google_earth_engine", project=project, collection=collection)


def oracle_cloud_storage(
    customer_access_key_id: str,
    customer_secret_key: str,
    bucket: str,
    region: str,
    namespace: str,
    path_prefix: str | None = None,
) -> dict[str, Any]:
    """Return the delivery to an Oracle bucket; `path_prefix` goes before every name, a slash makes a folder."""
    return _cloud(
        "oracle_cloud_storage",
        customer_access_key_id=customer_access_key_id,
        customer_secret_key=customer_secret_key,
        bucket=bucket,
        region=region,
        namespace=namespace,
        path_prefix=path_prefix or None,
    )


def sentinel_hub(collection_id: str | None = None, create_configuration: bool | None = False) -> dict[str, Any]:
    """Return the hosting in a Sentinel Hub collection; Planet takes one of the two arguments, not both."""
    return _cloud(
        "sentinel_hub", collection_id=collection_id or None, create_configuration=create_configuration or None
    )


def _cloud(provider: str, **details: str | bool | None) -> dict[str, Any]:
    return {provider: {key: value for key, value in details.items() if value is not None}}
