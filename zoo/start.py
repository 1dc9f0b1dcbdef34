"""The start of a run in addition to its data: weights, an adapter, a teacher."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from zoo.config.groups import GROUPS, config_file, key_of, read_yaml
from zoo.config.run import RunConfig
from zoo.config.suited import with_suited_task, with_target_kind
from zoo.data.build import build_dataset
from zoo.data.dataset import Dataset
from zoo.data.encoding import load_encoding
from zoo.data.label_spreading import with_spread_labels
from zoo.data.tokenizers.base import Tokenizer
from zoo.errors import UserError
from zoo.files import user_path
from zoo.restore import load_teacher
from zoo.runs.directory import RunDirectory
from zoo.runs.settings import flat, format_value
from zoo.teacher import Teacher, check_identity
from zoo.training.runtime import Runtime
from zoo.weights.adapters import read_adapter
from zoo.weights.adopt import (
    data_notes,
    given_tokenizer,
    merge_source_config,
    pixel_notes,
    tokenizer_notes,
)
from zoo.weights.source import Source, open_source

WHOLE = {"train_size": None, "label_noise": 0.0}  # settings of data: all rows as they are


@dataclass(frozen=True)
class Start:
    """Weights, adapter and teacher that a run starts from.

    Attributes:
        config: As the weights change it, with absolute paths.
        source: Weights to start from, or None.
        tokenizer: That those weights, or the run that is resumed, were trained with, or None.
        encoding: Of the run that is resumed: its columns, scales and classes, which its weights
            know by their numbers. None for running text, whose tokenizer says all.
        teacher: A trained network for the task or the model, or None.
    """

    config: RunConfig
    source: Source | None = None
    tokenizer: Tokenizer | None = None
    encoding: dict[str, Any] | None = None
    teacher: Teacher | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """How the weights were understood, a line each."""
        return self.source.notes if self.source else ()


def find_start(
    config: RunConfig, overrides: list[str], run: RunDirectory | None, runtime: Runtime
) -> Start:
    """Find and read what `init.from` and `teacher.from` name.

    Args:
        config: The checked config.
        overrides: As typed; what they set wins over what the weights decide.
        run: The run that is resumed, None for a new one.
        runtime: Device of the teacher.

    Raises:
        UserError: Nothing there, weights that do not fit, another teacher than before.
    """
    start = _resumed(config, run) if run else Start(config)
    init = config.init
    if not run and not init.from_ and (init.skip or init.resize or init.layers):
        raise UserError("init.skip, init.resize and init.layers have no effect without init.from=")
    if config.init.from_:
        start = _resumed_source(start, run) if run else _new_source(config, overrides)
    config = start.config
    if config.teacher.from_:
        teacher = load_teacher(config.teacher, runtime)
        if run:
            check_identity(run.read_dataset().get("teacher"), teacher)
        else:
            config = replace(config, teacher=replace(config.teacher, from_=teacher.run))
        start = replace(start, config=config, teacher=teacher)
    return start


def _new_source(config: RunConfig, overrides: list[str]) -> Start:
    """The weights of `init.from`, with their tokenizer, and the config as they change it."""
    origin = str(config.init.from_)
    source = open_source(origin)
    typed = [key_of(override) for override in overrides]
    tokenizer = given_tokenizer(config.data, source, typed)
    notes = tokenizer_notes(config.data, tokenizer, typed)
    config = merge_source_config(config, source, typed)
    notes = (*source.notes, *notes, *pixel_notes(config.data, source))
    source = replace(source, notes=notes)
    if user_path(origin).exists():  # no name on the Hub
        # Absolute, so that it holds from any folder; of a folder of runs, the one taken.
        config = replace(config, init=replace(config.init, from_=str(source.path.resolve())))
    return _with_adapter(Start(config, source, tokenizer))


def _resumed_source(start: Start, run: RunDirectory) -> Start:
    """A resumed run has its config and tokenizer already; it needs weights only where it began
    with none of its own yet, or has an adapter, whose base they are."""
    config = start.config
    if config.adapter["name"] == "none" and any(run.checkpoints.glob("last-*")):
        return start
    source = open_source(str(config.init.from_), online=False)
    return _with_adapter(replace(start, source=source))


def _resumed(config: RunConfig, run: RunDirectory) -> Start:
    """How the run's weights know its data, whatever would be fitted to the data of today.

    A text without its vocabulary cannot go on; the encoding of other data is fitted anew where the
    file is damaged.
    """
    try:
        encoding = load_encoding(run.read_dataset()["encoding"])
    except UserError:
        if "tokenizer" in config.data:
            raise
        return Start(config)
    is_by_number = encoding.tokenizer is None or hasattr(encoding, "class_names")
    fitted = encoding.to_json() if is_by_number else None
    return Start(config, tokenizer=encoding.tokenizer, encoding=fitted)


def _with_adapter(start: Start) -> Start:
    """Add the adapter of `init.adapter` to the weights, and its options to the config."""
    config, source = start.config, start.source
    if not config.init.adapter or source is None:
        return start
    options = source.settings | config.model
    adapter = read_adapter(config.init.adapter, source.sha256, source.model, options)
    config = replace(config, adapter=config.adapter | adapter.options)
    remark = adapter.other_base(config.init.quantize)
    notes = source.notes + adapter.notes
    notes += (f"{config.init.adapter}: {remark}",) if remark else ()
    source = replace(source, adapter=adapter.tensors, notes=notes)
    return replace(start, config=config, source=source)


def find_data(
    start: Start, overrides: list[str], is_new: bool = True, online: bool = True
) -> tuple[Start, Dataset]:
    """The data, and the start with the task that a new run has on it.

    Args:
        start: Weights and config.
        overrides: As typed.
        is_new: Whether the run is new; one that is resumed has its task.
        online: Whether names on a hub may be looked up.
    """
    config = with_target_kind(start.config, overrides) if is_new else start.config
    fitted = start.encoding
    build = partial(
        build_dataset,
        encoding=fitted,
        tokenizer=start.tokenizer,
        online=online,
        resumes=fitted is not None,
        max_samples=config.trainer.max_samples,
    )
    spreads = config.data.get("spread_labels")
    dataset = build(config.data | (WHOLE if spreads else {}))
    if spreads:
        assert start.teacher is not None  # see `check_teacher`
        codes = start.teacher.codes(dataset.facts)
        with_spread_labels(dataset, build(config.data), codes)
    facts = dataset.facts | dataset.encoding.runtime_facts
    if start.teacher:
        start.teacher.check_tokens(facts)
        facts |= start.teacher.facts
    if is_new:
        config, notes = with_suited_task(config, overrides, facts)
        dataset.notes.extend(_left_out_notes(start.config, overrides) + notes)
        if start.source:
            dataset.notes.extend(data_notes(facts, start.source, config.init.skip))
        if start.teacher and (note := start.teacher.split_note(config.data)):
            dataset.notes.append(note)
    return replace(start, config=config), dataset


def _left_out_notes(config: RunConfig, overrides: list[str]) -> list[str]:
    """A note for each config group that the command line overrides, with the recipe's settings in
    it that the new choice has too, and that are not used.

    `experiment=cnn_mnist data=fashion_mnist` is of batches as fashion_mnist's file says, since the
    recipe's were for mnist (see `zoo.config.compose.load`): easily overlooked.

    Args:
        config: The checked config.
        overrides: As typed.
    """
    if config.experiment is None:
        return []
    typed = {key_of(override) for override in overrides}
    said = [f"{key}." for key in typed if "." in key]  # data.augment={shift:1} is of both its parts
    try:
        recipe = read_yaml(config_file("experiment", config.experiment))
    except UserError:  # an empty file, which Hydra takes
        return []
    notes = []
    for group in GROUPS:
        if group not in typed or not isinstance(recipe.get(group), dict):
            continue
        if group == "model" and config.init.from_:  # the weights say what it is
            continue
        taken = flat({group: getattr(config, group)})
        settings = [
            f"{name}={format_value(value)}"
            for name, value in flat({group: recipe[group]}).items()
            if taken.get(name, value) != value
            and not any(f"{name}.".startswith(key) for key in said)
        ]
        if settings:
            chosen = getattr(config, group)["name"]
            notes.append(
                f"{group}={chosen} is taken as its file says, without the recipe's "
                f"{' '.join(settings)}; to keep them, type them"
            )
    return notes
