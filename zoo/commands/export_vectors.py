"""`python scripts/export_vectors.py run=...`: word vectors for other programs and to look at.

The text format is that of the authors' program: a line with the number of vectors and their
width, then a line for each word, which spaCy, gensim (`KeyedVectors.load_word2vec_format`) and
others read. TensorBoard's projector shows the vectors in space, once the files are in the run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.commands.arguments import modules, options
from zoo.errors import UserError, report
from zoo.files import user_path, write_text
from zoo.runs.find import find_run
from zoo.runs.links import refuse_links
from zoo.runs.projector import write_points

if TYPE_CHECKING:
    from torch import Tensor

USAGE = """\
python scripts/export_vectors.py run=outputs/<name>/<date_time> [checkpoint=] [path=] [projector=]

Export word vectors in word2vec's text format, and as files for TensorBoard's projector.

run=         the run directory of a word2vec model
checkpoint=  best (default), last, a step, or the name of a checkpoint
path=        the text file to write (default: vectors.txt in the run directory)
projector=   words to show in TensorBoard's projector (default 5000, the most frequent; 0 for none)
plugins=     [modules] to import first; those in the run's config are not imported by default
"""


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    return report(lambda: _main(argv))


def _main(argv: list[str] | None) -> int:
    defaults: dict[str, Any] = {"checkpoint": "best", "path": "", "plugins": "[]"}
    values, overrides = options(argv, USAGE, run=..., projector="5000", **defaults)
    if overrides:
        raise UserError(f"'{overrides[0]}': a run's vectors are as trained; give only run=")
    if not values["projector"].isdecimal():
        raise UserError(f"projector={values['projector']}: expected a whole number, 0 for none")
    run = find_run(values["run"])  # reports a wrong path before torch is imported
    refuse_links(run.path, "run")
    words, vectors = word_vectors(str(run.path), values["checkpoint"], modules(values["plugins"]))
    path = user_path(values["path"] or run.path / "vectors.txt")
    try:
        write_vectors(path, words, vectors)
        print(f"{path}: {len(words):,} words, {vectors.shape[1]} numbers each")
        if shown := int(values["projector"]):
            write_points(run.path, "words", vectors[:shown], {"word": words[:shown]})
            print(f"tensorboard --logdir {run.path} shows {min(shown, len(words)):,} (PROJECTOR)")
    except OSError as error:
        raise UserError(f"path={path}: cannot be written ({error.strerror})") from None
    return 0


def word_vectors(
    run: str, checkpoint: str = "best", plugins: Sequence[str] = ()
) -> tuple[list[str], "Tensor"]:
    """The words of a run, most frequent first, and their vectors, float32 (words, D).

    Raises:
        UserError: The run's task has no word vectors.
    """
    from zoo.restore import restore
    from zoo.tasks.capabilities import HasWordVectors

    restored = restore(run, checkpoint, "cpu", plugins)
    task = restored.task
    if not isinstance(task, HasWordVectors):
        raise UserError(
            f"run={run}: task={restored.config.task['name']} has no word vectors; expected a "
            "run of word2vec (task skip_gram or cbow)"
        )
    ids = task.neighbours.ranked()
    words = [task.neighbours.tokenizer.token(i) for i in ids]
    return words, task.neighbours.vectors(restored.model)[ids]


def write_vectors(path: Path, words: Sequence[str], vectors: "Tensor") -> None:
    """word2vec's text format, UTF-8. A space within a word becomes `_`, as in the authors' files:
    readers cut the lines at spaces.
    """
    lines = [f"{len(words)} {vectors.shape[1]}"]
    pairs = zip(words, vectors.tolist(), strict=True)
    lines += [f"{'_'.join(word.split())} {_joined(row, ' ')}" for word, row in pairs]
    write_text(path, "\n".join(lines) + "\n")


def _joined(numbers: Sequence[float], separator: str) -> str:
    return separator.join(f"{number:.6g}" for number in numbers)
