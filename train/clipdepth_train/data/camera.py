"""What torchvision's transforms move along with a picture: its camera, and its segmentation."""

import math

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as TF

from clipdepth.camera.letterbox import Letterbox
from clipdepth_train.data.sample import RgbdSet


class Segmentation(tv_tensors.Mask):  # type: ignore[misc]
    """SAM's painted masks, (3, H, W) uint8: moved by nearest neighbour, as depth is, but colours."""


class Camera(tv_tensors.TVTensor):  # type: ignore[misc]
    """The camera of a picture, (4, 3) float64: its matrix, and a row of the picture's height and width and its zoom.

    The matrix takes a point (x, y, z) before the camera, in metres, to its homogeneous pixel (u·z, v·z, z), the
    centre of the top-left pixel at (0, 0). Every transform of the picture that moves pixels multiplies it from the
    left; a zoom also makes points nearer, see `Window`.
    """

    @property
    def matrix(self) -> Tensor:
        """(3, 3) float32."""
        plain: Tensor = self.as_subclass(Tensor)
        return plain[:3].float()

    @property
    def picture_size(self) -> tuple[int, int]:
        """Height and width of the picture, pixels."""
        return int(self[3, 0]), int(self[3, 1])

    @property
    def zoom(self) -> float:
        """By how much points were made nearer."""
        return float(self[3, 2])

    def moved(self, matrix: list[list[float]], height: int, width: int) -> "Camera":
        """After pixels (u, v, 1) went to `matrix` (3, 3) times them, in a picture of a new size."""
        plain: Tensor = self.as_subclass(Tensor)
        last = plain.new_tensor([[height, width, self.zoom]])
        return torch.cat([plain.new_tensor(matrix) @ plain[:3], last]).as_subclass(Camera)

    def fitted(self, box: Letterbox) -> "Camera":
        """After the picture was fitted into another one."""
        return self.moved(box.matrix.tolist(), *box.picture_size)

    def zoomed(self, zoom: float) -> "Camera":
        """For points that are `zoom` times nearer: the rays stay, and with them the matrix."""
        plain: Tensor = self.as_subclass(Tensor).clone()
        plain[3, 2] *= zoom
        return plain.as_subclass(Camera)


def camera_of(pairs: RgbdSet) -> Camera:
    """The camera of a set's pictures."""
    (fx, fy), (cx, cy), (height, width) = pairs.focal, pairs.centre, pairs.picture_size
    rows = [[fx, 0, cx], [0, fy, cy], [0, 0, 1], [height, width, 1]]
    return torch.tensor(rows, dtype=torch.float64).as_subclass(Camera)


def _flip(camera: Camera) -> Camera:
    height, width = camera.picture_size
    return camera.moved([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], height, width)


def _crop(camera: Camera, top: int, left: int, height: int, width: int) -> Camera:
    return camera.moved([[1, 0, -left], [0, 1, -top], [0, 0, 1]], height, width)


def _rotate(camera: Camera, angle: float, **_: object) -> Camera:
    # Degrees, counter-clockwise about the picture's centre.
    height, width = camera.picture_size
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (width - 1) / 2, (height - 1) / 2
    return camera.moved([[c, s, x - c * x - s * y], [-s, c, y + s * x - c * y], [0, 0, 1]], height, width)


for _functional, _kernel in ((TF.horizontal_flip, _flip), (TF.crop, _crop), (TF.rotate, _rotate)):
    TF.register_kernel(_functional, Camera)(_kernel)
