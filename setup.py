"""The wheel also holds what the package reads at its place in the repository: configs, results."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHIPPED = ("configs/**/*.yaml", "docs/results.json")


class BuildWithConfigs(build_py):
    """Copies them into `zoo/`; an editable install finds them in the repository."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self._copies().items():
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        return super().get_source_files() + list(self._copies())

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return super().get_outputs(include_bytecode) + list(self._copies().values())

    def _copies(self) -> dict[str, str]:
        found = [path for pattern in SHIPPED for path in sorted(ROOT.glob(pattern))]
        names = [path.relative_to(ROOT).as_posix() for path in found]
        return {name: str(Path(self.build_lib, "zoo", name)) for name in names}


setup(cmdclass={"build_py": BuildWithConfigs})
