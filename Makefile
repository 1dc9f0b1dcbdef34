# The commands of this repository; `make` alone lists them.
#   PYTHON=python3.12   the Python that a new environment is made with
#   ARGS="..."          extra arguments: make train ARGS="experiment=mlp_rain", make test ARGS="-k csv"

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
RUN := $(VENV)/bin/python
SETUP := PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
REQUIREMENTS := pyproject.toml constraints.txt scripts/setup.sh

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 10

train: $(VENV)/installed ## train the default, a CNN on images of digits
	$(RUN) train.py $(ARGS)

test: $(VENV)/installed-dev ## all tests
	$(RUN) -m pytest -n auto $(ARGS)

lint: $(VENV)/installed-dev ## style and static checks of a commit
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m check_jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

format: $(VENV)/installed-dev ## fix what can be fixed automatically
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

# Hours on two cores, one run at a time, so that the reported times are not those of shared cores.
# Downloads go to data/; DATA= names a folder that already has the files.
DATA ?= data
SERIAL := $(RUN) train.py -m sweep.slots=1
results: $(VENV)/installed ## train every published experiment, renew the tables of results
	$(SERIAL) experiment=neuron_rain,mlp_rain,mlp_digits,cnn_digits seed=0,1,2,3,4
	$(SERIAL) experiment=mlp_diabetes,mlp_breast_cancer,resnet20_digits seed=0,1,2,3,4
	$(SERIAL) experiment=cnn_digits  # the newest, of the split of mlp_distill: its teacher
	$(SERIAL) experiment=diffusion_digits,mlp_distill seed=0,1,2,3,4
	$(SERIAL) experiment=naive_bayes_digits,vae_digits,vae_codes_digits seed=0,1,2,3,4
	$(SERIAL) experiment=vit_digits,gan_digits,vae_plane_digits,dit_digits seed=0,1,2
	$(SERIAL) experiment=mlp_curve,factorization_machine seed=0,1,2
	$(SERIAL) experiment=hmm_tags,lstm_tags,bert_tags,ntm_copy,lstm_copy seed=0,1,2
	$(SERIAL) experiment=clip_glyphs seed=0,1,2,3,4
	$(SERIAL) experiment=mlp_mnist,cnn_mnist,vae_mnist seed=0,1,2 data.root=$(DATA)
	$(SERIAL) experiment=vae_spread_mnist seed=0,1,2,3,4 data.root=$(DATA)
	$(SERIAL) experiment=diffusion_mnist data.root=$(DATA)
	$(SERIAL) experiment=gpt_shakespeare,gpt_shakespeare_large,lstm_shakespeare seed=0,1,2 \
		data.root=$(DATA)
	$(SERIAL) experiment=mamba_shakespeare,deepseek_shakespeare data.root=$(DATA)
	$(SERIAL) experiment=bert_topics,gpt_topics,lstm_topics,word2vec_pydoc seed=0,1,2
	$(SERIAL) experiment=lstm_stdlib,gru_stdlib,rnn_stdlib
	$(SERIAL) experiment=transformer_numbers,rnn_attention_numbers
	$(SERIAL) experiment=transformer_multi30k data.root=$(DATA)
	$(SERIAL) experiment=gpt_chat
	$(SERIAL) experiment=gpt_sums_start seed=0,1,2
	$(SERIAL) experiment=gpt_sums seed=0,1,2
	$(SERIAL) experiment=llama_stdlib seed=0,1,2
	$(SERIAL) experiment=gpt_stdlib
	$(SERIAL) experiment=gpt_functions
	$(RUN) scripts/preferences.py run=outputs/gpt_functions path=outputs/preferences.jsonl better=both
	$(SERIAL) experiment=gpt_dpo seed=0,1,2
	$(SERIAL) experiment=gpt_distill
	$(SERIAL) experiment=gpt_lora seed=0,1,2 data.root=$(DATA)
	$(SERIAL) experiment=bert_pydoc
	$(SERIAL) experiment=bert_pairs_short
	$(SERIAL) experiment=bert_pairs
	$(SERIAL) experiment=transformer_pydoc
	$(SERIAL) experiment=bert_finetune_text seed=0,1,2
	$(RUN) scripts/baselines.py root=$(DATA) write=true
	$(RUN) scripts/results.py runs=outputs

clean: ## remove the environment and caches; runs and data stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: $(REQUIREMENTS)
	$(SETUP) .

$(VENV)/installed-dev: $(REQUIREMENTS)
	$(SETUP) ".[dev]"
	@touch $(VENV)/installed

.PHONY: help train test lint format results clean
