"""Everything that reads media cells, under one name."""

from fusible.data.audio import decode_audio, has_sound
from fusible.data.content import content_key, open_media, read_bytes, text_key
from fusible.data.image import decode_image
from fusible.data.video import decode_video

__all__ = [
    "content_key",
    "decode_audio",
    "decode_image",
    "decode_video",
    "has_sound",
    "open_media",
    "read_bytes",
    "text_key",
]
