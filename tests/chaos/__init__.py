"""The program killed, starved and crowded. Takes minutes: `pytest -m chaos -n 0 tests/chaos`.

How often something is done comes from `CHAOS_<NAME>` in the environment. What was counted and measured is
added, a JSON object a line, to the file that `CHAOS_RESULTS` names.
"""
