"""Pictures and videos of motion on the reference head, drawn by the processor (`visavis render`)."""
