"""The protocols that rigs already speak, over UDP: Live Link Face, VMC, iFacialMocap (docs/protocols.md)."""
