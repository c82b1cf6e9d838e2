"""Self-supervision: a second view, warped into the first one by its depth, has to look like it (paper, section 4.4)."""

import torch
import torch.nn.functional as F
from kornia.metrics import ssim
from torch import Tensor

from clipdepth_train.processes import mean_over_processes

SSIM_WINDOW = 3
BEHIND = 0.05
"""A point farther than this share behind what hides it is hidden."""
NEAREST_POINT = 1e-3


def photometric_loss(picture: Tensor, view: Tensor, depth: Tensor, cameras: "Cameras", share: float) -> Tensor:
    """Mean of share · (1 - SSIM)/2 + (1 - share) · |I - Î| over the pixels that both views see (equation 6).

    `picture` and `view` are (N, 3, H, W) from 0 to 1, `depth` is (N, H, W) metres in the picture. The authors' code
    halves 1 - SSIM twice; this follows the paper, and the literature.
    """
    warped, seen = warp(view, depth, cameras)
    alike: Tensor = ssim(warped, picture, SSIM_WINDOW).clamp(-1, 1).mean(dim=1)
    difference = (warped - picture).abs().mean(dim=1)
    # SSIM looks at a window: one that reaches a pixel which is not seen does not count.
    whole = F.max_pool2d((~seen).float()[:, None], SSIM_WINDOW, 1, SSIM_WINDOW // 2)[:, 0] == 0
    return mean_over_processes(share * (1 - alike) / 2 + (1 - share) * difference, whole)


class Cameras:
    """Where the points of a picture are seen in its second view.

    `camera` and `view_camera`, (N, 3, 3), take a point (x, y, z) in metres before each camera to its homogeneous
    pixel (u·z, v·z, z): the matrix K after whatever was done to the picture. `pose`, (N, 4, 4), takes points from
    before the first camera to before the second.
    """

    def __init__(self, camera: Tensor, view_camera: Tensor, pose: Tensor) -> None:
        self.camera, self.view_camera, self.pose = camera, view_camera, pose

    def project(self, depth: Tensor) -> Tensor:
        """(u, v, z) in the second view of every pixel at its `depth` (N, H, W) metres: (N, 3, H, W)."""
        n, h, w = depth.shape
        rows, columns = torch.meshgrid(
            torch.arange(h, dtype=depth.dtype, device=depth.device),
            torch.arange(w, dtype=depth.dtype, device=depth.device),
            indexing="ij",
        )
        pixels = torch.stack([columns, rows, torch.ones_like(rows)]).reshape(1, 3, h * w)
        points = torch.linalg.inv(self.camera) @ pixels * depth.reshape(n, 1, h * w)
        moved = self.pose[:, :3, :3] @ points + self.pose[:, :3, 3:]
        seen = self.view_camera @ moved
        z = seen[:, 2:]
        safe = torch.where(z > NEAREST_POINT, z, torch.ones_like(z))
        return torch.cat([seen[:, :2] / safe, z], dim=1).reshape(n, 3, h, w)


def warp(view: Tensor, depth: Tensor, cameras: Cameras) -> tuple[Tensor, Tensor]:
    """The picture (N, 3, H, W) as the second view shows it, and where it does, (N, H, W) bool.

    Left out are pixels that fall outside the view or behind its camera, and those that others of the picture hide
    in it.
    """
    place = cameras.project(depth)
    u, v, z = place.unbind(dim=1)
    h, w = view.shape[-2:]
    grid = torch.stack([(2 * u + 1) / w - 1, (2 * v + 1) / h - 1], dim=-1)
    warped = F.grid_sample(view, grid, mode="bilinear", padding_mode="border", align_corners=False)
    inside = (u >= 0) & (u <= w - 1) & (v >= 0) & (v <= h - 1) & (z > NEAREST_POINT)
    return warped, inside & ~hidden(place.detach(), inside, (h, w))


def hidden(place: Tensor, inside: Tensor, size: tuple[int, int]) -> Tensor:
    """Which points (u, v, z), (N, 3, H, W), others of them hide in a view of `size`: (N, H, W) bool, by a z-buffer."""
    n, h, w = inside.shape
    u, v, z = place.unbind(dim=1)
    cell = (v.round() * size[1] + u.round()).long().where(inside, 0).reshape(n, h * w)
    depth = torch.where(inside, z, torch.inf).reshape(n, h * w)
    buffer = depth.new_full((n, size[0] * size[1]), torch.inf).scatter_reduce(1, cell, depth, "amin")
    # Points that spread leave holes: the nearest of a cell's neighbours fills them.
    filled = -F.max_pool2d(-buffer.reshape(n, 1, *size), 3, 1, 1).reshape(n, -1)
    return (depth > (1 + BEHIND) * filled.gather(1, cell)).reshape(n, h, w)
