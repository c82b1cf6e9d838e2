"""The files of NYU Depth v2, and where they are."""

from dataclasses import dataclass

PAGE = "https://cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html"


@dataclass(frozen=True)
class RemoteFile:
    """A file of the dataset: where it is and the MD5 of its bytes."""

    url: str
    md5: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


LABELED = RemoteFile(
    "http://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/nyu_depth_v2_labeled.mat",
    "520609c519fba3ba5ac58c8fefcc3530",
)
SPLITS_MAT = RemoteFile(
    "http://horatio.cs.nyu.edu/mit/silberman/indoor_seg_sup/splits.mat",
    "08e3c3aea27130ac7c01ffd739a4535f",
)
