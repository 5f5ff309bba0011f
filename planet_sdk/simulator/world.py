from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial

from .assets import ASSETS, AssetShelf
from .book import OrderBook
from .catalogue import Catalogue
from .clock import Clock
from .content import Bytes, Library
from .delivery import LOOSE, StoredObject, open_order_file
from .faults import Faults
from .journal import Journal, RateLimits, Report
from .links import DATA_DOWNLOAD, ORDERS_DOWNLOAD, Link, Links, storage_alias
from .orders import Order
from .products import OrderFile
from .searches import SearchBook
from .settings import SimulatorSettings
from .webhooks import Webhooks
from .wire import Wire


class World:
    """Everything one simulator holds. It lives in one event loop; other threads hand their calls to that loop."""

    def __init__(self, settings: SimulatorSettings, clock: Clock) -> None:
        self.settings, self.clock, self.wire = settings, clock, Wire()
        self.library = Library(settings.seed, settings.scene_size_px, settings.size_bytes)
        self.catalogue = Catalogue(settings, clock)
        self.reset()

    def reset(self) -> None:
        """Begin anew: no orders, searches or active assets, no faults but the plan of the settings, nothing seen."""
        self.faults = Faults(self.settings.fault_plan)
        self.journal = Journal(self.clock)
        self.limits = RateLimits(self.settings.rate_limits, self.clock)
        self.links = Links(self.clock, self.settings.link_ttl_s, self.settings.seed)
        self.webhooks = Webhooks(self.settings, self.clock, self.links, self.journal)
        self.book = OrderBook(self.settings, self.clock, self.webhooks.announce)
        self.searches = SearchBook(self.clock)
        self.shelf = AssetShelf(self.settings, self.catalogue, self.clock)
        self.loose: dict[str, tuple[OrderFile, Bytes | None, int]] = {}

    def report(self) -> Report:
        """What has been seen so far."""
        orders = list(self.book.all())
        names, states = Counter(order.name for order in orders), Counter(order.state.value for order in orders)
        return self.journal.report(names, states, self.faults.struck)

    def link(self, key: str, base_url: str, api_key: str | None = None) -> Link:
        """A new download link to the object at `key`, for a client that reaches us at `base_url`."""
        path = DATA_DOWNLOAD if key.startswith(f"{ASSETS}/") else ORDERS_DOWNLOAD
        storage_url = self.settings.storage_url or storage_alias(base_url)
        return self.links.mint(key, api_key or self.settings.api_keys[0], base_url, storage_url, path)

    def advance(self, seconds: float) -> None:
        """Let time pass at once, and what falls due in it happen."""
        self.clock.advance(seconds)
        self.book.settle()

    def put(self, name: str, data: bytes) -> None:
        """Store a file that belongs to no order, in place of one of the same name."""
        self.loose[name] = (OrderFile(name, LOOSE), Bytes(data), self.clock.now_us())

    def find_key(self, name: str) -> str:
        """The storage key of the file that was put under this name, or else of the newest order's that has it.

        Failing that, an active asset's. A name that nobody knows becomes a loose file.
        """
        if name in self.loose and self.loose[name][1] is not None:
            return f"{LOOSE}/{name}"
        for order in reversed(list(self.book.all())):
            for file in order.ready_files(self.clock.now_us()):
                if name in {file.name, file.path, f"{order.id}/{file.path}"}:
                    return f"{order.id}/{file.path}"
        if asset := self.shelf.find_active(name):
            return asset.key
        self.loose.setdefault(name, (OrderFile(name, LOOSE), None, self.clock.now_us()))
        return f"{LOOSE}/{name}"

    def find_order(self, key: str) -> Order | None:
        """The order whose folder holds the object at `key`."""
        return self.book.find(key.partition("/")[0])

    async def open_object(self, key: str) -> StoredObject | None:
        """The object at `key`, made in a thread if need be; None when nothing, or nothing yet, lies there."""
        opener = self._find_object(key)
        return None if opener is None else await asyncio.to_thread(opener)

    def open_now(self, key: str) -> StoredObject | None:
        """As `open_object`, here and now."""
        opener = self._find_object(key)
        return None if opener is None else opener()

    def _find_object(self, key: str) -> Callable[[], StoredObject] | None:
        folder, _, path = key.partition("/")
        if folder == LOOSE and path in self.loose:
            file, content, made_us = self.loose[path]
            return lambda: StoredObject(key, file, content or self.library.open(file), made_us)
        if asset := self.shelf.find_by_key(key):
            return lambda: StoredObject(key, asset.file, self.library.open(asset.file), asset.item.published_us)
        order = self.find_order(key)
        for file in () if order is None else order.ready_files(self.clock.now_us()):
            if file.path == path and order is not None:
                return partial(open_order_file, order, file, self.library, self.settings)
        return None

    def name_subjects(self, key: str) -> tuple[str, ...]:
        """What a fault may call the object at `key`: the first name is the same in every run with the same seed."""
        if asset := self.shelf.find_by_key(key):
            return asset.file.path, asset.file.name, *asset.subjects, key
        order, path = self.find_order(key), key.partition("/")[2]
        return f"{order.name if order else LOOSE}/{path}", path, path.rpartition("/")[2], key
