"""One run of a plan, as a state machine: events in, commands out, no IO (semantics 05 §5.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sagelocal.definition.steps import ApiStep, ConditionStep, FailStep, Trigger
from sagelocal.errors import ExpressionError
from sagelocal.events import (
    Begun,
    Cancel,
    Command,
    Conclude,
    Event,
    Fetch,
    Fetched,
    Finished,
    Launch,
    ParallelismChanged,
    RetryDue,
    RetryRequested,
    Started,
    StopRequested,
    WakeAt,
)
from sagelocal.expressions import NeedsObject, as_text, evaluate, resolve
from sagelocal.jobs import Failed, Outcome, Stopped, Succeeded
from sagelocal.lifecycle import (
    ACTIVE,
    EXECUTION_TRANSITIONS,
    LISTED,
    STEP_TRANSITIONS,
    UNDER_WAY,
    ExecutionStatus,
    IllegalTransitionError,
    StepStatus,
    failure_reason,
)
from sagelocal.names import in_service_text
from sagelocal.plan import Plan
from sagelocal.retry import RETRYABLE, policy_for, wait
from sagelocal.scope import Facts, StepScope, prepare
from sagelocal.state import Identity, Rules, StepState
from sagelocal.values import Json, ObjectText, Scalar

_ON_FAILURE = frozenset({Trigger.FAILED, Trigger.ANY})


@dataclass
class Execution:
    """The state of one pipeline execution; equal states are equal objects.

    Attributes:
        identity: what it is called.
        plan: the graph that it runs.
        parameters: every parameter's value, typed as declared.
        rules: choices that SageMaker does not document.
        experiment: the resolved PipelineExperimentConfig.
        status: where the whole stands.
        started: seconds since the epoch; 0 before `Begun`.
        ended: likewise; None while it runs.
        steps: the state of each step.
        files: per (reading step, S3 URI), an object read for Std:JsonGet.
        max_parallel: MaxParallelExecutionSteps, when it was changed after the start.
    """

    identity: Identity
    plan: Plan = field(repr=False)
    parameters: Mapping[str, Scalar]
    rules: Rules = field(default_factory=Rules)
    experiment: Mapping[str, Json] = field(default_factory=dict)
    status: ExecutionStatus = field(init=False, default=ExecutionStatus.EXECUTING)
    started: float = field(init=False, default=0.0)
    ended: float | None = field(init=False, default=None)
    steps: dict[str, StepState] = field(init=False)
    files: dict[tuple[str, str], ObjectText] = field(init=False, default_factory=dict)
    max_parallel: int | None = field(init=False, default=None)
    # Per step, how many of its waits are undecided; 0: nothing holds it back.
    _open: dict[str, int] = field(init=False, repr=False)
    # How many steps are in ACTIVE; kept by _move alone. The execution ends when it falls to 0.
    _active: int = field(init=False, default=0)
    # A step has failed that no other step was told to run on: nothing new starts (semantics 13, U2).
    _halted: bool = field(init=False, default=False)
    _now: float = field(init=False, default=0.0)
    _position: dict[str, int] = field(init=False, repr=False, compare=False)
    _moved: dict[str, None] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.steps = {name: StepState() for name in self.plan.steps}
        self._open = self._waits()
        self._position = {name: index for index, name in enumerate(self.plan.steps)}

    def _waits(self) -> dict[str, int]:
        return {name: len(edges) + (name in self.plan.branch) for name, edges in self.plan.edges.items()}

    @property
    def done(self) -> bool:
        """Nothing more happens, unless somebody retries it."""
        return self.status not in UNDER_WAY

    @property
    def modified(self) -> float:
        """When something happened last, in seconds since the epoch; 0 before `Begun`."""
        return self._now

    @property
    def failure_reason(self) -> str | None:
        """The execution's FailureReason."""
        return failure_reason(self.status)

    def listed(self) -> list[tuple[str, StepState]]:
        """The steps that ListPipelineExecutionSteps shows, in the order of their start."""
        shown = [(name, state) for name, state in self.steps.items() if state.status in LISTED]
        return sorted(shown, key=lambda item: item[1].started or 0.0)

    def apply(self, event: Event) -> list[Command]:
        """Take note of what happened; the answer is what has to be done now.

        Raises:
            IllegalTransitionError: this cannot have happened here: our bug.
        """
        self._now = event.at
        commands: list[Command] = []
        match event:
            case Begun():
                self.started = event.at
                commands = self._free([name for name, count in self._open.items() if count == 0])
            case Started(step):
                commands = self._start(step)
            case Fetched(step, file):
                self.files[step, file.uri] = file
                # The step may have been skipped meanwhile.
                commands = self._free([step]) if self.steps[step].status is StepStatus.READY else []
            case Finished(step, outcome):
                commands = self._finish(step, outcome)
            case RetryDue(step):
                commands = self._again(step)
            case StopRequested():
                commands = self._stop()
            case ParallelismChanged(max_parallel):
                self.max_parallel = max_parallel
            case RetryRequested():
                commands = self._revive()
        self._settle()
        return commands

    # How a step begins.

    def _free(self, names: list[str]) -> list[Command]:
        """Nothing holds these steps back: launch or decide them, then whatever that sets free."""
        commands: list[Command] = []
        queue = sorted(names, key=self._position.__getitem__)
        for name in queue:  # grows while it is walked
            if self.steps[name].status is StepStatus.WAITING:
                if not self._may_start(name):
                    continue
                self._move(name, StepStatus.READY)
            queue.extend(sorted(self._begin(name, commands), key=self._position.__getitem__))
        return commands

    def _begin(self, name: str, commands: list[Command]) -> list[str]:
        """Do what a ready step needs, adding to `commands`; the answer names the steps that are free because of it."""
        step = self.plan.steps[name]
        try:
            match step:
                case FailStep():
                    commands.append(Conclude(name))
                case ConditionStep():
                    decision = evaluate(step.conditions, self._scope(name))
                    self._move(name, StepStatus.EXECUTING, started=self._now)
                    return self._end(name, StepStatus.SUCCEEDED, decision=decision)
                case _:
                    job = prepare(self._facts(), step, self._now, self.steps[name].attempts + 1)
                    self.steps[name].job = job
                    commands.append(Launch(job))
        except NeedsObject as needed:
            commands.append(Fetch(name, needed.uri))
        except ExpressionError as error:
            self._move(name, StepStatus.EXECUTING, started=self._now)
            return self._failed(name, commands, reason=f"ClientError: {error}")
        return []

    def _start(self, name: str) -> list[Command]:
        step = self.plan.steps[name]
        if isinstance(step, FailStep):
            return self._conclude(name, step)
        # A further attempt does not change when the step began.
        self._move(name, StepStatus.EXECUTING, started=self.steps[name].started or self._now)
        return []

    def _conclude(self, name: str, step: FailStep) -> list[Command]:
        """Let a Fail step take effect: its message is its FailureReason; an empty one gives none (05 §5.4)."""
        try:
            message = as_text(resolve(step.error_message, self._scope(name)))
        except NeedsObject as needed:
            return [Fetch(name, needed.uri)]
        except ExpressionError as error:
            message = f"ClientError: {error}"
        self._move(name, StepStatus.EXECUTING, started=self._now)
        commands: list[Command] = []
        freed = self._failed(name, commands, reason=message or None, message=message)
        return commands + self._free(freed)

    def _may_start(self, name: str) -> bool:
        """After an unhandled failure only those start that wait for a failure, or for any end (semantics 13, U2)."""
        if self.status is not ExecutionStatus.EXECUTING:
            return False
        return not self._halted or self._is_handler(name)

    def _is_handler(self, name: str) -> bool:
        return any(edge.trigger is not Trigger.COMPLETED for edge in self.plan.edges[name])

    # How a step ends.

    def _finish(self, name: str, outcome: Outcome) -> list[Command]:
        match outcome:
            case Succeeded():
                return self._free(self._end(name, StepStatus.SUCCEEDED, outcome=outcome))
            case Stopped() if self.steps[name].status is StepStatus.STOPPING:
                return self._free(self._end(name, StepStatus.STOPPED, outcome=outcome))
            case Stopped(properties):
                # A job stopped from outside fails its step (semantics 13, U17).
                outcome = Failed("ClientError: The job was stopped.", "ClientError", properties)
            case Failed():
                pass
        if self.steps[name].status is StepStatus.EXECUTING and (commands := self._retry(name, outcome)):
            return commands
        commands = []
        if self.steps[name].status is StepStatus.STOPPING:
            # A step that fails while it is being stopped fails the execution (semantics 06 §6.2, Lambda).
            self._halted = True
        freed = self._failed(name, commands, outcome=outcome, reason=self._told(name, outcome))
        return commands + self._free(freed)

    def _retry(self, name: str, outcome: Failed) -> list[Command]:
        """Wait for another attempt, if a policy of the step allows one (semantics 06 §6.4)."""
        step, state = self.plan.steps[name], self.steps[name]
        policy = (
            policy_for(step.retry_policies, outcome.error, step.type) if isinstance(step, ApiStep) else None
        )
        if policy is None or self.status is not ExecutionStatus.EXECUTING:
            return []
        retries = state.retries.get(policy, 0)
        seconds = wait(policy, retries, state.started or self._now, self._now)
        if seconds is None:
            return []
        state.retries = {**state.retries, policy: retries + 1}
        self._move(name, StepStatus.RETRYING)
        return [WakeAt(name, self._now + seconds)]

    def _again(self, name: str) -> list[Command]:
        """Launch the next attempt, unless the step was stopped while it waited."""
        state = self.steps[name]
        if state.status is not StepStatus.RETRYING or state.job is None:
            return []
        state.job = prepare(self._facts(), self.plan.steps[name], self._now, state.job.attempt + 1)
        return [Launch(state.job)]

    def _told(self, name: str, outcome: Failed) -> str:
        """The FailureReason, with SageMaker's remark where a policy could have retried but none does (05 §5.5)."""
        step = self.plan.steps[name]
        policies = step.retry_policies if isinstance(step, ApiStep) else ()
        if outcome.error not in RETRYABLE or policy_for(policies, outcome.error, step.type):
            return outcome.reason
        return (
            f"{outcome.reason}\nRetry not appropriate on execution of step with PipelineExecutionArn "
            f"{in_service_text(self.identity.arn)} and StepId {name}. No retry policy configured for the exception type "
            f"{outcome.error.replace('.', '_').upper()}."
        )

    def _failed(self, name: str, commands: list[Command], **facts: Any) -> list[str]:
        freed = self._end(name, StepStatus.FAILED, **facts)
        if not self._handled_by(name):
            self._halted = self._halted or not self.rules.start_after_failure
            commands.extend(self._forget_ready())
        return freed

    def _handled_by(self, name: str) -> list[str]:
        """The steps that were told to run on this step's failure."""
        return [link.step for link in self.plan.links[name] if link.trigger in _ON_FAILURE]

    def _forget_ready(self) -> list[Command]:
        """Steps that have not got their place do not start any more, unless they still may."""
        forgotten = [
            name
            for name, state in self.steps.items()
            if state.status is StepStatus.READY and not self._may_start(name)
        ]
        for name in forgotten:
            self._move(name, StepStatus.SKIPPED)
            self._spread(name)
        return [Cancel(name) for name in forgotten]

    def _stop(self) -> list[Command]:
        """Stop every job; asked again, cancel again, which takes away the grace."""
        if self.done:
            return []
        if self.status is ExecutionStatus.EXECUTING:
            self._change(ExecutionStatus.STOPPING)
            self._halted = False
        commands = self._forget_ready()
        for name, state in self.steps.items():
            if state.status is StepStatus.RETRYING:
                self._end(name, StepStatus.STOPPED)
                commands.append(Cancel(name))
            if state.status is StepStatus.EXECUTING:
                self._move(name, StepStatus.STOPPING)
            if self.steps[name].status is StepStatus.STOPPING:
                commands.append(Cancel(name))
        return commands

    def _end(self, name: str, status: StepStatus, **facts: Any) -> list[str]:
        """Move a step to its end; the answer names the steps that wait for nothing any more."""
        self._move(name, status, ended=self._now, **facts)
        return self._spread(name)

    def _spread(self, name: str) -> list[str]:
        """Tell those who wait for an ended step: a wait that cannot be satisfied rules a step out, with its followers."""
        freed: list[str] = []
        pending = [name]
        while pending:
            ended = pending.pop()
            for link in self.plan.links[ended]:
                if self.steps[link.step].status is not StepStatus.WAITING:
                    continue
                if not self.steps[ended].satisfies(link):
                    self._move(link.step, StepStatus.SKIPPED)
                    pending.append(link.step)
                    continue
                self._open[link.step] -= 1
                if self._open[link.step] == 0:
                    freed.append(link.step)
        return freed

    def _revive(self) -> list[Command]:
        """Keep what has succeeded; all else waits again, for what it waited before (semantics 06 §6.3)."""
        self._change(ExecutionStatus.EXECUTING)
        self._halted, self.ended, self._open = False, None, self._waits()
        succeeded = [name for name, state in self.steps.items() if state.status is StepStatus.SUCCEEDED]
        for name in self.steps.keys() - set(succeeded):
            self._move(name, StepStatus.WAITING, **self.steps[name].anew())
        self.files = {key: file for key, file in self.files.items() if key[0] in succeeded}
        freed = [name for name, count in self._open.items() if count == 0 and name not in succeeded]
        return self._free(freed + [step for name in succeeded for step in self._spread(name)])

    # How the execution ends.

    def _settle(self) -> None:
        if self.done or self._active:
            return
        for name, state in self.steps.items():
            if state.status is StepStatus.WAITING:
                self._move(name, StepStatus.SKIPPED)
        self.ended = self._now
        self._change(self._verdict())

    def _verdict(self) -> ExecutionStatus:
        if self.status is ExecutionStatus.STOPPING:
            return ExecutionStatus.FAILED if self._halted else ExecutionStatus.STOPPED
        failed = [name for name, state in self.steps.items() if state.status is StepStatus.FAILED]
        if not failed:
            return ExecutionStatus.SUCCEEDED
        handled = all(self._was_handled(name) for name in failed)
        return ExecutionStatus.COMPLETED_WITH_FAILURES if handled else ExecutionStatus.FAILED

    def _was_handled(self, name: str) -> bool:
        return any(self.steps[step].status is StepStatus.SUCCEEDED for step in self._handled_by(name))

    # The only places where states change.

    def _move(self, name: str, status: StepStatus, **facts: Any) -> None:
        state = self.steps[name]
        if status not in STEP_TRANSITIONS[state.status]:
            raise IllegalTransitionError(f"step {name}", state.status, status, state)
        self._active += (status in ACTIVE) - (state.status in ACTIVE)
        state.status = status
        for fact, value in facts.items():
            setattr(state, fact, value)
        self._moved[name] = None

    def moved(self) -> list[str]:
        """The steps whose state has changed since this was last asked, in the order of their changes."""
        names = list(self._moved)
        self._moved.clear()
        return names

    def _change(self, status: ExecutionStatus) -> None:
        if status not in EXECUTION_TRANSITIONS[self.status]:
            raise IllegalTransitionError("execution", self.status, status, dict(self.listed()))
        self.status = status

    def _scope(self, name: str) -> StepScope:
        return StepScope(self._facts(), name, self._now)

    def _facts(self) -> Facts:
        return Facts(
            self.identity, self.parameters, self.rules, self.started, self.experiment, self.steps, self.files
        )
