"""Files with the same content."""

from zoo.data.repeated import PART, repeated


def test_files_of_the_same_content_are_found(tmp_path):
    content = bytes(range(256)) * (3 * PART // 256)
    versions = [content, content, content[:-1] + b"x", b"x" + content[1:], b"short", b"other"]
    for i, version in enumerate(versions):
        (tmp_path / str(i)).write_bytes(version)
    assert repeated([tmp_path / str(i) for i in range(len(versions))]) == [[0, 1]]
