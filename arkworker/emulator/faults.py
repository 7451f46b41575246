"""Faults on demand: which calls go wrong, and how.

```python
emulator.faults.add("RetrieveElement", Fault.answer(503, retry_after="2"), times=3)  # its next three calls
emulator.faults.add("StartWorkerActivity", Fault.reset(acted=True), rate=0.3, seed=1)  # done, but the answer is lost
emulator.faults.add("*", Fault.delay(0.02))  # a network
```
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal, TypeAlias

from arkworker.text import printable, with_nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from arkworker.emulator.ledger import Call

Effect: TypeAlias = Literal["delay", "answer", "close", "reset", "cut", "slow", "malformed"]
# As people write it: the last one is an answer, too.
EffectName: TypeAlias = Literal[Effect, "expired_token"]


@dataclass(frozen=True)
class Fault:
    """One way to go wrong. Use the constructors below.

    Attributes:
        effect: What happens.
        acted: Whether the operation is carried out first, and its answer lost; otherwise the fault replaces it.
        seconds: How long to wait in total.
        status: The status of the answer that replaces the right one.
        body: The body of that answer.
        headers: The headers of that answer.
        abrupt: A cut connection is reset instead of closed.
    """

    effect: Effect
    acted: bool = False
    seconds: float = 0.0
    status: int = 0
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    abrupt: bool = False

    @property
    def name(self) -> str:
        """The effect, with its status where it has one: `answer 503`."""
        return f"{self.effect} {self.status}" if self.status else self.effect

    @classmethod
    def delay(cls, seconds: float, *, acted: bool = False) -> Fault:
        """The answer comes later; `acted` waits once the operation has been carried out."""
        return cls("delay", acted, seconds)

    @classmethod
    def answer(
        cls,
        status: int = 503,
        body: bytes = b"",
        *,
        acted: bool = False,
        retry_after: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Fault:
        """Another answer than the right one: a gateway's 502, a 429, a page of HTML with status 200, a redirection."""
        given = {name.lower(): value for name, value in (headers or {}).items()}
        if body:
            given.setdefault("content-type", "text/plain")
        if retry_after is not None:
            given["retry-after"] = retry_after
        return cls("answer", acted, status=status, body=body, headers=tuple(given.items()))

    @classmethod
    def close(cls, *, acted: bool = False) -> Fault:
        """The connection is closed with no answer at all."""
        return cls("close", acted)

    @classmethod
    def reset(cls, *, acted: bool = False) -> Fault:
        """The connection is reset (RST) with no answer at all."""
        return cls("reset", acted)

    @classmethod
    def cut(cls, *, reset: bool = False) -> Fault:
        """The operation is carried out, and the connection lost in the middle of the answer's body."""
        return cls("cut", acted=True, abrupt=reset)

    @classmethod
    def slow(cls, seconds: float) -> Fault:
        """The right answer, whose body takes that long to come, in ten pieces."""
        return cls("slow", acted=True, seconds=seconds)

    @classmethod
    def malformed(cls) -> Fault:
        """The right status and headers, over half of the body: a complete answer that is not JSON."""
        return cls("malformed", acted=True)

    @classmethod
    def expired_token(cls) -> Fault:
        """401, as if the token had expired for this call."""
        body = b'{"type":"client_error","errors":[{"attr":null,"code":"token_expired","detail":"Token has expired."}]}'
        return cls.answer(401, body, headers={"content-type": "application/json"})


@dataclass
class _Rule:
    operation: str
    fault: Fault
    times: int | None
    skip: int
    rate: float
    where: Callable[[Call], bool] | None
    random: random.Random = field(repr=False)

    def fires(self, call: Call) -> bool:
        if self.times == 0 or not fnmatchcase(call.operation or "", self.operation):
            return False
        if self.where is not None and not self.where(call):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.random.random() >= self.rate:
            return False
        if self.times is not None:
            self.times -= 1
        return True


def check_operation(name: str, known: Collection[str]) -> None:
    """Refuse an operation or a pattern that matches nothing.

    Raises:
        ValueError: None of the known operations has this name, or matches this pattern; says which one is near.
    """
    if not any(fnmatchcase(operation, name) for operation in known):
        raise ValueError(with_nearest(f"there is no operation {printable(name, 60)}", name, known))


class Faults:
    """The rules in force. Delays add up; of the other effects the first rule that fires wins.

    Args:
        known: The operations that exist.
    """

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self._lock = threading.Lock()
        self._rules: list[_Rule] = []

    def add(  # noqa: PLR0913 - each is one word of the sentence that a test writes
        self,
        operation: str,
        fault: Fault,
        *,
        times: int | None = None,
        skip: int = 0,
        rate: float = 1.0,
        seed: int = 0,
        where: Callable[[Call], bool] | None = None,
    ) -> None:
        """Make calls fail.

        Args:
            operation: Its id, or a pattern such as `Create*` or `*` (that one includes files and images).
            fault: What goes wrong.
            times: How often; by default until `clear`.
            skip: How many calls to spare first.
            rate: The share of calls that fail, from 0 to 1.
            seed: The seed of the random choice for `rate`: the same calls fail in each run.
            where: Only calls for which this is true, such as those about one element.

        Raises:
            ValueError: The operation does not exist.
        """
        check_operation(operation, self._known)
        # Not cryptography: the point of a seed is that dice can be thrown again.
        rule = _Rule(operation, fault, times, skip, rate, where, random.Random(seed))  # noqa: S311 - dice of a test
        with self._lock:
            self._rules.append(rule)

    def clear(self, operation: str | None = None) -> None:
        """Forget all rules, or those that were added for this very operation or pattern."""
        with self._lock:
            self._rules = [rule for rule in self._rules if operation not in (None, rule.operation)]

    def draw(self, call: Call) -> list[Fault]:
        """The faults that apply to a call."""
        drawn: list[Fault] = []
        effect = False
        with self._lock:
            for rule in self._rules:
                if (rule.fault.effect == "delay" or not effect) and rule.fires(call):
                    drawn.append(rule.fault)
                    effect = effect or rule.fault.effect != "delay"
        return drawn
