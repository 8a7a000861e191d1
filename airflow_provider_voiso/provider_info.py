"""The provider's description for the entry point ``apache_airflow_provider``."""

from __future__ import annotations

from typing import Any

from airflow_provider_voiso import __version__
from airflow_provider_voiso.compat.forms import conn_fields, declared_field_behaviour
from airflow_provider_voiso.connection.form import CONNECTION_TYPE, EXTRA_FIELDS, field_behaviour


def get_provider_info() -> dict[str, Any]:
    """Return the description, without importing Airflow or a hook."""
    integration = "Voiso"
    return {
        "package-name": "airflow-provider-voiso",
        "name": "Voiso",
        "description": "Exports `Voiso <https://voiso.com/>`__ call detail records (CDRs) to S3 "
        "and SQL.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": integration,
                "external-doc-url": "https://docs.voiso.com/",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {
                "integration-name": integration,
                "python-modules": ["airflow_provider_voiso.hooks.voiso"],
            },
        ],
        "operators": [
            {
                "integration-name": integration,
                "python-modules": [
                    "airflow_provider_voiso.operators.cdr_to_s3",
                    "airflow_provider_voiso.operators.cdr_to_sql",
                    "airflow_provider_voiso.operators.reference_to_s3",
                    "airflow_provider_voiso.operators.reference_to_sql",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": integration,
                "python-modules": ["airflow_provider_voiso.sensors.cdr"],
            },
        ],
        "triggers": [
            {
                "integration-name": integration,
                "python-modules": ["airflow_provider_voiso.triggers.cdr"],
            },
        ],
        "extra-links": [
            "airflow_provider_voiso.report.links.VoisoObjectLink",
            "airflow_provider_voiso.report.links.VoisoCoverageLink",
        ],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": "airflow_provider_voiso.hooks.voiso.VoisoHook",
                "hook-name": "Voiso",
                "conn-fields": conn_fields(EXTRA_FIELDS),
                "ui-field-behaviour": declared_field_behaviour(field_behaviour()),
            }
        ],
    }
