"""What Visavis takes and how late it is, measured: `visavis bench` and `visavis bench latency`.

engines.py   engines and precisions side by side, each in a process of its own (worker.py), turn by turn in one run
cold.py      from load() to the first frame, in a fresh process
latency.py   from a voice that is sent to the frame that a client in another process samples

Nothing is imported here: cold.py times the imports.
"""
