"""What Lambda does around a function: finds the handler in the program that was uploaded, hands over event after event.

Runs as a script of its own, with the environment that the function's configuration says, and nothing else of ours.
    python lambda_runtime.py FOLDER module.handler        one JSON object per line in, one out
"""

import importlib
import json
import sys
import time
import traceback


def main() -> None:
    folder, handler_name = sys.argv[1:]
    shift = {"s": 0.0}
    plain = time.time
    time.time = lambda: plain() + shift["s"]  # type: ignore[assignment]  # before the functions take it
    sys.path[0] = folder  # where this script lies is no business of theirs
    out, sys.stdout = sys.stdout, sys.stderr
    module_name, _, name = handler_name.rpartition(".")
    handler = getattr(importlib.import_module(module_name), name)
    for line in sys.stdin:
        asked = json.loads(line)
        shift["s"] = asked["shift_s"]
        try:
            answer = {"answer": handler(asked["event"], None)}
        except Exception as problem:
            traceback.print_exc()
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
