"""Draw the architecture: the packages of zoo/ by level, from their imports.

    python docs/tools/architecture.py              updates docs/architecture.md and its diagram
    python docs/tools/architecture.py check=true   checks whether they are up to date

A package imports only from lower levels, or from packages before it on its own. The table of
tests/test_architecture.py says so; the tests hold every import to it.
"""

import ast
import runpy
import sys
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
DIAGRAM, PAGE = ROOT / "docs/images/architecture.svg", ROOT / "docs/architecture.md"
BEGIN, END = "<!-- layers: python docs/tools/architecture.py -->", "<!-- end of layers -->"
BOX, GAP, LEVEL, LABEL = (140, 46), 12, 82, 116  # pixels: a box, between, a level, its name
Graph = dict[str, set[str]]
Layers = dict[str, dict[str, tuple[str, set[str]]]]


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of zoo/ by its dotted name."""
    paths = {}
    for path in sorted((root / "zoo").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return paths


def imports(path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of zoo/ that a file imports anywhere, in functions and for types as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names.update(name if name in known else node.module for name in full)
    return {name for name in names if name in known}


def module_graph(root: Path = ROOT) -> Graph:
    """Which modules each module imports; a package's `__init__` is no part of its modules."""
    known = modules(root)
    return {name: imports(path, known) - {name} for name, path in known.items()}


def package_graph(packages: list[str], root: Path = ROOT) -> Graph:
    """Which packages each package imports.

    Args:
        packages: Dotted names; a module belongs to the longest that it begins with.
        root: The repository.
    """
    graph: Graph = {package: set() for package in packages}
    for name, imported in module_graph(root).items():
        if (user := package_of(name, packages)) is not None:
            targets = {package_of(other, packages) for other in imported}
            graph[user] |= {target for target in targets if target not in (None, user)}
    return graph


def package_of(name: str, packages: list[str]) -> str | None:
    """The package that a module belongs to."""
    fitting = [p for p in packages if name == p or name.startswith(f"{p}.")]
    return max(fitting, key=len, default=None)


def cycles(graph: Graph) -> list[list[str]]:
    """Groups of nodes that import each other, directly or through others."""
    reached = {name: _reachable(graph, name) for name in graph}
    mutual = {frozenset(b for b in reached[a] if a in reached[b]) for a in graph if a in reached[a]}
    return sorted(sorted(group) for group in mutual)


def _reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += graph.get(name, ())
    return seen


def diagram(layers: Layers) -> str:
    """The levels as SVG, the lowest at the bottom."""
    widest = max(map(len, layers.values()))
    width = LABEL + widest * (BOX[0] + GAP) + GAP
    height = len(layers) * LEVEL + GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'font-family="sans-serif">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for k, (level, packages) in enumerate(reversed(layers.items())):
        top = GAP + k * LEVEL
        lines += [
            f'<rect x="{GAP}" y="{top}" width="{width - 2 * GAP}" height="{LEVEL - GAP}" rx="8" '
            f'fill="#f4f6f8"/>',
            f'<text x="{2 * GAP}" y="{top + LEVEL / 2:g}" font-size="13" fill="#44566c">'
            f"{escape(level)}</text>",
        ]
        size = ((width - LABEL - GAP) // len(packages)) - GAP
        for j, (name, (purpose, _)) in enumerate(packages.items()):
            lines += _box(LABEL + j * (size + GAP), top + GAP, size, name, purpose)
    return "\n".join([*lines, "</svg>\n"])


def _box(left: int, top: int, width: int, name: str, purpose: str) -> list[str]:
    """One package: its name above its purpose."""
    title = name.removeprefix("zoo.") if name != "zoo" else "errors, schema, registry, files, ..."
    middle = left + width / 2
    return [
        f'<rect x="{left}" y="{top}" width="{width}" height="{BOX[1]}" rx="6" fill="#e3eefa" '
        f'stroke="#3b6ea5"/>',
        f'<text x="{middle:g}" y="{top + 19}" font-size="14" font-weight="bold" fill="#17324d" '
        f'text-anchor="middle">{escape(title)}</text>',
        f'<text x="{middle:g}" y="{top + 36}" font-size="11" fill="#44566c" '
        f'text-anchor="middle">{escape(purpose)}</text>',
    ]


def table(layers: Layers) -> str:
    """The levels as Markdown: lowest first."""
    rows = ["| level | package | what it holds | may import |", "|---|---|---|---|"]
    for level, packages in layers.items():
        for name, (purpose, allowed) in packages.items():
            imported = [f"`{p.removeprefix('zoo.')}`" for p in sorted(allowed - {"zoo"})]
            title = "the modules of `zoo/` itself" if name == "zoo" else f"`{name[4:]}`"
            rows.append(f"| {level} | {title} | {purpose} | {', '.join(imported) or '-'} |")
    return "\n".join(rows)


def content() -> dict[Path, str]:
    """The expected content of the diagram and of the page."""
    layers = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))["LAYERS"]
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    page = f"{before}{BEGIN}\n{table(layers)}\n{END}{after}"
    return {DIAGRAM: diagram(layers), PAGE: page}


def main(argv: list[str]) -> int:
    """Write, or check; the exit code."""
    stale = {p: text for p, text in content().items() if not p.exists() or p.read_text() != text}
    if "check=true" in argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: python docs/tools/architecture.py")
        return 1 if stale else 0
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
