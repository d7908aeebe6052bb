"""Contents of records in which the client answered "Starting, in it, or after?", and what is none."""

from __future__ import annotations

ANSWERED = '{"at":"2026-11-22T23:04:05+01:00","line":null,"part":"the foreman","v":2,"when":"starting"}'

GOOD = {
    "an answer, starting": ANSWERED,
    "an answer, in it": ANSWERED.replace("starting", "in"),
    "an answer, after": ANSWERED.replace("starting", "after"),
}

BAD = {
    "version 1 with an answer": ANSWERED.replace('"v":2', '"v":1'),
    "version 3 with an answer": ANSWERED.replace('"v":2', '"v":3'),
    "version 2.0 with an answer": ANSWERED.replace('"v":2', '"v":2.0'),
    "an answer that is null": ANSWERED.replace('"starting"', "null"),
    "an answer in other words": ANSWERED.replace("starting", "in it"),
    "an answer in capitals": ANSWERED.replace("starting", "Starting"),
    "an answer that is empty": ANSWERED.replace("starting", ""),
    "an answer that is a number": ANSWERED.replace('"starting"', "0"),
    "an answer that is a list": ANSWERED.replace('"starting"', '["starting"]'),
    "an answer twice": ANSWERED.replace('"when"', '"when":"starting","when"'),
    "an answer out of order": ANSWERED.replace(',"v":2,"when":"starting"', ',"when":"starting","v":2'),
    "an answer and no line": ANSWERED.replace('"line":null,', ""),
    "an answer and an unknown key": ANSWERED.replace('"when"', '"w":1,"when"'),
}
