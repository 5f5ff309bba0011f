"""The ASGI application, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from jobs.redaction import Redactor
from planet_sdk._version import __version__
from worker.connection import lifetimes_of
from worker.metered import Meters, traces_of
from worker.settings import Settings
from worker.web import api, batches, events, failures, list_pages, maps, metrics, pages, probes, submitting, webhook
from worker.web.access import Access
from worker.web.answers import answer_errors
from worker.web.bodies import BoundedBodies
from worker.web.description import describe
from worker.web.desk import Desk
from worker.web.footprints import FootprintReader
from worker.web.headers import SafeHeaders
from worker.web.link import Link
from worker.web.quicklooks import Quicklooks
from worker.web.quicklooks import router as quicklook_router
from worker.web.templates import compile_pages
from worker.web.webhook import Webhook

_MOST_BYTES = 6 * 1024 * 1024  # of a body: a request may have 5 MB, a call of Planet's names thousands of files
_STATIC = Path(__file__).with_name("static")


def create_app(settings: Settings, redis_url: str, *, loopback: bool = True) -> FastAPI:
    """The web application; it starts and stays up without Redis, and says so until it is there.

    Whoever may read, submit and operate says `worker.web.access.Access`.

    Args:
        settings: of this process; the API key among them is never shown.
        redis_url: where the fleet's Redis is, as `worker.connection.open_redis` gives it.
        loopback: whether only this machine reaches it: then it is open while there are no tokens.
    """
    quicklooks, footprints = Quicklooks(), FootprintReader()
    link = Link(redis_url, queue=settings.queue_name, lifetimes=lifetimes_of(settings))

    meters = Meters(traces=traces_of(settings, "planet-orders-web"))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        compile_pages()
        yield
        await quicklooks.close()
        await footprints.close()
        await link.close()
        await meters.aclose()

    app = FastAPI(
        title="planet-order-worker",
        description="Runs of Planet orders, and the fleet that works on them.",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # ours is among the pages; FastAPI's loads its script from another host
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.desk = Desk(link, Redactor(settings.secrets))
    app.state.traces = meters.traces
    app.state.metrics = metrics.Scrapes(link)
    app.state.always_again = settings.same_request_days == 0
    app.state.relay = events.Relay(link)
    app.state.quicklooks = quicklooks
    app.state.footprints = footprints
    app.state.webhook = Webhook(settings.webhook_secret)
    describe(app)
    app.add_middleware(Access, link=link, loopback=loopback, public_url=settings.public_url)
    app.add_middleware(BoundedBodies, most_bytes=_MOST_BYTES, elsewhere={"/v1/batches": batches.MOST_BYTES})
    app.add_middleware(SafeHeaders)
    answer_errors(app)
    app.include_router(probes.router)
    app.include_router(metrics.router)
    app.include_router(api.router)
    app.include_router(submitting.router)
    app.include_router(batches.router)
    app.include_router(quicklook_router)
    app.include_router(maps.router)
    app.include_router(failures.router)
    app.include_router(events.router)
    app.include_router(webhook.router)
    app.include_router(pages.router)
    app.include_router(list_pages.router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app
