"""Draws dashboards for Grafana, with Grafana's own models."""

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DataSourceRef

from dashboards.panels import Board, Panel

TAG = "alma-restore"
SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
"""The data source as `compose/grafana/provisioning` names it."""
_HEIGHT, _WIDE, _NARROW = 8, 12, 4


def draw(board: Board) -> str:
    """Write a dashboard as Grafana's JSON; the same board gives the same bytes."""
    links = dashboard.DashboardLink("Other dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True)
    drawn = (
        dashboard.Dashboard(board.title)
        .uid(f"{TAG}-{board.name}")
        .description(board.meaning)
        .tags([TAG])
        .link(links)
        .refresh("1m")
        .time("now-6h", "now")
        .timezone("utc")
        .readonly()
    )
    for row in board.rows:
        drawn.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            drawn.with_panel(_number(panel) if panel.number else _graph(panel))
    built = drawn.build()
    for number, each in enumerate(built.panels or [], start=1):
        each.id_val = number
    return JSONEncoder(sort_keys=True, indent=2).encode(built) + "\n"


def _graph(panel: Panel) -> timeseries.Panel:
    drawn = timeseries.Panel().title(panel.title).description(panel.meaning).unit(panel.unit)
    drawn.datasource(SOURCE).height(_HEIGHT).span(_WIDE).min(0)
    for query in _targets(panel):
        drawn.with_target(query)
    return drawn


def _number(panel: Panel) -> stat.Panel:
    drawn = stat.Panel().title(panel.title).description(panel.meaning).unit(panel.unit)
    drawn.datasource(SOURCE).height(_HEIGHT // 2).span(_NARROW)
    for query in _targets(panel):
        drawn.with_target(query)
    return drawn


def _targets(panel: Panel) -> list[prometheus.Dataquery]:
    return [
        prometheus.Dataquery().expr(query.expr).legend_format(query.legend).ref_id(chr(ord("A") + number))
        for number, query in enumerate(panel.queries)
    ]
