"""Assignments that grade themselves: their sources, what students get, the grade.

An assignment is one notebook (``source``), with its hidden checks (``checks``) beside each question. Students get what
``build`` makes of it. A submission runs in a process of its own and answers questions with plain values (``wire``); the
checks and the expected values never enter that process.
"""
