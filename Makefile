# The commands of this repository; `make` alone lists them.
#   PYTHON=python3.12   the Python that a new environment is made with
#   ARGS="..."          passed on: make train ARGS="experiment=mlp_rain", make test ARGS="-k csv"

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
RUN := $(VENV)/bin/python
SETUP := PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
WRITTEN_DOWN := pyproject.toml constraints.txt scripts/setup.sh

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 10

train: $(VENV)/installed ## train the default, a CNN on photographs of digits
	$(RUN) train.py $(ARGS)

test: $(VENV)/installed-dev ## all tests
	$(RUN) -m pytest -n auto $(ARGS)

lint: $(VENV)/installed-dev ## what a commit is checked for
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m check_jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

format: $(VENV)/installed-dev ## mend what can be mended
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

# Hours on two cores, one run at a time, so that its time is its own. What is downloaded goes to
# data/, unless DATA= names a folder that has it.
DATA ?= data
ALONE := $(RUN) train.py -m sweep.slots=1
results: $(VENV)/installed ## train every published experiment, renew the README's table
	$(ALONE) experiment=neuron_rain,mlp_rain,mlp_digits,cnn_digits seed=0,1,2,3,4
	$(ALONE) experiment=mlp_diabetes,mlp_breast_cancer,resnet20_digits seed=0,1,2,3,4
	$(ALONE) experiment=vit_digits seed=0,1,2
	$(ALONE) experiment=mlp_mnist,cnn_mnist seed=0,1,2 data.root=$(DATA)
	$(ALONE) experiment=gpt_shakespeare,gpt_shakespeare_large,lstm_shakespeare seed=0,1,2 \
		data.root=$(DATA)
	$(ALONE) experiment=bert_topics,gpt_topics,lstm_topics,word2vec_pydoc seed=0,1,2
	$(ALONE) experiment=lstm_stdlib,gru_stdlib,rnn_stdlib
	$(ALONE) experiment=transformer_numbers,rnn_attention_numbers
	$(ALONE) experiment=transformer_multi30k data.root=$(DATA)
	$(ALONE) experiment=gpt_stdlib
	$(ALONE) experiment=gpt_lora seed=0,1,2 data.root=$(DATA)
	$(ALONE) experiment=bert_pydoc
	$(ALONE) experiment=bert_finetune_text seed=0,1,2
	$(RUN) scripts/results.py runs=outputs

clean: ## remove the environment and caches; runs and data stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: $(WRITTEN_DOWN)
	$(SETUP) .

$(VENV)/installed-dev: $(WRITTEN_DOWN)
	$(SETUP) ".[dev]"
	@touch $(VENV)/installed

.PHONY: help train test lint format results clean
