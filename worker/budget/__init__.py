"""One request budget for the fleet: see docs/decisions/0005-one-request-budget.md."""

from worker.budget.limiter import FleetLimiter, account_of
from worker.budget.rates import PUBLISHED, Limit, Rates, read_rates
from worker.budget.turns import urgency_s

__all__ = ["PUBLISHED", "FleetLimiter", "Limit", "Rates", "account_of", "read_rates", "urgency_s"]
