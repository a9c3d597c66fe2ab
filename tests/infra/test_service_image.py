"""The service's image: the service answers with nothing importable but what that image installs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.project import Project

REQUIREMENTS = ROOT / "infra" / "images" / "service-requirements.txt"
SERVED = {"plumbline", "retrieval_service", "quality_checks", "search_index"}
CHILD = """
import json, sys
from importlib.abc import MetaPathFinder

absent = set(json.loads(sys.argv[1]))


class NotInTheImage(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)


sys.meta_path.insert(0, NotInTheImage())
from fastapi.testclient import TestClient
from retrieval_service.app import create_app
from search_index.settings import Settings
import plumbline.cli.serve

with TestClient(create_app(Settings()), client=("127.0.0.1", 50000)) as client:
    answer = client.post("/v1/search", json={"query": sys.argv[2]})
    assert answer.status_code == 200, answer.text
    ready = client.get("/health/ready").status_code
print(json.dumps({"hits": [hit["uri"] for hit in answer.json()["hits"]], "degraded": answer.json()["degraded"], "ready": ready}))
"""


def installed(requirements: Iterable[Requirement]) -> set[str]:
    """The distributions that pip would install for these, by their canonical names."""
    found: set[tuple[str, str]] = set()
    wanted = [(each, extra) for each in requirements for extra in ("", *each.extras)]
    while wanted:
        requirement, extra = wanted.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in found:
            continue
        found.add((name, extra))
        try:
            needs = map(Requirement, distribution(name).requires or ())
        except PackageNotFoundError:
            continue
        for need in needs:
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                wanted += [(need, each) for each in ("", *need.extras)]
    return {name for name, _ in found}


@pytest.mark.slow
def test_the_service_answers_with_nothing_but_what_its_image_installs(published: Project, child_env: dict[str, str]) -> None:
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    there = installed(map(Requirement, lines))
    assert not there & {"dagster", "torch", "great-expectations", "unstructured", "pandas", "sentence-transformers"}
    absent = {top for top, names in packages_distributions().items() if not {canonicalize_name(name) for name in names} & there}
    assert {"dagster", "torch", "pandas"} <= absent
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(sorted((absent | {"pipelines"}) - SERVED)), "otter"],
        env={**child_env, "PLUMBLINE_HOME": str(published.settings.root)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["hits"]
    assert (said["degraded"], said["ready"]) == ([], 200)
