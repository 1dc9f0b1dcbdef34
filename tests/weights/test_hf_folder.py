"""What the files of a folder as on the Hub say."""

import json

import jinja2
import pytest
import tokenizers

from zoo.data.images.encoding import ImageEncoding
from zoo.data.text.encoding import TextEncoding
from zoo.data.text.special_tokens import SPECIALS
from zoo.data.tokenizers.registry import MASK, train_tokenizer
from zoo.weights.hf_folder import Trained, chat_template, files_of, image_processor


def refuse(text):
    raise ValueError(text)


def render(template, *messages):
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    made = environment.from_string(chat_template(template))
    return made.render(messages=messages, raise_exception=refuse)


@pytest.mark.parametrize(
    "template",
    [
        "{prompt}",
        "{prompt}\n",
        '<|user|>"{prompt}"\n\n\\n{{ x }} 好🙂',
        "{% a %}{prompt} {prompt}'",
    ],
)
@pytest.mark.parametrize("prompt", ["hi", " {{ 1 }}\n'\"你好 🙂<|endoftext|>"])
def test_one_user_message_is_a_prompt_in_its_template(template, prompt):
    message = {"role": "user", "content": prompt}
    assert render(template, message) == template.replace("{prompt}", prompt)


def test_other_conversations_are_refused():
    user, answer = ({"role": role, "content": "x"} for role in ("user", "assistant"))
    for messages in ((answer,), (user, answer), (user, answer, user), ()):
        with pytest.raises(ValueError, match="give it one user message"):
            render("{prompt}", *messages)


def test_an_image_is_cropped_before_it_is_resized():
    encoding = ImageEncoding((8, 8), 1, (0.5,), (0.25,), ("a", "b"))
    said = image_processor(encoding)
    assert said["image_processor_type"] == "PerceiverImageProcessor"
    assert said["size"] == said["crop_size"] == {"height": 8, "width": 8}
    assert (said["image_mean"], said["image_std"]) == ([0.5], [0.25])
    squashed = image_processor(ImageEncoding((4, 8), 3, (0.5,) * 3, (1.0,) * 3, ("a",), "squash"))
    assert squashed["image_processor_type"] == "ViTImageProcessor" and squashed["do_convert_rgb"]


@pytest.mark.parametrize(("task", "is_one"), [("infilling", True), ("causal_lm", False)])
def test_a_mask_is_one_token_where_the_model_fills_it(task, is_one):
    tokenizer = train_tokenizer("bpe", ["a b c " * 20], vocab_size=280, specials=[*SPECIALS, MASK])
    trained = Trained("transformer", {"block_size": 8}, {}, TextEncoding(tokenizer, 8), task)
    read = tokenizers.Tokenizer.from_str(json.dumps(files_of(trained).content))
    read.encode_special_tokens = True  # as the example of the card has it
    assert (tokenizer.specials[MASK] in read.encode("a [MASK] b").ids) == is_one
