"""Many images: in memory, on demand and by worker processes alike."""

import pytest
import torch
from sample_images import build, photos, png_header

from zoo.errors import UserError


def test_files_decoded_on_demand_equal_those_in_memory(tmp_path, split):
    path = photos(tmp_path / "photos")
    memory, demand = build(path, split), build(path, split, cache_gb=0.0)
    assert not hasattr(demand.splits["train"], "columns")
    assert demand.encoding == memory.encoding and demand.facts == memory.facts
    for part in ("train", "val", "test"):
        held, on_demand = memory.splits[part], demand.splits[part]
        assert len(held) == len(on_demand)
        for i in range(len(held)):
            assert torch.equal(held[i]["input"], on_demand[i]["input"])
            assert held[i]["target"] == on_demand[i]["target"]


def test_worker_processes_give_the_same(tmp_path, split):
    path = photos(tmp_path / "photos", number=30)
    (tmp_path / "photos" / "owl" / "bad.png").write_bytes(b"")  # beyond the first chunk of 64
    options = {"on_broken": "skip"}
    assert build(path, split, 2, **options).sha256 == build(path, split, 0, **options).sha256
    headers = [build(path, split, w, cache_gb=0.0, **options) for w in (0, 2)]
    assert headers[0].notes == headers[1].notes and "owl/bad.png: 0 bytes" in headers[0].notes[2]


def test_on_demand_checks_headers_first_and_names_the_file_later(tmp_path, split):
    path = photos(tmp_path / "photos")
    (tmp_path / "photos" / "cat" / "bomb.png").write_bytes(png_header(30000, 20000))
    with pytest.raises(UserError, match=r"cat/bomb.png: oversized"):
        build(path, split, cache_gb=0.0)
    data = build(path, split, cache_gb=0.0, on_broken="skip")
    source = data.splits["val"]
    source.files[0].write_bytes(b"changed since")
    loader = torch.utils.data.DataLoader(source, batch_size=2, num_workers=1)
    with pytest.raises(UserError) as error:
        list(loader)
    assert str(error.value) == f"{source.files[0]}: not an image format that Pillow reads"
