"""Sentences about towns, and the triples that they say."""

TOWNS = (
    ("Ulm", "Germany", "Ansbacher"),
    ("Lyon", "France", "Collomb"),
    ("Turin", "Italy", "Appendino"),
    ("Porto", "Portugal", "Moreira"),
    ("Graz", "Austria", "Nagl"),
    ("Bergen", "Norway", "Valhammer"),
    ("Ghent", "Belgium", "Clercq"),
    ("Gdansk", "Poland", "Dulkiewicz"),
)


def rows():
    """Rows of a text and its triples, three to a town."""
    found = []
    for town, country, mayor in TOWNS:
        lies, leads = [town, "country", country], [town, "mayor", mayor]
        found += [
            {"text": f"{town} lies in {country}.", "triples": [lies]},
            {"text": f"{mayor} is the mayor of {town}.", "triples": [leads]},
            {"text": f"{town} lies in {country}. {mayor} is the mayor of {town}.", "triples": [lies, leads]},
        ]
    return found
