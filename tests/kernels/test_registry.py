"""Kernels: which implementation a call takes, what a run records, a new one in one file."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
from support import ROOT

from zoo.kernels import (
    KERNELS,
    cross_entropy,
    forget_used_kernels,
    kernel_choice,
    reference_kernels,
    used_kernels,
)
from zoo.kernels.registry import Kernel


@pytest.fixture
def double():
    """A kernel with two implementations, one for even numbers, one that pays above 100."""

    def reference(x):
        return 2 * x

    kernel = Kernel(reference, list)
    kernel.implementation((), supports=lambda x: x % 2 == 0)(lambda x: "even")
    kernel.implementation((), supports=lambda x: True, pays=lambda x: x > 100)(lambda x: "large")
    return kernel


def test_the_first_implementation_that_is_supported_and_pays_is_called(double):
    assert [double(x) for x in (2, 3, 102, 103)] == ["even", 6, "even", "large"]
    with reference_kernels():
        assert [double(x) for x in (2, 103)] == [4, 206]
    assert double(2) == "even"


def test_a_kernel_knows_what_was_used(double):
    assert double.used == set()
    double(3)
    assert double.used == {"reference"}


def test_every_implementation_has_a_name_of_its_own():
    for kernel in KERNELS.values():
        names = [fast.name for fast in kernel.implementations]
        assert len({*names, "reference"}) == len(names) + 1


def test_compiled_and_exported_code_has_the_references():
    class Loss(torch.nn.Module):
        def forward(self, logits, target):
            return cross_entropy(logits, target)

    arguments = torch.randn(64, 4096), torch.randint(4096, (64,))
    program = torch.export.export(Loss(), arguments)
    names = {str(node.target) for node in program.graph.nodes}
    assert any("cross_entropy" in name or "nll_loss" in name for name in names)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("reference", "{'cross_entropy': ['reference']}"),
        ("auto", "{'cross_entropy': ['cross_entropy_by_rows']}"),
        ("", "{'cross_entropy': ['cross_entropy_by_rows']}"),
        ("fast", "error: ZOO_KERNELS=fast: expected auto or reference"),
    ],
)
def test_the_environment_variable(value, said):
    code = (
        "from zoo.errors import report\n"
        "def work():\n"
        "    import torch, zoo.kernels as k\n"
        "    k.cross_entropy(torch.randn(64, 4096), torch.zeros(64, dtype=torch.int64))\n"
        "    print(k.used_kernels())\n"
        "report(work)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"ZOO_KERNELS": value, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert (done.stdout + done.stderr).strip() == said


def test_used_kernels_are_reset():
    cross_entropy(torch.randn(2, 3), torch.tensor([0, 1]))
    assert used_kernels()["cross_entropy"]
    forget_used_kernels()
    assert used_kernels() == {} and kernel_choice() == "auto"
    with reference_kernels():
        assert kernel_choice() == "reference"


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
def test_a_new_implementation_is_one_file(wrong, tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "zoo" / "kernels", tmp_path / "zoo" / "kernels", ignore=ignored)
    for name in ("__init__.py", "errors.py"):
        shutil.copy(ROOT / "zoo" / name, tmp_path / "zoo")
    shutil.copy(ROOT / "tests" / "test_every_kernel.py", tmp_path)
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
