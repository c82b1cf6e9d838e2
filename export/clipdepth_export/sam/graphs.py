"""Segment Anything's own modules in the shape of the two graphs a device runs."""

import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn


class SamEncoder(nn.Module):
    """The image encoder behind the frame contract: colour order, normalisation and padding are inside."""

    mean: Tensor
    deviation: Tensor
    place: Tensor

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.image_encoder = sam.image_encoder
        self.register_buffer("mean", sam.pixel_mean.flatten())
        self.register_buffer("deviation", sam.pixel_std.flatten())
        self.register_buffer("place", torch.arange(sam.image_encoder.img_size, dtype=torch.float32))

    def forward(self, frame: Tensor, size: Tensor) -> Tensor:
        """Turn `frame`, uint8 (1, S, S, 3) BGR, and `size`, int64 (2,), into `embedding`, float32 (1, C, S/16, S/16).

        The picture is in the frame's top-left corner and `size` is its height and width there; what lies outside is
        taken for 0 after normalisation, as SAM pads.
        """
        height, width = size.float()
        # TensorRT takes uint8 only into a cast.
        normalised = (frame.float().flip(-1) - self.mean) / self.deviation
        inside = (self.place < height).unsqueeze(1) & (self.place < width)
        picture = torch.where(inside.unsqueeze(-1), normalised, 0.0)
        embedding: Tensor = self.image_encoder(picture.permute(0, 3, 1, 2))
        return embedding


class SamDecoder(nn.Module):
    """The prompt encoder and the mask decoder for points, each of them a prompt with three masks."""

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        prompts = sam.prompt_encoder
        self.mask_decoder = sam.mask_decoder
        self.frequencies = prompts.pe_layer
        self.image_size = sam.image_encoder.img_size
        with torch.no_grad():
            self.register_buffer("place", prompts.get_dense_pe())
        self.foreground = prompts.point_embeddings[1]
        self.no_point = prompts.not_a_point_embed
        self.no_mask = prompts.no_mask_embed

    def forward(self, embedding: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Turn `embedding`, float32 (1, C, S/16, S/16), and `points`, float32 (N, 2), into masks and their quality.

        Points are x and y in pixels of the S×S frame. `masks`, float32 (N, 3, S/4, S/4), are logits; `iou`, float32
        (N, 3), is the overlap with the true object that SAM predicts of each.
        """
        # A prompt without a box is SAM's point, moved to its pixel's centre, and a second one that says there is none.
        place = self.frequencies._pe_encoding((points + 0.5) / self.image_size)
        point = place + self.foreground.weight
        prompt = torch.stack([point, self.no_point.weight.expand_as(point)], dim=1)
        masks, iou = self.mask_decoder.predict_masks(
            image_embeddings=embedding,
            image_pe=self.place,
            sparse_prompt_embeddings=prompt,
            dense_prompt_embeddings=self.no_mask.weight.reshape(1, -1, 1, 1),
        )
        return masks[:, 1:], iou[:, 1:]
