"""Pictures as they leave the trial: JPEG by libjpeg-turbo."""

import numpy as np
import simplejpeg
from numpy.typing import NDArray


def encode_jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """One JPEG, 4:2:0. pixels: (height, width, 3) uint8 RGB, C-contiguous. quality: 1 to 100."""
    data: bytes = simplejpeg.encode_jpeg(pixels, quality=quality, colorspace="RGB", colorsubsampling="420")
    return data
