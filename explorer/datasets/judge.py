"""What online judges offer every answer: the imports that contestants do not write.

LiveCodeBench's and LeetCode's own graders run answers after such a block; an answer that relies
on it is right there and must be right here. Invariant: standard library only.
"""

from __future__ import annotations

from typing import Final

PRELUDE: Final = """\
import bisect, collections, copy, datetime, functools, heapq, io, itertools, json, math, operator
import queue, random, re, statistics, string, sys, typing
from bisect import *
from collections import *
from copy import *
from datetime import *
from functools import *
from heapq import *
from itertools import *
from math import *
from operator import *
from random import *
from re import *
from statistics import *
from string import *
from typing import *
from builtins import *
sys.setrecursionlimit(50000)
"""
"""Code to run before an answer; `builtins` come last, so that `pow` is Python's own."""
