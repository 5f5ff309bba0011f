"""A local stand-in for Planet's Auth, Orders, Data and download services, true to them, which can misbehave on command.

    from planet_sdk.simulator import Simulator, SimulatorSettings

    async with Simulator(SimulatorSettings(queued_s=0.1, running_s=0.2)) as simulator:
        ...  # any client, with simulator.url as its base and simulator.api_key as its key

Other processes use the endpoints under `/_simulator`, which `control` lists.
"""

from .faults import Fault, FaultKind, FaultPlan
from .journal import Report
from .settings import PLANET_RATE_LIMITS, Login, SimulatorSettings
from .simulator import Simulator, serve

__all__ = [
    "PLANET_RATE_LIMITS",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "Login",
    "Report",
    "Simulator",
    "SimulatorSettings",
    "serve",
]
