"""A stand-in of the hub's HTTP interface on loopback: it stores what is pushed and serves it, as the hub does."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub
import pytest
import yaml
from huggingface_hub import constants

TOKEN = "hf_SecretOfTheTests"
"""The one token that the stand-in takes; it may do everything."""
LARGE = (".onnx", ".npz", ".safetensors", ".jpg")
"""What the hub keeps as large files, which are uploaded and downloaded by another path."""


class RefusedError(Exception):
    """An answer that is an error: status, the hub's code for it, and its words."""


@dataclass
class Repository:
    """Files by commit, the oldest first, and who may see them."""

    private: bool = False
    gated: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes]) -> str:
        """Add a commit of exactly these files; return its hash."""
        told = repr((len(self.commits), sorted((name, _sha256(data)) for name, data in files.items())))
        sha = hashlib.sha1(told.encode()).hexdigest()
        self.commits[sha] = dict(files)
        return sha

    @property
    def head(self) -> str:
        """The newest commit."""
        return list(self.commits)[-1]

    def resolve(self, revision: str) -> str:
        """The commit of a branch or a commit's hash."""
        if revision == "main":
            return self.head
        if revision not in self.commits:
            raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return revision


class Hub(ThreadingHTTPServer):
    """The server: its repositories, what was asked of it, and the faults that it is to have."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str]] = []
        """Method, path and range of each request."""
        self.breaks: dict[str, int] = {}
        """After how many bytes of a file, by its hash, the connection breaks, once."""
        self.stalls: dict[str, int] = {}
        """After how many bytes nothing more comes until `released`."""
        self.released = threading.Event()
        self.status: int | None = None
        """What every request is answered with, for a hub that is down."""

    @property
    def url(self) -> str:
        """Its address, for HF_ENDPOINT."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def content_url(self) -> str:
        """Where large files lie: as the hub's, at another host, so that clients take the headers of the redirection."""
        return f"http://localhost:{self.server_port}"

    def add(self, name: str, files: Mapping[str, bytes], private: bool = False, gated: bool = False) -> str:
        """Put files into a repository, new or not, as one commit; return its hash."""
        repository = self.repositories.setdefault(name, Repository(private, gated))
        return repository.commit({".gitattributes": b"*.onnx filter=lfs\n", **files})

    def asked(self, method: str) -> list[str]:
        """The paths that were asked for by a method."""
        return [path for used, path, _ in self.requests if used == method]


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self._body()
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append((self.command, path, self.headers.get("Range", "")))
        try:
            if self.server.status:
                raise RefusedError(self.server.status, "", "the hub is down")
            self._dispatch([part for part in path.split("/") if part], body)
        except RefusedError as refused:
            status, code, message = refused.args
            self._send(
                status, json.dumps({"error": message}).encode(), {"X-Error-Code": code, "X-Error-Message": message}
            )
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _dispatch(self, parts: list[str], body: bytes) -> None:
        match parts:
            case ["api", "repos", "create"]:
                self._create(json.loads(body))
            case ["api", "validate-yaml"]:
                yaml.safe_load(json.loads(body)["content"].split("---")[1])
                self._json({"errors": [], "warnings": []})
            case ["api", "models", owner, name]:
                self._info(f"{owner}/{name}", "main")
            case ["api", "models", owner, name, "revision", *revision]:
                self._info(f"{owner}/{name}", "/".join(revision))
            case ["api", "models", owner, name, "tree", revision]:
                self._tree(f"{owner}/{name}", revision)
            case ["api", "models", owner, name, "preupload", "main"]:
                self._preupload(self._repository(f"{owner}/{name}", write=True), json.loads(body))
            case ["api", "models", owner, name, "commit", "main"]:
                self._commit(f"{owner}/{name}", [json.loads(line) for line in body.splitlines()])
            case [owner, name, "info", "lfs", "objects", "batch"]:
                self._repository(f"{owner}/{name.removesuffix('.git')}", write=True)
                self._batch(json.loads(body))
            case ["lfs", oid]:
                if self.command == "PUT":
                    assert _sha256(body) == oid
                    self.server.objects[oid] = body
                    self._send(200, b"")
                else:
                    self._file(self.server.objects[oid], {"ETag": f'"{oid}"'})
            case [owner, name, "resolve", revision, file]:
                self._resolve(f"{owner}/{name}", revision, file)
            case _:
                raise RefusedError(404, "", f"the stand-in has no {self.command} {self.path}")

    def _repository(self, name: str, write: bool = False, content: bool = False) -> Repository:
        """The repository, where the request's token allows it."""
        given = self.headers.get("Authorization", "")
        if given and given != f"Bearer {TOKEN}":
            raise RefusedError(401, "", "Invalid credentials in Authorization header")
        found = self.server.repositories.get(name)
        if found is None or (found.private and not given):
            raise RefusedError(404 if given else 401, "RepoNotFound", "Repository not found")
        if write and not given:
            raise RefusedError(401, "", "Invalid username or password.")
        if found.gated and content and not given:
            raise RefusedError(401, "GatedRepo", "Access to this model is restricted.")
        return found

    def _create(self, asked: dict[str, Any]) -> None:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise RefusedError(401, "", "Invalid username or password.")
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.server.repositories:
            told = {"error": "You already created this model repo", "url": f"{self.server.url}/{name}"}
            self._send(409, json.dumps(told).encode())
            return
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.server.add(name, {}, private)
        self._json({"url": f"{self.server.url}/{name}"})

    def _tree(self, name: str, revision: str) -> None:
        repository = self._repository(name)
        files = repository.commits[repository.resolve(revision)]
        self._json([{"type": "file", "path": file, "size": len(data), "oid": "0" * 40} for file, data in files.items()])

    def _info(self, name: str, revision: str) -> None:
        repository = self._repository(name)
        sha = repository.resolve(revision)
        siblings = [{"rfilename": file, **_blob(file, data)} for file, data in repository.commits[sha].items()]
        self._json({"id": name, "sha": sha, "private": repository.private, "tags": [], "siblings": siblings})

    def _preupload(self, repository: Repository, asked: dict[str, Any]) -> None:
        there = repository.commits[repository.head]
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
                "oid": _oid(file["path"], there[file["path"]]) if file["path"] in there else None,
            }
            for file in asked["files"]
        ]
        self._json({"files": files})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for wanted in asked["objects"]:
            upload = {"upload": {"href": f"{self.server.url}/lfs/{wanted['oid']}"}}
            known = wanted["oid"] in self.server.objects
            objects.append({**wanted} if known else {**wanted, "actions": upload})
        self._json({"transfer": "basic", "objects": objects}, "application/vnd.git-lfs+json")

    def _commit(self, name: str, lines: list[dict[str, Any]]) -> None:
        repository = self._repository(name, write=True)
        files = dict(repository.commits[repository.head])
        for line in lines:
            value = line["value"]
            match line["key"]:
                case "header":
                    if value.get("parentCommit") not in (None, repository.head):
                        raise RefusedError(412, "", "A commit has happened since. Please refresh and try again.")
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self.server.objects[value["oid"]]
                case "deletedFile":
                    del files[value["path"]]
        sha = repository.commit(files)
        self._json({"success": True, "commitOid": sha, "commitUrl": f"{self.server.url}/{name}/commit/{sha}"})

    def _resolve(self, name: str, revision: str, file: str) -> None:
        repository = self._repository(name, content=True)
        sha = repository.resolve(revision)
        if file not in repository.commits[sha]:
            raise RefusedError(404, "EntryNotFound", "Entry not found")
        data = repository.commits[sha][file]
        headers = {"X-Repo-Commit": sha, "ETag": f'"{_oid(file, data)}"'}
        if not file.endswith(LARGE):
            self._file(data, headers)
            return
        oid = _sha256(data)
        self.server.objects[oid] = data
        linked = {
            "X-Linked-Size": str(len(data)),
            "X-Linked-ETag": f'"{oid}"',
            "Location": f"{self.server.content_url}/lfs/{oid}",
        }
        self._send(302, b"", headers | linked)

    def _file(self, data: bytes, headers: Mapping[str, str]) -> None:
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        part = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        self._send(206 if start else 200, data[start:], {**headers, **part, "Accept-Ranges": "bytes"}, _sha256(data))

    def _json(self, value: Any, kind: str = "application/json") -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": kind})

    def _send(self, status: int, data: bytes, headers: Mapping[str, str] | None = None, sha256: str = "") -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if sha256 in self.server.breaks:
            self.wfile.write(data[: self.server.breaks.pop(sha256)])
            self.close_connection = True
        elif sha256 in self.server.stalls:
            self.wfile.write(data[: self.server.stalls[sha256]])
            self.server.released.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(data)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _oid(file: str, data: bytes) -> str:
    """What the hub calls a file's content: SHA-256 of a large one, Git's hash of a blob of others."""
    return _sha256(data) if file.endswith(LARGE) else hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _blob(file: str, data: bytes) -> dict[str, Any]:
    large = {"lfs": {"size": len(data), "sha256": _sha256(data), "pointerSize": 134}} if file.endswith(LARGE) else {}
    return {"size": len(data), "blobId": _oid(file, data), **large}


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A hub without repositories, at work."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        hub.released.set()
        hub.shutdown()
        thread.join()
        hub.server_close()


@contextmanager
def asked_hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that this process asks, without a token at first, and an empty cache in `folder`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # huggingface_hub has read the environment when it was imported.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HF_HUB_CACHE", "HF_TOKEN_PATH", "HF_STORED_TOKENS_PATH"):
        monkeypatch.setattr(constants, name, str(folder / name))
    with hub_server() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server
        huggingface_hub.close_session()
