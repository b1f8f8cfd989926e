"""Words of package descriptions, whose vectors are projected onto a plane."""

import numpy as np

from benchmarks import blazingtext, blazingtext_texts
from benchmarks.pictures import COLORS

SIZE = (7, 4)
GROUPS = {
    "programming": "python perl ruby haskell ocaml lisp java erlang javascript lua",
    "pictures": "png jpeg tiff gif bmp svg raster",
    "sound": "mp3 flac ogg wav vorbis midi audio",
    "languages": "german french spanish italian portuguese russian dutch polish",
    "databases": "mysql postgresql sqlite mariadb sql database",
    "biology": "genome dna protein sequencing genomic bam",
}


def draw(figure):
    path, _ = blazingtext_texts.sentences("debian")
    vectors = blazingtext.our_vectors(path, epochs=5)
    words = {word: group for group, line in GROUPS.items() for word in line.split() if word in vectors}
    table = np.array([vectors[word] / np.linalg.norm(vectors[word]) for word in words])
    table -= table.mean(axis=0)
    plane = table @ np.linalg.svd(table, full_matrices=False)[2][:2].T
    axis = figure.subplots()
    colors = dict(zip(GROUPS, COLORS, strict=False))
    for (word, group), place in zip(words.items(), plane, strict=True):
        axis.plot(*place, "o", color=colors[group], markersize=3)
        axis.annotate(word, place, fontsize=7, color=colors[group], xytext=(3, 2), textcoords="offset points")
    axis.set(xticks=[], yticks=[])
    axis.set_title("Words of what Debian says of its packages (four million words), by their vectors", fontsize=9)
