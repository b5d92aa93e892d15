"""Every question, in the order of the ledger."""

from tests.agents import questions_recorded, questions_runwisp, questions_sample, questions_two

__all__ = ["QUESTIONS"]

QUESTIONS = (
    *questions_sample.QUESTIONS,
    *questions_two.QUESTIONS,
    *questions_recorded.QUESTIONS,
    *questions_runwisp.QUESTIONS,
)
