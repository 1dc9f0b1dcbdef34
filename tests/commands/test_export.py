"""Runs for other programs: what is written, what is refused, what can be read again.

That others' programs use them as predict.py does: test_every_export.py, test_every_hub_folder.py.
"""

import json

import pytest
import torch
from safetensors.torch import load_file

from zoo.commands.export import FORMATS, main
from zoo.restore import restore

TEXT = (
    "the quick brown fox jumps over the lazy dog. pack my box with five dozen liquor jugs.\n" * 60
)
SMALL = (
    "data=text", "data.block_size=16", "data.batch_size=4", "trainer.max_steps=3",
    "trainer.eval_steps=3", "trainer.precision=fp32", "optim.lr=0.01",
)  # fmt: skip
GPT = ("model=gpt", "task=causal_lm", "model.width=16", "model.depth=2", "model.heads=2")
BERT = (
    "model=bert", "task=masked_lm", "data.mask_token=true", "model.width=16", "model.depth=2",
    "model.heads=2", "model.dropout=0",
)  # fmt: skip
RNN = ("model=rnn", "task=causal_lm", "model.width=16")
DIGITS = ("data=digits", "trainer.max_steps=3", "trainer.precision=fp32")
CASES = {
    "gpt": (*SMALL, *GPT, "data.tokenizer=bpe", "data.vocab_size=300"),
    "gpt bytes": (*SMALL, *GPT, "data.tokenizer=byte"),
    "gpt letters": (*SMALL, *GPT, "data.tokenizer=char", "model.tie=false"),
    "bert": (*SMALL, *BERT, "data.tokenizer=bpe", "data.vocab_size=300"),
    "rnn": (*SMALL, *RNN, "data.tokenizer=byte"),
    "modern gpt": (
        *SMALL,
        *GPT,
        "data.tokenizer=word",
        "model.positions=rotary",
        "model.norm=rms",
        "model.activation=swiglu",
        "model.qk_norm=true",
        "model.bias=false",
        "model.tie=false",
        "model.init=zero",
        "model.kv_heads=1",
    ),
    "mean topics": (
        "model=bert",
        "task=classification",
        "data=text_csv",
        "data.text=text",
        "data.target=kind",
        "data.tokenizer=byte",
        "data.block_size=16",
        "model.token_types=0",
        *BERT[3:6],
        *SMALL[3:],
    ),
    "cnn": ("model=cnn", *DIGITS, "model.width=4"),
    "vit": ("model=vit", *DIGITS, "model.width=16", "model.depth=1", "model.heads=2"),
    "resnet": ("model=resnet", *DIGITS, "model.depth=8", "model.width=4"),
    "resnet18": ("model=resnet", *DIGITS, "model.depth=18", "model.width=4"),
    "mlp": ("model=mlp", "data=iris", "trainer.max_steps=3"),
}


@pytest.fixture
def run(train, tmp_path):
    """A few steps of a case; the run directory."""

    def begin(case):
        (tmp_path / "text.txt").write_text(TEXT)
        path = (f"data.path={tmp_path / 'text.txt'}",) if "data=text" in CASES[case] else ()
        if "data=text_csv" in CASES[case]:
            rows = "".join(f"a text {k},{'ab'[k % 2]}\n" for k in range(40))
            (tmp_path / "texts.csv").write_text("text,kind\n" + rows)
            path = (f"data.path={tmp_path / 'texts.csv'}",)
        done = train(*CASES[case], *path)
        assert done.code == 0, done.err
        return done.path

    return begin


def export(run, form, out, capsys):
    capsys.readouterr()
    assert main([f"run={run}", f"format={form}", f"out={out}"]) == 0, capsys.readouterr().err
    card = (out / "README.md").read_text()
    config = (run / "config.yaml").read_text()
    assert "## Metrics" in card and "SHA-256" in card and "seed" in config and "commit" in card
    return capsys.readouterr().out


def inputs(restored, batch=3, length=11):
    torch.manual_seed(1)
    if shape := restored.facts.get("input_shape"):
        return torch.randn(batch, *shape)
    return torch.randint(restored.facts["vocab_size"], (batch, length))


def raw(restored, batch, length=None):
    if restored.encoding.kind == "image":
        return torch.randint(0, 256, (batch, *restored.facts["input_shape"]), dtype=torch.uint8)
    return inputs(restored, batch, length)


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def test_a_gguf_file_computes_what_the_run_does(run, tmp_path, capsys):
    gguf_reader = pytest.importorskip("gguf_reader")
    path = run("gpt")
    said = export(path, "gguf", tmp_path / "out", capsys)
    assert "For llama.cpp" in said and "model.gguf" in said
    assert "from llama_cpp import Llama" in (tmp_path / "out" / "README.md").read_text()
    file, restored = gguf_reader.File(tmp_path / "out" / "model.gguf"), restore(path)
    tokens = inputs(restored)
    with torch.no_grad():
        close(file.logits(tokens), restored.model(tokens))
    arguments = [f"run={path}", "format=gguf", f"out={tmp_path / 'small'}", "dtype=f16"]
    assert main(arguments) == 0
    small = gguf_reader.File(tmp_path / "small" / "model.gguf")
    assert small.types["token_embd.weight"] == "F16"


@pytest.mark.parametrize("case", ["gpt", "bert", "resnet18"])
def test_what_transformers_would_open_we_read_again(run, train, tmp_path, capsys, case):
    path, out = run(case), tmp_path / "out"
    export(path, "hf", out, capsys)
    place = (f"data.path={tmp_path / 'text.txt'}",) if case != "resnet18" else ()
    again = train(*CASES[case], *place, f"init.from={out}", "trainer.max_steps=1", "optim.lr=0")
    assert again.code == 0, again.err
    a, b = restore(path), restore(again.path)
    assert all(torch.equal(x, y) for x, y in zip(a.model.parameters(), b.model.parameters()))


@pytest.mark.parametrize("case", ["gpt", "cnn", "rnn"])
def test_our_own_form_round_trips_to_the_bit(run, train, tmp_path, capsys, case):
    path, out = run(case), tmp_path / "out"
    export(path, "safetensors", out, capsys)
    place = (f"data.path={tmp_path / 'text.txt'}",) if "data=text" in CASES[case] else ()
    again = train(*CASES[case], *place, f"init.from={out}", "trainer.max_steps=1", "optim.lr=0")
    assert again.code == 0, again.err
    first = load_file(next((path / "checkpoints").glob("best-*")) / "model.safetensors")
    second = load_file(next((again.path / "checkpoints").glob("last-*")) / "model.safetensors")
    trained = {n for n, _ in restore(path).model.named_parameters()} & first.keys()
    assert trained and all(torch.equal(first[name], second[name]) for name in trained)


@pytest.mark.parametrize("case", ["bert", "vit"])
def test_graphs_take_any_batch_of_raw_inputs(run, tmp_path, capsys, case):
    """What they answer is held to predict.py in test_every_export.py."""
    path = run(case)
    restored = restore(path)
    export(path, "torch_export", tmp_path / "pt2", capsys)
    graph = torch.export.load(tmp_path / "pt2" / "model.pt2").module()
    for batch, length in ((1, 16), (5, 3)):
        x = raw(restored, batch, length)
        with torch.no_grad():
            close(graph(x), restored.model(restored.encoding.prepare({"input": x})["input"]))


def test_a_graph_says_what_it_takes_and_gives(run, tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert "within" in export(run("cnn"), "onnx", tmp_path / "onnx", capsys)
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / "model.onnx")
    (pixels,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.type, pixels.shape) == (
        "pixels",
        "tensor(uint8)",
        ["batch", 1, 8, 8],
    )
    assert (logits.name, logits.shape) == ("logits", ["batch", 10])
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["class_names"]) == [str(k) for k in range(10)]
    form = {"channels": 1, "height": 8, "width": 8, "resize": "crop", "background": "black"}
    assert json.loads(known["image"]) == form
    assert known["task"] == "classification"


@pytest.mark.parametrize("case", ["gpt bytes", "bert"])
def test_eight_bits_say_what_they_cost(run, tmp_path, capsys, case):
    pytest.importorskip("onnxruntime")
    said = export(run(case), "int8", tmp_path / "out", capsys)
    rows = {line.split("  ")[0].strip(): line.split() for line in said.splitlines()}
    assert float(rows["loss"][-1]) == pytest.approx(1, abs=0.02)
    assert 0 < float(rows["MB"][-1]) < 1
    assert not list((tmp_path / "out").glob("whole*"))


def test_convolutions_of_8_bits_are_stored_not_computed(run, tmp_path, capsys):
    onnx, onnxruntime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    path = run("resnet")
    export(path, "int8", tmp_path / "out", capsys)
    graph = onnx.load(tmp_path / "out" / "model.onnx").graph
    kinds = [node.op_type for node in graph.node]
    kernels = [tensor for tensor in graph.initializer if tensor.name.endswith(".int8")]
    assert len(kernels) == kinds.count("Conv") == 7 and "ConvInteger" not in kinds
    assert all(tensor.data_type == onnx.TensorProto.INT8 for tensor in kernels)
    restored = restore(path)
    x = raw(restored, 64)
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx")
    actual = torch.from_numpy(session.run(None, {"pixels": x.numpy()})[0])
    with torch.no_grad():
        expected = restored.model(restored.encoding.prepare({"input": x})["input"])
    assert "class_names" in session.get_modelmeta().custom_metadata_map
    assert 0 < (actual - expected).abs().max() < 0.05 * expected.abs().max()


def test_an_adapter_is_merged_or_goes_alone(run, train, tmp_path, capsys):
    base = run("gpt")
    place = f"data.path={tmp_path / 'text.txt'}"
    done = train(*CASES["gpt"], place, f"init.from={base}", "adapter=lora", "optim.lr=0.1")
    assert done.code == 0, done.err
    restored = restore(done.path)
    x = inputs(restored)
    export(done.path, "hf", tmp_path / "hf", capsys)
    export(done.path, "peft", tmp_path / "peft", capsys)
    transformers, peft = pytest.importorskip("transformers"), pytest.importorskip("peft")
    whole = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "hf").eval()
    export(base, "hf", tmp_path / "base", capsys)
    plain = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "base").eval()
    with torch.no_grad():
        close(whole(x).logits, restored.model(x))
        assert not torch.allclose(plain(x).logits, restored.model(x), atol=1e-3)
        close(
            peft.PeftModel.from_pretrained(plain, tmp_path / "peft").eval()(x).logits,
            restored.model(x),
        )


@pytest.mark.parametrize(
    ("case", "form", "said"),
    [
        ("cnn", "hf", "there is no published family of model=cnn"),
        ("resnet", "hf", "resnet cannot express model.depth=8; a run with model.depth=18 fits; or"),
        (
            "modern gpt",
            "hf",
            "llama cannot express model.qk_norm=true, data.tokenizer=word; a run with "
            "model.qk_norm=false data.tokenizer=bpe fits; or take format=safetensors or onnx",
        ),
        (
            "mean topics",
            "hf",
            "bert cannot express model.token_types=0, model.pool=mean; a run "
            "with model.token_types=2 model.pool=first fits",
        ),
        (
            "rnn",
            "onnx",
            "this model cannot be exported as a graph for inputs of any length: it reads them step "
            "by step, and a graph would hold the steps of one length; take format=safetensors, or ",
        ),
        ("mlp", "peft", "format=peft is for adapter=lora, got adapter=none"),
    ],
)
def test_what_a_format_cannot_hold(run, tmp_path, capsys, case, form, said):
    path = run(case)
    capsys.readouterr()
    assert main([f"run={path}", f"format={form}", f"out={tmp_path / 'out'}"]) == 2
    answer = capsys.readouterr().err
    assert said in answer and answer.count("\n") == 1
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".out*"))


def test_mistakes(tmp_path, capsys):
    for arguments, said in (
        ([f"run={tmp_path}", "format=onix", "out=x"], "did you mean 'onnx'"),
        (["run=nowhere", "format=onnx", f"out={tmp_path}"], "exists already"),
        (["run=nowhere", "format=onnx", f"out={tmp_path / 'x'}"], "there is no such folder"),
        (["run=nowhere", "format=onnx"], "out= is missing"),
        (["run=nowhere", "format=hf", "out=x", "dtype=f16"], "dtype=f16 is for format=gguf, not"),
        (["run=nowhere", "format=gguf", "out=x", "dtype=q8"], "did you mean 'q8_0'"),
    ):
        assert main(arguments) == 2
        assert said in capsys.readouterr().err
    assert set(FORMATS) == {
        "safetensors", "hf", "gguf", "peft", "onnx", "int8", "torch_export"
    }  # fmt: skip
