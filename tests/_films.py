"""Clips made in memory: films of grey frames, and mouths that move as a voice sounds."""

import io

import av
import numpy as np
import soundfile


def film(frames):
    """Bytes of an MP4 of grey frames (frames, height, width), 12 a second, hardly compressed."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=12, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:], "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.repeat(frame[:, :, None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return buffer.getvalue()


def mouth(scene, opening):
    """Bytes of a film of a scene (height, width) in which a bar opens by `opening` (frames,) in 0-1."""
    frames = np.repeat(scene[None], len(opening), axis=0).copy()
    for frame, open_by in zip(frames, opening, strict=True):
        frame[36 : 37 + round(float(open_by) * 14), 24:40] = 255
    return film(frames)


def voice(rng, loudness, rate=8000, rate_of_frames=12):
    """Bytes of a WAV of noise as loud as `loudness` (frames,), one frame per 1/12 s, on a little noise."""
    envelope = np.repeat(np.asarray(loudness), rate // rate_of_frames)
    wave = (0.002 + 0.3 * envelope) * rng.uniform(-1, 1, len(envelope))
    buffer = io.BytesIO()
    soundfile.write(buffer, wave.astype(np.float32), rate, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def talks(seed, count, frames=24):
    """Silent films, sounds, and what opens in them (count, frames): one scene, another course in every clip."""
    rng = np.random.default_rng(seed)
    scene = np.kron(np.random.default_rng(7).integers(30, 220, (10, 10)), np.ones((7, 7))).astype(np.uint8)[:64, :64]
    courses = rng.uniform(0, 1, (count, frames))
    return [mouth(scene, c) for c in courses], [voice(rng, c) for c in courses], courses
