"""Lines and bars on stderr that tell a person how far things are."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self, cast

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    FileProgress = Callable[[Path, int, int | None], None]
    """Told a file's path, the bytes of it that are here, and its size, or None while that is not known."""

__all__ = ["AssetStatusBar", "ProgressBar", "StateBar", "TransferBar", "TransferBars"]

_UNIT_DIVISOR = 1024 * 1024  # as `planet` 2.14 prints it


class ProgressBar:
    """A line that is written while the context manager is open.

    Attributes:
        bar: the tqdm, or None before the context manager is entered.
        disable: write nothing.
    """

    label = ""

    def __init__(self, disable: bool = False) -> None:
        self.bar: Any = None
        self.disable = disable

    def __str__(self) -> str:
        return str(self.bar)

    def __enter__(self) -> Any:
        self.open_bar()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()

    @property
    def desc(self) -> str:
        """What the line is about."""
        return ""

    @property
    def value(self) -> str:
        """What the line says about it."""
        return ""

    def open_bar(self) -> None:
        """Write the line for the first time."""
        self.bar = tqdm(
            bar_format="{elapsed} - {desc} - {postfix[0]}: {postfix[1]}",
            desc=self.desc,
            postfix=cast("Any", [self.label, self.value]),  # bar_format reads it by position; tqdm's stubs know no list
            disable=self.disable,
        )

    def refresh(self) -> None:
        """Write the line again; does nothing before it is open, or where it is disabled."""
        if self.bar is None or self.bar.disable:
            return
        self.bar.postfix[1] = self.value
        self.bar.set_description_str(self.desc, refresh=False)
        self.bar.refresh()


class StateBar(ProgressBar):
    """Writes an order's state: `02:06 - order <id> - state: running`.

    Args:
        order_id: the order's id, once it is known.
        state: the order's state, once it is known.
        disable: write nothing.
    """

    label = "state"

    def __init__(self, order_id: str | None = None, state: str | None = None, disable: bool = False) -> None:
        self.order_id = order_id or ""
        self.state = state or ""
        super().__init__(disable=disable)

    @property
    def desc(self) -> str:
        """The order."""
        return f"order {self.order_id}"

    @property
    def value(self) -> str:
        """Its state."""
        return self.state

    def update_state(self, state: str) -> None:
        """Write the new state; made to be the callback of `OrdersClient.wait`."""
        self.update(state=state)

    def update(self, state: str | None = None, order_id: str | None = None) -> None:
        """Write what is new: the state, the order's id, or both."""
        self.state = state or self.state
        self.order_id = order_id or self.order_id
        self.refresh()


class AssetStatusBar(ProgressBar):
    """Writes an asset's status: `00:12 - PSScene <item id> ortho_visual - status: activating`.

    Args:
        item_type: the item's type.
        item_id: the item's id.
        asset_type: the asset's type.
        disable: write nothing.
    """

    label = "status"

    def __init__(self, item_type: str, item_id: str, asset_type: str, disable: bool = False) -> None:
        self.item_type, self.item_id, self.asset_type = item_type, item_id, asset_type
        self.status = ""
        super().__init__(disable=disable)

    @property
    def desc(self) -> str:
        """The asset."""
        return f"{self.item_type} {self.item_id} {self.asset_type}"

    @property
    def value(self) -> str:
        """Its status."""
        return self.status

    def update(self, status: str) -> None:
        """Write the new status."""
        self.status = status
        self.refresh()


class TransferBar:
    """Shows a file arriving; call it with the bytes that are here and the size of the whole, if that is known.

    Nothing is written where stderr is no terminal.

    Args:
        path: what the bar is named after.
        enabled: False writes nothing at all.
        also: told the same.
    """

    def __init__(self, path: Path, *, enabled: bool = True, also: FileProgress | None = None) -> None:
        self._bar: tqdm[Any] | None = None
        self._path, self._enabled, self._also = path, enabled, also

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __call__(self, here: int, size: int | None) -> None:
        """Show how much of the file is here."""
        if self._also:
            self._also(self._path, here, size)
        if not self._enabled:
            return
        if self._bar is None:
            self._bar = tqdm(
                total=size,
                initial=here,
                unit="B",
                unit_scale=True,
                unit_divisor=_UNIT_DIVISOR,
                desc=str(self._path),
                disable=None,
            )
        self._bar.total = size
        self._bar.update(here - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it is; calling it again changes nothing."""
        if self._bar is not None:
            self._bar.close()

    def rename(self, path: Path) -> None:
        """Show the name that the server gave the file."""
        self._path = path
        if self._bar is not None:
            self._bar.set_description(str(path))


class TransferBars:
    """Shows files arriving side by side, each with a TransferBar of its own while it is under way.

    Args:
        enabled: False writes nothing at all.
        also: told the same.
    """

    def __init__(self, *, enabled: bool = True, also: FileProgress | None = None) -> None:
        self._bars: dict[Path, TransferBar] = {}
        self._open = ExitStack()
        self._enabled, self._also = enabled, also

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def show(self, path: Path, here: int, size: int | None) -> None:
        """Show how much of one of the files is here."""
        if path not in self._bars:
            self._bars[path] = self._open.enter_context(TransferBar(path, enabled=self._enabled, also=self._also))
        self._bars[path](here, size)

    def close(self, path: Path) -> None:
        """End the bar of a file that has arrived, so that its line is free for another."""
        if bar := self._bars.get(path):
            bar.close()
