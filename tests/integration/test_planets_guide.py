"""Every snippet of Planet's guide to its async SDK runs, with `planet` replaced by `planet_sdk`.

The guide's text is not ours and is not part of this project: it is read from where it lies beside the checkout, or from
the path in PLANET_GUIDE. Where it is not at hand the test says that it was skipped; docs/sdk.md, the same walk in our
own words, always runs (test_examples.py). What a snippet leaves undefined is defined before it, and its slips are
mended here, openly.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from planet_sdk.simulator import Simulator, SimulatorSettings

ROOT = Path(__file__).resolve().parents[2]
GUIDE = Path(os.environ.get("PLANET_GUIDE") or ROOT.parent / "shared" / "reference" / "async-sdk-guide.md")

pytestmark = pytest.mark.skipif(
    not GUIDE.is_file(), reason="Planet's guide is not at hand; PLANET_GUIDE may name its text (docs/sdk.md is tested)"
)

IMPORTS = (
    "import asyncio\nimport planet\nfrom pathlib import Path\nfrom planet import OrdersClient, Session, data_filter\n"
)
REQUEST = """
request = planet.order_request.build_request(
    name="guide",
    products=[planet.order_request.product(["20200909_182525_1014"], "analytic_udm2", "PSScene")],
)
DOWNLOAD_DIR = "."

def create_request():
    return request

def create_requests():
    return [request, request]

async def create_and_download(client, request, directory):
    order = await client.create_order(request)
    await client.wait(order["id"], delay=0.1)
    return await client.download_order(order["id"], directory)
"""
DELIVERED = """
async def deliver():
    async with Session() as session:
        return (await create_and_download(session.client("orders"), request, "."))[0].parts[0]

ORDER_ID = asyncio.run(deliver())
"""
FILTER = "sfilter = data_filter.and_filter([data_filter.permission_filter()])\n"


@dataclass(frozen=True)
class Snippet:
    """What stands around a snippet, and what is mended in it: (as printed, as it must be)."""

    begins: str
    before: str = ""
    after: str = ""
    mends: tuple[tuple[str, str], ...] = ()


SNIPPETS = [
    Snippet(
        "# Get the user account name",
        before="import builtins, getpass\nbuiltins.input = lambda _: 'planet@example.com'\n"
        "getpass.getpass = lambda: 'simulator-password'\n",
        after="assert auth.value == 'simulator-key'\n",
    ),
    Snippet("import asyncio\nimport os\nfrom planet import Auth"),
    Snippet("import asyncio\nimport os\nfrom planet import Session"),
    Snippet("async def main():\n    sess = Session()", before=IMPORTS),
    # Three lines of dots stand for what the reader is to write.
    Snippet("import asyncio\nimport os\n\nimport planet\n", before=IMPORTS + REQUEST, mends=(("\n.\n.\n.\n", "\n"),)),
    # The body changes from an indent of four to one of three.
    Snippet(
        "def create_request():",
        before=IMPORTS,
        after="assert create_request()['products'][0]['product_bundle'] == 'analytic_udm2'\n",
        mends=(
            ("\n   # In practice", "\n    # In practice"),
            ("\n   # for this example", "\n    # for this example"),
            ("\n   oregon_items", "\n    oregon_items"),
            ("\n   oregon_order", "\n    oregon_order"),
            ("\n   return", "\n    return"),
        ),
    ),
    Snippet(
        "async def main():\n    async with Session() as sess:\n        cl = sess.client('orders')", IMPORTS + REQUEST
    ),
    Snippet("async def main():\n    # Create a session", before=IMPORTS + REQUEST, after="asyncio.run(main())\n"),
    # The function is called by another name than it has.
    Snippet(
        "from planet import reporting",
        before=IMPORTS + REQUEST,
        mends=(("create_poll_and_download", "create_wait_and_download"),),
    ),
    Snippet("async def create_and_download(client, order_detail", IMPORTS + REQUEST, after="asyncio.run(main())\n"),
    # The order of the example is not ours: one that was delivered before takes its place.
    Snippet(
        "from pathlib import Path\n\n# path includes",
        before=IMPORTS + REQUEST + DELIVERED,
        mends=(("'193e5bd1-dedc-4c65-a539-6bc70e55d928'", "ORDER_ID"),),
    ),
    # collect() returns an awaitable, in planet 2.14 too.
    Snippet("import asyncio\nfrom planet import collect", mends=(("= collect(", "= await collect("),)),
    # An async comprehension needs a coroutine around it.
    Snippet(
        "orders_list = [",
        before=IMPORTS
        + "async def main():\n    async with Session() as session:\n        client = session.client('orders')\n",
        after="asyncio.run(main())\n",
        mends=(("orders_list", "        orders_list"),),
    ),
    Snippet(
        "async def main():\n    async with Session() as sess:\n        client = sess.client('data')", before=IMPORTS
    ),
    Snippet("from datetime import datetime", after="assert len(sfilter['config']) == 2\n"),
    Snippet("sfilter = {", before=IMPORTS, after="assert sfilter['type'] == 'AndFilter'\n"),
    Snippet("async def main():\n    async with Session() as sess:\n        cl = sess.client('data')", IMPORTS + FILTER),
    Snippet("async def download_and_validate():", before=IMPORTS, after="asyncio.run(download_and_validate())\n"),
]


@pytest.fixture(scope="module")
def planet() -> Iterator[Simulator]:
    with Simulator(SimulatorSettings(queued_s=0.1, running_s=0.1, rate_limits={}, scene_size_px=32)) as simulator:
        yield simulator


def printed() -> list[str]:
    return re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL) if GUIDE.is_file() else []


def test_there_is_a_frame_for_each_snippet_of_the_guide() -> None:
    found = [next((frame.begins for frame in SNIPPETS if text.startswith(frame.begins)), text) for text in printed()]
    assert found == [frame.begins for frame in SNIPPETS]


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_of_planets_guide_runs(number: int, planet: Simulator, tmp_path: Path) -> None:
    frame, text = SNIPPETS[number], printed()[number]
    for as_printed, mended in frame.mends:
        assert as_printed in text
        text = text.replace(as_printed, mended)
    script = f"{frame.before}\n{text}\n{frame.after}"
    script = script.replace("from planet import", "from planet_sdk import").replace(
        "import planet\n", "import planet_sdk as planet\n"
    )

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "PL_API_URL": planet.url, "PL_API_KEY": planet.api_key}
        | {"ALTERNATE_VAR": planet.api_key},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 0, done.stderr
