"""What panes need from the agent beyond the list: log lines, curves, the small curves of the rows."""

from __future__ import annotations

from array import array

from barista_server.api.messages import (
    GetLines,
    GetSeries,
    Lines,
    ListSeries,
    Series,
    SeriesKey,
    SeriesList,
    SeriesWindow,
)
from barista_tui.curves import View, chosen_keys
from barista_tui.host import Host
from barista_tui.lines import Source, Window

TRAIN_LOSS = SeriesKey(phase="train", name="loss")


async def lines(host: Host, source: Source, window: Window) -> Lines:
    """A window of a run's log."""
    call = GetLines(
        session=source.key.session,
        run=source.run,
        start=window.start,
        count=window.count,
        kinds=list(source.kinds),
    )
    return await host.call(call, Lines)


async def curves(host: Host, session: str, view: View, buckets: int) -> list[Series]:
    """The metrics worth a curve, as the view bounds them."""
    known = await host.call(ListSeries(session=session), SeriesList)
    keys = chosen_keys(known.keys)
    if not keys:
        return []
    call = GetSeries(
        session=session,
        keys=keys,
        axis=view.axis,
        x0=view.x0,
        x1=view.x1,
        buckets=buckets,
    )
    return (await host.call(call, SeriesWindow)).series


async def spark(host: Host, session: str, width: int) -> tuple[float, ...]:
    """The training loss in at most ``width`` buckets."""
    call = GetSeries(session=session, keys=[TRAIN_LOSS], buckets=width)
    window = await host.call(call, SeriesWindow)
    return tuple(array("d", window.series[0].low)) if window.series else ()
