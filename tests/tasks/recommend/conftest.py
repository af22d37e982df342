import _liked
import pytest

import fusible


@pytest.fixture(scope="session")
def fitted():
    """A recommender that is told of everything, fitted once."""
    return fusible.fit_recommender(
        _liked.ratings(),
        items=_liked.films(),
        item="film_id",
        graph=_liked.triples(),
        links=_liked.links(),
        users=_liked.people(),
        encoders={"text": "text_tfidf"},
    )


@pytest.fixture(scope="session")
def model(fitted):
    return fitted.model
