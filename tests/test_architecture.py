"""Who may import whom, from the syntax trees; and that mistakes answer without torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BASE = {
    "zoo.program", "zoo.registry", "zoo.errors", "zoo.schema", "zoo.naming", "zoo.batch", "zoo.rng",
}  # fmt: skip
MAY_IMPORT = {
    "zoo.kernels": {"zoo.errors"},
    "zoo.layers": {"zoo.kernels"},
    "zoo.models": {"zoo.kernels", "zoo.layers", *BASE},
    "zoo.adapters": {"zoo.kernels", "zoo.layers", *BASE},
    "zoo.data": {"zoo.files", *BASE},
    "zoo.inference": {"zoo.kernels", "zoo.layers"},
    "zoo.tasks": {"zoo.inference", "zoo.kernels", *BASE},
    "zoo.optim": BASE,
    "zoo.training": {"zoo.kernels", "zoo.optim", "zoo.tasks.base", "zoo.runs", "zoo.files", *BASE},
    "zoo.weights": {
        "zoo.adapters",
        "zoo.config",
        "zoo.data",
        "zoo.runs",
        "zoo.text_table",
        "zoo.training.checkpoint",
        *BASE,
    },
    "zoo.runs": {"zoo.errors", "zoo.files"},
    "zoo.sweep": {
        "zoo.config",
        "zoo.files",
        "zoo.importing",
        "zoo.runs",
        "zoo.session",
        "zoo.text_table",
        "zoo.training.console",
        "zoo.training.finish",
        *BASE,
    },
    "zoo.compare": {"zoo.config", "zoo.runs", "zoo.text_table", "zoo.training.console", *BASE},
    "zoo.errors": set(),
    "zoo.files": set(),
    "zoo.naming": set(),
    "zoo.program": set(),
    "zoo.schema": {"zoo.errors"},
    "zoo.registry": {"zoo.errors", "zoo.schema"},
    "zoo.config": {"zoo.training.config", *BASE},
    "zoo.commands.arguments": {"zoo.config", *BASE},
}
WITHOUT_TORCH = (
    "zoo.commands.main",
    "zoo.commands.train",
    "zoo.commands.hydra_flags",
    "zoo.commands.arguments",
    "zoo.config",
    "zoo.errors",
    "zoo.files",
    "zoo.naming",
    "zoo.program",
    "zoo.schema",
    "zoo.registry",
    "zoo.runs",
    "zoo.sweep",
)
HEAVY = ("torch", "numpy", "safetensors", "sklearn", "matplotlib", "PIL", "tensorboard", "tqdm")


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / "zoo").rglob("*.py"))}


def imported(path, top_level_only=False):
    """Dotted names of the modules that a file imports."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            full = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else node.module for name in full)


def below(name, package):
    return name == package or name.startswith(f"{package}.")


def package_of(name):
    return next((package for package in MAY_IMPORT if below(name, package)), None)


def forbidden(name, path):
    package = package_of(name)
    if package is None:
        return []
    allowed = {package, *MAY_IMPORT[package]}
    ours = (one for one in imported(path) if below(one, "zoo"))
    return [one for one in ours if not any(below(one, a) for a in allowed)]


@pytest.mark.parametrize("name", MODULES)
def test_nothing_reaches_upwards(name):
    assert forbidden(name, MODULES[name]) == []


def test_the_rule_sees_a_violation(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text("def f():\n    from zoo.data.datasets import digits\n")
    assert forbidden("zoo.models.wrong", file) == ["zoo.data.datasets.digits"]
    file.write_text("import zoo.tasks.base\nimport zoo.tasks.classification\n")
    assert forbidden("zoo.training.wrong", file) == ["zoo.tasks.classification"]


def room_of(name):
    """A package or module right below zoo.data."""
    return ".".join(name.split(".")[:3])


def test_rooms_of_data_do_not_import_each_other_in_circles():
    """Packages and modules of zoo/data, imports for types and within functions included."""
    rooms = {}
    for name, path in MODULES.items():
        if below(name, "zoo.data") and name != "zoo.data":
            others = {room_of(one) for one in imported(path) if below(one, "zoo.data")}
            rooms.setdefault(room_of(name), set()).update(others - {room_of(name)})
    while free := {room for room, needs in rooms.items() if not needs & rooms.keys()}:
        rooms = {room: needs for room, needs in rooms.items() if room not in free}
    assert rooms == {}, "in circles, or above them"


def test_layers_need_torch_alone():
    for name, path in MODULES.items():
        if below(name, "zoo.layers"):
            tops = {one.split(".")[0] for one in imported(path)} - set(sys.stdlib_module_names)
            assert tops <= {"torch", "zoo"}, name


PROCESSORS = re.compile(
    r"\b(cpu|gpu|cuda|mps|mkl|mkldnn|onednn|avx)\b|device\.type|is_compiling|is_exporting"
    r"|autograd\.Function",
    re.IGNORECASE,
)


@pytest.mark.parametrize(
    "name", [n for n in MODULES if below(n, "zoo.layers") or below(n, "zoo.models")]
)
def test_layers_and_models_know_nothing_of_processors(name):
    assert PROCESSORS.findall(MODULES[name].read_text()) == []


def closure(name, seen):
    """All modules that importing one of ours imports."""
    if name in seen or name not in MODULES:
        seen.add(name)
        return seen
    seen.add(name)
    parts = name.split(".")
    for k in range(1, len(parts)):
        closure(".".join(parts[:k]), seen)
    for one in imported(MODULES[name], top_level_only=True):
        closure(one, seen)
    return seen


@pytest.mark.parametrize(
    "name",
    [n for n in MODULES if any(below(n, p) for p in WITHOUT_TORCH)] + ["zoo.training.config"],
)
def test_light_modules_import_nothing_heavy(name):
    tops = {one.split(".")[0] for one in closure(name, set())}
    assert tops.isdisjoint(HEAVY), tops & set(HEAVY)


@pytest.mark.parametrize(
    "name", ["session", "sweep.trial_runner", "commands.evaluate", "commands.predict"]
)
def test_what_has_a_config_needs_no_hydra(name):
    assert closure(f"zoo.{name}", set()).isdisjoint({"hydra", "omegaconf", "zoo.config.compose"})


def test_answers_from_yaml_leave_torch_alone(tmp_path):
    """One process asks for help, a config, and makes each mistake that YAML alone can show."""
    code = f"""
import sys
from zoo.commands.train import main as train
asked = [["--help"], ["--cfg", "job"], ["model=mlpp"], ["optim.lrr=1"], ["optim.lr=fast"], ["x=1"],
         ["trainer.precision=fp8"], ["+trainer.foo=1"], ["optim.lr"], ["resume=nowhere"]]
codes = [train(arguments) for arguments in asked]
heavy = [m for m in {HEAVY!r} if m in sys.modules]
assert codes == [0, 0] + [2] * 8, codes
assert not heavy, heavy
print("light")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.endswith("light\n"), done.stderr
    assert done.stderr.count("error: ") == 8
