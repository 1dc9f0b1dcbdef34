"""What is said of images that can be read and still look wrong."""

import shutil

import torch
from PIL import Image
from sample_images import build, photos

from zoo.data.images.checks import note_sizes, one_coloured


def test_the_same_picture_in_two_classes_or_splits_is_noted(tmp_path, split):
    root = tmp_path / "photos"
    photos(root / "train", 6)
    photos(root / "val", 2, classes=["cat"], size=(50, 20))
    photos(root / "test", 1, classes=["dog"], size=(50, 30))
    shutil.copy(root / "train" / "cat" / "0.png", root / "train" / "owl" / "x.png")
    shutil.copy(root / "train" / "dog" / "0.png", root / "test" / "dog" / "y.png")
    trained = build(str(root), split)
    notes = " | ".join(trained.notes)
    assert "in several classes: 1 picture, as" in notes and "owl/x.png" in notes
    assert "in train and in another split, which makes its score better: 1 picture" in notes
    encoding = trained.encoding.to_json()
    others = " ".join(build(str(root), split, encoding=encoding).notes)
    assert "in several classes" in others and "in another split" not in others
    (root / "train" / "owl" / "x.png").unlink()
    (root / "test" / "dog" / "y.png").unlink()
    assert "the same picture" not in " ".join(build(str(root), split).notes)


def test_images_of_one_colour_are_counted(tmp_path, split):
    images = torch.zeros(2000, 3, 4, 4, dtype=torch.uint8)
    images[:, 1] = 200
    images[::2, 2, 3, 3] = 1
    assert torch.equal(one_coloured(images), torch.arange(1, 2000, 2))
    for name in "ab":
        photos(tmp_path / "p" / name, 4, classes=["cat"])
    for cache_gb in (2.0, 0.0):
        notes = build(str(tmp_path / "p"), split, cache_gb=cache_gb).notes
        assert any("images are of one colour" in note for note in notes)


def test_particular_files_are_noted(tmp_path, split):
    for name in "ab":
        (tmp_path / "p" / name).mkdir(parents=True)
        for i in range(4):
            image = Image.linear_gradient("L").rotate(90 * i).resize((20, 20 + ord(name)))
            image.save(tmp_path / "p" / name / f"{i}.png")
    Image.new("RGBA", (9, 9)).save(tmp_path / "p" / "a" / "clear.png")
    frames = [Image.linear_gradient("L").resize((9, 9)), Image.new("L", (9, 9), 3)]
    frames[0].save(tmp_path / "p" / "b" / "moving.gif", save_all=True, append_images=frames[1:])
    notes = " | ".join(build(str(tmp_path / "p"), split).notes)
    assert "1 image with transparent parts: read as black" in notes and "clear.png)" in notes
    assert "1 image with several frames or pages: the first is read" in notes
    assert "1 of 10 images are of one colour" in notes


def test_sizes_are_said(tmp_path, split):
    root = tmp_path / "photos"
    photos(root, 3, size=(50, 20))
    photos(root / "more", 1, classes=["cat"], size=(30, 30))
    (root / "more" / "cat" / "0.png").rename(root / "cat" / "other.png")
    (root / "more" / "cat").rmdir()
    (root / "more").rmdir()
    notes = build(str(root), split).notes
    assert "images of 30x30 to 50x20 pixels, cropped to 8x8, RGB" in notes
    files = sorted(root.rglob("*.png"))
    (tmp_path / "broken.png").write_bytes(b"no image")
    some = [file for file in files if file.name != "other.png"] * 200 + [tmp_path / "broken.png"]
    assert note_sizes(some, (20, 50), 1, "squash") == (
        f"images of 50x20 pixels (of {len(some[:: -(-len(some) // 200)]):,} looked at), taken as "
        "50x20, grey"
    )
