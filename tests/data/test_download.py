"""Published files are verified, from disk and from mirrors, here on 127.0.0.1."""

import gzip
import hashlib
import http.server
import io
import threading
import zipfile
from dataclasses import replace

import pytest

from zoo.data import download
from zoo.data.download import Remote, fetch
from zoo.errors import UserError

CONTENT = bytes(range(256)) * 40
PACKED = gzip.compress(CONTENT)
NAME = "thing-ubyte.gz"


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind = self.path.split("/")[1]
        self.server.asked.append(kind)
        body = {"good": PACKED, "other": gzip.compress(b"x" * 10240), "html": b"<html>"}.get(kind)
        if kind == "short":
            self.send_response(200)
            self.send_header("Content-Length", str(len(PACKED)))
            self.end_headers()
            self.wfile.write(PACKED[: len(PACKED) // 2])
            return
        if kind == "cut":
            body = PACKED[:-20]
        if kind == "bomb":
            body = gzip.compress(bytes(50_000_000))
        if kind == "slow":
            self.server.release.wait(5)
            return
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    file = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    file.asked, file.release = [], threading.Event()
    thread = threading.Thread(target=file.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    file.url = f"http://127.0.0.1:{file.server_port}/"
    yield file
    file.release.set()
    file.shutdown()
    thread.join()
    file.server_close()


def remote(server, *kinds, **changes):
    mirrors = tuple(f"{server.url}{kind}/" for kind in kinds) if server else ()
    file = Remote(NAME, mirrors, len(CONTENT), content_sha256=sha(CONTENT))
    return replace(file, **changes)


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_good_mirror_after_bad_ones(server, tmp_path):
    kinds = ("missing", "short", "cut", "other", "html", "bomb", "good", "never")
    assert fetch(remote(server, *kinds), str(tmp_path), "set") == CONTENT
    assert server.asked == list(kinds[:-1])
    assert files(tmp_path) == [f"set/{NAME}"], "under its own name alone, no temporary left"
    server.asked.clear()
    assert fetch(remote(server, "good"), str(tmp_path), "set") == CONTENT
    assert server.asked == [], "found on disk"


def test_all_mirrors_bad_lists_each_with_its_reason(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    file = remote(server, "missing", "short", "other", "html", "slow")
    file = replace(file, mirrors=(*file.mirrors, "http://127.0.0.1:9/"))
    with pytest.raises(UserError) as error:
        fetch(file, str(tmp_path), "set")
    text = str(error.value)
    assert "\n" not in text
    for part in (
        "/missing/: HTTP 404",
        "/short/: the connection broke after",
        f"/other/: SHA-256 {sha(b'x' * 10240)[:12]}..., expected {sha(CONTENT)[:12]}...",
        "/html/: not a valid gzip file",
        "/slow/: timed out",
        "http://127.0.0.1:9/: Connection refused",
        f"set data.root=<folder holding {NAME}>",
    ):
        assert part in text, part
    assert files(tmp_path) == []


@pytest.mark.parametrize("place", ["", "set/"])
@pytest.mark.parametrize("name", [NAME, "thing-ubyte"])
def test_files_on_disk_are_found_packed_or_plain(tmp_path, place, name):
    path = tmp_path / place / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(PACKED if name == NAME else CONTENT)
    assert fetch(remote(None), str(tmp_path), "set") == CONTENT


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (PACKED[:-20], "truncated after"),
        (PACKED[:100] + bytes(50) + PACKED[150:], "not a valid gzip file"),
        (b"", "0 bytes of content, expected 10,240"),
        (gzip.compress(CONTENT[:-1]), "10,239 bytes of content, expected 10,240"),
        (gzip.compress(CONTENT + b"x"), "more than 10,240 bytes"),
        (gzip.compress(CONTENT[:-1] + b"x"), f"expected {sha(CONTENT)[:12]}"),
    ],
)
def test_a_damaged_file_on_disk_is_never_used_and_never_touched(server, tmp_path, raw, reason):
    path = tmp_path / NAME
    path.write_bytes(raw)
    with pytest.raises(UserError) as error:
        fetch(remote(server, "good"), str(tmp_path), "set")
    assert str(path) in str(error.value) and reason in str(error.value)
    assert "delete it" in str(error.value)
    assert path.read_bytes() == raw and server.asked == []


def test_the_hash_of_the_file_itself_can_be_the_known_one(tmp_path):
    file = remote(None, sha256=sha(PACKED), content_sha256=None)
    (tmp_path / NAME).write_bytes(PACKED)
    assert fetch(file, str(tmp_path), "set") == CONTENT
    (tmp_path / NAME).write_bytes(gzip.compress(CONTENT, 1))
    with pytest.raises(UserError, match="expected " + sha(PACKED)[:12]):
        fetch(file, str(tmp_path), "set")
    (tmp_path / NAME).unlink()
    (tmp_path / "thing-ubyte").write_bytes(CONTENT)
    with pytest.raises(UserError, match="could not be downloaded"):
        fetch(file, str(tmp_path), "set")  # nothing to verify the plain file by


def test_a_root_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="nothing can be written there"):
        fetch(remote(None), str(tmp_path / "file"), "set")


def test_a_bomb_is_not_unpacked():
    much = bytes(50_000_000)
    assert len(download._unpack(gzip.compress(much), 1000, NAME)) == 1001
    assert len(download._unpack(zipped(thing=much), 1000, "thing.zip")) == 1001


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_file_gives_the_file_of_its_name(tmp_path):
    file = Remote("thing.zip", (), len(CONTENT), content_sha256=sha(CONTENT))
    path = tmp_path / "thing.zip"
    path.write_bytes(zipped(other=b"?", thing=CONTENT))
    assert fetch(file, str(tmp_path), "set") == CONTENT
    for content, said in [
        (zipped(other=CONTENT), "a zip file without thing in it"),
        (zipped(thing=CONTENT[:-1]), "10,239 bytes of content, expected 10,240"),
        (zipped(thing=CONTENT)[:-30], "not a valid zip file"),
        (zipped(thing=CONTENT[::-1]), "SHA-256 .* expected"),
    ]:
        path.write_bytes(content)
        with pytest.raises(UserError, match=said):
            fetch(file, str(tmp_path), "set")
    path.unlink()
    (tmp_path / "thing").write_bytes(CONTENT)
    assert fetch(file, str(tmp_path), "set") == CONTENT
