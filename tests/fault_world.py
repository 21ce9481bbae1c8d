"""The ledger in a world of faults: processes with their clocks, a store that fails in every way
that DynamoDB may, a queue that keeps what it is given, and virtual time.

Each request has a model of its own, so that the books show what became of each.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from losi.catalogue.plans import Plan
from losi.errors import AuthenticationError, LosiError, StoreUnansweredError, StoreUnavailableError
from losi.identity.principal import Principal
from losi.identity.secret import Secret, mint
from losi.metering import expressions
from losi.metering.day_item import (
    DayItem,
    Rows,
    day_usage,
    days_around,
    folded_sort_key,
    sort_key,
)
from losi.metering.gate import Caller, Demand, Gate
from losi.metering.ledger import Ledger
from losi.metering.settler import Settler, drain
from losi.metering.usage import Usage
from losi.store.queue import Letter
from losi.store.writes import Update, Written
from tests.catalogue import CATALOGUE
from tests.dynamodb_items import Item
from tests.dynamodb_model import Table
from tests.ledger_world import ACCOUNT, Clock, caller, make_plan

#: The instant at which virtual time begins: faults go on over midnight.
EPOCH = Clock("2026-11-23T23:55:00").now
#: Faults may last so long.
FAULTS_END = 600.0
MODEL = CATALOGUE.models["gpt-4o-mini"]
#: The consumer of the queue comes round so often.
SCHEDULE = 900.0
#: A client gives up on an answer after this, as the real one does.
READ_TIMEOUT = 1.4
#: DynamoDB refuses a request whose signature is older.
SIGNATURE_LIFETIME = 300.0
KINDS = ("reset", "throttle", "hang", "lost answer", "late write", "conflict")
KEYS = ("Key00001", "Key00002")


@dataclass(frozen=True)
class Fault:
    """From `start` to `end` (virtual seconds) writes fail so, with this probability."""

    kind: str
    start: float
    end: float
    probability: float


@dataclass
class Request:
    name: str
    key_id: str
    starts: float
    lasts: float
    #: Seconds that its invocation still has when it begins.
    seconds: float
    usage: Usage | None
    killed_at: float | None
    outcome: str = "not begun"

    @property
    def model(self) -> str:
        return f"m{self.name[-2:]}"

    @property
    def killed(self) -> bool:
        return self.killed_at is not None


class MemoryQueue:
    """Keeps what it is given, and gives it again until it is done."""

    has_consumer = True

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}

    async def put(self, text: str) -> None:
        self.letters[str(len(self.letters)) + text[:40]] = text

    async def take(self) -> list[Letter]:
        return [Letter(text, receipt) for receipt, text in self.letters.items()][:10]

    async def done(self, letter: Letter) -> None:
        del self.letters[letter.receipt]

    async def bury(self, letter: Letter) -> None:
        raise AssertionError("every letter is a settlement")


@dataclass
class Process:
    """One that can be killed: from then on nothing it does reaches anybody."""

    killed_at: float | None
    skew: float

    @property
    def dead(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self.killed_at is not None and now >= self.killed_at

    def clock(self) -> float:
        return EPOCH + asyncio.get_running_loop().time() + self.skew


class QueueOf(MemoryQueue):
    def __init__(self, queue: MemoryQueue, process: Process) -> None:
        self._queue, self._process = queue, process

    async def put(self, text: str) -> None:
        if not self._process.dead:
            await self._queue.put(text)


@dataclass
class FaultyWrites:
    """The store as one process sees it."""

    table: Table
    faults: Sequence[Fault]
    random: random.Random
    process: Process
    late: list[asyncio.Task[None]] = field(default_factory=list)

    async def update(self, update: Update) -> Written:
        return await self._write([update])

    async def transact(self, updates: Sequence[Update]) -> Written:
        return await self._write(updates)

    async def newest(self, account_id: str, first: str, last: str) -> list[Item]:
        await self._travel()
        if self._fault() is not None:
            raise StoreUnavailableError
        return self.table.newest(account_id, first, last)

    async def _write(self, updates: Sequence[Update]) -> Written:
        await self._travel()
        match self._fault():
            case "reset":
                if self.random.random() < 0.5:
                    self._land(updates)
                raise StoreUnansweredError
            case "throttle" | "conflict":
                raise StoreUnavailableError
            case "lost answer":
                self._land(updates)
                raise StoreUnansweredError
            case "hang":
                await asyncio.sleep(READ_TIMEOUT)
                raise StoreUnansweredError
            case "late write":
                delay = self.random.uniform(
                    0.0, self.random.choice([3.0, 60.0, SIGNATURE_LIFETIME])
                )
                self.late.append(asyncio.ensure_future(self._land_later(updates, delay)))
                await asyncio.sleep(READ_TIMEOUT)
                raise StoreUnansweredError
        written = self._land(updates)
        await self._travel()
        return written

    async def _travel(self) -> None:
        await asyncio.sleep(self.random.uniform(0.001, 0.01))
        if self.process.dead:
            await asyncio.Event().wait()

    async def _land_later(self, updates: Sequence[Update], delay: float) -> None:
        await asyncio.sleep(delay)
        self._land(updates)

    def _land(self, updates: Sequence[Update]) -> Written:
        return self.table.update(updates[0]) if len(updates) == 1 else self.table.transact(updates)

    def _fault(self) -> str | None:
        now = asyncio.get_running_loop().time()
        for fault in self.faults:
            if fault.start <= now < fault.end and self.random.random() < fault.probability:
                return fault.kind
        return None


class Doorkeeper:
    """`Callers`, as far as the gate asks it: whether a key is there now."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.deleted: set[str] = set()

    async def authenticate(self, credential: Secret, *, fresh: bool = False) -> Principal:
        if credential.key_id in self.deleted:
            raise AuthenticationError("deleted")
        return caller(self._plan, credential.key_id)

    async def permit(self, principal: Principal, permission: str) -> None:
        """Every key may do everything here."""


class World:
    """One schedule, drawn from its seed."""

    def __init__(self, seed: int, table: Table | None = None) -> None:
        self.random = random.Random(seed)
        self.table = table or Table()
        self.queue = MemoryQueue()
        self.faults = [self._draw_fault() for _ in range(self.random.randint(1, 4))]
        self.requests = [self._draw_request(n) for n in range(self.random.randint(4, 12))]
        self.plan = make_plan(in_flight=self.random.choice([2, 5, 50]))
        self.doorkeeper = Doorkeeper(self.plan)
        self._late: list[asyncio.Task[None]] = []
        self._killed: list[asyncio.Task[None]] = []

    def _draw_fault(self) -> Fault:
        start = self.random.uniform(0.0, FAULTS_END * 0.8)
        end = min(FAULTS_END, start + self.random.choice([0.2, 1.0, 10.0, 100.0, 600.0]))
        return Fault(self.random.choice(KINDS), start, end, self.random.choice([0.3, 0.6, 1.0]))

    def _draw_request(self, number: int) -> Request:
        lasts = self.random.uniform(0.1, 60.0)
        # where it can meet a fault when it begins or ends
        fault = self.random.choice(self.faults)
        starts = self.random.choice(
            [fault.start, fault.start - lasts, fault.end, fault.end - lasts]
        )
        starts = max(0.0, starts + self.random.uniform(-1.0, 1.0))
        killed = self.random.random() < 0.15
        used = Usage(self.random.randint(1, 999), self.random.randint(1, 999))
        return Request(
            name=f"request{number:02}",
            key_id=self.random.choice(KEYS),
            starts=starts,
            lasts=lasts,
            seconds=lasts + self.random.choice([1.0, 20.0, 800.0]),
            usage=used if self.random.random() < 0.85 else None,
            killed_at=starts + self.random.uniform(0.0, lasts + 2.0) if killed else None,
        )

    async def live(self) -> None:
        """Every request, the queue's consumer, and a key that is deleted half way."""
        consumer = asyncio.ensure_future(self._consume())
        deletion = asyncio.ensure_future(self._delete_a_key())
        await asyncio.gather(*(self._serve(request) for request in self.requests))
        await deletion
        await asyncio.gather(*self._late)
        await asyncio.sleep(3 * SCHEDULE)  # the consumer has come by in calm weather
        consumer.cancel()

    async def _serve(self, request: Request) -> None:
        process = Process(request.killed_at, self.random.uniform(-29.0, 29.0))
        admissions, settlements = (
            FaultyWrites(self.table, self.faults, self.random, process) for _ in range(2)
        )
        ledger = Ledger(admissions, settlements, process.clock)
        settler = Settler(ledger, QueueOf(self.queue, process))
        gate = Gate(self.doorkeeper, ledger, settler, process.clock)  # type: ignore[arg-type]
        work = asyncio.ensure_future(self._answer(request, gate))
        if request.killed_at is None:
            await work
        else:
            await asyncio.sleep(request.killed_at)
            await asyncio.wait({work}, timeout=0)
            self._killed.append(work)  # it waits for ever
        self._late += admissions.late + settlements.late

    async def _answer(self, request: Request, gate: Gate) -> None:
        await asyncio.sleep(request.starts)
        who = Caller(
            mint(ACCOUNT, request.key_id), "chat.completions", request.name, request.seconds
        )
        demand: Demand[None] = Demand(MODEL, request.model, 100, 500, None)
        try:
            metered = await gate.admit(who, caller(self.plan, request.key_id), lambda _: demand)
        except LosiError:
            request.outcome = "refused"
        else:
            await asyncio.sleep(request.lasts)
            began = asyncio.get_running_loop().time()
            await metered.settle(request.usage)
            waited = asyncio.get_running_loop().time() - began
            assert waited <= 1.5, "the answer waited for a sick store"
            request.outcome = "answered"
        if who.unfinished:
            await asyncio.wait(who.unfinished)

    async def _consume(self) -> None:
        process = Process(None, 0.0)
        port = FaultyWrites(self.table, self.faults, self.random, process)
        while True:
            await asyncio.sleep(SCHEDULE)
            await drain(self.queue, Ledger(port, port, process.clock))

    async def _delete_a_key(self) -> None:
        """As losi.metering.books does, but for the faults: management is repeated by its caller."""
        await asyncio.sleep(self.random.uniform(100.0, 500.0))
        self.doorkeeper.deleted.add(KEYS[0])
        for day in days_around(EPOCH + asyncio.get_running_loop().time(), 60.0):
            self.table.update(expressions.marking(ACCOUNT, day, KEYS[0], 2, 800, test=False))
            item = self.table.items[f"ACCOUNT#{ACCOUNT}", sort_key(day, test=False)]
            rows = DayItem.from_item(item).key_rows(KEYS[0])
            if rows is not None:
                self.table.transact(
                    expressions.folding(ACCOUNT, day, KEYS[0], rows, 800, test=False)
                )

    def rows(self) -> Rows:
        """What the books say in the end, when every hold that is left has expired."""
        rows: dict[tuple[str, str], Any] = {}
        for day in self.days():
            side = self.table.items.get(
                (f"ACCOUNT#{ACCOUNT}", folded_sort_key(day.day, test=False))
            )
            folded = DayItem.from_item(side) if side else None
            rows |= day_usage(day, folded, EPOCH + 100_000).by_key_model
        return rows

    def days(self) -> list[DayItem]:
        return [
            DayItem.from_item(item)
            for (_, sort), item in self.table.items.items()
            if sort.startswith("DAY#")
        ]

    def mistakes(self) -> list[str]:
        """What is lost, doubled, or held by nobody."""
        rows, found = self.rows(), []
        held = {hold.model_code for day in self.days() for hold in day.holds().values()}
        for request in self.requests:
            row = rows.get((request.key_id, request.model), (0, Usage(0, 0)))
            nothing, estimate = (0, Usage(0, 0)), (1, Usage(100, 0))
            truth = (1, request.usage) if request.usage else nothing
            if request.killed:
                if row not in (nothing, estimate, truth):
                    found.append(f"{request}: killed, billed {row}")
                continue
            if request.model in held:
                found.append(f"{request}: its hold was left")
            if row != (truth if request.outcome == "answered" else nothing):
                found.append(f"{request}: billed {row}")
        return found
