"""`clipdepth push` to a stand-in of the hub on loopback, and the card that it writes."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from huggingface_hub import ModelCard, constants

from bundles import WEIGHTS, brightness_depth, write_bundle
from clipdepth.bundle.folder import open_bundle
from clipdepth.bundle.manifest import MANIFEST, Accuracy, Licence, StatedConfidence, decode_manifest
from clipdepth.bundle.metrics import DepthMetrics
from clipdepth.bundle.record import encode_record
from clipdepth.cli import main
from clipdepth.model import load
from hub_stand_in import TOKEN, Hub, asked_hub

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of huggingface_hub's uploads
NAME = "someone/edge"
MEASURED = Accuracy("nyu", "test", 327, "eigen", False, DepthMetrics(0.1581, 0.561, 0.2, 0.068, 0.7714, 0.951, 0.992))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with asked_hub(tmp_path, monkeypatch) as server:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "b", precisions=("fp32", "int8"), weights=b"weights", accuracy=[MEASURED])


def state(bundle: Path, **fields: object) -> None:
    """Change fields of a bundle's manifest."""
    manifest = decode_manifest((bundle / MANIFEST).read_bytes(), "test")
    (bundle / MANIFEST).write_bytes(encode_record(msgspec.structs.replace(manifest, **fields)))


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def card_of(bundle: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, ModelCard]:
    assert main(["push", str(bundle), NAME, "--card-only", str(folder)]) == 0
    assert "nothing was uploaded" in capsys.readouterr().out
    return (folder / "README.md").read_text(), ModelCard.load(folder / "README.md")


def test_what_was_pushed_is_loaded_by_its_name(hub: Hub, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(bundle), NAME, "--message", "the first one"]) == 0
    told = capsys.readouterr()
    commit = hub.repositories[NAME].head
    assert told.out.splitlines() == [
        f"{hub.url}/{NAME}/tree/{commit}",
        f"clipdepth run hf:{NAME}@{commit} --source 0 --show",
    ]
    assert TOKEN not in told.out + told.err
    assert len(hub.repositories[NAME].commits) == 2  # the hub's own first one, and ours
    pushed = hub.repositories[NAME].commits[commit]
    assert pushed.keys() == {*files_of(bundle), "README.md", "picture.jpg", ".gitattributes"}
    assert main(["verify", f"hf:{NAME}"]) == 0
    opened = open_bundle(f"hf:{NAME}")
    assert opened.weights().name == WEIGHTS
    assert files_of(opened.path) == files_of(bundle)
    frame = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    depth = load(f"hf:{NAME}", engine="onnxruntime")(frame).depth
    np.testing.assert_allclose(depth, brightness_depth(frame), atol=1e-5)


def test_the_card_of_a_model_that_says_how_sure_it_is(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = msgspec.structs.replace(MEASURED, confidence=StatedConfidence(0.4, 0.391, 0.914, -0.096))
    bundle = write_bundle(tmp_path / "sure", confident=True, accuracy=[MEASURED, measured])
    text, _ = card_of(bundle, tmp_path / "card", capsys)
    assert "| limit | Δδ1 | confidence | novelty |" in text
    assert text.count("39.1% of the pixels are within 10% of the truth, 40.0% by their confidence; the interval") == 1
    assert "of 90% holds 91.4%; without the least sure fifth rel changes by -9.6%." in text
    assert "confidence and novelty |" in text
    bare, _ = card_of(write_bundle(tmp_path / "bare"), tmp_path / "other", capsys)
    assert "onfidence" not in bare


def test_a_second_push_takes_old_graphs_away_and_leaves_what_is_the_owners(
    hub: Hub, bundle: Path, tmp_path: Path
) -> None:
    assert main(["push", str(bundle), NAME]) == 0
    hub.add(NAME, {**hub.repositories[NAME].commits[hub.repositories[NAME].head], "demo.ipynb": b"{}"})
    fp32 = write_bundle(tmp_path / "fp32")
    assert main(["push", str(fp32), NAME]) == 0
    commits = hub.repositories[NAME].commits
    assert len(commits) == 4
    assert commits[hub.repositories[NAME].head].keys() == {
        *files_of(fp32),
        *("README.md", "picture.jpg", ".gitattributes", "demo.ipynb"),
    }
    assert open_bundle(f"hf:{NAME}").manifest == open_bundle(fp32).manifest


def test_nothing_new_is_no_commit(hub: Hub, bundle: Path) -> None:
    assert main(["push", str(bundle), NAME]) == 0
    assert main(["push", str(bundle), NAME]) == 0
    assert len(hub.repositories[NAME].commits) == 2


def test_a_bundle_on_the_hub_is_pushed_elsewhere(hub: Hub, bundle: Path) -> None:
    assert main(["push", str(bundle), NAME]) == 0
    assert main(["push", f"hf:{NAME}", "other/copy", "--private"]) == 0
    assert hub.repositories["other/copy"].private
    assert open_bundle("hf:other/copy").manifest == open_bundle(bundle).manifest


@pytest.mark.parametrize("token", ["", "hf_Wrong"])
def test_without_the_right_token(
    hub: Hub, bundle: Path, token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert main(["push", str(bundle), NAME]) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "push to someone/edge: the hub does not take the token, or there is none; log in with 'hf auth" in told
    assert not token or token not in told
    assert not hub.repositories


def test_a_repository_of_something_else_stays_as_it_is(
    hub: Hub, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hub.add(NAME, {"config.json": b"{}", "model.safetensors": b"x"})
    assert main(["push", str(bundle), NAME]) == 2
    assert "someone/edge holds config.json and no bundle; choose another name" in capsys.readouterr().err
    assert hub.repositories[NAME].head == before


def test_a_public_repository_does_not_pass_for_private(
    hub: Hub, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.add(NAME, {})
    assert main(["push", str(bundle), NAME, "--private"]) == 2
    assert "is there and public; make it private" in capsys.readouterr().err
    assert len(hub.repositories[NAME].commits) == 1


@pytest.mark.parametrize("name", ["depth.int8.onnx", WEIGHTS])
def test_a_damaged_bundle_is_not_pushed(hub: Hub, bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[-1] ^= 1
    (bundle / name).write_bytes(bytes(data))
    assert main(["push", str(bundle), NAME]) == 1
    assert not hub.requests


def test_the_cards_head_is_what_the_hub_reads(
    hub: Hub, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, card = card_of(bundle, tmp_path / "card", capsys)
    assert card.data.to_dict() == {
        "license": "mit",
        "library_name": "clipdepth",
        "pipeline_tag": "depth-estimation",
        "tags": ["clipdepth", "onnx", "monocular-depth-estimation", "metric-depth", "fp32", "int8"],
    }
    assert not hub.requests


def test_several_licences_are_told_and_listed(
    hub: Hub, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state(bundle, licences=[Licence("code", "MIT"), Licence("data", "a research dataset")])
    assert main(["push", str(bundle), NAME, "--card-only", str(tmp_path / "card")]) == 0
    told = capsys.readouterr().err
    assert told == "note: make sure that you may publish it; its licences: data: a research dataset\n"
    card = ModelCard.load(tmp_path / "card" / "README.md")
    assert (card.data.license, card.data.license_name) == ("other", "see-licences")
    assert card.data.license_link == f"{hub.url}/{NAME}#licences"
    assert "| data | a research dataset |" in card.text


def test_the_card_tells_what_the_manifest_does(
    hub: Hub, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, _ = card_of(bundle, tmp_path / "card", capsys)
    assert "| nyu (test), 327 frames, Eigen's crop, one pass, nothing aligned | 0.158 | 0.561 | 0.068 | 0.771 |" in text
    assert "| int8 | depth.int8.onnx | 0.0 | 2 | 2.5e-05 | 0.0001 | 0.0001 | - |" in text
    assert "58 px focal length at 48×64" in text
    assert f"clipdepth run hf:{NAME} --source 0 --show" in text
    assert "| input | 48×64 pixels, uint8 BGR" in text
    picture = cv2.imread(str(tmp_path / "card" / "picture.jpg"))
    assert picture is not None
    assert picture.shape[0] == 22 + 2 * 180  # titles, and two frames of 3:4 at a width of 240


def test_the_card_has_the_graphs_of_all_sizes(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_bundle(tmp_path / "sizes.bundle", other_sizes=[(36, 64), (64, 48)])
    text, _ = card_of(path, tmp_path / "card", capsys)
    assert "| input | 48×64, 36×64, 64×48 pixels, uint8 BGR" in text
    assert "| fp32, 48×64 | depth.fp32.onnx | 0.0 |" in text
    assert "| fp32, 64×48 | depth.64x48.fp32.onnx | 0.0 |" in text
    assert "0.0 at 48×64 |" in text
    assert "fitted into the input of the nearest shape whole" in text


def test_a_strangers_text_is_only_text(
    hub: Hub, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "a | b\n---\nlicense: mit <script>x</script> [here](http://evil) ![](http://evil/p.png) `x` \x1b[31m"
    state(bundle, description=hostile, licences=[Licence(hostile, "MIT")])
    text, card = card_of(bundle, tmp_path / "card", capsys)
    assert card.data.license == "mit"
    assert "<script>" not in text
    assert "[here](" not in text
    assert "\x1b" not in text
    rows = [line for line in text.splitlines() if line.startswith("|") and "evil" in line]
    assert [line.replace("\\|", "").count("|") for line in rows] == [3]


def test_a_model_without_metres_says_so(
    hub: Hub, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state(bundle, kind="disparity", depth=None, accuracy=[])
    text, card = card_of(bundle, tmp_path / "card", capsys)
    assert "relative-depth" in card.data.tags
    assert "larger is nearer" in text
    assert "The answer is not in metres." in text
    picture = cv2.imread(str(tmp_path / "card" / "picture.jpg"))
    assert picture is not None
    assert picture.shape == (22 + 2 * 180, 480, 3)  # no bar of metres


def test_a_login_in_the_hubs_address_is_not_written_down(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", f"https://me:{TOKEN}@hub.example")
    state(bundle, licences=[Licence("a", "x"), Licence("b", "y")])
    text, card = card_of(bundle, tmp_path / "card", capsys)
    assert TOKEN not in text
    assert card.data.license_link == f"https://hub.example/{NAME}#licences"


def test_what_is_no_repository_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "edge-nyu", "edge"]) == 2
    assert "'edge' is not OWNER/NAME" in capsys.readouterr().err


def test_the_card_takes_no_place_of_the_bundles(hub: Hub, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle / "README.md").write_text("mine")
    assert main(["push", str(bundle), NAME, "--card-only", str(bundle)]) == 2
    assert (bundle / "README.md").read_text() == "mine"
