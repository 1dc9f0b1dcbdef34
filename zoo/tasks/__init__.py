"""Tasks: the objective. A task turns a batch into a loss and metric sums, by `model(...)` calls."""
