"""`clipdepth push`: a bundle to the hub, with a model card that its manifest makes."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from clipdepth.bundle.box import find_folder
from clipdepth.bundle.folder import Bundle, open_bundle
from clipdepth.bundle.hub_name import HubName, parse_repository
from clipdepth.bundle.hub_upload import page_of, upload
from clipdepth.bundle.manifest import MANIFEST
from clipdepth.cli.arguments import BUNDLE_HELP, ArgumentParser
from clipdepth.cli.card import CARD, PICTURE, model_card, restricted
from clipdepth.cli.card_picture import save_card_picture
from clipdepth.cli.overwriting import refuse_overwriting
from clipdepth.errors import BundleError
from clipdepth.files.atomic import make_folder, write_text
from clipdepth.files.foreign import shown


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0."""
    options = parser().parse_args(argv)
    written = [options.card_only / CARD, options.card_only / PICTURE] if options.card_only else []
    refuse_overwriting([find_folder(options.bundle)], [options.card_only, *written])
    bundle = open_bundle(options.bundle)
    files = _files(bundle)
    page = page_of(options.repository)
    _tell_licences(bundle)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if options.card_only:
        make_folder(options.card_only)
        _write_card(bundle, options.repository, page, options.card_only)
        console.print(f"nothing was uploaded; the card is {options.card_only / CARD}")
        return 0
    with TemporaryDirectory() as folder:
        _write_card(bundle, options.repository, page, Path(folder))
        files |= {name: Path(folder, name) for name in (CARD, PICTURE)}
        pushed = upload(files, options.repository, options.message or f"clipdepth push {bundle.name}", options.private)
    console.print(f"{page}/tree/{pushed.revision}")
    console.print(f"clipdepth run {pushed} --source 0 --show")
    return 0


def _files(bundle: Bundle) -> dict[str, Path]:
    """All files of the bundle, checked, by their names."""
    taken = {CARD, PICTURE} & bundle.manifest.files.keys()
    if taken:
        raise BundleError(f"{bundle.path} has a file {taken.pop()}, which the card needs; export the bundle again")
    if bundle.manifest.weights:
        bundle.weights()
    return {name: bundle.path / name for name in (MANIFEST, *bundle.manifest.files)}


def _write_card(bundle: Bundle, at: HubName, page: str, folder: Path) -> None:
    save_card_picture(bundle, folder / PICTURE)
    write_text(folder / CARD, model_card(bundle, at, page))


def _tell_licences(bundle: Bundle) -> None:
    found = "; ".join(f"{licence.part}: {licence.licence}" for licence in restricted(bundle.manifest))
    if found:
        told = f"note: make sure that you may publish it; its licences: {found}"
        Console(stderr=True).print(shown(told), highlight=False, markup=False, soft_wrap=True)


def _repository(text: str) -> HubName:
    found = parse_repository(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"'{text}' is not OWNER/NAME, a repository on the hub")
    return found


def parser() -> ArgumentParser:
    """The parser of the command's options."""
    parser = ArgumentParser(
        "clipdepth push",
        "Put a bundle on the hub with a model card, in one commit. The token is the hub's own: 'hf auth login' or "
        "HF_TOKEN.",
        "clipdepth push my.bundle OWNER/NAME --private",
    )
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help=BUNDLE_HELP)
    add("repository", metavar="OWNER/NAME", type=_repository, help="made where it is not there")
    add("--private", action="store_true", help="make a new repository private (default: as the owner's new ones are)")
    add("--message", metavar="TEXT", help="of the commit")
    add("--card-only", type=Path, metavar="DIR", help="write the card and its picture there, and upload nothing")
    return parser
