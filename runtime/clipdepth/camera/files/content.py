"""What a calibration file holds, before anybody knows of which kind it is."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clipdepth.errors import SourceError
from clipdepth.files.foreign import shortened

LARGEST_BYTES = 16_000_000
"""A video or a bag that was given by mistake is not read."""
LARGEST_YAML = 1_000_000
"""Characters; these take seconds."""


@dataclass(frozen=True)
class Content:
    """The text of a file, read as YAML or JSON once somebody asks for its documents."""

    path: Path
    text: str

    @cached_property
    def documents(self) -> tuple[dict[str, Any], ...]:
        """Its YAML documents, or its one of JSON, that are mappings; their keys are text.

        Raises SourceError, naming the line, for text that is neither.
        """
        parse = _of_json if self.text.lstrip().startswith("{") else _of_yaml
        return tuple(
            {str(key): value for key, value in document.items()}
            for document in parse(self)
            if isinstance(document, dict)
        )


def read_content(path: Path) -> Content:
    """Read the file; raises SourceError for one that is missing or no text."""
    if not path.is_file():
        raise SourceError(f"there is no calibration at {path}; check the path")
    if (size := path.stat().st_size) > LARGEST_BYTES:
        raise SourceError(f"{path} has {size / 1e6:.0f} MB, which no calibration has; check the path")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{path} {_binary(path)}") from None
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}; check its permissions") from None
    if "\0" in text:
        raise SourceError(f"{path} {_binary(path)}")
    return Content(path, text)


def _binary(path: Path) -> str:
    if path.suffix == ".bin":
        return "is binary, as COLMAP's cameras.bin; write cameras.txt with 'colmap model_converter --output_type TXT'"
    return "is no text, and no calibration; check the path"


def _of_json(content: Content) -> list[Any]:
    try:
        return [json.loads(content.text)]
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{content.path} is no JSON: {shortened(str(error))}; write it again") from None


def _of_yaml(content: Content) -> list[Any]:
    import yaml

    if len(content.text) > LARGEST_YAML:
        raise SourceError(
            f"{content.path} has {len(content.text) / 1e6:.1f} MB of YAML, more than a calibration has; of a ROS topic "
            "keep one message ('ros2 topic echo --once')"
        )
    try:
        # '%YAML:1.0' is OpenCV's own directive; OpenVINS puts it above Kalibr's files.
        return list(yaml.safe_load_all(re.sub(r"\A%YAML\S*.*\n", "\n", content.text)))
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise SourceError(f"{content.path} is no YAML: {line}{shortened(str(error.problem))}; write it again") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = shortened(str(error).replace("\n", " "))
        raise SourceError(f"{content.path} is no YAML: {problem}; write it again") from None
