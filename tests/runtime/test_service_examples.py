"""The examples of docs/service are what the command takes."""

import json
import shlex
from configparser import ConfigParser
from pathlib import Path

import pytest

from clipdepth.cli.run_options import parse_options
from clipdepth.web import Address

SERVICE = Path(__file__).parents[2] / "docs" / "service"


def systemd_command() -> list[str]:
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(SERVICE / "clipdepth.service")
    return shlex.split(unit["Service"]["ExecStart"])[1:]


def docker_command() -> list[str]:
    lines = (SERVICE / "Dockerfile").read_text().splitlines()
    (command,) = [line.removeprefix("CMD ") for line in lines if line.startswith("CMD ")]
    parsed: list[str] = json.loads(command)
    return parsed


@pytest.mark.parametrize("command", [systemd_command, docker_command])
def test_its_command_serves_a_camera_to_others(command: object) -> None:
    assert callable(command)
    name, *arguments = command()
    options = parse_options(arguments)
    assert name == "run"
    assert options.source == ["/dev/video0"]
    assert (options.serve, options.metrics) == (Address("0.0.0.0", 8000), True)
