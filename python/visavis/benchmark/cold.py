"""How long a fresh process takes from load() to the first frame; the file is in the system's cache.

python -m visavis.benchmark.cold '{"path": null, "engine": "cpu"}'
"""

import json
import sys
import time


def main() -> None:
    """Prints milliseconds: of the import, of load(), from before load() to the first frame, processor time of that."""
    begin = time.perf_counter()
    import numpy as np

    import visavis
    from visavis.constants import SAMPLES_PER_FRAME

    options = json.loads(sys.argv[1])
    imported, processor = time.perf_counter(), time.process_time()
    model = visavis.load(**options)
    loaded = time.perf_counter()
    with model.session(seed=1) as session:
        n_frames = model.turn_frames + model.info.agent_lookahead_frames  # of voice, for one turn
        voice = 0.1 * np.random.default_rng(0).standard_normal(n_frames * SAMPLES_PER_FRAME, np.float32)
        session.push_agent_audio(voice, 16_000)
        session.push_user_audio(voice, 16_000)
        frames = session.poll(1)
        done, processor = time.perf_counter(), time.process_time() - processor
    assert len(frames) == 1 and np.isfinite(frames[0].values).all()
    times = {"import": imported - begin, "load": loaded - imported, "first_frame": done - imported}
    times["processor"] = processor
    print(json.dumps({name: seconds * 1000 for name, seconds in times.items()}))


if __name__ == "__main__":
    main()
