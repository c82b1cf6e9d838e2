"""docs/versions.md: the schemas that are read, and what is said of others."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipdepth.bundle import manifest, sam_folder
from clipdepth.camera import calibration
from clipdepth.cluster.archive import settings
from clipdepth.cluster.archive.uri import open_uri
from clipdepth.engines.tensorrt import record
from clipdepth.errors import ClipdepthError
from clipdepth_bench.pareto import report as pareto
from clipdepth_bench.report import record as report
from clipdepth_bench.scaling import record as scaling

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (.+?) \| `clipdepth (.+?)` \| (\d+) \| (.+?) \|$", re.MULTILINE)
STATED = {
    command: (int(schema), remedy)
    for _, command, schema, remedy in ROW.findall((ROOT / "docs" / "versions.md").read_text(encoding="utf-8"))
}


def test_the_schemas_are_those_of_the_code() -> None:
    assert {command: schema for command, (schema, _) in STATED.items()} == {
        "export": manifest.SCHEMA,
        "export-sam": sam_folder.SAM_SCHEMA,
        "calibrate": calibration.SCHEMA,
        "build": record.SCHEMA,
        "archive": settings.SCHEMA,
        "bench": report.SCHEMA,
        "bench pareto": pareto.SCHEMA,
        "bench scaling": scaling.SCHEMA,
    }


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "export": ("manifest.json", lambda path: manifest.decode_manifest(path.read_bytes(), str(path))),
    "export-sam": ("sam.json", lambda path: sam_folder.read_sam_manifest(path.parent)),
    "calibrate": ("calibration.json", calibration.read_calibrated_camera),
    "archive": ("archive.json", lambda path: settings.read_settings(open_uri(str(path.parent)))),
    "bench": ("report.json", report.read_report),
    "bench pareto": ("pareto.json", pareto.read_pareto),
    "bench scaling": ("scaling.json", lambda path: scaling.read_scaling(path.parent)),
}


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("step", [-1, 1])
def test_another_schema_is_refused_in_a_line_with_the_remedy(command: str, step: int, tmp_path: Path) -> None:
    name, read = READERS[command]
    schema, remedy = STATED[command]
    (tmp_path / name).write_text(f'{{"schema": {schema + step}, "camera": {{}}}}')
    with pytest.raises(ClipdepthError) as refused:
        read(tmp_path / name)
    told = str(refused.value)
    assert name in told
    assert remedy in told
    assert "\n" not in told
    if command != "archive":  # it tells no number
        assert f"has schema {schema + step}, this clipdepth reads schema {schema}" in told
