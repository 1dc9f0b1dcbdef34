"""Who may import whom, from the syntax trees; mistakes are reported without importing torch."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.tools import architecture

ROOT = Path(__file__).resolve().parents[1]
BASE = {"zoo"}  # the modules at the top that everything may use: errors, registry, files, ...
LAYERS = {  # level: {package: (what it holds, what of zoo it may import)}, lowest first
    "base": {
        "zoo": ("used by every package", set()),
    },
    "foundations": {
        "zoo.kernels": ("operations", {"zoo.errors"}),
        "zoo.runs": ("run directories", BASE),
        "zoo.data": ("datasets, encodings", BASE),
        "zoo.optim": ("optimizers, schedules", BASE),
        "zoo.judge": ("drawn images judged", {"zoo.batch"}),
    },
    "networks": {
        "zoo.layers": ("parts of models", {"zoo.kernels"}),
        "zoo.models": ("one paper, one file", {"zoo.kernels", "zoo.layers", *BASE}),
        "zoo.adapters": ("LoRA, linear probe", {"zoo.kernels", "zoo.layers", *BASE}),
        "zoo.inference": ("generation, search", {"zoo.kernels", "zoo.layers"}),
    },
    "objectives": {
        "zoo.tasks": (
            "losses, metrics, plots",
            {"zoo.inference", "zoo.judge", "zoo.kernels", "zoo.layers", *BASE},
        ),
    },
    "training": {
        "zoo.training": (
            "the loop and its parts",
            {"zoo.kernels", "zoo.optim", "zoo.runs", "zoo.tasks.base", "zoo.tasks.capabilities",
             *BASE},
        ),
        "zoo.config": ("YAML to a typed config", {"zoo.training.config", *BASE}),
        "zoo.weights": (
            "published weights",
            {"zoo.adapters", "zoo.config", "zoo.data", "zoo.runs", "zoo.training.checkpoint",
             *BASE},
        ),
    },
    "a run": {
        "zoo.teacher": ("a second network", {"zoo.config", *BASE}),
        "zoo.build": (
            "config to trainer",
            {"zoo.config", "zoo.data", "zoo.optim", "zoo.runs", "zoo.teacher", "zoo.training",
             "zoo.weights", *BASE},
        ),
        "zoo.restore": (
            "a finished run",
            {"zoo.build", "zoo.config", "zoo.data", "zoo.runs", "zoo.tasks.base", "zoo.teacher",
             "zoo.training", "zoo.weights", *BASE},
        ),
        "zoo.start": (
            "weights to start from",
            {"zoo.config", "zoo.data", "zoo.restore", "zoo.runs", "zoo.teacher", "zoo.training",
             "zoo.weights", *BASE},
        ),
        "zoo.record": (
            "what makes a folder a run",
            {"zoo.config", "zoo.data", "zoo.runs", "zoo.start", "zoo.training", *BASE},
        ),
        "zoo.number_format": (
            "its precision",
            {"zoo.build", "zoo.config", "zoo.runs", "zoo.start", "zoo.training", *BASE},
        ),
        "zoo.compare": (
            "runs ranked, judged",
            {"zoo.config", "zoo.runs", "zoo.training", *BASE},
        ),
        "zoo.report": (
            "a page to send",
            {"zoo.compare", "zoo.config", "zoo.runs", "zoo.training", *BASE},
        ),
        "zoo.header": (
            "its first lines",
            {"zoo.config", "zoo.data", "zoo.start", "zoo.training"},
        ),
        "zoo.session": (
            "one run, start to end",
            {"zoo.build", "zoo.config", "zoo.header", "zoo.kernels", "zoo.number_format",
             "zoo.record", "zoo.report", "zoo.runs", "zoo.start", "zoo.training", *BASE},
        ),
    },
    "commands": {
        "zoo.sweep": (
            "many runs, searches",
            {"zoo.config", "zoo.report", "zoo.runs", "zoo.session", "zoo.training", *BASE},
        ),
        "zoo.commands": (
            "train, evaluate, ...",
            {"zoo.adapters", "zoo.build", "zoo.compare", "zoo.config", "zoo.inference", "zoo.judge",
             "zoo.report", "zoo.restore", "zoo.runs", "zoo.session", "zoo.start", "zoo.sweep",
             "zoo.tasks", "zoo.training", "zoo.weights", *BASE},
        ),
        "zoo.api": (
            "import zoo",
            {"zoo.adapters", "zoo.commands", "zoo.config", "zoo.data", "zoo.report", "zoo.restore",
             "zoo.runs", "zoo.session", "zoo.training", *BASE},
        ),
    },
}  # fmt: skip
PACKAGES = {name: entry for level in LAYERS.values() for name, entry in level.items()}
WITHOUT_TORCH = (
    "zoo.api.run",
    "zoo.api.train",
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
    "zoo.renames",
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
    """The longest package of the table that a module lies in."""
    return max((package for package in PACKAGES if below(name, package)), key=len)


def forbidden(name, path):
    """What a module imports of zoo that the table does not allow its package."""
    package = package_of(name)
    allowed = {package, *PACKAGES[package][1]}
    internal = (other for other in imported(path) if below(other, "zoo"))
    return [o for o in internal if not {package_of(o), o} & allowed]


def test_the_rule_sees_a_violation(tmp_path):
    file = tmp_path / "wrong.py"
    file.write_text("def f():\n    from zoo.data.datasets import digits\n")
    assert forbidden("zoo.models.wrong", file) == ["zoo.data.datasets.digits"]
    file.write_text("import zoo.tasks.base\nimport zoo.tasks.classification\n")
    assert forbidden("zoo.training.wrong", file) == ["zoo.tasks.classification"]


def test_no_module_imports_itself_through_others():
    """Imports in functions and for types included."""
    assert architecture.cycles(architecture.module_graph()) == []


def test_no_package_imports_itself_through_others():
    assert architecture.cycles(architecture.package_graph(list(PACKAGES))) == []
    cyclic = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert architecture.cycles(cyclic) == [["a", "b", "c"]]


def test_the_table_stands_lowest_first_and_names_what_is_imported():
    """A package imports only what stands above it in the table, and no entry is unused."""
    names, graph = list(PACKAGES), architecture.package_graph(list(PACKAGES))
    for name, others in graph.items():
        allowed = {package_of(other) for other in PACKAGES[name][1]}
        assert all(names.index(other) < names.index(name) for other in others), name
        assert others == allowed - {name}, name


def test_the_page_and_its_image_are_up_to_date():
    stale = [p.name for p, text in architecture.content().items() if p.read_text() != text]
    assert not stale, "python docs/tools/architecture.py"


def part_of(name):
    """A package or module right below zoo.data."""
    return ".".join(name.split(".")[:3])


def test_the_parts_of_data_do_not_import_each_other_in_cycles():
    """Packages and modules of zoo/data, imports for types and within functions included."""
    parts = {}
    for name, path in MODULES.items():
        if below(name, "zoo.data") and name != "zoo.data":
            others = {part_of(module) for module in imported(path) if below(module, "zoo.data")}
            parts.setdefault(part_of(name), set()).update(others - {part_of(name)})
    while free := {part for part, needs in parts.items() if not needs & parts.keys()}:
        parts = {part: needs for part, needs in parts.items() if part not in free}
    assert parts == {}, "in a cycle, or imports one"


def test_layers_need_torch_alone():
    for name, path in MODULES.items():
        if below(name, "zoo.layers"):
            tops = {module.split(".")[0] for module in imported(path)} - set(
                sys.stdlib_module_names
            )
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
    """All modules of the package that importing a module imports."""
    if name in seen or name not in MODULES:
        seen.add(name)
        return seen
    seen.add(name)
    parts = name.split(".")
    for k in range(1, len(parts)):
        closure(".".join(parts[:k]), seen)
    for module in imported(MODULES[name], top_level_only=True):
        closure(module, seen)
    return seen


@pytest.mark.parametrize(
    "name",
    [n for n in MODULES if any(below(n, p) for p in WITHOUT_TORCH)] + ["zoo.training.config"],
)
def test_light_modules_import_nothing_heavy(name):
    tops = {module.split(".")[0] for module in closure(name, set())}
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
