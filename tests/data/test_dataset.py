"""What every dataset gives."""

from sample_tables import build, small


def test_the_fingerprint_follows_the_content():
    raw, target = small()
    assert build(raw, target).sha256 == build(raw, target).sha256
    raw2, _ = small(seed=1)
    assert build(raw2, target).sha256 != build(raw, target).sha256
