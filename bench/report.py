"""Results as a table, as a picture, and in docs/performance.md."""

import statistics
from pathlib import Path

#: By figure and gateway, the value of each round.
Results = dict[str, dict[str, list[float]]]

DOCS = Path(__file__).parent.parent / "docs"
#: Around each of the tables.
BEGIN, END = "<!-- written by make bench-peers -->\n", "<!-- end -->\n"
BAR, GAP = 18, 6


def table(found: Results, units: dict[str, str], names: list[str], ours: str) -> str:
    """Medians, with the lowest and highest round in brackets; ratios of ours to the others."""
    others = [name for name in names if name not in (ours, "direct")]
    heads = [*names, *(f"{ours} / {name}" for name in others)]
    lines = ["| figure | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for figure, by_name in found.items():
        if ours not in by_name:
            continue
        title = f"{figure}, {units[figure]}" if figure in units else figure
        cells = [_cell(by_name.get(name, [])) for name in names]
        cells += [_ratio(by_name[ours], by_name.get(name, [])) for name in others]
        lines.append("| " + " | ".join([title, *cells]) + " |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    spread = f" ({_figure(min(values), 2)}-{_figure(max(values), 2)})" if len(values) > 1 else ""
    return f"{_figure(statistics.median(values), 3)}{spread}"


def _figure(value: float, digits: int) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.{digits}g}"


def _ratio(ours: list[float], theirs: list[float]) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.2f}" if theirs else "-"


def picture(by_name: dict[str, list[float]], title: str) -> str:
    """A bar for each gateway, as SVG; the cheapest is first."""
    medians = {name: statistics.median(values) for name, values in by_name.items()}
    medians = dict(sorted(medians.items(), key=lambda one: one[1]))
    scale = 300 / max(medians.values())
    rows = "".join(
        f'<text x="8" y="{at + 14}">{name}</text>'
        f'<rect x="100" y="{at}" width="{value * scale:.0f}" height="{BAR}" fill="#2563eb"/>'
        f'<text x="{106 + value * scale:.0f}" y="{at + 14}">{_figure(value, 3)}</text>'
        for at, (name, value) in zip(
            range(32, 32 + len(medians) * (BAR + GAP), BAR + GAP), medians.items(), strict=True
        )
    )
    height = 40 + len(medians) * (BAR + GAP)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 {height}" '
        f'font-family="sans-serif" font-size="13"><rect width="480" height="{height}" '
        f'fill="#fff"/><text x="8" y="18" font-weight="bold">{title}</text>{rows}</svg>\n'
    )


def write(tables: list[str], found: Results) -> None:
    page = DOCS / "performance.md"
    text, *old = page.read_text().split(BEGIN)
    for table, rest in zip(tables, old, strict=True):
        text += BEGIN + "\n" + table + "\n" + END + rest.split(END, 1)[1]
    page.write_text(text)
    drawn = {
        "stream": ("stream burst, 103 events", "CPU of a streamed event, µs (8 at once)"),
        "json": ("JSON", "CPU of a JSON request, ms (8 at once)"),
    }
    for name, (figure, title) in drawn.items():
        by_name = {one: values for one, values in found[figure].items() if one != "direct"}
        (DOCS / f"performance-{name}.svg").write_text(picture(by_name, title))
