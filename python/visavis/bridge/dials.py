"""The dials of a head: the session's temperature and the rig's dials (docs/rig.md), as the protocol shows them."""

from typing import TYPE_CHECKING, Any

from visavis.errors import InvalidArgument
from visavis.rig import STYLE_DIAL, dial_setting

if TYPE_CHECKING:
    from visavis.session import Session

TEMPERATURE = {"min": 0.0, "max": 2.0, "default": 1.0}


def temperature_of(dials: dict[str, Any]) -> float:
    """The temperature among dials, or the default; raises InvalidArgument for one that is no number or out of range."""
    _, value = dial_setting("temperature", dials.get("temperature", TEMPERATURE["default"]))
    low, high = TEMPERATURE["min"], TEMPERATURE["max"]
    if not low <= value <= high:
        raise InvalidArgument(f"dial temperature is {value!r}; expected {low:g} to {high:g}")
    return value


class HeadDials:
    """What can be set on a head, and what it is set to."""

    def __init__(self, session: "Session", initial: dict[str, Any]) -> None:
        self._session = session
        self._dials = {dial.name: dial for dial in session.dials()}
        self._values = {dial.name: dial.standard for dial in self._dials.values()}
        self._general = len(self._dials) - 4 * len(session.model.channels)
        self.temperature = temperature_of(initial)
        self.set(initial)

    def check_names(self, dials: dict[str, Any]) -> None:
        """Raises InvalidArgument for an unknown dial; the message lists the known ones."""
        for name in dials:
            if name.startswith(STYLE_DIAL) and name not in self._dials:
                styles = ", ".join(STYLE_DIAL + style for style in self._session.model.styles)
                has = f"the styles {styles}" if styles else "no styles: leave it out, or serve a model that has some"
                raise InvalidArgument(f"dial {name!r}: the model has {has}")
            if name != "temperature" and name not in self._dials:
                known = ", ".join(["temperature", *list(self._dials)[: self._general]])
                raise InvalidArgument(
                    f"dial {name!r} is unknown; known: {known} and CHANNEL.gain, CHANNEL.offset, CHANNEL.min, "
                    "CHANNEL.max of the head's channels"
                )

    def set(self, dials: dict[str, Any]) -> None:
        """Set dials from the next turn on: all of them, or none on an error."""
        self.check_names(dials)
        temperature = temperature_of({"temperature": self.temperature} | dials)
        of_rig = {name: value for name, value in dials.items() if name != "temperature"}
        self._session.set_dials(of_rig)
        self._session.set_temperature(temperature)
        self.temperature = temperature
        self._values.update(dial_setting(name, value) for name, value in of_rig.items())

    def describe(self) -> dict[str, dict[str, float]]:
        """Value and limits: of the temperature, the general dials, and the channels' dials that are not at rest."""
        described = {"temperature": {"value": self.temperature, **TEMPERATURE}}
        for place, (name, dial) in enumerate(self._dials.items()):
            value = self._values[name]
            if place < self._general or value != dial.standard:
                described[name] = {"value": value, "min": dial.low, "max": dial.high, "default": dial.standard}
        return described
