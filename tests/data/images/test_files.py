"""Image files under a folder: which count, and what is said of the others."""

import os

from PIL import Image

from zoo.data.images.files import LeftOut, find_images, images_under, is_image


def found(root):
    left_out = LeftOut()
    names = [file.relative_to(root).as_posix() for file in images_under(root, left_out)]
    return names, " | ".join(left_out.notes(root))


def test_files_count_by_extension_or_by_their_first_bytes(tmp_path):
    for name in ("a.jfif", "b.AVIF", "c.WebP", "d.JPG", "e.jpeg"):
        (tmp_path / name).write_bytes(b"")
        assert is_image(tmp_path / name)
    picture = Image.new("RGB", (2, 2))
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "TIFF"):
        picture.save(tmp_path / f"hash{kind}", kind)
        picture.save(tmp_path / f"1.{kind}_large", kind)
        picture.save(tmp_path / f"raw{kind}.dng", kind)
        assert is_image(tmp_path / f"hash{kind}") and is_image(tmp_path / f"1.{kind}_large")
        assert not is_image(tmp_path / f"raw{kind}.dng")
    for name in ("x.txt", "Makefile", "x.heic", "._a.jpg"):
        (tmp_path / name).write_bytes(b"no image at all")
        assert not is_image(tmp_path / name)
    (tmp_path / "Thumbs.db").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder.jpg").mkdir()
    names, notes = found(tmp_path)
    assert len(names) == 5 + 12 and notes.startswith("10 files left out, no images: 6 .dng, ")
    assert [file.name for file in find_images(tmp_path, LeftOut())] == names


def test_links_are_followed_once_and_hidden_folders_are_not(tmp_path):
    root, far = tmp_path / "root", tmp_path / "far"
    for path in (root / "1.jpg", far / "2.jpg", root / ".cache" / "3.jpg", root / "__MACOSX/4.jpg"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (root / "away").symlink_to(far)
    (root / "again").symlink_to(far)
    (root / "loop").symlink_to(root)
    (far / "up").symlink_to(tmp_path)
    (root / "gone.jpg").symlink_to(tmp_path / "nothing.jpg")
    (root / "linked.jpg").symlink_to(far / "2.jpg")
    names, notes = found(root)
    assert len(names) == 3 and {"1.jpg", "linked.jpg"} < set(names)
    for part in ("2 images left out: hidden (.cache, __MACOSX)", "1 link to missing", "loop"):
        assert part in notes, notes
