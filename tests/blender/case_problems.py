"""What goes wrong is said in the panel and in the log, with the remedy, and the face eases to neutral."""

import bpy
import pytest
from inside import addon_part, connect, tick, weight


def shown(live, head):
    return " ".join(line for _, line in addon_part("panel").status_lines(bpy.context.scene, head))


def open_jaw():
    bpy.data.objects["Face"].data.shape_keys.key_blocks["jawOpen"].value = 0.8


@pytest.fixture
def library(addon):
    """Names another native library in the preferences."""
    preferences = bpy.context.preferences.addons[addon.__name__].preferences

    def name(path):
        preferences.library = str(path)

    yield name
    bpy.context.preferences.addons[addon.__name__].preferences.library = ""


def fails(live, head, given):
    """The operator reports an error; the text of panel and log, after the easing."""
    open_jaw()
    with pytest.raises(RuntimeError) as error:
        connect(head, given["demo"], "demo")
    seen = [weight()]
    tick(live, 2, until=lambda: seen.append(weight()) or weight() == 0)
    assert any(0 < value < 0.8 for value in seen), "it eased"
    assert str(error.value).strip().removeprefix("Error: ") == shown(live, head)
    return shown(live, head)


def test_a_missing_library(live, head, given, said, tmp_path, addon):
    preferences = bpy.context.preferences.addons[addon.__name__].preferences
    preferences.library = str(tmp_path / "none.so")
    text = fails(live, head, given)
    assert "none.so: not there" in text and "visavis plugins package" in text and text in said()
    preferences.library = given["package"]
    assert "cannot be used" in fails(live, head, given)


def test_a_library_of_another_abi(live, head, given, said, addon):
    bpy.context.preferences.addons[addon.__name__].preferences.library = given["other_abi"]
    text = fails(live, head, given)
    assert "release 9.9.9 has another ABI; this extension needs 1." in text and text in said()


def test_no_server(live, head, said):
    open_jaw()
    assert connect(head, "tcp://127.0.0.1:1", "npc") == {"FINISHED"}
    tick(live, 5, until=lambda: "nothing listens there" in shown(live, head))
    assert "visavis serve" in shown(live, head) and weight() == 0
    assert "no connection to tcp://127.0.0.1:1" in said()


def test_another_head(live, head, given):
    connect(head, given["demo"], "nobody")
    tick(live, 5, until=lambda: "it has: demo" in shown(live, head))
    assert weight() == 0


def test_another_schema(live, head, given):
    connect(head, given["other_schema"], "npc")
    tick(live, 8, until=lambda: "56 channels" in shown(live, head))
    assert "arkit55" in shown(live, head) and weight() == 0


def test_a_server_that_goes_is_missed_and_comes_back(live, head, given):
    """The publisher behind `comes_and_goes` is silent for 3 of 5 seconds: held, eased, and back without a jump."""
    connect(head, given["comes_and_goes"], "npc")
    tick(live, 8, until=lambda: weight() > 0.3)
    before, steps = weight(), []

    def step():
        nonlocal before
        steps.append(abs(weight() - before))
        before = weight()
        return False

    tick(live, 6, until=lambda: step() or weight() == 0)
    tick(live, 6, until=lambda: step() or weight() > 0.3)
    assert max(steps) < 0.25


def test_a_bad_endpoint_key_and_name(live, head, tmp_path):
    for endpoint, name, expected in (("udp://x", "npc", "udp://x"), ("tcp://127.0.0.1:1", "x" * 17, "1 to 16 bytes")):
        with pytest.raises(RuntimeError, match=expected):
            connect(head, endpoint, name)
        assert expected in shown(live, head)
    key = tmp_path / "alice.key"
    key.write_text("curve\n")
    key.chmod(0o600)
    bpy.context.scene.visavis.key_file = str(key)
    with pytest.raises(RuntimeError, match="no public-key"):
        connect(head, "tcp://127.0.0.1:1", "npc")
    bpy.context.scene.visavis.key_file = str(tmp_path / "none.key")
    with pytest.raises(RuntimeError, match="visavis keys new"):
        connect(head, "tcp://127.0.0.1:1", "npc")


def test_a_character_without_shapes_and_a_scene_without_heads(live, given, said):
    thing = bpy.data.objects.new("Rock", None)
    bpy.context.scene.collection.objects.link(thing)
    assert "no shape key of 'Rock'" in addon_part("face").Face("Rock").found()
    bpy.context.scene.visavis.endpoint = given["ramp"]
    bpy.ops.visavis.connect()
    assert "no object of the scene follows a head" in said() + shown(live, thing)
