"""Every command in README, CONTRIBUTING and docs is run, made small; what cannot run is checked.

A command that no line of RUNNERS covers fails, so that none goes untried.
"""

import random
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch.distributed.run import get_args_parser

from zoo import build
from zoo.commands.train import main as train
from zoo.compare.main import parser as compare_flags
from zoo.config import compose as composing
from zoo.config import groups as configs

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "scripts"))  # where they find _path
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
RUN = re.compile(r"outputs/(\w+)/[\d_-]+")
OWN = r"csv|image_folder|pairs|tagged|text_csv"
WITHOUT_ROOT = rf"(experiment|data)=(\w*rain|{OWN}|\w*_(numbers|copy)|gpt_sums\w*)( |$)"
SMALL = {
    "trainer.max_steps": "2",
    "trainer.eval_steps": "2",
    "trainer.log_steps": "1",
    "trainer.precision": "fp32",
    "trainer.device": "cpu",
    "data.batch_size": "8",
}
# A download, minutes of work (test_every_experiment.py trains these), two processes, no file.
DOWNLOADS = ("mnist", "cifar10", "shakespeare", "multi30k")
LONG = (
    "experiment=gpt_", "experiment=bert_", "_stdlib", "_topics", "_numbers", "_tags",
    "word2vec_pydoc", "experiment=diffusion_", "clip_glyphs", "experiment=gan_",
    "transformer_pydoc",
)  # fmt: skip
ELSEWHERE = (*DOWNLOADS, *LONG, "trainer.devices", "maxout", "init.from", "data.path=synthetic")
WORDS = [
    "def", "class", "string", "thread", "reader", "read", "write", "return", "a", "the", "list",
    "of", "an", "object", "given", "and",
]  # fmt: skip
TEXT = "data=text data.path=novel.txt data.block_size=8 model.width=16"  # and any recipe's rest
PAIRS = "data=pairs data.path=pairs.tsv model.width=16 model.depth=1 model.heads=2"
SOURCES = {  # smaller runs that commands continue from
    "mlp_csv": "model=mlp data=csv data.path=flowers.csv data.target=species",
    "word2vec_pydoc": f"experiment=word2vec_pydoc {TEXT} data.tokenizer=word",
    "gpt_stdlib": f"experiment=gpt_stdlib {TEXT} data.tokenizer=byte data.block_size=64 "
    "model.depth=1",
    "bert_pydoc": f"experiment=bert_pydoc {TEXT} data.tokenizer=byte data.mask_token=true "
    "data.block_size=64 model.depth=1 model.heads=2",
    "bert_pairs": "name=bert_pairs experiment=bert_pairs_short data.block_size=32 "
    "data.batch_size=4 model.width=16 model.depth=1 model.heads=2",
    "clip_captioned": "model=clip task=contrastive data=captioned data.path=photos data.size=16 "
    "model.image.width=4 model.text.width=8",
    "transformer_numbers": "experiment=transformer_numbers data.size=100 model.width=16 "
    "model.heads=2",
    "transformer_pydoc": f"experiment=transformer_pydoc {TEXT} data.tokenizer=byte "
    "data.denoising=true data.block_size=64 model.depth=1 model.heads=2",
    "transformer_multi30k": f"experiment=transformer_multi30k {PAIRS} data.tokenizer=byte",
    "gpt_text": f"model=gpt task=causal_lm {TEXT} data.tokenizer=byte model.depth=1 model.heads=2",
    "gpt_lora": f"experiment=gpt_lora {TEXT.removesuffix(' model.width=16')} "
    "init.from=outputs/gpt_stdlib/2026",
    "diffusion_digits": "experiment=diffusion_digits trainer.max_samples=64 model.width=8",
    "gan_digits": "experiment=gan_digits trainer.max_samples=64 model.width=8",
    "vae_digits": "experiment=vae_digits trainer.max_samples=64 model.width=32",
    "clip_glyphs": "experiment=clip_glyphs trainer.max_samples=64 model.image.width=4",
    "gpt_sums": "name=gpt_sums experiment=gpt_sums_start model.width=16 model.depth=1 "
    "model.heads=2",
    "hmm_tags": "name=hmm_tags model=hmm data=tagged data.path=parts.conll data.tags=4",
    "mamba_shakespeare": f"name=mamba_shakespeare model=mamba task=causal_lm {TEXT} "
    "data.tokenizer=byte model.depth=1",
    "llama_stdlib": f"experiment=llama_stdlib {TEXT} data.tokenizer=byte data.block_size=64 "
    "model.depth=1 model.heads=2",
    "deepseek_shakespeare": f"name=deepseek_shakespeare model=deepseek task=causal_lm {TEXT} "
    "data.tokenizer=byte model.depth=1 model.heads=2 model.dense_blocks=0",
    "lstm_topics": "experiment=lstm_topics data=text_csv data.path=reviews.csv data.text=review "
    "data.target=stars data.tokenizer=byte",
}


def commands():
    """(page, command) of every line in a block of shell commands."""
    for page in PAGES:
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language in ("bash", "sh", "shell", "console"):
                for line in text.replace("\\\n", " ").splitlines():
                    if words := shlex.split(line, comments=True):
                        yield page.name, shlex.join(words)


COMMANDS = sorted({command: page for page, command in commands()}.items())  # each is tried once


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the files that the commands name, and a run to continue from."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("place")
    generator = torch.Generator().manual_seed(0)
    names = []
    for kind in ("cat", "dog"):
        (folder / "photos" / kind).mkdir(parents=True)
        for k in range(15):
            pixels = torch.randint(256, (40, 36, 3), dtype=torch.uint8, generator=generator)
            names.append(f"{kind}/{k}.png")
            Image.fromarray(pixels.numpy()).save(folder / "photos" / names[-1])
    rows = [f"{name},{name.split('/')[0]}" for name in names]
    (folder / "photos" / "labels.csv").write_text("\n".join(["path,label", *rows]))
    rows = [f"{name},a {name.split('/')[0]}" for name in names]
    (folder / "photos" / "captions.csv").write_text("\n".join(["path,caption", *rows]))
    (folder / "digits_folder").mkdir()
    for path in (folder / "digit.png", folder / "digits_folder" / "one.png"):
        Image.new("L", (8, 8), 128).save(path)
    numbers = torch.randn(40, 3, generator=generator).tolist()
    houses = [f"{a:.3f},{b:.3f},{100 + 3 * a + c:.3f},{9 + a + b:.3f}" for a, b, c in numbers]
    (folder / "houses.csv").write_text("\n".join(["area,rooms,price,rent", *houses]))
    labels = [["action"] * (a > 0) + ["comedy"] * (b > 0) for a, b, _ in numbers]
    films = [f"{c:.3f},{a > 0:d},{b > 0:d}" for a, b, c in numbers]
    films = [f"{film},{';'.join(names)}" for film, names in zip(films, labels, strict=True)]
    (folder / "films.csv").write_text("\n".join(["length,action,comedy,tags", *films]))
    mails = [f"{' '.join(names)} film,{';'.join(names)}" for names in labels]
    (folder / "mails.csv").write_text("\n".join(["body,tags", *mails]))
    kinds = ("rose", "tulip")
    flowers = [f"{k},{a:.3f},{b:.3f},{kinds[k % 2]}" for k, (a, b, _) in enumerate(numbers)]
    (folder / "flowers.csv").write_text("\n".join(["id,length,width,species", *flowers]))
    text = " ".join(random.Random(0).choices(WORDS, k=10_000))
    (folder / "books").mkdir()
    for path in (folder / "novel.txt", folder / "books" / "one.txt", folder / "books" / "two.txt"):
        path.write_text(text)
    (folder / "pairs.tsv").write_text("".join(f"{a} {b}\t{b} {a}\n" for a in WORDS for b in WORDS))
    for name in ("train.en", "train.de"):
        (folder / name).write_text("\n".join(f"{a} {b}" for a in WORDS for b in WORDS))
    reviews = [f"{a} {b},{len(a) % 2 + 1}" for a in WORDS for b in WORDS]
    (folder / "reviews.csv").write_text("\n".join(["review,stars", *reviews]))
    sentence = '{"words": ["Anna", "lives", "here"], "tags": ["B-PER", "O", "O"]}\n'
    (folder / "names.jsonl").write_text(sentence * 20)
    (folder / "parts.conll").write_text("Anna B-NP O NNP\nlives B-VP O VBZ\n\n" * 20)
    for name in ("more_flowers.csv", "new_flowers.csv"):
        (folder / name).write_text((folder / "flowers.csv").read_text())
    return folder


@pytest.fixture(scope="module")
def trained():
    """Runs that commands speak of, by name, made when first asked for."""
    return {}


@pytest.fixture
def world(place, trained, data_root, monkeypatch, capsys):
    """Run in `place`; functions for the runners below."""
    monkeypatch.chdir(place)

    class World:
        def small(self, words):
            """A training command, made small."""
            words = [word for word in words if not word.startswith("trainer.max_steps=")]
            given = {configs.key_of(word) for word in words}
            extra = [f"{key}={value}" for key, value in SMALL.items() if key not in given]
            if given & {"resume", "sweep.resume"}:
                steps = f"trainer.max_steps={SMALL['trainer.max_steps']}"  # as the run has
                extra = [steps] if "trainer.max_epochs" in given else []
            elif not re.search(WITHOUT_ROOT, " ".join(words)):
                extra.append(f"data.root={data_root}")
            return [*words, *extra]

        def prepare(self, words):
            """Train what the recipe of a command starts from or learns from."""
            given = {configs.key_of(word) for word in words}
            names = [word.partition("=")[2] for word in words if word.startswith("experiment=")]
            for recipe in (configs.read_yaml(configs.config_file("experiment", n)) for n in names):
                for key in ("init", "teacher"):
                    source = recipe.get(key, {}).get("from")
                    if source and f"{key}.from" not in given:
                        self.run(Path(source).name)

        def with_runs(self, words):
            """The words, with the paths of real runs in place of the example's."""
            for word in words:  # a folder of runs has one
                if found := re.fullmatch(r"(?:runs|teacher\.from)=outputs/(\w+)", word):
                    self.run(found[1])
            if words and words[0].startswith("sweep.resume="):
                return [f"sweep.resume={self.sweep(RUN.search(words[0])[1])}"]
            return [RUN.sub(lambda found: str(self.run(found[1])), word) for word in words]

        def compared(self, words):
            """A sweep in place of the example's folders; two of its runs where two are compared."""
            names = [found[1] for word in words if (found := re.match(r"outputs/(\w+)", word))]
            name = names[0] if names else "mlp_rain"
            if f"{name} swept" not in trained:
                trained[f"{name} swept"] = self.sweep(name)
            folder = trained[f"{name} swept"]
            runs = sorted(folder.glob("seed=*")) if "--diff" in words else [folder] * len(words)
            real = iter(runs)
            return [str(next(real)) if word.startswith("outputs") else word for word in words]

        def sweep(self, name):
            assert train(["-m", *self.small([f"experiment={name}", "seed=0,1"])]) == 0
            return max((place / "outputs" / name).glob("*/sweep.json")).parent

        def run(self, name):
            if name not in trained:
                words = self.with_runs(SOURCES.get(name, f"experiment={name}").split())
                assert train(self.small(words)) == 0
                trained[name] = max((place / "outputs" / name).iterdir())
            return trained[name]

    return World()


def run_train(words, world):
    if "--cfg" in words or "--help" in words:
        assert train(words) == 0
    elif any(word.startswith("hydra/launcher=") for word in words):
        check_launcher(words)
    elif any(part in word for part in ELSEWHERE for word in words):
        check_settings(words)
    else:
        flags = [word for word in words if word == "-m"]
        words = [word for word in words if word != "-m"]
        if any(word.startswith(("sweep=", "sweep.method=")) for word in words):
            words = [*words, "sweep.trials=2"]
        elif flags and not re.search(r"sweep\.(resume|zip)", str(words)):
            words = two_jobs(words)
        world.prepare(words)
        assert train([*flags, *world.small(world.with_runs(words))]) == 0


def two_jobs(words):
    """Of a sweep's values, two of the last list and one of the others."""
    swept = [word for word in words if re.search(r"=[^\[]*,", word)]
    kept = {word: word.split(",")[0] for word in swept}
    kept[swept[-1]] = ",".join(swept[-1].split(",")[:2])
    return [kept.get(word, word) for word in words]


def check_settings(words):
    """A training command that is not run: its settings are valid."""
    if "model=maxout" not in words:  # tests/test_contributing.py runs it
        build.check_options(composing.load(words))


def check_launcher(words):
    """A sweep for a cluster: its trials are valid, and so are the launcher's settings."""
    if RUN.search(str(words)) is None:
        check_settings([word.split(",")[0] for word in words[1:] if "launcher" not in word])
    own = [word for word in words if "launcher" in word]
    kind = re.search("submitit|ray", own[0])[0]
    pytest.importorskip(f"hydra_plugins.hydra_{kind}_launcher", reason="settings not checked")
    with initialize_config_dir(str(configs.CONFIG_DIR), version_base=None):
        compose("train", own, return_hydra_config=True)


def run_script(path, words, world):
    if Path(path).stem in (
        "results",
        "benchmark",
        "compression",
        "masked_baselines",
        "merge",
        "preferences",
        "screenshots",
    ):
        return  # they have tests of their own, or are minutes of work
    if any(word.startswith("run=outputs/maxout_") for word in words):
        return  # tests/test_contributing.py runs it
    if any(word in ("run=outputs/assistant", "run=outputs/aligned") for word in words):
        return  # tests/docs/test_finetuning.py follows the whole story
    if "chat=true" in words:
        return  # tests/commands/test_chat.py talks
    if any(word.startswith("init.from=") for word in words):
        return  # of the Hub; tests/commands/test_embed.py has weights of its own
    if "--decide" in words:  # tests/commands/test_decide.py trains its seeds
        assert compare_flags().parse_args(words).decide
        return
    script = runpy.run_path(ROOT / path)
    extra = ["steps=20"] if path == "scripts/find_lr.py" else []
    if path == "scripts/baselines.py" and words[0].startswith("experiments="):
        assert set(words[0].partition("=")[2].split(",")) <= set(configs.experiments())
        words, extra = ["experiments=mlp_diabetes"], ["seeds=0"]  # the others fit for minutes
    words = world.compared(words) if path == "scripts/compare.py" else world.with_runs(words)
    assert script["main"]([*words, *extra]) == 0


def check_make(words):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert words[0] in targets


def check_pytest(words):
    for word in words:
        if word.startswith("tests"):
            assert (ROOT / word).exists()


AS_WRITTEN = (
    "source .venv/bin/activate",
    "tensorboard --logdir outputs",
    "pre-commit install",
    "python -m venv .venv",
    "pip install --constraint constraints.txt .",
    "pip install --constraint constraints.txt --editable .",
    "pip install --constraint constraints.txt --editable '.[submitit]'",
    "pip install --constraint constraints.txt '.[harness]'",
    "pip install --editable '.[ray]'",
    "sbatch job.sh",
    # of a sweep over this setting, which the run that stands for it is not
    "python scripts/curves.py runs=outputs/naive_bayes_digits metric=test/accuracy "
    "x=data.train_size 'by=[model.name]'",
)


@pytest.mark.parametrize("command,page", COMMANDS)
def test_command(command, page, world):
    match shlex.split(command):
        case _ if command in AS_WRITTEN:
            pass
        case ["python", "train.py", *words]:
            run_train(words, world)
        case ["torchrun", *words]:
            get_args_parser().parse_args([*words[: words.index("train.py")], "train.py"])
            check_settings(words[words.index("train.py") + 1 :])
        case ["python", "-m", "pytest", *words]:
            check_pytest(words)
        case ["python", path, *words]:
            assert (ROOT / path).is_file()
            run_script(path, words, world)
        case ["zoo", *_] if page == "outside.md":
            pass  # tests/test_packaging.py runs them in an environment of their own
        case ["make", *words]:
            check_make(words)
        case _:
            pytest.fail(f"{page}: nothing here tries '{command}'")


def test_there_are_commands_on_every_page():
    pages = {page for page, _ in commands()}
    assert {page.name for page in PAGES if page.name != "decisions.md"} <= pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_previews_that_pages_name_are_drawn():
    """`filters` in "look at `filters`" is the name of a picture or text that some task writes."""
    source = "".join(path.read_text() for path in (ROOT / "zoo" / "tasks").rglob("*.py"))
    drawn = set(re.findall(r'(?:writer\.\w+|images_plots)\(\s*f?"(\w+)', source))
    named = set()
    for page in PAGES:
        for sentence in re.findall(r"Look at ([^.:;]+)", page.read_text(encoding="utf-8")):
            named.update(re.findall(r"`([a-z_]+)`", sentence))
    named.discard("precision")  # a line of the header
    assert named and named <= drawn, named - drawn


def test_the_contents_of_the_decisions_are_its_headings():
    """Every heading is listed once, in order, under its group."""
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    listed = [(2 + len(i) // 2, t) for i, t in re.findall(r"^( *)- \[(.+)\]\(#", text, re.M)]
    headings = [(len(marks), title) for marks, title in re.findall(r"^(##+) (.+)$", text, re.M)]
    assert listed == headings and len(headings) > 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_anchors_exist(page):
    """`[text](page.md#anchor)` and `[text](#anchor)` lead to a heading or an `<a id>`."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target, anchor in re.findall(r"\]\(([\w./-]*)#([^)\s]+)\)", text):
        if target == "" or target.endswith(".md"):
            known = anchors(page.parent / target if target else page)
            assert anchor in known, f"{page.name}: {target}#{anchor}"


def anchors(page):
    """Of the headings as GitHub makes them, and those written as `<a id>`."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    titles = [t.lower() for t in re.findall(r"^#+ (.+)$", text, re.MULTILINE)]
    made = {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}
    return made | set(re.findall(r'<a id="([\w-]+)"></a>', text))
