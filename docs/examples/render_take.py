"""Draw a take on the reference head: python render_take.py take.npz sheet.png [video.mp4]   (needs visavis[render])"""

import sys
from pathlib import Path

from visavis.render.performance import read_performance
from visavis.render.pictures import render_sheet, render_video
from visavis.takes.file import load_take

path = Path(sys.argv[1])
take = load_take(path)
print(f"{take.seconds:.1f} s of {take.about.model}, {len(take.turn)} turns, seed {take.about.seed}")

performance = read_performance(path)
render_sheet(Path(sys.argv[2]), [performance], 160, 160, n_pictures=6, columns=3)
print(f"{sys.argv[2]}: 6 pictures")
if len(sys.argv) > 3:
    render_video(Path(sys.argv[3]), [performance.part(0.0, 2.0)], 160, 160)
    print(f"{sys.argv[3]}: the first 2 s")
