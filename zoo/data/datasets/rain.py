"""Rain: will it rain, given temperature and humidity? Generated, to show what a network learns.

Four kinds of weather, of which two bring rain:
- hot and humid: the moist air rises, thunderstorms break - rain;
- hot and dry: a clear summer day - dry;
- cold and humid: fog lies still under warmer air - dry;
- cold and rather dry: polar air behind a cold front, showers - rain.
So neither more heat nor more moisture means rain by itself, and no straight line separates the
two: logistic regression gets about 0.8 right, a small MLP over 0.99. There is a small gap
between the kinds, so that the remaining error is the model's.
"""

import torch
from torch import Tensor

from zoo.data.context import DataContext
from zoo.data.dataset import Dataset
from zoo.data.tables.dataset import table_dataset
from zoo.errors import UserError
from zoo.registry import DATASETS

MILD = 12.0  # degrees Celsius: between cold and hot
MUGGY = 60.0  # percent: between dry and humid on a hot day
DAMP = 40.0  # percent: between showers and fog on a cold day


@DATASETS.register("rain", uses=("labels",), tiny={"samples": 200})
def rain(context: DataContext, samples: int = 2000, seed: int = 0) -> Dataset:
    """Two features, temperature (degrees Celsius) and humidity (%); classes dry and rain."""
    if samples < 20:
        raise UserError(f"data.samples={samples}: expected 20 or more")
    temperature, humidity, falls = weather(samples, seed)
    raw = {"temperature": temperature, "humidity": humidity}
    return table_dataset(raw, falls, "weather", ["dry", "rain"], context)


def weather(samples: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Temperatures (-5..35 degrees) and humidities (15..100 %), float64; 1 where it rains."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand(4 * samples, 2, dtype=torch.float64, generator=generator)
    temperature, humidity = points[:, 0] * 40 - 5, points[:, 1] * 85 + 15
    hot = temperature > MILD
    border = torch.where(hot, MUGGY, DAMP)
    clear = ((humidity - border).abs() > 2) & ((temperature - MILD).abs() > 1)
    chosen = clear.nonzero()[:samples, 0]
    assert len(chosen) == samples, "a quarter of the points is always enough"
    falls = torch.where(hot, humidity > border, humidity < border).long()
    return temperature[chosen], humidity[chosen], falls[chosen]
