"""How `enrol` and `check` tell what to expect of a name."""

from __future__ import annotations

from voice.card import Card


def describe(card: Card) -> str:
    """A few lines for the clinician and the client together."""
    forecast = card.forecast
    basis = forecast.basis
    phrase = f"{card.phrase.seconds:.1f} s" if card.phrase else "none yet (add one with --phrase FILE)"
    lines = [
        f"“{card.name}”",
        f"  takes: {len(card.takes)}    phrase: {phrase}" + ("    tone only" if card.quiet else ""),
    ]
    if forecast.found_of_ten is None:
        lines.append("  found: unknown with one take; add more takes")
    else:
        lines.append(
            f"  found: about {forecast.found_of_ten:.0f} of 10 tries  (each take heard against the others)"
        )
    lines.append(
        f"  false tones: {_often(forecast.false_tones_a_week)}"
        f"  (from {basis['bank_hours'] * 60:.0f} minutes of other speech,"
        f" for {basis['talk_hours_a_week']:.0f} hours of talk a week)"
    )
    if card.alias:
        lines.append(f"  also listened for as the words: {card.alias}")
    return "\n".join(lines)


def _often(a_week: float) -> str:
    if a_week < 0.3:
        return "less than one in three weeks"
    if a_week < 1.5:
        return "about one a week"
    return f"about {a_week:.0f} a week"
