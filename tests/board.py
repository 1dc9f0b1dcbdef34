"""What TensorBoard answers its own pages about a folder: its plugins, asked as the browser asks."""

from dataclasses import dataclass
from functools import cached_property

STATUSES = [f"STATUS_{name}" for name in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]


@dataclass
class Session:
    """A row of the HParams table; values as shown."""

    status: str
    settings: dict
    metrics: dict


class Board:
    """TensorBoard's backend on a folder."""

    def __init__(self, folder):
        from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
        from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
        from tensorboard.plugins.base_plugin import TBContext

        multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
        multiplexer.Reload()
        provider = MultiplexerDataProvider(multiplexer, str(folder))
        self.plugins = {}
        self.context = TBContext(
            logdir=str(folder),
            multiplexer=multiplexer,
            data_provider=provider,
            plugin_name_to_instance=self.plugins,
        )
        self.runs = sorted(multiplexer.Runs())

    def _ask(self, plugin, path, query=None, **request):
        from werkzeug.test import Client

        method = "POST" if query is None else "GET"
        answer = Client(plugin.get_plugin_apps()[path]).open(
            method=method, query_string=query, json=request if query is None else None
        )
        assert answer.status_code == 200, answer.text
        return answer.json

    @cached_property
    def _hparams(self):
        from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin

        return HParamsPlugin(self.context)

    def columns(self):
        """Names of the settings, those that differ first, as the page shows them: without spaces
        at the ends; names of all metrics."""
        found = self._ask(self._hparams, "/experiment")
        settings = found["hparamInfos"]
        return (
            [entry["name"].strip() for entry in settings if entry.get("differs")],
            [entry["name"].strip() for entry in settings if not entry.get("differs")],
            [entry["name"]["tag"] for entry in found["metricInfos"]],
        )

    def sessions(self):
        """Run to what its row says."""
        request = {"startIndex": 0, "sliceSize": 1000, "allowedStatuses": STATUSES}
        groups = self._ask(self._hparams, "/session_groups", **request)["sessionGroups"]
        found = {}
        for group in groups:
            (session,) = group["sessions"]
            metrics = {
                entry["name"]["tag"]: entry["value"] for entry in session.get("metricValues", [])
            }
            status = session["status"].removeprefix("STATUS_")
            settings = {name.strip(): value for name, value in group["hparams"].items()}
            found[session["name"]] = Session(status, settings, metrics)
        return found

    def charts(self):
        """Custom scalars: heading to chart to the tags of each run that it shows."""
        from tensorboard.plugins.custom_scalar.custom_scalars_plugin import CustomScalarsPlugin
        from tensorboard.plugins.scalar.scalars_plugin import ScalarsPlugin

        self.plugins["scalars"] = ScalarsPlugin(self.context)
        plugin = CustomScalarsPlugin(self.context)

        def shown(chart):
            for run in self.runs:
                for tag in chart["multiline"]["tag"]:
                    found = self._ask(plugin, "/scalars", query={"run": run, "tag": tag})
                    yield run, set(found["tag_to_events"])

        return {
            category["title"]: {chart["title"]: dict(shown(chart)) for chart in category["chart"]}
            for category in self._ask(plugin, "/layout", query={}).get("category", [])
        }

    def histograms(self, run):
        """Tag to the points of one run: step, and (least, most, number) of each bin shown."""
        from tensorboard.plugins.histogram.histograms_plugin import HistogramsPlugin

        plugin = HistogramsPlugin(self.context)
        tags = self._ask(plugin, "/tags", query={}).get(run, {})
        points = {
            tag: self._ask(plugin, "/histograms", query={"run": run, "tag": tag}) for tag in tags
        }
        return {tag: [(step, bins) for _, step, bins in found] for tag, found in points.items()}

    def graph(self, run):
        """The graph of a run, as the page gets it; None without one."""
        from tensorboard.plugins.graph.graphs_plugin import GraphsPlugin
        from werkzeug.test import Client

        plugin = GraphsPlugin(self.context)
        if not self._ask(plugin, "/info", query={}).get(run, {}).get("run_graph"):
            return None
        return Client(plugin.get_plugin_apps()["/graph"]).get(query_string={"run": run}).text

    @cached_property
    def _projector(self):
        from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin

        return ProjectorPlugin(self.context)

    def projected(self):
        """Runs with points for the projector."""
        return self._ask(self._projector, "/runs", query={})

    def points(self, run):
        """The config, vectors, label lines as cells and sheet of thumbnails of a run's points."""
        import numpy
        from werkzeug.test import Client

        (config,) = self._ask(self._projector, "/info", query={"run": run})["embeddings"]

        def data(path):
            query = {"run": run, "name": config["tensorName"]}
            answer = Client(self._projector.get_plugin_apps()[path]).get(query_string=query)
            return answer.data if answer.status_code == 200 else None

        vectors = numpy.frombuffer(data("/tensor"), "float32").reshape(config["tensorShape"])
        lines = data("/metadata").decode().split("\n")[:-1]
        labels = [line.split("\t") for line in lines]
        return config, vectors, labels, data("/sprite_image")
