"""Planet's states of an order, and which comes after which."""

from __future__ import annotations

from planet_sdk.exceptions import ClientError

__all__ = ["ORDER_STATE_SEQUENCE", "OrderStates"]

# In the order in which an order passes them; all from "failed" on are final.
ORDER_STATE_SEQUENCE = ("queued", "running", "failed", "success", "partial", "cancelled")


class OrderStates:
    """Questions about states; a state that Planet does not document raises ClientError."""

    SEQUENCE = ORDER_STATE_SEQUENCE

    @classmethod
    def check(cls, state: str) -> str:
        """Return the state, or raise ClientError if it is none."""
        if state not in cls.SEQUENCE:
            raise ClientError(f"Order state ({state}) is not a valid state. Valid states are {cls.SEQUENCE}")
        return state

    @classmethod
    def reached(cls, state: str, test: str) -> bool:
        """Whether an order in state `test` has come to `state`, or further."""
        return cls._position(test) >= cls._position(state)

    @classmethod
    def passed(cls, state: str, test: str) -> bool:
        """Whether an order in state `test` has come further than `state`."""
        return cls._position(test) > cls._position(state)

    @classmethod
    def is_final(cls, test: str) -> bool:
        """Whether an order in state `test` stays in it."""
        return cls.passed("running", test)

    @classmethod
    def _position(cls, state: str) -> int:
        return cls.SEQUENCE.index(cls.check(state))
