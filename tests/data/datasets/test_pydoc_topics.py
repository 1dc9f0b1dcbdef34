"""Docstrings and their topics."""

from zoo.data.datasets.pydoc_topics import CLASSES, TOPICS, topics


def test_topics_of_a_library(monkeypatch):
    """Texts of eight words or more, once each, without the name of their module."""
    eight = "that has eight words or even some more"
    files = {
        "asyncio/tasks.py": f'"""Asyncio: a task {eight}."""\nx = 1  # too short\n',
        "difflib.py": f'"""Asyncio and difflib {eight}; see difflib.Differ and difflibs."""\n',
        "textwrap.py": f"# {eight} which is said\n\nx = 1\n# {eight}, which is said!\n",
        "distutils/core.py": f'"""Gone from new Pythons, {eight}."""\n',
    }
    monkeypatch.setattr("zoo.data.datasets.pydoc_topics.sources", lambda: iter(files.items()))
    topics.cache_clear()
    assert topics() == [
        (f"_: a task {eight}.", "concurrency"),
        (f"Asyncio and _ {eight}; see _.Differ and difflibs.", "text"),
        (f"{eight} which is said", "text"),
    ]
    topics.cache_clear()


def test_each_module_has_one_topic():
    modules = [module for names in TOPICS.values() for module in names.split()]
    assert len(set(modules)) == len(modules) and sorted(TOPICS) == CLASSES
