"""The figure in docs/performance.md: one RS256 token, with each library.

Text and marks have middle tones on a transparent background, so that the figure is readable on
light and dark pages. The two colours also differ in lightness.
"""

from __future__ import annotations

from pathlib import Path

from .report import TIMES
from .verification import AGAIN, DISTINCT, DISTINCT_FAST, RAW

FIGURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "performance.svg"
INK, OURS, THEIRS = "#7a7a7a", "#d55e00", "#8c96a0"  # Okabe and Ito's vermilion; a grey
NAMES = {
    DISTINCT: "jwks_client, distinct tokens",
    DISTINCT_FAST: "jwks_client, distinct tokens, extra fast",
    AGAIN: "jwks_client, the same token again",
    RAW: "the signature alone",
    "… with `cache_keys=True`": "PyJWKClient (cache_keys) and jwt.decode",
}


def draw(seconds: dict[str, float], path: Path = FIGURE) -> None:
    """Draw the time of RS256 verifications, fastest on top.

    Arguments:
        seconds: the seconds for one token, by contestant.
        path: the file to write.
    """
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams.update({"svg.hashsalt": "jwks_client", "font.size": 10, "text.color": INK})
    shown = {name: one for name, one in seconds.items() if name in NAMES or _is_peer(name)}
    ordered = sorted(shown.items(), key=lambda item: item[1], reverse=True)
    figure, axes = plt.subplots(figsize=(8, 0.36 * len(ordered) + 0.9))
    names = [NAMES.get(name, name) for name, _ in ordered]
    values = [one * 1e6 for _, one in ordered]
    colours = [OURS if name in {DISTINCT, DISTINCT_FAST, AGAIN} else THEIRS for name, _ in ordered]
    bars = axes.barh(names, values, color=colours, height=0.66)
    floor = seconds[RAW] * 1e6
    labels = [f"{value:.3g} µs  ({value / floor:.2f} {TIMES})" for value in values]
    axes.bar_label(bars, labels, padding=4, color=INK)
    axes.set_xlim(0, max(values) * 1.22)
    axes.tick_params(colors=INK, length=0)
    axes.set_xticks([])
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title("One RS256 token verified: CPU time", color=INK, loc="left", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def _is_peer(name: str) -> bool:
    from .peers import PEERS

    return name in PEERS
