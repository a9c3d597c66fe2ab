"""Every file of ``infra`` is read by the tool that knows it, and names nothing that is not there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipelines.dagster_home import dagster_home
from retrieval_service.telemetry import Telemetry
from search_index.settings import Settings
from tests.conftest import ROOT

INFRA = ROOT / "infra"
IMAGES = sorted((INFRA / "images").glob("*.Dockerfile"))
RULES, RULE_TESTS, CONFIG = (INFRA / "prometheus" / name for name in ("rules/plumbline.yml", "tests/plumbline.yml", "prometheus.yml"))
DASHBOARD = INFRA / "grafana" / "dashboards" / "plumbline.json"
SECRETS = dict.fromkeys(("POSTGRES_PASSWORD", "QDRANT_API_KEY", "GRAFANA_PASSWORD", "PLUMBLINE_SIGNING_KEY"), "x")
Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tool() -> Tool:
    def run(name: str, *arguments: str | Path, package: str = "") -> subprocess.CompletedProcess[str]:
        beside = Path(sys.executable).with_name(name)
        command = str(beside) if beside.exists() else shutil.which(name)
        if command is None:
            pytest.skip(f"{name} is not installed; Debian's package {package or name} has it")
        return subprocess.run([command, *map(str, arguments)], text=True, capture_output=True, timeout=120, check=False, env=SECRETS | PATH)

    return run


PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.stem)
def test_hadolint_has_nothing_to_say_of_an_image(tool: Tool, image: Path) -> None:
    done = tool("hadolint", image)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_an_image_copies_is_there_and_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for image in IMAGES:
        copied = [line.split()[1:-1] for line in image.read_text().splitlines() if line.startswith("COPY ") and "--from" not in line]
        assert copied
        for path in (path for paths in copied for path in paths):
            assert (ROOT / path).exists(), f"{image.name} copies {path}"
            assert path in sent, f"{path} is not sent to the builder"


class TestCompose:
    def test_compose_takes_the_file_and_wants_every_secret(self, tool: Tool) -> None:
        done = tool("docker-compose", "--project-directory", INFRA, "--file", INFRA / "compose.yaml", "config", "--quiet")
        assert done.returncode == 0, done.stderr
        for name in SECRETS:
            assert f"{name}=\n" in (INFRA / ".env.example").read_text()
            missing = subprocess.run(
                [shutil.which("docker-compose") or "", "--project-directory", str(INFRA), "--file", str(INFRA / "compose.yaml"), "config"],
                env=PATH | {other: "x" for other in SECRETS if other != name},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert missing.returncode != 0, f"it would run without {name}"

    def test_every_container_is_watched_and_only_the_service_can_be_opened_to_others(self) -> None:
        services = yaml.safe_load((INFRA / "compose.yaml").read_text())["services"]
        for name, service in services.items():
            own_image = service.get("build", {}).get("dockerfile")
            assert "healthcheck" in service or (own_image and "HEALTHCHECK" in (ROOT / own_image).read_text()), name
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()) if name != "service"), name
            for waited in service.get("depends_on", {}):
                assert waited in services

    def test_what_it_mounts_from_here_is_here(self) -> None:
        mounted = re.findall(r"^\s+- \./([\w./-]+):", (INFRA / "compose.yaml").read_text(), re.MULTILINE)
        assert {"prometheus", "dagster", "grafana/provisioning", "grafana/dashboards"} <= set(mounted)
        assert all((INFRA / path).exists() for path in mounted)


class TestPrometheus:
    def test_promtool_takes_configuration_and_rules(self, tool: Tool) -> None:
        for arguments in (("check", "config", "--syntax-only", CONFIG), ("check", "rules", RULES)):
            done = tool("promtool", *arguments, package="prometheus")
            assert done.returncode == 0, done.stdout + done.stderr

    def test_every_alert_fires_when_it_should_and_not_before(self, tool: Tool) -> None:
        done = tool("promtool", "test", "rules", RULE_TESTS, package="prometheus")
        assert done.returncode == 0, done.stdout + done.stderr
        fired = [each for test in yaml.safe_load(RULE_TESTS.read_text())["tests"] for each in test["alert_rule_test"]]
        for alert in alerts():
            about = [bool(each.get("exp_alerts")) for each in fired if each["alertname"] == alert["alert"]]
            assert set(about) == {True, False}, f"{alert['alert']} is to be tested firing and silent"

    def test_every_alert_has_a_runbook_that_says_where_to_look_and_what_to_do(self) -> None:
        names = {alert["alert"] for alert in alerts()}
        assert {path.stem for path in (INFRA / "runbooks").glob("*.md")} == names
        for alert in alerts():
            page = ROOT / alert["annotations"]["runbook"]
            assert page.stem == alert["alert"]
            assert all(f"\n## {part}\n" in page.read_text() for part in ("Look", "Do"))


def alerts() -> list[dict[str, dict[str, str]]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def exported() -> set[str]:
    """Every sample name that the service's metrics can have."""
    suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
    return {f"{family.name}{suffix}" for family in Telemetry().registry.collect() for suffix in suffixes[family.type]}


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\bplumbline_[a-z_]+", text))


class TestNames:
    def test_the_rules_name_only_what_the_service_exports(self) -> None:
        named = {name for alert in alerts() for name in named_in(str(alert["expr"]))}
        assert len(named) > 5
        assert named <= exported()

    def test_the_tests_of_the_rules_name_only_what_the_service_exports(self) -> None:
        assert named_in(RULE_TESTS.read_text()) <= exported()

    def test_the_dashboard_names_only_what_the_service_exports(self) -> None:
        named = {name for expression in expressions() for name in named_in(expression)}
        assert len(named) > 10
        assert named <= exported()

    def test_the_runbooks_name_only_what_the_service_exports(self) -> None:
        pages = "".join(path.read_text() for path in (INFRA / "runbooks").glob("*.md"))
        assert named_in(pages) <= exported()


def expressions() -> list[str]:
    return [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]


class TestGrafana:
    def test_the_dashboard_is_one_and_asks_the_data_source_that_is_provisioned(self) -> None:
        import grafana_foundation_sdk.cog.plugins as plugins
        from grafana_foundation_sdk.models.dashboard import Dashboard

        plugins.register_default_plugins()
        data = json.loads(DASHBOARD.read_text())
        dashboard = Dashboard.from_json(data)
        assert dashboard.title == "Plumbline"
        assert len(dashboard.panels or []) == len(data["panels"])
        (source,) = yaml.safe_load((INFRA / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
        asked = {each["datasource"]["uid"] for panel in data["panels"] for each in (panel, *panel["targets"])}
        assert asked == {source["uid"]}

    def test_promtool_can_read_every_expression(self, tool: Tool, tmp_path: Path) -> None:
        rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions())]
        path = tmp_path / "dashboard.yml"
        path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
        done = tool("promtool", "check", "rules", path, package="prometheus")
        assert done.returncode == 0, done.stdout + done.stderr

    def test_no_two_panels_lie_on_one_another(self) -> None:
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(DASHBOARD.read_text())["panels"]:
            at = panel["gridPos"]
            cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
            assert at["x"] + at["w"] <= 24
            assert not cells & taken, panel["title"]
            taken |= cells


def test_dagster_in_containers_is_told_what_it_is_told_elsewhere(tmp_path: Path) -> None:
    here = yaml.safe_load((dagster_home(Settings(home=tmp_path)) / "dagster.yaml").read_text())
    there = yaml.safe_load((INFRA / "dagster" / "dagster.yaml").read_text())
    kept = {"storage", "event_log_storage", "local_artifact_storage", "compute_logs"}
    assert {k: v for k, v in here.items() if k not in kept} == {k: v for k, v in there.items() if k not in kept}
    compose = yaml.safe_load((INFRA / "compose.yaml").read_text())["services"]
    (location,) = yaml.safe_load((INFRA / "dagster" / "workspace.yaml").read_text())["load_from"]
    assert location["grpc_server"]["host"] in compose
    assert str(location["grpc_server"]["port"]) in compose["dagster-code"]["command"]


def test_systemd_takes_the_unit(tool: Tool) -> None:
    done = tool("systemd-analyze", "verify", "--man=no", INFRA / "systemd" / "plumbline.service", package="systemd")
    said = [line for line in done.stderr.splitlines() if "plumbline.service" in line and "is not executable" not in line]
    assert said == []
