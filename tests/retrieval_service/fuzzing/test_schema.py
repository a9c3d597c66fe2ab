"""Every operation of the OpenAPI document, as schemathesis reads it: what it allows is answered as it says, what it does not is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeAlias

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from retrieval_service.blame import class_of
from tests.retrieval_service.fuzzing.conftest import Keys, Service, authorization
from tests.retrieval_service.fuzzing.judging import Defects

CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
NOT_ALLOWED = [*CHECKS, checks.negative_data_rejection]
PASSING = {503, 504, 507}
"""What the service may fail with: nothing is there to answer, nobody had time, there is no room."""
Operation: TypeAlias = "schemathesis.APIOperation[object, object, object, object]"
Case: TypeAlias = "schemathesis.Case[object]"
WITHOUT_KEYS = "nobody, while there are no keys"


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("who", [WITHOUT_KEYS, "nobody", "admin", "search", "feedback"])
def test_the_service_is_what_its_openapi_document_says(
    service: Service,
    defects: Defects,
    who: str,
    rounds: int,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    headers: dict[str, str] = {}
    if who != WITHOUT_KEYS:
        keys: Keys = request.getfixturevalue("keys")
        headers = {} if who == "nobody" else authorization(getattr(keys, who))
    seen: Counter[str] = Counter()
    with TestClient(service(), raise_server_exceptions=False) as client:
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        schema.config.generation.update(with_security_parameters=False)  # who asks is this test's to say
        schema.config.generation.allow_extra_parameters = False  # in the address, where unknown ones are passed over as on the web
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
        for operation in operations:
            for mode, checked in ((GenerationMode.POSITIVE, CHECKS), (GenerationMode.NEGATIVE, NOT_ALLOWED)):
                _ask(operation, mode, checked, client, headers, max(2, rounds), seen)
    told = f"{sum(seen.values())} requests of schemathesis to {len(operations)} operations, by {who}"
    record_property("fuzzed", json.dumps([told, dict(sorted(seen.items())), len(defects.found), ""]))
    assert len(operations) > 14
    assert not defects.found, defects.found[:3]


def _ask(
    operation: Operation,
    mode: GenerationMode,
    checked: Sequence[schemathesis.CheckFunction],
    client: TestClient,
    headers: dict[str, str],
    examples: int,
    seen: Counter[str],
) -> None:
    """Ask one operation so many times for what its schema allows, or does not."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def asked(case: Case) -> None:
        sent = case.as_transport_kwargs(base_url=str(client.base_url), headers=headers)
        sent.pop("cookies", None)
        response = client.request(**sent)
        seen[str(response.status_code)] += 1
        if response.status_code >= 500:
            slug = response.json()["type"].rpartition(":")[2]
            assert response.status_code in PASSING and class_of(response.status_code, slug) != "ours", slug
        case.validate_response(response, checks=list(checked))

    with suppress(Unsatisfiable):  # an operation of which every request is allowed
        asked()
