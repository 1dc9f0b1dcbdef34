"""Drawn images as files: any name of a class is a folder."""

import pytest
import torch
from PIL import Image

from zoo.commands.drawn import Drawn, folder_name
from zoo.errors import UserError

NAMES = ["a/b", "..", "猫", "a%2Fb", "c"]


def test_names_of_classes_become_folders(tmp_path):
    images = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 4, 6).contiguous()
    rows = Drawn(images, NAMES).save(tmp_path / "out")
    folders = {path.parent.name for path in (tmp_path / "out").rglob("*.png")}
    assert len(folders) == 5 and {"猫", "c"} < folders
    assert [row["class"] for row in rows] == NAMES
    for k, row in enumerate(rows):
        assert Image.open(row["file"]).getpixel((0, 0)) == (k, k, k)


def test_names_stay_apart():
    names = [*NAMES, ".", "%2E", "a\\b", ".net"]
    folders = {folder_name(name) for name in names}
    assert len(folders) == len(names)
    assert not [name for name in folders if name.startswith(".")]  # hidden: its images are left out


def test_images_without_classes_lie_side_by_side(tmp_path):
    drawn = Drawn(torch.zeros(12, 1, 70, 5, dtype=torch.uint8))
    assert [row["file"][-6:] for row in drawn.save(tmp_path / "out")][::11] == ["00.png", "11.png"]
    assert drawn.grid().size == (4 * 6 + 1, 3 * 71 + 1)  # large ones are not enlarged


def test_what_cannot_be_shown_is_refused_with_nothing_left(tmp_path):
    with pytest.raises(UserError, match="2 channels"):
        Drawn(torch.zeros(1, 2, 4, 4, dtype=torch.uint8)).save(tmp_path / "out")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        Drawn(torch.zeros(1, 1, 4, 4, dtype=torch.uint8)).save(tmp_path / "file" / "a.png")
