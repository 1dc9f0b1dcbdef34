"""scripts/predict.py: images, folders, tables, a row, a text; and what is wrong with them."""

import io
import json
from types import SimpleNamespace

import numpy
import pytest
from PIL import Image

from zoo.commands import answers, predict
from zoo.commands.predict import main
from zoo.data.tables.sklearn_cache import load_sklearn
from zoo.data.tokenizers.config import TokenizerConfig
from zoo.errors import UserError


@pytest.fixture(scope="session")
def photos(tmp_path_factory, data_root):
    """The first twelve digits as PNG files, named by what they show."""
    folder = tmp_path_factory.mktemp("photos")
    digits = load_sklearn("digits", str(data_root))
    for k in range(12):
        pixels = (digits.input[k].view(8, 8) * 255 / 16).round().byte().numpy()
        Image.fromarray(pixels).save(folder / f"{k:02d}-is-{int(digits.target[k])}.png")
    return folder


def lines(done):
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_folder_of_images_as_json(digits_run, photos, command):
    rows = lines(command(main, f"run={digits_run}", f"input={photos}", "json=true"))
    assert [row["input"] for row in rows] == sorted(str(p) for p in photos.iterdir())
    right = sum(row["input"].endswith(f"-is-{row['class']}.png") for row in rows)
    assert right >= 9
    for row in rows:
        assert list(row["probabilities"]) == [str(k) for k in range(10)]
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["probability"] == row["probabilities"][row["class"]]


def test_a_single_image_says_what_it_would_say_in_the_folder(digits_run, photos, command):
    rows = lines(command(main, f"run={digits_run}", f"input={photos}", "json=true"))
    (answer,) = lines(command(main, f"run={digits_run}", f"input={rows[3]['input']}", "json=true"))
    assert answer["class"] == rows[3]["class"]
    assert answer["probability"] == pytest.approx(rows[3]["probability"], rel=1e-5)


def test_the_table_names_the_runners_up(digits_run, photos, command):
    rows = lines(command(main, f"run={digits_run}", f"input={photos}", "json=true"))
    done = command(main, f"run={digits_run}", f"input={photos}", "top=2")
    heading, first = done.out.splitlines()[:2]
    assert heading.split() == ["input", "class", "probability", "alternatives"]
    second = sorted(rows[0]["probabilities"].values())[-2]
    assert first.split()[-4:-2] == [rows[0]["class"], f"{rows[0]['probability']:.1%}"]
    assert first.endswith(f" {second:.1%}")
    alone = command(main, f"run={digits_run}", f"input={photos}", "top=1").out
    assert alone.splitlines()[0].split() == ["input", "class", "probability"]


def test_images_of_another_size_and_colour_are_fitted(digits_run, photos, tmp_path, command):
    small = Image.open(sorted(photos.iterdir())[0])
    small.convert("RGB").resize((80, 80), Image.Resampling.NEAREST).save(tmp_path / "big.png")
    (row,) = lines(command(main, f"run={digits_run}", f"input={tmp_path / 'big.png'}", "json=true"))
    (original,) = lines(
        command(main, f"run={digits_run}", f"input={sorted(photos.iterdir())[0]}", "json=true")
    )
    assert row["class"] == original["class"]


def test_dark_on_light_gets_a_warning_that_leaves_json_alone(digits_run, tmp_path, command):
    Image.fromarray(numpy.full((8, 8), 250, numpy.uint8)).save(tmp_path / "white.png")
    done = command(main, f"run={digits_run}", f"input={tmp_path / 'white.png'}", "json=true")
    assert len(lines(done)) == 1
    assert "unlike the training data" in done.err


def test_inputs_like_the_training_get_no_warning(digits_run, photos, rain_run, command):
    assert command(main, f"run={digits_run}", f"input={photos}").err == ""
    row = "input=temperature=30,humidity=90"
    assert command(main, f"run={rain_run}", row).err == ""
    assert "unlike" in command(main, f"run={rain_run}", "input=temperature=303,humidity=90").err


def test_a_row_of_a_table(rain_run, command):
    (hot,) = lines(
        command(main, f"run={rain_run}", "input=temperature=32,humidity=95", "json=true")
    )
    (clear,) = lines(
        command(main, f"run={rain_run}", "input=temperature=32,humidity=20", "json=true")
    )
    assert (hot["class"], clear["class"]) == ("rain", "dry")


def test_a_table_of_numbers_gives_values(price_run, table, command):
    rows = lines(command(main, f"run={price_run}", f"input={table}", "json=true"))
    assert len(rows) == 120 and rows[0]["input"] == f"{table}:2"
    prices = [float(line.split(",")[2]) for line in table.read_text().splitlines()[1:]]
    errors = [abs(row["value"] - price) for row, price in zip(rows, prices, strict=True)]
    spread = max(prices) - min(prices)
    assert sum(errors) / len(errors) < 0.2 * spread
    done = command(main, f"run={price_run}", f"input={table}")
    assert done.out.splitlines()[0].split() == ["input", "value"]


def test_the_target_column_need_not_be_there(price_run, tmp_path, command):
    file = tmp_path / "ask.csv"
    file.write_text("garden,area,colour\nyes,50,red\nno,50,blue\n")
    with_garden, without = lines(command(main, f"run={price_run}", f"input={file}", "json=true"))
    assert with_garden["value"] > without["value"]


def test_several_inputs_and_the_standard_input(price_run, tmp_path, command, monkeypatch):
    typed = ["input=area=50,garden=yes", 'input={"area": 50, "garden": "yes"}']
    first, second = lines(command(main, f"run={price_run}", *typed, "json=true"))
    assert first["value"] == second["value"]
    monkeypatch.setattr("sys.stdin", io.StringIO("garden,area\nyes,50\nno,50\n"))
    read = lines(command(main, f"run={price_run}", "input=-", "json=true"))
    value = pytest.approx(first["value"], rel=1e-6)  # another batch rounds otherwise
    assert read[0] == {"input": "-:2", "value": value} and len(read) == 2


def test_what_the_run_was_not_trained_on_is_said(price_run, command):
    done = command(main, f"run={price_run}", "input=area=50,garden=Yes,pool=1", "json=true")
    assert len(lines(done)) == 1
    assert "'Yes' is not among the training data's categories" in done.err
    assert "did you mean 'yes'?" in done.err and "not used" in done.err and "'pool'" in done.err


def test_more_inputs_than_fit_into_one_batch(rain_run, tmp_path, command):
    file = tmp_path / "many.csv"
    rows = [f"{k % 40 - 5},{k % 85 + 15}" for k in range(600)]
    file.write_text("temperature,humidity\n" + "\n".join(rows) + "\n")
    answers = lines(command(main, f"run={rain_run}", f"input={file}", "json=true"))
    assert [row["input"] for row in answers] == [f"{file}:{k + 2}" for k in range(600)]
    row = f"input=temperature={550 % 40 - 5},humidity={550 % 85 + 15}"
    (late,) = lines(command(main, f"run={rain_run}", row, "json=true"))
    assert answers[550]["probability"] == pytest.approx(late["probability"], rel=1e-5)


def test_mistakes_get_one_line(digits_run, rain_run, price_run, photos, tmp_path, refused):
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "part.csv").write_text("temperatur,humidity\n1,2\n")
    (tmp_path / "word.csv").write_text("temperature,humidity\nwarm,2\n")
    cases = [
        (digits_run, tmp_path / "broken.pgn", f"did you mean '{tmp_path / 'broken.png'}'?"),
        (digits_run, tmp_path / "broken.png", "not an image format that Pillow reads"),
        (digits_run, tmp_path / "empty", "no images in this folder"),
        (digits_run, tmp_path / "part.csv", "not an image format that Pillow reads"),
        (rain_run, tmp_path / "part.csv", "did you rename it to 'temperatur'?"),
        (rain_run, tmp_path / "word.csv", "line 2: 'warm' in the column 'temperature'"),
        (rain_run, "temperature=3", "the column 'humidity'"),
        (rain_run, tmp_path, "this is a folder; expected a CSV file"),
        (rain_run, sorted(photos.iterdir())[0], "this is an image; expected a table"),
        (rain_run, "temperature=" + "9" * 5000, "the column 'humidity'"),
    ]
    for run, given, words in cases:
        assert words in refused(main, f"run={run}", f"input={given}")
    assert "top=0: expected" in refused(main, f"run={rain_run}", "input=x", "top=0")
    assert "predicts as it was trained" in refused(main, f"run={rain_run}", "input=x", "data=csv")
    assert refused(main, f"run={rain_run}").startswith("input= is missing")


# ------------------------------------------------------------------------------------- text


@pytest.fixture(scope="session")
def gpt_run(trained, tmp_path_factory):
    """A GPT that has read the same two lines many times."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "poem.txt").write_text("the cat sat\non the mat\n" * 300)
    settings = (
        "task=causal_lm", f"data.path={folder / 'poem.txt'}", f"data.root={folder}",
        "data.tokenizer=char", "data.block_size=16", "optim.lr=2e-2", "model.heads=2",
        "model.width=16", "model.depth=1",
    )  # fmt: skip
    return trained("gpt", "model=gpt", "data=text", *settings)


def test_a_text_is_continued(gpt_run, command):
    ask = (gpt_run, "input=the c")
    greedy = command(main, f"run={ask[0]}", ask[1], "temperature=0", "max_tokens=20")
    assert greedy.code == 0 and greedy.err == ""
    (row,) = lines(
        command(main, f"run={ask[0]}", ask[1], "temperature=0", "max_tokens=20", "json=true")
    )
    assert row == {"input": "the c", "text": row["text"]} and len(row["text"]) == 20
    assert greedy.out == row["text"] + "\n" * (not row["text"].endswith("\n"))
    stopped = command(main, f"run={ask[0]}", ask[1], "temperature=0", 'stop=["\\n"]')
    assert stopped.out == row["text"].split("\n")[0] + "\n"


def test_a_text_is_classified_by_its_likeliest_continuation(gpt_run, command, refused):
    ask = (f"run={gpt_run}", "input=the c", "options=[at,on,' m']")
    (row,) = lines(command(main, *ask, "json=true"))
    assert row["input"] == "the c" and row["option"] == "at"
    assert list(row["probabilities"]) == ["at", "on", " m"]
    heading, first, second = command(main, *ask, "top=2").out.splitlines()
    assert heading.split()[:3] == ["option", "probability", "log-probability"]
    assert first.split()[:2] == ["at", f"{row['probability']:.1%}"]
    assert second.startswith(("on", "' m'"))
    refusals = {
        ("options=[at]",): "options=['at']: expected two different texts or more",
        ("options=[a,b]", "temperature=0"): "unknown option 'temperature=0'",
        ("options=[a,b]", "chat=true"): "options= and chat=true: options answer one message",
    }
    for more, words in refusals.items():
        assert words in refused(main, *ask[:2], *more)


def test_options_are_for_language_models(rain_run, refused):
    words = "options= is for causal language models, which continue a text; this run has task="
    assert words in refused(main, f"run={rain_run}", "input=x", "options=[a,b]")


def test_several_samples(gpt_run, command):
    ask = (f"run={gpt_run}", "input=the", "max_tokens=8", "samples=2", "seed=3")
    rows = lines(command(main, *ask, "json=true"))
    assert [(row["sample"], row["input"]) for row in rows] == [(1, "the"), (2, "the")]
    shown = command(main, *ask).out
    for row in rows:
        assert f"--- sample {row['sample']}\n{row['text']}" in shown


def test_lines_of_the_standard_input(gpt_run, command, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("the\n\non the m"))
    rows = lines(command(main, f"run={gpt_run}", "input=-", "max_tokens=5", "json=true"))
    assert [row["input"] for row in rows] == ["the", "", "on the m"]


def test_what_a_model_cannot_know_of_a_text_is_said(gpt_run, tmp_path, command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "the cat").write_text("on the mat")
    done = command(main, f"run={gpt_run}", "input=the cat", "max_tokens=1")
    assert done.err.startswith("warning: 'the cat' is taken as a text, though a file")
    words = TokenizerConfig(tokenizer="word", vocab_size=9).train(["the film was good"], ["[MASK]"])
    restored = SimpleNamespace(encoding=SimpleNamespace(tokenizer=words))
    said = []
    for text in ("the [MASK] xyzzy", "[MASK]", ""):
        answers._warn_of(restored, text, said.append)
    assert said == []
    answers._warn_of(restored, "xyzzy [MASK]", said.append)
    assert "the run's vocabulary knows nothing of the text" in said[0]


def test_a_text_of_characters_is_known_though_it_has_no_spaces(trained, tmp_path, command):
    sentences = "".join(f"{a} B\n三 I\n在 O\n京 B\n\n" for a in "张李王" * 6)
    (tmp_path / "names.conll").write_text(sentences, encoding="utf-8")
    run = trained("tags", "model=hmm", "data=tagged", f"data.path={tmp_path / 'names.conll'}")
    done = command(predict.main, f"run={run}", "input=张三在京", "json=true")
    assert [row["word"] for row in lines(done)] == list("张三在京")
    assert "knows nothing" not in done.err
    assert "knows nothing" in command(predict.main, f"run={run}", "input=天地").err


def test_pieces_are_printed_as_they_come(capsys):
    seen = []

    def rows():
        for piece in ("a", "", "b\n"):
            yield {"text": piece}
            seen.append(capsys.readouterr().out)

    predict.show(rows(), 3, as_json=False)
    assert seen == ["a", "", "b\n"] and capsys.readouterr().out == ""


def test_rows_without_text_are_a_table(capsys):
    rows = [
        {"blank": k, "token": "cat", "probabilities": {"dog": 0.25, "cat": 0.5, "mat": 0.125}}
        for k in (1, 2)
    ]
    predict.show(rows, 3, as_json=False, fields={"input": "a [MASK]"})
    heading, first, _ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["blank", "token", "alternatives"]
    assert first.split() == ["1", "cat", "dog", "25.0%,", "mat", "12.5%"]
    predict.show(rows, 3, as_json=True, fields={"input": "a [MASK]"})
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown == [{"input": "a [MASK]"} | row for row in rows]


def test_an_interrupted_text_ends_quietly(gpt_run, command, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(predict, "show", stop)
    done = command(main, f"run={gpt_run}", "input=the")
    assert done.code == 130 and done.out == "\n"


def test_mistakes_about_texts_get_one_line(gpt_run, rain_run, refused):
    cases = {
        ("input=the", "temprature=1"): "'temprature=1'; did you mean 'temperature='? (options: run",
        ("input=the", "temperature=warm"): "temperature: got 'warm' (str), expected float",
        ("input=the", "top_k=1.5"): "top_k: got 1.5 (float), expected int or null",
        ("input=the", "top_p=0"): "top_p=0: expected above 0",
        ("input=the", "seed=[1"): "seed: got '[1' (str), expected int",
        ("input=Käse",): "the prompt has characters that the vocabulary of",
        ("input=" + "the cat " * 3,): "the prompt has 24 tokens, and the model's context is 16",
    }
    for arguments, words in cases.items():
        assert words in refused(main, f"run={gpt_run}", *arguments)
    words = "unknown option 'temperature=1' (options: run=, input=, checkpoint=, top=, device="
    assert words in refused(main, f"run={rain_run}", "input=x", "temperature=1")


def respond(model, input: str, stop: str | list[str] | None = None, lr: float = 1) -> None: ...


def read_options(typed):
    return answers.bind(respond, typed, predict._read)


@pytest.mark.parametrize(
    "text", ["###", "\n", "[END]", "5", "true", "{x}", '"', "a: b", "- a", "[1]", "~", "&a", "#"]
)
def test_an_option_that_is_text_is_text(text):
    assert read_options({"stop": text}) == {"stop": text}


def test_several_texts_are_json_and_numbers_are_numbers():
    assert read_options({"stop": '["\\n\\n", "b"]'}) == {"stop": ["\n\n", "b"]}
    assert read_options({"stop": "null", "lr": "1e-3"}) == {"stop": None, "lr": 1e-3}
    with pytest.raises(UserError, match=r"lr: got '\(' \(str\), expected float"):
        read_options({"lr": "("})
