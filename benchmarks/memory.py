"""Measure the cost of many remembered tokens: the time for one of them, and the bytes for each."""

from __future__ import annotations

import gc
import sys
import tracemalloc

from jwks_client import JWKSClient

from .measuring import Contestant, Measure, as_texts, at_random, each, in_turn, interleaved
from .report import Row, Section, at_most, micro, spaced, times
from .scene import Scene, decoded, raw, scene


def memory(measure: Measure) -> Section:
    with scene("RS256", measure.many) as here:
        client = JWKSClient(here.provider, token_cache_size=measure.many)
        for token in here.tokens:
            client.verify(token.decode())
        # With room for half of them, each token is forgotten before its next use.
        full = JWKSClient(here.provider, token_cache_size=measure.many // 2)
        for token in here.tokens * 2:
            full.verify(token.decode())
        pairs = [decoded(token, "RS256") for token in here.tokens[: measure.tokens]]
        found = interleaved(
            {
                "raw": Contestant(in_turn(pairs, measure.chunk), each(raw(here))),
                "one": Contestant(
                    as_texts(at_random(here.tokens, measure.chunk)), each(client.verify)
                ),
                "new": Contestant(as_texts(in_turn(here.tokens, measure.chunk)), each(full.verify)),
            },
            measure.rounds,
        )
        size = bytes_for_each(here)
        length, text = len(here.tokens[0]), sys.getsizeof(here.tokens[0].decode())
    ratio = found["one"] / found["raw"]
    return Section(
        "A large memory",
        f"Each token has {length} characters.",
        "relative to the signature",
        [
            Row(
                f"one of {spaced(measure.many)} at random, seen before",
                micro(found["one"]),
                times(ratio),
                at_most(ratio, 0.2),
            ),
            Row(
                f"a new one, remembered in a full memory of {spaced(measure.many // 2)}",
                micro(found["new"]),
                times(found["new"] / found["raw"]),
            ),
            Row(
                "bytes for each, without its text",
                f"{size:.0f} B",
                "",
                at_most(size / 1000, 2.6, " kB"),
            ),
            Row("… and its text, where the application does not hold it", f"{text:.0f} B"),
        ],
    )


def bytes_for_each(here: Scene) -> float:
    texts = [token.decode() for token in here.tokens]
    client = JWKSClient(here.provider, token_cache_size=len(texts))
    client.verify(texts[0])  # loads the keys, and everything else that is made once
    gc.collect()
    tracemalloc.start()
    for text in texts[1:]:
        client.verify(text)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / (len(texts) - 1)
