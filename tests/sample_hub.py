"""A stand-in for the datasets of Hugging Face's library."""


class Rows:
    """As much of `datasets.Dataset` as is asked for."""

    def __init__(self, features=None, **columns):
        self.columns, self.column_names = columns, list(columns)
        self.features = {name: (features or {}).get(name) for name in columns}

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name):
        return self.columns[name]

    def select(self, index):
        return Rows(self.features, **{n: [c[i] for i in index] for n, c in self.columns.items()})
