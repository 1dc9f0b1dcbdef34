"""The register of encodings: damaged, unknown and unfitting ones are named."""

import pytest

from zoo.data.encoding import load_encoding
from zoo.errors import UserError


def test_a_damaged_encoding_is_named():
    with pytest.raises(UserError, match="unknown kind 'sound'"):
        load_encoding({"kind": "sound"})
    with pytest.raises(UserError, match="table encoding is damaged"):
        load_encoding({"kind": "table", "columns": []})
