"""Algebraic checks: an answer is verified without computing it a second time.

    call, answer, seed ──checker──► Passed(power) | Failed(reason) | NotApplicable(reason)

A check costs a small part of its task and proves nothing alone: a pass is evidence of a stated
strength. Pure.
"""

from eco_dask.verification.checks.builtin import BUILTIN as BUILTIN
from eco_dask.verification.checks.builtin import name_of as name_of
from eco_dask.verification.checks.verdict import Call as Call
from eco_dask.verification.checks.verdict import Checker as Checker
from eco_dask.verification.checks.verdict import CheckVerdict as CheckVerdict
from eco_dask.verification.checks.verdict import Failed as Failed
from eco_dask.verification.checks.verdict import NotApplicable as NotApplicable
from eco_dask.verification.checks.verdict import Passed as Passed
