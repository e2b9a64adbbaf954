"""The command line: what it refuses, and how it says so."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.commands import app
from gateway.settings import Settings, SettingsRefused, read_settings, variable_of
from gateway.settings.environment import REMOVED
from gateway.settings.page import PARTS, reasons, settings_page
from tests.support.log_lines import log_given_back

ROOT = Path(__file__).resolve().parents[2]
runner = CliRunner()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        pytest.param({"GATEWAY_PORT": "70000"}, ["GATEWAY_PORT", "65535"], id="port too high"),
        pytest.param({"GATEWAY_PORT": "http"}, ["GATEWAY_PORT", "http"], id="port no number"),
        pytest.param({"GATEWAY_BACKEND": "paper"}, ["GATEWAY_BACKEND", "memory"], id="backend"),
        pytest.param(
            {"GATEWAY_HOST": "0.0.0.0"}, ["0.0.0.0", "127.0.0.1"], id="public without callers"
        ),
        pytest.param(
            {"GATEWAY_HOST": "gateway.example.com"}, ["127.0.0.1"], id="name of another machine"
        ),
        pytest.param(
            {"GATEWAY_ALLOWED_ORIGINS": "example.com"},
            ["GATEWAY_ALLOWED_ORIGINS", "https://app.example.com"],
            id="origin without scheme",
        ),
        pytest.param(
            {"GATEWAY_FIXTURES": "nowhere.json"}, ["nowhere.json", "--fixtures"], id="no file"
        ),
        pytest.param(
            {"AIOCACHE_DISABLE": "1", "GATEWAY_BACKEND": "stripe", "STRIPE_API_KEY": "sk_test_1"},
            ["AIOCACHE_DISABLE", "Unset"],
            id="cache switched off",
        ),
        pytest.param(
            {"GATEWAY_BACKEND": "stripe"}, ["--backend memory"], id="backend of another version"
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_cure(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], words: list[str]
) -> None:
    """Which setting, what is wrong, and how to mend it."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsRefused) as refused:
        read_settings()

    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_serve_refuses_without_a_traceback() -> None:
    """A refusal is a sentence on standard error and exit code 1."""
    result = runner.invoke(app, ["serve", "--host", "0.0.0.0"])

    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "127.0.0.1" in result.output


def test_serve_names_what_is_wrong_with_a_fixtures_file(tmp_path: Path) -> None:
    """Id, field and reason, before anything is served."""
    fixtures = tmp_path / "bad.json"
    fixtures.write_text(json.dumps({"customers": [{"id": "in_1"}]}))

    with log_given_back():
        result = runner.invoke(app, ["serve", "--port", "0", "--fixtures", str(fixtures)])

    assert result.exit_code == 1
    assert "in_1" in result.output
    assert "Traceback" not in result.output


def test_doctor_finds_a_taken_port() -> None:
    """The most common reason for not starting, with its cure."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = runner.invoke(app, ["doctor", "--port", str(taken.getsockname()[1])])

    assert result.exit_code == 1
    assert "is taken" in result.output
    assert "--port" in result.output


def test_doctor_says_each_cause_in_one_line() -> None:
    """Two things that are wrong are two lines."""
    result = runner.invoke(app, ["doctor", "--host", "0.0.0.0", "--fixtures", "nowhere.json"])

    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert any("0.0.0.0" in line for line in lines)
    assert any("nowhere.json" in line for line in lines)


def test_fixtures_check_approves_of_the_demo() -> None:
    """The packaged data passes its own check."""
    demo = ROOT / "gateway/sandbox/fixtures/demo.json"

    result = runner.invoke(app, ["fixtures", "check", str(demo)])

    assert result.exit_code == 0, result.output


def test_fixtures_check_names_id_field_and_reason(tmp_path: Path) -> None:
    """One line for each thing that is wrong, and exit code 1."""
    fixtures = tmp_path / "bad.json"
    fixtures.write_text(json.dumps({"payment_intents": [{"id": "pi_1", "amount": 1.5}]}))

    result = runner.invoke(app, ["fixtures", "check", str(fixtures)])

    assert result.exit_code == 1
    assert "pi_1" in result.output
    assert "amount" in result.output


def test_every_setting_is_documented() -> None:
    """A setting without a line in docs/settings.md fails here: run `make sdl`."""
    assert (ROOT / "docs/settings.md").read_text() == settings_page()


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_says_its_reason(name: str) -> None:
    """Unit and reason stand beside each."""
    assert any(reasons(group).get(name) for group in PARTS), variable_of(name)


@pytest.mark.parametrize("name", REMOVED)
def test_a_removed_setting_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whoever still sets it learns that it does nothing, and the gateway starts all the same."""
    monkeypatch.setenv(name, "1")

    result = runner.invoke(app, ["doctor", "--port", "0"])

    assert [line for line in result.output.splitlines() if line.startswith(f"{name} has no effect")]
    assert name not in settings_page()
    assert read_settings().backend == "memory"


def test_no_variable_sets_a_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant stands among the settings, and the environment does not reach it."""
    constants = [name for name, field in Settings.model_fields.items() if field.exclude]
    for name in constants:
        monkeypatch.setenv(variable_of(name), "3")

    settings = read_settings()

    assert len(constants) > 5
    assert [getattr(settings, name) for name in constants] == [
        Settings.model_fields[name].default for name in constants
    ]


def test_keys_are_not_shown_by_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment never reaches a repr."""
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_canary")

    settings = read_settings()

    assert "sk_test_canary" not in repr(settings)
    assert settings.stripe_api_key is not None


ONE = "query One($id: ID!) { invoice(id: $id) { id payments(first: 2) { nodes { id } } } }"
SWITCHED = "query ($on: Boolean) { gateway { version @include(if: $on) } }"


def test_explain_prints_cost_needs_calls_and_code(tmp_path: Path) -> None:
    """The code is Python that anybody can read, and compiles."""
    file = tmp_path / "one.graphql"
    file.write_text(ONE)

    result = runner.invoke(app, ["explain", str(file), "--variables", '{"id": "in_1"}'])

    assert result.exit_code == 0
    assert "# cost: 3 of at most 5000" in result.output
    assert "#   Query: ById(kind='Invoice', id='in_1')" in result.output
    assert "#     Invoice: Listing(name='payments', page=Page(first=2)" in result.output
    assert "#   GET /v1/invoices/in_1?expand[]=payments\n" in result.output
    compile(result.output, "explained", "exec")


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        pytest.param("{ invoice { id } }", [], "Argument", id="document"),
        pytest.param(ONE, [], "$id", id="no variables"),
        pytest.param(ONE, ["--variables", "id"], "JSON", id="variables"),
        pytest.param(ONE, ["--operation", "Two"], "Two", id="operation"),
        pytest.param(SWITCHED, [], "$on", id="a switch that is null"),
    ],
)
def test_explain_says_why_it_cannot(
    tmp_path: Path, text: str, arguments: list[str], words: str
) -> None:
    file = tmp_path / "one.graphql"
    file.write_text(text)

    result = runner.invoke(app, ["explain", str(file), *arguments])

    assert result.exit_code == 1
    assert words in result.output
