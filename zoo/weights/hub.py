"""Names on the Hugging Face Hub: which they are, and their files in its package's own cache."""

import re
from pathlib import Path

from zoo.config import groups as configs
from zoo.errors import UserError, closest_match
from zoo.program import spelled

PATTERNS = [  # of a Hub's repository
    "*.json", "*.txt", "*.jinja", "tokenizer.model", "*.safetensors", "pytorch_model*.bin",
]  # fmt: skip
NAME = re.compile(r"[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com)/"
    r"([^/?#]+(?:/[^/?#]+)?)(?:/tree/[^/]+)?/?"
)
FILES = re.compile(  # ends as a file of weights; other dots are part of a name: resnet18.a1_in1k
    r".*\.(safetensors|pt|pth|bin|ckpt|tar|gz|tgz|zip|7z|pkl|npz|npy|h5|hdf5|keras|msgpack|onnx|"
    r"gguf|pb|tflite|json|txt|yaml|yml|pdparams|mlmodel|engine|pt2|csv)",
    re.IGNORECASE,
)


def hub_name(location: str) -> str | None:
    """The name of a repository that `location` is or, as an address, holds; None for a path."""
    if match := ADDRESS.fullmatch(location):
        return match[1]
    is_name = NAME.fullmatch(location) and not FILES.fullmatch(location)
    return location if is_name else None


def download(location: str, online: bool = True) -> Path:
    """A repository of the Hub, in its own cache.

    Args:
        location: Its name or address.
        online: Whether the network may be asked; else it must be in the cache.

    Raises:
        UserError: No such path, no package, no network.
    """
    name = hub_name(location)
    if name is None and "://" in location:
        raise UserError(f"init.from={location} is an address; download the file, and name it here")
    if name is None or "/" in name and Path(name).name in configs.experiments():  # a run's folder
        raise UserError(f"init.from={location}: there is no such file or folder{_hint(location)}")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UserError(
            f"init.from={location}: there is no such file or folder{_hint(location)}; to look for "
            f"it on the Hugging Face Hub, install its package: pip install huggingface_hub"
        ) from None
    try:
        cached_only = not online
        return Path(snapshot_download(name, allow_patterns=PATTERNS, local_files_only=cached_only))
    except Exception as error:  # dozens of kinds, of several packages
        if not online:
            raise UserError(
                f"init.from={location}: it is not in the Hugging Face Hub's cache on this machine, "
                f"and a name that only a run's config gives is not looked up on the network; if "
                f"you trust it: hf download {name}"
            ) from None
        raise UserError(
            f"init.from={location}: no such file or folder here{_hint(location)}, and the Hugging "
            f"Face Hub did not give it ({_reason(error)})"
        ) from None


def _reason(error: Exception) -> str:
    """One line, with a remedy where there is one."""
    text, kind = " ".join(str(error).split()), type(error).__name__
    if "ConnectError" in text or "Connection" in text or "onnect" in kind:
        return (
            "it cannot be reached (no network?); download the folder where there is one, and name "
            "it here, or set HF_ENDPOINT to a mirror"
        )
    if kind in ("OfflineModeIsEnabled", "LocalEntryNotFoundError"):
        return "it is not in the cache, and HF_HUB_OFFLINE forbids asking for it"
    if kind == "GatedRepoError":
        return "its licence must be accepted first, at huggingface.co"
    if kind in ("RepositoryNotFoundError", "HFValidationError"):
        return f"it has no public repository of that name: {kind}"
    return f"{kind}: {text[:200]}"


def _hint(location: str) -> str:
    """How to get the run of one of our experiments that is looked for; a name like it."""
    path = Path(location)
    if path.name in configs.experiments():
        return spelled(f"; train it first: python train.py experiment={path.name}")
    try:
        names = [p.name for p in path.expanduser().parent.iterdir()]
    except (OSError, ValueError, RuntimeError):
        names = []
    near = closest_match(path.name, names) if path.name else None
    return f"; did you mean {path.parent / near}?" if near else ""
