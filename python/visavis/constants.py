"""Physical constants of the house: every rate and duration is derived from these."""

SAMPLE_RATE = 16_000  # audio samples a second, as every speech encoder takes them
FRAME_RATE = 25  # motion frames a second
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAME_RATE  # 640
FRAME_NS = 1_000_000_000 // FRAME_RATE  # 40 ms
