"""PEFT's adapter_config.json: fields that are used, of no effect on an adapter, or refused."""

from collections.abc import Sequence

from zoo.errors import UserError
from zoo.weights.family import Family
from zoo.weights.fields import Fields, words

LORA = Fields(
    family="adapter",
    file="adapter_config.json",
    types=(),
    used=("r", "lora_alpha", "lora_dropout", "use_rslora", "use_dora"),
    fixed={
        "peft_type": ("LORA",),
        "bias": ("none",),
        # The others take a part out of the base model's weights, so that these are not the base's.
        "init_lora_weights": (True, False, "gaussian", "orthogonal", "eva"),
        "use_qalora": (False,),
        "lora_bias": (False,),
    }
    | dict.fromkeys(
        words(
            """
            rank_pattern alpha_pattern layer_replication trainable_token_indices target_parameters
            alora_invocation_tokens velora_config monteclora_config use_bdlora arrow_config
            kasa_config
            """
        ),
        (),
    ),
    without_effect=words(  # which modules are adapted, the tensors tell
        """
        auto_mapping base_model_name_or_path corda_config ensure_weight_tying eva_config
        exclude_modules fan_in_fan_out inference_mode layers_pattern layers_to_transform
        loftq_config lora_ga_config megatron_config megatron_core modules_to_save peft_version
        qalora_group_size revision runtime_config target_modules task_type
        """
    ),
)
LOST = {  # by family, ends of names of layers whose adapters PEFT does not apply, and why
    "deepseek": (
        (".gate_proj", ".up_proj", ".down_proj"),
        "PEFT takes it for a layer of the experts",
        "[attention.*]",
    ),
    "mamba": ((".out_proj", ".dt_proj"), "Mamba there reads its weight past it", "[up,select]"),
}


def check_targets(family: Family | None, targets: Sequence[str]) -> None:
    """Refuse layers whose adapters PEFT refuses, or leaves out without a word.

    Args:
        family: Whose names the layers have.
        targets: Those names.

    Raises:
        UserError: There are such.
    """
    if family is None or family.name not in LOST:
        return
    ends, why, others = LOST[family.name]
    if lost := [name for name in targets if name.endswith(ends)]:
        raise UserError(
            f"format=peft: the adapter of '{lost[0]}' would have no effect in PEFT: {why}; take "
            f"format=hf, which merges all, or a run with adapter.targets={others}"
        )
