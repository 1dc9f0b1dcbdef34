from zoo.api.run import Run as Run
from zoo.api.run import load as load
from zoo.api.train import train as train
from zoo.compare.ranked import compare as compare
from zoo.errors import TrainingFailed as TrainingFailed
from zoo.errors import UserError as UserError

__version__: str
