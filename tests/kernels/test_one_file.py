"""A new implementation is one file: found, called, and held to its reference."""

import os
import shutil
import subprocess
import sys

import pytest
from support import ROOT

FILE = '''"""GELU computed in float64."""

import torch
from torch import Tensor

from zoo.kernels.functional import gelu_tanh


def _supports(x: Tensor) -> bool:
    return x.dtype == torch.float32


@gelu_tanh.implementation((torch.float32,), supports=_supports)
def gelu_tanh_in_float64(x: Tensor) -> Tensor:
    return gelu_tanh.reference(x.double()).to(x.dtype)
'''
CALL = """
import torch
from zoo.kernels import gelu_tanh, used_kernels
gelu_tanh(torch.ones(3))
print(used_kernels()["gelu_tanh"])
"""


@pytest.mark.parametrize("wrong", [False, True])
def test_a_file_beside_the_others_is_enough(wrong, tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "zoo" / "kernels", tmp_path / "zoo" / "kernels", ignore=ignored)
    for name in ("__init__.py", "errors.py"):
        shutil.copy(ROOT / "zoo" / name, tmp_path / "zoo")
    shutil.copy(ROOT / "tests" / "kernels" / "test_implementations.py", tmp_path)
    text = FILE.replace(".to(x.dtype)", ".to(x.dtype) * 1.001") if wrong else FILE
    (tmp_path / "zoo" / "kernels" / "cpu" / "float64.py").write_text(text)

    def run(*arguments):
        environment = os.environ | {"PYTHONPATH": str(tmp_path)}
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    assert run("-c", CALL).stdout == "['gelu_tanh_in_float64']\n"
    tests = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "in_float64")
    assert tests.returncode == wrong, tests.stdout
    assert ("AssertionError" in tests.stdout) == wrong
