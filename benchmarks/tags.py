"""Tags of pictures by words that nobody trained: captions' nouns for photos, shop words for pictures of products.

A word is true of a photo of Flickr8k-1k where one of its five captions holds it, and of a product where it is its
master or sub category. Average precision is that of a word over the test pictures, their order by its score; the mean
is over words. Chance is its expectation over random orders. ConSE is that of its authors (Norouzi et al., 2014): the
ten most probable classes, cosines of plain names, on the same encodings. Form and constants of the library's rule were
chosen on the training and validation photos of Flickr8k-1k and the validation pictures of products; those scored here
are the test parts. `named`: tags that are said (chance .5 or more); `right` the share of them that is true; `blind`:
the tagger says of the word that it cannot tell it. On 100 photos words are too few to part it from ConSE.
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
    some = true.any(axis=0)
    nouns = [noun for noun, there in zip(NOUNS, some, strict=True) if there]
    return Pictures("flickr8k_1k", encoded(benchmark, told), nouns, true[:, some])


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


def judge(benchmark: Benchmark, pictures: Pictures) -> dict[str, np.ndarray]:
    """Score the library's rule, ConSE and chance on one collection; the average precisions per word."""
    from fusible.evaluation.retrieval import chance, difference
    from fusible.tasks.video.tags import Tagger

    cache = benchmark.arguments.cache
    tagger = Tagger.of(pictures.words, cache=cache)
    ours = tagged(benchmark, pictures, "fusible", tagger)
    theirs = score(benchmark, pictures, "conse", conse(pictures, cache))
    luck = chance(pictures.true.T)["average_precision"]
    told = np.array([word not in tagger.blind for word in pictures.words])
    values = {"fusible": ours, "conse": theirs, "chance": luck}
    benchmark.row(data=pictures.name, method="chance", word="(mean)", score=float(np.nanmean(luck)))
    for name, one in values.items():
        benchmark.row(data=pictures.name, method=name, word="(mean, not blind)", score=float(np.nanmean(one[told])))
    for name, other in (("conse", theirs), ("chance", luck)):
        gain = difference([ours], [other], [np.arange(len(told))])
        cells = {"score": gain.mean, "low": gain.low, "high": gain.high}
        benchmark.row(data=pictures.name, method=f"fusible less {name}", word="(mean)", **cells)
    for place, word in enumerate(pictures.words):
        cells = {name: float(one[place]) for name, one in values.items() if name != "fusible"}
        count, blind = int(pictures.true[:, place].sum()), int(not told[place])
        cells |= {"score": float(ours[place]), "pictures": count, "blind": blind}
        benchmark.row(data=pictures.name, method="fusible", word=word, **cells)
    return values


def tagged(benchmark: Benchmark, pictures: Pictures, method: str, tagger: Any) -> np.ndarray:
    """Score a tagger, and count what it says; the average precisions per word."""
    from fusible.tasks.video.tags import LEVEL

    named = tagger.tags(pictures.encodings) >= LEVEL
    right = float(pictures.true[named].mean()) if named.any() else 0.0
    found = score(benchmark, pictures, method, tagger.evidence(pictures.encodings))
    benchmark.row(data=pictures.name, method=method, word="(said)", named=int(named.sum()), right=right)
    return found


def score(benchmark: Benchmark, pictures: Pictures, method: str, scores: np.ndarray) -> np.ndarray:
    """Add the mean over words, and that over pictures, each of which orders the words; the former per word."""
    from fusible.evaluation.retrieval import per_query

    found = per_query(scores.T, pictures.true.T)["average_precision"]
    each = per_query(scores, pictures.true)["average_precision"]
    for word, values in (("(mean)", found), ("(per picture)", each)):
        benchmark.row(data=pictures.name, method=method, word=word, score=float(np.nanmean(values)))
    return found


def retrieved(benchmark: Benchmark, pictures: Pictures, words: np.ndarray) -> None:
    """Words in the space of a retriever that learned from the 650 training photos and their captions."""
    import fusible
    from fusible.evaluation.retrieval import difference
    from fusible.tasks.video.tags import Tagger

    args = benchmark.arguments
    encoders = {"caption": "text_minilm", "image": "image_efficientnet"}
    path = data_folder("flickr8k_1k") / "captions.csv"
    options: dict[str, Any] = {"seed": args.seeds[0], "device": args.device, "cache": args.cache}
    fitted = fusible.fit_retrieval(path, tuple(encoders), encoders=encoders, methods=("cca",), **options)
    tagger = Tagger.by(fitted.retriever, pictures.words, wording="there is a {} in the picture")
    gain = difference([tagged(benchmark, pictures, "retriever", tagger)], [words], [np.arange(len(words))])
    benchmark.claim("flickr8k_1k: mAP of a retriever of 650 photos less that of words", gain.mean, at_least=0.05)
    benchmark.claim("flickr8k_1k: low end of its paired 95 % interval, over words", gain.low, at_least=0.0)


def claims(benchmark: Benchmark, name: str, values: dict[str, np.ndarray], times: float, right: float) -> None:
    """Judge a collection: over chance so many times, and what share of said tags is right."""
    from fusible.evaluation.retrieval import difference

    ours, luck = values["fusible"], values["chance"]
    got = float(np.nanmean(ours) / np.nanmean(luck))
    low = difference([ours], [luck], [np.arange(len(ours))]).low
    said = next(row["right"] for row in benchmark.rows if (row["data"], row["word"]) == (name, "(said)"))
    benchmark.claim(f"{name}: mAP over chance, times", got, at_least=times)
    benchmark.claim(f"{name}: low end of the 95 % interval of mAP less chance, over words", low, at_least=0.0)
    benchmark.claim(f"{name}: share of said tags that is true", said, at_least=right)


def main() -> None:
    """Judge both collections; a retriever only in full runs, as it is fitted first."""
    from fusible.evaluation.retrieval import difference

    benchmark = Benchmark("tags", arguments(__doc__))
    seen = photos(benchmark)
    values = judge(benchmark, seen)
    claims(benchmark, seen.name, values, times=1.5, right=0.6)
    if not benchmark.arguments.quick:
        retrieved(benchmark, seen, values["fusible"])
    goods = products(benchmark)
    values = judge(benchmark, goods)
    claims(benchmark, goods.name, values, times=4.0, right=0.8)
    gain = difference([values["fusible"]], [values["conse"]], [np.arange(len(goods.words))])
    benchmark.claim("fashion: mAP less ConSE's", gain.mean, at_least=0.05)
    benchmark.claim("fashion: low end of its paired 95 % interval, over words", gain.low, at_least=0.0)
    benchmark.finish()


if __name__ == "__main__":
    main()
