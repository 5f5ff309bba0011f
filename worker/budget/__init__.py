"""One request budget for the fleet: see docs/decisions/0005-one-request-budget.md."""

from worker.budget.limiter import FleetLimiter, account_of
from worker.budget.rates import PUBLISHED, Limit, Rates, read_rates
from worker.budget.report import BudgetUse, read_budget, tell_budget
from worker.budget.turns import urgency_s

__all__ = [
    "PUBLISHED",
    "BudgetUse",
    "FleetLimiter",
    "Limit",
    "Rates",
    "account_of",
    "read_budget",
    "read_rates",
    "tell_budget",
    "urgency_s",
]
