"""Tags of pictures by words that nobody trained: captions' nouns for photos, shop words for pictures of products.

A word is true of a photo of Flickr8k-1k where one of its five captions holds it, and of a product where it is its
master or sub category. Average precision is that of a word over the test pictures, their order by its score; the mean
is over words. Chance is what an order without sense has, the share of pictures that the word is true of. ConSE is that
of its authors (Norouzi et al., 2014): the ten most probable classes, cosines of plain names, on the same encodings.
Every constant of the library's rule was chosen on the training and validation photos of Flickr8k-1k; products, and
test photos, had no part in it. `named`: tags that are said (chance .5 or more); `right` the share of them that is true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from _harness import Benchmark, arguments, data_folder

_WORDS = (
    "man dog girl boy child water shirt woman people grass field rock camera jacket mountain street group mouth beach "
    "hand face ball tree wall snow park toy bike road hat"
)
NOUNS = _WORDS.split()
"""The 30 nouns in captions of most training photos that name something to be seen."""
LEMMAS = {"men": "man", "women": "woman", "children": "child", "person": "people", "grassy": "grass", "snowy": "snow"}
LEMMAS |= {"rocky": "rock", "beaches": "beach", "faces": "face"}
FEWEST = 20
"""Pictures of products that a shop word must be true of."""
TOP = 10


@dataclass
class Pictures:
    """Encodings (pictures, 1280), words, and of which pictures each is true (pictures, words)."""

    name: str
    encodings: np.ndarray
    words: list[str]
    true: np.ndarray


def encoded(benchmark: Benchmark, table: pd.DataFrame) -> np.ndarray:
    """Vectors of column `image` by the packaged encoder, from the cache where they are known."""
    import fusible
    from fusible.data.cache import ArrayCache
    from fusible.encoders.image_efficientnet import ImageEfficientnet
    from fusible.tasks.source import Source
    from fusible.tasks.vectors import pooled

    dataset = fusible.read(table[["image"]], columns={"image": "image"})
    source = Source(dataset, cache=ArrayCache(benchmark.arguments.cache), device=benchmark.arguments.device)
    feed = source.feed(dataset.views["image"], ImageEfficientnet(), encoded=True)
    return pooled(feed, np.arange(len(table)))


def photos(benchmark: Benchmark) -> Pictures:
    """The 100 test photos of Flickr8k-1k."""
    folder = data_folder("flickr8k_1k")
    captions = pd.read_csv(folder / "captions.csv").query("split == 'test'")
    told = captions.groupby("image", sort=True)["caption"].agg(" ".join).reset_index()
    if benchmark.arguments.quick:
        told = told.head(24)
    held = [{lemma(word) for word in re.findall("[a-z]+", text.lower())} for text in told["caption"]]
    told["image"] = [str(folder / name) for name in told["image"]]
    true = np.array([[noun in words for noun in NOUNS] for words in held])
    return Pictures("flickr8k_1k", encoded(benchmark, told), NOUNS, true)


def lemma(word: str) -> str:
    """A noun's singular, as far as the nouns here need it."""
    return LEMMAS.get(word) or (word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word)


def products(benchmark: Benchmark) -> Pictures:
    """The 3,000 test pictures of products, 60 x 80 pixels."""
    table = pd.read_parquet(data_folder("fashion") / "fashion.parquet").query("split == 'test'")
    fewest = FEWEST
    if benchmark.arguments.quick:
        table, fewest = table.head(40), 3
    counts = pd.concat([table["master"], table.loc[table["sub"] != table["master"], "sub"]]).value_counts()
    words = sorted(counts.index[counts >= fewest])
    true = np.stack([((table["master"] == word) | (table["sub"] == word)).to_numpy() for word in words], axis=1)
    return Pictures("fashion", encoded(benchmark, table), words, true)


def conse(pictures: Pictures, cache: Any) -> np.ndarray:
    """Scores (pictures, words) by convex combinations of name encodings."""
    from fusible.encoders._imagenet import class_names, probabilities
    from fusible.tasks.video._tags_words import sentence_vectors

    names, words = (sentence_vectors(texts, cache) for texts in (class_names(), pictures.words))
    chances = probabilities(pictures.encodings)
    kept = np.where(chances >= np.sort(chances, axis=1)[:, [-TOP]], chances, 0.0) @ names
    return np.asarray(kept / np.linalg.norm(kept, axis=1, keepdims=True) @ words.T)


def judge(benchmark: Benchmark, pictures: Pictures, least: float, precise: float) -> None:
    """Score the library's rule, ConSE and chance on one collection."""
    from fusible.evaluation.retrieval import chance, difference, per_query
    from fusible.tasks.video.tags import LEVEL, Tagger

    cache = benchmark.arguments.cache
    tagger = Tagger.of(pictures.words, cache=cache)
    chances = tagger.tags(pictures.encodings)
    scores = {"fusible": tagger.evidence(pictures.encodings), "conse": conse(pictures, cache)}
    found = {name: per_query(one.T, pictures.true.T)["average_precision"] for name, one in scores.items()}
    found["chance"] = chance(pictures.true.T)["average_precision"]
    named = chances >= LEVEL
    right = float(pictures.true[named].mean()) if named.any() else float("nan")
    for name, values in found.items():
        cells = {"named": int(named.sum()), "right": right, "blind": len(tagger.blind)} if name == "fusible" else {}
        each = per_query(scores[name], pictures.true)["average_precision"] if name in scores else [np.nan]
        benchmark.row(data=pictures.name, method=name, word="(mean)", score=float(np.nanmean(values)), **cells)
        if name in scores:
            benchmark.row(data=pictures.name, method=name, word="(per picture)", score=float(np.nanmean(each)))
    for place, word in enumerate(pictures.words):
        benchmark.row(
            data=pictures.name,
            method="fusible",
            word=word,
            pictures=int(pictures.true[:, place].sum()),
            score=float(found["fusible"][place]),
            conse=float(found["conse"][place]),
            chance=float(pictures.true[:, place].mean()),
            blind=int(word in tagger.blind),
        )
    gain = difference([found["fusible"]], [found["conse"]], [np.arange(len(pictures.words))])
    times = float(np.nanmean(found["fusible"]) / np.nanmean(found["chance"]))
    benchmark.claim(f"{pictures.name}: mAP over chance, times", times, at_least=least)
    benchmark.claim(f"{pictures.name}: mAP less ConSE's", gain.mean, at_least=0.02)
    benchmark.claim(f"{pictures.name}: low end of its paired 95 % interval, over words", gain.low, at_least=0.0)
    benchmark.claim(f"{pictures.name}: share of said tags that is true", right, at_least=precise)


def main() -> None:
    """Judge both collections."""
    benchmark = Benchmark("tags", arguments(__doc__))
    judge(benchmark, photos(benchmark), least=1.5, precise=0.6)
    judge(benchmark, products(benchmark), least=4.0, precise=0.8)
    benchmark.finish()


if __name__ == "__main__":
    main()
