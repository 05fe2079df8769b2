"""A program for ``--command`` that does in turn what its argument says: ``python programs_that_fail.py SCENARIO``.

It runs without any library, and what it answers is shaped as it should be: all zeros.
"""

import json
import os
import signal
import sys
import time

SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def zeros(*shape):
    return 0.0 if not shape else [zeros(*shape[1:]) for _ in range(shape[0])]


def outputs(request):
    x, h0 = request["arrays"]["x"], request["arrays"]["h0"]
    rows, size = len(h0), len(h0[0])
    return {
        "id": request["id"],
        "arrays": {"y": zeros(len(x), rows, size), "h": zeros(rows, size), "c": zeros(rows, size)},
    }


def write(text, end="\n"):
    sys.stdout.write(text + end)
    sys.stdout.flush()


def answer(request, **changes):
    write(json.dumps({**outputs(request), **changes}))


def with_arrays(request, **changes):
    answer(request, arrays={**outputs(request)["arrays"], **changes})


@scenario
def good(request):
    answer(request)


@scenario
def dies(request):
    os.kill(os.getpid(), signal.SIGSEGV)


@scenario
def ends(request):
    sys.exit(3)


@scenario
def ends_well(request):
    sys.exit(0)


@scenario
def hangs(request):
    time.sleep(3600)


@scenario
def half_a_line(request):
    write('{"id": ', end="")
    time.sleep(3600)


@scenario
def garbage(request):
    write("Segmentation fault (core dumped)")


@scenario
def prints_first(request):
    write("computing ...")
    answer(request)


@scenario
def binary(request):
    sys.stdout.buffer.write(bytes(range(256)) + b"\n")
    sys.stdout.flush()


@scenario
def an_old_id(request):
    answer(request, id=request["id"] - 1)


@scenario
def no_id(request):
    write(json.dumps({"arrays": outputs(request)["arrays"]}))


@scenario
def twice(request):
    text = json.dumps(outputs(request))
    write(f"{text}\n{text}")


@scenario
def floods(request):
    chunk = "[" * 65536
    while True:
        write(chunk, end="")


@scenario
def floods_with_lines(request):
    answer(request)
    while True:
        write("and more", end="\n" * 1000)


@scenario
def no_numbers(request):
    with_arrays(request, h=[[float("nan")] * len(request["arrays"]["h0"][0])] * len(request["arrays"]["h0"]))


@scenario
def too_few_bytes(request):
    with_arrays(request, h={"shape": [2, 1], "data": "AAAAAAAA8D8="})


@scenario
def no_base64(request):
    with_arrays(request, h={"shape": [2, 1], "data": "?"})


@scenario
def says_so(request):
    write(json.dumps({"id": request["id"], "error": {"message": "out of memory\nsorry"}}))


@scenario
def a_wrong_shape(request):
    with_arrays(request, h=outputs(request)["arrays"]["y"])


@scenario
def dies_between(request):
    answer(request)
    os.kill(os.getpid(), signal.SIGKILL)


def hello(request):
    """Answer the first request; a scenario may be a whole answer instead, for what goes wrong there."""
    write(json.dumps({"id": request["id"], "protocol": 1}))


def main():
    chosen = sys.argv[1]
    respond = SCENARIOS.get(chosen)
    for line in sys.stdin:
        request = json.loads(line)
        if request["call"] != "hello":
            respond(request)
        elif respond:
            hello(request)
        else:
            write(chosen)


if __name__ == "__main__":
    main()
