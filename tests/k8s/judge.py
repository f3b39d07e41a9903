# SPDX-License-Identifier: Apache-2.0
"""Run by .cache/venv-k8s: holds manifests against the schemas of Kubernetes, and a PodMonitor
against the one of its CRD. Unknown fields are errors in both.

    judge.py VERSION...    a JSON array of manifests comes in, an array of complaints goes out
"""

import json
import sys

import jsonschema
import kubernetes_validate


def strict(schema):
    """The same schema, with members that it does not list refused."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(part) for name, part in schema.items()}
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def of_pod_monitor(manifest):
    from cloudcoil.models.prometheus_operator.v1 import PodMonitor

    schema = strict(PodMonitor.model_json_schema(by_alias=True))
    found = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
    return [f"PodMonitor: {error.json_path}: {error.message}" for error in found]


def of_kubernetes(manifest, version):
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except (
        kubernetes_validate.ValidationError,
        kubernetes_validate.SchemaNotFoundError,
    ) as error:
        return [f"{version}: {manifest.get('kind')}: {error}"]
    return []


def complaints(manifest, versions):
    if manifest.get("kind") == "PodMonitor":
        return of_pod_monitor(manifest)
    return [found for version in versions for found in of_kubernetes(manifest, version)]


json.dump([complaints(manifest, sys.argv[1:]) for manifest in json.load(sys.stdin)], sys.stdout)
