"""Models as graphs: ONNX (whole or in 8 bits), and torch.export's own format."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from zoo.data.encoding import Encoding
from zoo.errors import UserError
from zoo.schema import parameters
from zoo.weights.raw_inputs import Preprocessed, input_name, preprocessed

LONGEST, LEAST = 2**16, 2
LARGE_PROPERTIES = ("columns", "vocabulary")  # in preprocessing.json alone


@runtime_checkable
class HasContext(Protocol):
    """A language model that says how many tokens it reads at most; None for no limit."""

    context: int | None


def context_of(model: nn.Module | None) -> int | None:
    """The most tokens that a model reads, None for no limit."""
    return model.context if isinstance(model, HasContext) else None


class Inputs:
    """A model with its preprocessing, examples of what it reads, and which dimensions may vary.

    Args:
        facts: Facts of the model's data.
        model: The model.
        encoding: How the data becomes its input.
        output: What the model gives, where that is no logits.
    """

    def __init__(
        self,
        facts: dict[str, Any],
        model: nn.Module,
        encoding: Encoding,
        output: str = "logits",
    ) -> None:
        batch = torch.export.Dim("batch", min=1, max=LONGEST)
        self.model, self.axes = model, [["batch"]]
        self.output = "value" if "target_std" in facts else output
        self.answer = ["batch"] if "num_outputs" in facts or "num_classes" in facts else []
        if shape := facts.get("input_shape"):
            self.model = preprocessed(model, encoding, facts)
            self.names = [input_name(encoding)]
            self.example: tuple[Tensor, ...] = (self.model.raw(torch.randn(LEAST, *shape)),)
            self.sides: list[dict[int, Any]] = [{0: batch}]
            return
        if "vocab_size" not in facts:
            raise UserError(
                f"this model cannot be exported as a graph: its input, {encoding.holds}, is no "
                f"image, row of a table or text; take format=safetensors"
            )
        size = facts["vocab_size"]
        most = min(context_of(model) or LONGEST, LONGEST)
        if "target" in parameters(model.forward):  # what is read, and what is written so far
            source, target = (torch.randint(size, (LEAST, min(most, n))) for n in (7, 5))
            sides = [torch.export.Dim(name, min=LEAST, max=most) for name in ("s", "t")]
            self.names, self.example = ["source", "target"], (source, target)
            self.sides = [{0: batch, 1: side} for side in sides]
            self.axes = [["batch", "source_length"], ["batch", "target_length"]]
            self.answer = ["batch", "target_length"]
            return
        length = torch.export.Dim("length", min=LEAST, max=most)
        self.names = ["tokens"]
        self.example = (torch.randint(size, (LEAST, min(most, 8))),)
        self.sides = [{0: batch, 1: length}]
        self.axes, self.answer = [["batch", "length"]], self.answer or ["batch", "length"]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the exporters' own commentary."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    output = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(output):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(output):
                yield
    finally:
        logging.disable(before)


def export_program(inputs: Inputs) -> Any:
    """The model as a `torch.export.ExportedProgram`, batch and length free.

    Raises:
        UserError: It cannot be traced.
    """
    try:
        with quiet():
            program = torch.export.export(
                inputs.model.eval(),
                inputs.example,
                dynamic_shapes=tuple(inputs.sides),
                strict=False,
            )
        if (number := len(program.graph_signature.user_outputs)) != 1:
            raise UserError(f"it answers with {number} arrays, expected one")
        return program
    except Exception as error:  # of many kinds, pages long
        first = str(error).strip().splitlines()[0][:160]
        reason = f"({type(error).__name__}: {first}); take format=safetensors"
        if "specialized it to be a constant" in str(error):  # a loop, unrolled
            reason = (
                "for inputs of any length: it reads them step by step, and a graph would hold the "
                "steps of one length; take format=safetensors, or train one that reads all "
                "positions at once, such as model=bert or gpt"
            )
        raise UserError(f"this model cannot be exported as a graph {reason}") from None


def write_onnx(inputs: Inputs, path: Path, about: dict[str, Any]) -> float:
    """Write model.onnx and compare it with the model on another batch; the largest difference.

    Args:
        inputs: The model and what it reads.
        path: The file.
        about: What `zoo.weights.raw_inputs.describe` gave: the file's metadata.

    Raises:
        UserError: A package is missing, the model cannot be traced, or the file differs from it.
    """
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"format=onnx needs a package ({error}): pip install --editable '.[onnx]'"
        ) from None
    program = export_program(inputs)
    with quiet():
        graph = torch.onnx.export(program, input_names=inputs.names, output_names=[inputs.output])
        assert graph is not None
        _name_axes(graph.model.graph, inputs)
        for name, value in about.items():
            if name not in LARGE_PROPERTIES:
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                graph.model.metadata_props[name] = text
        graph.save(str(path))
    other = tuple(torch.cat([x, x.flip(0), x[:1]]) for x in inputs.example)
    if inputs.axes[0][1:] == ["length"]:
        other = (other[0][:, : max(LEAST, other[0].shape[1] - 1)],)
    with torch.no_grad():
        expected, logits = inputs.model(*other), run_onnx(open_onnx(path), other)
    worst = float((expected - logits).abs().max())
    if isinstance(inputs.model, Preprocessed):  # a target's mean may be large beside all errors
        expected, logits = map(inputs.model.standardised, (expected, logits))
    if not bool((expected - logits).abs().max() <= 1e-3 * expected.abs().max().clamp(min=1)):
        raise UserError(f"{path} does not give the model's logits (off by {worst:.2g})")
    return worst


def _name_axes(graph: Any, inputs: Inputs) -> None:
    """Name the dimensions that vary, in place of the exporter's own symbols."""
    every = [*zip(graph.inputs, inputs.axes, strict=True), (graph.outputs[0], inputs.answer)]
    for value, axes in every:
        value.shape = type(value.shape)([*axes, *list(value.shape)[len(axes) :]])


def open_onnx(path: Path) -> Any:
    """A session of onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_onnx(session: Any, inputs: tuple[Tensor, ...]) -> Tensor:
    """The first output."""
    names = [node.name for node in session.get_inputs()]
    feeds = {name: x.cpu().numpy() for name, x in zip(names, inputs, strict=True)}
    return torch.from_numpy(session.run(None, feeds)[0])


class OnnxModel(nn.Module):
    """A file run by onnxruntime, to be called as the model is: with prepared inputs."""

    def __init__(self, path: Path, inputs: Inputs) -> None:
        super().__init__()
        self.session, self.inputs = open_onnx(path), inputs
        self.context = context_of(inputs.model)

    def forward(self, *inputs: Tensor, positions: Tensor | None = None) -> Tensor:
        """Logits; with `positions`, indices into the flattened tokens, those there only."""
        steps = self.inputs.model
        if isinstance(steps, Preprocessed):
            inputs = tuple(map(steps.raw, inputs))
        logits = run_onnx(self.session, inputs)
        if isinstance(steps, Preprocessed):
            logits = steps.standardised(logits)
        return logits if positions is None else logits.flatten(0, 1)[positions]


def write_int8(source: Path, path: Path) -> None:
    """The same graph with weights of 8 bits.

    Inputs of matrix products are quantized dynamically. Convolutions of 8 bits take twenty times
    as long in onnxruntime: only their weights are stored so, with a scale for each output channel.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with quiet():
        quantize_dynamic(
            source,
            path,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    model = onnx.load(path)
    _store_convolutions_small(model.graph)
    onnx.save(model, path)


def _store_convolutions_small(graph: Any) -> None:
    from onnx import TensorProto, helper, numpy_helper

    weights = {tensor.name: tensor for tensor in graph.initializer}
    kernels = {node.input[1] for node in graph.node if node.op_type == "Conv"} & set(weights)
    for name in sorted(kernels):
        weight = torch.from_numpy(numpy_helper.to_array(weights[name]).copy())  # (O, I, h, w)
        scale = weight.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-30) / 127
        small = (weight / scale).round().to(torch.int8)
        graph.initializer.remove(weights[name])
        for suffix, value in (("int8", small), ("scale", scale)):
            graph.initializer.append(numpy_helper.from_array(value.numpy(), f"{name}.{suffix}"))
        # Plain arithmetic, which is done once when the file is loaded; DequantizeLinear is not.
        widen = helper.make_node("Cast", [f"{name}.int8"], [f"{name}.float"], to=TensorProto.FLOAT)
        scaled = helper.make_node("Mul", [f"{name}.float", f"{name}.scale"], [name])
        graph.node.insert(0, scaled)
        graph.node.insert(0, widen)
