"""Every question, in the order of the ledger."""

from tests.agents import (
    one_call_recorded,
    one_call_runwisp,
    one_call_sample,
    one_call_two,
    questions_recorded,
    questions_runwisp,
    questions_sample,
    questions_two,
)

__all__ = ["IN_ONE_CALL", "QUESTIONS"]

IN_ONE_CALL = (
    *one_call_sample.QUESTIONS,
    *one_call_two.QUESTIONS,
    *one_call_recorded.QUESTIONS,
    *one_call_runwisp.QUESTIONS,
)
"""Those that took many calls once."""

QUESTIONS = (
    *questions_sample.QUESTIONS,
    *questions_two.QUESTIONS,
    *questions_recorded.QUESTIONS,
    *questions_runwisp.QUESTIONS,
    *IN_ONE_CALL,
)
