"""The runner of documents with its ceilings and its trusted documents, from the settings.

Part of the composition root: it knows classes and no rules.
"""

from __future__ import annotations

from gateway.composition.callers import Rereading
from gateway.composition.outside import Outside
from gateway.execution.admission import CostQuotas
from gateway.execution.documents import Documents, OnExceeded
from gateway.execution.runner import GraphQLRunner
from gateway.execution.trusted_documents import ManifestRefused, check_manifest, read_manifest
from gateway.settings import Settings
from schema.ports import EventStream, Reads, Writes
from schema.root import make_schema


def open_runner(
    settings: Settings,
    reads: Reads,
    writes: Writes,
    events: EventStream,
    *,
    quotas: CostQuotas,
    on_exceeded: OnExceeded,
    rereading: Rereading,
    outside: Outside = Outside(),
) -> GraphQLRunner:
    """The one runner. Raises `ManifestRefused`."""
    runner = GraphQLRunner(
        outside.schema or make_schema(),
        reads,
        writes,
        events,
        limits=settings,
        quotas=quotas,
        operation_seconds_max=settings.operation_timeout_seconds,
        upstream_calls_max=settings.upstream_calls_max,
        on_exceeded=on_exceeded,
        documents=outside.documents,
    )
    path = settings.trusted_documents_file
    if path is not None:

        def read() -> str:
            manifest = read_manifest(path)
            runner.trust(manifest, source=str(path))
            return f"{len(manifest)} trusted documents"

        read()
        rereading.add(str(path), read)
    return runner


def problems_of_documents(settings: Settings) -> list[str]:
    """What keeps the trusted documents from being served, one sentence each."""
    path = settings.trusted_documents_file
    if path is None:
        return []
    documents = Documents(make_schema()._schema, settings)
    try:
        check_manifest(read_manifest(path), documents, source=str(path))
    except ManifestRefused as refused:
        return str(refused).splitlines()
    return []
