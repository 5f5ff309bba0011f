"""Every Redis key of the project, made by the functions here.

    key                            type    lives                               written by
    -----------------------------  ------  ----------------------------------  -------------------------------------
    orders:run:{run_id}            hash    while unfinished, then `retention`  submit, begin, note, move, ask_cancel
    orders:history:{run_id}        list    as its run                          submit, begin, move
    orders:files:{run_id}          hash    as its run                          note
    orders:log:{run_id}            list    `retention` after its last line     move, of a stage that failed
    orders:key:{sha256 of a key}   string  as its run; another's run: 90 days  submit, move
    orders:same:{fingerprint}      string  90 days after it was submitted      submit
    orders:order:{order_id}        string  as its run                          note, move
    orders:spent:{day}             hash    two days after its last order       spend, give_back
    orders:counted:{day}           set     two days after its last order       spend, give_back
    orders:runs                    zset    permanent; run_id by creation       submit, sweep
    orders:runs:{state}            zset    permanent; run_id by last move      submit, begin, move, sweep
    orders:watch                   zset    permanent; parked run_id by due     move, ask_cancel, hint, watcher
    orders:batch:{batch_id}        hash    as the last of its runs             open_batch, submit, begin, move
    orders:batch-runs:{batch_id}   zset    as its batch; run_id by place       submit
    orders:batch-key:{sha256 of a key}  string  as its batch                   open_batch
    orders:batches                 zset    permanent; batch_id by creation     open_batch, sweep
    orders:changes                 string  a week after the last look          watcher; Planet's time of the last change
    orders:events                  stream  permanent, about 10,000 entries     submit, begin, move
    orders:lease:{duty}            string  the lease                           the worker that holds the duty
    orders:budget:{account}:{kind}:{part}  zset, hash: minutes after the last request  take_turn, departed, refused
    orders:line                    zset    permanent; flow by last rank, turns submit, move, claim
    orders:full                    hash    18 minutes; orders, since, pause    move
    orders:fleet                   string  permanent; the fleet's queue        the first worker to start
    orders:server                  hash    permanent; run_id, since            submit, begin, the embedded's keeper
    orders:tokens                  hash    permanent; digest of a token: whose `planet-orders token`
    orders:poison                  zset    permanent, 1,000 ids; by last time  whoever sets something aside
    orders:poison:{id}             hash    30 days after its last time         whoever sets something aside
    orders:left:{id}               string  an hour after its last time         a worker that is older than the job
    orders:tally                   hash    permanent; bounded sums of metrics  worker/tally.py
    orders:workers                 zset    permanent; worker by last sign      health
    orders:worker:{name}           hash    a day after its last sign           health
    orders:disk:{sha256 of a url}  string  a week after the last start         start-up of a worker
    arq:queue                      zset    permanent; job_id by due, or rank   arq, submit, claim, renew, move, sweep
    arq:job:{job_id}               string  as its run; arq's own: a day        arq, submit, move, sweep
    arq:in-progress:{job_id}       string  the lease; holds the owner's name   claim, renew, move
    arq:retry:{job_id}             string  a day after the last start          claim, arq
    arq:result:{job_id}            string  an hour                             move, arq
    arq:abort                      zset    permanent; emptied by the workers   arq's Job.abort, ask_cancel, aborts
    {queue}:health-check[:{name}]  string  some seconds                        health
    {queue}:bell                   pub/sub channel: "job", "cancel:{run_id}"   submit, move, ask_cancel
    {queue}:watch-bell             pub/sub channel: run_id                     hint

Times are milliseconds since 1970, on the server's clock; ranks in line are below 0 (jobs/lua/line.lua).
"permanent" keys hold ids only, which their writers remove; but for the sums of metrics, of bounded number.
"""

from __future__ import annotations

from hashlib import sha256

from arq.constants import (
    abort_jobs_ss,
    health_check_key_suffix,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
)
from arq.constants import retry_key_prefix as arq_retry_key_prefix

PREFIX = "orders"

RUNS = f"{PREFIX}:runs"
WATCH = f"{PREFIX}:watch"
BATCHES = f"{PREFIX}:batches"
CHANGES = f"{PREFIX}:changes"
EVENTS = f"{PREFIX}:events"
TOKENS = f"{PREFIX}:tokens"
POISON = f"{PREFIX}:poison"
TALLY = f"{PREFIX}:tally"
WORKERS = f"{PREFIX}:workers"
LINE = f"{PREFIX}:line"
FULL = f"{PREFIX}:full"
FLEET = f"{PREFIX}:fleet"
SERVER = f"{PREFIX}:server"
ABORTS = abort_jobs_ss

PERMANENT = frozenset({RUNS, WATCH, BATCHES, EVENTS, TOKENS, POISON, TALLY, WORKERS, LINE, FLEET, SERVER, ABORTS})
"""Keys without a lifetime, besides queues, the state indexes and the disk marks."""


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def run(run_id: str) -> str:
    """The run's record."""
    return f"{PREFIX}:run:{run_id}"


def history(run_id: str) -> str:
    """The run's transitions, oldest first, as JSON lines."""
    return f"{PREFIX}:history:{run_id}"


def files(run_id: str) -> str:
    """The files of the run's order: path to JSON."""
    return f"{PREFIX}:files:{run_id}"


def log(run_id: str) -> str:
    """The last log lines of the run's stages that failed, oldest first, as JSON."""
    return f"{PREFIX}:log:{run_id}"


def producer_key(key: str) -> str:
    """Which run a producer's key belongs to."""
    return f"{PREFIX}:key:{_digest(key)}"


def same_request(fingerprint: str) -> str:
    """The newest run of a request, by which the same request is known again."""
    return f"{PREFIX}:same:{fingerprint}"


def order(order_id: str) -> str:
    """Which run an order belongs to."""
    return f"{PREFIX}:order:{order_id}"


def spent(day: str) -> str:
    """What was ordered on a day, the number of days since 1970: sums of the fleet and of each producer."""
    return f"{PREFIX}:spent:{day}"


def counted(day: str) -> str:
    """The orders that are counted in a day's sums."""
    return f"{PREFIX}:counted:{day}"


def state(state: str) -> str:
    """The runs in a state, by their last move."""
    return f"{PREFIX}:runs:{state}"


def batch(batch_id: str) -> str:
    """The batch's record, with how many of its runs are in each state."""
    return f"{PREFIX}:batch:{batch_id}"


def batch_runs(batch_id: str) -> str:
    """The runs of a batch, in the order of their requests."""
    return f"{PREFIX}:batch-runs:{batch_id}"


def batch_key(key: str) -> str:
    """Which batch a producer's key belongs to."""
    return f"{PREFIX}:batch-key:{_digest(key)}"


def lease(duty: str) -> str:
    """Who in the fleet has a duty that only one may have."""
    return f"{PREFIX}:lease:{duty}"


def poison(poison_id: str) -> str:
    """The evidence of a job or a run that was set aside."""
    return f"{PREFIX}:poison:{poison_id}"


def left(poison_id: str) -> str:
    """How often a job was left for workers of a newer version."""
    return f"{PREFIX}:left:{poison_id}"


def worker(name: str) -> str:
    """What a worker last said of itself."""
    return f"{PREFIX}:worker:{name}"


def disk(destination: str) -> str:
    """The mark of the disk behind a destination folder."""
    return f"{PREFIX}:disk:{_digest(destination)}"


def budget(account: str, kind: str, part: str) -> str:
    """A part of the fleet's count of an account's requests of one kind: see worker/lua/take_turn.lua."""
    return f"{PREFIX}:budget:{account}:{kind}:{part}"


def job(job_id: str) -> str:
    """arq's payload of a job."""
    return job_key_prefix + job_id


def in_progress(job_id: str) -> str:
    """arq's mark of a job in hand; here it holds the owner's name and lives as long as the lease."""
    return in_progress_key_prefix + job_id


def retry(job_id: str) -> str:
    """arq's count of a job's starts."""
    return arq_retry_key_prefix + job_id


def result(job_id: str) -> str:
    """arq's result of a job."""
    return result_key_prefix + job_id


def health(queue: str, worker_name: str | None = None) -> str:
    """arq's health check: the shared key of a queue, or one worker's own."""
    return queue + health_check_key_suffix + (f":{worker_name}" if worker_name else "")


def bell(queue: str) -> str:
    """The channel on which new work and cancellations are announced."""
    return f"{queue}:bell"


def watch_bell(queue: str) -> str:
    """The channel on which parked runs are announced whose orders are said to have changed."""
    return f"{queue}:watch-bell"
