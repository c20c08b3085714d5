"""`harness_eval.py WORKSPACE`: `harness mission eval`."""

import os
import sys

# Beside this file, even where it is called through a link or by an interpreter that leaves its folder out (-P, -I).
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import _launch

_launch.launch(__file__)
